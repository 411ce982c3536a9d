"""What the API says about orders."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import In, Moment, Money, Out, Row

from .models import Order, OrderStatus


class OrderRow(Row):
    id: UUID
    number: int = Field(description="As people call it: P4-<number>", examples=[2041])
    title: str
    package: str
    status: OrderStatus
    client: PersonOut
    builder: PersonOut

    price: Money
    client_fee: Money
    credit: Money = Field(description="Of the price, what the client's credits pay")
    revisions_allowed: int
    revisions_used: int
    placed_at: Moment
    pay_until: Moment
    paid_at: Moment | None
    started_at: Moment | None
    due_at: Moment | None
    delivered_at: Moment | None
    accepts_itself_at: Moment | None = Field(description="When it counts as accepted, if nobody says anything")
    completed_at: Moment | None
    cancelled_at: Moment | None


class OrderOut(OrderRow):
    deliverables: list[str]
    conversation_id: UUID
    invoice_id: UUID | None
    time_zone: str = Field(description="The zone of who asks")
    you_are: str = Field(examples=["client", "builder"])


class OrdersOut(Out):
    items: list[OrderRow]
    next: str | None


class PlaceIn(In):
    package_id: UUID


def _facts(order: Order) -> dict[str, object]:
    return {
        "package": order.package_name,
        "client": person_out(order.client),
        "builder": person_out(order.builder.user),
        "accepts_itself_at": order.auto_accept_at,
    }


def order_row(order: Order) -> OrderRow:
    return OrderRow(**{name: getattr(order, name) for name in OrderRow.model_fields if hasattr(order, name)} | _facts(order))


def order_out(order: Order, reader: object) -> OrderOut:
    """`reader` is who asks; the people of the order must be at hand."""
    builder = order.is_builder(reader)
    told = {name: getattr(order, name) for name in OrderOut.model_fields if hasattr(order, name)} | _facts(order)
    return OrderOut(**told | {"time_zone": getattr(reader, "time_zone", "UTC"), "you_are": "builder" if builder else "client"})
