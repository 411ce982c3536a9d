"""What staff see of escrow on the chain. All of it is read from the database: the worker writes down what the chain says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, Min

from port444.kit.clock import now
from port444.kit.money import MOST
from port444.payments.models import ChainCursor, ChainDifference, ChainSigner, ChainStatus, EscrowOperation, EscrowStatus

from .reconcile import WEI, money, waiting_sum

T = EscrowStatus
STALE = timedelta(minutes=3)
COMPARED_LATE = timedelta(minutes=15)
SHOWN = 50
AGED = timedelta(minutes=10)  # an operation that is on its way for longer is worth a look
WORDS = {
    T.QUEUED: "Waiting for their turn",
    T.SIGNED: "Signed",
    T.SENT: "Sent, in no block yet",
    T.MINED: "In a block, not deep enough",
    T.BLOCKED: "Blocked, tried again by itself",
    T.NEEDS_REVIEW: "Needs a person",
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account that signs. `ours` is the next nonce in the database, `mined` and `pending` what the node counts."""

    role: str
    address: str
    gas: Decimal
    is_low: bool
    ours: int | None
    mined: int
    pending: int | None

    @property
    def flying(self) -> int:
        return max(0, (self.ours or 0) - self.mined)


@dataclass(frozen=True, slots=True)
class Sum:
    label: str
    amount: Decimal
    note: str = ""
    is_low: bool = False

    @property
    def is_unlimited(self) -> bool:
        """An allowance that nobody will use up."""
        return self.amount > MOST


@dataclass(frozen=True, slots=True)
class Pile:
    """The operations in one state."""

    status: str
    words: str
    count: int
    oldest: datetime
    tone: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operation that waits for something, with what staff may do with it."""

    operation: EscrowOperation
    can_retry: bool
    can_give_up: bool
    can_cancel: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """`state` is off (no chain), empty (never looked), failing (the last look failed), stale (too old) or fresh."""

    state: str
    moment: datetime
    status: ChainStatus | None
    facts: dict[str, Any]
    cursor: ChainCursor | None
    accounts: Sequence[Account]
    sums: Sequence[Sum]
    queue: Sequence[Pile]
    waiting: Sequence[Waiting]
    more_waiting: int
    differences: Sequence[ChainDifference]
    more_differences: int

    @property
    def head_at(self) -> datetime | None:
        seconds = self.facts.get("head_at")
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @property
    def queued(self) -> int:
        return sum(pile.count for pile in self.queue)

    @property
    def comparison_is_late(self) -> bool:
        return self.status is not None and is_old(self.status.compared_at, COMPARED_LATE)

    @property
    def warnings(self) -> list[str]:
        """What the chain itself says is not as it should be."""
        found = []
        if self.facts.get("paused"):
            found.append("The escrow contract is paused: nothing is opened, released or refunded until it is not.")
        if self.facts.get("token_paused"):
            found.append("The token is paused by its issuer: no money moves anywhere.")
        return found


def is_old(at: datetime | None, age: timedelta) -> bool:
    return at is None or now() - at > age


def comparison_is_late() -> bool:
    """For `health.watch`: escrow is on a chain and the books were not compared with it for a while."""
    if settings.ESCROW_BACKEND != "web3":
        return False
    row = ChainStatus.objects.filter(chain_id=settings.CHAIN_ID, contract__iexact=settings.ESCROW_ADDRESS).first()
    return row is None or is_old(row.compared_at, COMPARED_LATE)


def desk() -> Desk:
    """The page. Every part of it is bounded."""
    moment = now()
    status = ChainStatus.objects.filter(chain_id=settings.CHAIN_ID, contract__iexact=settings.ESCROW_ADDRESS).first()
    facts: dict[str, Any] = status.facts if status is not None else {}
    cursor = ChainCursor.objects.filter(chain_id=settings.CHAIN_ID, contract__iexact=settings.ESCROW_ADDRESS).first()
    ours = dict(ChainSigner.objects.filter(chain_id=settings.CHAIN_ID).values_list("address", "next_nonce"))
    waiting = EscrowOperation.objects.filter(status__in=[T.BLOCKED, T.NEEDS_REVIEW]).annotate(tried=Count("attempts"))
    rows = list(waiting.order_by("-status", "number")[: SHOWN + 1])
    differences = list(ChainDifference.objects.filter(gone_at=None).order_by("-found_at", "-pk")[: SHOWN + 1])
    queue = _queue(moment)
    return Desk(
        state=_state(status),
        moment=moment,
        status=status,
        facts=facts,
        cursor=cursor,
        accounts=[_account(each, ours) for each in facts.get("signers", [])],
        sums=_sums(facts) if facts else [],
        queue=queue,
        waiting=[_waiting(row) for row in rows[:SHOWN]],
        more_waiting=max(0, sum(pile.count for pile in queue if pile.status in (T.BLOCKED, T.NEEDS_REVIEW)) - SHOWN),
        differences=differences[:SHOWN],
        more_differences=len(differences) - SHOWN,
    )


def _state(status: ChainStatus | None) -> str:
    if settings.ESCROW_BACKEND != "web3":
        return "off"
    if status is None or status.taken_at is None:
        return "failing" if status is not None and status.problem else "empty"
    if status.problem:
        return "failing"
    return "stale" if is_old(status.taken_at, STALE) else "fresh"


def _account(each: dict[str, Any], ours: dict[str, int]) -> Account:
    gas = Decimal(each["gas"]) / WEI
    return Account(each["role"], each["address"], gas, gas < settings.CHAIN_LOW_GAS, ours.get(each["address"]), each["mined"], each["pending"])


def _sums(facts: dict[str, Any]) -> list[Sum]:
    found = {name: money(int(facts[name])) for name in ("float", "allowance", "locked", "claimable", "held", "float_claim", "platform_claim")}
    due = waiting_sum(facts["chain_id"], facts["escrow"])
    least = max(due, settings.CHAIN_LOW_FLOAT)
    owed = found["locked"] + found["claimable"]
    return [
        Sum("Float of the platform's account", found["float"], "pays for every order that is opened", found["float"] < least),
        Sum("The contract may still take", found["allowance"], "its allowance on the float", found["allowance"] < least),
        Sum("Waits to be paid from the float", due, "operations on their way"),
        Sum("Locked for orders and calls", found["locked"], "in the contract"),
        Sum("Can be claimed", found["claimable"], "released or refunded, not yet paid out"),
        Sum("Held by the contract", found["held"], f"owes {owed:,.2f}", found["held"] < owed),
        Sum("Claim of the float", found["float_claim"], "comes back by itself"),
        Sum("Claim of the platform", found["platform_claim"], "fees, and what it keeps for builders without a wallet"),
    ]


def _queue(moment: datetime) -> list[Pile]:
    piles = EscrowOperation.objects.open().values("status").annotate(count=Count("pk"), oldest=Min("created_at")).order_by()
    found = {pile["status"]: pile for pile in piles}
    return [
        Pile(status, words, found[status]["count"], found[status]["oldest"], _tone(status, found[status]["oldest"], moment))
        for status, words in WORDS.items()
        if status in found
    ]


def _tone(status: str, oldest: datetime, moment: datetime) -> str:
    if status == T.NEEDS_REVIEW:
        return "bad"
    return "wait" if status == T.BLOCKED or moment - oldest > AGED else "go"


def _waiting(operation: Any) -> Waiting:
    is_owners, is_review = operation.backend == "owner", operation.status == T.NEEDS_REVIEW
    is_free = operation.tried == 0 and operation.applied_at is None
    return Waiting(
        operation,
        can_retry=not is_owners,
        can_give_up=operation.applied_at is None and (is_review or is_free),
        can_cancel=is_free and not is_review,
    )
