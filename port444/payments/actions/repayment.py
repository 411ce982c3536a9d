"""What escrow gave back goes on to where it was paid from."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.money import ZERO, parse
from port444.kit.sentences import Said, say
from port444.payments import credits, ledger
from port444.payments.escrow import books
from port444.payments.models import EscrowKind, EscrowOperation, Invoice, JournalEntry, Payment, Refund
from port444.payments.models.escrow import VOID
from port444.payments.providers.wallet import is_ours
from port444.payments.refunding import split_back

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
    reason = operation.why or say("Paid back out of escrow")
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
        for payment, price, fee in split_back(books.sources(operation.subject_id), cash, asked)
    ]


@transaction.atomic
def undo_funding(operation: EscrowOperation | None, invoice: Invoice, *, reason: str | Said, actor: User | None) -> Refund | None:
    """Give back all that was paid with `invoice` for an operation that never took effect: credits as credits, the rest to the payer.

    Without an operation escrow has refused to begin one. None when credits had paid all of it. Call it under the lock of the deal's
    row. Raises WrongState unless the operation is void.
    """
    if operation is not None and (operation.kind not in FUNDING or operation.status not in VOID):
        raise WrongState(_("This money is in escrow, or on its way there."), code="escrow_funded")
    key = f"unfunded:{invoice.pk}"
    deals = books.lock_payments(invoice.deal_id or invoice.subject_id)
    if invoice.credit and not JournalEntry.objects.filter(key=key).exists():
        credits.give_back(deals, prepaid=invoice.prepaid, gift=invoice.credit - invoice.prepaid, moment=now())
        moves = [(ledger.client(invoice.payer_id), -invoice.credit), (ledger.CREDITS, invoice.credit)]
        ledger.post(key, "Credits that never went into escrow", moves, invoice.deal_id or invoice.subject_id)
    payment = Payment.objects.filter(invoice=invoice, settled_at__isnull=False).first()
    if payment is None:
        return None
    known = Refund.objects.filter(dedupe_key__startswith=key).order_by("dedupe_key").first()
    if known is not None:
        return known
    # What others that share its payments had back out of this one is there in theirs.
    sent = [
        request_refund(one, price + fee, reason=reason, dedupe_key=key if one == payment else f"{key}:{one.pk}", actor=actor, fee=fee)
        for one, price, fee in split_back(deals, payment.amount - invoice.fee, invoice.fee, first=payment)
    ]
    return sent[0]
