"""The calls of a person: looking at them, booking one, and going into its room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from consultations import actions, ical, queries
from consultations.meetings import MeetingError
from consultations.models import Consultation, ConsultationStatus, MeetingProvider
from consultations.schemas.calls import BookIn, CallOut, CallRow, CallsOut, DoorOut, HappenedOut, JoinIn, RoomOut, TimelineOut, call_out, rows_for
from consultations.slots import Span
from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, REFUSALS, Moment, Paging, also, answers, page, problem, tagged

router = Router()
C = ConsultationStatus
FILE = {"responses": {200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}}}


class CallPaging(Paging):
    status: ConsultationStatus | SkipJsonSchema[None] = Field(None, description="Without it all but those that were moved away")
    as_: Annotated[Literal["client", "builder"] | SkipJsonSchema[None], Field(alias="as", description="Those in which you are that")] = None
    builder_id: UUID | SkipJsonSchema[None] = None
    starts_from: Moment | SkipJsonSchema[None] = None
    starts_to: Moment | SkipJsonSchema[None] = None
    waiting: bool | SkipJsonSchema[None] = Field(None, description="Those that wait for an answer of yours")


def calls_of(request: UserRequest) -> Any:
    return Consultation.objects.visible_to(request.user).select_related("client", "builder__user", "claim", "invoice")


def call_of(request: UserRequest, call_id: UUID) -> Consultation:
    call: Consultation = get_object_or_404(calls_of(request), pk=call_id)
    return call


def answer(request: UserRequest, call_id: UUID) -> CallOut:
    """The call as it stands after something was done about it."""
    return call_out(call_of(request, call_id), request.user)


@router.get("/consultations", response=answers(200, CallsOut), auth=may(), summary="Your calls")
def list_consultations(request: UserRequest, paging: Query[CallPaging]) -> HttpResponse:
    """In both roles. A call that was moved comes once, at its new time."""
    rows = calls_of(request)
    rows = rows.filter(status=paging.status) if paging.status else rows.exclude(status=C.RESCHEDULED)
    if paging.as_:
        rows = rows.filter(client=request.user) if paging.as_ == "client" else rows.filter(builder__user=request.user)
    if paging.builder_id:
        rows = rows.filter(builder=paging.builder_id)
    if paging.starts_from:
        rows = rows.filter(scheduled_at__gte=paging.starts_from)
    if paging.starts_to:
        rows = rows.filter(scheduled_at__lt=paging.starts_to)
    if paging.waiting is not None:
        waits = queries.waits_for(request.user, now())
        rows = rows.filter(waits) if paging.waiting else rows.exclude(pk__in=Consultation.objects.filter(waits).values("pk"))
    return page(request, paging, rows, CallRow, rows_for(request.user))


@router.get("/consultations/{uuid:call_id}", response=answers(200, CallOut), auth=may(), summary="A call")
def get_consultation(request: UserRequest, response: HttpResponse, call_id: UUID) -> CallOut:
    """One that was moved away says with `moved_to_id` where it is now."""
    call = call_of(request, call_id)
    tagged(response, call)
    return call_out(call, request.user)


@router.post("/consultations", response=answers(201, CallOut), auth=may(Scope.CALLS), openapi_extra=also(KEY), summary="Hold a time")
def hold_consultation(request: UserRequest, body: BookIn) -> HttpResponse:
    """The time is yours until `pay_until`; pay the invoice `invoice_id` and the call is scheduled. Not paid, it is given back.

    You hold one time of a builder: asking for the same one goes on with it, asking for another one gives the first back.
    """
    # Calendars are asked across the network, so before what happens once, which is a transaction.
    builder = queries.for_booking().filter(pk=body.builder_id).first()
    response: HttpResponse = _hold(request, body, actions.ask_calendars(builder, body.starts_at, body.minutes) if builder else [])
    return response


@once
def _hold(request: UserRequest, body: BookIn, live: Sequence[Span]) -> Status[CallOut]:
    builder = get_object_or_404(queries.for_booking(), pk=body.builder_id)  # not before: the same call again has the same answer
    call = actions.hold_slot(
        builder.pk,
        actor=request.user,
        minutes=body.minutes,
        starts_at=body.starts_at,
        client_zone=body.time_zone or request.user.time_zone,
        notes=body.notes,
        client_key=client_key(request),
        live=live,
    )
    return Status(201, answer(request, call.pk))


@router.get("/consultations/{uuid:call_id}/timeline", response=answers(200, TimelineOut), auth=may(), summary="What happened to a call")
def get_consultation_timeline(request: UserRequest, call_id: UUID) -> TimelineOut:
    """From its booking through every move, in order. Empty before it is paid."""
    call = call_of(request, call_id)
    told = queries.timeline(call, request.user) if call.paid_at else []
    return TimelineOut(items=[HappenedOut(at=line.at, who=line.who, text=line.text, waits=line.buoy) for line in told])


@router.get("/consultations/{uuid:call_id}/ics", response=answers(200, None), auth=may(), openapi_extra=FILE, summary="A call for a calendar")
def get_consultation_ics(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    if call.status == C.RESCHEDULED:
        call = get_object_or_404(calls_of(request).live(call.chain))
    if call.status in (C.HELD, C.EXPIRED):
        raise Http404
    return HttpResponse(ical.calendar(call, request.user), content_type="text/calendar; charset=utf-8")


# The room


@router.get("/consultations/{uuid:call_id}/room", response=answers(200, RoomOut), auth=may(), summary="Whether the room is open")
def get_consultation_room(request: UserRequest, call_id: UUID) -> RoomOut:
    """Changes nothing. Where it is, is said to who joins."""
    call = call_of(request, call_id)
    state = queries.room_state(call, now())
    follower = queries.live_call(call.chain) if state == "moved" else None
    return RoomOut(
        state=state,
        opens_at=call.opens_at,
        closes_at=queries.joinable_until(call),
        meeting_provider=MeetingProvider(call.meeting_provider),
        moved_to_id=follower.pk if follower else None,
    )


@router.post(
    "/consultations/{uuid:call_id}/join", response=answers(200, DoorOut, but=(*REFUSALS, 503)), auth=may(Scope.CALLS), summary="Go into the room"
)
def join_consultation(request: UserRequest, response: HttpResponse, call_id: UUID, body: JoinIn) -> Any:
    """From ten minutes before the start to half an hour after the end. Notes that you came and says where it is."""
    call = call_of(request, call_id)
    response["Cache-Control"] = "no-store"
    if body.host:
        call.require_builder(request.user)
    room = actions.join_call(call.pk, actor=request.user)
    if body.host:
        try:
            room = actions.host_url(call.pk, actor=request.user) or room
        except MeetingError:
            return problem(503, "host_failed", "The room could not be started as host just now. Try again, or join it as a guest.")
    return DoorOut(url=room)
