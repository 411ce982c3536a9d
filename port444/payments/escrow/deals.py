"""What escrow promises, whichever backend holds the money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from port444.kit.money import ZERO
from port444.kit.sentences import Said
from port444.payments.models import EscrowOperation


@dataclass(frozen=True, slots=True)
class Deal:
    """Whose money, for what: `purpose` and `id` name the order or call; the parties are ids of users."""

    purpose: str
    id: UUID
    client_id: UUID
    builder_id: UUID


@dataclass(frozen=True, slots=True)
class Lent:
    """What credits lent to a deal: `prepaid` for calls that the builder was paid for already, `gift` by the platform."""

    prepaid: Decimal = ZERO
    gift: Decimal = ZERO


NOTHING = Lent()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a deal's money stands; `locked` is `funded` less `released` and `refunded`, `lent` what of it credits lent.

    Operations on their way count as done: what is left is what the next one may use. `settled` says that none is on its way, `moving` that
    money of one is.
    """

    locked: Decimal
    funded: Decimal
    released: Decimal
    refunded: Decimal
    lent: Decimal = ZERO
    held: bool = False
    expiry: datetime | None = None
    settled: bool = True
    moving: bool = False


class Escrow(Protocol):
    """Every call inserts one operation in the caller's transaction, in which the deal's own row is locked.

    In the ledger it is confirmed when the call returns; on a chain it is on its way, and `handlers.on_escrow` says when it is
    confirmed. The operations of a deal are carried out in the order in which they were asked for.

    `key` names the business row behind the call. Asking again with the same key gives the operation that is there; another
    amount or another deal under the same key raises ValueError. `actor` is for the audit log, None for the system.

    Raises Conflict `escrow_short` when less is locked, WrongState `escrow_empty` without an open escrow, `escrow_open` for a
    second one and `escrow_held` while a dispute holds the deal; a `ruling` of staff is carried out all the same.
    """

    backend: str

    def open(
        self,
        deal: Deal,
        amount: Decimal,
        fee_bps: int,
        key: str,
        *,
        expiry: datetime,
        lent: Lent = NOTHING,
        beside: Deal | None = None,
        actor: Any | None = None,
    ) -> EscrowOperation:
        """Lock `amount` of the client's money; `fee_bps` of what is released goes to the platform. Once for a deal. May be zero.

        `beside` is an open deal in whose place and between whose wallets this one is opened, so that money can move between them.

        `lent` is what of it credits lent. Each release and each refund carries its share of that back, in proportion and to the
        cent: together all of it, when nothing is locked any more. From `expiry` on the client may take back what is locked.
        """

    def amend(self, deal: Deal, additional: Decimal, key: str, *, lent: Lent = NOTHING, actor: Any | None = None) -> EscrowOperation:
        """Lock more of the client's money under the same terms."""

    def release(self, deal: Deal, amount: Decimal, key: str, *, ruling: bool = False, actor: Any | None = None) -> EscrowOperation:
        """Give `amount` to the builder, less the fee (rounded down to the cent), less what they were prepaid with calls."""

    def refund(
        self, deal: Deal, amount: Decimal, key: str, *, fee: Decimal = ZERO, reason: str | Said = "", ruling: bool = False, actor: Any | None = None
    ) -> EscrowOperation:
        """Give `amount` back to the client: credits as credits, the rest to the client's account.

        When it is confirmed, `actions.repay` sends it back to where it was paid from, with `fee` of the service fee on top and
        `reason` on the credit note; whoever owns the purpose registers that.
        """

    def move(
        self,
        source: Deal,
        target: Deal,
        amount: Decimal,
        key: str,
        *,
        lent: Lent | None = None,
        ruling: bool = False,
        actor: Any | None = None,
    ) -> EscrowOperation:
        """Lock `amount` of `source` for `target` instead, with its share of what credits lent, or with just what `lent` says. Both are open
        and of one client; another builder needs a `ruling`."""

    def extend(self, deal: Deal, expiry: datetime, key: str, *, actor: Any | None = None) -> EscrowOperation:
        """Put off the moment from which the client may take back what is locked. WrongState `escrow_expiry` when it is not later."""

    def hold(self, deal: Deal, on: bool, key: str, *, actor: Any | None = None) -> EscrowOperation:
        """Hold the deal for a dispute, or end that."""

    def position(self, deal: Deal) -> Position:
        """What is locked and what has been done."""
