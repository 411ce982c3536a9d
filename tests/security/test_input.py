"""Fields that nobody asked for, parameters that come twice, and texts that would become lines of something else."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts import jobs
from port444.accounts.models import QueuedMail, User
from port444.api import api
from port444.kit.mail import Mail, send
from tests.conftest import PASSWORD

from .test_signing_in import JOIN

MINE = {"is_staff": "on", "is_superuser": "on", "is_active": "on", "id": "0190c0de-0000-7000-8000-000000000000", "groups": "1", "suspended_at": ""}


def test_nobody_makes_themselves_staff(person: User) -> None:
    """By joining, by the profile, or by the colours."""
    Client().post("/account/signup/", {**JOIN, **MINE, "email": "mira@example.com", "email_verified": "on"})
    browser = Client()
    browser.force_login(person)
    browser.post("/settings/", {**MINE, "name": "Jonas V", "time_zone": "UTC", "language": "en", "theme": "dark", "email": "x@example.com"})
    browser.post("/settings/theme/", {**MINE, "theme": "light"})
    for user in User.objects.all():
        assert (user.is_staff, user.is_superuser, user.groups.count()) == (False, False, 0)
        assert str(user.pk) != MINE["id"]
    person.refresh_from_db()
    assert (person.name, person.email) == ("Jonas V", "jonas@example.com")


def test_a_body_of_the_api_takes_the_fields_that_it_names_and_no_others() -> None:
    """Pydantic would pass over what it does not know; these schemas refuse it, so that nobody thinks that it was done."""
    lax, described = [], api.get_openapi_schema()
    for path, by_method in described["paths"].items():
        for method, operation in by_method.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name in re.findall(r"'#/components/schemas/(\w+)'", str(body)):
                if described["components"]["schemas"][name].get("additionalProperties") is not False:
                    lax.append(f"{method} {path}: {name}")
    assert lax == []


def test_a_parameter_that_comes_twice_counts_once_and_the_same_everywhere(person: User) -> None:
    """The last one, in the form and in what is written down; a parameter of the address takes no place of a field."""
    browser = Client()
    browser.force_login(person)
    browser.post("/settings/theme/?theme=light", "theme=light&theme=dark", content_type="application/x-www-form-urlencoded")
    person.refresh_from_db()
    assert person.theme == "dark"
    assert browser.post("/settings/theme/?theme=light", {}).status_code == 422
    signed = Client()
    signed.post(
        "/account/login/?login=jonas@example.com",
        f"login=nobody@example.com&login=jonas@example.com&password=x&password={PASSWORD}",
        content_type="application/x-www-form-urlencoded",
    )
    assert signed.session["_auth_user_id"] == str(person.pk)


BAD_LINES = [
    "Hello\r\nBcc: all@example.com",
    "Hello\nX-Evil: 1",
    "Hello\r\n\r\n<html>",
    "Hello\x0bBcc: x@example.com",
    "Hello\x85Bcc: x",
    "Hello\u2028Bcc: x",
]


@pytest.mark.parametrize("text", BAD_LINES)
def test_no_text_becomes_a_header_of_a_mail(text: str) -> None:
    send(Mail("jonas@example.com", text, "Words", key="key-1"))
    written = mail.outbox[-1].message()
    assert {name.lower() for name in written} >= {"subject", "to", "message-id"}
    assert not {"bcc", "x-evil"} & {name.lower() for name in written}
    assert b"\nBcc:" not in written.as_bytes()
    assert b"\nX-Evil" not in written.as_bytes()


BAD_ADDRESSES = ["a@example.com\nBcc: b@example.com", "a@example.com,b@example.com", "a@example.com\r\nSubject: x", '"a\nb"@example.com']


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_no_address_becomes_two(address: str, db: None) -> None:
    for path, form in (("/account/signup/", {**JOIN, "email": address}), ("/account/password/reset/", {"email": address})):
        answer = Client().post(path, form)
        assert answer.status_code == 200, "the form comes back"
    assert not QueuedMail.objects.exists()
    assert not User.objects.exists()


def test_a_name_stays_a_name_in_mails(db: None) -> None:
    Client().post("/account/signup/", {**JOIN, "email": "mira@example.com", "name": "Mira\r\nBcc: x@example.com"})
    user = User.objects.get()
    assert user.name == "Mira Bcc: x@example.com"
    jobs.send_mail(str(QueuedMail.objects.get().pk))
    assert mail.outbox[-1].recipients() == ["mira@example.com"]


@pytest.mark.parametrize("path", ["/nothing\nFORGED 2026 line", "/nothing%0aFORGED", "/nothing%0d%0aFORGED", "/%1b[2JFORGED"])
def test_no_address_becomes_a_line_of_the_log(path: str, caplog: pytest.LogCaptureFixture, db: None) -> None:
    with caplog.at_level(logging.DEBUG):
        Client().get(path, headers={"User-Agent": "x\r\nFORGED line", "Referer": "http://x/\nFORGED"})
    lines = [caplog.handler.format(record) for record in caplog.records]
    assert [line for line in lines if "FORGED" in line]
    assert not [line for line in lines if any(mark in line for mark in "\n\r\x1b\x85\u2028")]


def test_no_browser_becomes_a_line_of_the_audit_log(person: User) -> None:
    browser = Client(headers={"User-Agent": "Firefox\r\n\x1b[31mFORGED\x00\x7f"})
    browser.post("/account/login/", {"login": person.email, "password": "nope\nFORGED"})
    row = AuditLog.objects.get(event_type="auth.login_failed")
    assert row.user_agent == "Firefox[31mFORGED"
    assert "nope" not in str(AuditLog.objects.values().get(pk=row.pk))


def test_an_address_with_what_no_text_holds_is_refused(person: User) -> None:
    browser: Any = Client(raise_request_exception=False)
    browser.force_login(person)
    for path in ("/?q=%00", "/settings/%00", "/api/me%00", "/b/%00/", "/messages/?q=%ff%fe"):
        assert browser.get(path).status_code < 500, path
