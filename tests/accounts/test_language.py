"""Which language the site speaks, and to whom."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from auditlog.models import AuditLog
from port444.accounts.models import User

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


def language_of(answer: Any) -> str:
    found = re.search(r'<html lang="(\w+)"', answer.content.decode())
    assert found is not None
    return found[1]


def test_a_browser_is_answered_in_what_it_asks_for(client: Client, db: None) -> None:
    plain, german = client.get("/account/login/"), client.get("/account/login/", headers=GERMAN)
    assert (language_of(plain), language_of(german)) == ("en", "de")
    assert "Zum Inhalt springen" in german.content.decode()
    assert german["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(german["Vary"].split(", "))
    assert language_of(client.get("/account/login/?language=de&lang=de")) == "en"
    assert language_of(client.get("/account/login/", headers={"Accept-Language": "tlh, xx;q=0.2"})) == "en"
    assert language_of(client.get("/nowhere/at/all/", headers=GERMAN)) == "de"


def test_what_a_browser_chose_goes_before_what_it_asks_for(client: Client, db: None) -> None:
    answer = client.post("/settings/language/", {"language": "de", "next": "/account/login/"})
    assert (answer.status_code, answer["Location"], answer.cookies["language"].value) == (302, "/account/login/", "de")
    assert language_of(client.get("/account/login/", headers={"Accept-Language": "en"})) == "de"


def test_the_account_goes_before_the_browser(client: Client, client_user: User) -> None:
    client.cookies["language"] = "de"
    client.force_login(client_user)
    assert language_of(client.get("/settings/", headers=GERMAN)) == "en"
    assert client.post("/settings/language/", {"language": "de"}).status_code == 302
    client_user.refresh_from_db()
    assert client_user.language == "de"
    assert AuditLog.objects.filter(event_type="user.profile_changed", target_id=client_user.pk).exists()
    del client.cookies["language"]
    assert language_of(client.get("/settings/")) == "de"
    form = {"name": "Jonas", "phone": "", "time_zone": "UTC", "language": "en", "theme": "light"}
    assert client.post("/settings/", form).cookies["language"].value == "en"
    assert language_of(client.get("/settings/")) == "en"


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_goes_nowhere_else(client: Client, db: None, url: str) -> None:
    assert client.post("/settings/language/", {"language": "de", "next": url})["Location"] == "/"


def test_an_unknown_language_is_refused(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    for language in ("", "xx", "de-AT", "de\x00"):
        answer = client.post("/settings/language/", {"language": language})
        assert (answer.status_code, "language" in answer.cookies) == (422, False)
    client_user.refresh_from_db()
    assert client_user.language == "en"


def test_console_and_api_speak_english(client: Client, staff: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    User.objects.filter(pk=staff.pk).update(language="de")
    client.force_login(staff)
    assert language_of(client.get("/settings/")) == "de"
    assert language_of(client.get("/console/")) == "en"
    refused = client.get("/api/v1/nothing-here", headers=GERMAN)
    assert refused.status_code == 404
    assert translation.get_language() == "en"


def test_somebody_new_is_written_to_in_the_language_they_came_in(client: Client, db: None) -> None:
    form = {"email": "neu@example.com", "password1": "a long enough one", "name": "Neu Hier", "role": "hire", "time_zone": "UTC"}
    answer = client.post("/account/signup/", form, headers=GERMAN)
    assert answer.status_code == 302
    assert User.objects.get(email="neu@example.com").language == "de"


@pytest.mark.parametrize(
    ("form", "english", "german"),
    [
        ("D j M, H:i", "Tue 24 Nov, 09:05", "Di, 24. Nov, 09:05"),
        ("j M Y", "24 Nov 2026", "24. Nov 2026"),
        ("l j F", "Tuesday 24 November", "Dienstag, 24. November"),
        ("j F Y", "24 November 2026", "24. November 2026"),
        ("D j", "Tue 24", "Di, 24"),
        ("Y-m-d", "2026-11-24", "2026-11-24"),
        ("c", "2026-11-24T09:05:00+00:00", "2026-11-24T09:05:00+00:00"),
        ("H:i", "09:05", "09:05"),
    ],
)
def test_dates_are_written_as_the_reader_writes_them(form: str, english: str, german: str) -> None:
    from django.template import Context, Template

    page = Template(f'{{{{ at|date:"{form}" }}}}')
    for code, words in (("en", english), ("de", german)):
        with translation.override(code):
            assert page.render(Context({"at": datetime(2026, 11, 24, 9, 5, tzinfo=UTC)})) == words


@pytest.mark.parametrize(
    ("amount", "english", "german"),
    [
        ("1234.50", "$1,234.50", "1.234,50\u00a0$"),
        ("-0.07", "-$0.07", "-0,07\u00a0$"),
        ("1000000.00", "$1,000,000.00", "1.000.000,00\u00a0$"),
    ],
)
def test_money_is_written_as_the_reader_writes_it(amount: str, english: str, german: str) -> None:
    from port444.kit.money import usd

    for code, words in (("en", english), ("de", german)):
        with translation.override(code):
            assert usd(Decimal(amount)) == words
