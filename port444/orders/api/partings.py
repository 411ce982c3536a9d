"""The API of ends by agreement, for the two sides of an order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.errors import WrongState
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed
from port444.orders import actions
from port444.orders.api.orders import order_of
from port444.orders.models import Parting
from port444.orders.queries import partings as queries
from port444.orders.schemas import (
    DivisionIn,
    PartingDeclineIn,
    PartingIn,
    PartingOut,
    PartingRow,
    PartingSharesOut,
    PartingsOut,
    parting_out,
    parting_row,
    shares_out,
)

router = Router(tags=["Ends by agreement"])


def _parting(request: UserRequest, parting_id: UUID) -> Parting:
    return get_object_or_404(Parting.objects.visible_to(request.user).with_people(), pk=parting_id)


@router.get("/orders/{uuid:order_id}/partings", response=answers(200, PartingsOut), auth=may(), summary="Proposals to end an order")
def list_partings(request: UserRequest, order_id: UUID, paging: Query[Paging]) -> HttpResponse:
    """All of them, whatever became of them."""
    rows = Parting.objects.filter(order=order_of(request, order_id)).with_people()
    return page(request, paging, rows, PartingRow, lambda row: parting_row(row, request.user))


@router.post("/orders/{uuid:order_id}/partings/quote", response=answers(200, PartingSharesOut), auth=may(), summary="What a division would come to")
def quote_parting(request: UserRequest, order_id: UUID, body: DivisionIn) -> PartingSharesOut:
    """Nothing is proposed."""
    order = order_of(request, order_id)
    if not queries.may_part(order):
        raise WrongState(f"This order is {order.status_words()}, or in a dispute. What is in work can be ended by agreement.")
    return shares_out(queries.shares_of(order, body.to_client), builder=order.is_builder(request.user))


@router.post(
    "/orders/{uuid:order_id}/partings",
    response=answers(201, PartingOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Propose to end an order",
)
@once
def propose_parting(request: UserRequest, order_id: UUID, body: PartingIn) -> Status[PartingOut]:
    """The other side accepts, declines or counters. The order goes on meanwhile."""
    order = order_of(request, order_id)
    made = actions.propose_parting(order.pk, actor=request.user, client_key=client_key(request), to_client=body.to_client, reason=body.reason)
    return Status(201, parting_out(_parting(request, made.pk), request.user))


@router.get("/partings/{uuid:parting_id}", response=answers(200, PartingOut), auth=may(), summary="A proposal to end an order")
def get_parting(request: UserRequest, response: HttpResponse, parting_id: UUID) -> PartingOut:
    parting = _parting(request, parting_id)
    tagged(response, parting)
    return parting_out(parting, request.user)


@router.post(
    "/partings/{uuid:parting_id}/accept",
    response=answers(200, PartingOut),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Agree to end an order",
)
@once
def accept_parting(request: UserRequest, parting_id: UUID) -> Status[PartingOut]:
    """For the side that did not propose it. The money in escrow is divided so, and the order ends."""
    parting = _parting(request, parting_id)
    with unless_changed(request, parting):
        actions.accept_parting(parting.pk, actor=request.user)
    return Status(200, parting_out(_parting(request, parting_id), request.user))


@router.post(
    "/partings/{uuid:parting_id}/decline",
    response=answers(200, PartingOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Decline to end an order",
)
def decline_parting(request: UserRequest, parting_id: UUID, body: PartingDeclineIn) -> PartingOut:
    """For the side that did not propose it. The order goes on."""
    parting = _parting(request, parting_id)
    with unless_changed(request, parting):
        actions.decline_parting(parting.pk, actor=request.user, answer=body.answer)
    return parting_out(_parting(request, parting_id), request.user)


@router.post(
    "/partings/{uuid:parting_id}/counter",
    response=answers(201, PartingOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Answer with another division",
)
@once
def counter_parting(request: UserRequest, parting_id: UUID, body: PartingIn) -> Status[PartingOut]:
    """For the side that did not propose it. The proposal before is `countered`."""
    parting = _parting(request, parting_id)
    with unless_changed(request, parting):
        made = actions.counter_parting(parting.pk, actor=request.user, client_key=client_key(request), to_client=body.to_client, reason=body.reason)
    return Status(201, parting_out(_parting(request, made.pk), request.user))


@router.post(
    "/partings/{uuid:parting_id}/withdraw",
    response=answers(200, PartingOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Take a proposal to end an order back",
)
def withdraw_parting(request: UserRequest, parting_id: UUID) -> PartingOut:
    """For who proposed it."""
    parting = _parting(request, parting_id)
    with unless_changed(request, parting):
        actions.withdraw_parting(parting.pk, actor=request.user)
    return parting_out(_parting(request, parting_id), request.user)
