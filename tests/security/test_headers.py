"""What every answer tells the browser, whatever was asked; tests/architecture/test_urls.py asks the same of every address of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ours
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils.csp import CSP

from port444 import urls
from port444.accounts.models import QueuedMail, User

from .headers import wrong

SECRET = "a secret of the server"
ODD = ["TRACE", "CONNECT", "PROPFIND", "BREW"]


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x")


urlpatterns = [path("api/fails", fails), path("fails/", fails), path("plain/", plain), *urls.urlpatterns]


def test_the_policy_lets_nothing_of_others_and_nothing_inline_in() -> None:
    for name, sources in ours.SECURE_CSP.items():
        assert set(sources) <= {CSP.SELF, CSP.NONE}, name
    assert ours.SECURE_CSP["default-src"] == ours.SECURE_CSP["base-uri"] == ours.SECURE_CSP["frame-ancestors"] == [CSP.NONE]


@pytest.mark.urls("tests.security.test_headers")
@pytest.mark.parametrize("signed_in", [False, True])
def test_errors_and_files_say_the_same_as_pages(signed_in: bool, client_user: User) -> None:
    browser = Client(raise_request_exception=False)
    if signed_in:
        browser.force_login(client_user)
    asked = {
        "/": 200,
        "/nothing/": 404,
        "/fails/": 500,
        "/api/fails": 500,
        "/api/nothing": 404,
        "/plain/": 200,
        "/settings/": 200 if signed_in else 302,
        "/static/css/base.css": 404,
        "/robots.txt": 200,
        "/messages/0190c0de-0000-7000-8000-000000000000/": 404 if signed_in else 302,
        "/healthz": 200,
    }
    for address, status in asked.items():
        answer = browser.get(address)
        assert answer.status_code == status, address
        assert wrong(answer, signed_in=signed_in) == [], address
    strict = Client(enforce_csrf_checks=True)
    assert wrong(strict.post("/settings/theme/"), signed_in=False) == []
    bad_host = browser.get("/", headers={"host": "evil.example"})
    assert bad_host.status_code == 400
    assert wrong(bad_host, signed_in=False) == []


@pytest.mark.urls("tests.security.test_headers")
@pytest.mark.parametrize("address", ["/fails/", "/api/fails"])
def test_a_fault_says_nothing_of_the_server(address: str, db: None) -> None:
    answer = Client(raise_request_exception=False).get(address, headers={"Accept": "*/*"})
    text = answer.content.decode()
    assert answer.status_code == 500
    for word in (SECRET, "Traceback", "RuntimeError", "test_headers.py", "Django", str(ours.BASE_DIR), ours.SECRET_KEY):
        assert word not in text, word
    assert not {"Server", "X-Powered-By"} & set(answer.headers)


@pytest.mark.parametrize("method", ODD)
@pytest.mark.parametrize("address", ["/", "/account/login/", "/settings/theme/", "/api/me", "/console/", "/healthz", "/robots.txt"])
def test_methods_that_nobody_wants_are_refused(method: str, address: str, client_user: User) -> None:
    """Above all TRACE, which would say cookies to a script."""
    browser = Client(raise_request_exception=False)
    browser.force_login(client_user)
    answer = browser.generic(method, address, headers={"X-Mark": "marked"})
    assert answer.status_code in (302, 403, 404, 405)
    assert b"marked" not in answer.content
    assert b"sessionid" not in answer.content


# The host


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "testserver.evil.example"},
        {"host": "testserver@evil.example"},
        {"host": "evil.example:80"},
        {"host": "testserver\tevil.example"},
        {"host": ""},
    ],
)
def test_another_host_is_not_this_site(headers: dict[str, str], person: User) -> None:
    for answer in (Client().get("/", headers=headers), Client().post("/account/password/reset/", {"email": person.email}, headers=headers)):
        assert answer.status_code == 400
        assert b"evil" not in answer.content
    assert not QueuedMail.objects.exists()


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-Host", "X-HTTP-Host-Override"])
def test_no_header_takes_the_place_of_the_host(name: str, person: User) -> None:
    asked = Client().post("/account/password/reset/", {"email": person.email}, headers={name: "host=evil.example"})
    assert asked.status_code == 302
    assert "evil" not in asked["Location"] + QueuedMail.objects.get().text + QueuedMail.objects.get().html


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/account/password/reset/", {"email": "jonas@example.com"}),
        ("/account/password/reset/", {"email": "nobody@example.com"}),
        ("/account/signup/", {"email": "jonas@example.com"}),
        ("/account/signup/", {"email": "mira@example.com"}),
    ],
    ids=["reset", "reset of nobody", "joined before", "joined"],
)
def test_links_in_mails_come_from_the_settings(address: str, form: dict[str, str], person: User, settings: Any) -> None:
    """Even where more hosts than one are served, what a stranger asks for leads to where the site says it lives."""
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://port444.example", ["testserver", "other.example"]
    joining = {"name": "Mira Okafor", "password1": "correct horse battery", "role": "work", "time_zone": "Africa/Lagos"}
    Client().post(address, {**joining, **form}, headers={"host": "other.example"})
    mail = QueuedMail.objects.get()
    links = re.findall(r"https?://[^\s\"<]+", mail.text + mail.html)
    assert [one for one in links if "/account/" in one]
    assert [one for one in links if not one.startswith("https://port444.example")] == []


FROM_HOST = re.compile(r"build_absolute_uri|get_host|HTTP_HOST|get_current_site")
# What compares an address with the host, the way back inside the console, where a viewing ends (in a header of the same answer), and an
# example that shows the reader's own host.
STAYS_ON_IT = {"port444/kit/http.py", "support/site.py", "support/middleware.py", "templates/api/docs.html"}


def test_nothing_builds_an_address_from_the_host_but_what_stays_on_it() -> None:
    home, folders = Path(ours.BASE_DIR), ("port444", "consultations", "amendments", "support", "auditlog", "templates")
    files = [file for folder in folders for file in (home / folder).rglob("*.*") if file.suffix in (".py", ".html", ".txt")]
    assert {str(file.relative_to(home)) for file in files if FROM_HOST.search(file.read_text())} == STAYS_ON_IT
