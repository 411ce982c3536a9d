"""Credits that were there before each of their steps was written down: migrating makes their entries, which add up to what is left."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from port444.kit.ids import uuid7
from tests import copies, power
from tests.copies import TABLES, as_owner, libpq, manage, on, on_database, owner_url

BEFORE, LAST = "0015", "0016"
D = Decimal
NOTHING = {"uuid": "00000000-0000-7000-8000-000000000000", "text": "", "character varying": "", "timestamp with time zone": "2026-05-01 12:00:00+00"}
# What became of ten credits: amount, left, withdrawn, uses (amount, returned, of an invoice that was paid, how it stands), and what its
# entries have to say.
STORIES: dict[str, tuple[str, str, bool, list[tuple[str, str, bool, str]], dict[str, str]]] = {
    "new": ("10.00", "10.00", False, [], {"issued": "10.00"}),
    "held": ("10.00", "4.00", False, [("6.00", "0", False, "open")], {"issued": "10.00", "held": "6.00"}),
    "left": ("10.00", "10.00", False, [("6.00", "6.00", False, "void")], {"issued": "10.00", "held": "6.00", "freed": "6.00"}),
    "used": ("10.00", "0.00", False, [("10.00", "0", True, "paid")], {"issued": "10.00", "held": "10.00", "spent": "10.00"}),
    "partly back": (
        "10.00",
        "3.33",
        False,
        [("10.00", "3.33", True, "paid")],
        {"issued": "10.00", "held": "10.00", "spent": "10.00", "returned": "3.33"},
    ),
    "used twice": (
        "10.00",
        "5.00",
        False,
        [("6.00", "6.00", True, "paid"), ("5.00", "0", True, "paid")],
        {"issued": "10.00", "held": "11.00", "spent": "11.00", "returned": "6.00"},
    ),
    "ended": ("10.00", "10.00", False, [], {"issued": "10.00"}),
    "taken back": ("10.00", "0.00", True, [], {"issued": "10.00", "voided": "10.00"}),
    "taken back while used": (
        "10.00",
        "0.00",
        True,
        [("6.00", "0", True, "paid")],
        {"issued": "10.00", "held": "6.00", "spent": "6.00", "voided": "4.00"},
    ),
    "taken back and come back": (
        "10.00",
        "0.00",
        True,
        [("6.00", "6.00", True, "paid")],
        {"issued": "10.00", "held": "6.00", "spent": "6.00", "returned": "6.00", "voided": "10.00"},
    ),
}


@pytest.fixture
def database(django_db_setup: None, tmp_path: Path) -> Iterator[str]:
    name = f"{connection.settings_dict['NAME']}_{secrets.token_hex(3)}"
    copies.copy(TABLES, name, tmp_path)
    try:
        yield name
    finally:
        with as_owner() as owner:
            copies.remove(owner, name)


def insert(session: psycopg.Connection[Any], table: str, **values: Any) -> None:
    """A row of which a test says what matters to it; what else may not be empty is nothing in particular."""
    needed = session.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public' "
        "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
        [table],
    ).fetchall()
    row = {name: NOTHING.get(kind, 0) for name, kind in needed} | values
    session.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


def tell(session: psycopg.Connection[Any]) -> dict[str, UUID]:
    """The stories, as they were in the tables before there were entries."""
    session.execute("SET session_replication_role = replica")  # without the people and orders that they belong to
    known = {}
    for name, (amount, left, withdrawn, uses, _) in STORIES.items():
        known[name] = credit = uuid7()
        times = {"created_at": "2026-01-01+00", "expires_at": "2026-02-01+00" if name == "ended" else "2027-01-01+00"}
        more = {"withdrawn_at": "2026-04-01+00" if withdrawn else None, "applicable_to": "all", "source": "promo", "user_type": "client"}
        insert(session, "payments_credit", id=credit, amount=amount, remaining=left, **times, **more)
        for used, returned, paid, status in uses:
            invoice, number = uuid7(), f"T-{secrets.token_hex(4)}" if paid else None
            sums = {"subtotal": used, "fee": "0", "credit": used, "prepaid": "0", "total": "0"}
            facts = {"kind": "invoice", "status": status, "number": number, "subject_id": uuid7(), "paid_at": "2026-02-01+00" if paid else None}
            insert(session, "payments_invoice", id=invoice, **sums, **facts)
            back = {"returned": returned, "returned_at": "2026-03-01+00" if D(returned) else None}
            insert(session, "payments_credituse", id=uuid7(), credit_id=credit, invoice_id=invoice, amount=used, **back)
    session.execute("SET session_replication_role = origin")
    return known


def test_credits_from_before_have_their_entries(database: str, tmp_path: Path) -> None:
    owner = on(database, owner_url(), tmp_path)
    manage(owner, "migrate", "payments", BEFORE, "--verbosity=0")
    with power.as_superuser(database) as session:
        known = tell(session)
    manage(owner, "migrate", "payments", LAST, "--verbosity=0")
    with psycopg.connect(libpq(on_database(owner_url(), database))) as session:
        for name, (_, left, _, _, steps) in STORIES.items():
            rows = session.execute("SELECT step, sum(amount) FROM payments_creditentry WHERE credit_id = %s GROUP BY step", [known[name]]).fetchall()
            assert dict(rows) == {step: D(sum_) for step, sum_ in steps.items()}, name
            ((now, expires_at),) = session.execute("SELECT remaining, expires_at FROM payments_credit WHERE id = %s", [known[name]]).fetchall()
            change = {"issued": 1, "freed": 1, "returned": 1, "held": -1, "expired": -1, "voided": -1}
            assert (sum(change.get(step, 0) * sum_ for step, sum_ in rows), now) == (D(left), D(left)), name
            assert expires_at is not None
        # The rules that came with them hold for each use, as if it had been written today.
        session.execute("UPDATE payments_credituse SET returned = returned")
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # And from now on an entry moves what is left.
        fields = "(credit_id, step, amount, key, note, created_at)"
        session.execute(f"INSERT INTO payments_creditentry {fields} VALUES (%s, 'expired', 10, 'expire:test', '', now())", [known["ended"]])
        assert session.execute("SELECT remaining FROM payments_credit WHERE id = %s", [known["ended"]]).fetchone() == (D(0),)
        with pytest.raises(psycopg.errors.CheckViolation):
            session.execute(f"INSERT INTO payments_creditentry {fields} VALUES (%s, 'voided', 0.01, 'void:test', '', now())", [known["ended"]])
        session.rollback()
