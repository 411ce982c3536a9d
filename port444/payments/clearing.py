"""What a builder may withdraw: what has come out of escrow and cleared, and on a chain, what the contract holds where it can be sent.

Earnings clear for `CLEARING_DAYS` after their release. Nobody keeps track of single releases: the balance of the ledger less what was
released within that time is what is ready, because a withdrawal never takes more than that, so it never takes what still clears.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from port444.kit.money import ZERO

from . import ledger
from .escrow import web3
from .models import UNDER_WAY, VOID, AccountKind, EscrowKind, EscrowOperation, EscrowStatus, PayoutMethod, Withdrawal


@dataclass(frozen=True, slots=True)
class Coming:
    """An amount that clears, and when it becomes ready; None while its release has to be confirmed anew."""

    amount: Decimal
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Cleared:
    """A builder's balance in its two parts."""

    balance: Decimal
    ready: Decimal
    clearing: Decimal


def _recent(user_id: UUID, moment: datetime) -> QuerySet[EscrowOperation]:
    """Releases that have not cleared: young ones, and those that a reorganisation of the chain has put back on their way."""
    since = moment - timedelta(days=settings.CLEARING_DAYS)
    applied = EscrowOperation.objects.filter(builder_id=user_id, kind=EscrowKind.RELEASE, applied_at__isnull=False)
    return applied.filter(Q(applied_at__gt=since) | ~Q(status=EscrowStatus.CONFIRMED))


def cleared(user_id: UUID, moment: datetime) -> Cleared:
    """How much of the balance is ready at `moment`."""
    balance = ledger.balance(AccountKind.EARNINGS, owner=user_id)
    recent = _recent(user_id, moment).aggregate(sum=web3.earned())["sum"]
    clearing = min(balance, recent)
    return Cleared(balance, balance - clearing, clearing)


SHOWN = 5


def coming(user_id: UUID, moment: datetime, cleared: Cleared) -> list[Coming]:
    """What clears next, the soonest first; together with what comes after the last of them it is all that clears."""
    if not cleared.clearing:
        return []
    recent = _recent(user_id, moment)
    left = recent.aggregate(sum=web3.earned())["sum"]
    steps = list(recent.filter(status=EscrowStatus.CONFIRMED).order_by("applied_at").values("applied_at").annotate(earned=web3.earned())[: SHOWN + 1])
    cleared_after: Any = timedelta(days=settings.CLEARING_DAYS)
    found, before = [], cleared.ready
    for step in steps[:SHOWN]:
        left -= step["earned"]
        ready = max(before, cleared.balance - left)
        if ready > before:
            found.append(Coming(ready - before, step["applied_at"] + cleared_after))
        before = ready
    if before < cleared.balance and len(steps) <= SHOWN:  # what has to be confirmed anew has no date
        found.append(Coming(cleared.balance - before, None))
    return found


@dataclass(frozen=True, slots=True)
class Funds:
    """What can be withdrawn: `most` by the method, `elsewhere` what waits for an earlier wallet, by its address."""

    cleared: Cleared
    most: Mapping[str, Decimal]
    elsewhere: Mapping[str, Decimal] = field(default_factory=dict)


def fee_of(method: str) -> Decimal:
    """What withdrawing costs. The contract of a chain pays a claim in full, so nothing is taken of it."""
    if method == PayoutMethod.WALLET and settings.ESCROW_BACKEND == "web3":
        return ZERO
    fee: Decimal = settings.WITHDRAWAL_FEE[method]
    return fee


def funds(user_id: UUID, moment: datetime, address: str, known: Cleared | None = None) -> Funds:
    """What can be withdrawn at `moment`, with `address` as the wallet.

    On a chain a release lies in the contract for the wallet that the builder had when the deal began, and can go there alone. What
    was released before there was one, or on the platform's own address, the platform pays out itself, to a wallet or a bank.
    """
    found = known or cleared(user_id, moment)
    if not settings.ESCROW_ADDRESS:
        return Funds(found, {PayoutMethod.WALLET: found.ready, PayoutMethod.BANK: found.ready})
    claims = _claims(user_id)
    ours = max(ZERO, found.balance - sum(claims.values(), ZERO) - _shaken(user_id))
    # Without escrow on the chain nothing is sent out of the contract: what lies there is its owner's to take, and not paid beside that.
    here = claims.pop(address.lower(), ZERO) if settings.ESCROW_BACKEND == "web3" else ZERO
    return Funds(found, {PayoutMethod.WALLET: min(found.ready, here + ours), PayoutMethod.BANK: min(found.ready, ours)}, claims)


def within_reach(user_id: UUID) -> Decimal:
    """What of a builder's balance the platform itself holds, whether it has cleared or not. What lies in the contract for the builder's
    own wallet is theirs to take and nobody else's."""
    balance = ledger.balance(AccountKind.EARNINGS, owner=user_id)
    if not settings.ESCROW_ADDRESS:
        return balance
    return max(ZERO, balance - sum(_claims(user_id).values(), ZERO) - _shaken(user_id))


def _shaken(user_id: UUID) -> Decimal:
    """What the contract will hold again for wallets of the builder when releases that a reorganisation took back are confirmed anew."""
    shaken = EscrowOperation.objects.filter(builder_id=user_id, kind=EscrowKind.RELEASE, backend="web3", applied_at__isnull=False)
    shaken = shaken.exclude(status=EscrowStatus.CONFIRMED).exclude(address__iexact=settings.CHAIN_PLATFORM_ADDRESS)
    total: Decimal = shaken.aggregate(sum=web3.earned())["sum"]
    return total


def _claims(user_id: UUID) -> dict[str, Decimal]:
    """What the contract holds for the builder by wallet, less what withdrawals on their way there will take of it."""
    found = {address.lower(): amount for address, amount in web3.claims(user_id).items()}
    asked = EscrowOperation.objects.filter(purpose="withdrawal", subject_id=OuterRef("pk")).exclude(status__in=VOID)
    waiting = Withdrawal.objects.filter(user=user_id, method=PayoutMethod.WALLET, status__in=UNDER_WAY).exclude(Exists(asked))
    for address, amount in waiting.order_by("pk").values_list("address", "amount"):
        key = address.lower()
        found[key] = max(ZERO, found.get(key, ZERO) - amount)
    return {address: amount for address, amount in found.items() if amount}
