"""Operations between the asking and the chain's answer: confirmed once and in order, given up, taken back, cut short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.payments import escrow, handlers, ledger
from port444.payments.escrow import Deal, Escrow, books, web3
from port444.payments.models import EscrowAttempt, EscrowKind, EscrowOperation, EscrowStatus, JournalEntry, PayoutAddress
from tests.confirming import CONTRACT, PLATFORM, TREASURY, confirm_all, use_chain

from .conftest import FAR
from .test_races import together

pytestmark = pytest.mark.django_db

D, T = Decimal, EscrowStatus


@pytest.fixture
def held(settings: Any) -> Escrow:
    use_chain(settings)
    return escrow.current()


@pytest.fixture
def deal(client_user: User, builder_user: User) -> Deal:
    ledger.post("fund", "In", [(ledger.EXTERNAL, D("-300.00")), (ledger.client(client_user.pk), D("300.00"))])
    return Deal("test", uuid7(), client_user.pk, builder_user.pk)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What those who registered for refused operations were told."""
    told: list[str] = []
    for kind in (EscrowKind.OPEN, EscrowKind.AMEND, EscrowKind.RELEASE):
        handlers.on_escrow_failed("test", kind, lambda operation: told.append(operation.op_id))
    yield told
    for kind in (EscrowKind.OPEN, EscrowKind.AMEND, EscrowKind.RELEASE):
        handlers._on_escrow_failed.pop(("test", kind))


def status(op_id: str) -> str:
    return str(EscrowOperation.objects.get(pk=op_id).status)


def in_escrow(deal: Deal) -> Decimal:
    return ledger.balance("escrow", subject=deal.id)


def sign(op_id: str) -> None:
    """As the worker does before it sends anything."""
    operation = EscrowOperation.objects.get(pk=op_id)
    EscrowAttempt.objects.create(
        tx_hash=f"0x{uuid7().hex}", operation=operation, chain_id=31337, signer=TREASURY, nonce=0, raw=b"", gas=1, max_fee=1, tip=1
    )


def test_nothing_is_booked_before_the_chain_confirms(held: Escrow, deal: Deal) -> None:
    opened = held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    released = held.release(deal, D("40.00"), "a:release")
    assert (opened.status, opened.applied_at, in_escrow(deal)) == (T.QUEUED, None, D(0))
    assert (held.position(deal).locked, held.position(deal).settled) == (D("60.00"), False)
    assert JournalEntry.objects.count() == 1
    confirm_all()
    assert (in_escrow(deal), held.position(deal).settled) == (D("60.00"), True)
    assert opened.number < released.number


def test_the_parties_on_the_chain_are_frozen_at_opening(held: Escrow, deal: Deal, builder_user: User) -> None:
    wallet = "0x" + "b" * 40
    PayoutAddress.objects.create(user=builder_user, address=wallet)
    opened = held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    assert opened.args == {"client": TREASURY, "builder": wallet, "expiry": int(FAR.timestamp())}
    assert (opened.chain_id, opened.contract, len(opened.key)) == (31337, CONTRACT, 66)
    PayoutAddress.objects.update(address="0x" + "d" * 40)
    assert held.release(deal, D("1.00"), "a:r").address == wallet
    assert held.refund(deal, D("1.00"), "a:b").address == TREASURY
    other = held.open(replace(deal, id=uuid7()), D("1.00"), 1000, "b:open", expiry=FAR)
    assert other.args["builder"] == "0x" + "d" * 40


@pytest.mark.parametrize("address", [None, TREASURY])
def test_who_has_no_wallet_of_their_own_is_paid_by_the_platform(held: Escrow, deal: Deal, builder_user: User, address: str | None) -> None:
    if address:
        PayoutAddress.objects.create(user=builder_user, address=address)
    assert held.open(deal, D("1.00"), 1000, "a:open", expiry=FAR).args["builder"] == PLATFORM
    held.release(deal, D("1.00"), "a:r")
    confirm_all()
    assert web3.claims(builder_user.pk) == {}


def test_a_builder_claims_what_was_released_less_what_was_sent(held: Escrow, deal: Deal, builder_user: User) -> None:
    wallet = "0x" + "b" * 40
    PayoutAddress.objects.create(user=builder_user, address=wallet)
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.release(deal, D("50.00"), "a:r")
    held.release(deal, D("50.00"), "a:r2")
    books.confirm("a:open")
    books.confirm("a:r")
    assert web3.claims(builder_user.pk) == {wallet: D("45.00")}  # the other is on its way
    asked = web3.withdraw("withdrawal", uuid7(), wallet, D("40.00"), "w:1", builder_id=builder_user.pk)
    assert web3.withdraw("withdrawal", asked.subject_id, wallet, D("40.00"), "w:1", builder_id=builder_user.pk) == asked
    with pytest.raises(ValueError, match="something else"):
        web3.withdraw("withdrawal", asked.subject_id, CONTRACT, D("40.00"), "w:1")
    assert web3.claims(builder_user.pk) == {wallet: D("5.00")}
    books.cancel("w:1")
    assert web3.claims(builder_user.pk) == {wallet: D("45.00")}


def test_operations_are_confirmed_in_the_order_of_asking(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.release(deal, D("40.00"), "a:release")
    other = replace(deal, id=uuid7())
    held.open(other, D("10.00"), 1000, "b:open", expiry=FAR)
    held.move(deal, other, D("10.00"), "a:move")
    for early in ("a:release", "a:move"):
        with pytest.raises(WrongState) as refusal:
            books.confirm(early)
        assert refusal.value.code == "escrow_order"
    books.confirm("a:open")
    books.confirm("a:release")
    with pytest.raises(WrongState):  # its target is not open yet
        books.confirm("a:move")
    books.confirm("b:open")
    books.confirm("a:move")
    assert (in_escrow(deal), in_escrow(other)) == (D("50.00"), D("20.00"))


def test_a_confirmation_that_comes_twice_books_once(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    books.confirm("a:open", tx_hash="0x1")
    again = books.confirm("a:open", block_number=7)
    assert (again.tx_hash, again.block_number, in_escrow(deal)) == ("0x1", 7, D("100.00"))
    assert AuditLog.objects.filter(event_type="escrow.funded").count() == 1


def test_what_a_reorganisation_sends_back_is_not_booked_again(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.release(deal, D("40.00"), "a:release")
    confirm_all()
    opened = EscrowOperation.objects.get(pk="a:open")
    opened.move_to(T.SENT, confirmed_at=None)
    with pytest.raises(WrongState):
        books.give_up("a:open", "gone")
    with pytest.raises(WrongState):
        books.cancel("a:open")
    held.refund(deal, D("10.00"), "a:refund")
    books.confirm("a:refund")  # what is before it is in the books
    books.confirm("a:open")
    assert (status("a:open"), in_escrow(deal)) == (T.CONFIRMED, D("50.00"))
    assert JournalEntry.objects.filter(key="escrow:a:open").count() == 1


def test_a_crash_in_between_leaves_nothing_half_done(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    before = (JournalEntry.objects.count(), AuditLog.objects.events().count())

    def crash(operation: EscrowOperation) -> None:
        raise RuntimeError("power cut")

    handlers.on_escrow("test", EscrowKind.OPEN, crash)
    try:
        with pytest.raises(RuntimeError):
            books.confirm("a:open", tx_hash="0x1")
    finally:
        handlers._on_escrow.pop(("test", EscrowKind.OPEN))
    assert (status("a:open"), in_escrow(deal)) == (T.QUEUED, D(0))
    assert (JournalEntry.objects.count(), AuditLog.objects.events().count()) == before
    books.confirm("a:open", tx_hash="0x1")
    assert in_escrow(deal) == D("100.00")


def test_what_is_given_up_moves_nothing_and_is_told_once(held: Escrow, deal: Deal, heard: list[str]) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.amend(deal, D("50.00"), "a:amend")
    held.release(deal, D("120.00"), "a:release")
    books.confirm("a:open")
    for _ in range(2):
        books.give_up("a:amend", "The token said no.")
    assert heard == ["a:release", "a:amend"]  # what was to go out counted on it
    assert (status("a:amend"), status("a:release"), in_escrow(deal)) == (T.FAILED, T.FAILED, D("100.00"))
    assert EscrowOperation.objects.get(pk="a:amend").reason == "The token said no."
    assert held.position(deal).locked == D("100.00")
    assert not IncidentLog.objects.exists()
    with pytest.raises(WrongState):
        books.confirm("a:amend")
    held.release(deal, D("100.00"), "a:again")
    confirm_all()
    assert in_escrow(deal) == D(0)


def test_a_person_hears_of_what_nobody_handles(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.hold(deal, False, "a:hold")
    confirm_all()
    held.extend(deal, FAR.replace(year=2028), "a:extend")
    books.give_up("a:extend", "The contract said no.")
    incident = IncidentLog.objects.get()
    assert "The contract said no." in incident.description
    assert held.position(deal).expiry == FAR


def test_a_deal_that_the_chain_does_not_open_goes_on_in_the_ledger(held: Escrow, deal: Deal, heard: list[str], builder_user: User) -> None:
    PayoutAddress.objects.create(user=builder_user, address="0x" + "b" * 40)
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.release(deal, D("40.00"), "a:release")
    books.give_up("a:open", "The contract said no.")
    assert (heard, status("a:open"), status("a:release")) == (["a:open"], T.FAILED, T.CONFIRMED)
    assert (in_escrow(deal), ledger.balance("earnings", owner=builder_user.pk)) == (D("60.00"), D("36.00"))
    assert web3.claims(builder_user.pk) == {}
    rest = held.refund(deal, D("60.00"), "a:refund")
    assert (rest.backend, rest.status, in_escrow(deal)) == ("ledger", T.CONFIRMED, D(0))
    assert held.position(deal).expiry == FAR


def test_what_is_not_signed_can_be_taken_back(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.amend(deal, D("50.00"), "a:amend")
    books.cancel("a:amend")
    books.cancel("a:amend")
    assert (status("a:amend"), held.position(deal).locked) == (T.CANCELLED, D("100.00"))
    with pytest.raises(WrongState):
        books.confirm("a:amend")
    held.release(deal, D("1.00"), "a:release")
    with pytest.raises(WrongState) as refusal:
        books.cancel("a:open")
    assert refusal.value.code == "escrow_used"
    assert status("a:open") == T.QUEUED
    sign("a:release")
    with pytest.raises(WrongState) as refusal:
        books.cancel("a:release")
    assert refusal.value.code == "escrow_under_way"
    confirm_all()
    with pytest.raises(WrongState):
        books.cancel("a:open")
    assert in_escrow(deal) == D("99.00")


def test_what_a_later_operation_needs_is_not_taken_back(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.amend(deal, D("50.00"), "a:amend")
    held.release(deal, D("150.00"), "a:release")
    with pytest.raises(WrongState):
        books.cancel("a:amend")
    books.cancel("a:release")
    books.cancel("a:amend")
    assert held.position(deal).locked == D("100.00")


def test_a_blocked_operation_lets_nothing_pass(held: Escrow, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    EscrowOperation.objects.get(pk="a:open").move_to(T.BLOCKED, reason="allowance", next_try_at=now())
    held.release(deal, D("40.00"), "a:release")
    with pytest.raises(WrongState):
        books.confirm("a:release")
    books.confirm("a:open")
    assert EscrowOperation.objects.get(pk="a:open").reason == ""


@pytest.mark.django_db(transaction=True)
def test_two_workers_confirm_each_operation_once_and_in_order(held: Escrow, deal: Deal) -> None:
    heard: list[str] = []
    handlers.on_escrow("test", EscrowKind.RELEASE, lambda operation: heard.append(operation.op_id))
    with transaction.atomic():
        held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
        for step in range(6):
            held.release(deal, D("10.00"), f"a:{step}")
    names = ["a:open", *(f"a:{step}" for step in range(6))]

    def work(turn: int) -> int:
        """Confirm everything, from both ends, until nothing is left."""
        refused = 0
        while EscrowOperation.objects.open().exists():
            for name in names if turn % 2 else reversed(names):
                try:
                    books.confirm(name)
                except WrongState as error:
                    refused += error.code == "escrow_order"
        return refused

    try:
        answers = together(3, work)
    finally:
        handlers._on_escrow.pop(("test", EscrowKind.RELEASE))
    assert all(isinstance(answer, int) for answer in answers), answers
    assert heard == [f"a:{step}" for step in range(6)]
    assert in_escrow(deal) == D("40.00")
    done = list(EscrowOperation.objects.order_by("number").values_list("applied_at", flat=True))
    assert done == sorted(done)  # type: ignore[type-var]  # all of them are set
