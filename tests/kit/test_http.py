from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxMiddleware

from port444.accounts.models import User
from port444.kit import context
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, worded
from port444.kit.http import DomainErrors, back, client_ip, done, next_url, request_context


def asked(**headers: str) -> HttpRequest:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", headers=headers)
    HtmxMiddleware(lambda r: HttpResponse())(request)
    return request


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.7", "10.0.0.9"),  # nobody is trusted: the header is the caller's own
        (0, "", "10.0.0.9"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),  # what the caller wrote stands on the left
        (1, "6.6.6.6, 7.7.7.7, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "203.0.113.7", "10.0.0.9"),  # fewer entries than proxies: somebody came past one
        (1, "", "10.0.0.9"),
        (1, "203.0.113.7, nonsense", None),
        (1, "203.0.113.7, 10.0.0.1; DROP TABLE", None),
        (1, " , 2001:DB8::1", "2001:db8::1"),
    ],
)
def test_address_of_the_caller(settings: Any, proxies: int, forwarded: str, address: str | None) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert client_ip(asked(**{"X-Forwarded-For": forwarded})) == address


@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "Client-IP", "X-Client-IP", "CF-Connecting-IP"])
def test_other_headers_name_nobody(settings: Any, header: str) -> None:
    settings.TRUSTED_PROXIES = 1
    assert client_ip(asked(**{header: "6.6.6.6"})) == "10.0.0.9"


def test_context_is_filled_for_the_request_and_emptied_after() -> None:
    seen: list[context.Context] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(context.current())
        return HttpResponse()

    response = request_context(view)(asked(**{"User-Agent": "Browser\x00\n" + "x" * 600}))
    assert seen[0].ip_address == "10.0.0.9"
    assert seen[0].user_agent.startswith("Browserx")
    assert len(seen[0].user_agent) == 512
    assert response["X-Request-ID"] == str(seen[0].request_id)
    assert context.current() == context.Context()


def test_every_answer_has_an_id_of_its_own(client: Client) -> None:
    first, second = client.get("/healthz"), client.get("/healthz")
    assert uuid.UUID(first["X-Request-ID"]).version == 7
    assert first["X-Request-ID"] != second["X-Request-ID"]
    # what a caller claims is not taken over: the log would show it
    assert client.get("/healthz", headers={"X-Request-ID": str(uuid.uuid4())})["X-Request-ID"] != second["X-Request-ID"]


ERRORS = [Invalid("Too long."), NotAllowed("Not yours."), Conflict("Too late."), WrongState("Done already.")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_refusal_is_worded_for_who_asks(error: Any) -> None:
    answer = DomainErrors(lambda r: HttpResponse()).process_exception

    fragment = answer(asked(**{"HX-Request": "true"}), error)  # type: ignore[arg-type]  # the factory's request has gone through the htmx middleware
    assert fragment is not None
    assert (fragment.status_code, fragment["HX-Retarget"], fragment["HX-Reswap"]) == (error.status, "#messages", "innerHTML")
    assert error.message in fragment.content.decode()
    assert "<html" not in fragment.content.decode()

    data = answer(asked(Accept="application/json"), error)  # type: ignore[arg-type]  # as above
    assert data is not None
    assert (data.status_code, json.loads(data.content)) == (error.status, {"error": {"code": error.code, "message": error.message}})


def test_refusal_is_a_page_for_a_browser(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    client.post("/settings/offer-work/")
    page = client.post("/settings/offer-work/", headers={"Referer": "http://testserver/settings/", "Accept": "text/html,*/*"})
    assert page.status_code == 409
    assert "You offer work already." in page.content.decode()
    assert 'href="http://testserver/settings/"' in page.content.decode()


def test_faults_of_ours_are_not_worded() -> None:
    answer = DomainErrors(lambda r: HttpResponse()).process_exception
    for fault in (KeyError("x"), IntegrityError("x"), DatabaseError("x")):
        assert answer(asked(), fault) is None  # type: ignore[arg-type]  # as above


def test_constraint_is_worded_by_its_name(client_user: User) -> None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        User.objects.create_user("JONAS@example.com", name="Second")
    error = worded(caught.value)
    assert isinstance(error, Conflict)
    assert "already" in error.message


@pytest.mark.parametrize("url", ["https://evil.example/x", "//evil.example", "javascript:alert(1)", "", "http:///evil.example"])
def test_nobody_is_sent_to_another_site(url: str) -> None:
    assert back(asked(Referer=url)) == "/"
    request = RequestFactory().post("/", {"next": url})
    assert next_url(request) == "/"


def test_finished_step_goes_on_for_a_page_and_for_htmx() -> None:
    assert (done(asked(), "/x/").status_code, done(asked(), "/x/")["Location"]) == (302, "/x/")
    by_htmx = done(asked(**{"HX-Request": "true"}), "/x/")
    assert (by_htmx.status_code, by_htmx["HX-Redirect"]) == (200, "/x/")
