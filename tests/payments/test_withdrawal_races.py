"""Several threads on one withdrawal: it is sent or held or cancelled, never two of these, and no money is made or lost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.payments import actions, ledger
from port444.payments.bank import read_account
from port444.payments.models import PayoutBatch, PayoutHold, SandboxTransfer, Withdrawal, WithdrawalStatus

from .conftest import ADDRESS, IBAN, earn
from .test_races import together

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
W = WithdrawalStatus


def builder(name: str, balance: str = "100.00") -> User:
    user = User.objects.create_user(f"{name}@example.com", name=name.title(), is_builder=True)
    earn(user, balance)
    actions.change_payout_address(ADDRESS, actor=user)
    actions.change_bank_account(read_account(holder="Anaya Krishnan", iban=IBAN), actor=user)
    return user


def ask(user: User, amount: str = "30.00", method: str = "wallet") -> Withdrawal:
    return actions.request_withdrawal(actor=user, amount=D(amount), client_key=uuid7(), method=method)


def by_turns(*work: Callable[[], object]) -> Callable[[int], object]:
    """Each turn does one of `work`; a refusal is an answer."""

    def act(turn: int) -> object:
        try:
            return work[turn % len(work)]()
        except DomainError as refusal:
            return refusal.code

    return act


def faults(answers: list[Any]) -> list[Any]:
    return [answer for answer in answers if isinstance(answer, Exception)]


def test_sixteen_withdrawals_with_cover_for_three() -> None:
    user = builder("anaya")
    answers = together(16, by_turns(lambda: ask(user), lambda: ask(user, method="bank")))
    assert (
        sorted(type(answer).__name__ if isinstance(answer, Withdrawal) else answer for answer in answers) == ["Withdrawal"] * 3 + ["not_covered"] * 13
    )
    assert ledger.balance("earnings", owner=user.pk) == D("10.00")
    assert ledger.balance("payouts") == D("90.00")


@pytest.mark.parametrize("turn", range(6))
def test_hold_against_sending(turn: int) -> None:
    user = builder("anaya")
    withdrawal = ask(user)
    sends, holds = lambda: actions.send_withdrawal(withdrawal.pk), lambda: actions.hold_withdrawal(withdrawal.pk, actor=None, reason="We look at it.")
    answers = together(6, by_turns(sends, holds) if turn % 2 else by_turns(holds, sends))
    assert faults(answers) == []
    withdrawal.refresh_from_db()
    held = PayoutHold.objects.exists()
    assert withdrawal.status == (W.HELD if held else W.COMPLETED)
    assert SandboxTransfer.objects.count() == (0 if held else 1)


@pytest.mark.parametrize("turn", range(6))
def test_cancelling_against_sending(turn: int) -> None:
    user = builder("anaya")
    withdrawal = ask(user)
    sends, cancels = lambda: actions.send_withdrawal(withdrawal.pk), lambda: actions.cancel_withdrawal(withdrawal.pk, actor=user)
    answers = together(6, by_turns(sends, cancels) if turn % 2 else by_turns(cancels, sends))
    assert faults(answers) == []
    withdrawal.refresh_from_db()
    assert withdrawal.status in (W.CANCELLED, W.COMPLETED)
    cancelled = withdrawal.status == W.CANCELLED
    assert SandboxTransfer.objects.count() == (0 if cancelled else 1)
    assert ledger.balance("earnings", owner=user.pk) == D(100 if cancelled else 70)
    assert ledger.balance("payouts") == 0


def test_asking_while_the_person_is_being_held() -> None:
    user = builder("anaya")
    answers = together(6, by_turns(lambda: ask(user, "10.00"), lambda: actions.hold_withdrawals_of(user.pk, reason="We look at it.", incident=None)))
    assert faults(answers) == []
    assert PayoutHold.objects.count() == 1
    assert set(Withdrawal.objects.values_list("status", flat=True)) == {W.HELD}


def test_batches_made_at_once_take_each_line_once() -> None:
    owners = [builder(f"b{n}") for n in range(12)]
    lines = [ask(user, method="bank") for user in owners]
    staff = User.objects.create_user("olu@example.com", name="Olu", is_staff=True)
    answers = together(4, by_turns(lambda: actions.make_batch(actor=staff)))
    assert faults(answers) == []
    made = list(PayoutBatch.objects.all())
    assert made
    assert sum(batch.lines for batch in made) == len(lines)
    for batch in made:
        assert Withdrawal.objects.filter(batch=batch).count() == batch.lines
        assert batch.total == batch.lines * D("28.00")
    assert set(Withdrawal.objects.values_list("status", flat=True)) == {W.SENDING}


@pytest.mark.parametrize("turn", range(4))
def test_batch_export_hold_and_cancel_of_the_same_lines(turn: int) -> None:
    """What is in the file is exactly what was not held or cancelled before it, and everything else is not paid."""
    owners = [builder(f"b{n}") for n in range(4)]
    lines = [ask(user, method="bank") for user in owners]
    staff = User.objects.create_user("olu@example.com", name="Olu", is_staff=True)
    batch = actions.make_batch(actor=staff)
    work = [
        lambda: actions.export_batch(batch.pk, actor=staff, kind="xml"),
        lambda: actions.hold_withdrawals_of(owners[0].pk, reason="We look at it.", incident=None),
        lambda: actions.hold_withdrawal(lines[1].pk, actor=staff, reason="We look at it."),
        lambda: actions.cancel_withdrawal(lines[2].pk, actor=owners[2]),
        lambda: User.objects.filter(pk=owners[3].pk).update(suspended_at=now(), suspension_reason="x"),
        lambda: actions.give_back_withdrawal(lines[1].pk, actor=staff, reason="Not today."),
    ]
    answers = together(6, by_turns(*work[turn:], *work[:turn]))
    assert faults(answers) == []
    batch.refresh_from_db()
    inside = Withdrawal.objects.filter(batch=batch)
    assert batch.exported_at is not None
    # One can be given back after the file was made: staff say what the bank has answered.
    assert inside.count() == batch.lines
    assert all(line.status == W.SENDING or (line.failed_at or line.requested_at) >= batch.exported_at for line in inside)
    assert batch.total == batch.lines * D("28.00")
    for line in Withdrawal.objects.exclude(batch=batch):
        assert line.status in (W.HELD, W.FAILED)
    assert Withdrawal.objects.get(pk=lines[2].pk).status == W.SENDING  # in a batch nobody cancels any more


def test_one_batch_settled_from_two_sides() -> None:
    owners = [builder(f"b{n}") for n in range(6)]
    lines = [ask(user, method="bank") for user in owners]
    staff = User.objects.create_user("olu@example.com", name="Olu", is_staff=True)
    batch = actions.make_batch(actor=staff)
    actions.export_batch(batch.pk, actor=staff, kind="xml")
    work = [
        lambda: actions.settle_batch(batch.pk, actor=staff),
        lambda: actions.settle_batch(batch.pk, actor=staff, reason="The bank refused the file."),
        lambda: actions.mark_line_sent(lines[3].pk, actor=staff),
    ]
    answers = together(6, by_turns(*work))
    assert faults(answers) == []
    assert not Withdrawal.objects.filter(status=W.SENDING).exists()
    assert ledger.balance("payouts") == 0
    for line in Withdrawal.objects.select_related("user"):
        assert ledger.balance("earnings", owner=line.user_id) == (D(70) if line.status == W.COMPLETED else D(100))
