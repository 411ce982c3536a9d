"""No other site makes somebody's browser do anything here."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client

from port444.accounts.models import User
from port444.api import api
from tests.architecture.conftest import World
from tests.architecture.test_urls import ALL, Address, rows, table

# Who posts here is no browser: each proves itself by something that a browser does not send by itself.
PROVES_ITSELF = {
    "payments:sandbox_callback": "signed by the provider",
    "notifications:unsubscribe": "the signed token in the address",
    "notifications:sms_reply": "signed by Twilio",
    "consultations:zoom_hook": "signed by Zoom",
    "consultations:calcom_hook": "signed with the secret of the link",
    "consultations:google_hook": "carries the secret of the channel",
    "consultations:graph_hook": "carries the secret of the channel",
}
EVERY = [*ALL, *(address for address in table() if address.name.startswith(("account_", "mfa_")))]
NOBODY = User()


BY_PATTERN = {
    "admin:app_list": "/console/accounts/",
    "account_confirm_email": "/account/confirm-email/x/",
    "account_reset_password_from_key": "/account/password/reset/key/1-x/",
}


def made_up(address: Address) -> str:
    """The address; those of regular expressions are here, or are the console's and stock."""
    if "(?P<" in str(address.pattern.pattern) or "^" in address.prefix:
        return BY_PATTERN[address.name]
    return address.path(World(NOBODY, NOBODY, NOBODY, NOBODY))


def is_exempt(address: Address) -> bool:
    return bool(getattr(address.pattern.callback, "csrf_exempt", False))


def test_every_address_is_walked() -> None:
    assert len(EVERY) > 300
    assert {"account_login", "mfa_authenticate", "accounts:theme"} <= {address.name for address in EVERY}


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """In the place of the page that says so, which would be drawn hundreds of times."""
    return HttpResponse(status=403, headers={"By": "csrf"})


def test_without_its_token_no_form_is_read(client_user: User, settings: Any) -> None:
    """It is refused before the view, so that it does not matter who sends it and what is in the address."""
    settings.CSRF_FAILURE_VIEW = f"{__name__}.refused"
    before = rows()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(client_user)
    read = []
    for address in EVERY:
        if not is_exempt(address):
            answer = browser.post(made_up(address), {"csrfmiddlewaretoken": "x" * 64})
            if (answer.status_code, answer.headers.get("By")) != (403, "csrf"):
                read.append((address.name, answer.status_code))
    assert read == []
    assert rows() == before


def test_who_needs_no_token_is_listed() -> None:
    assert {address.name for address in EVERY if is_exempt(address)} == set(PROVES_ITSELF)


def test_who_needs_no_token_is_refused_without_its_proof(client_user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(client_user)
    before = rows()
    for address in EVERY:
        if is_exempt(address):
            answer = browser.post(made_up(address), {"a": "b"}, headers={"Authorization": "Basic eDp5"})
            assert answer.status_code in (403, 404), address.name
    assert rows() == before


KINDS = ["application/json", "text/plain", "application/x-www-form-urlencoded"]


def test_a_browser_s_session_changes_nothing_by_the_api_without_its_token(staff: User, settings: Any) -> None:
    """Tried by somebody of the staff, to whom no operation is hidden."""
    settings.STAFF_SECOND_FACTOR = False
    settings.API_A_MINUTE = {"reads": 10_000, "writes": 10_000}
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(staff)
    found, tried, before = [], 0, rows()
    for path, by_method in api.get_openapi_schema()["paths"].items():
        for method in set(by_method) & {"post", "put", "patch", "delete"}:
            address, kind, tried = fill(path, by_method[method]), KINDS[tried % 3], tried + 1
            answer = browser.generic(method.upper(), address, "{}", content_type=kind, headers={"Idempotency-Key": "12345678"})
            if (answer.status_code, answer.json().get("code")) != (403, "csrf"):
                found.append((method, path, answer.status_code))
    assert tried > 100
    assert found == []
    assert rows() | {"accounts.ApiAllowance": 0} == before | {"accounts.ApiAllowance": 0}


def fill(path: str, operation: Any) -> str:
    """An address of the API with what is nobody's in each place."""
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            schema = one["schema"]
            text = "1" if schema.get("type") == "integer" else "0190c0de-0000-7000-8000-000000000000" if schema.get("format") == "uuid" else "nobody"
            path = path.replace("{" + one["name"] + "}", text)
    return path


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Referer": "https://evil.example/"}])
def test_a_token_from_another_site_counts_for_nothing(headers: dict[str, str], client_user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(client_user)
    page = browser.get("/settings/", secure=True)
    token = str(page.context["csrf_token"])
    answer = browser.post("/settings/offer-work/", {"csrfmiddlewaretoken": token}, headers=headers, secure=True)
    assert answer.status_code == 403
    client_user.refresh_from_db()
    assert not client_user.is_builder
    ours = browser.post("/settings/offer-work/", {"csrfmiddlewaretoken": token}, headers={"Origin": "https://testserver"}, secure=True)
    assert ours.status_code == 302
