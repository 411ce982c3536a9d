from __future__ import annotations

import json
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit import clock
from port444.notifications import actions, emails, queries
from port444.notifications.kinds import Group, Kind, register
from port444.notifications.models import Channel, Notification, Preference, QuietHours
from port444.notifications.sms import Captured, Sms
from scripts import mailsink

register(Kind("test.page", Group.ORDERS, urgent=True))
DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def tell(user: User, number: int = 1) -> Notification:
    return actions.notify(user, "test.page", title=f"Order {number} started", body="Go.", url=f"/orders/{number}/", dedupe_key=f"order:{number}")


def test_the_bell_lists_and_counts(client: Client, client_user: User, django_assert_num_queries: Any) -> None:
    for number in range(35):
        tell(client_user, number)
    client.force_login(client_user)
    with django_assert_num_queries(5):  # session, person, page, bell, messages
        html = client.get(reverse("notifications:list")).content.decode()
    assert "Notifications, 35 unread" in html
    assert "Order 34 started" in html
    assert "Order 4 started" not in html
    last = queries.page_of(client_user)[29]
    older = client.get(reverse("notifications:list"), {"before": str(last.pk)}, headers={"HX-Request": "true"}).content.decode()
    assert "Order 4 started" in older
    assert "<html" not in older
    assert client.get(reverse("notifications:list"), {"before": "x"}).status_code == 404


def test_an_open_page_hears_what_came(client: Client, client_user: User, django_assert_num_queries: Any) -> None:
    address = reverse("notifications:bell")
    tell(client_user, 1)
    client.force_login(client_user)
    known = queries.bell_of(client_user).etag
    with django_assert_num_queries(3):  # session, person, bell
        assert client.get(address, headers={"If-None-Match": known}).status_code == 304
    tell(client_user, 2)
    answer = client.get(address, headers={"If-None-Match": known})
    assert answer["ETag"] == queries.bell_of(client_user).etag != known
    assert json.loads(answer["HX-Trigger"]) == {"toast": {"text": "Order 2 started", "kind": "news"}, "news": {}}
    newest = Notification.objects.order_by("-id")[0]
    actions.read_notification(newest.pk, actor=client_user)  # in another window
    after = client.get(address, headers={"If-None-Match": answer["ETag"]})
    assert "1 unread" in after.content.decode()
    assert "HX-Trigger" not in after, "what was read elsewhere is no news"


def test_reading_one_and_all(client: Client, client_user: User, stranger: User) -> None:
    one, two = tell(client_user, 1), tell(client_user, 2)
    address = reverse("notifications:read", args=[one.pk])
    client.force_login(stranger)
    assert client.post(address).status_code == 404
    assert queries.bell_of(client_user).count == 2
    client.force_login(client_user)
    assert client.get(address).status_code == 405
    assert client.post(address)["Location"] == "/orders/1/"
    assert queries.bell_of(client_user).count == 1
    client.post(reverse("notifications:read_all"))
    assert queries.bell_of(client_user).count == 0
    two.refresh_from_db()
    assert two.read_at is not None


def test_preferences_are_kept(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    address = reverse("notifications:settings")
    assert client.get(address).status_code == 200
    chosen = {"messages_email": "on", "calls_email": "on", "calls_sms": "on", "quiet": "on", "starts": "22:00", "ends": "07:30"}
    assert client.post(address, chosen).status_code == 302
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.CALLS) == {Channel.EMAIL, Channel.SMS}
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.ORDERS) == set()
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.ACCOUNT) == {Channel.EMAIL}
    hours = QuietHours.objects.get(user=client_user)
    assert (hours.enabled, hours.starts, hours.ends) == (True, time(22), time(7, 30))
    assert client.post(address, {"starts": "99:00", "ends": "07:30"}).status_code == 422
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.CALLS) == {Channel.EMAIL, Channel.SMS}


def test_stopping_mails_signed_out(client: Client, client_user: User) -> None:
    address = reverse("notifications:unsubscribe", args=[emails.token(client_user.pk, Group.ORDERS)])
    assert "Stop mails about orders?" in client.get(address).content.decode()
    assert not Preference.objects.exists(), "mail scanners open every link"
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.ORDERS) == set()
    assert queries.wanted_by([client_user.pk])(client_user.pk, Group.CALLS) == {Channel.EMAIL}


def test_a_forged_link_stops_nothing(client: Client, client_user: User) -> None:
    good = emails.token(client_user.pk, Group.ORDERS)
    for token in (good[:-1] + ("a" if good[-1] != "a" else "b"), "x", emails.token(client_user.pk, Group.ORDERS).upper()):
        assert client.post(reverse("notifications:unsubscribe", args=[token])).status_code == 404
    assert client.post(reverse("notifications:unsubscribe", args=[emails.token(client_user.pk, Group.ACCOUNT)])).status_code == 422
    assert not Preference.objects.exists()


LETTER = b"""Message-ID: <1@port444.example>\r
From: port444 <hello@port444.example>\r
To: jonas@example.com\r
Subject: =?utf-8?q?Caf=C3=A9?=\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: multipart/alternative; boundary=y\r
\r
--y\r
Content-Type: text/plain; charset=utf-8\r
\r
Look: https://example.com/\r
--y\r
Content-Type: text/html; charset=utf-8\r
\r
<p style="color:red">Look<script>alert(1)</script></p>\r
--y--\r
--x\r
Content-Type: text/calendar\r
Content-Disposition: attachment; filename="call.ics"\r
\r
BEGIN:VCALENDAR\r
--x--\r
"""


@pytest.mark.django_db
def test_the_outbox_shows_what_was_captured(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.MAIL_DIR = tmp_path / "mail"
    assert "Nothing was sent yet" in client.get("/dev/outbox/").content.decode()
    name = mailsink.store(settings.MAIL_DIR, LETTER).stem
    with clock.at(DAY):
        for _ in range(2):
            Captured().send(Sms("+31 20 123 4567", "Your call begins.", "abc"))
    (settings.MAIL_DIR / "broken.eml").write_bytes(b"\xff\xfe")
    html = client.get("/dev/outbox/").content.decode()
    assert "Café" in html
    assert html.count("Your call begins.") == 1
    page = client.get(f"/dev/outbox/{name}/").content.decode()
    assert 'href="https://example.com/"' in page
    assert "<script>alert" not in page
    raw = client.get(f"/dev/outbox/{name}/html/")
    assert raw["Content-Security-Policy"] == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert b"<script>alert(1)" in raw.content
    file = client.get(f"/dev/outbox/{name}/0/")
    assert file["Content-Disposition"] == 'attachment; filename="call.ics"'
    assert file.content.startswith(b"BEGIN:VCALENDAR")
    assert client.get(f"/dev/outbox/{name}/7/").status_code == 404
    assert client.get("/dev/outbox/..%2f..%2fsecret/").status_code == 404
    assert client.get("/dev/outbox/nothing/").status_code == 404
