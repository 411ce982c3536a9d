from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django_q.models import OrmQ

from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import Invalid, NotAllowed, TooMany, WrongState
from port444.messaging import actions
from port444.messaging.models import Attachment, Conversation, Message, MessageKind
from port444.notifications.jobs import sweep
from port444.notifications.models import Delivery, DeliveryStatus, Notification

DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32


def send(conversation: Conversation, actor: User, body: str = "Hello", **extra: Any) -> Message:
    return actions.send_message(conversation.pk, actor=actor, body=body, client_key=extra.pop("client_key", uuid4()), **extra)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_writes_text_and_files(conversation: Conversation, client_user: User, tmp_path: Path) -> None:
    upload = SimpleUploadedFile("../../plan é.png", PNG)
    order = uuid4()
    message = send(conversation, client_user, "Hi\r\nthere ", uploads=[upload], subject=("order", order))
    assert (message.body, message.author, message.subject_type, message.subject_id) == ("Hi\nthere", client_user, "order", order)
    attachment = message.attachments.get()
    assert (attachment.name, attachment.mimetype, attachment.size) == ("plan é.png", "image/png", len(PNG))
    assert attachment.file.read() == PNG
    assert [path.name for path in files_in(tmp_path / "storage")] == [str(attachment.pk)]
    conversation.refresh_from_db()
    assert conversation.last_message_at == message.created_at


def test_a_repeat_sends_once(conversation: Conversation, client_user: User) -> None:
    key = uuid4()
    first = send(conversation, client_user, client_key=key)
    assert send(conversation, client_user, "Hello again", client_key=key).pk == first.pk
    assert Message.objects.count() == 1


def test_messages_keep_their_order_when_clocks_differ(conversation: Conversation, client_user: User, builder_user: User) -> None:
    with clock.at(DAY):
        first = send(conversation, client_user)
    with clock.at(DAY - timedelta(seconds=5)):
        second = send(conversation, builder_user)
    assert second.created_at > first.created_at


def test_a_stranger_writes_nothing(conversation: Conversation, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        send(conversation, stranger)
    with pytest.raises(NotAllowed):
        actions.keep_upload(conversation, SimpleUploadedFile("a.png", PNG), actor=stranger)
    with pytest.raises(NotAllowed):
        actions.mark_read(conversation.pk, actor=stranger)
    assert not Message.objects.exists()
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("run.exe", b"MZ", "file_type"),
        ("photo.png", b"<html>", "file_content"),
        ("notes.txt", b"a\x00b", "file_content"),
        ("empty.txt", b"", "file_empty"),
        ("large.txt", b"x" * 2000, "file_size"),
    ],
)
def test_a_file_that_does_not_pass_writes_nothing(
    conversation: Conversation, client_user: User, tmp_path: Path, settings: Any, name: str, content: bytes, code: str
) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    good = SimpleUploadedFile("good.png", PNG)
    queued = OrmQ.objects.count()
    with pytest.raises(Invalid) as refusal:
        send(conversation, client_user, uploads=[good, SimpleUploadedFile(name, content)])
    assert refusal.value.code == code
    with pytest.raises(Invalid):
        actions.keep_upload(conversation, SimpleUploadedFile(name, content), actor=client_user)
    assert not Message.objects.exists()
    assert not Attachment.objects.exists()
    assert not Notification.objects.exists()
    assert OrmQ.objects.count() == queued
    assert files_in(tmp_path / "storage") == []


def test_a_failure_after_the_file_removes_its_bytes(
    conversation: Conversation, client_user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(actions, "notify", fails)
    with pytest.raises(RuntimeError):
        send(conversation, client_user, uploads=[SimpleUploadedFile("good.png", PNG)])
    assert files_in(tmp_path / "storage") == []
    assert not Message.objects.exists()


@pytest.mark.parametrize("body", ["", "  \n ", "x" * 5001, "a\x00b"])
def test_text_that_cannot_be_sent(conversation: Conversation, client_user: User, body: str) -> None:
    with pytest.raises(Invalid):
        send(conversation, client_user, body)
    assert not Message.objects.exists()


def test_too_many_files(conversation: Conversation, client_user: User, settings: Any) -> None:
    settings.UPLOAD_MAX_FILES = 1
    with pytest.raises(Invalid):
        send(conversation, client_user, uploads=[SimpleUploadedFile("a.png", PNG), SimpleUploadedFile("b.png", PNG)])
    assert not Message.objects.exists()


def test_a_flood_is_refused_and_ends(conversation: Conversation, client_user: User, builder_user: User, settings: Any) -> None:
    settings.MESSAGES_A_MINUTE = 3
    with clock.at(DAY):
        for _ in range(3):
            send(conversation, client_user)
        with pytest.raises(TooMany):
            send(conversation, client_user)
        send(conversation, builder_user)
    assert Message.objects.count() == 4
    with clock.at(DAY + timedelta(minutes=1, seconds=1)):
        send(conversation, client_user)


def test_nobody_writes_to_a_closed_account(conversation: Conversation, client_user: User, builder_user: User) -> None:
    builder_user.suspended_at, builder_user.suspension_reason = DAY, "Fraud"
    builder_user.save()
    with pytest.raises(WrongState):
        send(conversation, client_user)
    assert not Message.objects.exists()


def test_a_burst_makes_one_mail_after_five_minutes(conversation: Conversation, client_user: User, builder_user: User) -> None:
    with clock.at(DAY):
        send(conversation, client_user, "One")
    with clock.at(DAY + timedelta(minutes=1)):
        send(conversation, client_user, "Two")
        sweep()
    assert mail.outbox == []
    notification = Notification.objects.get()
    assert (notification.user, notification.title, notification.body) == (builder_user, "Jonas Vermeer wrote to you", "One")
    with clock.at(DAY + timedelta(minutes=5)):
        sweep()
    assert [m.to for m in mail.outbox] == [[builder_user.email]]


def test_who_reads_along_gets_no_mail_and_the_next_burst_counts_anew(conversation: Conversation, client_user: User, builder_user: User) -> None:
    with clock.at(DAY):
        send(conversation, client_user)
    with clock.at(DAY + timedelta(minutes=2)):
        actions.mark_read(conversation.pk, actor=builder_user)
    with clock.at(DAY + timedelta(minutes=5)):
        sweep()
    assert Delivery.objects.get().status == DeliveryStatus.SKIPPED
    with clock.at(DAY + timedelta(minutes=6)):
        send(conversation, client_user)
    with clock.at(DAY + timedelta(minutes=11)):
        sweep()
    assert len(mail.outbox) == 1
    assert Notification.objects.count() == 2


def test_a_notice_has_no_author_and_tells_nobody(conversation: Conversation) -> None:
    order = uuid4()
    notice = actions.post_notice(conversation.pk, body="Order 1042 started", icon="package", subject=("order", order))
    assert (notice.kind, notice.author, notice.subject_id) == (MessageKind.NOTICE, None, order)
    assert not Notification.objects.exists()
