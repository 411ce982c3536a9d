"""What a payment provider promises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from django.utils.functional import Promise

from port444.kit.errors import Conflict
from port444.payments.models import Payment, Refund, Withdrawal


class Outcome(StrEnum):
    """How a payment stands at the provider."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Answer:
    """A payment was taken on: the provider's name for it, and where the person approves it."""

    external_id: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class Report:
    """How a payment stands: `amount` is what the provider took, `reason` what it says of a failure, `tx_hash` where a chain has it.

    `card` is the same word whenever the same card is used, where the provider tells cards apart. It is no number of a card.
    """

    outcome: Outcome
    amount: Decimal | None = None
    reason: str = ""
    tx_hash: str = ""
    card: str = ""


def chain_hash(external_id: str) -> str:
    """The transaction's hash where a provider names its transfers by that, else nothing."""
    return external_id if external_id.startswith("0x") else ""


class Unavailable(Conflict):
    """The provider did not answer, so nothing is known; ask again later."""

    code = "provider_unavailable"
    status = 503


class Refused(Conflict):
    """The provider answered no, for good."""

    code = "provider_refused"


class Provider(Protocol):
    """Calls talk to a network: never inside a transaction.

    Each is idempotent by the id of the row it is given, so that asking again after a crash or a lost answer moves no money twice.
    All raise Unavailable when there is no answer and Refused when the answer is no.
    """

    name: str

    @property
    def label(self) -> str | Promise:
        """What people call it."""

    @property
    def text(self) -> str | Promise:
        """One sentence for the checkout."""

    def require(self) -> None:
        """Raise Refused when this provider takes no new payments; asks nobody."""

    def create(self, payment: Payment) -> Answer:
        """Take on a payment."""

    def fetch(self, payment: Payment) -> Report:
        """How the payment stands. One that the provider has never seen is pending."""

    def expire(self, payment: Payment) -> Report:
        """End an attempt that is still pending and say how it stands now: a success that came first stays one."""

    def refund(self, refund: Refund) -> str:
        """Send money of a payment back; gives the provider's name for it."""

    def payout(self, withdrawal: Withdrawal) -> str:
        """Send `withdrawal.arrives` to the builder's wallet; gives the provider's name for it.

        An empty answer says that it is on its way and that whoever learns of its arrival calls `complete_withdrawal`, or
        `fail_withdrawal` when nothing was sent and nothing will be.
        """
