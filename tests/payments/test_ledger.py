"""The books: what Python words and what the database refuses."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.payments import ledger
from port444.payments.ledger import EXTERNAL, FEES, REFUNDS
from port444.payments.models import AccountKind, JournalEntry, LedgerAccount, Posting

pytestmark = pytest.mark.django_db

TEN = Decimal("10.00")


def test_post_moves_balances_and_keeps_the_sum_at_zero() -> None:
    someone = uuid7()
    entry = ledger.post("k", "In", [(EXTERNAL, -TEN), (ledger.client(someone), Decimal("9.00")), (FEES, Decimal("1.00"))], someone)
    assert ledger.balance("client", owner=someone) == Decimal("9.00")
    assert ledger.balance(AccountKind.EXTERNAL) == -TEN
    assert ledger.balance("fees") == Decimal("1.00")
    assert (entry.key, entry.subject_id, entry.postings.count()) == ("k", someone, 3)


def test_the_same_key_and_moves_give_the_same_entry() -> None:
    moves = [(EXTERNAL, -TEN), (FEES, TEN)]
    assert ledger.post("k", "In", moves) == ledger.post("k", "In again", moves)
    assert ledger.balance("fees") == TEN
    assert JournalEntry.objects.count() == 1


@pytest.mark.parametrize("moves", [[(EXTERNAL, -TEN), (REFUNDS, TEN)], [(EXTERNAL, -TEN * 2), (FEES, TEN * 2)]])
def test_other_moves_under_a_known_key_are_an_error(moves: list[ledger.Move]) -> None:
    ledger.post("k", "In", [(EXTERNAL, -TEN), (FEES, TEN)])
    with pytest.raises(ValueError, match="exists with other moves"):
        ledger.post("k", "In", moves)
    assert Posting.objects.count() == 2


@pytest.mark.parametrize("moves", [[], [(FEES, TEN)], [(FEES, TEN), (FEES, -TEN)], [(EXTERNAL, -TEN), (FEES, TEN + 1)]])
def test_moves_that_do_not_balance_are_an_error(moves: list[ledger.Move]) -> None:
    with pytest.raises(ValueError, match="sum to zero"):
        ledger.post("k", "In", moves)
    assert not JournalEntry.objects.exists()


def test_spending_more_than_is_there_is_worded_and_leaves_nothing_behind() -> None:
    someone = uuid7()
    ledger.post("in", "In", [(EXTERNAL, -TEN), (ledger.client(someone), TEN)])
    with pytest.raises(Conflict) as refusal:
        ledger.post("out", "Out", [(ledger.client(someone), -TEN - 1), (EXTERNAL, TEN + 1)])
    assert refusal.value.code == "not_covered"
    assert ledger.balance("client", owner=someone) == TEN
    assert not JournalEntry.objects.filter(key="out").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("amounts", [[], ["1.00"], ["-1.00", "2.00"]])
def test_the_database_refuses_an_unbalanced_entry_on_commit(amounts: list[str]) -> None:
    rows = [ledger.account_row(EXTERNAL), ledger.account_row(FEES)]

    @transaction.atomic
    def write() -> None:
        entry = JournalEntry.objects.create(key="bad", description="Bad")
        for row, amount in zip(rows, amounts, strict=False):
            Posting.objects.create(entry=entry, account=row, amount=Decimal(amount))

    with pytest.raises(IntegrityError, match="journal entry"):
        write()
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE payments_posting SET amount = amount * 2",
        "DELETE FROM payments_posting",
        "UPDATE payments_journalentry SET key = 'other'",
        "DELETE FROM payments_journalentry",
        "UPDATE payments_ledgeraccount SET balance = 1000000",
        "DELETE FROM payments_ledgeraccount",
    ],
)
def test_the_serving_role_cannot_change_the_books(sql: str) -> None:
    ledger.post("k", "In", [(EXTERNAL, -TEN), (FEES, TEN)])
    with pytest.raises(DatabaseError, match=r"permission denied|append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert ledger.balance("fees") == TEN


def test_an_account_starts_empty_whatever_is_inserted() -> None:
    LedgerAccount.objects.create(kind=AccountKind.EARNINGS, owner_id=uuid7(), balance=TEN)
    assert LedgerAccount.objects.get().balance == 0


PEOPLE = [UUID(int=i) for i in range(1, 4)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["in", "out", "pay"]), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 50_000)), max_size=25
    )
)
def test_any_sequence_of_moves_agrees_with_a_plain_account_book(db: None, moves: list[tuple[str, UUID, UUID, int]]) -> None:
    with transaction.atomic():
        book = dict.fromkeys(PEOPLE, 0)
        for step, (kind, giver, taker, cents) in enumerate(moves):
            amount = Decimal(cents) / 100
            source = EXTERNAL if kind == "in" else ledger.client(giver)
            target = EXTERNAL if kind == "out" else ledger.client(taker)
            if source == target:
                continue
            covered = kind == "in" or book[giver] >= cents
            try:
                ledger.post(str(step), kind, [(source, -amount), (target, amount)])
            except Conflict:
                assert not covered
                continue
            assert covered
            if kind != "in":
                book[giver] -= cents
            if kind != "out":
                book[taker] += cents
        for person, cents in book.items():
            assert ledger.balance("client", owner=person) == Decimal(cents) / 100
        assert ledger.balance("external") == -Decimal(sum(book.values())) / 100
        transaction.set_rollback(True)
