"""The double-entry books: the one door through which money moves.

The database keeps the promises: an entry sums to zero, nothing posted is changed, no account but the outside world and what
the platform advances or bears falls below zero, and a balance is written by the trigger on postings alone. The serving role may only insert here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from port444.kit.errors import Conflict, word_constraint, words
from port444.kit.money import ZERO

from .models import AccountKind, JournalEntry, LedgerAccount, Posting

word_constraint("ledger_account_covered", Conflict(_("There is not enough money for this."), code="not_covered"))

# Accounts are moved in this order and by id within a kind, those that everybody shares last: an order that all transactions
# follow cannot deadlock, and the shared rows stay locked for the shortest time. It holds across the entries of a transaction,
# too: money that came too late enters from outside and goes on to the refunds, so the outside comes before them.
RANK = {
    kind: rank
    for rank, kind in enumerate(
        [
            AccountKind.ESCROW,
            AccountKind.CLIENT,
            AccountKind.EARNINGS,
            AccountKind.CREDITS,
            AccountKind.LOSSES,
            AccountKind.FEES,
            AccountKind.EXTERNAL,
            AccountKind.REFUNDS,
            AccountKind.PAYOUTS,
        ]
    )
}


@dataclass(frozen=True, slots=True)
class Account:
    """The name of an account: its kind, whose it is, and what it is for."""

    kind: AccountKind
    owner: UUID | None = None
    subject: UUID | None = None


Move = tuple[Account, Decimal]

EXTERNAL = Account(AccountKind.EXTERNAL)
CREDITS = Account(AccountKind.CREDITS)
FEES = Account(AccountKind.FEES)
LOSSES = Account(AccountKind.LOSSES)
REFUNDS = Account(AccountKind.REFUNDS)
PAYOUTS = Account(AccountKind.PAYOUTS)


def client(user_id: UUID) -> Account:
    """What a client has paid and is not yet used or sent back."""
    return Account(AccountKind.CLIENT, owner=user_id)


def escrow(subject_id: UUID) -> Account:
    """What is held for one order or call."""
    return Account(AccountKind.ESCROW, subject=subject_id)


def earnings(user_id: UUID) -> Account:
    """What a builder may withdraw."""
    return Account(AccountKind.EARNINGS, owner=user_id)


def post(key: str, description: str, moves: Iterable[Move], subject_id: UUID | None = None) -> JournalEntry:
    """Move money: positive amounts to an account, negative from it, together zero.

    Idempotent by `key`: the same moves again give the entry that is there; other moves under the same key raise ValueError, as
    do moves that do not sum to zero. Raises Conflict (code `not_covered`) when an account lacks the money.
    """
    netted: dict[Account, Decimal] = defaultdict(lambda: ZERO)
    for account, amount in moves:
        netted[account] += amount
    wanted = {account: amount for account, amount in netted.items() if amount}
    if len(wanted) < 2 or sum(wanted.values()) != 0:
        raise ValueError(f"journal entry {key!r} needs two or more moves that sum to zero")
    with words(), transaction.atomic():
        entry = JournalEntry(key=key, description=description, subject_id=subject_id)
        JournalEntry.objects.bulk_create([entry], ignore_conflicts=True)
        stored = JournalEntry.objects.get(key=key)
        if stored.pk != entry.pk:
            if moves_of(stored) != wanted:
                raise ValueError(f"journal entry {key!r} exists with other moves")
            return stored
        # Accounts that are missing are made in this order as well, because making one locks its name until commit.
        named = sorted(wanted.items(), key=lambda side: (RANK[side[0].kind], str(side[0].owner), str(side[0].subject)))
        rows = sorted(((account_row(account), amount) for account, amount in named), key=lambda side: _place(side[0]))
        # One statement a posting: the trigger locks the accounts in just this order.
        for row, amount in rows:
            Posting.objects.create(entry=entry, account=row, amount=amount)
        return entry


def _place(row: LedgerAccount) -> tuple[int, UUID]:
    return RANK[AccountKind(row.kind)], row.pk


def account_row(account: Account) -> LedgerAccount:
    """The row of `account`, made when it is missing. Never save it or lock it: the serving role has no right to."""
    named = LedgerAccount.objects.filter(kind=account.kind, owner_id=account.owner, subject_id=account.subject)
    row = named.first()
    if row is None:
        new = LedgerAccount(kind=account.kind, owner_id=account.owner, subject_id=account.subject)
        LedgerAccount.objects.bulk_create([new], ignore_conflicts=True)
        row = named.get()
    return row


def moves_of(entry: JournalEntry) -> dict[Account, Decimal]:
    """What an entry moved, by account."""
    return {
        Account(AccountKind(side.account.kind), side.account.owner_id, side.account.subject_id): side.amount
        for side in entry.postings.select_related("account")
    }


def balance(kind: AccountKind | str, owner: UUID | None = None, subject: UUID | None = None) -> Decimal:
    """What an account holds; zero when it has never been used."""
    held = LedgerAccount.objects.filter(kind=kind, owner_id=owner, subject_id=subject).values_list("balance", flat=True).first()
    return ZERO if held is None else held
