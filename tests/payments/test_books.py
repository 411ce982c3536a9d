"""Adding up the whole ledger, after somebody with a superuser's power has changed what the triggers guard."""

from __future__ import annotations

import io
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from port444.kit.ids import uuid7
from port444.payments import ledger, queries
from port444.payments.ledger import EXTERNAL, FEES
from port444.payments.models import LedgerAccount
from tests import power

pytestmark = pytest.mark.django_db(transaction=True)

BALANCE = "UPDATE payments_ledgeraccount SET balance = balance + {} WHERE kind = 'fees'"
POSTING = "UPDATE payments_posting SET amount = amount + {} WHERE account_id = (SELECT id FROM payments_ledgeraccount WHERE kind = 'fees')"


@pytest.fixture(autouse=True)
def entry() -> UUID:
    ten = Decimal("10.00")
    return ledger.post("k", "In", [(EXTERNAL, -ten), (ledger.client(uuid7()), Decimal("9.00")), (FEES, Decimal("1.00"))]).pk


def past_the_books(statement: str) -> None:
    with power.as_superuser(connection.settings_dict["NAME"]) as session:
        session.execute("SET session_replication_role = replica")
        session.execute(statement)


def verify() -> tuple[int, str]:
    said = io.StringIO()
    try:
        call_command("ledger_verify", stdout=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def test_books_that_balance() -> None:
    assert verify() == (0, "1 entries, 3 postings, 3 accounts, 0 credits: the books are balanced\n")
    assert queries.difference() == 0


def test_a_balance_that_was_changed_is_named() -> None:
    past_the_books(BALANCE.format(5))
    code, said = verify()
    fees = LedgerAccount.objects.get(kind="fees").pk
    past_the_books(BALANCE.format(-5))
    assert code == 1
    assert "All balances together come to 5.00, and not to zero." in said
    assert f"Account {fees} (fees) says 6.00, and its postings come to 1.00." in said
    assert "NOT balanced" in said


def test_an_entry_that_was_changed_is_named(entry: UUID) -> None:
    past_the_books(POSTING.format(2))
    code, said = verify()
    past_the_books(POSTING.format(-2))
    assert code == 1
    assert f"Entry {entry} comes to 2.00, and not to zero." in said
    assert "says 1.00, and its postings come to 3.00." in said


def test_an_entry_without_postings_is_named() -> None:
    other = uuid7()
    past_the_books(f"INSERT INTO payments_journalentry (id, key, description, posted_at) VALUES ('{other}', 'x', 'Nothing', now())")
    assert verify() == (1, f"Entry {other} moves nothing.\n2 entries, 3 postings, 3 accounts, 0 credits: the books are NOT balanced\n")
