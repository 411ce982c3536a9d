"""Withdrawals: cover, address, pressing twice, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, escrow, ledger
from port444.payments.models import PayoutAddress, SandboxTransfer, Withdrawal, WithdrawalStatus
from port444.payments.providers import Unavailable
from port444.payments.providers.sandbox import BAD_ADDRESS, Sandbox

pytestmark = pytest.mark.django_db

D = Decimal
ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"


@pytest.fixture
def rich(paid: Callable[..., Any], builder_user: User) -> User:
    """A builder who has earned 90.00 and said where it goes."""
    thing, _, _ = paid()
    escrow.current().release(thing.deal, D("100.00"), "r")
    actions.change_payout_address(ADDRESS, actor=builder_user)
    OrmQ.objects.all().delete()
    return builder_user


def test_earnings_go_to_the_wallet(rich: User) -> None:
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=uuid7())
    assert (ledger.balance("earnings", owner=rich.pk), ledger.balance("payouts")) == (D("30.00"), D("60.00"))
    withdrawal = actions.send_withdrawal(withdrawal.pk)
    assert (withdrawal.status, withdrawal.address) == (WithdrawalStatus.COMPLETED, ADDRESS)
    assert (ledger.balance("payouts"), ledger.balance("fees")) == (D(0), D("16.00"))  # 5.50, 10.00 and the network fee
    transfer = SandboxTransfer.objects.get()
    assert (transfer.amount, transfer.destination) == (D("59.50"), ADDRESS)
    assert Notification.objects.filter(user=rich, kind="withdrawal.completed").count() == 1
    assert list(AuditLog.objects.filter(event_type__startswith="withdrawal").order_by("pk").values_list("event_type", "amount")) == [
        ("withdrawal.requested", D("60.00")),
        ("withdrawal.begun", D("60.00")),
        ("withdrawal.completed", D("60.00")),
    ]
    assert AuditLog.objects.get(event_type="withdrawal.begun").before_state == {"status": "requested"}
    assert AuditLog.objects.get(event_type="withdrawal.completed").after_state == {"status": "completed"}


def test_pressing_twice_withdraws_once(rich: User) -> None:
    key = uuid7()
    first = actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=key)
    assert actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=key) == first
    with pytest.raises(Conflict, match="another amount"):
        actions.request_withdrawal(actor=rich, amount=D("20.00"), client_key=key)
    assert ledger.balance("earnings", owner=rich.pk) == D("30.00")
    assert sorted(task.func() for task in OrmQ.objects.all()) == ["auditlog.jobs.detect", "port444.payments.jobs.send_withdrawal"]


@pytest.mark.parametrize(
    ("amount", "code"),
    [("90.01", "not_covered"), ("9.99", "amount_small"), ("0", "amount_zero"), ("-1", "amount_range"), ("10.001", "amount_places")],
)
def test_a_wrong_amount_is_refused(rich: User, amount: str, code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        actions.request_withdrawal(actor=rich, amount=D(amount), client_key=uuid7())
    assert refusal.value.code == code
    assert (Withdrawal.objects.count(), OrmQ.objects.count()) == (0, 0)
    assert ledger.balance("earnings", owner=rich.pk) == D("90.00")


def test_nothing_goes_without_an_address(rich: User) -> None:
    PayoutAddress.objects.all().delete()
    with pytest.raises(Invalid, match="where the money should go"):
        actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=uuid7())
    assert not Withdrawal.objects.exists()


def test_a_suspended_builder_cannot_withdraw(rich: User) -> None:
    User.objects.filter(pk=rich.pk).update(suspended_at=rich.created_at, suspension_reason="Looked at")
    with pytest.raises(NotAllowed):
        actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=uuid7())
    assert not Withdrawal.objects.exists()


def test_a_refused_withdrawal_gives_the_money_back(rich: User) -> None:
    actions.change_payout_address(BAD_ADDRESS, actor=rich)
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=uuid7())
    withdrawal = actions.send_withdrawal(withdrawal.pk)
    assert withdrawal.status == WithdrawalStatus.FAILED
    assert (ledger.balance("earnings", owner=rich.pk), ledger.balance("payouts")) == (D("90.00"), D(0))
    assert Notification.objects.filter(user=rich, kind="withdrawal.failed").count() == 1
    assert actions.send_withdrawal(withdrawal.pk).status == WithdrawalStatus.FAILED


def test_no_answer_leaves_it_on_its_way(rich: User, monkeypatch: pytest.MonkeyPatch) -> None:
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("60.00"), client_key=uuid7())

    def silence(self: object, withdrawal: Withdrawal) -> str:
        raise Unavailable("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "payout", silence)
        assert actions.send_withdrawal(withdrawal.pk).status == WithdrawalStatus.SENDING
    actions.send_withdrawal(withdrawal.pk)
    actions.send_withdrawal(withdrawal.pk)
    assert SandboxTransfer.objects.count() == 1


@pytest.mark.parametrize("address", ["", "0x", "0x123", "71C7656EC7ab88b098defB751B7401B5f6d8976F", ADDRESS + "0", "0x" + "g" * 40, "0x" + "0" * 40])
def test_what_is_not_an_address_is_refused(builder_user: User, address: str) -> None:
    with pytest.raises(Invalid):
        actions.change_payout_address(address, actor=builder_user)
    assert not PayoutAddress.objects.exists()
    assert not AuditLog.objects.filter(event_type="payout_address.added").exists()


def test_changing_the_address_is_logged_and_told(rich: User) -> None:
    other = "0x" + "ab" * 20
    actions.change_payout_address(other, actor=rich)
    actions.change_payout_address(other, actor=rich)
    logged = AuditLog.objects.filter(event_type="payout_address.added").order_by("-pk")
    assert logged.count() == 2
    assert Notification.objects.filter(user=rich, kind="payout_address.changed").count() == 2
