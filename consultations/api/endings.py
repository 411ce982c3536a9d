"""How a call ends: completed, cancelled, a no-show; and what a completed one can become."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404
from ninja import Router
from ninja.responses import Status

from consultations import actions, queries
from consultations.models import ConsultationStatus
from consultations.schemas.calls import (
    AbsenceDisputeIn,
    CallCancelIn,
    CallCancelQuoteOut,
    CallOut,
    CompleteIn,
    ConversionOut,
    ConvertIn,
    ReportIn,
    cancel_quote_out,
    conversion_out,
)
from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, also, answers, unless_changed
from port444.orders.schemas import OrderOut, order_out

from .calls import answer, call_of

router = Router()


@router.put(
    "/consultations/{uuid:call_id}/complete",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Say that a call took place",
)
def complete_consultation(request: UserRequest, call_id: UUID, body: CompleteIn) -> CallOut:
    """By the builder, from its end on. Pays them out of escrow; the client gets a credit of the price for an order."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.complete_call(call.pk, actor=request.user, notes=body.notes)
    return answer(request, call.pk)


@router.get("/consultations/{uuid:call_id}/cancel", response=answers(200, CallCancelQuoteOut), auth=may(), summary="What comes back for cancelling")
def quote_consultation_cancel(request: UserRequest, call_id: UUID) -> CallCancelQuoteOut:
    """If you cancelled now, by the policy that was frozen when it was booked."""
    call = call_of(request, call_id)
    if call.status != ConsultationStatus.SCHEDULED:
        raise WrongState(f"This call is {call.status_words()} and cannot be cancelled.")
    return cancel_quote_out(call, request.user)


@router.post(
    "/consultations/{uuid:call_id}/cancel",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Cancel a call",
)
@once
def cancel_consultation(request: UserRequest, call_id: UUID, body: CallCancelIn) -> Status[CallOut]:
    """A builder gives everything back; a client gets back what the policy says."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.cancel_call(call.pk, actor=request.user, reason=body.reason)
    return Status(200, answer(request, call.pk))


# Who came


@router.post(
    "/consultations/{uuid:call_id}/absence",
    response=answers(201, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Say that the other did not come",
)
@once
def report_consultation_absence(request: UserRequest, call_id: UUID, body: ReportIn) -> Status[CallOut]:
    """From five minutes after the start. They have two days to admit or to dispute it; silence confirms it, and the call is a no-show."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.report_absence(call.pk, actor=request.user, note=body.note)
    return Status(201, answer(request, call.pk))


@router.post(
    "/consultations/{uuid:call_id}/absence/admit",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Say that you did not come",
)
@once
def admit_consultation_absence(request: UserRequest, call_id: UUID) -> Status[CallOut]:
    """The call is a no-show, and its money goes where the policy says."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.admit_absence(call.pk, actor=request.user)
    return Status(200, answer(request, call.pk))


@router.post(
    "/consultations/{uuid:call_id}/absence/dispute",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Say that you came after all",
)
def dispute_consultation_absence(request: UserRequest, call_id: UUID, body: AbsenceDisputeIn) -> CallOut:
    """Staff decides then."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.dispute_absence(call.pk, actor=request.user, note=body.note)
    return answer(request, call.pk)


@router.post(
    "/consultations/{uuid:call_id}/absence/dismiss",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Take back that the other did not come",
)
def dismiss_consultation_absence(request: UserRequest, call_id: UUID) -> CallOut:
    call = call_of(request, call_id)
    with unless_changed(request, call):
        actions.dismiss_absence(call.pk, actor=request.user)
    return answer(request, call.pk)


# What it can become


@router.get("/consultations/{uuid:call_id}/convert", response=answers(200, ConversionOut), auth=may(), summary="What a call can become")
def get_consultation_conversion(request: UserRequest, call_id: UUID) -> ConversionOut:
    """The credit of a completed call, and the builder's packages with what it pays of them. Before that there is none (404)."""
    found = queries.conversion_of(call_of(request, call_id), request.user, now())
    if found is None:
        raise Http404
    return conversion_out(found)


@router.post(
    "/consultations/{uuid:call_id}/convert",
    response=answers(201, OrderOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Turn a call into an order",
)
@once
def convert_consultation(request: UserRequest, call_id: UUID, body: ConvertIn) -> Status[OrderOut]:
    """Its client orders a package of its builder, with the call's credit counted in. Pay what is left on the order's invoice."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        order = actions.convert_call(call.pk, actor=request.user, package_id=body.package_id, client_key=client_key(request))
    return Status(201, order_out(order, request.user))
