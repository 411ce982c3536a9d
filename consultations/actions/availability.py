"""When a builder takes calls."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations.models import DAY_MINUTES, AvailabilityRule, CallSettings, DayOff, MeetingProvider, RefundPolicy, RuleKind
from consultations.queries import meeting_choices, window_of
from consultations.slots import LAST, AnyWindow, MonthDay, MonthWeekday, Once, Window, overlap
from port444.accounts.models import check_zone
from port444.builders.actions import set_call_prices
from port444.builders.models import Builder
from port444.kit.errors import Invalid, word_constraint
from port444.kit.language import dated

DAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
NTH = {1: _("First"), 2: _("Second"), 3: _("Third"), 4: _("Fourth"), LAST: _("Last")}
MOST_WEEKS = 8
MOST_OTHER = 40  # hours beside the painted week, and as many days off

HALF_HOUR = 30

word_constraint("availability_window_once", Invalid(_("Two of your windows overlap."), code="windows_overlap"))
word_constraint("availability_start_before_end", Invalid(_("Open time must end after it starts."), code="window_empty"))
word_constraint("availability_weekday", Invalid(_("A week has seven days."), code="weekday"))
word_constraint("call_settings_notice_in_range", Invalid(_("Notice is at most 14 days."), code="notice"))
word_constraint("call_settings_horizon_in_range", Invalid(_("Clients can book from 1 to 180 days ahead."), code="horizon"))
word_constraint("call_settings_gap_in_range", Invalid(_("The break after a call is at most two hours."), code="gap"))


word_constraint("call_settings_calls_a_day", Invalid(_("Calls a day are from 1 to 24, or without a limit."), code="calls_a_day"))
word_constraint("call_settings_free_hours", Invalid(_("Cancelling is free until between 1 hour and 14 days before."), code="free_hours"))
word_constraint("call_settings_move_limit", Invalid(_("A client moves a call at most 9 times."), code="move_limit"))
word_constraint("call_settings_move_hours", Invalid(_("A client moves a call at the latest 14 days before."), code="move_hours"))
word_constraint("day_off_first_before_last", Invalid(_("Days off end on or after the day they begin."), code="day_off"))
word_constraint("day_off_once", Invalid(_("You have these days off already."), code="day_off_twice"))


@dataclass(frozen=True, slots=True)
class Terms:
    """How calls are taken: the clock of the hours, and the rules around each call."""

    time_zone: str
    notice_hours: int
    horizon_days: int
    gap_minutes: int
    calls_a_day: int | None = None
    refund_policy: str = RefundPolicy.FREE
    free_hours: int = 24
    move_limit: int = 2
    move_hours: int = 12
    meeting_provider: str = MeetingProvider.OWN_LINK


@dataclass(frozen=True, slots=True, order=True)
class Leave:
    """Days off, first and last included."""

    first: date
    last: date
    note: str = ""


@transaction.atomic
def set_availability(
    builder_id: UUID,
    *,
    actor: Any,
    enabled: bool,
    prices: Mapping[int, Decimal | None],
    windows: Sequence[AnyWindow],
    terms: Terms,
    days_off: Sequence[Leave] = (),
) -> Builder:
    """Write prices, hours, days off and rules of a builder's calls as one. Booked calls stay as they are.

    Raises NotAllowed for others, Invalid for overlapping windows, an unknown zone, a number out of range or a meeting room that
    is not on offer.
    """
    builder = set_call_prices(builder_id, actor=actor, enabled=enabled, prices=prices)  # locks the builder and says who may
    _check_windows(windows)
    _check_days_off(days_off)
    _check_terms(builder, terms)
    before = _state(builder)
    CallSettings.objects.update_or_create(builder=builder, defaults=asdict(terms))
    AvailabilityRule.objects.filter(builder=builder).delete()
    AvailabilityRule.objects.bulk_create(AvailabilityRule(builder=builder, **_fields(window)) for window in windows)
    DayOff.objects.filter(builder=builder).delete()
    DayOff.objects.bulk_create(DayOff(builder=builder, first_on=off.first, last_on=off.last, note=off.note) for off in days_off)
    after = _state(builder)
    if before != after:
        record(Event.AVAILABILITY_CHANGED, actor=actor, target=builder, before=before, after=after)
    return builder


def _fields(window: AnyWindow) -> dict[str, Any]:
    """A window as it is stored."""
    minutes = {"start_minute": window.start_minute, "end_minute": window.end_minute}
    match window:
        case Window(weekday=weekday, every=every, anchor=anchor):
            return {"kind": RuleKind.WEEKLY, "weekday": weekday, "interval_weeks": every, "anchor_on": anchor, **minutes}
        case MonthDay(day=day):
            return {"kind": RuleKind.MONTHLY_DATE, "month_day": day, **minutes}
        case MonthWeekday(nth=nth, weekday=weekday):
            return {"kind": RuleKind.MONTHLY_WEEKDAY, "nth": nth, "weekday": weekday, **minutes}
        case Once(on=on):
            return {"kind": RuleKind.ONCE, "on": on, **minutes}


def _check_windows(windows: Sequence[AnyWindow]) -> None:
    if sum(not isinstance(window, Window) or window.every > 1 for window in windows) > MOST_OTHER:
        raise Invalid(gettext("Beside your week there is room for %(most)s other hours. Remove some.") % {"most": MOST_OTHER}, code="windows_many")
    for window in windows:
        if not (_day_exists(window) and 0 <= window.start_minute < window.end_minute <= DAY_MINUTES):
            raise Invalid(gettext("Open time must lie within one day and end after it starts."), code="window_empty")
        if window.start_minute % HALF_HOUR or window.end_minute % HALF_HOUR:
            raise Invalid(gettext("Hours open and close on the hour or the half hour."), code="window_odd")
        if isinstance(window, Window) and (not 1 <= window.every <= MOST_WEEKS or (window.every > 1 and window.anchor is None)):
            raise Invalid(
                gettext("Hours come back after at most %(most)s weeks, counted from a date.") % {"most": MOST_WEEKS}, code="window_interval"
            )
    both = overlap(windows)
    if both:
        raise Invalid(
            gettext("%(one)s and %(other)s overlap. Join them or move one.") % {"one": in_words(both[0]), "other": in_words(both[1])},
            code="windows_overlap",
        )


def _day_exists(window: AnyWindow) -> bool:
    match window:
        case Window(weekday=weekday):
            return 0 <= weekday <= 6
        case MonthDay(day=day):
            return day == LAST or 1 <= day <= 31
        case MonthWeekday(nth=nth, weekday=weekday):
            return nth in NTH and 0 <= weekday <= 6
        case Once():
            return True


def _check_days_off(days_off: Sequence[Leave]) -> None:
    if len(days_off) > MOST_OTHER:
        raise Invalid(gettext("There is room for %(most)s entries of days off. Remove some.") % {"most": MOST_OTHER}, code="days_off_many")
    if any(off.last < off.first for off in days_off):
        raise Invalid(gettext("Days off end on or after the day they begin."), code="day_off")
    if any(len(off.note) > 80 for off in days_off):
        raise Invalid(gettext("A note of days off has at most 80 characters."), code="day_off_note")
    both = days_off_overlap(days_off)
    if both:
        raise Invalid(
            gettext("%(one)s and %(other)s overlap. Join them or move one.") % {"one": off_in_words(both[0]), "other": off_in_words(both[1])},
            code="days_off_overlap",
        )


def days_off_overlap(days_off: Sequence[Leave]) -> tuple[Leave, Leave] | None:
    """Two entries that share a day, if there are any."""
    return next(((earlier, later) for earlier, later in itertools.pairwise(sorted(days_off)) if later.first <= earlier.last), None)


def _check_terms(builder: Builder, terms: Terms) -> None:
    try:
        check_zone(terms.time_zone)
    except ValidationError as error:
        raise Invalid(error.messages[0], code="zone") from None
    if not 0 <= terms.notice_hours <= 336:
        raise Invalid(gettext("Notice is at most 14 days."), code="notice")
    if not 1 <= terms.horizon_days <= 180:
        raise Invalid(gettext("Clients can book from 1 to 180 days ahead."), code="horizon")
    if not 0 <= terms.gap_minutes <= 120:
        raise Invalid(gettext("The break after a call is at most two hours."), code="gap")
    if terms.calls_a_day is not None and not 1 <= terms.calls_a_day <= 24:
        raise Invalid(gettext("Calls a day are from 1 to 24, or without a limit."), code="calls_a_day")
    if terms.refund_policy not in RefundPolicy.values:
        raise Invalid(gettext("Choose one of the three ways to refund."), code="refund_policy")
    if not 1 <= terms.free_hours <= 336:
        raise Invalid(gettext("Cancelling is free until between 1 hour and 14 days before."), code="free_hours")
    if not 0 <= terms.move_limit <= 9:
        raise Invalid(gettext("A client moves a call at most 9 times."), code="move_limit")
    if not 0 <= terms.move_hours <= 336:
        raise Invalid(gettext("A client moves a call at the latest 14 days before."), code="move_hours")
    saved = CallSettings.objects.filter(builder=builder).values_list("meeting_provider", flat=True).first()
    if terms.meeting_provider not in {saved, *(choice.provider for choice in meeting_choices(builder) if choice.is_open)}:
        raise Invalid(gettext("This meeting room is not connected. Choose another one, or connect it first."), code="meeting_provider")


def in_words(window: AnyWindow) -> str:
    """A window as a builder says it: "Monday 09:00 to 12:00", "First Tuesday of the month 08:00 to 10:00"."""
    hours = gettext("%(start)s to %(end)s") % {"start": _clock(window.start_minute), "end": _clock(window.end_minute)}
    match window:
        case Window(weekday=weekday, every=every, anchor=anchor):
            facts = {"day": DAYS[weekday], "hours": hours, "weeks": every, "since": _date(anchor) if anchor else ""}
            if every == 1:
                return gettext("%(day)s %(hours)s from %(since)s") % facts if anchor else f"{DAYS[weekday]} {hours}"
            if anchor:
                return gettext("Every %(weeks)s weeks on %(day)s from %(since)s, %(hours)s") % facts
            return gettext("Every %(weeks)s weeks on %(day)s, %(hours)s") % facts
        case MonthDay(day=day):
            if day == LAST:
                return gettext("Last day of the month, %(hours)s") % {"hours": hours}
            return gettext("Day %(day)s of the month, %(hours)s") % {"day": day, "hours": hours}
        case MonthWeekday(nth=nth, weekday=weekday):
            return gettext("%(nth)s %(day)s of the month, %(hours)s") % {"nth": NTH[nth], "day": DAYS[weekday], "hours": hours}
        case Once(on=on):
            return f"{dated(on, 'D j M Y')}, {hours}"


def off_in_words(off: Leave) -> str:
    if off.first == off.last:
        return _date(off.first)
    return gettext("%(start)s to %(end)s") % {"start": _date(off.first), "end": _date(off.last)}


def _date(day: date) -> str:
    return dated(day, "j M Y")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _state(builder: Builder) -> dict[str, Any]:
    terms = CallSettings.objects.filter(builder=builder).values(*(field.name for field in fields(Terms))).first()
    with translation.override("en"):  # the log has one language
        rules = sorted(in_words(window_of(rule)) for rule in AvailabilityRule.objects.filter(builder=builder))
        off = [
            off_in_words(Leave(row.first_on, row.last_on)) + (f" ({row.note})" if row.note else "") for row in DayOff.objects.filter(builder=builder)
        ]
    return {**(terms or {}), "hours": rules, "days_off": off}
