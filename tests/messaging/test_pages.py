from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.sentences import read, say
from port444.messaging import actions, handlers, queries
from port444.messaging.models import Conversation, Message
from port444.notifications.models import Notification

DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
HTMX = {"HX-Request": "true"}


def send(conversation: Conversation, actor: User, body: str = "Hello", **extra: Any) -> Message:
    return actions.send_message(conversation.pk, actor=actor, body=body, client_key=uuid4(), **extra)


def url(name: str, conversation: Conversation) -> str:
    return reverse(f"messaging:{name}", args=[conversation.pk])


@pytest.fixture
def reader(client: Client, builder_user: User) -> Client:
    client.force_login(builder_user)
    return client


def test_the_thread_shows_what_was_said_and_marks_it_read(reader: Client, conversation: Conversation, client_user: User, builder_user: User) -> None:
    with clock.at(DAY):
        send(conversation, client_user, "See https://example.com/a?b=1&c=2 <script>alert(1)</script>\nplease")
        actions.post_notice(conversation.pk, body="Order 1042 started", icon="package", subject=("order", uuid4()))
    assert queries.unread_count(builder_user) == 1
    assert "Jonas Vermeer wrote to you" in reader.get(reverse("notifications:list")).content.decode()
    html = reader.get(conversation.get_absolute_url()).content.decode()
    assert 'href="https://example.com/a?b=1&amp;c=2" rel="nofollow' in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<br>please" in html
    assert "Order 1042 started" in html
    assert "Tue 24 Nov" in html
    assert "17:30" in html, "the reader is in Kolkata"
    assert queries.unread_count(builder_user) == 0
    assert Notification.objects.get().read_at is not None
    assert "wrote to you" not in reader.get(reverse("notifications:list")).content.decode(), "the bell does not fill up with talk"


def test_pages_ask_a_constant_number_of_queries(
    reader: Client, conversation: Conversation, client_user: User, builder_user: User, stranger: User, make_user: Any, django_assert_num_queries: Any
) -> None:
    counts = []
    for more in (0, 5):
        for n in range(more):
            other = actions.open_conversation(make_user(f"Other{n} Person"), builder_user, actor=builder_user)
            send(other, other.client, uploads=[SimpleUploadedFile("a.png", PNG)])
        for _ in range(3):
            send(conversation, client_user, uploads=[SimpleUploadedFile("a.png", PNG), SimpleUploadedFile("b.png", PNG)])
            send(conversation, builder_user)
        reader.get(conversation.get_absolute_url())
        with django_assert_num_queries(10):
            reader.get(reverse("messaging:inbox"))
        with django_assert_num_queries(23) as thread:
            reader.get(conversation.get_absolute_url())
        counts.append(len(thread))
    assert counts[0] == counts[1]


def test_nothing_new_is_one_query_and_304(reader: Client, conversation: Conversation, client_user: User, django_assert_num_queries: Any) -> None:
    first = send(conversation, client_user)
    answer = reader.get(url("poll", conversation), {"after": ""}, headers=HTMX)
    assert answer.status_code == 200
    assert first.body in answer.content.decode()
    with django_assert_num_queries(3):  # the session, the person, the state
        nothing = reader.get(url("poll", conversation), {"after": str(first.pk)}, headers={**HTMX, "If-None-Match": answer["ETag"]})
    assert (nothing.status_code, nothing.content) == (304, b"")
    second = send(conversation, client_user, "More")
    news = reader.get(url("poll", conversation), {"after": str(first.pk)}, headers={**HTMX, "If-None-Match": answer["ETag"]})
    html = news.content.decode()
    assert f"m-{second.pk.hex}" in html
    assert f"m-{first.pk.hex}" not in html
    assert "Jonas wrote: More" in html
    assert queries.unread_count(conversation.builder) == 1, "a page in a hidden tab has read nothing"
    reader.post(url("read", conversation), {"last": second.pk})
    assert queries.unread_count(conversation.builder) == 0


def test_the_writer_learns_that_it_was_seen(reader: Client, conversation: Conversation, client_user: User, builder_user: User) -> None:
    message = send(conversation, builder_user)
    before = reader.get(url("poll", conversation), {"after": str(message.pk)}, headers=HTMX)
    assert "Seen" not in before.content.decode()
    actions.mark_read(conversation.pk, actor=client_user)
    after = reader.get(url("poll", conversation), {"after": str(message.pk)}, headers={**HTMX, "If-None-Match": before["ETag"]})
    assert "Seen" in after.content.decode()


def test_sending_without_and_with_a_script(reader: Client, conversation: Conversation) -> None:
    plain = reader.post(conversation.get_absolute_url(), {"body": "One", "client_key": uuid4()})
    assert plain.status_code == 302
    first = Message.objects.get()
    files = [SimpleUploadedFile("a.png", PNG), SimpleUploadedFile("b.png", PNG)]
    answer = reader.post(conversation.get_absolute_url(), {"body": "Two", "client_key": uuid4(), "after": first.pk, "uploads": files}, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "Two" in html
    assert "One" not in html
    assert html.count("<b>b.png</b>") == 1
    assert 'id="id_client_key"' in html, "the next message has a key of its own"
    assert Message.objects.count() == 2


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_refusal_keeps_the_text(reader: Client, conversation: Conversation, settings: Any, headers: dict[str, str]) -> None:
    wrong = {"body": "Take this", "client_key": uuid4(), "uploads": SimpleUploadedFile("a.exe", b"MZ")}
    answer = reader.post(conversation.get_absolute_url(), wrong, headers=headers)
    assert answer.status_code == 422
    assert "Files of this kind cannot be sent" in answer.content.decode()
    assert headers or "Take this" in answer.content.decode()
    settings.MESSAGES_A_MINUTE = 0
    answer = reader.post(conversation.get_absolute_url(), {"body": "Take this", "client_key": uuid4()}, headers=headers)
    assert answer.status_code == 429
    assert not Message.objects.exists()


def test_strangers_find_nothing(client: Client, conversation: Conversation, client_user: User, stranger: User, staff: User) -> None:
    message = send(conversation, client_user, uploads=[SimpleUploadedFile("a.png", PNG)])
    file = message.attachments.get()
    for person in (stranger, staff):
        client.force_login(person)
        for address in (url("thread", conversation), url("poll", conversation), file.href):
            assert client.get(address).status_code == 404 or person.is_staff
        assert client.post(url("thread", conversation), {"body": "x", "client_key": uuid4()}).status_code in (302, 404)
        assert client.post(url("read", conversation), {"last": message.pk}).status_code in (302, 404)
    assert Message.objects.count() == 1


def test_files_are_downloads(reader: Client, conversation: Conversation, client_user: User) -> None:
    message = send(conversation, client_user, uploads=[SimpleUploadedFile('plän "1".png', PNG)])
    answer = reader.get(message.attachments.get().href)
    assert b"".join(answer.streaming_content) == PNG  # type: ignore[attr-defined]  # a FileResponse
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''pl%C3%A4n%20_1_.png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"].startswith("private")


def test_earlier_messages_come_by_pages(reader: Client, conversation: Conversation, client_user: User, settings: Any) -> None:
    settings.MESSAGES_A_MINUTE = 1000
    for n in range(60):
        with clock.at(DAY + timedelta(minutes=n)):
            send(conversation, client_user, f"Number {n}.")
    html = reader.get(conversation.get_absolute_url()).content.decode()
    assert "Number 10." in html
    assert "Number 9." not in html
    tenth = Message.objects.get(body="Number 10.")
    earlier = reader.get(conversation.get_absolute_url(), {"before": str(tenth.pk)}, headers=HTMX).content.decode()
    assert "Number 9." in earlier
    assert "Number 0." in earlier
    assert "Number 10." not in earlier
    assert "Show earlier" not in earlier
    assert reader.get(conversation.get_absolute_url(), {"before": "x"}).status_code == 404


def test_the_inbox_lists_filters_and_counts(
    reader: Client, conversation: Conversation, client_user: User, stranger: User, builder_user: User
) -> None:
    for _ in range(3):
        send(conversation, client_user, "Great, and the export?")
    send(actions.open_conversation(stranger, builder_user, actor=stranger), builder_user, "Hello Sam")
    html = reader.get(reverse("messaging:inbox")).content.decode()
    assert "You: Hello Sam" in html
    assert '<span class="count">3<span class="vh"> unread' in html
    unread = reader.get(reverse("messaging:inbox"), {"show": "unread"}).content.decode()
    assert "Jonas Vermeer" in unread
    assert "Sam Stranger" not in unread


def test_the_list_goes_on_by_key(reader: Client, builder_user: User, make_user: Any) -> None:
    for n in range(33):
        with clock.at(DAY + timedelta(minutes=n)):
            actions.open_conversation(make_user(f"Client{n} Person"), builder_user, actor=builder_user)
    first = queries.inbox(builder_user)
    assert len(first) == 31
    rest = queries.inbox(builder_user, before=first[29].conversation)
    assert [line.person.name for line in rest] == ["Client2 Person", "Client1 Person", "Client0 Person"]
    html = reader.get(reverse("messaging:inbox"), {"older": str(first[29].conversation.pk)}, headers=HTMX).content.decode()
    assert "Client2 Person" in html
    assert "<html" not in html


def test_apps_above_add_chips_and_facts(reader: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_chips", [lambda ids, user: {ids[0]: handlers.Chip("Order 1042, due Sat 5 Dec")}])
    monkeypatch.setattr(handlers, "_facts", [lambda conversation, user: [handlers.Fact("Order 1042", "In work", "/orders/1042/")]])
    html = reader.get(conversation.get_absolute_url()).content.decode()
    assert "Order 1042, due Sat 5 Dec" in html
    assert '<a href="/orders/1042/">Order 1042</a>' in html


def test_the_first_message_opens_the_conversation(client: Client, builder: Builder, client_user: User) -> None:
    client.force_login(client_user)
    address = reverse("messaging:start", args=[builder.slug])
    assert client.get(address).status_code == 200
    assert not Conversation.objects.exists()
    assert client.post(address, {"body": " ", "client_key": uuid4()}).status_code == 422
    assert not Conversation.objects.exists()
    answer = client.post(address, {"body": "Hi", "client_key": uuid4()})
    conversation = Conversation.objects.get()
    assert answer["Location"] == conversation.get_absolute_url()
    assert client.get(address)["Location"] == conversation.get_absolute_url()


def test_nobody_writes_to_oneself(reader: Client, builder: Builder) -> None:
    assert reader.get(reverse("messaging:start", args=[builder.slug])).status_code == 422
    assert not Conversation.objects.exists()


def test_signed_out_people_sign_in_first(client: Client, conversation: Conversation) -> None:
    for address in (reverse("messaging:inbox"), url("thread", conversation), url("poll", conversation)):
        assert client.get(address).status_code == 302


def test_each_side_reads_a_notice_in_their_language(client: Client, conversation: Conversation, client_user: User, builder_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(language="de")
    told = say(
        "%(client)s ordered %(title)s, %(package_name)s, %(price)s.", client="Jonas", title="A logo", package_name="Basic", price=Decimal("1234.50")
    )
    notice = actions.post_notice(conversation.pk, body=told, icon="package", subject=None)
    english = "Jonas ordered A logo, Basic, $1,234.50."
    assert (notice.body, read(notice.said or {})) == (english, told)
    shown = {}
    for person in (builder_user, client_user):
        client.force_login(person)
        shown[person] = [client.get(address).content.decode() for address in (reverse("messaging:inbox"), conversation.get_absolute_url())]
    assert all(english in html for html in shown[builder_user])
    assert all(english not in html for html in shown[client_user])
    assert all("1.234,50 $" in html and "beauftragt" in html for html in shown[client_user])
    Message.objects.update(said=None)
    assert english in client.get(conversation.get_absolute_url()).content.decode(), "what was told before there were sentences stays as it is"
