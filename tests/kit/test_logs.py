"""Lines of JSON: which request or job they belong to, and that no secret gets into one."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from port444.accounts.actions import create_token
from port444.accounts.models import Scope, User
from port444.kit import context, jobs
from port444.kit.ids import uuid7
from port444.kit.logs import HIDDEN, JsonLines, scrub
from tests.conftest import PASSWORD

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What production would write, read back."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def test_production_logs_lines_of_json() -> None:
    formatters: Any = settings.LOGGING["formatters"]
    assert formatters["json"] == {"()": "port444.kit.logs.JsonLines"}


def test_a_request_is_one_line_with_its_id_view_status_and_person(client: Client, client_user: User, lines: Lines) -> None:
    client.force_login(client_user)
    answer = client.get("/", {"q": "logo"})
    (line,) = [line for line in lines() if line["logger"] == "port444.request"]
    assert line["request_id"] == answer["X-Request-ID"]
    assert (line["view"], line["method"], line["status"], line["user_id"]) == ("catalog:search", "GET", 200, str(client_user.pk))
    assert line["ms"] > 0
    assert line["queries"] > 0
    assert line["source"] == "web"
    assert "logo" not in json.dumps(line)


def test_all_that_a_request_says_has_its_id(client: Client, db: None, lines: Lines) -> None:
    answer = client.get("/no/such/address")
    said = [line for line in lines() if line["logger"] == "django.request"]
    assert [line["request_id"] for line in said] == [answer["X-Request-ID"]]
    assert said[0]["message"] == f"Not Found: /no/{HIDDEN}"


def test_who_is_not_signed_in_is_nobody_and_machines_are_not_logged(client: Client, db: None, lines: Lines) -> None:
    client.get("/")
    client.get("/healthz")
    (line,) = [line for line in lines() if line["logger"] == "port444.request"]
    assert "user_id" not in line


def test_a_job_is_one_line_with_its_id(db: None, lines: Lines) -> None:
    task = {"func": "port444.orders.jobs.auto_accept", "id": "0123456789abcdef", "success": True}
    jobs.begin(task=task)
    jobs.note(task=task)
    jobs.end()
    (line,) = [line for line in lines() if line["logger"] == "port444.job"]
    assert (line["job"], line["job_id"], line["succeeded"], line["level"]) == ("port444.orders.jobs.auto_accept", "0123456789abcdef", True, "INFO")
    assert line["source"] == "job:port444.orders.jobs.auto_accept"
    assert UUID(line["request_id"])


@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        ("Authorization: Bearer p444_abcdefghijklmnop and more", "Authorization", "p444_abcdefghijklmnop"),
        ("{'Cookie': 'sessionid=abc123; csrftoken=def456'}", "Cookie", "abc123"),
        ("Set-Cookie: device=5f1d6a; HttpOnly", "Set-Cookie", "5f1d6a"),
        ("called with bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "called with", "eyJhbGciOiJIUzI1NiJ9"),
        ("connection to postgres://port444_app:hunter2@db/port444 failed", "@db/port444 failed", "hunter2"),
        ("password=hunter2&next=/", "next=/", "hunter2"),
        ("{'password': 'hunter2', 'name': 'Anaya'}", "Anaya", "hunter2"),
        ('{"client_secret": "s3cr3t", "grant": "code"}', "grant", "s3cr3t"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed with", "MfKQ9r8GKYqr"),
        ("SECRET_KEY=abcdef0123 TWILIO_AUTH_TOKEN=0123abcdef", "SECRET_KEY", "0123abcdef"),
    ],
)
def test_secrets_are_hidden(text: str, kept: str, hidden: str) -> None:
    assert kept in scrub(text)
    assert hidden not in scrub(text)


def test_words_that_only_look_like_it_stay() -> None:
    text = "Order 0192 was paid by token holders; https://port444.example/orders/1 took 12 ms: done"
    assert scrub(text) == text


def test_exceptions_are_told_without_secrets(lines: Lines) -> None:
    with context.use(request_id=uuid7()):
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            logging.getLogger("port444").exception("it failed")
    (line,) = lines()
    assert "Traceback" in line["exception"]
    assert "hunter2" not in json.dumps(line)


def test_no_secret_of_a_person_gets_into_a_line(client: Client, client_user: User, lines: Lines) -> None:
    """A password that is wrong, a token that is right, a link from a mail, and a page that does not exist under a cookie."""
    client.post("/account/login/", {"login": client_user.email, "password": "wrong-" + PASSWORD})
    _, token = create_token(client_user.pk, actor=client_user, name="Program", scopes=[Scope.READ], days=1)
    client.get("/api/orders", headers={"Authorization": f"Bearer {token}"})
    client.get("/account/password/reset/key/1a-c0ffee-c0ffee/")
    client.get("/account/confirm-email/MQ:1tOken:c0ffee/")
    client.force_login(client_user)
    client.get("/no/such/page-c0ffee")
    said = json.dumps(lines())
    for secret in (PASSWORD, token, "c0ffee", client.cookies["sessionid"].value, client_user.email):
        assert secret not in said
