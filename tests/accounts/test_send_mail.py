from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django_q.models import OrmQ

from port444.accounts import actions, jobs
from port444.accounts.emails import Letter
from port444.accounts.models import QueuedMail
from port444.kit import clock

LETTER = Letter("mira@example.com", "Confirm\nyour e-mail", "Open https://port444.example/secret", "<p>Open</p>")


def test_queued_with_its_job_and_sent_once(db: None) -> None:
    queued = actions.queue_mail(LETTER)
    assert OrmQ.objects.count() == 1
    assert mail.outbox == []
    jobs.send_mail(str(queued.pk))
    jobs.send_mail(str(queued.pk))
    assert len(mail.outbox) == 1
    message = mail.outbox[0]
    assert message.extra_headers["Message-ID"].startswith(f"<account-{queued.pk}@")
    assert message.subject == "Confirm your e-mail"
    queued.refresh_from_db()
    assert queued.sent_at is not None
    assert (queued.text, queued.html) == ("", "")  # what opens an account does not lie about


def test_gone_with_the_transaction(db: None) -> None:
    with transaction.atomic():
        actions.queue_mail(LETTER)
        transaction.set_rollback(True)
    assert not QueuedMail.objects.exists()
    assert not OrmQ.objects.exists()


def test_failing_mail_server_is_tried_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    queued = actions.queue_mail(LETTER)

    def refuse(message: Any) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("port444.kit.mail.send", refuse)
        with pytest.raises(ConnectionRefusedError):
            jobs.send_mail(str(queued.pk))
    with clock.at(clock.now() + timedelta(minutes=10)):
        jobs.send_mails()
    assert len(mail.outbox) == 1


def test_claimed_by_another_worker_is_left_alone(db: None) -> None:
    queued = actions.queue_mail(LETTER)
    assert QueuedMail.objects.claim(queued.pk, clock.now()) is not None
    jobs.send_mail(str(queued.pk))
    assert mail.outbox == []
    with clock.at(clock.now() + timedelta(minutes=3)):  # the other worker died
        jobs.send_mails()
    assert len(mail.outbox) == 1


def test_old_mail_is_given_up_and_forgotten(db: None) -> None:
    unsent, sent = actions.queue_mail(LETTER), actions.queue_mail(LETTER)
    jobs.send_mail(str(sent.pk))
    with clock.at(clock.now() + timedelta(days=2)):
        jobs.send_mails()
        jobs.forget()
    assert list(QueuedMail.objects.all()) == [sent]
    assert len(mail.outbox) == 1
    assert unsent.pk != sent.pk
    with clock.at(clock.now() + timedelta(days=40)):
        jobs.forget()
    assert not QueuedMail.objects.exists()


def test_database_keeps_no_words_of_sent_mail(db: None) -> None:
    queued = actions.queue_mail(LETTER)
    with pytest.raises(IntegrityError, match="queued_mail_wiped_when_sent"), transaction.atomic():
        QueuedMail.objects.filter(pk=queued.pk).update(sent_at=clock.now())
