"""The API of orders."""

from __future__ import annotations

from uuid import UUID, uuid5

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field

from port444.accounts.callers import may, once
from port444.accounts.models import Scope
from port444.catalog.models import Package, Service
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Moment, Paging, also, answers, page, tagged, unless_changed

from . import actions
from .models import Order, OrderStatus
from .schemas import OrderOut, OrdersOut, PlaceIn, order_out, order_row

router = Router(tags=["Orders"])


class OrderPaging(Paging):
    status: OrderStatus | None = None
    as_: str | None = Field(None, alias="as", pattern="^(client|builder)$", description="Those in which you are that")
    placed_from: Moment | None = None
    placed_to: Moment | None = None


def _order(request: UserRequest, order_id: UUID) -> Order:
    return get_object_or_404(Order.objects.visible_to(request.user).with_people(), pk=order_id)


@router.get("/orders", response=answers(200, OrdersOut), auth=may(), summary="Your orders")
def list_orders(request: UserRequest, paging: Query[OrderPaging]) -> HttpResponse:
    rows = Order.objects.visible_to(request.user).with_people()
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.as_:
        rows = rows.filter(client=request.user) if paging.as_ == "client" else rows.filter(builder__user=request.user)
    if paging.placed_from:
        rows = rows.filter(placed_at__gte=paging.placed_from)
    if paging.placed_to:
        rows = rows.filter(placed_at__lt=paging.placed_to)
    return page(request, paging, rows, order_row)


@router.get("/orders/{uuid:order_id}", response=answers(200, OrderOut), auth=may(), summary="An order")
def get_order(request: UserRequest, response: HttpResponse, order_id: UUID) -> OrderOut:
    order = _order(request, order_id)
    tagged(request, response, order)
    return order_out(order, request.user)


@router.post("/orders", response=answers(201, OrderOut), auth=may(Scope.ORDERS), openapi_extra=also(KEY), summary="Order a package")
@once
def place_order(request: UserRequest, body: PlaceIn) -> Status[OrderOut]:
    """The terms are copied and an invoice waits to be paid until `pay_until`."""
    package = get_object_or_404(Package.objects.filter(service__in=Service.objects.visible_to(request.user)), pk=body.package_id)
    key = uuid5(request.user.pk, request.headers["Idempotency-Key"])
    return Status(201, order_out(actions.place_order(package.pk, actor=request.user, client_key=key), request.user))


@router.post(
    "/orders/{uuid:order_id}/accept",
    response=answers(200, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Accept what was delivered",
)
@once
def accept_delivery(request: UserRequest, order_id: UUID) -> Status[OrderOut]:
    """Ends the order and pays the builder out of escrow."""
    order = _order(request, order_id)
    with unless_changed(request, order):
        order = actions.accept_delivery(order.pk, actor=request.user)
    return Status(200, order_out(order, request.user))
