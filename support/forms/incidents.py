"""What staff type about incidents and detectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from auditlog.actions.casework import HARMLESS, LONGEST, LONGEST_QUIET, MOST_AT_ONCE, USUAL_QUIET
from auditlog.detectors.parameters import Parameter
from auditlog.models import IncidentSeverity, IncidentType, Verdict
from port444.kit.amounts import AmountField
from support.actions.alerts import HELD as TOLD
from support.actions.deciding import MOST_HOURS, MOST_TOLD, Decision, Do
from support.terms import bounds_words, term_of

REASON = {"required": "Say why. Whoever looks at this later reads it."}
ON_PEOPLE = (Do.HOLD, Do.WARN, Do.SUSPEND)
QUIET_DAYS = [(30, "30 days"), (60, "60 days"), (USUAL_QUIET, f"{USUAL_QUIET} days"), (LONGEST_QUIET, f"{LONGEST_QUIET} days")]
NUMBER = re.compile(r"(?:i-|#)?(\d{1,9})", re.IGNORECASE)


def _reason(help_text: str = "") -> forms.CharField:
    return forms.CharField(label="Reason", max_length=LONGEST, widget=forms.Textarea({"rows": 3}), help_text=help_text, error_messages=REASON)


class OpenIncidentForm(forms.Form):
    """What a member of staff saw of somebody."""

    incident_type = forms.ChoiceField(
        label="What it looks like", choices=[(one.value, one.label.replace("_", " ").capitalize()) for one in IncidentType]
    )
    severity = forms.ChoiceField(
        label="How bad", choices=[(one.value, one.label.capitalize()) for one in IncidentSeverity], initial=IncidentSeverity.MEDIUM
    )
    confidence = forms.IntegerField(label="How sure, of 100", min_value=1, max_value=100, initial=50)
    potential_loss = AmountField(label="What can be lost, USDC", required=False)
    description = forms.CharField(
        label="What you saw",
        max_length=LONGEST,
        widget=forms.Textarea({"rows": 4}),
        error_messages={"required": "Say what you saw. Whoever decides reads it."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class DecideForm(forms.Form):
    """What is decided about an incident. `people` are ids and names of those whom it is about, `held` the ids of those whose withdrawals it
    keeps: a hold without a tick goes on for them."""

    do = forms.ChoiceField(choices=[(one.value, one.value) for one in Do], error_messages={"required": "Choose what to do."})
    people = forms.MultipleChoiceField(label="Whom it concerns", required=False)
    withdrawal = forms.BooleanField(label="The withdrawal that it is about", required=False)
    told = forms.CharField(
        label="What they read",
        required=False,
        max_length=MOST_TOLD,
        widget=forms.Textarea({"rows": 3}),
        help_text="Word for word. A hold says what it usually does when this is empty.",
    )
    hours = forms.TypedChoiceField(
        label="For how long", coerce=int, required=False, empty_value=None, choices=[(24, "24 hours"), (48, "48 hours"), (72, "72 hours")]
    )
    days = forms.TypedChoiceField(label="Keep it quiet for", coerce=int, required=False, empty_value=None, choices=QUIET_DAYS)
    verdict = forms.ChoiceField(label="What you found", required=False, choices=[("", "Choose"), *Verdict.choices])
    actual_loss = AmountField(label="Lost, USDC", required=False)
    reason = _reason("Kept in the log.")

    def __init__(self, people: Sequence[tuple[str, str]], held: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "d_%s", **kwargs})
        self.held = held
        field: Any = self.fields["people"]
        field.choices = people

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        do, verdict = said.get("do"), said.get("verdict")
        if do in ON_PEOPLE:
            told = " ".join(str(said.get("told") or "").split())
            if do == Do.HOLD and not told and "told" not in self.errors:
                told = said["told"] = TOLD
            if len(told) < 10 and "told" not in self.errors:
                self.add_error("told", "Say in ten characters or more what they read.")
            if do == Do.HOLD and not said.get("people") and "people" not in self.errors:
                said["people"] = list(self.held)
            if not said.get("people") and not (do == Do.HOLD and said.get("withdrawal")) and "people" not in self.errors:
                self.add_error("people", "Tick whom it concerns.")
        if do == Do.FALSE and verdict not in HARMLESS:
            self.add_error("verdict", "Say why it is harmless.")
        if do in (Do.WARN, Do.SUSPEND, Do.NOTHING) and verdict not in (Verdict.CONFIRMED, Verdict.INCONCLUSIVE):
            self.add_error("verdict", "Choose what you found. What is harmless is a false positive.")
        return said

    @property
    def decision(self) -> Decision:
        said = self.cleaned_data
        return Decision(
            do=Do(said["do"]),
            reason=said["reason"],
            verdict=Verdict(said["verdict"] or Verdict.INCONCLUSIVE),
            people=[UUID(one) for one in said["people"]],
            withdrawal=said["withdrawal"],
            told=said["told"],
            hours=said["hours"] or MOST_HOURS,
            days=said["days"] or USUAL_QUIET,
            actual_loss=said["actual_loss"],
        )


class IncidentNote(forms.Form):
    text = forms.CharField(
        label="Note", max_length=LONGEST, widget=forms.Textarea({"rows": 2}), error_messages={"required": "Write what you found out."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "n_%s", **kwargs})


class ReopenForm(forms.Form):
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "o_%s", **kwargs})


class DeclineForm(forms.Form):
    """Why an incident is not closed as somebody asked."""

    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "x_%s", **kwargs})


class JoinForm(forms.Form):
    """Closes an incident as a part of another."""

    into = forms.CharField(label="Into", max_length=12, widget=forms.TextInput({"placeholder": "I-2001"}), error_messages={"required": "Which one?"})
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "m_%s", **kwargs})

    def clean_into(self) -> int:
        found = NUMBER.fullmatch(self.cleaned_data["into"].strip())
        if found is None:
            raise ValidationError("Write the number of the other incident.")
        return int(found[1])


class CloseManyForm(forms.Form):
    """Closes what is ticked, with one reason for all."""

    pick = forms.CharField(required=False)
    verdict = forms.ChoiceField(
        label="What you found", choices=[("", "Choose"), *Verdict.choices], error_messages={"required": "Choose what you found."}
    )
    reason = forms.CharField(label="Reason for all of them", max_length=LONGEST, error_messages=REASON)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "b_%s", **kwargs})

    def clean_pick(self) -> list[int]:
        """What is ticked; with the tick for all of the page, what was shown on it."""
        getlist = getattr(self.data, "getlist", None)
        said = [*getlist("pick"), *(getlist("shown") if self.data.get("all") else ())] if getlist else []
        numbers = list(dict.fromkeys(int(one) for one in said if one.isascii() and one.isdigit() and len(one) < 10))
        if not numbers:
            raise ValidationError("Tick what to close.")
        if len(numbers) > MOST_AT_ONCE:
            raise ValidationError(f"At most {MOST_AT_ONCE} at once.")
        return numbers

    @property
    def sure(self) -> int | None:
        """How many whoever sends it was told it would be; None when they were not told yet."""
        said = str(self.data.get("sure", ""))
        return int(said) if said.isascii() and said.isdigit() and len(said) < 5 else None


class VersionForm(forms.Form):
    """Other parameters of a detector."""

    def __init__(self, parameters: Sequence[Parameter], values: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "p_%s", **kwargs})
        for one in parameters:
            term = term_of(one.name)
            self.fields[one.name] = forms.FloatField(
                label=f"{term.label} ({term.unit})" if term.unit else term.label,
                min_value=one.least,
                max_value=one.most,
                initial=_plain(values[one.name]),
                widget=forms.NumberInput({"step": "any"}),
                help_text=f"{one.help} {bounds_words(one)}.",
            )
        self.fields["reason"] = _reason("What it is to do better. Kept in the log.")

    @property
    def values(self) -> dict[str, float]:
        return {name: value for name, value in self.cleaned_data.items() if name != "reason"}


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value
