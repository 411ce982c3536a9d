"""Finding anybody and anything by what people write into the field at the top of the console.

What is written says what it can be: an e-mail, an id, a number with or without its letter, an address or a hash on a chain, an invoice, or the
name of a person. Each of these is answered by an index, and by a fixed number of questions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.admin.utils import quote
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from auditlog.models import IncidentLog, IncidentQuerySet
from consultations.models import Consultation
from port444.accounts.models import User
from port444.orders.models import Dispute, Order
from port444.payments.models import (
    ChainTransfer,
    EscrowAttempt,
    EscrowOperation,
    Invoice,
    Payment,
    Refund,
    Withdrawal,
)

from .models import Plan, Viewing
from .queues import address_of, order_address, order_words, plan_address

NUMBER = re.compile(r"(?:(p4|d|a|v|x|i)-|#)?(\d{1,9})", re.IGNORECASE)
HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)
WALLET = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
LEAST = 2  # letters of a name or an address


@dataclass(frozen=True, slots=True)
class Hit:
    icon: str
    url: str
    title: str
    small: str
    state: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind; `more` when there is more than is shown."""

    name: str
    hits: Sequence[Hit]
    more: bool = False


def find(asked: str, *, by: User, limit: int, incidents: bool) -> list[Group]:
    """What `asked` may mean, by kind. Incidents are found for who may see them, but their own, drafts of plans by who wrote them."""
    seen = IncidentLog.objects.visible_to(by) if incidents else IncidentLog.objects.none()
    said = asked.strip()
    if len(said) < LEAST:
        return []
    try:
        return _by_id(UUID(said), seen)
    except ValueError:
        pass
    if HASH.fullmatch(said):
        return _by_hash(said.lower())
    if WALLET.fullmatch(said):
        return _by_wallet(said, limit)
    if number := NUMBER.fullmatch(said):
        return _by_number((number[1] or "").lower(), int(number[2]), by, seen)
    return _by_words(said, limit)


def _group(name: str, rows: Iterable[Any], word: Callable[[Any], Hit], limit: int = 100) -> Group:
    found = list(rows)
    return Group(name, [word(row) for row in found[:limit]], len(found) > limit)


def _full(*groups: Group) -> list[Group]:
    return [group for group in groups if group.hits]


# Words ------------------------------------------------------------------------------------------------------------------------------


def person_address(user: User) -> str:
    return address_of("support:person", user.pk, "accounts_user", user.pk)


def _person(user: User) -> Hit:
    roles = " and ".join([*(["client"] if user.is_client else []), *(["builder"] if user.is_builder else []), *(["staff"] if user.is_staff else [])])
    state, tone = ("Suspended", "bad") if user.is_suspended else ("", "")
    return Hit("user", person_address(user), user.name, f"{user.email}, {roles}" if roles else user.email, state, tone)


def _order(order: Order) -> Hit:
    small = f"{order.client.name} and {order.builder.user.name}, {order.price:,.2f} USDC"
    return Hit("package", order_address(order), f"P4-{order.number} {order.title}", small, order_words(order))


def _dispute(dispute: Dispute) -> Hit:
    url = address_of("support:dispute", dispute.number, "orders_order", dispute.order_id)
    order = dispute.order
    small = f"{order.client.name} and {order.builder.user.name}, P4-{order.number}"
    return Hit("gavel", url, f"Dispute D-{dispute.number}", small, dispute.get_status_display())


def _plan(plan: Plan) -> Hit:
    whom = f" for {plan.target_user.name}" if plan.target_user else ""
    return Hit("stamp", plan_address(plan), f"{plan} {plan.get_kind_display()}{whom}", f"asked by {plan.requester.name}", plan.get_status_display())


def _viewing(viewing: Viewing) -> Hit:
    small = f"{viewing.agent.name} as {viewing.subject.name}, {viewing.started_at:%-d %b %Y %H:%M} UTC"
    state = "Open" if viewing.ended_at is None else viewing.get_end_reason_display()
    return Hit("eye", person_address(viewing.subject), f"Viewing V-{viewing.number}", small, state)


def _incident(row: IncidentLog) -> Hit:
    name = row.get_incident_type_display().replace("_", " ").capitalize()
    url = reverse("support:incident", args=[row.number])
    return Hit("flag", url, f"{row} {name}", row.description[:120], row.get_status_display().replace("_", " ").capitalize())


def _record(icon: str, record: str, pk: Any, title: str, small: str, state: str = "") -> Hit:
    return Hit(icon, reverse(f"admin:{record}_change", args=[pk]), title, small, state)


def _invoice(row: Invoice) -> Hit:
    title = f"{row.get_kind_display()} {row.number or 'without a number'}"
    return _record("receipt", "payments_invoice", row.pk, title, f"{row.payer.name}, {row.total:,.2f} USDC", row.get_status_display().capitalize())


def _payment(row: Payment) -> Hit:
    small = f"{row.invoice.payer.name}, {row.amount:,.2f} USDC by {row.provider}, invoice {row.invoice.number or 'without a number'}"
    return _record("coins", "payments_payment", row.pk, f"Payment {str(row.pk)[-6:]}", small, row.get_status_display().capitalize())


def _refund(row: Refund) -> Hit:
    small = f"{row.payment.invoice.payer.name}, {row.amount:,.2f} USDC"
    return _record("corner-up-left", "payments_refund", row.pk, f"Refund {str(row.pk)[-6:]}", small, row.get_status_display().capitalize())


def _withdrawal(row: Withdrawal) -> Hit:
    small = f"{row.user.name}, {row.amount:,.2f} USDC"
    return _record("wallet", "payments_withdrawal", row.pk, f"Withdrawal {str(row.pk)[-6:]}", small, row.get_status_display().capitalize())


def _operation(row: EscrowOperation) -> Hit:
    title = f"Escrow X-{row.number}, {row.get_kind_display()}"
    url = address_of("support:operation", row.number, "payments_escrowoperation", quote(row.pk))
    return Hit("lock", url, title, f"{row.amount:,.2f} USDC, {row.purpose}", row.get_status_display().capitalize())


def _call(row: Consultation) -> Hit:
    small = f"{row.client.name} and {row.builder.user.name}, {row.scheduled_at:%-d %b %Y %H:%M} UTC"
    return _record("video", "consultations_consultation", row.pk, f"Call of {row.duration} minutes", small, row.get_status_display())


def _transfer(row: ChainTransfer) -> Hit:
    small = f"from {row.sender}" + (", pays for nothing yet" if row.payment_id is None else "")
    return _record("coins", "payments_chaintransfer", row.pk, "Transfer on the chain", small)


# Ways of finding --------------------------------------------------------------------------------------------------------------------


def _orders() -> QuerySet[Order]:
    return Order.objects.with_people()


def _payments() -> QuerySet[Payment]:
    return Payment.objects.select_related("invoice__payer")


def _by_id(key: UUID, incidents: IncidentQuerySet) -> list[Group]:
    return _full(
        _group("People", User.objects.filter(pk=key), _person),
        _group("Orders", _orders().filter(pk=key), _order),
        _group("Payments", _payments().filter(pk=key), _payment),
        _group("Invoices", Invoice.objects.select_related("payer").filter(pk=key), _invoice),
        _group("Refunds", Refund.objects.select_related("payment__invoice__payer").filter(pk=key), _refund),
        _group("Withdrawals", Withdrawal.objects.select_related("user").filter(pk=key), _withdrawal),
        _group("Calls", Consultation.objects.select_related("client", "builder__user").filter(pk=key), _call),
        _group("Incidents", incidents.filter(pk=key), _incident),
    )


def _by_number(letter: str, number: int, by: User, incidents: IncidentQuerySet) -> list[Group]:
    """Of what has numbers; without a letter all of it."""
    found = []
    if letter in ("", "p4"):
        found.append(_group("Orders", _orders().filter(number=number), _order))
    if letter in ("", "d"):
        rows = Dispute.objects.select_related("order__client", "order__builder__user").filter(number=number)
        found.append(_group("Disputes", rows, _dispute))
    if letter in ("", "a"):
        plans = Plan.objects.visible_to(by).select_related("requester", "target_user").filter(number=number)
        found.append(_group("Plans", plans, _plan))
    if letter in ("", "v"):
        found.append(_group("Viewings", Viewing.objects.select_related("agent", "subject").filter(number=number), _viewing))
    if letter in ("", "x"):
        found.append(_group("Escrow", EscrowOperation.objects.filter(number=number), _operation))
    if letter in ("", "i"):
        found.append(_group("Incidents", incidents.filter(number=number), _incident))
    return _full(*found)


def _by_hash(said: str) -> list[Group]:
    """A transaction: what we sent, what came to us, and what a page said that a wallet sent."""
    attempts = EscrowAttempt.objects.filter(tx_hash=said).values("operation_id")
    return _full(
        _group("Escrow", EscrowOperation.objects.filter(pk__in=attempts), _operation),
        _group("Transfers", ChainTransfer.objects.filter(chain_id=settings.CHAIN_ID, tx_hash=said).order_by("log_index")[:20], _transfer),
        _group("Payments", _payments().filter(wallet__tx_hash=said).exclude(wallet__tx_hash="")[:20], _payment),
    )


def _by_wallet(said: str, limit: int) -> list[Group]:
    """Whose earnings go to it, and what was paid from it."""
    owners = User.objects.filter(payout_address__address__iexact=said)
    paid = _payments().filter(wallet__address__iexact=said).order_by("-created_at")
    return _full(
        _group("Gets its earnings there", owners[: limit + 1], _person, limit),
        _group("Paid from it", paid[: limit + 1], _payment, limit),
    )


def find_people(asked: str, limit: int) -> list[User]:
    """Those whose id this is, or how the e-mail or a part of the name goes, by name."""
    said = asked.strip()
    try:
        return list(User.objects.filter(pk=UUID(said)))
    except ValueError:
        return list(User.objects.filter(_named(said)).order_by("name", "pk")[:limit]) if len(said) >= LEAST else []


def _named(said: str) -> Q:
    if "@" in said:
        return Q(email__istartswith=said)
    return (Q(name__icontains=said) if len(said) > LEAST else Q(name__istartswith=said)) | Q(email__istartswith=said)


def _by_words(said: str, limit: int) -> list[Group]:
    """The number of an invoice, or people by `_named`; and the newest orders of the first of them."""
    people = list(User.objects.filter(_named(said)).order_by("name", "pk")[: limit + 1])
    first = people[0].pk if people else None
    orders = {order.pk: order for order in _orders().filter(client=first).order_by("-placed_at", "-id")[: limit + 1]} if first else {}
    orders |= {order.pk: order for order in _orders().filter(builder__user=first).order_by("-placed_at", "-id")[: limit + 1]} if first else {}
    newest = sorted(orders.values(), key=lambda order: (order.placed_at, order.pk), reverse=True)
    name = f"Orders of {people[0].name}" if people else ""
    return _full(
        _group("People", people, _person, limit),
        _group(name, newest, _order, limit),
        _group("Invoices", Invoice.objects.select_related("payer").filter(number=said.upper()), _invoice),
    )


def marked(text: str, asked: str) -> SafeString:
    """`text` with what was asked for marked in it."""
    said = asked.strip()
    at = text.lower().find(said.lower()) if said else -1
    if at < 0:
        return format_html("{}", text)
    return format_html("{}<mark>{}</mark>{}", text[:at], text[at : at + len(said)], text[at + len(said) :])
