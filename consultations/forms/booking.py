"""The shape of what a client chooses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from port444.accounts.models import check_zone, zone_names
from port444.builders.models import LENGTHS


def read_start(text: str) -> datetime | None:
    """A start as the booking page writes it, "2026-11-24T10:00:00Z"; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def write_start(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody has picked so far on the booking page; anything may be missing."""

    minutes: int | None
    zone: str | None
    week: date | None
    start: datetime | None


def read_choice(data: QueryDict) -> Choice:
    """The choice in a query or a form. What is not understood counts as not chosen."""
    minutes = data.get("minutes", "")
    try:
        week = date.fromisoformat(data.get("week", ""))
    except ValueError:
        week = None
    if week is not None and not 1970 < week.year < 9000:
        week = None
    zone = data.get("tz", "")
    return Choice(
        minutes=int(minutes) if minutes in map(str, LENGTHS) else None,
        zone=zone if zone in zone_names() else None,
        week=week,
        start=read_start(data.get("slot", "")),
    )


class StartField(forms.CharField):
    """A start in UTC."""

    def clean(self, value: Any) -> datetime:
        text = super().clean(value)
        start = read_start(text)
        if start is None:
            raise forms.ValidationError(gettext("Pick a time from the list."), code="slot")
        return start


class HoldForm(forms.Form):
    """Everything that pressing pay sends."""

    minutes = forms.TypedChoiceField(
        choices=[(m, str(m)) for m in LENGTHS], coerce=int, error_messages={"invalid_choice": _("Choose a length that is on offer.")}
    )
    tz = forms.CharField(max_length=64, validators=[check_zone])
    slot = StartField(error_messages={"required": _("Pick a time first.")})
    notes = forms.CharField(max_length=600, required=False, widget=forms.Textarea)
    client_key = forms.UUIDField()
