"""The shape of what a builder says about being away, and of what a client says to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from .terms import LONGEST_MESSAGE, Plan

KEEP = "keep"
DATE = "date-"  # before the id of an order, in the name of the choice about its date


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class AwayForm(forms.Form):
    """Both days, what stops, and what people read."""

    first_on = forms.DateField(label=_("First day away"), widget=DayInput, error_messages={"required": _("Pick a first day.")})
    last_on = forms.DateField(
        label=_("Last day away"), widget=DayInput, error_messages={"required": _("Pick a last day. We never end it on a day you did not choose.")}
    )
    stops_orders = forms.BooleanField(required=False)
    stops_calls = forms.BooleanField(required=False)
    stops_clock = forms.BooleanField(required=False)
    message = forms.CharField(
        label=_("What should people read?"),
        help_text=_("Shown on your profile, and once in each conversation with an open order."),
        max_length=LONGEST_MESSAGE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "data-count": "message-c"}),
    )

    def clean_message(self) -> str:
        return " ".join(str(self.cleaned_data["message"]).split())

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = data.get("first_on"), data.get("last_on")
        if first and last and last < first:
            self.add_error("last_on", _("The last day is before the first."))
        return data

    def plan(self) -> Plan:
        return Plan(keep=kept_in(self.data), **self.cleaned_data)


class ObjectionForm(forms.Form):
    reason = forms.CharField(
        label=_("Why does the later date not work?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why the later date does not work.")},
    )


def kept_in(data: Mapping[str, Any]) -> frozenset[UUID]:
    """The orders whose date is kept, out of what was sent."""
    found = set()
    for name, value in data.items():
        if name.startswith(DATE) and value == KEEP:
            try:
                found.add(UUID(name.removeprefix(DATE)))
            except ValueError:
                continue
    return frozenset(found)
