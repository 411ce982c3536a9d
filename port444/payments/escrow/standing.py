"""Where a deal stands, counted from everything that was asked for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from django.db.models import Q

from port444.kit.money import CENT, ZERO, fee
from port444.payments.models import EscrowKind, EscrowOperation, EscrowStatus
from port444.payments.models.escrow import VOID

from .deals import NOTHING, Lent, Position

K = EscrowKind
FUNDING = (K.OPEN, K.AMEND)


@dataclass
class Standing:
    """A deal with all that was asked for it, done or on its way, in the order in which it is carried out.

    What credits lent leaves in proportion, counted from the last time that money came in: so no cent is lost or found on the
    way, and the last operation takes just what is left.
    """

    deal_id: UUID
    opened: EscrowOperation | None = None
    funded: Decimal = ZERO
    released: Decimal = ZERO
    refunded: Decimal = ZERO
    held: bool = False
    expiry: datetime | None = None
    born: datetime | None = None  # when its oldest money was locked: money that is moved brings its age along
    settled: bool = True
    moving: bool = False
    asked: int = 0  # how much was asked
    prepaid: Decimal = ZERO  # of what credits lent, what is still in it
    lent: Decimal = ZERO
    _base: tuple[Decimal, Decimal, Decimal] = (ZERO, ZERO, ZERO)  # locked, prepaid and lent when money last came in

    @classmethod
    def of(cls, deal_id: UUID) -> Standing:
        touching = Q(subject_id=deal_id) | Q(kind=K.MOVE, target_id=deal_id)  # of a move, as the index on targets knows it
        asked = EscrowOperation.objects.filter(touching).exclude(status__in=VOID)
        return cls.after(deal_id, asked.order_by("number"))

    @classmethod
    def after(cls, deal_id: UUID, operations: Iterable[EscrowOperation]) -> Standing:
        standing = cls(deal_id)
        for operation in operations:
            standing._add(operation)
        return standing

    @property
    def locked(self) -> Decimal:
        return self.funded - self.released - self.refunded

    @property
    def position(self) -> Position:
        return Position(self.locked, self.funded, self.released, self.refunded, self.lent, self.held, self.expiry, self.settled, self.moving)

    def _add(self, operation: EscrowOperation) -> None:
        kind, amount = operation.kind, operation.amount
        self.asked += 1
        if operation.status != EscrowStatus.CONFIRMED:
            self.settled = False
            self.moving = self.moving or amount > 0
        if kind == K.HOLD:
            self.held = bool(operation.args["on"])
        elif kind == K.EXTEND:
            self.expiry = expiry_of(operation)
        elif kind in FUNDING or operation.target_id == self.deal_id:
            self.funded += amount
            self.prepaid += operation.prepaid
            self.lent += operation.prepaid + operation.gift
            self._base = (self.locked, self.prepaid, self.lent)
            if kind == K.OPEN:
                self.opened = operation
                self.expiry = self.expiry or expiry_of(operation)
                self.born = operation.created_at
            elif kind == K.MOVE and self.born is not None and "born" in operation.args:
                self.born = min(self.born, datetime.fromtimestamp(operation.args["born"], UTC))
        else:
            if kind == K.RELEASE:
                self.released += amount
            elif kind == K.REFUND:
                self.refunded += amount
            else:
                self.funded -= amount
            self.prepaid -= operation.prepaid
            self.lent -= operation.prepaid + operation.gift
            if "lent" in operation.args:  # not in proportion: what is left is counted anew
                self._base = (self.locked, self.prepaid, self.lent)

    def require_lent(self, lent: Lent, amount: Decimal) -> None:
        """Raise ValueError unless just this may go out with `amount`."""
        both = lent.prepaid + lent.gift
        fits = lent.prepaid <= self.prepaid and lent.gift <= self.lent - self.prepaid and both <= amount and self.lent - both <= self.locked - amount
        if not fits or min(lent.prepaid, lent.gift) < 0:
            raise ValueError(f"credits did not lend that to {self.deal_id}")

    def share(self, kind: str, amount: Decimal, fee_bps: int) -> Lent:
        """What of the credits goes out with `amount`. Of a release it is never more than the builder earns with it."""
        locked, prepaid, lent = self._base
        if not lent or not amount:
            return NOTHING
        gone = locked - self.locked + amount

        def by_now(part: Decimal) -> Decimal:
            return (part * gone / locked).quantize(CENT, ROUND_DOWN)

        back = min(max(ZERO, by_now(prepaid) - (prepaid - self.prepaid)), self.lent)
        both = min(max(ZERO, by_now(lent) - (lent - self.lent)), self.lent)
        # A cent that the builder does not earn, which rounding leaves when money came in more than once, is the platform's gift.
        most = amount - fee(amount, fee_bps) if kind == K.RELEASE else amount
        taken = min(back, most)
        return Lent(taken, max(ZERO, max(back, both) - taken))


def expiry_of(operation: EscrowOperation) -> datetime | None:
    """What an operation says of the moment from which the client may take the money back; None in old rows."""
    seconds = operation.args.get("expiry")
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def place_of(deal_id: UUID) -> tuple[str, ...] | None:
    """Where the money of a deal is held, and between which wallets; money moves between deals for which this is the same. None before it
    is open."""
    opened = Standing.of(deal_id).opened
    if opened is None:
        return None
    wallets = (opened.args.get("client", ""), opened.args.get("builder", ""))
    return (opened.backend, str(opened.chain_id or ""), opened.contract, *wallets)
