"""Escrow: what each operation moves, asking twice, and any sequence of operations."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit import money
from port444.kit.errors import Conflict, WrongState
from port444.kit.ids import uuid7
from port444.payments import escrow, handlers, ledger
from port444.payments.escrow import Deal, LedgerEscrow, Position
from port444.payments.models import EscrowKind, EscrowOperation, JournalEntry

from .conftest import FAR

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def deal(client_user: User, builder_user: User) -> Deal:
    ledger.post("fund", "In", [(ledger.EXTERNAL, D("-300.00")), (ledger.client(client_user.pk), D("300.00"))])
    return Deal("test", uuid7(), client_user.pk, builder_user.pk)


def held(deal: Deal) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return (
        ledger.balance("client", owner=deal.client_id),
        ledger.balance("escrow", subject=deal.id),
        ledger.balance("earnings", owner=deal.builder_id),
        ledger.balance("fees"),
    )


def test_the_configured_escrow_is_the_ledger() -> None:
    assert isinstance(escrow.current(), LedgerEscrow)


def test_open_release_and_refund_move_the_money(deal: Deal) -> None:
    books = LedgerEscrow()
    books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    assert held(deal) == (D("200.00"), D("100.00"), D(0), D(0))
    books.release(deal, D("33.33"), "a:release")
    assert held(deal) == (D("200.00"), D("66.67"), D("30.00"), D("3.33"))
    books.refund(deal, D("66.67"), "a:refund")
    assert held(deal) == (D("266.67"), D(0), D("30.00"), D("3.33"))
    assert books.position(deal) == Position(D("0.00"), D("100.00"), D("33.33"), D("66.67"), expiry=FAR)


def test_it_is_written_to_the_log(deal: Deal, builder_user: User) -> None:
    books = LedgerEscrow()
    books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    books.release(deal, D("100.00"), "a:release")
    logged = list(AuditLog.objects.order_by("pk").values_list("event_type", "amount"))
    assert logged == [("escrow.funded", D("100.00")), ("escrow.released", D("100.00")), ("earning.credited", D("90.00"))]
    assert AuditLog.objects.get(target_type="user", target_id=builder_user.pk).event_type == "earning.credited"


def test_asking_again_gives_the_same_operation(deal: Deal) -> None:
    books = LedgerEscrow()
    first = books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    again = books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    assert first == again
    assert books.release(deal, D("40.00"), "a:r") == books.release(deal, D("40.00"), "a:r")
    assert books.position(deal).locked == D("60.00")


def test_another_amount_under_the_same_key_is_an_error(deal: Deal) -> None:
    books = LedgerEscrow()
    books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    before = JournalEntry.objects.count()
    with pytest.raises(ValueError, match="asked for something else"):
        books.open(deal, D("100.01"), 1000, "a:open", expiry=FAR)
    with pytest.raises(ValueError, match="asked for something else"):
        books.release(deal, D("100.00"), "a:open")
    assert JournalEntry.objects.count() == before


def test_a_deal_opens_once_and_nothing_moves_before(deal: Deal) -> None:
    books = LedgerEscrow()
    with pytest.raises(WrongState):
        books.release(deal, D("1.00"), "a:r")
    with pytest.raises(WrongState):
        books.amend(deal, D("1.00"), "a:a")
    books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    with pytest.raises(WrongState):
        books.open(deal, D("100.00"), 1000, "b:open", expiry=FAR)
    assert EscrowOperation.objects.count() == 1


def test_more_than_is_locked_or_paid_is_refused(deal: Deal) -> None:
    books = LedgerEscrow()
    with pytest.raises(Conflict):
        books.open(deal, D("300.01"), 1000, "a:open", expiry=FAR)
    assert not EscrowOperation.objects.exists()
    books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    with pytest.raises(Conflict) as refusal:
        books.release(deal, D("100.01"), "a:r")
    assert refusal.value.code == "escrow_short"
    assert EscrowOperation.objects.count() == 1


def test_who_registered_hears_of_a_confirmed_operation_once(deal: Deal) -> None:
    heard: list[str] = []
    handlers.on_escrow("test", EscrowKind.RELEASE, lambda operation: heard.append(operation.op_id))
    try:
        books = LedgerEscrow()
        books.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
        books.release(deal, D("50.00"), "a:r")
        books.release(deal, D("50.00"), "a:r")
    finally:
        handlers._on_escrow.pop(("test", EscrowKind.RELEASE))
    assert heard == ["a:r"]


CLIENT, BUILDER = UUID(int=1), UUID(int=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bps=st.integers(0, 3000),
    steps=st.lists(st.tuples(st.sampled_from(["open", "amend", "release", "refund"]), st.integers(1, 40_000)), max_size=20),
)
def test_any_sequence_of_operations_agrees_with_plain_sums(db: None, bps: int, steps: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        User.objects.create(pk=CLIENT, email="c@example.com", name="C")
        User.objects.create(pk=BUILDER, email="b@example.com", name="B")
        deal, books, funds = Deal("test", uuid7(), CLIENT, BUILDER), LedgerEscrow(), D("500.00")
        ledger.post("fund", "In", [(ledger.EXTERNAL, -funds), (ledger.client(CLIENT), funds)])
        opened, funded, released, refunded, earned, fees = False, D(0), D(0), D(0), D(0), D(0)
        for step, (kind, cents) in enumerate([("open", 10_000), *steps]):
            amount = D(cents) / 100
            locked, purse = funded - released - refunded, funds - funded + refunded
            allowed = {
                "open": not opened and amount <= purse,
                "amend": opened and amount <= purse,
                "release": opened and amount <= locked,
                "refund": opened and amount <= locked,
            }[kind]
            try:
                if kind == "open":
                    books.open(deal, amount, bps, f"s:{step}", expiry=FAR)
                else:
                    getattr(books, kind)(deal, amount, f"s:{step}")
            except Conflict:
                assert not allowed, (kind, amount)
                continue
            assert allowed, (kind, amount)
            opened = True
            funded += amount if kind in ("open", "amend") else 0
            released += amount if kind == "release" else 0
            refunded += amount if kind == "refund" else 0
            if kind == "release":
                fees += money.fee(amount, bps)
                earned += amount - money.fee(amount, bps)
        locked = funded - released - refunded
        assert books.position(deal) == Position(locked, funded, released, refunded, expiry=FAR)
        assert held(deal) == (funds - funded + refunded, locked, earned, fees)
        transaction.set_rollback(True)
