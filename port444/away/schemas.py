"""What the API says about being away."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import Field, field_validator

from port444.kit.rest import In, Moment, Out, Row, Text, same

from .models import DueMove, MoveStatus, Span
from .terms import LONGEST_MESSAGE, Plan


class AwayOut(Out):
    """Whole days in the zone, both included, and the moments that they mean."""

    id: UUID
    first_on: date
    last_on: date
    time_zone: str = Field(examples=["Asia/Kolkata"])
    starts_at: Moment
    ends_at: Moment
    message: str
    stops_orders: bool
    stops_calls: bool
    stops_clock: bool
    is_away: bool = Field(description="It runs now")
    cancelled_at: Moment | None
    returned_at: Moment | None


class StandingOut(Out):
    away: AwayOut | None = Field(description="The days that are planned or run")


class AwayIn(In):
    first_on: date = Field(description="In your own zone")
    last_on: date = Field(description="The last day away, not that of the return")
    message: Text = Field("", max_length=LONGEST_MESSAGE, description="Shown on your profile and to who writes to you")
    stops_orders: bool = True
    stops_calls: bool = True
    stops_clock: bool = Field(True, description="Due dates move by the days away")
    keep: list[UUID] = Field(default_factory=list, max_length=200, description="Orders whose date does not move")

    @field_validator("first_on", "last_on")
    @classmethod
    def near(cls, value: date) -> date:
        if not 2020 <= value.year <= 2200:
            raise ValueError("a day of these years")
        return value


class DueMoveRow(Row):
    id: UUID
    order_id: UUID
    span_id: UUID = Field(description="The days away for which it moved")
    before_at: Moment = Field(description="When the order was due before")
    after_at: Moment = Field(description="When it is due since")
    status: MoveStatus
    objection: str
    created_at: Moment


class DueMovesOut(Out):
    items: list[DueMoveRow]
    next: str | None


class ObjectIn(In):
    reason: Text = Field(min_length=1, max_length=300, description="The builder reads it")


class AlertOut(Out):
    waits: bool = Field(description="Whether you will be told")


def move_row(move: DueMove) -> DueMoveRow:
    return DueMoveRow(**same(move, DueMoveRow), after_at=move.before_at + move.moved)


def plan_in(body: AwayIn) -> Plan:
    return Plan(
        first_on=body.first_on,
        last_on=body.last_on,
        message=" ".join(body.message.split()),
        stops_orders=body.stops_orders,
        stops_calls=body.stops_calls,
        stops_clock=body.stops_clock,
        keep=frozenset(body.keep),
    )


def away_out(span: Span, moment: Moment) -> AwayOut:
    told = {name: getattr(span, name) for name in AwayOut.model_fields if name != "is_away"}
    return AwayOut(**told, is_away=span.cancelled_at is None and span.starts_at <= moment < span.ends_at)
