"""What escrow promises, in the ledger and on a chain: the same accepts, the same refusals, the same positions, the same money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.kit.ids import uuid7
from port444.payments import escrow, handlers, ledger
from port444.payments.escrow import Deal, Escrow, LedgerEscrow, Position, Web3Escrow
from port444.payments.models import EscrowKind, EscrowOperation, JournalEntry
from tests.confirming import confirm_all, use_chain

from .conftest import FAR

pytestmark = pytest.mark.django_db

D = Decimal
LATER = FAR + timedelta(days=30)


@pytest.fixture(params=["ledger", "web3"])
def held(request: pytest.FixtureRequest, settings: Any) -> Escrow:
    """The escrow that settings choose; `settle` makes the chain confirm what it was asked."""
    if request.param == "web3":
        use_chain(settings)
    return escrow.current()


@pytest.fixture
def settle() -> Callable[[], object]:
    return confirm_all


@pytest.fixture
def deal(client_user: User, builder_user: User) -> Deal:
    ledger.post("fund", "In", [(ledger.EXTERNAL, D("-300.00")), (ledger.client(client_user.pk), D("300.00"))])
    return Deal("test", uuid7(), client_user.pk, builder_user.pk)


def money(deal: Deal) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return (
        ledger.balance("client", owner=deal.client_id),
        ledger.balance("escrow", subject=deal.id),
        ledger.balance("earnings", owner=deal.builder_id),
        ledger.balance("fees"),
    )


def test_settings_choose_the_escrow(settings: Any) -> None:
    assert isinstance(escrow.current(), LedgerEscrow)
    use_chain(settings)
    assert isinstance(escrow.current(), Web3Escrow)


def test_open_release_and_refund_move_the_money(held: Escrow, settle: Any, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    settle()
    assert money(deal) == (D("200.00"), D("100.00"), D(0), D(0))
    held.release(deal, D("33.33"), "a:release")
    settle()
    assert money(deal) == (D("200.00"), D("66.67"), D("30.00"), D("3.33"))
    held.refund(deal, D("66.67"), "a:refund")
    settle()
    assert money(deal) == (D("266.67"), D(0), D("30.00"), D("3.33"))
    assert held.position(deal) == Position(D("0.00"), D("100.00"), D("33.33"), D("66.67"), expiry=FAR)


def test_more_money_comes_in_under_the_same_terms(held: Escrow, settle: Any, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.amend(deal, D("50.00"), "a:more")
    held.release(deal, D("150.00"), "a:release")
    settle()
    assert money(deal) == (D("150.00"), D(0), D("135.00"), D("15.00"))


def test_a_deal_may_open_without_money(held: Escrow, settle: Any, deal: Deal) -> None:
    held.open(deal, D("0.00"), 1000, "a:open", expiry=FAR)
    settle()
    held.amend(deal, D("20.00"), "a:more")
    settle()
    assert held.position(deal).locked == D("20.00")


def test_money_moves_to_another_deal_of_the_client(held: Escrow, settle: Any, deal: Deal) -> None:
    other = replace(deal, id=uuid7())
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.open(other, D("10.00"), 500, "b:open", expiry=FAR)
    held.move(deal, other, D("60.00"), "a:move")
    held.release(other, D("70.00"), "b:release")
    assert held.position(deal).locked == D("40.00")
    assert (held.position(other).funded, held.position(other).locked) == (D("70.00"), D(0))
    settle()
    assert money(deal) == (D("190.00"), D("40.00"), D("66.50"), D("3.50"))


def test_a_hold_keeps_the_money_until_somebody_rules(held: Escrow, settle: Any, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.hold(deal, True, "a:hold")
    assert held.position(deal).held
    for ask in (held.release, held.refund):
        with pytest.raises(WrongState) as refusal:
            ask(deal, D("1.00"), f"a:{ask.__name__}")
        assert refusal.value.code == "escrow_held"
    held.refund(deal, D("40.00"), "a:ruled", ruling=True)
    held.hold(deal, False, "a:free")
    held.release(deal, D("60.00"), "a:rest")
    settle()
    assert money(deal) == (D("240.00"), D(0), D("54.00"), D("6.00"))
    assert not held.position(deal).held


def test_the_end_is_put_off_and_never_brought_forward(held: Escrow, settle: Any, deal: Deal) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.extend(deal, LATER, "a:extend")
    assert held.position(deal).expiry == LATER
    for until in (LATER, FAR):
        with pytest.raises(WrongState) as refusal:
            held.extend(deal, until, f"a:{until}")
        assert refusal.value.code == "escrow_expiry"
    held.extend(deal, now() + timedelta(days=4000), "a:for ever")
    settle()
    assert held.position(deal).expiry == EscrowOperation.objects.get(pk="a:open").created_at.replace(microsecond=0) + timedelta(days=730)


def test_an_escrow_opens_into_the_future(held: Escrow, deal: Deal) -> None:
    with pytest.raises(WrongState) as refusal:
        held.open(deal, D("100.00"), 1000, "a:open", expiry=now())
    assert refusal.value.code == "escrow_expiry"
    assert not EscrowOperation.objects.exists()


def test_asking_again_gives_the_same_operation(held: Escrow, settle: Any, deal: Deal) -> None:
    first = held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    assert held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR) == first
    released = held.release(deal, D("40.00"), "a:r")
    settle()
    assert held.release(deal, D("40.00"), "a:r") == released
    settle()
    assert (EscrowOperation.objects.count(), held.position(deal).locked) == (2, D("60.00"))
    assert money(deal)[2] == D("36.00")


@pytest.mark.parametrize(
    "ask",
    [
        lambda held, deal: held.open(deal, D("100.01"), 1000, "a:open", expiry=FAR),
        lambda held, deal: held.open(deal, D("100.00"), 999, "a:open", expiry=FAR),
        lambda held, deal: held.release(deal, D("100.00"), "a:open"),
        lambda held, deal: held.refund(deal, D("10.00"), "a:refund", fee=D("0.50")),
        lambda held, deal: held.refund(replace(deal, id=uuid7()), D("10.00"), "a:refund"),
        lambda held, deal: held.hold(deal, False, "a:hold"),
    ],
)
def test_something_else_under_the_same_key_is_an_error(held: Escrow, deal: Deal, ask: Any) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.refund(deal, D("10.00"), "a:refund")
    held.hold(deal, True, "a:hold")
    before = (JournalEntry.objects.count(), EscrowOperation.objects.count())
    with pytest.raises(ValueError, match="asked for something else"):
        ask(held, deal)
    assert (JournalEntry.objects.count(), EscrowOperation.objects.count()) == before


def test_a_key_is_not_longer_than_the_journal_allows(held: Escrow, deal: Deal) -> None:
    with pytest.raises(ValueError, match="at most"):
        held.open(deal, D("1.00"), 1000, "k" * 106, expiry=FAR)
    held.open(deal, D("1.00"), 1000, "k" * 105, expiry=FAR)
    confirm_all()
    assert money(deal)[1] == D("1.00")


def test_a_deal_opens_once_and_nothing_moves_before(held: Escrow, deal: Deal) -> None:
    other = replace(deal, id=uuid7())
    held.open(other, D("1.00"), 1000, "o:open", expiry=FAR)
    asks: list[Callable[[], object]] = [
        lambda: held.release(deal, D("1.00"), "a:r"),
        lambda: held.refund(deal, D("1.00"), "a:b"),
        lambda: held.amend(deal, D("1.00"), "a:a"),
        lambda: held.extend(deal, LATER, "a:e"),
        lambda: held.hold(deal, True, "a:h"),
        lambda: held.move(deal, other, D("1.00"), "a:m"),
        lambda: held.move(other, deal, D("1.00"), "a:n"),
    ]
    for ask in asks:
        with pytest.raises(WrongState) as refusal:
            ask()
        assert refusal.value.code == "escrow_empty"
    with pytest.raises(WrongState) as refusal:
        held.open(other, D("1.00"), 1000, "b:open", expiry=FAR)
    assert refusal.value.code == "escrow_open"
    assert EscrowOperation.objects.count() == 1


def test_more_than_is_paid_or_locked_is_refused(held: Escrow, deal: Deal) -> None:
    with pytest.raises(Conflict) as refusal:
        held.open(deal, D("300.01"), 1000, "a:open", expiry=FAR)
    assert refusal.value.code == "not_covered"
    held.open(deal, D("200.00"), 1000, "a:open", expiry=FAR)
    with pytest.raises(Conflict) as refusal:
        held.amend(deal, D("100.01"), "a:more")
    assert refusal.value.code == "not_covered"
    for ask in (held.release, held.refund):
        with pytest.raises(Conflict) as refusal:
            ask(deal, D("200.01"), "a:r")
        assert refusal.value.code == "escrow_short"
        with pytest.raises(Invalid):
            ask(deal, D("0.00"), "a:r")
    held.release(deal, D("150.00"), "a:release")
    with pytest.raises(Conflict) as refusal:  # what is on its way counts as done
        held.refund(deal, D("50.01"), "a:refund")
    assert refusal.value.code == "escrow_short"
    assert EscrowOperation.objects.count() == 2


def test_money_stays_with_its_people(held: Escrow, deal: Deal, stranger: User) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    with pytest.raises(ValueError, match="other people"):
        held.release(replace(deal, builder_id=stranger.pk), D("1.00"), "a:r")
    with pytest.raises(ValueError, match="another deal"):
        held.move(deal, deal, D("1.00"), "a:m")
    ledger.post("fund2", "In", [(ledger.EXTERNAL, D("-10.00")), (ledger.client(stranger.pk), D("10.00"))])
    theirs = Deal("test", uuid7(), stranger.pk, deal.builder_id)
    held.open(theirs, D("10.00"), 1000, "s:open", expiry=FAR)
    sold = Deal("test", uuid7(), deal.client_id, stranger.pk)
    held.open(sold, D("10.00"), 1000, "t:open", expiry=FAR)
    for target, ruling in ((theirs, False), (theirs, True), (sold, False)):
        with pytest.raises(WrongState) as refusal:
            held.move(deal, target, D("1.00"), "a:m", ruling=ruling)
        assert refusal.value.code == "escrow_parties"
    held.move(deal, sold, D("1.00"), "a:m", ruling=True)
    confirm_all()
    assert held.position(sold).locked == D("11.00")


def test_it_is_written_to_the_log_with_who_asked(held: Escrow, settle: Any, deal: Deal, builder_user: User, staff: User) -> None:
    held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    held.release(deal, D("100.00"), "a:release", actor=staff)
    settle()
    steps = ("escrow.asked", "escrow.stepped")  # on the chain alone
    logged = list(AuditLog.objects.events().exclude(event_type__in=steps).order_by("pk").values_list("event_type", "amount", "actor_id"))
    assert logged == [
        ("escrow.funded", D("100.00"), None),
        ("escrow.released", D("100.00"), staff.pk),
        ("earning.credited", D("90.00"), staff.pk),
    ]
    assert AuditLog.objects.events().get(target_type="user", target_id=builder_user.pk).event_type == "earning.credited"


def test_who_registered_hears_of_a_confirmed_operation_once(held: Escrow, settle: Any, deal: Deal) -> None:
    heard: list[str] = []
    handlers.on_escrow("test", EscrowKind.RELEASE, lambda operation: heard.append(operation.op_id))
    try:
        held.open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
        held.release(deal, D("50.00"), "a:r")
        settle()
        held.release(deal, D("50.00"), "a:r")
        settle()
    finally:
        handlers._on_escrow.pop(("test", EscrowKind.RELEASE))
    assert heard == ["a:r"]


def test_a_deal_goes_on_where_it_was_opened(deal: Deal, settings: Any) -> None:
    escrow.current().open(deal, D("100.00"), 1000, "a:open", expiry=FAR)
    use_chain(settings)
    released = escrow.current().release(deal, D("40.00"), "a:r")
    assert (released.backend, money(deal)[2]) == ("ledger", D("36.00"))
    on_chain = replace(deal, id=uuid7())
    escrow.current().open(on_chain, D("100.00"), 1000, "b:open", expiry=FAR)
    with pytest.raises(WrongState) as refusal:
        escrow.current().move(deal, on_chain, D("1.00"), "a:m")
    assert refusal.value.code == "escrow_apart"
    settings.ESCROW_BACKEND = "ledger"
    assert escrow.current().refund(on_chain, D("1.00"), "b:r").backend == "web3"
