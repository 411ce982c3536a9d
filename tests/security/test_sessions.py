"""How a session begins, how long it lasts, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as ours
from django.test import Client

from port444.accounts.actions import create_token
from port444.accounts.models import Session, User
from tests.conftest import PASSWORD

from .conftest import Later, is_in, sign_in

HOME = ours.BASE_DIR
HOUR = 3600
NEW = "another horse battery"


def cookies_of_a_walk(user: User) -> dict[str, Any]:
    """Every cookie that the site sets."""
    browser = Client()
    browser.get("/account/signup/")
    sign_in(user, browser)
    browser.post("/settings/theme/", {"theme": "dark"})
    browser.post("/settings/language/", {"language": "de"})
    browser.post("/settings/offer-work/")
    return dict(browser.cookies)


def test_no_script_and_no_other_site_gets_a_cookie(person: User) -> None:
    found = cookies_of_a_walk(person)
    assert found.keys() == {"sessionid", "csrftoken", "device", "theme", "language", "messages"}
    for name, cookie in found.items():
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", ""), name
        assert len(name) + len(cookie.value) < 4096, name


def test_in_production_cookies_belong_to_this_host_and_https() -> None:
    """The settings as production reads them, in a process of their own."""
    code = (
        "import json; from port444 import settings as s; from port444.kit.said import _Cookie\n"
        "print(json.dumps([{n: getattr(s, n) for n in dir(s) if n.endswith(('COOKIE_NAME', '_COOKIE', 'COOKIE_SECURE'))}, _Cookie.cookie_name,"
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.DEBUG, s.ALLOWED_HOSTS]))"
    )
    environment = {"PATH": os.environ["PATH"], "PORT444_ENV": "production", "SECRET_KEY": "x" * 60, "DJANGO_SETTINGS_MODULE": "port444.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, env=environment, capture_output=True, text=True, check=True)
    found, said, to_https, seconds, subdomains, debug, hosts = json.loads(done.stdout)
    lasting = found.pop("LASTING_COOKIE")
    assert (lasting["secure"], found.pop("SESSION_COOKIE_SECURE"), found.pop("CSRF_COOKIE_SECURE")) == (True, True, True)
    assert len(found) == 7
    for name in (said, *found.values()):
        assert name.startswith("__Host-"), name
    assert (to_https, seconds >= 365 * 24 * HOUR, subdomains, debug, hosts) == (True, True, True, False, [])


@pytest.mark.parametrize(("who", "idle", "life"), [("client_user", 14 * 24 * HOUR, 30 * 24 * HOUR), ("staff", HOUR, 12 * HOUR)])
def test_a_session_ends_unused_and_after_its_time(
    who: str, idle: int, life: int, request: pytest.FixtureRequest, later: Later, settings: Any
) -> None:
    settings.STAFF_SECOND_FACTOR = False
    user = request.getfixturevalue(who)
    unused, used = Client(), Client()
    unused.force_login(user)
    used.force_login(user)
    later(idle - 60)
    assert is_in(used)  # which is a use
    later(idle + 60)
    over = unused.get("/settings/")
    assert (over.status_code, over["Location"], over["Clear-Site-Data"]) == (302, "/account/login/?next=/settings/", '"storage"')
    assert is_in(used)
    assert [row.user_id for row in Session.objects.all()] == [user.pk], "the other one is gone from the database"
    for moment in range(idle, life, idle // 2):
        later(moment)
        assert is_in(used)
    later(life + 60)
    assert used.get("/api/me").status_code == 401
    assert not is_in(used)
    assert not Session.objects.filter(user=user).exists()


def test_an_open_page_that_asks_keeps_no_session_alive(client_user: User, later: Later) -> None:
    browser = Client()
    browser.force_login(client_user)
    day = 24 * HOUR
    for days in range(1, 14):
        later(days * day)
        assert browser.get("/notifications/bell/", headers={"HX-Request": "true", "If-None-Match": '"x"'}).status_code == 200
    later(14 * day + 60)
    assert not is_in(browser)


def test_use_is_noted_once_an_hour(client_user: User, later: Later) -> None:
    """A session row that every page wrote would cost more than it says."""
    browser = Client()
    browser.force_login(client_user)
    later(HOUR - 60)
    assert "sessionid" not in browser.get("/settings/").cookies
    later(HOUR + 60)
    assert browser.get("/settings/").cookies["sessionid"]["max-age"] == 14 * 24 * HOUR


def test_signing_in_changes_the_key(person: User) -> None:
    """Whoever planted a key in somebody's browser holds nothing."""
    browser = Client()
    planted = browser.session
    planted["planted"] = True
    planted.save()
    browser.cookies["sessionid"] = str(planted.session_key)
    sign_in(person, browser)
    assert is_in(browser)
    assert browser.session.session_key != planted.session_key
    assert not Session.objects.filter(session_key=planted.session_key).exists()
    made_up = Client()
    made_up.cookies["sessionid"] = "a" * 32
    assert sign_in(person, made_up).session.session_key != "a" * 32


def test_a_new_password_changes_the_key_and_ends_all_other_sessions(person: User) -> None:
    here, there = sign_in(person), sign_in(person)
    key = here.session.session_key
    wrong = here.post("/account/password/change/", {"oldpassword": "not this one", "password1": NEW, "password2": NEW})
    assert wrong.context["form"].errors.keys() == {"oldpassword"}
    assert is_in(there)
    here.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert here.session.session_key != key
    assert is_in(here)
    assert not is_in(there)
    thief = Client()
    thief.cookies["sessionid"] = str(key)
    assert not is_in(thief), "the key from before opens nothing"


def test_signing_out_ends_the_session_itself(person: User) -> None:
    browser = sign_in(person)
    kept = browser.cookies["sessionid"].value
    assert is_in(browser)
    assert browser.get("/account/logout/").status_code == 200  # asks: a link signs nobody out
    assert is_in(browser)
    answer = browser.post("/account/logout/")
    assert answer["Clear-Site-Data"] == '"storage"'
    assert not Session.objects.filter(user=person).exists()
    thief = Client()
    thief.cookies["sessionid"] = kept
    assert not is_in(thief)
    assert thief.get("/api/me").status_code == 401


def test_a_key_is_random_and_long(person: User) -> None:
    keys = {sign_in(person).session.session_key or "" for _ in range(3)}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}  # of 36 letters: 165 bits


def test_a_program_outlives_no_end_of_its_token(client_user: User, later: Later) -> None:
    """Tokens have an end of their own and know nothing of sessions."""
    _, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=90)
    later(60 * 24 * HOUR)
    assert Client().get("/api/me", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_a_program_is_not_led_from_http_to_https(client_user: User, settings: Any) -> None:
    """It would go on to send its token in the open, and nobody would notice."""
    settings.SECURE_SSL_REDIRECT = True
    _, text = create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=90)
    headers = {"Authorization": f"Bearer {text}"}
    refused = Client().get("/api/me", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "https_only")
    assert Client().get("/api/me", headers=headers, secure=True).status_code == 200
    assert Client().get("/settings/").status_code == 301
