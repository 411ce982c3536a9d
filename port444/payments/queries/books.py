"""Whether the books are as the database promises: looked at as a whole, whatever the triggers have let pass."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, Sum, Value, When
from django.db.models.functions import Coalesce

from port444.kit.money import ZERO, amount_field
from port444.payments.models import Credit, JournalEntry, LedgerAccount, Posting
from port444.payments.models.credits import EFFECTS

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
