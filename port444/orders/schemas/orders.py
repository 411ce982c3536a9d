"""What the API says about orders and the work in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.catalog.models import QuestionKind
from port444.kit.rest import In, Moment, Money, Out, Row, Text, same
from port444.messaging.schemas import FileOut, files_out
from port444.orders.models import CancelCause, Delivery, Order, OrderStatus, Requirement, Revision
from port444.orders.queries import Purse
from port444.orders.queries.reorder import Reorder


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


class FundsOut(Out):
    """Where the money of an order is."""

    in_escrow: Money
    released: Money
    refunded: Money
    paid: Money = Field(description="What the client paid, service fee included")
    settled: bool = Field(description="Nothing of it is on its way")


class OrdersOut(Out):
    items: list[OrderRow]
    next: str | None


class PlaceIn(In):
    package_id: UUID
    like: UUID | None = Field(None, description="A completed order of yours of the same service: the questions begin with its answers")


class ChangedOut(Out):
    label: str
    before: str
    now: str


class AgainOut(Out):
    """A completed order beside what its package is now."""

    package_id: UUID | None = Field(description="What to order, with this order as `like`; null when it is not sold any more")
    state: str = Field(examples=["open"], description="open, away, paused, gone, or custom for what came from an offer")
    price: Money | None
    delivery_days: int | None
    changes: list[ChangedOut]
    added: list[str] = Field(description="Deliverables that it had not then")
    left_out: list[str]
    questions: int
    answered: int = Field(description="How many of the questions begin with the answer of last time")


class QuestionOut(Out):
    """A question of the builder and the client's answer, which the builder sees once it is sent."""

    position: int
    label: str
    kind: QuestionKind
    options: list[str]
    help: str
    is_required: bool
    is_more: bool = Field(description="Asked in the work, where the clock stands until it is answered")
    answer: str
    files: list[FileOut]


class QuestionsOut(Out):
    items: list[QuestionOut]
    sent_at: Moment | None = Field(description="When the answers were sent and the clock started")


class AnswersIn(In):
    answers: dict[Annotated[int, Field(ge=0, le=1000)], Annotated[Text, Field(max_length=5000)]] = Field(
        description="By position of the question: a date as 2026-12-03, several choices one a line; files are added on their own",
        examples=[{"1": "The order list.", "2": "PostgreSQL"}],
    )


class AskMoreIn(In):
    questions: list[Annotated[Text, Field(min_length=1, max_length=200)]] = Field(min_length=1, max_length=5)


class NoteIn(In):
    note: Text = Field(min_length=1, max_length=5000)


class NoteForm(Schema):
    note: Text = Field("", max_length=5000)


class DeliveryOut(Out):
    id: UUID
    number: int
    note: str
    files: list[FileOut]
    delivered_at: Moment
    revision: str | None = Field(description="What the client asked to be different in it")
    revision_at: Moment | None


class DeliveriesOut(Out):
    items: list[DeliveryOut] = Field(description="Oldest first")


class CancelIn(In):
    reason: Text = Field("", max_length=300, description="The other side reads it")


class CancelQuoteOut(Out):
    possible: bool
    cause: CancelCause | None = Field(description="As what it would count")
    back_to_client: Money = Field(description="What goes back to where it was paid from, service fee included")
    back_in_credits: Money


class CancelledOut(OrderOut):
    cancel_cause: CancelCause
    cancel_reason: str
    back_to_client: Money
    back_in_credits: Money


def funds_out(purse: Purse) -> FundsOut:
    return FundsOut(in_escrow=purse.locked, released=purse.released, refunded=purse.refunded, paid=purse.paid, settled=purse.settled)


def again_out(look: Reorder) -> AgainOut:
    package = look.package
    same = ("state", "added", "left_out", "questions", "answered")
    return AgainOut(
        package_id=package.pk if package else None,
        price=package.price if package else None,
        delivery_days=package.delivery_days if package else None,
        changes=[ChangedOut(label=one.label, before=one.before, now=one.now) for one in look.changes],
        **{name: getattr(look, name) for name in same},
    )


def questions_out(order: Order, rows: Iterable[Requirement], reader: Any) -> QuestionsOut:
    told = order.started_at is not None or not order.is_builder(reader)
    hidden = order.more_closed_at is None and order.is_builder(reader)
    items = [
        QuestionOut(
            position=row.position,
            label=row.label,
            kind=QuestionKind(row.kind),
            options=row.options,
            help=row.help,
            is_required=row.is_required,
            is_more=row.is_more,
            answer=row.answer if told and not (row.is_more and hidden) else "",
            files=files_out(row.files.all()) if told and not (row.is_more and hidden) else [],
        )
        for row in rows
    ]
    return QuestionsOut(items=items, sent_at=order.started_at)


def delivery_out(delivery: Delivery) -> DeliveryOut:
    """Its files and its revision must be at hand."""
    revision: Revision | None = getattr(delivery, "revision", None)
    return DeliveryOut(
        id=delivery.pk,
        number=delivery.number,
        note=delivery.note,
        files=files_out(delivery.files.all()),
        delivered_at=delivery.delivered_at,
        revision=revision.note if revision is not None else None,
        revision_at=revision.requested_at if revision is not None else None,
    )


def cancel_quote_out(order: Order, cause: CancelCause | None) -> CancelQuoteOut:
    return CancelQuoteOut(possible=cause is not None, cause=cause, **_back(order))


def _back(order: Order) -> dict[str, Any]:
    paid = order.paid_at is not None
    return {"back_to_client": order.total if paid else 0, "back_in_credits": order.credit}


def cancelled_out(order: Order, reader: object) -> CancelledOut:
    told = order_out(order, reader).model_dump() | _back(order)
    return CancelledOut(**told, cancel_cause=CancelCause(order.cancel_cause), cancel_reason=order.cancel_reason)


def _facts(order: Order) -> dict[str, object]:
    return {
        "package": order.package_name,
        "client": person_out(order.client),
        "builder": person_out(order.builder.user),
        "accepts_itself_at": order.auto_accept_at,
    }


def _told(schema: type[OrderRow], order: Order) -> dict[str, Any]:
    return same(order, schema) | _facts(order)


def order_row(order: Order) -> OrderRow:
    return OrderRow(**_told(OrderRow, order))


def order_out(order: Order, reader: object) -> OrderOut:
    """`reader` is who asks; the people of the order must be at hand."""
    builder = order.is_builder(reader)
    return OrderOut(**_told(OrderOut, order) | {"time_zone": getattr(reader, "time_zone", "UTC"), "you_are": "builder" if builder else "client"})
