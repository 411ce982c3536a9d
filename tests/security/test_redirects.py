"""Nobody is led to another site by an address of this one."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings as ours
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from tests.conftest import PASSWORD

from .conftest import sign_in
from .test_signing_in import SECRET, code

EVIL = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "https:evil.example",
    "https:///evil.example/",
    "http://testserver@evil.example/",
    "http://testserver.evil.example/",
    "http://evil.example\\@testserver/",
    "javascript:alert(1)",
    "data:text/html,x",
    "\thttps://evil.example/",
    " //evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "/%0d%0aLocation:%20https://evil.example/",
    "ftp://testserver/",
]


def led_to(answer: Any) -> str:
    """The host to which a browser goes on, which reads a backslash as a slash and passes over tabs and line breaks; empty for ours."""
    address = answer.headers.get("HX-Redirect", answer.headers.get("Location", ""))
    read = re.sub(r"[\t\r\n]", "", address.strip(" ")).replace("\\", "/")
    parts = urlsplit(urljoin("http://testserver/here/", re.sub(r"^/{3,}", "//", read)))
    return "" if parts.scheme == "http" and parts.netloc == "testserver" else f"{parts.scheme}://{parts.netloc}"


def test_the_reader_of_addresses_sees_what_a_browser_sees() -> None:
    class Answer:
        headers = {"Location": ""}

    for evil in EVIL:
        Answer.headers = {"Location": evil}
        assert led_to(Answer) or evil.startswith("/%0d"), evil
    for good in ("", "/", "/settings/?a=//evil.example", "http://testserver/x/"):
        Answer.headers = {"Location": good}
        assert led_to(Answer) == "", good


Ask = Callable[[Client, User, str], Any]

# Every form and address that reads where to go on.
PLACES: dict[str, Ask] = {
    "sign in": lambda browser, user, url: browser.post("/account/login/", {"login": user.email, "password": PASSWORD, "next": url}),
    "sign in, address": lambda browser, user, url: browser.post(f"/account/login/?{query(url)}", {"login": user.email, "password": PASSWORD}),
    "signed in already": lambda browser, user, url: sign_in(user, browser).get(f"/account/login/?{query(url)}"),
    "join": lambda browser, user, url: browser.post("/account/signup/", {"email": "x@example.com", "next": url}),
    "sign out": lambda browser, user, url: sign_in(user, browser).post("/account/logout/", {"next": url}),
    "sign out, address": lambda browser, user, url: sign_in(user, browser).get(f"/account/logout/?{query(url)}"),
    "password again": lambda browser, user, url: sign_in(user, browser).post("/account/reauthenticate/", {"password": PASSWORD, "next": url}),
    "password again, address": lambda browser, user, url: sign_in(user, browser).post(
        f"/account/reauthenticate/?{query(url)}", {"password": PASSWORD}
    ),
    "colours": lambda browser, user, url: browser.post("/settings/theme/", {"theme": "dark", "next": url}),
    "language": lambda browser, user, url: browser.post("/settings/language/", {"language": "de", "next": url}),
    "where from": lambda browser, user, url: browser.post("/settings/theme/", {"theme": "dark"}, headers={"Referer": safe(url)}),
    "tell me": lambda browser, user, url: sign_in(user, browser).post("/b/anaya-krishnan/back/want/", {"next": url}),
    "tell me, htmx": lambda browser, user, url: sign_in(user, browser).post(
        "/b/anaya-krishnan/back/want/", {"next": url}, headers={"HX-Request": "true"}
    ),
    "save": lambda browser, user, url: sign_in(user, browser).post("/saved/builders/anaya-krishnan/", {"next": url}),
    "console": lambda browser, user, url: sign_in(user, browser).get(f"/console/login/?{query(url)}"),
    "the path itself": lambda browser, user, url: browser.get("/" + safe(url)),
}


def query(url: str) -> str:
    return urlencode({"next": url})


def safe(url: str) -> str:
    """What can be sent in a header."""
    return re.sub(r"[\t\r\n]", "", url)


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_led_away(place: str, person: User, builder: Builder, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    found = [(evil, led_to(answer)) for evil in EVIL if led_to(answer := PLACES[place](Client(raise_request_exception=False), person, evil))]
    assert found == []


def test_the_places_do_lead_on(person: User) -> None:
    """Else the test above would say nothing."""
    for place in ("sign in", "sign in, address", "colours", "language", "sign out"):
        assert PLACES[place](Client(), person, "/help/?x=1")["Location"] == "/help/?x=1", place


def test_a_code_leads_nowhere_else(person: User) -> None:
    TOTP.activate(person, SECRET)
    browser = Client()
    browser.force_login(person)
    answer = browser.post("/account/2fa/reauthenticate/?next=https://evil.example/", {"code": code(), "next": "https://evil.example/"})
    assert answer.status_code == 302
    assert led_to(answer) == ""


def test_no_view_goes_where_a_request_says() -> None:
    """`next_url` and `back` ask whether an address is ours; nothing else of a request becomes an address to go to."""
    home, found = Path(ours.BASE_DIR), []
    for file in [file for folder in ("port444", "consultations", "amendments", "support", "auditlog") for file in (home / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in ("HttpResponseRedirect", "redirect", "done"):
                continue
            where = " ".join(ast.unparse(one) for one in node.args[:2])
            if re.search(r"request\.(GET|POST|META|headers|COOKIES|get_full_path)", where):
                found.append(f"{file.relative_to(home)}:{node.lineno}")
    assert found == []
