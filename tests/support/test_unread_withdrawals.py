"""Nothing is sent before the detectors have read that it was asked for, and before what they want held is held."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django_q.models import OrmQ

from auditlog import queries
from auditlog.actions import Finding, casework, run_detectors, take_finding
from auditlog.models import DetectorMark, IncidentLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, jobs
from port444.payments.actions import reading
from port444.payments.bank import read_account
from port444.payments.models import PayoutHold, SandboxTransfer, Withdrawal, WithdrawalStatus
from support.actions import hold_for
from support.jobs import alerts
from tests.payments.conftest import ADDRESS, IBAN, earn

pytestmark = pytest.mark.django_db(transaction=True)

W = WithdrawalStatus
MINUTE = timedelta(minutes=1)


@pytest.fixture
def rich(make_user: Any) -> User:
    """The log of earlier tests stays; it was read before."""
    DetectorMark.objects.create(name="detectors", xid=last_xid(), row_id=queries.TO_ITS_END, looked_at=now())
    user: User = make_user("Rich Builder", is_builder=True)
    earn(user, "500.00")
    actions.change_payout_address(ADDRESS, actor=user)
    actions.change_bank_account(read_account(holder="Anaya Krishnan", iban=IBAN), actor=user)
    return user


def read() -> None:
    """Run the detectors until nothing is unread; who has just left may hold the horizon for a moment."""
    reading.have_read([Withdrawal(asked_xid=last_xid())], patience=30)


def last_xid() -> int:
    with transaction.atomic(), transaction.get_connection().cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint - 1")
        return int(cursor.fetchone()[0])


def ask(user: User, method: str = "wallet") -> Withdrawal:
    return actions.request_withdrawal(actor=user, amount=Decimal("50.00"), client_key=uuid7(), method=method)


def finding(user: User, withdrawal: Withdrawal | None = None, **facts: Any) -> Finding:
    said: dict[str, Any] = {"confidence": 90, "hold_at": 80, "detector": "fast_withdrawal", "user_id": user.pk} | facts
    if withdrawal is not None:
        said["withdrawal_id"] = withdrawal.pk
    return Finding(f"fast:{user.pk}", IncidentType.FAST_WITHDRAWAL, IncidentSeverity.HIGH, description="Fresh money leaves", **said)


def status(withdrawal: Withdrawal) -> str:
    return Withdrawal.objects.get(pk=withdrawal.pk).status


def test_what_the_detectors_have_not_read_is_not_sent(rich: User) -> None:
    withdrawal = ask(rich)
    assert not queries.detected().has_read(Withdrawal.objects.get(pk=withdrawal.pk).asked_xid)
    assert actions.send_withdrawal(withdrawal.pk).status == W.REQUESTED
    assert not SandboxTransfer.objects.exists()
    read()
    assert actions.send_withdrawal(withdrawal.pk).status == W.COMPLETED
    assert SandboxTransfer.objects.count() == 1


def test_the_job_that_sends_it_has_it_read_first(rich: User) -> None:
    withdrawal = ask(rich)
    jobs.send_withdrawal(str(withdrawal.pk))
    assert queries.detected().has_read(Withdrawal.objects.get(pk=withdrawal.pk).asked_xid)
    assert status(withdrawal) == W.COMPLETED


@pytest.mark.parametrize("one", [True, False], ids=["this one", "all of theirs"])
def test_what_is_to_be_held_is_not_sent_before_the_job_has_held_it(rich: User, *, one: bool) -> None:
    withdrawal = ask(rich)
    incident = take_finding(finding(rich, withdrawal if one else None)).incident
    assert incident is not None
    jobs.send_withdrawal(str(withdrawal.pk))
    assert status(withdrawal) == W.REQUESTED, "the detectors have read it, and nobody has held it yet"
    assert hold_for(incident.pk) == 1
    assert status(withdrawal) == W.HELD
    assert IncidentLog.objects.get().hold_wanted_at is None
    jobs.send_withdrawal(str(withdrawal.pk))
    assert status(withdrawal) == W.HELD


def test_others_do_not_wait_for_that(rich: User, make_user: Any) -> None:
    withdrawal = ask(rich)
    take_finding(finding(make_user("Other Builder", is_builder=True)))
    jobs.send_withdrawal(str(withdrawal.pk))
    assert status(withdrawal) == W.COMPLETED


def test_a_hold_whose_job_was_lost_is_made_by_the_sweep(rich: User) -> None:
    withdrawal = ask(rich)
    take_finding(finding(rich, withdrawal))
    OrmQ.objects.all().delete()
    with at(now() + 2 * MINUTE):
        alerts()
    assert (status(withdrawal), PayoutHold.objects.standing().count()) == (W.HELD, 1)


def test_what_is_merged_before_it_was_held_is_held_all_the_same(rich: User, make_user: Any, senior: User) -> None:
    withdrawal = ask(rich)
    part = take_finding(finding(rich)).incident
    whole = take_finding(finding(make_user("Other Builder", is_builder=True), hold_at=None)).incident
    assert part is not None
    assert whole is not None
    casework.merge(part.pk, actor=senior, into=whole.pk, reason="The same people.")
    jobs.send_withdrawal(str(withdrawal.pk))
    assert status(withdrawal) == W.REQUESTED
    assert hold_for(part.pk) == 1
    assert status(withdrawal) == W.HELD


def test_what_rises_meanwhile_still_waits(rich: User, make_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job held whom it knew of; somebody was added while it did."""
    incident = take_finding(finding(rich)).incident
    assert incident is not None
    late = make_user("Late Builder", is_builder=True)

    def and_rises(*args: Any, **more: Any) -> Any:
        monkeypatch.undo()
        take_finding(finding(rich, related_users=[late.pk], confidence=95))
        return actions.hold_withdrawals_of(*args, **more)

    monkeypatch.setattr("support.actions.alerts.hold_withdrawals_of", and_rises)
    hold_for(incident.pk)
    assert IncidentLog.objects.get().hold_wanted_at is not None
    hold_for(incident.pk)
    assert IncidentLog.objects.get().hold_wanted_at is None
    assert set(PayoutHold.objects.standing().values_list("user_id", flat=True)) == {rich.pk, late.pk}


def test_while_the_detectors_stand_still_nothing_is_sent_and_one_incident_says_so(
    rich: User, security: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawal = ask(rich)
    read()

    def breaks(**options: Any) -> None:
        raise RuntimeError("no detectors today")

    monkeypatch.setattr(reading, "run_detectors", breaks)
    for minutes in (14, 16, 17, 30):
        with at(now() + minutes * MINUTE):
            if minutes > 14:
                jobs.send_waiting()
                assert status(withdrawal) == W.REQUESTED
            else:
                assert actions.report_standing_still(now()) is None
    incident = IncidentLog.objects.get(fingerprint=reading.STANDING_STILL)
    assert (incident.hits, incident.severity, incident.reasons[0]["fact"]) == (1, "high", "1 withdrawal waits")
    assert Notification.objects.filter(user=security, kind="incident.alert").count() == 1
    assert not SandboxTransfer.objects.exists()
    monkeypatch.undo()
    with at(now() + 31 * MINUTE):
        jobs.send_waiting()
    assert status(withdrawal) == W.COMPLETED


def test_detectors_that_run_and_do_not_get_on_are_said_to_stand_still(rich: User) -> None:
    """Something that was begun before the request is not over: the log cannot be read past it."""
    withdrawal = ask(rich)
    with at(now() + 20 * MINUTE):
        DetectorMark.objects.update(looked_at=now())
        assert actions.report_standing_still(now()) is not None
        assert actions.send_withdrawal(withdrawal.pk).status == W.REQUESTED
    assert "do not get on" in IncidentLog.objects.get().reasons[0]["text"]


def test_without_a_withdrawal_that_waits_there_is_nothing_to_say(rich: User) -> None:
    with at(now() + 60 * MINUTE):
        jobs.send_waiting()
        assert queries.detecting_is_late()
    assert not IncidentLog.objects.exists()


def test_a_batch_takes_what_was_read_and_leaves_the_rest(rich: User, staff: User) -> None:
    first = ask(rich, "bank")
    read()
    second = ask(rich, "bank")
    batch = actions.make_batch(actor=staff)
    assert list(batch.withdrawals.all()) == [first]
    with pytest.raises(Conflict) as refusal:
        actions.make_batch(actor=staff)
    assert (refusal.value.code, status(second)) == ("unread", W.REQUESTED)
    take_finding(finding(rich))
    with pytest.raises(Conflict) as refusal:
        actions.export_batch(batch.pk, actor=staff, kind="xml")
    assert (refusal.value.code, status(first)) == ("unread", W.SENDING)


@pytest.mark.parametrize(
    ("mark", "following", "asked", "is_read"),
    [
        (100, 120, 100, True),
        (100, 120, 101, False),
        (-1, -1, 100, False),  # no run yet
        (5000, 120, 100, False),  # the mark is of another cluster
        (100, 120, 5000, True),  # what was asked for in another cluster was read with the first run in this one
    ],
)
def test_how_far_was_read(mark: int, following: int, asked: int, *, is_read: bool) -> None:
    assert queries.Detected(mark, now(), following).has_read(asked) is is_read


def test_a_chunk_that_ends_within_a_transaction_has_not_read_it(rich: User) -> None:
    read()
    mark = DetectorMark.objects.get()
    DetectorMark.objects.update(row_id=7)
    assert not queries.detected().has_read(mark.xid)
    run_detectors()
    assert queries.detected().has_read(mark.xid)
