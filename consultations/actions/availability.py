"""When a builder takes calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from consultations.models import DAY_MINUTES, AvailabilityRule, CallSettings
from consultations.slots import Window, overlap
from port444.accounts.models import check_zone
from port444.builders.actions import set_call_prices
from port444.builders.models import Builder
from port444.kit.errors import Invalid, word_constraint

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

HALF_HOUR = 30

word_constraint("availability_window_once", Invalid("Two of your windows overlap.", code="windows_overlap"))
word_constraint("availability_start_before_end", Invalid("Open time must end after it starts.", code="window_empty"))
word_constraint("availability_weekday", Invalid("A week has seven days.", code="weekday"))
word_constraint("call_settings_notice_in_range", Invalid("Notice is at most 14 days.", code="notice"))
word_constraint("call_settings_horizon_in_range", Invalid("Clients can book from 1 to 180 days ahead.", code="horizon"))
word_constraint("call_settings_gap_in_range", Invalid("The break after a call is at most two hours.", code="gap"))


@dataclass(frozen=True, slots=True)
class Terms:
    """How calls are taken: the clock of the hours, and the rules around each call."""

    time_zone: str
    notice_hours: int
    horizon_days: int
    gap_minutes: int


@transaction.atomic
def set_availability(
    builder_id: UUID, *, actor: Any, enabled: bool, prices: Mapping[int, Decimal | None], windows: Sequence[Window], terms: Terms
) -> Builder:
    """Write prices, hours and rules of a builder's calls as one. Booked calls stay as they are.

    Raises NotAllowed for others, Invalid for overlapping windows, an unknown zone or a number out of range.
    """
    builder = set_call_prices(builder_id, actor=actor, enabled=enabled, prices=prices)  # locks the builder and says who may
    _check(windows, terms)
    before = _state(builder)
    CallSettings.objects.update_or_create(
        builder=builder,
        defaults={
            "time_zone": terms.time_zone,
            "notice_hours": terms.notice_hours,
            "horizon_days": terms.horizon_days,
            "gap_minutes": terms.gap_minutes,
        },
    )
    AvailabilityRule.objects.filter(builder=builder).delete()
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(builder=builder, weekday=window.weekday, start_minute=window.start_minute, end_minute=window.end_minute)
        for window in sorted(windows, key=lambda window: (window.weekday, window.start_minute))
    )
    after = _state(builder)
    if before != after:
        record(Event.AVAILABILITY_CHANGED, actor=actor, target=builder, before=before, after=after)
    return builder


def _check(windows: Sequence[Window], terms: Terms) -> None:
    for window in windows:
        if not (0 <= window.weekday <= 6 and 0 <= window.start_minute < window.end_minute <= DAY_MINUTES):
            raise Invalid("Open time must lie within one day and end after it starts.", code="window_empty")
        if window.start_minute % HALF_HOUR or window.end_minute % HALF_HOUR:
            raise Invalid("Hours open and close on the hour or the half hour.", code="window_odd")
    both = overlap(windows)
    if both:
        raise Invalid(f"{_words(both[0])} and {_words(both[1])} overlap. Join them or move one.", code="windows_overlap")
    try:
        check_zone(terms.time_zone)
    except ValidationError as error:
        raise Invalid(error.messages[0], code="zone") from None
    if not 0 <= terms.notice_hours <= 336:
        raise Invalid("Notice is at most 14 days.", code="notice")
    if not 1 <= terms.horizon_days <= 180:
        raise Invalid("Clients can book from 1 to 180 days ahead.", code="horizon")
    if not 0 <= terms.gap_minutes <= 120:
        raise Invalid("The break after a call is at most two hours.", code="gap")


def _words(window: Window) -> str:
    return f"{DAYS[window.weekday]} {_clock(window.start_minute)} to {_clock(window.end_minute)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _state(builder: Builder) -> dict[str, Any]:
    rules = AvailabilityRule.objects.filter(builder=builder).values_list("weekday", "start_minute", "end_minute")
    terms = CallSettings.objects.filter(builder=builder).values("time_zone", "notice_hours", "horizon_days", "gap_minutes").first()
    return {**(terms or {}), "hours": [_words(Window(day or 0, opens, closes)) for day, opens, closes in rules]}
