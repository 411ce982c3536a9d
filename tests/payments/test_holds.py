"""What keeps a withdrawal: one, all of a person's, those asked for later; and what lets it go on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, jobs, ledger
from port444.payments.models import PayoutHold, SandboxTransfer, Withdrawal, WithdrawalStatus

pytestmark = pytest.mark.django_db

D = Decimal
W = WithdrawalStatus
WHY = "We look at the last orders first."


def ask(user: User, amount: str = "20.00", method: str = "wallet") -> Withdrawal:
    return actions.request_withdrawal(actor=user, amount=D(amount), client_key=uuid7(), method=method)


def status(withdrawal: Withdrawal) -> str:
    return str(Withdrawal.objects.get(pk=withdrawal.pk).status)


def test_a_held_one_is_not_sent_until_staff_let_it_go(rich: User, staff: User) -> None:
    withdrawal, incident = ask(rich), uuid7()
    hold = actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY, incident=incident)
    assert actions.hold_withdrawal(withdrawal.pk, actor=None, reason="Again", incident=incident) == hold
    assert actions.send_withdrawal(withdrawal.pk).status == W.HELD
    with at(now() + timedelta(hours=1)):
        jobs.send_waiting()
    assert not SandboxTransfer.objects.exists()
    assert Notification.objects.get(user=rich, kind="withdrawal.held").body.startswith(WHY)
    OrmQ.objects.all().delete()
    actions.release_withdrawal(withdrawal.pk, actor=staff, reason="All in order")
    assert status(withdrawal) == W.REQUESTED
    assert OrmQ.objects.count() >= 1
    assert actions.send_withdrawal(withdrawal.pk).status == W.COMPLETED
    hold.refresh_from_db()
    assert (hold.ended_by, hold.end_reason) == (staff, "All in order")
    logged = AuditLog.objects.filter(event_type__in=["withdrawal.held", "withdrawal.released"]).order_by("pk")
    assert [(row.event_type, row.description, row.actor_id) for row in logged] == [
        ("withdrawal.held", WHY, None),
        ("withdrawal.released", "All in order", staff.pk),
    ]
    assert logged[0].metadata["incident"] == str(incident)


def test_holding_a_person_holds_what_waits_and_what_comes(rich: User, staff: User) -> None:
    first, gone, to_bank = ask(rich), ask(rich, "10.00"), ask(rich, "25.00", "bank")
    actions.send_withdrawal(gone.pk)
    hold = actions.hold_withdrawals_of(rich.pk, reason=WHY, incident=uuid7())
    assert actions.hold_withdrawals_of(rich.pk, reason=WHY, incident=hold.incident_id) == hold
    OrmQ.objects.all().delete()
    later = ask(rich)
    assert [status(row) for row in (first, gone, to_bank, later)] == [W.HELD, W.COMPLETED, W.HELD, W.HELD]
    assert not OrmQ.objects.filter(payload__contains="send_withdrawal").exists()
    with pytest.raises(Conflict) as refusal:
        actions.release_withdrawal(first.pk, actor=staff, reason="This one is good")
    assert refusal.value.code == "person_held"
    with pytest.raises(Conflict) as refusal:
        actions.make_batch(actor=staff)
    assert refusal.value.code == "nothing_due"
    actions.end_hold(hold.pk, actor=staff, reason="All in order")
    actions.end_hold(hold.pk, actor=staff, reason="Pressed twice")
    assert [status(row) for row in (first, gone, to_bank, later)] == [W.REQUESTED, W.COMPLETED, W.REQUESTED, W.REQUESTED]
    assert status(ask(rich)) == W.REQUESTED
    assert AuditLog.objects.filter(event_type="payouts.released").count() == 1


def test_two_holds_on_one_are_both_needed_to_end(rich: User, staff: User) -> None:
    withdrawal = ask(rich)
    first = actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY, incident=uuid7())
    person = actions.hold_withdrawals_of(rich.pk, reason=WHY, incident=uuid7())
    actions.end_hold(person.pk, actor=staff, reason="One of two")
    assert status(withdrawal) == W.HELD
    actions.end_hold(first.pk, actor=staff, reason="The other")
    assert status(withdrawal) == W.REQUESTED


def test_a_hold_can_end_by_itself(rich: User) -> None:
    withdrawal = ask(rich)
    until = now() + timedelta(hours=24)
    actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY, until=until)
    with at(until - timedelta(seconds=1)):
        assert jobs.end_holds() == 0
    with at(until):
        assert jobs.end_holds() == 1
    assert status(withdrawal) == W.REQUESTED


def test_what_has_left_cannot_be_held(rich: User) -> None:
    withdrawal = ask(rich)
    actions.begin_withdrawal(withdrawal.pk)
    with pytest.raises(WrongState) as refusal:
        actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY)
    assert refusal.value.code == "already_sent"
    actions.hold_withdrawals_of(rich.pk, reason=WHY, incident=None)
    assert status(withdrawal) == W.SENDING
    assert actions.send_withdrawal(withdrawal.pk).status == W.COMPLETED


def test_the_database_itself_lets_nothing_held_go(rich: User) -> None:
    """Even where code forgot to look."""
    withdrawal = ask(rich)
    PayoutHold.objects.create(user=rich, reason=WHY)
    with pytest.raises(IntegrityError, match="is held"), transaction.atomic():
        withdrawal.move_to(W.SENDING, sending_at=now())
    assert actions.begin_withdrawal(withdrawal.pk).status == W.REQUESTED


def test_only_staff_hold_release_and_give_back(rich: User, stranger: User) -> None:
    withdrawal = ask(rich)
    for act in (
        lambda: actions.hold_withdrawal(withdrawal.pk, actor=stranger, reason=WHY),
        lambda: actions.hold_withdrawals_of(rich.pk, actor=rich, reason=WHY),
        lambda: actions.release_withdrawal(withdrawal.pk, actor=rich, reason=WHY),
        lambda: actions.give_back_withdrawal(withdrawal.pk, actor=rich, reason=WHY),
        lambda: actions.make_batch(actor=rich),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert not PayoutHold.objects.exists()
    assert status(withdrawal) == W.REQUESTED


def test_a_hold_needs_a_reason(rich: User) -> None:
    withdrawal = ask(rich)
    with pytest.raises(Invalid):
        actions.hold_withdrawal(withdrawal.pk, actor=None, reason="  ")
    assert not PayoutHold.objects.exists()


def test_cancelling_gives_all_of_it_back(rich: User) -> None:
    withdrawal = ask(rich, "60.00")
    assert ledger.balance("earnings", owner=rich.pk) == D("40.00")
    actions.cancel_withdrawal(withdrawal.pk, actor=rich)
    assert (ledger.balance("earnings", owner=rich.pk), ledger.balance("payouts")) == (D("100.00"), D(0))
    assert actions.send_withdrawal(withdrawal.pk).status == W.CANCELLED
    with pytest.raises(WrongState):
        actions.cancel_withdrawal(withdrawal.pk, actor=rich)
    assert ledger.balance("earnings", owner=rich.pk) == D("100.00")
    assert AuditLog.objects.filter(event_type="withdrawal.cancelled", actor_id=rich.pk).count() == 1
    assert not SandboxTransfer.objects.exists()


@pytest.mark.parametrize("how", ["held", "sending", "sent", "stranger"])
def test_what_cannot_be_cancelled(rich: User, stranger: User, how: str) -> None:
    withdrawal = ask(rich)
    if how == "held":
        actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY)
    elif how == "sending":
        actions.begin_withdrawal(withdrawal.pk)
    elif how == "sent":
        actions.send_withdrawal(withdrawal.pk)
    before = status(withdrawal)
    with pytest.raises(NotAllowed if how == "stranger" else WrongState):
        actions.cancel_withdrawal(withdrawal.pk, actor=stranger if how == "stranger" else rich)
    assert status(withdrawal) == before
    assert ledger.balance("earnings", owner=rich.pk) == D("80.00")


def test_staff_give_a_held_one_back(rich: User, staff: User) -> None:
    withdrawal = ask(rich, "60.00")
    actions.hold_withdrawal(withdrawal.pk, actor=None, reason=WHY)
    actions.give_back_withdrawal(withdrawal.pk, actor=staff, reason="The wallet is not yours.")
    assert status(withdrawal) == W.FAILED
    assert ledger.balance("earnings", owner=rich.pk) == D("100.00")
    assert not PayoutHold.objects.standing().exists()
    assert "The wallet is not yours." in Notification.objects.get(user=rich, kind="withdrawal.failed").body
    sent = ask(rich)
    actions.send_withdrawal(sent.pk)
    with pytest.raises(WrongState):
        actions.give_back_withdrawal(sent.pk, actor=staff, reason="Too late for that")
    assert ledger.balance("earnings", owner=rich.pk) == D("80.00")


def test_new_details_rest_before_money_goes_there(rich: User, settings: Any) -> None:
    settings.PAYOUT_REST_HOURS = 24
    moment = now()
    with at(moment):
        actions.change_payout_address("0x" + "ab" * 20, actor=rich)
        OrmQ.objects.all().delete()
        withdrawal = ask(rich)
        assert withdrawal.due_at == moment + timedelta(hours=24)
        assert not OrmQ.objects.filter(payload__contains="send_withdrawal").exists()
        assert actions.send_withdrawal(withdrawal.pk).status == W.REQUESTED
    with at(moment + timedelta(hours=23, minutes=59)):
        jobs.send_waiting()
        assert status(withdrawal) == W.REQUESTED
    with at(moment + timedelta(hours=24, minutes=2)):
        jobs.send_waiting()
    assert status(withdrawal) == W.COMPLETED


def test_so_much_a_day(rich: User, settings: Any) -> None:
    settings.MOST_WITHDRAWN_A_DAY = D("50.00")
    ask(rich, "30.00")
    back = ask(rich, "20.00")
    with pytest.raises(DomainError, match=r"\$0\.00 of that is left") as refusal:
        ask(rich, "10.00")
    assert refusal.value.code == "day_limit"
    actions.cancel_withdrawal(back.pk, actor=rich)
    ask(rich, "20.00")
    with at(now() + timedelta(hours=24)):
        ask(rich, "30.00")
    assert ledger.balance("earnings", owner=rich.pk) == D("20.00")


def test_a_suspended_person_is_not_paid(rich: User) -> None:
    withdrawal = ask(rich)
    User.objects.filter(pk=rich.pk).update(suspended_at=now(), suspension_reason="Looked at")
    assert actions.send_withdrawal(withdrawal.pk).status == W.REQUESTED
    with at(now() + timedelta(hours=1)):
        assert jobs.send_waiting() == 0
    assert not SandboxTransfer.objects.exists()
