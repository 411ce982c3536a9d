"""When a builder can be booked, and the week in which a client chooses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from consultations.models import BLOCKING, CallSettings, Consultation, ConsultationStatus, SlotClaim
from consultations.slots import DAY, Hours, Span, Window, free_slots
from port444.builders.models import Builder

WEEK = timedelta(days=7)
NEAREST = 3


def call_settings(builder: Builder) -> CallSettings | None:
    """How the builder takes calls; None before they said so. Needs `select_related("call_settings")` to cost nothing."""
    return getattr(builder, "call_settings", None)


def hours_of(builder: Builder) -> Hours | None:
    """The builder's open hours, None when no calls are offered."""
    chosen = call_settings(builder)
    if chosen is None or not builder.call_prices:
        return None
    return Hours(windows_of(builder), ZoneInfo(chosen.time_zone), chosen.notice_hours * 3600, chosen.horizon_days * DAY, chosen.gap_minutes * 60)


def windows_of(builder: Builder) -> list[Window]:
    """The weekly windows as they are stored. Needs `prefetch_related("availability")` to cost nothing."""
    return [Window(rule.weekday, rule.start_minute, rule.end_minute) for rule in builder.availability.all() if rule.weekday is not None]


def taken(builder: Builder, client_id: UUID | None, moment: datetime, until: datetime) -> list[Span]:
    """What stands in the way of a new call between `moment` and `until`: the builder's claims, the client's own, and being away.

    A hold whose time has passed stands in nobody's way, and neither does the client's own hold with this builder: the next
    hold replaces it.
    """
    whose = Q(builder=builder)
    if client_id is not None:
        whose |= Q(client_id=client_id)
    claims = SlotClaim.objects.filter(BLOCKING, whose, busy__overlap=(moment, until)).exclude(status="held", hold_expires_at__lte=moment)
    if client_id is not None:
        claims = claims.exclude(status="held", builder=builder, client_id=client_id)
    spans = [(_epoch(busy.lower), _epoch(busy.upper)) for busy in claims.values_list("busy", flat=True)]
    if builder.is_away:
        spans.append((0, _epoch(builder.away_until) if builder.away_until else _epoch(until)))
    return spans


def open_starts(builder: Builder, *, client_id: UUID | None, minutes: int, moment: datetime) -> list[datetime]:
    """Every start at which this client can book a call of `minutes`, in order, to the end of the builder's horizon."""
    hours = hours_of(builder)
    if hours is None or builder.call_price(minutes) is None:
        return []
    present, until = _epoch(moment), _epoch(moment) + hours.horizon + DAY
    spans = taken(builder, client_id, moment, _moment(until))
    return [_moment(start) for start in free_slots(hours, spans, minutes=minutes, now=present, since=present, until=until)]


def offers(builder: Builder, *, client_id: UUID, minutes: int, starts_at: datetime, moment: datetime) -> tuple[bool, bool]:
    """Whether the start is in the builder's hours at all, and whether it can be booked. The same question as `open_starts`."""
    hours = hours_of(builder)
    if hours is None or builder.call_price(minutes) is None or starts_at.microsecond:
        return False, False
    start, present = _epoch(starts_at), _epoch(moment)
    question = {"minutes": minutes, "now": present, "since": start, "until": start + 1}
    offered = free_slots(hours, (), **question) == [start]
    spans = taken(builder, client_id, moment, starts_at + timedelta(days=1)) if offered else []
    return offered, offered and free_slots(hours, spans, **question) == [start]


def nearest(starts: Sequence[datetime], wanted: datetime, count: int = NEAREST) -> list[datetime]:
    """The free starts closest to the one that was wanted, in order of time."""
    return sorted(sorted(starts, key=lambda start: (abs(start - wanted), start))[:count])


@dataclass(frozen=True, slots=True)
class Day:
    """One column of the week, by the viewer's date."""

    on: date
    starts: Sequence[datetime]
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
    by_day: defaultdict[date, list[datetime]] = defaultdict(list)
    for start in starts:
        by_day[start.astimezone(zone).date()].append(start)
    back = builder.away_until
    days = [
        Day(on, by_day.get(on, []), builder.is_away and on >= today and (back is None or on < back.astimezone(zone).date()) and not by_day.get(on))
        for on in (monday + timedelta(days=n) for n in range(7))
    ]
    gone = [day for day in days if day.is_away]
    after = monday + WEEK
    picked = chosen.astimezone(zone).date() if chosen else None
    return Week(
        days=days,
        away=Away(days.index(gone[0]) + 1, gone, back) if gone else None,
        earlier=monday - WEEK if monday > first else None,
        later=after if monday < last else None,
        next_free=next((start for start in starts if start.astimezone(zone).date() >= after), starts[0] if starts else None),
        selected=next((day.on for day in days if day.starts and day.on == picked), next((day.on for day in days if day.starts), None)),
        has_chosen=any(day.on == picked for day in days),
    )


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def for_booking() -> Any:
    """Builders with what the booking page and the hold read."""
    return Builder.objects.visible().select_related("user", "call_settings").prefetch_related("availability")


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
