"""Forms of plans that take rights from somebody, or give them back."""

from __future__ import annotations

from typing import Any

from django import forms

from .plans import PlanForm

READS = "The person reads this, word for word."


class SuspendForm(PlanForm):
    intro = "The account is closed until further notice: its sessions end, nobody can sign in to it, and its owner is told why."
    FIELD_OF = {**PlanForm.FIELD_OF, "reason": "told"}

    told = forms.CharField(label="What the person is told", min_length=10, max_length=300, widget=forms.Textarea({"rows": 2}), help_text=READS)


class ReinstateForm(PlanForm):
    intro = "The account is opened again and its owner is told. Giving rights back takes a second person."


class HoldForm(PlanForm):
    FIELD_OF = {**PlanForm.FIELD_OF, "reason": "told", "days": "days"}
    intro = "Withdrawals that have not left, and those asked for later, wait until the hold is ended. Ending it takes a second person."

    do = forms.ChoiceField(label="What", choices=[("hold", "Hold withdrawals"), ("end", "End the hold")], initial="hold")
    told = forms.CharField(label="What the person is told", min_length=10, max_length=300, widget=forms.Textarea({"rows": 2}), help_text=READS)
    days = forms.TypedChoiceField(
        label="For how long",
        coerce=lambda said: int(said) if said else None,
        empty_value=None,
        required=False,
        choices=[("", "Until it is ended"), ("3", "3 days"), ("7", "7 days"), ("14", "14 days"), ("30", "30 days")],
    )

    # One withdrawal, or one hold that is ended; they come with the link, from the records.
    withdrawal = forms.CharField(max_length=36, required=False, widget=forms.HiddenInput)
    hold = forms.CharField(max_length=36, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["told"].required = False

    @property
    def heading(self) -> str:
        said = self.data if self.is_bound else self.initial
        if said.get("hold"):
            return "End one hold"
        if said.get("withdrawal"):
            return "Let one withdrawal go on" if said.get("do") == "end" else "Hold one withdrawal"
        return ""

    @property
    def asked(self) -> dict[str, Any]:
        said = super().asked
        return {name: value for name, value in said.items() if value or name not in ("withdrawal", "hold")}

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if said.get("do") == "hold" and not said.get("told") and "told" not in self.errors:
            self.add_error("told", "Say what the person is told.")
        return said
