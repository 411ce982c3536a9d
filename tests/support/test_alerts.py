"""What follows from an incident by itself: staff are told once, channels get what is signed, withdrawals wait."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django_q.models import OrmQ

from auditlog.actions import Finding, Reason, Taken, casework, take_finding
from auditlog.models import DetectionMethod, EventKind, IncidentAlert, IncidentEvent, IncidentSeverity, IncidentStatus, IncidentType
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.models import PayoutHold, WithdrawalStatus
from support.actions import alerts_due, hold_for, send_alert, send_digest

pytestmark = pytest.mark.django_db

S = IncidentSeverity


@pytest.fixture
def channel(settings: Any) -> Iterator[list[tuple[dict[str, str], bytes]]]:
    """A server that keeps what it is told; it refuses while `answers` says so."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Takes(BaseHTTPRequestHandler):
        answers = [200]

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if status == 200:
                got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Takes)
    Thread(target=server.serve_forever, daemon=True).start()
    settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/hook"
    settings.ALERT_WEBHOOK_SECRETS = ["new-secret", "old-secret"]
    Takes.answers = [200]
    settings.TEST_ANSWERS = Takes.answers
    yield got
    server.shutdown()
    server.server_close()


def finding(person: User, **facts: Any) -> Finding:
    said: dict[str, Any] = {"severity": S.MEDIUM, "confidence": 60, "reasons": [Reason(60, "One wallet")], "detector": "links", "hold_at": 80} | facts
    return Finding(f"multi_account:{person.pk}", IncidentType.MULTI_ACCOUNTING, description="Three builders, one wallet", user_id=person.pk, **said)


def told(user: User) -> int:
    return Notification.objects.filter(user=user, kind="incident.alert").count()


def test_staff_are_told_when_it_opens_and_when_it_rises_and_not_again(builder_user: User, security: User, auditor: User) -> None:
    assert take_finding(finding(builder_user)).taken == Taken.OPENED
    assert told(security) == 1
    assert told(auditor) == 0, "who cannot act is not woken"
    repeated = take_finding(finding(builder_user))
    assert repeated.taken == Taken.REPEATED
    assert repeated.incident is not None
    assert repeated.incident.hits == 2
    assert told(security) == 1
    raised = take_finding(finding(builder_user, severity=S.HIGH))
    assert raised.taken == Taken.RAISED
    assert told(security) == 2
    assert raised.incident is not None
    raised.incident.refresh_from_db()
    assert raised.incident.alerted_admins == [security.pk]
    fallen = take_finding(finding(builder_user, severity=S.LOW, confidence=10))
    assert fallen.incident is not None
    assert (fallen.incident.severity, fallen.incident.confidence, fallen.incident.hits) == (S.HIGH, 60, 4)
    assert told(security) == 2


def test_weak_signs_and_ones_own_case_tell_nobody(builder_user: User, security: User) -> None:
    take_finding(finding(builder_user, severity=S.LOW))
    take_finding(finding(security, severity=S.CRITICAL))
    assert told(security) == 0
    assert not IncidentAlert.objects.exists()


def test_a_webhook_gets_it_once_and_signed_with_each_secret(builder_user: User, channel: list[tuple[dict[str, str], bytes]]) -> None:
    incident = take_finding(finding(builder_user)).incident
    assert incident is not None
    alert = IncidentAlert.objects.get()
    send_alert(alert.pk)
    send_alert(alert.pk)
    with at(now() + timedelta(days=1)):
        send_alert(alert.pk)
        assert list(alerts_due(now())) == []
    [(headers, body)] = channel
    said = json.loads(body)
    assert said["type"] == "incident.opened"
    assert said["data"]["user_ids"] == [str(builder_user.pk)]
    assert said["data"]["reasons"][0]["points"] == 60
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in (b"new-secret", b"old-secret")]
    assert headers["webhook-signature"].split() == [f"v1,{one}" for one in expected]
    alert.refresh_from_db()
    assert alert.sent_at is not None


def test_a_second_worker_does_not_tell_while_the_first_does(builder_user: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALERT_WEBHOOK_URL = "https://alerts.example.com/"
    take_finding(finding(builder_user))
    alert, posted = IncidentAlert.objects.get(), []

    def post(row: IncidentAlert, moment: Any) -> str:
        posted.append(row.pk)
        if len(posted) < 3:
            send_alert(row.pk)
        return ""

    monkeypatch.setattr("support.actions.alerts._post", post)
    send_alert(alert.pk)
    assert posted == [alert.pk]


def test_a_refused_alert_is_tried_again_later_and_given_up_at_last(
    builder_user: User, channel: list[tuple[dict[str, str], bytes]], settings: Any
) -> None:
    settings.TEST_ANSWERS[:] = [500]
    moment = now()
    with at(moment):
        take_finding(finding(builder_user))
        alert = IncidentAlert.objects.get()
        send_alert(alert.pk)
        send_alert(alert.pk)
    alert.refresh_from_db()
    assert (alert.tries, alert.error, alert.sent_at) == (1, "Answered 500", None)
    assert list(alerts_due(moment + timedelta(seconds=59))) == []
    for _ in range(5):
        moment = alert.next_try_at
        assert list(alerts_due(moment)) == [alert.pk]
        with at(moment):
            send_alert(alert.pk)
        alert.refresh_from_db()
    assert (alert.tries, channel) == (6, [])
    assert alert.given_up_at is not None
    assert list(alerts_due(moment + timedelta(days=30))) == []


def test_slack_gets_words_without_markup_of_strangers(builder_user: User, channel: Any, settings: Any) -> None:
    settings.ALERT_SLACK_URL, settings.ALERT_WEBHOOK_URL = settings.ALERT_WEBHOOK_URL, ""
    take_finding(finding(builder_user, reasons=[Reason(60, "Paid <!channel>")]))
    send_alert(IncidentAlert.objects.get().pk)
    [(_, body)] = channel
    assert "<!channel>" not in body.decode()
    assert "Three builders, one wallet" in json.loads(body)["text"]


def test_sure_findings_hold_withdrawals_for_at_most_72_hours_and_once(builder_user: User) -> None:
    ledger.post("test", "Earned", [(ledger.EXTERNAL, Decimal(-50)), (ledger.earnings(builder_user.pk), Decimal(50))])
    payments.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    withdrawal = payments.request_withdrawal(actor=builder_user, amount=Decimal("20.00"), client_key=uuid7())
    moment = now()
    with at(moment):
        incident = take_finding(finding(builder_user, confidence=79)).incident
        assert incident is not None
        assert not OrmQ.objects.filter(payload__contains="hold_for").exists() or PayoutHold.objects.count() == 0
        incident = take_finding(finding(builder_user, confidence=85)).incident
        assert incident is not None
        assert hold_for(incident.pk) == 1
        assert hold_for(incident.pk) == 0
    withdrawal.refresh_from_db()
    assert withdrawal.status == WithdrawalStatus.HELD
    hold = PayoutHold.objects.get()
    assert hold.until is not None
    assert hold.until - moment == timedelta(hours=72)
    later = payments.request_withdrawal(actor=builder_user, amount=Decimal("10.00"), client_key=uuid7())
    assert later.status == WithdrawalStatus.HELD, "one that is asked for meanwhile waits as well"
    assert IncidentEvent.objects.filter(incident=incident, kind=EventKind.HELD).count() == 1
    payments.end_hold(hold.pk, actor=None, reason="Time is over")
    assert hold_for(incident.pk) == 0, "and it is not held by a program again"


def test_only_the_withdrawal_that_an_incident_is_about_waits(builder_user: User) -> None:
    ledger.post("test", "Earned", [(ledger.EXTERNAL, Decimal(-50)), (ledger.earnings(builder_user.pk), Decimal(50))])
    payments.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    fast, other = (payments.request_withdrawal(actor=builder_user, amount=Decimal("20.00"), client_key=uuid7()) for _ in range(2))
    incident = take_finding(finding(builder_user, confidence=90, withdrawal_id=fast.pk)).incident
    assert incident is not None
    assert hold_for(incident.pk) == 1
    fast.refresh_from_db()
    other.refresh_from_db()
    assert (fast.status, other.status) == (WithdrawalStatus.HELD, WithdrawalStatus.REQUESTED)


def test_nothing_is_held_for_a_closed_incident(builder_user: User, security: User) -> None:
    incident = take_finding(finding(builder_user, confidence=90)).incident
    assert incident is not None
    incident.move_to(IncidentStatus.FALSE_POSITIVE, resolved_by=security.pk, resolved_at=now(), resolution="A family")
    assert hold_for(incident.pk) == 0
    assert not PayoutHold.objects.exists()


def test_the_digest_tells_the_rest_once_a_day(builder_user: User, client_user: User, security: User) -> None:
    moment = now()
    with at(moment):
        assert send_digest(moment) == 0
        take_finding(finding(builder_user, severity=S.LOW))
        take_finding(finding(client_user), method=DetectionMethod.MANUAL)
    with at(moment + timedelta(hours=2)):
        assert send_digest(now()) == 1
        assert send_digest(now()) == 1
    digest = Notification.objects.get(user=security, kind="incident.digest")
    assert digest.context["facts"] == [["Weak signs", "1"]]


def test_the_digest_counts_nothing_that_is_about_its_reader(security: User, make_user: Callable[..., User], builder_user: User) -> None:
    """Not as weak, found again, overdue, kept quiet or as money; who has nothing else to read gets no digest."""
    other = make_user("Ada Other", is_staff=True, is_superuser=True)
    moment = now()
    cases: list[tuple[list[UUID], dict[str, Any]]] = [
        ([], {"severity": S.LOW, "user_id": security.pk}),
        ([security.pk], {"severity": S.HIGH, "user_id": builder_user.pk, "potential_loss": Decimal("70.00")}),
        ([security.pk], {"severity": S.LOW, "user_id": other.pk}),
    ]
    with at(moment):
        for n, (people, facts) in enumerate(cases):
            take_finding(replace(finding(builder_user), fingerprint=f"case:{n}", related_users=people, **facts))
        quiet = take_finding(replace(finding(security), fingerprint="quiet")).incident
        assert quiet is not None
        casework.mark_false_positive(quiet.pk, actor=other, reason="A couple.")
        assert take_finding(replace(finding(security), fingerprint="quiet")).taken == Taken.SUPPRESSED
    with at(moment + timedelta(hours=23)):
        take_finding(
            replace(finding(builder_user, severity=S.HIGH, potential_loss=Decimal("70.00")), fingerprint="case:1", related_users=[security.pk])
        )
        assert send_digest(now()) == 1
    assert not Notification.objects.filter(user=security, kind="incident.digest").exists()
    digest = Notification.objects.get(user=other, kind="incident.digest")
    assert digest.context["facts"] == [["Weak signs", "1"], ["Kept quiet, and found again", "1"], ["Can still be lost", "$70.00"]]


def test_a_room_of_chat_hears_nothing_about_staff(channel: Any, settings: Any, security: User, builder_user: User) -> None:
    settings.ALERT_SLACK_URL = settings.ALERT_WEBHOOK_URL
    take_finding(replace(finding(builder_user), related_users=[security.pk]))
    assert list(IncidentAlert.objects.values_list("channel", flat=True)) == ["webhook"]
