"""Completing and cancelling: who, when, and where the money goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from consultations.actions import cancel_call, complete_call, complete_unattended
from consultations.jobs import complete_ended
from consultations.models import Attendance, Consultation, ConsultationStatus, SlotClaim
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.notifications.models import Notification
from port444.payments import escrow, ledger
from port444.payments.models import AccountKind, Refund

from .conftest import counts, free_time

C = ConsultationStatus
Hold = Callable[..., Consultation]


def test_the_builder_completes_and_is_paid(after_start: Consultation, builder_user: User) -> None:
    call = complete_call(after_start.pk, actor=builder_user, notes="Add an index on status.")
    assert (call.status, call.builder_notes, call.completed_at is not None) == ("completed", "Add an index on status.", True)
    assert ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk) == Decimal("54.00")
    assert ledger.balance(AccountKind.FEES) == Decimal("9.30")
    assert escrow.current().position(call.deal).locked == 0
    assert [n.user_id for n in Notification.objects.filter(kind="call_completed")] == [call.client_id, builder_user.pk]


def test_a_call_that_has_not_begun_cannot_be_completed(scheduled: Consultation, builder_user: User) -> None:
    before = counts()
    with clock.at(scheduled.scheduled_at - timedelta(seconds=1)), pytest.raises(WrongState):
        complete_call(scheduled.pk, actor=builder_user)
    assert counts() == before


@pytest.mark.parametrize("who", ["client_user", "stranger", "staff"])
def test_only_the_builder_completes(after_start: Consultation, who: str, request: pytest.FixtureRequest) -> None:
    actor, before = request.getfixturevalue(who), counts()
    with pytest.raises(NotAllowed):
        complete_call(after_start.pk, actor=actor)
    assert counts() == before


def test_notes_have_an_end(after_start: Consultation, builder_user: User) -> None:
    before = counts()
    with pytest.raises(Invalid):
        complete_call(after_start.pk, actor=builder_user, notes="x" * 3001)
    assert counts() == before


def in_state(call: Consultation, status: str) -> None:
    """Put the row where the test needs it; only `scheduled` can be acted on, so any other must refuse."""
    stamp = call.paid_at
    facts: dict[str, dict[str, Any]] = {
        C.COMPLETED: {"completed_at": stamp},
        C.CANCELLED: {"cancelled_at": stamp},
        C.NO_SHOW: {"no_show_at": stamp, "no_show_party": "builder"},
        C.RESCHEDULED: {"rescheduled_at": stamp},
    }
    Consultation.objects.filter(pk=call.pk).update(status=status, **facts.get(status, {}))


WRONG = [status for status in C if C.COMPLETED not in Consultation.NEXT.get(status, ())]


@pytest.mark.parametrize("status", WRONG)
def test_nothing_but_a_scheduled_call_is_completed_or_cancelled(after_start: Consultation, builder_user: User, status: str) -> None:
    in_state(after_start, status)
    before = counts()
    with pytest.raises(WrongState):
        complete_call(after_start.pk, actor=builder_user)
    with pytest.raises(WrongState):
        cancel_call(after_start.pk, actor=builder_user)
    with pytest.raises(WrongState):
        complete_unattended(after_start.pk)
    assert counts() == before


def test_a_client_who_cancels_in_time_gets_everything_back(scheduled: Consultation, client_user: User) -> None:
    with clock.at(free_time(scheduled) - timedelta(seconds=1)):
        call = cancel_call(scheduled.pk, actor=client_user, reason="Solved it.")
    assert (call.status, call.cancelled_by, call.cancellation_reason, call.ical_sequence) == ("cancelled", client_user, "Solved it.", 1)
    assert SlotClaim.objects.get(consultation=call).status == "released"
    assert Refund.objects.get().amount == Decimal("63.30")
    assert ledger.balance(AccountKind.FEES) == 0
    assert ledger.balance(AccountKind.CLIENT, owner=client_user.pk) == 0
    assert Notification.objects.filter(kind="call_cancelled").count() == 2


def test_a_client_who_cancels_late_pays(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    with clock.at(free_time(scheduled)):
        call = cancel_call(scheduled.pk, actor=client_user)
    assert (call.status, Refund.objects.count()) == ("cancelled", 0)
    assert ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk) == Decimal("54.00")
    assert ledger.balance(AccountKind.FEES) == Decimal("9.30")


@pytest.mark.parametrize("minutes", [-600, -1, 0, 25, 300])
def test_a_builder_who_cancels_always_gives_everything_back(scheduled: Consultation, builder_user: User, minutes: int) -> None:
    with clock.at(scheduled.scheduled_at + timedelta(minutes=minutes)):
        cancel_call(scheduled.pk, actor=builder_user, reason="I am ill.")
    assert (Refund.objects.get().amount, ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk)) == (Decimal("63.30"), Decimal(0))


def test_a_client_cannot_cancel_what_has_begun(after_start: Consultation, client_user: User) -> None:
    before = counts()
    with pytest.raises(NotAllowed):
        cancel_call(after_start.pk, actor=client_user)
    assert counts() == before


@pytest.mark.parametrize("who", ["stranger", "staff"])
def test_nobody_else_cancels(scheduled: Consultation, who: str, request: pytest.FixtureRequest) -> None:
    actor, before = request.getfixturevalue(who), counts()
    with pytest.raises(NotAllowed):
        cancel_call(scheduled.pk, actor=actor)
    assert counts() == before


def test_a_cancelled_time_can_be_booked_again(scheduled: Consultation, client_user: User, hold: Hold, stranger: User) -> None:
    cancel_call(scheduled.pk, actor=client_user)
    assert hold(stranger).status == "held"


def test_a_call_that_nobody_ended_completes_after_a_day(scheduled: Consultation, builder_user: User) -> None:
    with clock.at(scheduled.ends_at + timedelta(hours=24) - timedelta(seconds=1)):
        assert complete_ended() == 0
    with clock.at(scheduled.ends_at + timedelta(hours=24)):
        assert complete_ended() == 1
        assert complete_ended() == 0
    scheduled.refresh_from_db()
    assert scheduled.status == "completed"
    assert ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk) == Decimal("54.00")
    assert {n.user_id for n in Notification.objects.filter(kind="call_completed")} == {scheduled.client_id, builder_user.pk}


def test_a_client_who_cancels_late_on_a_suspended_builder_gets_everything_back(scheduled: Consultation, client_user: User) -> None:
    User.objects.filter(pk=scheduled.builder.user_id).update(suspended_at=clock.now(), suspension_reason="Under review for now")
    with clock.at(scheduled.scheduled_at - timedelta(minutes=5)):
        cancel_call(scheduled.pk, actor=client_user)
    assert Refund.objects.get().amount == scheduled.total
    assert ledger.balance(AccountKind.EARNINGS, owner=scheduled.builder.user_id) == 0


@pytest.mark.parametrize(("after_end", "status"), [(-1, C.CANCELLED), (1, C.COMPLETED)])
def test_a_call_of_a_builder_suspended_before_its_end_is_paid_back(scheduled: Consultation, after_end: int, status: str) -> None:
    moment = scheduled.ends_at + timedelta(minutes=after_end)
    User.objects.filter(pk=scheduled.builder.user_id).update(suspended_at=moment, suspension_reason="Under review for now")
    with clock.at(scheduled.ends_at + timedelta(days=2)):
        assert complete_ended() == 1
        scheduled.refresh_from_db()
    assert (scheduled.status, scheduled.cancelled_by) == (status, None)
    assert escrow.current().position(scheduled.deal).locked == 0
    assert sum((one.amount for one in Refund.objects.all()), Decimal(0)) == (scheduled.total if status == C.CANCELLED else 0)
    titles = set(Notification.objects.filter(kind="call_cancelled").values_list("title", flat=True))
    assert all(title.endswith("was cancelled") for title in titles)


def test_before_its_end_a_call_is_not_completed_over_a_client_who_waits_alone(scheduled: Consultation, builder_user: User) -> None:
    Attendance.objects.create(consultation=scheduled, party="client", source="join", joined_at=scheduled.scheduled_at)
    with clock.at(scheduled.ends_at - timedelta(seconds=1)):
        before = counts()
        with pytest.raises(WrongState, match="not over"):
            complete_call(scheduled.pk, actor=builder_user)
        assert counts() == before
    with clock.at(scheduled.ends_at):
        assert complete_call(scheduled.pk, actor=builder_user).status == "completed"
