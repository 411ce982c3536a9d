"""What people ask for about themselves: a copy, and to have their account closed."""

from __future__ import annotations

import io
import threading
import zipfile
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import Storage, default_storage
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.exports import actions, jobs
from port444.exports.actions import InTheWay
from port444.exports.erasing import is_nameless
from port444.exports.models import Closing, CopyStatus, PersonalCopy
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, NotAllowed, TooMany
from port444.notifications.models import Notification
from port444.payments import ledger
from tests.concurrency.test_booking import rush

PAGE = "/settings/data/"


def told() -> list[str]:
    return list(Notification.objects.order_by("id").values_list("title", flat=True))


def test_a_copy_from_asking_to_deleting(client: Client, client_user: User, stranger: User) -> None:
    client.force_login(client_user)
    assert "Ask for a copy" in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"act": "copy"}).status_code == 302
    copy = PersonalCopy.objects.get()
    address = reverse("exports:copy", args=[copy.pk])
    assert client.get(address).status_code == 404, "it is not there yet"
    assert client.post(PAGE, {"act": "copy"}).status_code == 409
    jobs.make_copy(str(copy.pk))
    jobs.make_copy(str(copy.pk))
    assert told() == ["The copy of your data is ready"], "once"
    answer = client.get(address)
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert int(answer["Content-Length"]) == len(content) == PersonalCopy.objects.get().size
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert client_user.email in bundle.read("data/accounts_user.jsonl").decode()
    assert AuditLog.objects.filter(event_type="user.copy_taken").count() == 1
    client.force_login(stranger)
    assert client.get(address).status_code == 404
    assert str(copy.pk) not in client.get(PAGE).content.decode()
    with pytest.raises(TooMany):
        actions.ask_for_copy(client_user.pk, actor=client_user)
    with at(now() + timedelta(days=8)):
        client.force_login(client_user)
        assert client.get(address).status_code == 404, "its days are over, whoever has deleted it"
        assert jobs.tidy() == 1
        assert jobs.tidy() == 0
    actions.remove_file(copy.file_name)
    assert not default_storage.exists(copy.file_name)
    assert PersonalCopy.objects.get().status == CopyStatus.GONE


def test_what_nobody_makes_is_handed_on(client_user: User) -> None:
    copy = actions.ask_for_copy(client_user.pk, actor=client_user)
    OrmQ.objects.all().delete()
    with at(now() + timedelta(minutes=10)):
        assert jobs.tidy() == 0
    with at(now() + timedelta(minutes=16)):
        assert jobs.tidy() == 1
    assert OrmQ.objects.count() == 1
    assert PersonalCopy.objects.get(pk=copy.pk).status == CopyStatus.ASKED


def test_an_account_is_closed_after_two_weeks(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert client.post(PAGE, {"act": "close"}).status_code == 302
    closing = Closing.objects.get()
    assert "Keep my account" in client.get(PAGE).content.decode()
    with pytest.raises(Conflict):
        actions.ask_to_close(client_user.pk, actor=client_user)
    with at(closing.closes_at - timedelta(minutes=1)):
        assert jobs.tidy() == 0
    with at(closing.closes_at):
        assert jobs.tidy() == 1
        assert jobs.tidy() == 0
    client_user.refresh_from_db()
    assert is_nameless(client_user)
    assert Closing.objects.get().closed_at == closing.closes_at
    assert client.get(PAGE).status_code == 302, "nobody is signed in any more"


def test_somebody_changes_their_mind(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    with pytest.raises(Conflict):
        actions.keep_account(client_user.pk, actor=client_user)
    closing = actions.ask_to_close(client_user.pk, actor=client_user)
    assert client.post(PAGE, {"act": "keep"}).status_code == 302
    with at(closing.closes_at + timedelta(days=1)):
        assert jobs.tidy() == 0
    client_user.refresh_from_db()
    assert not is_nameless(client_user)
    again = actions.ask_to_close(client_user.pk, actor=client_user)
    assert again.pk != closing.pk


def test_what_is_open_is_in_the_way(client: Client, builder_user: User) -> None:
    ledger.post("own", "Earned", [(ledger.EXTERNAL, -20), (ledger.earnings(builder_user.pk), 20)])  # type: ignore[list-item]
    with pytest.raises(InTheWay):
        actions.ask_to_close(builder_user.pk, actor=builder_user)
    assert Closing.objects.count() == 0
    client.force_login(builder_user)
    html = client.get(PAGE).content.decode()
    assert "$20.00 in the account" in html
    assert "Close my account" not in html


def test_what_came_up_meanwhile_is_told_once_a_reason(builder_user: User) -> None:
    closing = actions.ask_to_close(builder_user.pk, actor=builder_user)
    ledger.post("own", "Earned", [(ledger.EXTERNAL, -20), (ledger.earnings(builder_user.pk), 20)])  # type: ignore[list-item]
    for day in range(3):
        with at(closing.closes_at + timedelta(days=day)):
            jobs.tidy()
    assert told() == [f"Your account closes on {closing.closes_at:%-d %B}", "Your account could not be closed yet"]
    builder_user.refresh_from_db()
    assert not is_nameless(builder_user)


def test_only_they_themselves(client_user: User, stranger: User, staff: User) -> None:
    for other in (stranger, staff):
        for act in (actions.ask_for_copy, actions.ask_to_close, actions.keep_account):
            with pytest.raises(NotAllowed):
                act(client_user.pk, actor=other)
    assert not PersonalCopy.objects.exists()
    assert not Closing.objects.exists()


def test_the_password_is_asked_for(client: Client, client_user: User, settings: Any) -> None:
    settings.REAUTHENTICATE = True
    client.force_login(client_user)
    copy = actions.ask_for_copy(client_user.pk, actor=client_user)
    jobs.make_copy(str(copy.pk))
    assert "/reauthenticate/" in client.get(reverse("exports:copy", args=[copy.pk]))["Location"]
    client.post(PAGE, {"act": "close"})
    settings.REAUTHENTICATE = False
    assert client.post(PAGE, {"act": "burn"}).status_code == 422
    assert not Closing.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_copies_at_once_are_one(client_user: User) -> None:
    told = rush([lambda: actions.ask_for_copy(client_user.pk, actor=client_user)] * 4)
    assert PersonalCopy.objects.count() == 1
    assert told.count("won") == 1
    assert set(told) <= {"won", "copy", TooMany.code}


@pytest.mark.django_db(transaction=True)
def test_workers_that_make_one_copy_at_once_leave_one_file(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    met, save = threading.Barrier(2), Storage.save

    def together(*args: Any) -> str:
        with suppress(threading.BrokenBarrierError):
            met.wait(1)  # for a second one, who would save a file beside
        return save(*args)

    monkeypatch.setattr(Storage, "save", together)
    copy = actions.ask_for_copy(client_user.pk, actor=client_user)
    assert rush([lambda: jobs.make_copy(str(copy.pk))] * 4) == ["won"] * 4
    assert default_storage.listdir("copies") == ([], [f"{copy.pk}.zip"])
    assert default_storage.size(copy.file_name) == PersonalCopy.objects.get().size
    assert told() == ["The copy of your data is ready"]
