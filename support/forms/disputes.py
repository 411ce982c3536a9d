"""What staff type about a dispute."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from port444.kit.amounts import AmountField


class DecisionForm(forms.Form):
    """What a member of staff would decide. `decision` is read by both sides, `reason` by staff."""

    decision = forms.CharField(
        label="Decision",
        max_length=2000,
        widget=forms.Textarea({"rows": 5}),
        help_text="Both sides read it: what was agreed, what you saw, why this figure.",
        error_messages={"required": "Both sides read why. Write it."},
    )
    reason = forms.CharField(
        label="For colleagues",
        max_length=600,
        widget=forms.Textarea({"rows": 2}),
        help_text="The second person and the log read it.",
        error_messages={"required": "Say why. Whoever looks at this later reads it."},
    )

    field_order = ["to_client", "decision", "reason"]

    def __init__(self, amount: Decimal, figure: Decimal | None, *args: Any, **kwargs: Any) -> None:
        if figure is not None:
            kwargs.setdefault("initial", {"to_client": figure})
        super().__init__(*args, **{"label_suffix": "", "auto_id": "decide_%s", **kwargs})
        self.fields["to_client"] = AmountField(
            label="Back to the client, USDC", most=amount, error_messages={"required": "Say how much. Nothing is 0."}
        )
        self.order_fields(self.field_order)


class SubmitForm(forms.Form):
    """`seen` is the hash of the figures that were looked at."""

    seen = forms.CharField(max_length=64)
    do = forms.ChoiceField(choices=[("submit", "submit"), ("drop", "drop")])


class WordsForm(forms.Form):
    text = forms.CharField(
        label="What do you want to know?",
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text="They read it on the page of the dispute and are told.",
        error_messages={"required": "Write what you want to know."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "ask_%s", **kwargs})
