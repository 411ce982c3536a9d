"""When a builder can be booked, and the week in which a client chooses."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, QuerySet

from consultations.models import BLOCKING, AvailabilityRule, CallSettings, Consultation, ConsultationStatus, RuleKind, SlotClaim
from consultations.slots import DAY, AnyWindow, Hours, MonthDay, MonthWeekday, Once, Span, Window, free_slots
from port444.builders.models import Builder

from .busy import busy_outside, is_stale

A_DAY = timedelta(days=1)
WEEK = timedelta(days=7)
NEAREST = 3


def call_settings(builder: Builder) -> CallSettings | None:
    """How the builder takes calls; None before they said so. Needs `select_related("call_settings")` to cost nothing."""
    return getattr(builder, "call_settings", None)


def first_terms(builder: Builder) -> CallSettings:
    """The rules to begin with, for a builder who has said nothing yet. Not saved."""
    return CallSettings(time_zone=builder.user.time_zone, notice_hours=settings.CALL_NOTICE_HOURS, horizon_days=settings.CALL_HORIZON_DAYS)


def hours_of(builder: Builder) -> Hours | None:
    """The builder's open hours, None when no calls are offered. Needs `prefetch_related("availability", "days_off")` to cost nothing."""
    chosen = call_settings(builder)
    if chosen is None or not builder.call_prices:
        return None
    return hours_by(chosen, windows_of(builder), [(off.first_on, off.last_on) for off in builder.days_off.all()])


def hours_by(terms: CallSettings, windows: Sequence[AnyWindow], days_off: Sequence[tuple[date, date]]) -> Hours:
    """Windows and rules as slots.py asks for them."""
    return Hours(
        windows,
        ZoneInfo(terms.time_zone),
        notice=terms.notice_hours * 3600,
        horizon=terms.horizon_days * DAY,
        gap=terms.gap_minutes * 60,
        days_off=days_off,
        calls_a_day=terms.calls_a_day,
    )


def windows_of(builder: Builder) -> list[AnyWindow]:
    """The open hours as they are stored. Needs `prefetch_related("availability")` to cost nothing."""
    return [window_of(rule) for rule in builder.availability.all()]


def window_of(rule: AvailabilityRule) -> AnyWindow:
    """A stored rule as slots.py reads it; what its kind needs is there by constraint."""
    match rule.kind:
        case RuleKind.MONTHLY_DATE:
            return MonthDay(_there(rule.month_day), rule.start_minute, rule.end_minute)
        case RuleKind.MONTHLY_WEEKDAY:
            return MonthWeekday(_there(rule.nth), _there(rule.weekday), rule.start_minute, rule.end_minute)
        case RuleKind.ONCE:
            return Once(_there(rule.on), rule.start_minute, rule.end_minute)
        case _:
            return Window(_there(rule.weekday), rule.start_minute, rule.end_minute, rule.interval_weeks, rule.anchor_on)


def _there[T](value: T | None) -> T:
    assert value is not None
    return value


def taken(builder: Builder, client_id: UUID | None, moment: datetime, until: datetime, *, ignoring: UUID | None = None) -> list[Span]:
    """What stands in the way of a new call between `moment` and `until`: claims of the builder and of the client, what the builder's
    calendars say, and being away.

    A hold whose time has passed stands in nobody's way, and neither does the client's own hold with this builder: the next
    hold replaces it. `ignoring` is a call that asks for another time and makes room for itself; a hold is no room for it.
    """
    whose = Q(builder=builder)
    if client_id is not None:
        whose |= Q(client_id=client_id)
    claims = _standing(builder, client_id, moment, ignoring).filter(whose, busy__overlap=(moment, until))
    spans = [(_epoch(busy.lower), _epoch(busy.upper)) for busy in claims.values_list("busy", flat=True)]
    spans += busy_outside(builder, moment, until)
    if builder.away_stops_calls and builder.away_from is not None and builder.away_until is not None:
        spans.append((_epoch(builder.away_from), _epoch(builder.away_until)))
    return spans


def calls_of_days(
    builder: Builder, hours: Hours, client_id: UUID | None, moment: datetime, until: datetime, *, ignoring: UUID | None = None
) -> list[int]:
    """The starts of the builder's calls on every date between the two, for `calls_a_day`. Costs nothing where there is no limit."""
    if hours.calls_a_day is None:
        return []
    reach = (moment - 2 * A_DAY, until + 2 * A_DAY)  # a date may begin a day before its first moment asked for, in any zone
    claims = _standing(builder, client_id, moment, ignoring).filter(builder=builder, busy__overlap=reach)
    return [_epoch(busy.lower) for busy in claims.values_list("busy", flat=True)]


def _standing(builder: Builder, client_id: UUID | None, moment: datetime, ignoring: UUID | None) -> QuerySet[SlotClaim]:
    """Claims that a new call has to respect."""
    claims = SlotClaim.objects.filter(BLOCKING).exclude(status="held", hold_expires_at__lte=moment)
    if ignoring is not None:
        return claims.exclude(consultation=ignoring)
    return claims if client_id is None else claims.exclude(status="held", builder=builder, client_id=client_id)


def open_starts(
    builder: Builder, *, client_id: UUID | None, minutes: int, moment: datetime, ignoring: UUID | None = None, notice: bool = True
) -> list[datetime]:
    """Every start at which this client can book a call of `minutes`, in order, to the end of the builder's horizon.

    With `ignoring`: every start to which that call can be moved. Its price is agreed, so it needs none of today. Without
    `notice`: also those that are closer than the builder lets clients book.
    """
    hours = hours_of(builder)
    if hours is None or (ignoring is None and builder.call_price(minutes) is None):
        return []
    if is_stale(builder, moment):
        return []
    if not notice:
        hours = replace(hours, notice=0)
    return starts_in(builder, hours, client_id=client_id, minutes=minutes, moment=moment, ignoring=ignoring)


def starts_in(
    builder: Builder, hours: Hours, *, client_id: UUID | None, minutes: int, moment: datetime, ignoring: UUID | None = None
) -> list[datetime]:
    """The same for hours that need not be the saved ones, while what the builder's calendars say is known."""
    present, until = _epoch(moment), _epoch(moment) + hours.horizon + DAY
    spans = taken(builder, client_id, moment, _moment(until), ignoring=ignoring)
    calls = calls_of_days(builder, hours, client_id, moment, _moment(until), ignoring=ignoring)
    starts = free_slots(hours, spans, minutes=minutes, now=present, since=present + 1, until=until, calls=calls)  # not at this very second
    return [_moment(start) for start in starts]


def offers(
    builder: Builder,
    *,
    client_id: UUID,
    minutes: int,
    starts_at: datetime,
    moment: datetime,
    ignoring: UUID | None = None,
    live: Sequence[Span] = (),
    notice: bool = True,
) -> tuple[bool, bool]:
    """Whether the start is in the builder's hours at all, and whether it can be booked. The same question as `open_starts`.

    `live` is what the builder's calendars said a moment ago. Without `notice` the start may be as close as one likes: it was
    asked for in time, and is only asked for again.
    """
    hours = hours_of(builder)
    if hours is None or (ignoring is None and builder.call_price(minutes) is None) or starts_at.microsecond:
        return False, False
    if not notice:
        hours = replace(hours, notice=0)
    start = _epoch(starts_at)
    ask = partial(free_slots, hours, minutes=minutes, now=_epoch(moment), since=start, until=start + 1)
    if ask(()) != [start] or is_stale(builder, moment):
        return False, False
    until = starts_at + A_DAY
    spans = [*taken(builder, client_id, moment, until, ignoring=ignoring), *live]
    return True, ask(spans, calls=calls_of_days(builder, hours, client_id, moment, until, ignoring=ignoring)) == [start]


def is_clear(builder: Builder, *, client_id: UUID, minutes: int, starts_at: datetime, moment: datetime, ignoring: UUID) -> bool:
    """Whether nothing stands in the way of a call at that time, be it in the builder's hours or not: both have agreed on it."""
    chosen = call_settings(builder)
    gap = chosen.gap_minutes * 60 if chosen else 0
    start = _epoch(starts_at)
    end = start + minutes * 60
    spans = taken(builder, client_id, moment, _moment(end + gap), ignoring=ignoring)
    return starts_at > moment and not any(since - gap < end and start < until for since, until in spans)


def nearest(starts: Sequence[datetime], wanted: datetime, count: int = NEAREST) -> list[datetime]:
    """The free starts closest to the one that was wanted, in order of time."""
    return sorted(sorted(starts, key=lambda start: (abs(start - wanted), start))[:count])


@dataclass(frozen=True, slots=True)
class Slot:
    """One start as the page shows it: written as forms send it, on the viewer's clock, and as a number that names it."""

    at: datetime
    value: str
    clock: str
    number: int


@dataclass(frozen=True, slots=True)
class Day:
    """One column of the week, by the viewer's date."""

    on: date
    starts: Sequence[Slot]
    is_away: bool


@dataclass(frozen=True, slots=True)
class Away:
    """The days of the shown week on which the builder is away: the column of the first, how many, and when they are back."""

    column: int
    days: Sequence[Day]
    back: datetime | None


@dataclass(frozen=True, slots=True)
class Week:
    """A week of free starts in the viewer's zone."""

    days: Sequence[Day]
    away: Away | None
    earlier: date | None
    later: date | None
    next_free: datetime | None
    selected: date | None
    has_chosen: bool

    @property
    def monday(self) -> date:
        return self.days[0].on

    @property
    def sunday(self) -> date:
        return self.days[-1].on

    @property
    def has_starts(self) -> bool:
        return any(day.starts for day in self.days)


def week_of(starts: Sequence[datetime], *, builder: Builder, zone: ZoneInfo, moment: datetime, wanted: date | None, chosen: datetime | None) -> Week:
    """The week that holds `wanted`, or the choice, or the first free start; never one before this week or past the horizon."""
    today = moment.astimezone(zone).date()
    chosen_settings = call_settings(builder)
    horizon = moment + timedelta(days=chosen_settings.horizon_days if chosen_settings else 0)
    first, last = monday_of(today), monday_of(horizon.astimezone(zone).date())
    if wanted is None:
        first_shown = chosen or (starts[0] if starts else moment)
        wanted = first_shown.astimezone(zone).date()
    monday = min(max(monday_of(wanted), first), last)
    by_day: defaultdict[date, list[Slot]] = defaultdict(list)
    # A date of any zone lies within a day of the same date in UTC: most starts need not be looked at.
    low, high = (datetime.combine(day, time(), UTC) for day in (monday - A_DAY, monday + WEEK + A_DAY))
    for start in starts[bisect_left(starts, low) : bisect_left(starts, high)]:
        local = start.astimezone(zone)
        by_day[local.date()].append(Slot(start, f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{local:%H:%M}", _epoch(start)))
    soonest = starts[0] if starts else None
    days = [
        Day(on, by_day.get(on, []), on >= today and not by_day.get(on) and _is_away(builder, on, zone))
        for on in (monday + timedelta(days=n) for n in range(7))
    ]
    gone = [day for day in days if day.is_away]
    after = monday + WEEK
    picked = chosen.astimezone(zone).date() if chosen else None
    return Week(
        days=days,
        away=Away(days.index(gone[0]) + 1, gone, builder.away_until) if gone else None,
        earlier=monday - WEEK if monday > first else None,
        later=after if monday < last else None,
        next_free=next((start for start in starts[bisect_left(starts, high - 2 * A_DAY) :] if start.astimezone(zone).date() >= after), soonest),
        selected=next((day.on for day in days if day.starts and day.on == picked), next((day.on for day in days if day.starts), None)),
        has_chosen=any(day.on == picked for day in days),
    )


def _is_away(builder: Builder, on: date, zone: ZoneInfo) -> bool:
    """Whether the builder takes no calls on the viewer's date because of being away; a last day that opens again later does not count."""
    if not builder.away_stops_calls or builder.away_from is None or builder.away_until is None:
        return False
    return builder.away_from.astimezone(zone).date() <= on < builder.away_until.astimezone(zone).date()


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def for_booking() -> Any:
    """Builders with what the booking page and the hold read."""
    return Builder.objects.visible().select_related("user", "call_settings").prefetch_related("availability", "days_off")


def booked_hours(builder: Builder, moment: datetime, zone: ZoneInfo) -> set[tuple[int, int]]:
    """Weekday and half hour of the day of the calls in the coming week, on the builder's clock."""
    starts: Iterable[datetime] = Consultation.objects.filter(
        builder=builder, status=ConsultationStatus.SCHEDULED, scheduled_at__gte=moment, scheduled_at__lt=moment + WEEK
    ).values_list("scheduled_at", flat=True)
    local = [start.astimezone(zone) for start in starts]
    return {(start.weekday(), start.hour * 2 + start.minute // 30) for start in local}


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
