from __future__ import annotations

import uuid

import pytest
from allauth.account.models import EmailAddress
from django.test import Client, RequestFactory, override_settings

from auditlog.models import AuditLog
from port444.accounts import actions, browsers
from port444.accounts.models import Session, User, UserDevice
from port444.accounts.queries import browser_words
from port444.kit.errors import NotAllowed
from tests.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


def sign_in(user: User, browser: str = FIREFOX) -> Client:
    EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    client = Client(headers={"User-Agent": browser})
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    return client


def test_sign_in_remembers_the_browser_once(client_user: User) -> None:
    client = sign_in(client_user)
    client.post("/account/logout/")
    client.post("/account/login/", {"login": client_user.email, "password": PASSWORD})
    device = UserDevice.objects.get()
    assert (str(device.device_id), device.ip_address, device.user_agent) == (client.cookies["device"].value, "127.0.0.1", FIREFOX)
    assert Session.objects.get(user=client_user).device_id == device.device_id
    events = AuditLog.objects.events().order_by("id").values_list("event_type", "metadata")
    browser = events[0][1]["fingerprint"]
    came, again = ({"new_device": is_new, "fingerprint": browser} for is_new in (True, False))
    assert list(events) == [("auth.login", came), ("auth.logout", {}), ("auth.login", again)]


def fingerprint_of(factory: RequestFactory, **headers: str) -> str:
    return browsers.fingerprint(factory.get("/", headers={"User-Agent": FIREFOX, **headers}))


def test_a_browser_is_known_by_what_it_says_and_not_named(rf: RequestFactory) -> None:
    plain = fingerprint_of(rf)
    assert plain == fingerprint_of(rf)
    assert len({plain, fingerprint_of(rf, **{"Accept-Language": "pt"}), fingerprint_of(rf, **{"Sec-CH-UA-Platform": "Linux"})}) == 3
    assert browsers.fingerprint(rf.get("/")) == "", "it does not say what it is"
    with override_settings(SECRET_KEY="another key than before, and long enough to be one"):
        assert fingerprint_of(rf) != plain


def test_the_country_is_a_trusted_proxys_word(rf: RequestFactory) -> None:
    request = rf.get("/", headers={"CF-IPCountry": "pt"})
    with override_settings(COUNTRY_HEADER="CF-IPCountry", TRUSTED_PROXIES=1):
        assert browsers.country(request) == "PT"
        assert browsers.country(rf.get("/", headers={"CF-IPCountry": "XX"})) == ""
    with override_settings(COUNTRY_HEADER="CF-IPCountry", TRUSTED_PROXIES=0):
        assert browsers.country(request) == "", "anybody could have written it"
    assert browsers.country(request) == ""


def test_page_shows_own_browsers(client_user: User, stranger: User) -> None:
    client = sign_in(client_user)
    sign_in(client_user, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1")
    sign_in(stranger, "Mozilla/5.0 (Windows NT 10.0) Chrome/141.0 Safari/537.36 Edg/141.0")
    shown = client.get("/settings/devices/").context["devices"]
    assert [(device.words, device.is_this, device.is_signed_in) for device in shown] == [
        ("Safari on iPhone", False, True),
        ("Firefox on Linux", True, True),
    ]


def test_signs_out_elsewhere_only(client_user: User, stranger: User) -> None:
    here, there, other = sign_in(client_user), sign_in(client_user), sign_in(stranger)
    here.post("/settings/devices/sign-out/")
    assert here.get("/settings/").status_code == 200
    assert there.get("/settings/").status_code == 302
    assert other.get("/settings/").status_code == 200


def test_nobody_signs_others_out(client_user: User, stranger: User) -> None:
    sign_in(client_user)
    with pytest.raises(NotAllowed):
        actions.sign_out_elsewhere(client_user.pk, actor=stranger, keep=None)
    assert Session.objects.filter(user=client_user).exists()


def test_device_cookie_that_is_no_uuid_is_replaced(client: Client, db: None) -> None:
    client.cookies["device"] = "'; DROP TABLE"
    assert uuid.UUID(client.get("/account/login/").cookies["device"].value)


@pytest.mark.parametrize(("agent", "words"), [("", "Unknown browser"), ("curl/8", "Unknown browser"), (FIREFOX, "Firefox on Linux")])
def test_words_for_a_browser(agent: str, words: str) -> None:
    assert browser_words(agent) == words
