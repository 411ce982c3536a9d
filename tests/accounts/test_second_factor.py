from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.accounts.queries import recently_proved
from port444.kit.clock import at, now
from tests.conftest import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code() -> str:
    return str(format_hotp_value(hotp_value(SECRET, next(yield_hotp_counters_from_time()))))


@pytest.fixture
def enrolled(staff: User) -> User:
    EmailAddress.objects.create(user=staff, email=staff.email, verified=True, primary=True)
    TOTP.activate(staff, SECRET)
    RecoveryCodes.activate(staff)
    return staff


@pytest.fixture(autouse=True)
def wanted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code lasts as long as its test: the app's clock, which the server asks too, stands."""
    settings.STAFF_SECOND_FACTOR = True
    moment = time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: moment))


@pytest.mark.parametrize("path", ["/settings/", "/settings/devices/", "/console/", "/messages/"])
def test_staff_without_one_are_sent_to_set_it_up(client: Client, staff: User, path: str) -> None:
    client.force_login(staff)
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/account/2fa/totp/activate/")


def test_staff_without_one_write_nothing(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert client.post("/settings/offer-work/").status_code == 302
    staff.refresh_from_db()
    assert not staff.is_builder


@pytest.mark.parametrize("path", ["/account/2fa/", "/account/2fa/totp/activate/", "/account/logout/", "/healthz"])
def test_the_way_to_it_is_open(client: Client, staff: User, path: str) -> None:
    EmailAddress.objects.create(user=staff, email=staff.email, verified=True, primary=True)
    client.post("/account/login/", {"login": staff.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert client.get(path).status_code == 200


def test_everybody_else_needs_none(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert client.get("/settings/").status_code == 200


def test_console_wants_the_code_in_this_session(client: Client, enrolled: User) -> None:
    client.force_login(enrolled)  # a session of before the app was set up
    assert client.get("/settings/").status_code == 200
    answer = client.get("/console/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/account/2fa/reauthenticate/?next=")
    client.post("/account/2fa/reauthenticate/?next=/console/", {"code": code()})
    assert client.get("/console/").status_code == 200


@pytest.mark.parametrize("kind", ["totp", "recovery code"])
def test_signing_in_with_a_code_opens_the_console(client: Client, enrolled: User, kind: str) -> None:
    asked = client.post("/account/login/", {"login": enrolled.email, "password": PASSWORD})
    assert asked["Location"] == "/account/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    given = code() if kind == "totp" else Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    client.post("/account/2fa/authenticate/", {"code": given})
    assert client.get("/console/").status_code == 200
    assert AuditLog.objects.filter(event_type="auth.login", actor_id=enrolled.pk).count() == 1
    used = AuditLog.objects.get(event_type="auth.second_factor_used").metadata
    assert used == {"kind": "totp" if kind == "totp" else "recovery_codes", "again": False}


def test_wrong_code_is_refused_and_recorded(client: Client, enrolled: User) -> None:
    client.post("/account/login/", {"login": enrolled.email, "password": PASSWORD})
    client.post("/account/2fa/authenticate/", {"code": "000000"})
    assert "_auth_user_id" not in client.session
    assert AuditLog.objects.events().get().metadata == {"email": enrolled.email, "why": "totp"}


def test_console_closes_when_the_app_is_removed(client: Client, enrolled: User) -> None:
    client.post("/account/login/", {"login": enrolled.email, "password": PASSWORD})
    client.post("/account/2fa/authenticate/", {"code": code()})
    Authenticator.objects.all().delete()
    assert client.get("/console/")["Location"] == "/account/2fa/totp/activate/"


def test_console_is_closed_to_people(client: Client, client_user: User) -> None:
    assert "/account/login/" in client.get("/console/", follow=True).redirect_chain[-1][0]
    client.force_login(client_user)
    assert client.get("/console/", follow=True).status_code == 404


def test_secret_of_the_app_is_not_readable_in_the_database(enrolled: User) -> None:
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert SECRET not in stored
    assert get_adapter().decrypt(stored) == SECRET


def test_a_new_secret_key_reads_what_the_old_one_wrote(settings: Any) -> None:
    settings.SECRET_KEY = "first"
    written = get_adapter().encrypt("secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second", ["first"]
    assert get_adapter().decrypt(written) == "secret"


def test_activation_is_recorded(client: Client, staff: User, django_capture_on_commit_callbacks: Any) -> None:
    EmailAddress.objects.create(user=staff, email=staff.email, verified=True, primary=True)
    client.post("/account/login/", {"login": staff.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    secret = client.get("/account/2fa/totp/activate/").context["form"].secret
    value = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/account/2fa/totp/activate/", {"code": value})
    rows = AuditLog.objects.filter(event_type="auth.second_factor_changed").values_list("metadata", flat=True)
    assert {"change": "added", "kind": "totp"} in rows


@pytest.mark.django_db(transaction=True)
def test_the_code_that_sets_the_app_up_opens_the_console(client: Client, staff: User) -> None:
    EmailAddress.objects.create(user=staff, email=staff.email, verified=True, primary=True)
    client.post("/account/login/", {"login": staff.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    secret = client.get("/account/2fa/totp/activate/").context["form"].secret
    assert client.get("/console/").status_code == 302
    client.post("/account/2fa/totp/activate/", {"code": format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))})
    assert client.get("/console/").status_code == 200


@pytest.mark.parametrize(("age", "recent"), [(0, True), (9, True), (11, False)])
def test_a_code_counts_as_recent_for_ten_minutes(client: Client, enrolled: User, age: int, recent: bool, rf: Any) -> None:
    client.force_login(enrolled)
    request = rf.get("/")
    request.user, request.session = enrolled, client.session
    assert not recently_proved(request)
    client.post("/account/2fa/reauthenticate/?next=/console/", {"code": code()})
    request.session = client.session
    with at(now() + timedelta(minutes=age)):
        assert recently_proved(request) is recent
        Authenticator.objects.filter(user=enrolled).delete()
        assert not recently_proved(request)
