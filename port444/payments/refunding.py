"""What can go back to a client of what was paid, from where, and what it comes to line by line. All of it reads, nothing writes: who acts
works it out again under lock.

Money comes out of escrow while it is there. After it was released, the builder gives back what they earned with it as far as their
balance holds that and the platform can reach it, and the platform bears the rest. It goes to the payments that it came from, newest first,
never more than was paid; what credits had paid goes back as credits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from port444.kit.errors import Conflict, WrongState
from port444.kit.money import CENT, ZERO, split, usd
from port444.kit.money import fee as share_of

from . import clearing
from .escrow import Deal, Lent, books
from .escrow.standing import Standing
from .models import VOID, Basis, Compensation, EscrowKind, EscrowOperation, InvoiceStatus, Payment, PaymentStatus

Part = tuple[Payment, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Back:
    """What goes back: `amount` of the price and `fee` of the service fee. `credits` is what of the amount goes back as credits."""

    amount: Decimal
    fee: Decimal
    credits: Lent
    parts: tuple[Part, ...]  # payment, of the price, of the fee
    from_escrow: Decimal = ZERO
    from_builder: Decimal = ZERO
    from_platform: Decimal = ZERO
    builder_fee: Decimal = ZERO  # of the platform's fee on the builder's side

    @property
    def as_credit(self) -> Decimal:
        return self.credits.prepaid + self.credits.gift

    @property
    def money(self) -> Decimal:
        """What goes back to where it was paid from."""
        return self.amount + self.fee - self.as_credit


def split_back(deal_ids: Sequence[Any], cash: Decimal, fee: Decimal, *, first: Payment | None = None) -> list[Part]:
    """Which payments give back how much of price and service fee, `first` before the others; together just `cash` and `fee`. Raises
    Conflict when that is more than was paid and is not back yet."""
    parts = []
    for payment, price_left, fee_left in sorted(_left(deal_ids), key=lambda part: part[0] != first):
        of_price, of_fee = min(cash, price_left), min(fee, fee_left)
        if of_price + of_fee > 0:
            parts.append((payment, of_price, of_fee))
        cash, fee = cash - of_price, fee - of_fee
    if cash or fee:
        raise Conflict(_("%(cash)s more would go back than was paid.") % {"cash": usd(cash + fee)}, code="refund_exceeds")
    return sorted(parts, key=lambda part: not part[2])  # with a fee first: accounts are locked in one order, fees before refunds


def _left(deal_ids: Sequence[Any]) -> list[Part]:
    """The payments of deals, nearest deal first and newest first, with what of price and service fee has not gone back."""
    settled = Payment.objects.filter(invoice__deal_id__in=deal_ids, settled_at__isnull=False).select_related("invoice")
    payments = sorted(settled.order_by("-settled_at", "-pk"), key=lambda payment: deal_ids.index(payment.invoice.deal_id))
    found = []
    for payment in payments:
        invoice = payment.invoice
        noted = invoice.credit_notes.aggregate(price=Sum("subtotal", default=ZERO), fee=Sum("fee", default=ZERO))
        found.append((payment, payment.amount - invoice.fee - noted["price"], invoice.fee - noted["fee"]))
    return found


def in_proportion(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """The share of `whole` that belongs to `part` of `of`, to the cent; the last part takes what is left."""
    return split(whole, [part, of - part])[0] if of else ZERO


# Out of escrow


def out_of_escrow(deal: Deal, price: Decimal, client_fee: Decimal, amount: Decimal) -> Back:
    """What lowering a price by `amount` gives back, the same part of the service fee with it. Raises Conflict when it cannot."""
    standing = Standing.of(deal.id)
    if standing.opened is None or amount > standing.locked:
        raise Conflict(
            _("Escrow holds %(locked)s, which is less than %(amount)s.") % {"locked": usd(standing.locked), "amount": usd(amount)},
            code="escrow_short",
        )
    credits = standing.share(EscrowKind.REFUND, amount, standing.opened.fee_bps)
    fee = in_proportion(client_fee, amount, price)
    parts = split_back(books.sources(deal.id), amount - credits.prepaid - credits.gift, fee)
    return Back(amount, fee, credits, tuple(parts), from_escrow=amount)


def of_the_fee(deal: Deal, amount: Decimal) -> Back:
    """What letting a client off a part of the service fee gives back."""
    return Back(ZERO, amount, Lent(), tuple(split_back(books.sources(deal.id), ZERO, amount)), from_platform=ZERO)


# After the release


@dataclass(frozen=True, slots=True)
class Room:
    """How much can still go back of a deal whose money has left escrow."""

    released: Decimal  # of the price, less what has gone back of it since
    prepaid: Decimal  # of that, what credits had paid
    gift: Decimal
    fee: Decimal  # of the service fee
    cash: Decimal  # of what was paid, and nothing else may need
    reachable: Decimal  # of the builder's balance
    moving: bool  # money of it, or of a deal that shares its payments, is on its way: nothing can be said yet


def room(deal: Deal, client_fee: Decimal) -> Room:
    standing = Standing.of(deal.id)
    releases = EscrowOperation.objects.filter(subject_id=deal.id, kind=EscrowKind.RELEASE, applied_at__isnull=False).exclude(status__in=VOID)
    lent = releases.aggregate(prepaid=Sum("prepaid", default=ZERO), gift=Sum("gift", default=ZERO))
    done = Compensation.objects.filter(subject_id=deal.id)
    back = done.aggregate(
        price=Sum("amount", filter=Q(basis=Basis.SCOPE), default=ZERO),
        fee=Sum("fee", default=ZERO),
        prepaid=Sum("prepaid", default=ZERO),
        gift=Sum("gift", default=ZERO),
    )
    sources = books.sources(deal.id)
    left, others = _left(sources), [Standing.of(other) for other in sources[1:]]
    needed = sum((one.locked - one.lent for one in (standing, *others)), ZERO)
    cash = sum((price for _, price, _ in left), ZERO) - needed
    fee = min(client_fee - back["fee"], sum((fee for _, _, fee in left), ZERO))
    return Room(
        released=standing.released - back["price"],
        prepaid=lent["prepaid"] - back["prepaid"],
        gift=lent["gift"] - back["gift"],
        fee=max(ZERO, fee),
        cash=max(ZERO, cash),
        reachable=clearing.within_reach(deal.builder_id),
        moving=any(one.moving for one in (standing, *others)),
    )


def _require_still(there: Room) -> None:
    if there.moving:
        raise WrongState(_("Money of this order is on its way into escrow or out of it. Try again when it has arrived."), code="escrow_moving")


def after_release(deal: Deal, client_fee: Decimal, amount: Decimal) -> Back:
    """What giving back `amount` of a price that was released comes to: from the builder, the platform's fees on both sides with it, and
    from the platform what the builder has not. Raises Conflict when that is more than there is."""
    there = room(deal, client_fee)
    _require_still(there)
    if amount > there.released:
        raise Conflict(
            _("Only %(released)s of the price was released and has not gone back.") % {"released": usd(there.released)}, code="refund_exceeds"
        )
    opened = Standing.of(deal.id).opened
    assert opened is not None
    prepaid, gift = (_floor(lent, amount, there.released) for lent in (there.prepaid, there.gift))
    cash = amount - prepaid - gift
    if cash > there.cash:
        raise Conflict(_("Only %(cash)s of what was paid has not gone back.") % {"cash": usd(there.cash)}, code="refund_exceeds")
    fee = in_proportion(there.fee, amount, there.released)
    kept = there.released - amount
    builder_fee = min(share_of(there.released, opened.fee_bps) - share_of(kept, opened.fee_bps), amount - prepaid)
    owed = amount - builder_fee - prepaid
    from_builder = min(owed, there.reachable)
    return Back(
        amount,
        fee,
        Lent(prepaid, gift),
        tuple(split_back(books.sources(deal.id), cash, fee)),
        from_builder=from_builder,
        from_platform=owed - from_builder,
        builder_fee=builder_fee,
    )


def out_of_goodwill(deal: Deal, client_fee: Decimal, amount: Decimal) -> Back:
    """What the platform gives back of its own. Up to what was paid; the price first, then the service fee."""
    there = room(deal, client_fee)
    _require_still(there)
    if amount > there.cash + there.fee:
        raise Conflict(_("Only %(cash)s of what was paid has not gone back.") % {"cash": usd(there.cash + there.fee)}, code="refund_exceeds")
    of_price = min(amount, there.cash)
    parts = split_back(books.sources(deal.id), of_price, amount - of_price)
    return Back(of_price, amount - of_price, Lent(), tuple(parts), from_platform=of_price)


def _floor(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    return (whole * part / of).quantize(CENT, ROUND_DOWN) if of else ZERO


# What was paid twice


def paid_beside(deal_id: UUID) -> list[Payment]:
    """Payments of a deal's invoices that came in and have paid for nothing: their invoice was paid, or closed, without them."""
    came = Payment.objects.filter(invoice__deal_id=deal_id, status=PaymentStatus.SUCCEEDED, settled_at__isnull=True, refunded=0)
    return list(came.exclude(invoice__status=InvoiceStatus.OPEN).select_related("invoice").order_by("pk"))
