"""What staff may ask the log."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

from auditlog.events import Event
from auditlog.models import Category, Severity
from auditlog.search import Wanted
from support.queries import what, who

LABELS = {
    Category.FINANCIAL: "Financial",
    Category.ADMINISTRATIVE: "Administrative",
    Category.SECURITY: "Security",
    Category.USER_ACTION: "User action",
}
SEVERITIES = [("", "Info and up"), (Severity.WARNING, "Warning and up"), (Severity.CRITICAL, "Critical")]
WITNESS = ["row.inserted", "row.updated", "row.deleted", "row.truncated"]


def _types() -> list[Any]:
    groups = [(LABELS[one], sorted((event.key, event.key) for event in Event if event.category is one)) for one in Category]
    return [("", "All"), *groups, ("Seen by the database", [(name, name) for name in WITNESS])]


class AuditFilter(forms.Form):
    """All fields may be empty; what is given has to be so of a row. Days are those of the reader."""

    since = forms.DateField(label="From", required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput({"type": "date"}))
    category = forms.ChoiceField(required=False, choices=[("", "All"), *((one.value, LABELS[one]) for one in Category)])
    least = forms.ChoiceField(label="Severity", required=False, choices=SEVERITIES)
    actor = forms.CharField(required=False, max_length=254, widget=forms.TextInput({"placeholder": "e-mail or id"}))
    about = forms.CharField(
        label="Target or request", required=False, max_length=254, widget=forms.TextInput({"placeholder": "id, order or invoice number, 0x hash"})
    )
    event_type = forms.ChoiceField(label="Event", required=False, choices=_types)
    words = forms.CharField(label="Words", required=False, max_length=200, widget=forms.TextInput({"placeholder": "in the text or the values"}))
    address = forms.GenericIPAddressField(label="IP address", required=False)
    amount_from = forms.DecimalField(label="USDC from", required=False, max_digits=20, decimal_places=6)
    amount_to = forms.DecimalField(label="USDC to", required=False, max_digits=20, decimal_places=6)

    FIRST = ("since", "until", "category", "least", "actor", "about")

    def __init__(self, data: Any, *, zone: ZoneInfo) -> None:
        super().__init__(data, label_suffix="")
        self.zone = zone

    def clean_words(self) -> str:
        words: str = self.cleaned_data["words"]
        if words and not re.search(r"\w", words):
            raise ValidationError("Give a word or a number.")
        return words

    def clean_about(self) -> str:
        about: str = self.cleaned_data["about"]
        self.found = what(about) if about else ()
        if about and not self.found:
            raise ValidationError("Nothing has this id or number. Look for it under Words.")
        return about

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        since, until = said.get("since"), said.get("until")
        if since and until and since > until:
            self.add_error("until", "This is before the first day.")
        least, most = said.get("amount_from"), said.get("amount_to")
        if least is not None and most is not None and least > most:
            self.add_error("amount_to", "This is less than the least amount.")
        return said

    @property
    def given(self) -> dict[str, str]:
        """What was asked for, as it is kept in the log."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value not in (None, "")}

    @property
    def more_given(self) -> bool:
        return any(name not in self.FIRST and self[name].value() for name in self.fields)

    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FIRST]

    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.FIRST]

    def wanted(self) -> Wanted:
        said = self.cleaned_data

        def midnight(day: Any) -> datetime | None:
            return datetime.combine(day, time.min, self.zone) if day else None

        return Wanted(
            since=midnight(said["since"]),
            until=midnight(said["until"] + timedelta(days=1) if said["until"] else None),
            category=said["category"],
            event_type=said["event_type"],
            least=said["least"],
            who=who(said["actor"].strip()) if said["actor"] else (),
            what=self.found,
            address=said["address"],
            amount_from=said["amount_from"],
            amount_to=said["amount_to"],
            words=said["words"],
        )
