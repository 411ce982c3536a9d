"""What escrow gave back goes on to where it was paid from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import ZERO, parse, usd
from port444.payments import credits, ledger
from port444.payments.escrow import books
from port444.payments.models import EscrowKind, EscrowOperation, Invoice, Payment, Refund
from port444.payments.models.escrow import VOID
from port444.payments.providers.wallet import is_ours

from .refunds import request_refund

FUNDING = (EscrowKind.OPEN, EscrowKind.AMEND)


def repay(operation: EscrowOperation) -> list[Refund]:
    """Send back what a confirmed refund gave to the client's account, with the service fee that was asked for with it.

    For `handlers.on_escrow(purpose, EscrowKind.REFUND, ...)`. The payments of the deal are paid back newest first, then those of
    deals from which money was moved into it; each gets one refund and one credit note. Credits have gone back already. On a chain
    the contract has set the price aside for the client's wallet, which every refund to a wallet then takes its part of.
    """
    cash = operation.amount - operation.prepaid - operation.gift
    asked = parse(operation.args.get("fee", "0"))
    reason = operation.args.get("reason") or "Paid back out of escrow"
    actor = User.objects.filter(pk=operation.args["actor"]).first() if "actor" in operation.args else None
    set_aside = operation.backend != "ledger" and operation.address != "" and not is_ours(operation.address)
    return [
        request_refund(
            payment,
            price + fee,
            reason=reason,
            dedupe_key=f"escrow:{operation.number}:{payment.pk}",
            actor=actor,
            fee=fee,
            escrowed=price if set_aside and payment.provider == "wallet" else ZERO,
        )
        for payment, price, fee in _split(books.sources(operation.subject_id), cash, asked)
    ]


def _split(deal_ids: Sequence[Any], cash: Decimal, fee: Decimal) -> list[tuple[Payment, Decimal, Decimal]]:
    """Which payments give back how much of price and service fee; together just `cash` and `fee`."""
    settled = Payment.objects.filter(invoice__deal_id__in=deal_ids, settled_at__isnull=False).select_related("invoice")
    payments = sorted(settled.order_by("-settled_at", "-pk"), key=lambda payment: deal_ids.index(payment.invoice.deal_id))
    parts = []
    for payment in payments:
        invoice = payment.invoice
        noted = invoice.credit_notes.aggregate(price=Sum("subtotal", default=ZERO), fee=Sum("fee", default=ZERO))
        of_price = min(cash, payment.amount - invoice.fee - noted["price"])
        of_fee = min(fee, invoice.fee - noted["fee"])
        if of_price + of_fee > 0:
            parts.append((payment, of_price, of_fee))
        cash, fee = cash - of_price, fee - of_fee
    if cash or fee:
        raise Conflict(f"{usd(cash + fee)} more would go back than was paid.", code="refund_exceeds")
    return sorted(parts, key=lambda part: not part[2])  # with a fee first: accounts are locked in one order, fees before refunds


@transaction.atomic
def undo_funding(operation: EscrowOperation | None, invoice: Invoice, *, reason: str, actor: User | None) -> Refund | None:
    """Give back all that was paid with `invoice` for an operation that never took effect: credits as credits, the rest to the payer.

    Without an operation escrow has refused to begin one. None when credits had paid all of it. Call it under the lock of the deal's
    row. Raises WrongState unless the operation is void.
    """
    if operation is not None and (operation.kind not in FUNDING or operation.status not in VOID):
        raise WrongState("This money is in escrow, or on its way there.", code="escrow_funded")
    lent = credits.give_back_all(invoice, now())
    if lent:
        moves = [(ledger.client(invoice.payer_id), -lent), (ledger.CREDITS, lent)]
        ledger.post(f"unfunded:{invoice.pk}", "Credits that never went into escrow", moves, invoice.deal_id or invoice.subject_id)
    payment = Payment.objects.filter(invoice=invoice, settled_at__isnull=False).first()
    if payment is None:
        return None
    return request_refund(payment, payment.amount, reason=reason, dedupe_key=f"unfunded:{invoice.pk}", actor=actor, fee=invoice.fee)
