"""Exactly once: two workers, workers that die, servers that refuse."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import connection

from port444.accounts.models import User
from port444.kit import clock, mail
from port444.notifications import actions, emails, jobs
from port444.notifications.kinds import Group, Kind, register
from port444.notifications.models import Delivery, DeliveryStatus, Notification
from scripts import mailsink

register(Kind("test.deliver", Group.ORDERS, urgent=True))
register(Kind("test.read", Group.ORDERS, urgent=True, skip_if_read=True))

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Worker(BaseException):
    """The worker is killed."""


def tell(user: User, kind: str = "test.deliver", at: datetime = START) -> Delivery:
    with clock.at(at):
        told = actions.notify(user, kind, title="Delivered", body="Look.", url="/orders/1/", dedupe_key="order:1:delivered")
    return told.deliveries.get()


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """Mails go to the embedded capture's own store."""

    def send(self: EmailMultiAlternatives, fail_silently: bool = False) -> int:
        mailsink.store(tmp_path / "mail", self.message().as_bytes())
        return 1

    monkeypatch.setattr(EmailMultiAlternatives, "send", send)
    return lambda: list((tmp_path / "mail").glob("*.eml"))


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_once(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = tell(client_user, at=clock.now())
    sent: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def slow(message: mail.Mail) -> None:
        assert not connection.in_atomic_block, "the network is never touched inside a transaction"
        sent.append(message.key)
        inside.set()
        go.wait(10)

    monkeypatch.setattr(mail, "send", slow)

    def work() -> None:
        try:
            actions.deliver(delivery.pk)
        finally:
            connection.close()

    first = threading.Thread(target=work)
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=work)
    second.start()
    second.join(10)
    assert not second.is_alive()
    go.set()
    first.join(10)
    assert sent == [str(delivery.pk)]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_meets_another_in_the_middle_of_its_claim_goes_on(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen the row as pending unless the claim locks it."""
    delivery = tell(client_user, at=clock.now())
    sent: list[str] = []
    claiming: list[str] = []
    inside, go = threading.Event(), threading.Event()
    move_to = Delivery.move_to

    def slow(self: Delivery, status: str, **stamps: Any) -> None:
        if status == DeliveryStatus.SENDING:
            claiming.append(status)
            inside.set()
            go.wait(10)
        move_to(self, status, **stamps)

    monkeypatch.setattr(Delivery, "move_to", slow)
    monkeypatch.setattr(mail, "send", lambda message: sent.append(message.key))

    def work() -> None:
        try:
            actions.deliver(delivery.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    workers[0].start()
    assert inside.wait(10)
    workers[1].start()
    workers[1].join(3)
    go.set()
    for worker in workers:
        worker.join(10)
    assert (len(claiming), sent) == (1, [str(delivery.pk)])


@pytest.mark.django_db
def test_a_worker_killed_after_the_claim_is_replaced_after_its_lease(
    client_user: User, monkeypatch: pytest.MonkeyPatch, sink: Callable[[], list[Path]]
) -> None:
    delivery = tell(client_user)

    def killed(_: Any) -> None:
        raise Worker

    with monkeypatch.context() as patch, clock.at(START):
        patch.setattr(mail, "send", killed)
        with pytest.raises(Worker):
            actions.deliver(delivery.pk)
    with clock.at(START + actions.LEASE - timedelta(seconds=1)):
        assert jobs.sweep() == 0
    assert sink() == []
    with clock.at(START + actions.LEASE):
        assert jobs.sweep() == 1
        assert jobs.sweep() == 0
    assert len(sink()) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.claimed_until) == (DeliveryStatus.SENT, 2, None)


@pytest.mark.django_db
def test_a_worker_killed_between_sending_and_marking_leaves_one_captured_mail(
    client_user: User, monkeypatch: pytest.MonkeyPatch, sink: Callable[[], list[Path]]
) -> None:
    delivery = tell(client_user)

    def killed(*_: Any, **__: Any) -> None:
        raise Worker

    with monkeypatch.context() as patch, clock.at(START):
        patch.setattr(actions, "_settle", killed)
        with pytest.raises(Worker):
            actions.deliver(delivery.pk)
    assert len(sink()) == 1
    with clock.at(START + actions.LEASE):
        actions.deliver(delivery.pk)
    assert len(sink()) == 1
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT


@pytest.mark.django_db
def test_a_server_that_fails_is_asked_again_later_and_later_and_then_no_more(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = tell(client_user)

    def fails(_: Any) -> None:
        raise ConnectionRefusedError("no mail server")

    monkeypatch.setattr(mail, "send", fails)
    moment, waits = START, []
    for _ in range(actions.MOST_ATTEMPTS):
        with clock.at(moment):
            actions.deliver(delivery.pk)
        delivery.refresh_from_db()
        waits.append(int((delivery.due_at - moment).total_seconds() // 60))
        moment = max(delivery.due_at, moment)
    assert waits == [1, 5, 15, 60, 60, 60, 60, 0]
    assert delivery.status == DeliveryStatus.FAILED
    assert delivery.error == "ConnectionRefusedError: no mail server"
    with clock.at(moment + timedelta(days=1)):
        assert jobs.sweep() == 0


@pytest.mark.django_db
def test_workers_that_always_die_come_to_an_end(client_user: User) -> None:
    delivery = tell(client_user)
    Delivery.objects.filter(pk=delivery.pk).update(status=DeliveryStatus.SENDING, attempts=actions.MOST_ATTEMPTS, claimed_until=START)
    with clock.at(START):
        actions.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == (DeliveryStatus.FAILED, "Every attempt was cut off")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (smtplib.SMTPRecipientsRefused({"a@example.com": (550, b"no such user")}), DeliveryStatus.FAILED),
        (smtplib.SMTPRecipientsRefused({"a@example.com": (450, b"mailbox busy")}), DeliveryStatus.PENDING),
        (smtplib.SMTPDataError(554, b"looks like spam"), DeliveryStatus.FAILED),
        (smtplib.SMTPDataError(451, b"try again"), DeliveryStatus.PENDING),
        (smtplib.SMTPServerDisconnected("gone"), DeliveryStatus.PENDING),
    ],
)
def test_what_the_server_says_decides(client_user: User, monkeypatch: pytest.MonkeyPatch, refusal: Exception, status: DeliveryStatus) -> None:
    delivery = tell(client_user)

    def send(*_: Any, **__: Any) -> int:
        raise refusal

    monkeypatch.setattr(EmailMultiAlternatives, "send", send)
    with clock.at(START):
        actions.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == status


@pytest.mark.django_db
def test_a_late_worker_cannot_undo_what_the_next_one_sent(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = tell(client_user)

    def overtaken(_: Any) -> None:
        with monkeypatch.context() as patch, clock.at(START + actions.LEASE):
            patch.setattr(mail, "send", lambda _: None)
            actions.deliver(delivery.pk)
        raise ConnectionResetError("late")

    with clock.at(START):
        monkeypatch.setattr(mail, "send", overtaken)
        actions.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 2)


@pytest.mark.django_db
def test_read_meanwhile_is_not_sent(client_user: User, sink: Callable[[], list[Path]]) -> None:
    delivery = tell(client_user, "test.read")
    actions.read_about("/orders/1/", actor=client_user)
    with clock.at(START):
        actions.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SKIPPED
    assert sink() == []


@pytest.mark.django_db
def test_one_bad_row_does_not_stop_the_sweep(client_user: User, sink: Callable[[], list[Path]]) -> None:
    bad = tell(client_user)
    Notification.objects.filter(pk=bad.notification_id).update(kind="no.longer.there")
    with clock.at(START):
        actions.notify(client_user, "test.deliver", title="Two", body="", url="/", dedupe_key="two")
        jobs.sweep()
    assert len(sink()) == 1


@pytest.mark.django_db
def test_the_message_id_is_the_delivery(client_user: User) -> None:
    delivery = tell(client_user)
    assert emails.compose(delivery).message_id == emails.compose(delivery).message_id == f"<{delivery.pk}@port444.example>"
