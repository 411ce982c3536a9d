"""What a builder says about being away, and which moments those days mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from .models import Span

ONE_DAY = timedelta(days=1)
DAYS_AHEAD = 366
LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """Whole days in the builder's zone, both included. `keep` are the orders whose date does not move."""

    first_on: date
    last_on: date
    message: str = ""
    stops_orders: bool = True
    stops_calls: bool = True
    stops_clock: bool = True
    keep: frozenset[UUID] = field(default_factory=frozenset)

    @property
    def days(self) -> int:
        return (self.last_on - self.first_on).days + 1


def midnight(day: date, zone: str) -> datetime:
    """When `day` begins in `zone`. A midnight that comes twice is the first one; one that does not come at all is the end of the gap."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


def bounds(plan: Plan, zone: str, moment: datetime) -> tuple[datetime, datetime]:
    """From when until when; who is away from today on is away from now on."""
    return max(midnight(plan.first_on, zone), moment), midnight(plan.last_on + ONE_DAY, zone)


def today(zone: str, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def plan_of(span: Span, keep: frozenset[UUID] = frozenset()) -> Plan:
    """What was said about `span`."""
    return Plan(span.first_on, span.last_on, span.message, span.stops_orders, span.stops_calls, span.stops_clock, keep)
