"""Several threads on one PostgreSQL: one settlement, numbers without gaps, cover for one only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.payments import actions, escrow, ledger
from port444.payments.actions.series import take_number
from port444.payments.models import Invoice, JournalEntry, Payment, Refund, Series, Withdrawal
from port444.payments.providers import Outcome
from port444.payments.providers.sandbox import Decision, Manner

from .conftest import Bill

pytestmark = pytest.mark.django_db(transaction=True)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `count` threads got who did `work` at the same moment; an exception counts as an answer."""
    gate, answers = threading.Barrier(count), [None] * count

    def run(turn: int) -> None:
        try:
            gate.wait(timeout=20)
            answers[turn] = work(turn)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answers[turn] = error  # type: ignore[call-overload]
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(turn,)) for turn in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_two_workers_settle_one_invoice_once(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    actions.record_answer("sandbox", "e", payment.pk, Outcome.SUCCEEDED)
    answers = together(4, lambda turn: actions.settle_invoice(invoice.pk).number)
    assert set(answers) == {f"{now().year}-000001"}
    assert len(thing.told) == 1
    assert Series.objects.get().last_number == 1
    assert JournalEntry.objects.filter(key__startswith="settle:").count() == 1


def test_sixteen_threads_take_numbers_without_gaps_even_when_some_fail() -> None:
    moment = now()

    def take(turn: int) -> str:
        with transaction.atomic():
            number = take_number(moment)
            if turn % 4 == 3:
                raise Conflict("This one is rolled back.")
            return number

    answers = together(16, take)
    taken = sorted(answer for answer in answers if isinstance(answer, str))
    assert taken == [f"{moment.year}-{n:06d}" for n in range(1, 13)]


def test_a_double_click_starts_one_payment(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    answers = together(6, lambda turn: actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user).pk).pay_url)
    assert len(set(answers)) == 1
    assert Payment.objects.count() == 1


def test_the_same_answer_from_two_sides_counts_once(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = actions.start_payment(invoice.pk, actor=client_user)
    together(6, lambda turn: actions.record_answer("sandbox", f"e{turn % 2}", payment.pk, Outcome.SUCCEEDED))
    actions.settle_invoice(invoice.pk)
    assert payment.events.count() == 2
    assert Invoice.objects.get().number == f"{now().year}-000001"


def test_two_withdrawals_at_once_with_cover_for_one(paid: Callable[..., Any], builder_user: User) -> None:
    thing, _, _ = paid()
    escrow.current().release(thing.deal, Decimal("100.00"), "r")
    actions.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    answers = together(2, lambda turn: actions.request_withdrawal(actor=builder_user, amount=Decimal("60.00"), client_key=uuid7()))
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Withdrawal"]
    assert Withdrawal.objects.count() == 1
    assert ledger.balance("earnings", owner=builder_user.pk) == Decimal("30.00")


def test_the_ledger_itself_covers_one_of_two_spends() -> None:
    someone = uuid7()
    ledger.post("in", "In", [(ledger.EXTERNAL, Decimal(-10)), (ledger.client(someone), Decimal(10))])
    spend = [(ledger.client(someone), Decimal(-7)), (ledger.EXTERNAL, Decimal(7))]
    answers = together(8, lambda turn: ledger.post(f"out-{turn}", "Out", spend).key)
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (len(refused), {answer.code for answer in refused}) == (7, {"not_covered"})
    assert ledger.balance("client", owner=someone) == Decimal(3)


def test_the_same_key_from_many_threads_is_one_entry() -> None:
    answers = together(8, lambda turn: ledger.post("once", "In", [(ledger.EXTERNAL, Decimal(-10)), (ledger.FEES, Decimal(10))]).pk)
    assert len(set(answers)) == 1
    assert ledger.balance("fees") == Decimal(10)


def test_money_crossing_both_ways_does_not_deadlock() -> None:
    people = [uuid7() for _ in range(4)]
    for person in people:
        ledger.post(f"in-{person}", "In", [(ledger.EXTERNAL, Decimal(-100)), (ledger.client(person), Decimal(100))])

    def cross(turn: int) -> int:
        for step in range(8):
            giver, taker = people[(turn + step) % 4], people[(turn + step + 1 + turn % 3) % 4]
            moves = [(ledger.client(giver), Decimal(-2)), (ledger.client(taker), Decimal(1)), (ledger.FEES, Decimal(1))]
            ledger.post(f"{turn}-{step}", "Across", moves)
        return turn

    assert together(8, cross) == list(range(8))
    assert ledger.balance("fees") == Decimal(64)


def test_late_money_and_refunds_on_their_way_do_not_wait_for_each_other(bill: Bill, client_user: User) -> None:
    """Late money enters from outside and goes on to the refunds; a refund that is sent goes from the refunds to the outside."""
    late: list[UUID] = []
    sent: list[UUID] = []
    for turn in range(96):
        _, invoice = bill()
        payment = actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user).pk)
        actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
        actions.void_invoice(invoice.pk)
        actions.record_answer("sandbox", f"e{turn}", payment.pk, Outcome.SUCCEEDED)
        (late if turn % 2 else sent).append(invoice.pk)
    for pk in sent:
        actions.settle_invoice(pk)
    refunds = list(Refund.objects.values_list("pk", flat=True))

    def work(turn: int) -> int:
        for step in range(turn // 2, 48, 4):
            if turn % 2:
                actions.send_refund(refunds[step])
            else:
                actions.settle_invoice(late[step])
        return turn

    assert together(8, work) == list(range(8))
    assert ledger.balance("refunds") == sum((one.amount for one in Refund.objects.exclude(pk__in=refunds)), Decimal(0))
