"""Whether the books are as the database promises: looked at as a whole, whatever the triggers have let pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Max, Min, Sum, Value, When
from django.db.models.functions import Coalesce

from port444.kit.clock import now
from port444.kit.metrics import Reading
from port444.kit.money import ZERO, amount_field
from port444.payments.models import (
    UNDER_WAY,
    ChainSigner,
    Credit,
    EscrowOperation,
    EscrowStatus,
    JournalEntry,
    LedgerAccount,
    Posting,
    Withdrawal,
)
from port444.payments.models.credits import EFFECTS
from port444.payments.models.escrow import ENDED

SHOWN = 20  # of each kind of fault


@dataclass(frozen=True, slots=True)
class Books:
    """How much was looked at, and what is wrong, in words."""

    entries: int
    postings: int
    accounts: int
    credits: int
    faults: list[str]


def difference() -> Decimal:
    """What all balances come to together, in USDC: nothing, unless a balance was changed past the books."""
    return LedgerAccount.objects.aggregate(sum=Sum("balance"))["sum"] or ZERO


def look_at_books() -> Books:
    """Read all postings, accounts and credits. Takes as long as there are rows; locks nothing."""
    effect = Case(*[When(entries__step=step, then=Value(effects[0])) for step, effects in EFFECTS.items()], default=Value(0))
    left = Sum(F("entries__amount") * effect, output_field=amount_field())
    total = difference()
    faults = [f"All balances together come to {total}, and not to zero."] if total else []
    for entry, amount in Posting.objects.values_list("entry").annotate(sum=Sum("amount")).exclude(sum=0).order_by("entry")[:SHOWN]:
        faults.append(f"Entry {entry} comes to {amount}, and not to zero.")
    for pk in JournalEntry.objects.filter(postings__isnull=True).order_by("pk").values_list("pk", flat=True)[:SHOWN]:
        faults.append(f"Entry {pk} moves nothing.")
    posted = LedgerAccount.objects.annotate(posted=Coalesce(Sum("postings__amount"), ZERO, output_field=amount_field()))
    for account in posted.exclude(balance=F("posted")).order_by("pk")[:SHOWN]:
        faults.append(f"Account {account.pk} ({account.kind}) says {account.balance}, and its postings come to {account.posted}.")
    credits: Any = Credit.objects.annotate(left=Coalesce(left, ZERO, output_field=amount_field())).exclude(remaining=F("left")).order_by("pk")
    for credit in credits[:SHOWN]:
        faults.append(f"Credit {credit.pk} says that {credit.remaining} are left, and its entries come to {credit.left}.")
    return Books(JournalEntry.objects.count(), Posting.objects.count(), LedgerAccount.objects.count(), Credit.objects.count(), faults)


def readings() -> Iterator[Reading]:
    """For the metrics: whether the books balance, what people wait to be paid, and how the worker of the chain keeps up."""
    moment = now()
    yield Reading("port444_ledger_difference_usdc", float(difference()), "What all balances come to together; 0 unless the books were changed")
    found = Withdrawal.objects.filter(status__in=UNDER_WAY).values_list("status").annotate(Count("pk"), Min("requested_at")).order_by()
    waiting = {status: (count, oldest) for status, count, oldest in found}
    for waits in UNDER_WAY:
        count, oldest = waiting.get(waits, (0, moment))
        yield Reading("port444_withdrawals_waiting", count, "Withdrawals that have not arrived", {"status": waits})
        age = (moment - oldest).total_seconds()
        yield Reading("port444_withdrawals_age_seconds", age, "Seconds since the oldest of them was asked for", {"status": waits})
    if settings.ESCROW_BACKEND == "web3":
        worked = ChainSigner.objects.filter(chain_id=settings.CHAIN_ID).aggregate(last=Max("worked_at"))["last"]
        lag = (moment - worked).total_seconds() if worked else float("inf")
        yield Reading("port444_chain_worker_lag_seconds", lag, "Seconds since the worker of the chain went round last")
        states = dict(EscrowOperation.objects.open().values_list("status").annotate(Count("pk")).order_by())
        for status in sorted(set(EscrowStatus.values) - set(ENDED)):
            yield Reading("port444_escrow_operations_open", states.get(status, 0), "Operations of escrow on their way", {"status": status})
