"""When a builder is away: planned, changed, over. What is said is written on the builder's own row too, for whoever asks the clock."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auditlog.actions import record
from auditlog.events import Event
from port444.away.models import Span
from port444.away.terms import DAYS_AHEAD, LONGEST_MESSAGE, ONE_DAY, Plan, bounds, midnight, plan_of, today
from port444.builders.models import AWAY_FIELDS, Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint

from .moves import hold_orders, move_dates, settle_past, tell_of_absence

word_constraint("span_no_overlap", Conflict(gettext_lazy("You are away on some of these days already. Reload the page."), code="away_already"))


@transaction.atomic
def plan_away(*, actor: Any, plan: Plan) -> Span:
    """Go away from the first to the last day of `plan`. Pressed twice it is the same span.

    Raises Invalid for days that do not fit, and Conflict when another span is planned or runs.
    """
    builder, moment = _lock_builder(actor), now()
    standing = _standing(builder, moment)
    if standing is not None:
        if plan_of(standing, plan.keep) != plan:
            raise Conflict(_("You have planned to be away already. Reload the page to change that."), code="away_already")
        return _change(standing, plan, actor, moment)
    _require_fit(plan, builder.user.time_zone, moment)
    starts_at, ends_at = bounds(plan, builder.user.time_zone, moment)
    held = settle_past(hold_orders(builder, moment), builder, moment)
    span = Span.objects.create(
        builder=builder,
        first_on=plan.first_on,
        last_on=plan.last_on,
        time_zone=builder.user.time_zone,
        starts_at=starts_at,
        ends_at=ends_at,
        message=plan.message,
        stops_orders=plan.stops_orders,
        stops_calls=plan.stops_calls,
        stops_clock=plan.stops_clock,
        created_at=moment,
    )
    _repeat_on_builder(span)
    record(Event.AWAY_PLANNED, actor=actor, target=span, after=_facts(span, plan.keep))
    moved = move_dates(span, held, plan.keep, actor=actor, moment=moment)
    tell_of_absence(span, [row.order for row in held], moved)
    return span


@transaction.atomic
def change_away(span_id: UUID, *, actor: Any, plan: Plan) -> Span:
    """Say something else about a span that is planned or runs. What has begun keeps its first day; due dates move by the difference."""
    builder, moment = _lock_builder(actor), now()
    return _change(_lock_span(span_id, builder, moment), plan, actor, moment)


def _change(span: Span, plan: Plan, actor: Any, moment: datetime) -> Span:
    builder, runs = span.builder, span.starts_at <= moment
    if runs and plan.first_on != span.first_on:
        raise Invalid(_("You are away already: the first day stays."), code="first_day_passed")
    _require_fit(plan, span.time_zone, moment, runs=runs)
    held, before = hold_orders(builder, moment), _facts(span)
    days_before = (span.first_on, span.last_on)
    starts_at, ends_at = bounds(plan, span.time_zone, moment)
    if plan.last_on != span.last_on:
        span.reminded_at = None
    span.first_on, span.last_on, span.message = plan.first_on, plan.last_on, plan.message
    span.stops_orders, span.stops_calls, span.stops_clock = plan.stops_orders, plan.stops_calls, plan.stops_clock
    if (plan.first_on, plan.last_on) != days_before:
        span.starts_at, span.ends_at = span.starts_at if runs else starts_at, ends_at
    span.save()
    _repeat_on_builder(span)
    move_dates(span, held, plan.keep, actor=actor, moment=moment)
    if before != _facts(span):
        record(Event.AWAY_CHANGED, actor=actor, target=span, before=before, after=_facts(span, plan.keep))
    return span


@transaction.atomic
def end_away(span_id: UUID, *, actor: Any) -> Span:
    """Come back now, or do not go at all. Due dates move back by the time that is not spent away."""
    builder, moment = _lock_builder(actor), now()
    span = _lock_span(span_id, builder, moment)
    held, before = hold_orders(builder, moment), _facts(span)
    if moment <= span.starts_at:
        span.cancelled_at = moment
    else:
        span.ends_at = span.returned_at = moment
    span.save()
    _repeat_on_builder(span)
    record(Event.AWAY_ENDED, actor=actor, target=span, before=before, after=_facts(span))
    keep = frozenset(row.order.pk for row in held if row.order.keeps_date)
    move_dates(span, held, keep, actor=actor, moment=moment)
    return span


def _lock_builder(actor: Any) -> Builder:
    """The actor's own profile, under lock: before all orders, and before anybody else who goes or comes back."""
    builder = Builder.objects.select_related("user").select_for_update(of=("self",), no_key=True).filter(user=actor.pk).first()
    if builder is None:
        raise NotAllowed(_("Only a builder can be away."))
    return builder


def _standing(builder: Builder, moment: datetime) -> Span | None:
    """The span that is planned or runs."""
    rows = Span.objects.standing().select_for_update(of=("self",), no_key=True).filter(builder=builder, ends_at__gt=moment)
    span = rows.order_by("starts_at").first()
    if span is not None:
        span.builder = builder
    return span


def _lock_span(span_id: UUID, builder: Builder, moment: datetime) -> Span:
    span = Span.objects.lock(span_id)
    if span.builder_id != builder.pk:
        raise NotAllowed(_("Only the builder can change when they are away."))
    if span.cancelled_at is not None or span.ends_at <= moment:
        raise WrongState(_("This time away is over."), code="away_over")
    span.builder = builder
    return span


def _require_fit(plan: Plan, zone: str, moment: datetime, *, runs: bool = False) -> None:
    here = today(zone, moment)
    if plan.last_on < plan.first_on:
        raise Invalid(_("The last day is before the first."), code="days_order")
    if plan.first_on < here and not runs:
        raise Invalid(_("The first day has passed already."), code="first_day_past")
    if (plan.last_on - here).days > DAYS_AHEAD:
        raise Invalid(_("The last day may be at most a year ahead."), code="too_far")
    if plan.last_on < here or midnight(plan.last_on + ONE_DAY, zone) <= moment:
        raise Invalid(_("The last day has passed already. To come back now, switch it off."), code="last_day_past")
    if len(plan.message) > LONGEST_MESSAGE:
        raise Invalid(_("What people read has at most %(most)s characters.") % {"most": LONGEST_MESSAGE}, code="message_long")


def _repeat_on_builder(span: Span) -> None:
    builder, gone = span.builder, span.cancelled_at is None
    builder.away_from, builder.away_until, builder.away_paused_at = (span.starts_at, span.ends_at, span.created_at) if gone else (None, None, None)
    builder.away_message = span.message if gone else ""
    builder.away_stops_orders, builder.away_stops_calls, builder.away_stops_clock = span.stops_orders, span.stops_calls, span.stops_clock
    builder.save(update_fields=AWAY_FIELDS)


def _facts(span: Span, keep: Collection[UUID] = ()) -> dict[str, Any]:
    """For the audit log."""
    return {
        "first_on": span.first_on,
        "last_on": span.last_on,
        "zone": span.time_zone,
        "starts_at": span.starts_at,
        "ends_at": span.ends_at,
        "message": span.message,
        "stops": [name for name in ("orders", "calls", "clock") if getattr(span, f"stops_{name}")],
        **({"keep": sorted(map(str, keep))} if keep else {}),
    }
