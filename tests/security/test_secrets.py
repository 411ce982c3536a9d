"""Passwords, keys, codes and tokens are used in earnest, and then looked for in all that was logged, queued, recorded and stored.

The log is taken at DEBUG of every logger that does not say otherwise itself, with tracebacks, and with what is handed on beside the words.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.conf import settings as ours
from django.db import connection
from django.test import Client
from django_q.models import OrmQ

from consultations import actions as calls
from consultations.queries import token_of
from port444.accounts import jobs
from port444.accounts.actions import create_token
from port444.accounts.models import QueuedMail, User
from port444.builders.models import Builder
from port444.notifications.emails import token as unsubscribing
from port444.notifications.kinds import Group
from port444.payments.providers import sandbox
from port444.webhooks import actions as webhooks
from port444.webhooks.actions import Terms
from tests.conftest import PASSWORD

from .test_signing_in import SECRET

NEW = "another-horse-battery-9"
# What the database holds as it is, and why.
STORED = {
    ("accounts_session", "session"): "Django's sessions are known by their keys; docs/security.md says what that means",
    ("webhooks_webhookendpoint", "way of a webhook"): "where a person wants events posted, which they read on its page",
    ("accounts_session", "verifier"): "as the state",
    ("accounts_session", "state"): "of a sign-in that was begun, for minutes, in the session that began it",
}


class Everything(logging.Handler):
    """Keeps whatever a formatter could write of a record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        beside = {name: value for name, value in record.__dict__.items() if isinstance(value, str | int | dict | list)}
        self.lines.append(f"{logging.Formatter('%(name)s %(message)s').format(record)} {beside}")


@pytest.fixture
def logged() -> Iterator[Everything]:
    root, taken = logging.getLogger(), Everything()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(taken)
    yield taken
    root.removeHandler(taken)
    root.setLevel(level)


def broken(*args: Any, **options: Any) -> Any:
    raise RuntimeError("a fault of ours")


@pytest.fixture
def walked(person: User, builder: Builder, logged: Everything, monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, str]:
    """Everything that opens something, by a name, after it was used well, badly, and against a view that fails."""
    settings.GOOGLE_CLIENT_ID = settings.GOOGLE_CLIENT_SECRET = "google-client-secret-5521"
    settings.TWILIO_AUTH_TOKEN, settings.ZOOM_WEBHOOK_SECRET = "twilio-auth-token-8812", "zoom-webhook-secret-3307"
    used = {
        "key of the site": ours.SECRET_KEY,
        "google": settings.GOOGLE_CLIENT_SECRET,
        "twilio": settings.TWILIO_AUTH_TOKEN,
        "zoom": settings.ZOOM_WEBHOOK_SECRET,
        "password": PASSWORD,
        "wrong password": "wr0ng-secret-passw0rd",
        "new password": NEW,
        "calendar password": "caldav-passw0rd-771",
        "way of a webhook": "hook-path-secret-4410",
        "authorization code": "oauth-code-secret-5512",
        "signature of a wallet": "0x" + "5e" * 65,
        "signature of a provider": "provider-signature-secret-9921",
    }
    browser = Client(raise_request_exception=False)
    browser.post("/account/signup/", {"email": "x@example.com", "password1": used["wrong password"], "name": "", "role": "work"})
    browser.post("/account/login/", {"login": person.email, "password": used["wrong password"]})
    browser.post("/account/login/", {"login": person.email, "password": PASSWORD})
    used |= {"session": browser.session.session_key or "", "csrf": browser.cookies["csrftoken"].value}
    browser.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    used["session"] = browser.session.session_key or ""

    # Links in mails: opened, sent with a method that nobody wants, and while the view behind them fails
    browser.post("/account/password/reset/", {"email": person.email})
    path = re.search(r"/account/password/reset/key/(\S+-(\S+))/", QueuedMail.objects.latest("created_at").text)
    assert path
    used |= {"reset": path[2]}
    jobs.send_mail(str(QueuedMail.objects.latest("created_at").pk))
    EmailAddress.objects.filter(user=person).update(verified=False)
    Client().post("/account/login/", {"login": person.email, "password": NEW})
    confirm = re.search(r"/account/confirm-email/(\S+?)/", QueuedMail.objects.latest("created_at").text)
    assert confirm
    used |= {"confirmation": confirm[1]}
    jobs.send_mail(str(QueuedMail.objects.latest("created_at").pk))
    feed = token_of(calls.renew_feed(actor=builder.user))
    used |= {"feed": feed, "unsubscribing": unsubscribing(builder.user.pk, Group.MESSAGES)}
    addresses = [path[0], confirm[0], f"/calls/feed/{feed}.ics", f"/notifications/stop/{used['unsubscribing']}/"]
    for address in addresses:
        stranger = Client(raise_request_exception=False)
        for method in ("GET", "PUT", "PROPFIND"):
            stranger.generic(method, address)
        Client(enforce_csrf_checks=True).post(address)
    with monkeypatch.context() as patch:
        for view in (
            "allauth.account.views.PasswordResetFromKeyView.dispatch",
            "allauth.account.views.ConfirmEmailView.get",
            "consultations.queries.feed_of",
            "port444.notifications.emails.read_token",
        ):
            patch.setattr(view, broken)
        assert {Client(raise_request_exception=False).get(address).status_code for address in addresses} == {500}

    # The second factor
    TOTP.activate(person, SECRET)
    RecoveryCodes.activate(person)
    used |= {"seed": SECRET, "recovery code": Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]}
    EmailAddress.objects.filter(user=person).update(verified=True)
    other = Client(raise_request_exception=False)
    other.post("/account/login/", {"login": person.email, "password": NEW})
    other.post("/account/2fa/authenticate/", {"code": "000000"})
    other.post("/account/2fa/authenticate/", {"code": used["recovery code"]})

    # Programs
    _, used["token"] = create_token(person.pk, actor=person, name="Nightly", scopes=["read"], days=7)
    used["wrong token"] = used["token"][:-6] + "AAAAAA"
    program = Client(raise_request_exception=False)
    for text in (used["token"], used["wrong token"]):
        headers = {"Authorization": f"Bearer {text}"}
        program.get("/api/me", headers=headers)
        program.post("/api/orders", {}, content_type="application/json", headers=headers)
        program.get("/api/nothing", headers=headers)
    with monkeypatch.context() as patch:
        patch.setattr("port444.accounts.api.me_out", broken)
        assert program.get("/api/me", headers={"Authorization": f"Bearer {used['token']}"}).status_code == 500

    # Programs of others: a webhook that nobody answers, hooks that carry a secret, a calendar, and the way back from a provider
    hook = Terms(f"http://127.0.0.1:9/{used['way of a webhook']}", ["*"])
    endpoint, used["secret of a webhook"] = webhooks.add_endpoint(person.pk, actor=person, terms=hook, client_key=uuid4())
    webhooks.ping_endpoint(endpoint.pk, actor=person)
    webhooks.send_due()
    signed = {"x-zm-signature": used["signature of a provider"], "x-zm-request-timestamp": "1"}
    program.post("/hooks/zoom/", "{}", content_type="application/json", headers=signed)
    program.post("/payments/callback/sandbox/", "{}", content_type="application/json", headers={sandbox.HEADER: used["signature of a provider"]})
    program.post(f"/hooks/google/{uuid4()}/", headers={"X-Goog-Channel-Token": used["signature of a provider"]})
    busy = Client(raise_request_exception=False)
    busy.force_login(builder.user)
    busy.post("/calls/calendars/connect/caldav/", {"url": "http://127.0.0.1:9/", "name": "anaya", "password": used["calendar password"]})
    busy.post("/calls/calendars/connect/google/")
    used["state"] = next(iter(busy.session["calendar_sign_ins"]))
    used["verifier"] = busy.session["calendar_sign_ins"][used["state"]]["verifier"]
    settings.GOOGLE_TOKEN_URL = "http://127.0.0.1:9/token"
    for state in ("made-up", used["state"]):
        busy.get("/calls/calendars/callback/google/", {"state": state, "code": used["authorization code"]})
    busy.post("/calls/calendars/connect/google/")
    used["state"] = next(iter(busy.session["calendar_sign_ins"]))
    with monkeypatch.context() as patch:
        patch.setattr("consultations.views.connections.module_of", broken)
        busy.get("/calls/calendars/callback/google/", {"state": used["state"], "code": used["authorization code"]})
    busy.post(f"/pay/{uuid4()}/wallet/sign/", {"signature": used["signature of a wallet"]})
    assert all(len(secret) >= 8 for secret in used.values())
    return used


def test_no_secret_is_logged(walked: dict[str, str], logged: Everything) -> None:
    said = "\n".join(logged.lines)
    assert {name for name, secret in walked.items() if secret in said} == set()
    assert "Internal Server Error: /account/password/reset/key/" in said, "the walk has met what would say it"
    assert "Method Not Allowed (PUT): /calls/feed/[secret].ics" in said
    assert "RuntimeError: a fault of ours" in said


def test_no_secret_is_queued_recorded_or_stored(walked: dict[str, str]) -> None:
    """Queue, audit log, errors and all other tables, as they lie in the database."""
    tables = sorted({model._meta.db_table for model in apps.get_models() if model._meta.managed} | {"audit_log"})
    found = set()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')
            held = cursor.fetchone()[0] or ""
            found |= {(table, name) for name, secret in walked.items() if secret in held}
    assert found - set(STORED) == set()
    arguments = str([row.task for row in OrmQ.objects.all()])
    assert {name for name, secret in walked.items() if secret in arguments} == set()


def test_the_reader_sees_a_secret_that_is_logged(logged: Everything) -> None:
    log = logging.getLogger("port444.test")
    log.debug("a %s", "word-1")
    log.warning("b", extra={"held": {"word": "word-2"}})
    try:
        raise ValueError("word-3")
    except ValueError:
        log.exception("c")
    said = "\n".join(logged.lines)
    assert all(word in said for word in ("word-1", "word-2", "word-3"))
