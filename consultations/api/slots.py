"""Free times of a builder, what a call costs, and a builder's own hours."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from consultations import actions, queries
from consultations.models import CallSettings, MeetingProvider, RefundPolicy, free_until
from consultations.schemas.hours import (
    AvailabilityIn,
    AvailabilityOut,
    CallQuoteOut,
    MoveSlotsIn,
    MoveSlotsOut,
    QuoteIn,
    ReasonOut,
    SlotsIn,
    SlotsOut,
    WhyIn,
    WhyOut,
    availability_out,
    leave_in,
    leaves_of,
    prices_in,
    slots_out,
    terms_in,
    window_in,
)
from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid, Stale
from port444.kit.http import UserRequest
from port444.kit.money import fee
from port444.kit.rest import IF_MATCH, also, answers, matches

from .calls import call_of

router = Router()
A_WEEK, MOST = timedelta(days=7), timedelta(days=31)
A_YEAR = timedelta(days=366)


def _range(since: datetime | None, until: datetime | None, moment: datetime) -> tuple[datetime, datetime]:
    """What of the free times is asked for; nothing is free beyond a year, whatever is asked."""
    since = moment if since is None else since.astimezone(UTC) if moment - A_YEAR < since < moment + A_YEAR else None
    if since is None:
        raise Invalid("Ask for times within a year.", code="range")
    until = since + A_WEEK if until is None else until
    if not since < until <= since + MOST:
        raise Invalid("Ask for 31 days at most, and an end after the beginning.", code="range")
    return since, until


def _part(starts: list[datetime], since: datetime, until: datetime) -> tuple[list[datetime], datetime | None]:
    """The starts in the range, and the first after it."""
    return [start for start in starts if since <= start < until], next((start for start in starts if start >= until), None)


def _reader_zone(request: HttpRequest) -> str:
    return str(getattr(request.user, "time_zone", "UTC"))


def _client_id(request: HttpRequest, builder: Builder) -> UUID | None:
    """Whose own calls stand in the way, too: as on the page, of who is signed in and looks at somebody else."""
    return request.user.pk if request.user.is_authenticated and request.user.pk != builder.user_id else None


@router.get("/calendar-slots/{uuid:builder_id}", response=answers(200, SlotsOut), auth=None, summary="Free times of a builder")
def list_calendar_slots(request: HttpRequest, builder_id: UUID, asked: Query[SlotsIn]) -> SlotsOut:
    """For everybody. Who is signed in is not offered times at which they have a call themselves."""
    builder: Builder = get_object_or_404(queries.for_booking(), pk=builder_id)
    moment = now()
    since, until = _range(asked.from_, asked.to, moment)
    starts = queries.open_starts(builder, client_id=_client_id(request, builder), minutes=asked.minutes, moment=moment)
    listed, following = _part(starts, since, until)
    terms, zone = queries.call_settings(builder), asked.time_zone or _reader_zone(request)
    return SlotsOut(
        builder_id=builder.pk,
        minutes=asked.minutes,
        price=builder.call_price(asked.minutes),
        time_zone=zone,
        builder_time_zone=terms.time_zone if terms else "UTC",
        next_free=following,
        is_stale=not starts and queries.is_stale(builder, moment),
        slots=slots_out(listed, asked.minutes, zone),
    )


@router.get("/calendar-slots/{uuid:builder_id}/quote", response=answers(200, CallQuoteOut), auth=None, summary="What a call costs")
def quote_consultation(request: HttpRequest, builder_id: UUID, asked: Query[QuoteIn]) -> CallQuoteOut:
    """Price and service fee, and the rules that are frozen when a time is held."""
    builder: Builder = get_object_or_404(queries.for_booking(), pk=builder_id)
    moment, price, terms = now(), builder.call_price(asked.minutes), queries.call_settings(builder)
    if price is None or terms is None:
        raise Invalid("This length is not on offer.", code="length_not_offered")
    start = asked.starts_at
    if start is not None and not moment - A_YEAR < start < moment + A_YEAR:
        raise Invalid("Ask for times within a year.", code="range")
    listed = queries.open_starts(builder, client_id=_client_id(request, builder), minutes=asked.minutes, moment=moment) if start else []
    charge = fee(price, settings.CLIENT_FEE_BPS)
    return CallQuoteOut(
        builder_id=builder.pk,
        minutes=asked.minutes,
        price=price,
        client_fee=charge,
        total=price + charge,
        hold_minutes=settings.HOLD_MINUTES,
        is_free=start in listed if start else None,
        refund_policy=RefundPolicy(terms.refund_policy),
        free_hours=terms.free_hours,
        free_until=free_until(terms.refund_policy, terms.free_hours, start) if start else None,
        move_limit=terms.move_limit,
        move_hours=terms.move_hours,
        meeting_provider=MeetingProvider(terms.meeting_provider),
    )


@router.get("/consultations/{uuid:call_id}/slots", response=answers(200, MoveSlotsOut), auth=may(), summary="Free times for moving a call")
def list_move_slots(request: UserRequest, call_id: UUID, asked: Query[MoveSlotsIn]) -> MoveSlotsOut:
    """As long as the call, which makes room for itself. Empty when nothing about its time can change any more."""
    call = call_of(request, call_id)
    moment, zone = now(), call.zone_of(request.user)
    since, until = _range(asked.from_, asked.to, moment)
    direct = call.moves_without_asking(request.user, moment)
    starts: list[datetime] = []
    if call.can_move(moment):
        builder = Builder.objects.select_related("user", "call_settings").prefetch_related("availability", "days_off").get(pk=call.builder_id)
        found = queries.open_starts(builder, client_id=call.client_id, minutes=call.duration, moment=moment, ignoring=call.pk, notice=direct)
        starts = [start for start in found if start != call.scheduled_at]
    listed, following = _part(starts, since, until)
    return MoveSlotsOut(without_asking=direct, time_zone=zone, next_free=following, slots=slots_out(listed, call.duration, zone))


# A builder's own


def _own(request: UserRequest) -> Builder:
    builder: Builder = get_object_or_404(queries.for_booking(), user=request.user)
    return builder


def _terms(builder: Builder) -> CallSettings:
    return queries.call_settings(builder) or queries.first_terms(builder)


def _state(builder: Builder) -> tuple[AvailabilityOut, str]:
    """The builder's hours, and the tag of what they say themselves."""
    told = availability_out(builder, _terms(builder))
    return told, f'"{hashlib.sha256(told.model_dump_json(exclude={"rooms"}).encode()).hexdigest()[:20]}"'


@router.get("/calendar-slots", response=answers(200, AvailabilityOut), auth=may(), summary="Your hours, prices and rules of calls")
def get_availability(request: UserRequest, response: HttpResponse) -> AvailabilityOut:
    told, tag = _state(_own(request))
    response["ETag"] = tag
    return told


@router.post(
    "/calendar-slots", response=answers(200, AvailabilityOut), auth=may(Scope.CALLS), openapi_extra=also(IF_MATCH), summary="Say when you take calls"
)
def set_availability(request: UserRequest, response: HttpResponse, body: AvailabilityIn) -> AvailabilityOut:
    """What is not named stays as it is. Calls that are booked stay as they are, too; new ones get the new rules."""
    with transaction.atomic():
        Builder.objects.lock(_own(request).pk)
        builder = _own(request)  # as it is under the lock: what is not named is written as it was read
        if not matches(request, _state(builder)[1]):
            raise Stale
        actions.set_availability(
            builder.pk,
            actor=request.user,
            enabled=builder.consultation_enabled if body.enabled is None else body.enabled,
            prices=prices_in(body.prices),
            windows=queries.windows_of(builder) if body.hours is None else [window_in(hours) for hours in body.hours],
            terms=terms_in(_terms(builder), body),
            days_off=leaves_of(builder) if body.days_off is None else sorted(leave_in(off) for off in body.days_off),
        )
    told, response["ETag"] = _state(_own(request))
    return told


@router.get("/calendar-slots/why", response=answers(200, WhyOut), auth=may(), summary="Why clients cannot book a time with you")
def explain_calendar_slot(request: UserRequest, asked: Query[WhyIn]) -> WhyOut:
    builder, moment = _own(request), now()
    if not moment - A_YEAR < asked.starts_at < moment + A_YEAR:
        raise Invalid("Ask for times within a year.", code="range")
    found = queries.explain(builder, starts_at=asked.starts_at.astimezone(UTC), minutes=asked.minutes, moment=moment)
    reasons = [ReasonOut(title=reason.title, text=reason.text) for reason in found.reasons]
    return WhyOut(is_free=not reasons, reasons=reasons, free=list(found.free))
