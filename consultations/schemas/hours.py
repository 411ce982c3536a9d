"""Free times, and a builder's hours, prices and rules of calls."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import ninja
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from consultations import queries
from consultations.actions.availability import MOST_OTHER, Leave, Terms
from consultations.models import CallSettings, MeetingProvider, RefundPolicy
from consultations.slots import AnyWindow, MonthDay, MonthWeekday, Once, Window
from port444.builders.models import LENGTHS, Builder
from port444.kit.amounts import MOST_TYPED
from port444.kit.rest import Amount, In, Moment, Money, Out, Text

from .calls import Minutes, Zone

MOST_WINDOWS = 7 * 24 + MOST_OTHER  # every other half hour of the week, and the others
CENTURY = range(2000, 2100)


def _in_reach(day: date) -> date:
    if day.year not in CENTURY:
        raise ValueError("name a date of this century")
    return day


Day = Annotated[date, AfterValidator(_in_reach), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-12-24"]})]
Clock = Annotated[
    str, Field(pattern="^(([01][0-9]|2[0-3]):(00|30)|24:00)$", examples=["09:00"], description="On full and half hours; the last is 24:00")
]
Weekday = Annotated[int, Field(ge=0, le=6, description="Monday is 0")]
Price = Annotated[Amount, Field(gt=0, le=MOST_TYPED)]

# Free times


class SlotsIn(ninja.Schema):
    """Which times are asked for."""

    minutes: Minutes = 30
    from_: Moment | SkipJsonSchema[None] = Field(None, alias="from", description="Now, unless said otherwise")
    to: Moment | SkipJsonSchema[None] = Field(None, description="A week after `from`, unless said otherwise; 31 days at most")
    time_zone: Zone | SkipJsonSchema[None] = Field(None, description="On whose clock `local` is; your own, or UTC")


class MoveSlotsIn(ninja.Schema):
    """Which times for moving a call are asked for."""

    from_: Moment | SkipJsonSchema[None] = Field(None, alias="from", description="Now, unless said otherwise")
    to: Moment | SkipJsonSchema[None] = Field(None, description="A week after `from`, unless said otherwise; 31 days at most")


class QuoteIn(ninja.Schema):
    minutes: Minutes = 30
    starts_at: Moment | SkipJsonSchema[None] = None


class WhyIn(ninja.Schema):
    minutes: Minutes
    starts_at: Moment


class SlotOut(Out):
    starts_at: Moment
    ends_at: Moment
    local: str = Field(description="The start on the clock of `time_zone`", examples=["2026-11-24T11:00:00+01:00"])


class SlotsOut(Out):
    builder_id: UUID
    minutes: Minutes
    price: Money | None = Field(description="Null when this length is not on offer")
    time_zone: str
    builder_time_zone: str
    next_free: Moment | None = Field(description="The first free time after `to`")
    is_stale: bool = Field(description="The builder's calendars could not be read for a day, so that no time is offered")
    slots: list[SlotOut]


class MoveSlotsOut(Out):
    without_asking: bool = Field(description="You can take one of these at once (`/move`); otherwise propose it (`/proposals`)")
    time_zone: str
    next_free: Moment | None = Field(description="The first free time after `to`")
    slots: list[SlotOut]


class CallQuoteOut(Out):
    builder_id: UUID
    minutes: Minutes
    price: Money
    client_fee: Money
    total: Money
    hold_minutes: int = Field(description="How long a time is held while you pay")
    is_free: bool | None = Field(description="Whether `starts_at` can be booked; null when it was not named")
    refund_policy: RefundPolicy
    free_hours: int = Field(description="Cancelling is free until so long before, unless the policy is `none`")
    free_until: Moment | None = Field(description="For `starts_at`")
    move_limit: int
    move_hours: int
    meeting_provider: MeetingProvider


class ReasonOut(Out):
    title: str
    text: str


class WhyOut(Out):
    is_free: bool
    reasons: list[ReasonOut]
    free: list[Moment] = Field(description="Of that day, what clients see")


# Hours


class _Hours(In):
    opens: Clock
    closes: Clock


class WeeklyHours(_Hours):
    kind: Literal["weekly"]
    weekday: Weekday
    every_weeks: int = Field(1, ge=1, le=8)
    starting: Day | None = Field(None, description="Counted from the week of this date, and not before; needed for more than one week")


class MonthlyDateHours(_Hours):
    kind: Literal["monthly_date"]
    day: int = Field(ge=-1, le=31, description="Skipped in shorter months; -1 is the last day")


class MonthlyWeekdayHours(_Hours):
    kind: Literal["monthly_weekday"]
    nth: int = Field(ge=-1, le=4, description="1 to 4, or -1 for the last")
    weekday: Weekday


class OnceHours(_Hours):
    kind: Literal["once"]
    on: Day


AnyHours = Annotated[WeeklyHours | MonthlyDateHours | MonthlyWeekdayHours | OnceHours, Field(discriminator="kind")]


class DaysOff(In):
    first: Day
    last: Day
    note: Text = Field("", max_length=80, description="For yourself")


class Prices(In):
    minutes_15: Price | None = None
    minutes_30: Price | None = None
    minutes_60: Price | None = None


class AvailabilityIn(In):
    """What is not named stays as it is; `hours`, `days_off` and each price are replaced whole, and null takes a length off."""

    enabled: bool | None = Field(None, description="Whether clients can book calls")
    prices: Prices | None = None
    hours: list[AnyHours] | None = Field(None, max_length=MOST_WINDOWS)
    days_off: list[DaysOff] | None = Field(None, max_length=MOST_OTHER)
    time_zone: Zone | None = Field(None, description="The clock of your hours")
    notice_hours: int | None = Field(None, ge=0, le=336)
    horizon_days: int | None = Field(None, ge=1, le=180)
    gap_minutes: int | None = Field(None, ge=0, le=120)
    calls_a_day: int | None = Field(None, ge=0, le=24, description="0: without a limit")
    refund_policy: RefundPolicy | None = None
    free_hours: int | None = Field(None, ge=1, le=336)
    move_limit: int | None = Field(None, ge=0, le=9)
    move_hours: int | None = Field(None, ge=0, le=336)
    meeting_provider: MeetingProvider | None = None


class MeetingRoomOut(Out):
    provider: MeetingProvider
    can_be_chosen: bool
    why_not: str
    note: str


class PricesOut(Out):
    minutes_15: Money | None
    minutes_30: Money | None
    minutes_60: Money | None


class AvailabilityOut(Out):
    builder_id: UUID
    is_set: bool = Field(description="False before you have said anything: the rest is what you begin with")
    enabled: bool
    prices: PricesOut
    hours: list[AnyHours]
    days_off: list[DaysOff]
    time_zone: str
    notice_hours: int
    horizon_days: int
    gap_minutes: int
    calls_a_day: int = Field(description="0: without a limit")
    refund_policy: RefundPolicy
    free_hours: int
    move_limit: int
    move_hours: int
    meeting_provider: MeetingProvider
    rooms: list[MeetingRoomOut] = Field(description="Where calls can take place")


def slots_out(starts: list[datetime], minutes: int, zone: str) -> list[SlotOut]:
    clock = ZoneInfo(zone)
    return [
        SlotOut(
            starts_at=start,
            ends_at=datetime.fromtimestamp(start.timestamp() + minutes * 60, start.tzinfo),
            local=start.astimezone(clock).isoformat(timespec="seconds"),
        )
        for start in starts
    ]


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def window_in(hours: WeeklyHours | MonthlyDateHours | MonthlyWeekdayHours | OnceHours) -> AnyWindow:
    span = _minute(hours.opens), _minute(hours.closes)
    match hours:
        case WeeklyHours():
            return Window(hours.weekday, *span, hours.every_weeks, hours.starting)
        case MonthlyDateHours():
            return MonthDay(hours.day, *span)
        case MonthlyWeekdayHours():
            return MonthWeekday(hours.nth, hours.weekday, *span)
        case OnceHours():
            return Once(hours.on, *span)


def hours_out(window: AnyWindow) -> WeeklyHours | MonthlyDateHours | MonthlyWeekdayHours | OnceHours:
    span: dict[str, Any] = {"opens": _clock(window.start_minute), "closes": _clock(window.end_minute)}
    match window:
        case Window(weekday=weekday, every=every, anchor=anchor):
            return WeeklyHours(kind="weekly", weekday=weekday, every_weeks=every, starting=anchor, **span)
        case MonthDay(day=day):
            return MonthlyDateHours(kind="monthly_date", day=day, **span)
        case MonthWeekday(nth=nth, weekday=weekday):
            return MonthlyWeekdayHours(kind="monthly_weekday", nth=nth, weekday=weekday, **span)
        case Once(on=on):
            return OnceHours(kind="once", on=on, **span)


def leaves_of(builder: Builder) -> list[Leave]:
    return sorted(Leave(off.first_on, off.last_on, off.note) for off in builder.days_off.all())


def leave_in(off: DaysOff) -> Leave:
    return Leave(off.first, off.last, off.note)


def prices_in(said: Prices | None) -> dict[int, Decimal | None]:
    """Those that are named."""
    return {} if said is None else {m: getattr(said, f"minutes_{m}") for m in LENGTHS if f"minutes_{m}" in said.model_fields_set}


def terms_in(saved: CallSettings, said: AvailabilityIn) -> Terms:
    """The saved rules, with what is said instead."""

    def rule(name: str) -> Any:
        wanted = getattr(said, name)
        return getattr(saved, name) if wanted is None else wanted

    told = {field.name: rule(field.name) for field in fields(Terms)}
    return Terms(**told | {"calls_a_day": told["calls_a_day"] or None})


def availability_out(builder: Builder, terms: CallSettings) -> AvailabilityOut:
    """`terms` are the saved rules, or those to begin with."""
    facts = {
        "builder_id": builder.pk,
        "is_set": queries.call_settings(builder) is not None,
        "enabled": builder.consultation_enabled,
        "prices": PricesOut(**{f"minutes_{m}": getattr(builder, f"consultation_{m}min_price") for m in LENGTHS}),
        "hours": [hours_out(window) for window in queries.windows_of(builder)],
        "days_off": [DaysOff(first=off.first, last=off.last, note=off.note) for off in leaves_of(builder)],
        "calls_a_day": terms.calls_a_day or 0,
        "rooms": [
            MeetingRoomOut(provider=choice.provider, can_be_chosen=choice.is_open, why_not=choice.why_not, note=choice.note)
            for choice in queries.meeting_choices(builder)
        ],
    }
    return AvailabilityOut(**{name: getattr(terms, name) for name in AvailabilityOut.model_fields if name not in facts} | facts)
