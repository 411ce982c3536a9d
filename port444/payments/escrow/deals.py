"""What escrow promises, whichever backend holds the money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from port444.kit.money import ZERO
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
    """Where a deal's money stands; `locked` is `funded` less `released` and `refunded`."""

    locked: Decimal
    funded: Decimal
    released: Decimal
    refunded: Decimal


class Escrow(Protocol):
    """Every call inserts one operation in the caller's transaction, in which the deal's own row is locked.

    `key` names the business row behind the call. Asking again with the same key gives the operation that is there; another
    amount or another deal under the same key raises ValueError. `actor` is for the audit log, None for the system.
    """

    def open(self, deal: Deal, amount: Decimal, fee_bps: int, key: str, *, lent: Lent = NOTHING, actor: Any | None = None) -> EscrowOperation:
        """Lock `amount` of the client's money; `fee_bps` of what is released goes to the platform. Once for a deal.

        `lent` is what of it credits lent. Each release and each refund carries its share of that back, in proportion and to the
        cent: together all of it, when nothing is locked any more.
        """

    def amend(self, deal: Deal, additional: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        """Lock more of the client's money under the same terms."""

    def release(self, deal: Deal, amount: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        """Give `amount` to the builder, less the fee (rounded down to the cent), less what they were prepaid with calls."""

    def refund(self, deal: Deal, amount: Decimal, key: str, *, actor: Any | None = None) -> EscrowOperation:
        """Give `amount` back to the client: credits as credits, the rest to the client's account."""

    def position(self, deal: Deal) -> Position:
        """What is locked and what has been done."""
