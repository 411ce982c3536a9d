"""What is told to the outside: which records become events, whom they concern, and what each of those people is told.

An event names things, their states and amounts, and where the API shows them. Words that people wrote to each other, addresses and
names are not in it: who wants them asks the API, which knows what they may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Model, QuerySet, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from amendments.models import Amendment
from auditlog.events import Event
from consultations.models import Consultation
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.money import CURRENCY
from port444.messaging.models import Message
from port444.orders.models import Dispute, Offer, Order, Parting
from port444.payments.models import Credit, Invoice, Payment, Refund, Withdrawal

API_VERSION = "2026-11-23"
PING = "ping"

Facts = dict[str, Any]
People = list[Any]  # ids of people, or queries of one id, so that asking who listens is one query


@dataclass(frozen=True, slots=True)
class Thing[T]:
    """A kind of thing that events are about."""

    name: str
    model: type[Model]
    path: str  # of the API, in which facts are put
    people: Callable[[T], People]
    facts: Callable[[T], Facts]
    client: Callable[[T], UUID] | None = None  # where two people are concerned, and are told in which role


@dataclass(frozen=True, slots=True)
class Told:
    """The public name of a record. Some are made just before the thing moves on; those leave its status to their name."""

    name: str
    thing: Thing[Any]
    words: str | Promise
    moved: bool = True
    counts: bool = False  # the amount of the record belongs to the event, as of a credit the part that was used

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]


def body(told: Told, target: Any, amount: Decimal | None, reader: UUID) -> Facts:
    """What `reader`, one of the people concerned, is told of `target`."""
    thing = told.thing
    facts: Facts = {"id": target.pk, "object": thing.name, **thing.facts(target)}
    if thing.client is not None:
        facts["role"] = "client" if reader == thing.client(target) else "builder"
    if not told.moved:
        facts.pop("status", None)
    if told.counts and amount is not None:
        facts |= {"amount": amount, "currency": CURRENCY}
    facts["url"] = f"{settings.SITE_URL}/api/{thing.path.format_map(facts)}"
    return {name: plain(value) for name, value in facts.items()}


def plain(value: Any) -> Any:
    """As JSON has it: amounts and ids as text, moments in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, Decimal | UUID) else value


def _one(rows: QuerySet[Any, Any], name: str) -> Subquery:
    return Subquery(rows.values(name)[:1])


def _user_of(builder_id: UUID) -> Subquery:
    return _one(Builder.objects.filter(pk=builder_id), "user_id")


def _sides_of(order_id: UUID) -> People:
    order = Order.objects.filter(pk=order_id)
    return [_one(order, "client_id"), _one(order, "builder__user_id")]


def _order(order: Order) -> Facts:
    return {
        "number": order.number,
        "status": order.status,
        "price": order.price,
        "currency": CURRENCY,
        "due_at": order.due_at,
        "conversation_id": order.conversation_id,
    }


def _offer(offer: Offer) -> Facts:
    return {
        "status": offer.status,
        "price": offer.price,
        "currency": CURRENCY,
        "delivery_days": offer.delivery_days,
        "expires_at": offer.expires_at,
        "order_id": offer.order_id,
        "conversation_id": offer.conversation_id,
    }


def _amendment(change: Amendment) -> Facts:
    return {
        "order_id": change.order_id,
        "kind": change.amendment_type,
        "version": change.version,
        "status": change.status,
        "additional_amount": change.additional_amount,
        "currency": CURRENCY,
        "additional_days": change.additional_days,
        "proposed_by": "builder" if change.by_builder else "client",
        "expires_at": change.expires_at,
    }


def _call(call: Consultation) -> Facts:
    return {
        "status": call.status,
        "starts_at": call.scheduled_at,
        "ends_at": call.ends_at,
        "minutes": call.duration,
        "price": call.price,
        "currency": CURRENCY,
        "moved_from": call.rescheduled_from_id,
        "conversation_id": call.conversation_id,
    }


def _message(message: Message) -> Facts:
    return {
        "conversation_id": message.conversation_id,
        "author_id": message.author_id,
        "about": message.subject_type or None,
        "about_id": message.subject_id,
        "sent_at": message.created_at,
    }


def _payment(payment: Payment) -> Facts:
    return {"invoice_id": payment.invoice_id, "status": payment.status, "amount": payment.amount, "currency": CURRENCY, "provider": payment.provider}


def _refund(refund: Refund) -> Facts:
    return {"payment_id": refund.payment_id, "status": refund.status, "amount": refund.amount, "currency": CURRENCY}


def _withdrawal(withdrawal: Withdrawal) -> Facts:
    return {
        "status": withdrawal.status,
        "method": withdrawal.method,
        "amount": withdrawal.amount,
        "fee": withdrawal.fee,
        "currency": CURRENCY,
        "due_at": withdrawal.due_at,
    }


def _credit(credit: Credit) -> Facts:
    return {"source": credit.source, "issued": credit.amount, "remaining": credit.remaining, "currency": CURRENCY, "expires_at": credit.expires_at}


def _dispute(dispute: Dispute) -> Facts:
    return {
        "number": dispute.number,
        "order_id": dispute.order_id,
        "reason": dispute.reason,
        "status": dispute.status,
        "amount": dispute.amount,
        "to_client": dispute.to_client,
        "decided_to_client": dispute.decided_to_client,
        "currency": CURRENCY,
        "answer_until": dispute.answer_until,
    }


def _parting(parting: Parting) -> Facts:
    return {
        "order_id": parting.order_id,
        "status": parting.status,
        "amount": parting.amount,
        "to_client": parting.to_client,
        "expires_at": parting.expires_at,
    }


ORDER = Thing[Order]("order", Order, "orders/{id}", lambda o: [o.client_id, _user_of(o.builder_id)], _order, lambda o: o.client_id)
OFFER = Thing[Offer]("offer", Offer, "offers/{id}", lambda o: [o.client_id, _user_of(o.builder_id)], _offer, lambda o: o.client_id)
AMENDMENT = Thing[Amendment]("amendment", Amendment, "amendments/{id}", lambda a: _sides_of(a.order_id), _amendment, lambda a: a.order.client_id)
CALL = Thing[Consultation]("call", Consultation, "consultations/{id}", lambda c: [c.client_id, _user_of(c.builder_id)], _call, lambda c: c.client_id)
MESSAGE = Thing[Message](
    "message",
    Message,
    "conversations/{conversation_id}",
    lambda m: [m.conversation.client_id, m.conversation.builder_id],
    _message,
    lambda m: m.conversation.client_id,
)
DISPUTE = Thing[Dispute]("dispute", Dispute, "disputes/{id}", lambda d: _sides_of(d.order_id), _dispute, lambda d: d.order.client_id)
PARTING = Thing[Parting]("parting", Parting, "partings/{id}", lambda p: _sides_of(p.order_id), _parting, lambda p: p.order.client_id)
PAYMENT = Thing[Payment]("payment", Payment, "payments/{id}", lambda p: [_one(Invoice.objects.filter(pk=p.invoice_id), "payer_id")], _payment)
REFUND = Thing[Refund](
    "refund", Refund, "payments/{payment_id}", lambda r: [_one(Payment.objects.filter(pk=r.payment_id), "invoice__payer_id")], _refund
)
WITHDRAWAL = Thing[Withdrawal]("withdrawal", Withdrawal, "withdrawals/{id}", lambda w: [w.user_id], _withdrawal)
CREDIT = Thing[Credit]("credit", Credit, "credits/{id}", lambda c: [c.user_id], _credit)
EARNING = Thing[User]("earnings", User, "earnings", lambda user: [user.pk], lambda user: {})


TABLE: Mapping[Event, Told] = {
    Event.ORDER_PLACED: Told("order.placed", ORDER, _("An order was placed, and is to be paid")),
    Event.ORDER_PAID: Told("order.paid", ORDER, _("An order was paid into escrow")),
    Event.ORDER_STARTED: Told("order.started", ORDER, _("The requirements were answered, work begins")),
    Event.ORDER_ASKED_MORE: Told("order.asked_more", ORDER, _("The builder asked for more, the clock stands")),
    Event.ORDER_MORE_CLOSED: Told("order.more_closed", ORDER, _("That was answered or dropped, the clock runs")),
    Event.ORDER_DELIVERED: Told("order.delivered", ORDER, _("The work was delivered")),
    Event.REVISION_REQUESTED: Told("order.revision_requested", ORDER, _("A revision was asked for")),
    Event.ORDER_TERMS_CHANGED: Told("order.terms_changed", ORDER, _("Price, date or content of an order changed")),
    Event.ORDER_COMPLETED: Told("order.completed", ORDER, _("The delivery was accepted")),
    Event.ORDER_CANCELLED: Told("order.cancelled", ORDER, _("An order was cancelled")),
    Event.ORDER_EXPIRED: Told("order.expired", ORDER, _("An order was not paid in time")),
    Event.ORDER_REVIEWED: Told("order.reviewed", ORDER, _("The client wrote a review")),
    Event.CLIENT_REVIEWED: Told("order.client_reviewed", ORDER, _("The builder wrote a review of the client")),
    Event.REVIEWS_SHOWN: Told("order.reviews_shown", ORDER, _("The reviews of an order are shown")),
    Event.ORDERS_MERGED: Told("order.merged", ORDER, _("Orders became one")),
    Event.ORDER_SPLIT: Told("order.split", ORDER, _("A part of an order became another")),
    Event.OFFER_SENT: Told("offer.sent", OFFER, _("An offer was made")),
    Event.OFFER_COUNTERED: Told("offer.countered", OFFER, _("An offer was answered with other terms")),
    Event.OFFER_ACCEPTED: Told("offer.accepted", OFFER, _("An offer was accepted")),
    Event.OFFER_DECLINED: Told("offer.declined", OFFER, _("An offer was declined")),
    Event.OFFER_WITHDRAWN: Told("offer.withdrawn", OFFER, _("An offer was withdrawn")),
    Event.AMENDMENT_PROPOSED: Told("amendment.proposed", AMENDMENT, _("A change of an order was proposed")),
    Event.AMENDMENT_REVISED: Told("amendment.revised", AMENDMENT, _("It was proposed in a new version")),
    Event.AMENDMENT_CHANGES_ASKED: Told("amendment.changes_asked", AMENDMENT, _("Another version was asked for")),
    Event.AMENDMENT_APPROVED: Told("amendment.approved", AMENDMENT, _("It was approved"), moved=False),
    Event.AMENDMENT_REJECTED: Told("amendment.declined", AMENDMENT, _("It was declined")),
    Event.AMENDMENT_WITHDRAWN: Told("amendment.withdrawn", AMENDMENT, _("It was withdrawn")),
    Event.AMENDMENT_EXPIRED: Told("amendment.expired", AMENDMENT, _("It was not answered or paid in time")),
    Event.AMENDMENT_PAID: Told("amendment.paid", AMENDMENT, _("It was paid")),
    Event.AMENDMENT_COMPLETED: Told("amendment.in_force", AMENDMENT, _("It came into force")),
    Event.AMENDMENT_REFUNDED: Told("amendment.refunded", AMENDMENT, _("It was given up and its money returned")),
    Event.CALL_SCHEDULED: Told("call.booked", CALL, _("A call was paid and confirmed")),
    Event.CALL_PROPOSED: Told("call.proposed", CALL, _("Another time, or an end, was proposed")),
    Event.CALL_PROPOSAL_ANSWERED: Told("call.proposal_answered", CALL, _("The proposal was settled")),
    Event.CALL_MOVED: Told("call.moved", CALL, _("A call has another time, and another id")),
    Event.CALL_CANCELLED: Told("call.cancelled", CALL, _("A call was cancelled")),
    Event.CALL_COMPLETED: Told("call.completed", CALL, _("A call took place")),
    Event.CALL_NO_SHOW: Told("call.missed", CALL, _("One side did not come")),
    Event.MESSAGE_SENT: Told("message.created", MESSAGE, _("A message was sent, by you or to you")),
    Event.PAYMENT_SUCCEEDED: Told("payment.succeeded", PAYMENT, _("A payment of yours succeeded")),
    Event.PAYMENT_FAILED: Told("payment.failed", PAYMENT, _("A payment of yours failed")),
    Event.PAYMENT_EXPIRED: Told("payment.expired", PAYMENT, _("A payment of yours was not made in time")),
    Event.REFUND_REQUESTED: Told("refund.requested", REFUND, _("Money is on its way back to you")),
    Event.REFUND_COMPLETED: Told("refund.completed", REFUND, _("Money has come back to you")),
    Event.REFUND_FAILED: Told("refund.failed", REFUND, _("A refund did not go through yet")),
    Event.EARNING_CREDITED: Told("earnings.credited", EARNING, _("Money from escrow became yours"), counts=True),
    Event.WITHDRAWAL_REQUESTED: Told("withdrawal.requested", WITHDRAWAL, _("A withdrawal was asked for")),
    Event.WITHDRAWAL_HELD: Told("withdrawal.held", WITHDRAWAL, _("A withdrawal waits while it is looked at")),
    Event.WITHDRAWAL_RESUMED: Told("withdrawal.resumed", WITHDRAWAL, _("It goes on")),
    Event.WITHDRAWAL_BEGUN: Told("withdrawal.sending", WITHDRAWAL, _("It is on its way")),
    Event.WITHDRAWAL_COMPLETED: Told("withdrawal.sent", WITHDRAWAL, _("It was sent")),
    Event.WITHDRAWAL_FAILED: Told("withdrawal.failed", WITHDRAWAL, _("It came back")),
    Event.WITHDRAWAL_CANCELLED: Told("withdrawal.cancelled", WITHDRAWAL, _("It was cancelled")),
    Event.CREDIT_ISSUED: Told("credit.issued", CREDIT, _("You got a credit")),
    Event.CREDIT_USED: Told("credit.used", CREDIT, _("A credit paid something"), counts=True),
    Event.CREDIT_RETURNED: Told("credit.returned", CREDIT, _("A used credit came back"), counts=True),
    Event.CREDIT_EXPIRED: Told("credit.expired", CREDIT, _("A credit ended unused"), counts=True),
    Event.CREDIT_VOIDED: Told("credit.voided", CREDIT, _("A credit was taken back"), counts=True),
    Event.CREDIT_WITHDRAWN: Told("credit.withdrawn", CREDIT, _("A credit ended with what had given it"), counts=True),
    Event.PARTING_PROPOSED: Told("parting.proposed", PARTING, _("An end by agreement was proposed")),
    Event.PARTING_ACCEPTED: Told("parting.accepted", PARTING, _("Both agreed, and the order ended")),
    Event.PARTING_CLOSED: Told("parting.closed", PARTING, _("The proposal came to nothing, or was answered with another")),
    Event.DISPUTE_OPENED: Told("dispute.opened", DISPUTE, _("A dispute was opened")),
    Event.DISPUTE_ANSWERED: Told("dispute.answered", DISPUTE, _("It was answered, or a figure changed")),
    Event.DISPUTE_EVIDENCE: Told("dispute.evidence_added", DISPUTE, _("Evidence was added")),
    Event.DISPUTE_ESCALATED: Told("dispute.escalated", DISPUTE, _("It went to support")),
    Event.DISPUTE_SETTLED: Told("dispute.settled", DISPUTE, _("Both sides agreed")),
    Event.DISPUTE_WITHDRAWN: Told("dispute.withdrawn", DISPUTE, _("It was withdrawn")),
    Event.DISPUTE_DECIDED: Told("dispute.decided", DISPUTE, _("Support decided it")),
}
NAMES = [told.name for told in TABLE.values()]
GROUPS = {
    "order": _("Orders"),
    "offer": _("Offers"),
    "amendment": _("Changes of orders"),
    "call": _("Calls"),
    "message": _("Messages"),
    "payment": _("Payments"),
    "refund": _("Refunds"),
    "earnings": _("Earnings"),
    "withdrawal": _("Withdrawals"),
    "credit": _("Credits"),
    "parting": _("Ends by agreement"),
    "dispute": _("Disputes"),
}


def grouped() -> list[tuple[str | Promise, list[Told]]]:
    """All events as pages list them."""
    return [(words, [told for told in TABLE.values() if told.group == group]) for group, words in GROUPS.items()]
