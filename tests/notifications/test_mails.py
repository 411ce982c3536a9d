"""Every kind of mail, as HTML and as text, in every language: one look, nothing left open, nothing fetched."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.template.loader import render_to_string
from django.utils import translation

from port444.accounts import emails as accounts
from port444.accounts.models import User
from port444.kit.clock import now
from port444.notifications import emails, kinds
from port444.notifications.kinds import Group
from port444.notifications.models import Channel, Delivery, Notification

HERE = "http://127.0.0.1:8444"
BAD = "<script>alert(1)</script> & co"
LANGUAGES = [code for code, _ in site.LANGUAGES]
WITHOUT_END = {"meta", "br", "img", "hr", "input", "link"}
CONTEXT = {
    "facts": [["Review until", "2026-12-01T09:00:00+00:00"], ["Price", "$60.00"]],
    "links": [["See the order", "/orders/2187/"]],
    "label": "See the delivery",
    "quote": {"title": "What they wrote", "text": f"Fine.\n{BAD}"},
    "at": "2026-12-01T09:00:00+00:00",
    "other_zone": "Asia/Kolkata",
    "other": "Anaya Krishnan",
}


class Reader(HTMLParser):
    """Counts what is open, and keeps addresses and the words that are shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.addresses: list[str] = []
        self.count: dict[str, int] = {}
        self.lang = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.addresses += [found[name] or "" for name in ("href", "src", "background") if name in found]
        self.lang = found.get("lang") or self.lang
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def check(html: str, text: str, language: str) -> None:
    """What holds for every mail."""
    page = Reader(html)
    assert (page.open, page.wrong) == ([], [])
    assert page.lang == language
    assert page.count["h1"] == 1
    assert {"script", "img", "link", "iframe", "form"} & set(page.count) == set()
    assert all(address.startswith((HERE, "mailto:")) for address in page.addresses), page.addresses
    assert "prefers-color-scheme: dark" in html
    assert "max-width:560px" in html
    for part in (html, text):
        assert not re.search(r"\{\{|\{%|%\(\w+\)s", part)
        assert "None" not in part
    assert "<script>alert" not in html
    assert not re.search(r"</?(?:p|td|a|b|div)\b", text)
    assert "\n-- \nport444. " in text or "port444" in text
    assert max((len(line) for line in text.split("\n\n\n\n")), default=0) == len(text), "no gaps of several empty lines"


def letter(user: User, key: str) -> Delivery:
    notification = Notification(id=uuid4(), user=user, kind=key, title=f"Anaya delivered {BAD}", body=f"Look at it.\n\n{BAD}", url="/orders/2187/")
    notification.context = CONTEXT
    return Delivery(id=uuid4(), notification=notification, channel=Channel.EMAIL, address=user.email)


@pytest.fixture
def reader(db: None, client_user: User, monkeypatch: pytest.MonkeyPatch) -> User:
    for key, kind in list(kinds._kinds.items()):  # files of calls are made from the database
        monkeypatch.setitem(kinds._kinds, key, replace(kind, attach=None))
    return client_user


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_notification(reader: User, language: str, django_assert_num_queries: Any) -> None:
    reader.language = language
    assert len(kinds._kinds) > 50
    with django_assert_num_queries(0):
        for key, kind in kinds._kinds.items():
            mail = emails.compose(letter(reader, key))
            check(mail.html, mail.text, language)
            assert f"{HERE}/orders/2187/" in mail.text
            assert f'href="{HERE}/orders/2187/"' in mail.html
            assert ("List-Unsubscribe" in mail.headers) is (kind.group != Group.ACCOUNT)
            assert "Review until" in mail.text
            assert "See the delivery" in mail.html
            with translation.override(language):
                assert str(Group(kind.group).label) in mail.html


ALLAUTH = [path for folder in ("account", "mfa") for path in sorted((Path(site.BASE_DIR) / "templates" / folder / "email").glob("*_message.html"))]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ALLAUTH, ids=lambda path: path.stem.removesuffix("_message"))
def test_every_mail_about_an_account(client_user: User, path: Path, language: str) -> None:
    folder, name = path.parts[-3], path.stem.removesuffix("_message")
    context = {
        "user": client_user,
        "email": client_user.email,
        "activate_url": f"{HERE}/account/confirm-email/x/",
        "password_reset_url": f"{HERE}/account/password/reset/x/",
        "signup_url": f"{HERE}/account/signup/",
        "key": "x",
        "code": "ABC-123",
        "from_email": "old@example.com",
        "to_email": "new@example.com",
        "deleted_email": "old@example.com",
        "timestamp": datetime(2026, 11, 23, 9, tzinfo=UTC),
        "ip": "192.0.2.1",
        "user_agent": "Firefox",
        "current_site": {"name": "port444", "domain": "127.0.0.1:8444"},
    }
    with translation.override(language):
        parts = [render_to_string(f"{folder}/email/{name}_{part}", context) for part in ("message.html", "message.txt", "subject.txt")]
    check(parts[0], parts[1], language)
    assert len(parts[2].strip().splitlines()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_of_the_staff(client_user: User, language: str) -> None:
    client_user.language, client_user.suspension_reason, client_user.suspended_at = language, BAD, now()
    for said in (accounts.suspended(client_user), accounts.reinstated(client_user)):
        check(said.html, said.text, language)
        assert said.subject
