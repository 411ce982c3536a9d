"""What signing in, joining and asking for a new password tell a stranger, and how often they may try."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings as ours
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client

from port444.accounts.models import QueuedMail, User
from tests.conftest import PASSWORD

from .conftest import is_in, sign_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW = "another horse battery"
JOIN = {"name": "Mira Okafor", "password1": PASSWORD, "role": "work", "time_zone": "Africa/Lagos"}
KNOWN, UNKNOWN = "jonas@example.com", "nadia@example.com"  # of one length


def login(email: str) -> Any:
    return Client().post("/account/login/", {"login": email, "password": "not this one"})


def join(email: str) -> Any:
    return Client().post("/account/signup/", {**JOIN, "email": email})


def reset(email: str) -> Any:
    return Client().post("/account/password/reset/", {"email": email})


def seen(answer: Any, email: str) -> tuple[Any, ...]:
    """All that a stranger sees of an answer, without their own address and what differs from one page, or one second, to the next."""
    text = re.sub(r'(csrfmiddlewaretoken" value=|X-CSRFToken": )"\w+', r"\1", answer.content.decode()).replace(email, "EMAIL")
    headers = {name: value for name, value in answer.headers.items() if name not in ("X-Request-ID", "Expires")}
    return answer.status_code, headers, sorted(answer.cookies), len(answer.content), text


@pytest.mark.parametrize("ask", [login, join, reset])
def test_nobody_learns_who_has_an_account(ask: Callable[[str], Any], person: User, hashed: list[str]) -> None:
    """By status, headers, cookies, length, words, and by the hashing of passwords, which is what takes the time."""
    told, work = [], []
    for email in (KNOWN, UNKNOWN):
        hashed.clear()
        told.append(seen(ask(email), email))
        work.append(len(hashed))
    assert told[0] == told[1]
    assert work[0] == work[1]
    assert work[0] == (0 if ask is reset else 1)


def test_who_may_not_sign_in_is_told_so_with_the_right_password_alone(person: User, hashed: list[str]) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)
    closed, nobody = login(KNOWN), login(UNKNOWN)
    assert seen(closed, KNOWN) == seen(nobody, UNKNOWN)
    assert len(hashed) == 2
    assert "/account/inactive/" in sign_in(person).post("/account/login/", {"login": KNOWN, "password": PASSWORD})["Location"]


def test_asking_for_a_new_password_has_a_limit(person: User) -> None:
    answers = [reset(KNOWN).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]
    assert reset(UNKNOWN).status_code == 302, "the limit is of an address"
    assert QueuedMail.objects.filter(to=KNOWN).count() == 5


def test_joining_has_a_limit(db: None) -> None:
    answers = [join(f"somebody{number}@example.com").status_code for number in range(21)]
    assert answers == [302] * 20 + [429]
    assert User.objects.count() == 20


def test_a_limit_is_of_the_address_that_called(person: User, settings: Any) -> None:
    """And nobody writes themselves another one into a header."""
    for number in range(21):
        Client().post("/account/signup/", {**JOIN, "email": f"n{number}@example.com"}, headers={"X-Forwarded-For": f"198.51.100.{number}"})
    assert User.objects.filter(email__startswith="n").count() == 20


# The link for a new password


def link() -> str:
    found = re.search(rf"{ours.SITE_URL}(/account/password/reset/key/\S+)", QueuedMail.objects.latest("created_at").text)
    assert found
    return found[1]


def open_link(path: str) -> tuple[Client, str]:
    """A browser at the form behind the link, and the form's address, in which the key is not."""
    browser = Client()
    answer = browser.get(path)
    return browser, answer["Location"] if answer.status_code == 302 else ""


def test_a_link_works_once_and_its_address_shows_no_key(person: User) -> None:
    reset(KNOWN)
    path = link()
    browser, form = open_link(path)
    assert form.endswith("-set-password/")
    assert path.rsplit("-", 1)[1].strip("/") not in form
    browser.post(form, {"password1": NEW, "password2": NEW})
    person.refresh_from_db()
    assert person.check_password(NEW)
    assert not is_in(browser), "whoever reads the mail does not get past the second factor by it"
    again, form = open_link(path)
    assert form == ""
    assert again.post(path, {"password1": PASSWORD, "password2": PASSWORD}).status_code in (200, 302)
    person.refresh_from_db()
    assert person.check_password(NEW)


@pytest.mark.parametrize("over", ["an hour", "another sign-in", "another address", "a changed letter"])
def test_a_link_ends(over: str, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    reset(KNOWN)
    path = link()
    if over == "an hour":
        real, late = PasswordResetTokenGenerator._now, timedelta(seconds=ours.PASSWORD_RESET_TIMEOUT + 2)
        monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: real(self) + late)
    if over == "another sign-in":
        sign_in(person)
    if over == "another address":
        User.objects.filter(pk=person.pk).update(email="jonas.vermeer@example.com")
    if over == "a changed letter":
        path = path[:-3] + ("a" if path[-3] != "a" else "b") + path[-2:]
    assert ours.PASSWORD_RESET_TIMEOUT == 3600
    assert open_link(path)[1] == ""


def test_a_link_that_confirms_an_address_ends(db: None, settings: Any) -> None:
    join(UNKNOWN)
    found = re.search(r"/account/confirm-email/\S+", QueuedMail.objects.get().text)
    assert found
    settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = -1
    Client().post(found[0])
    assert not EmailAddress.objects.get().verified


# The second factor


@pytest.fixture
def enrolled(person: User, monkeypatch: pytest.MonkeyPatch) -> User:
    TOTP.activate(person, SECRET)
    RecoveryCodes.activate(person)
    moment = time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: moment))
    return person


def code() -> str:
    return str(format_hotp_value(hotp_value(SECRET, next(yield_hotp_counters_from_time()))))


def answer_with(user: User, given: str) -> Client:
    browser = sign_in(user)
    browser.post("/account/2fa/authenticate/", {"code": given})
    return browser


def test_a_code_works_once(enrolled: User) -> None:
    assert is_in(answer_with(enrolled, code()))
    assert not is_in(answer_with(enrolled, code()))


def test_a_recovery_code_works_once(enrolled: User) -> None:
    first, second, *others = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert len(others) == 8
    assert is_in(answer_with(enrolled, first))
    assert not is_in(answer_with(enrolled, first))
    assert is_in(answer_with(enrolled, second))
    assert first not in str(Authenticator.objects.get(type="recovery_codes").data)


def test_codes_are_not_guessed_one_after_the_other(enrolled: User) -> None:
    """Nor by signing in anew for each of them."""
    browser = sign_in(enrolled)
    for number in range(5):
        browser.post("/account/2fa/authenticate/", {"code": f"00000{number}"})
    browser.post("/account/2fa/authenticate/", {"code": code()})
    assert not is_in(browser)
    assert not is_in(answer_with(enrolled, code()))


def test_a_new_password_does_not_go_round_the_second_factor(enrolled: User) -> None:
    reset(KNOWN)
    browser, form = open_link(link())
    browser.post(form, {"password1": NEW, "password2": NEW})
    answer = browser.post("/account/login/", {"login": KNOWN, "password": NEW})
    assert answer["Location"] == "/account/2fa/authenticate/"
    assert not is_in(browser)


# Whoever sits down at somebody's open browser


@pytest.mark.parametrize(
    "what", [{"action_add": "", "email": "thief@example.com"}, {"action_primary": "", "email": KNOWN}, {"action_remove": "", "email": KNOWN}]
)
def test_an_address_is_changed_behind_the_password_alone(what: dict[str, str], person: User) -> None:
    """Else a stolen session would become the account: the link for a new password goes to the address."""
    before = list(EmailAddress.objects.values())
    thief = Client()
    thief.force_login(person)
    answer = thief.post("/account/email/", what)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert list(EmailAddress.objects.values()) == before


@pytest.mark.parametrize("path", ["/account/2fa/totp/activate/", "/account/2fa/totp/deactivate/", "/account/2fa/recovery-codes/generate/"])
def test_the_second_factor_is_changed_behind_the_password_alone(path: str, person: User) -> None:
    if "activate" in path and "de" not in path:
        asked = "/account/reauthenticate/"
    else:
        TOTP.activate(person, SECRET)
        asked = "/account/2fa/reauthenticate/"
    thief = Client()
    thief.force_login(person)
    assert thief.get(path)["Location"].startswith((asked, "/account/reauthenticate/"))


# Passwords


@pytest.mark.parametrize(
    "password", ["short-one", "password123", "Port444-2026!", "port444port444", "ESCROW.USDC.1", "Freelancer 2026", "0123456789"]
)
def test_passwords_that_others_would_try_are_refused(password: str, db: None) -> None:
    answer = Client().post("/account/signup/", {**JOIN, "email": UNKNOWN, "password1": password})
    assert answer.context["form"].errors.keys() == {"password1"}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password", ["x9" * 64, "nur kleine buchstaben", "🐢 läuft über den Strand", "Trailing spaces stay  ", "port of seven harbours"]
)
def test_any_long_password_is_taken_as_it_is(password: str, db: None) -> None:
    Client().post("/account/signup/", {**JOIN, "email": UNKNOWN, "password1": password})
    user = User.objects.get()
    assert user.check_password(password)
    assert not user.check_password(password.strip()) or password == password.strip()
    assert not user.check_password(password[:-1])
    assert not user.check_password(password.swapcase())
