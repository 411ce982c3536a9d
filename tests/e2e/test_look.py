"""The frame of every page, and the pages of the account, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Person
from tests.realsite import Site, running, wait_until

pytestmark = pytest.mark.browser

PASSWORD = "harbour-light-44"
MAKE = (
    "from port444.accounts.models import User; from allauth.account.models import EmailAddress; "
    "u = User.objects.create_user({address!r}, {password!r}, name={name!r}, is_builder={builder}); "
    "EmailAddress.objects.create(user=u, email=u.email, verified=True, primary=True)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two people and nothing else."""
    with running(tmp_path_factory.mktemp("look"), seeded=False) as served:
        for address, name, builder in (("mika@example.com", "Mika Laine", False), ("noor@example.com", "Noor Haddad", True)):
            served.run(MAKE.format(address=address, password=PASSWORD, name=name, builder=builder))
        yield served


def test_pages_at_the_door(person: Callable[..., Person]) -> None:
    somebody = person()
    for path in ("login/", "signup/", "password/reset/", "password/reset/done/", "confirm-email/", "confirm-email/old/", "inactive/"):
        somebody.page.goto(f"/account/{path}")
        somebody.check_page(path)
    answer = somebody.page.goto("/there-is-no-such-page/")
    assert answer is not None
    assert answer.status == 404
    somebody.check_page("404")


def test_pages_of_the_account(person: Callable[..., Person]) -> None:
    noor = person()
    noor.sign_in("noor@example.com", PASSWORD)
    for path in ("email/", "password/change/", "2fa/", "2fa/totp/activate/", "reauthenticate/", "logout/"):
        noor.page.goto(f"/account/{path}")
        noor.check_page(path)


def test_wrong_input_is_said_at_the_field_and_above(person: Callable[..., Person]) -> None:
    somebody = person()
    somebody.page.goto("/account/signup/")
    somebody.page.evaluate("document.querySelectorAll('form').forEach(form => { form.noValidate = true })")
    somebody.page.click("main button[type=submit]")
    expect(somebody.page.locator(".errsum")).to_be_focused()
    assert somebody.page.locator(".errsum a").count() == somebody.page.locator("main .field.has-err").count() > 0
    somebody.check_page("signup with errors")


def test_the_theme_is_kept_and_works_at_once(person: Callable[..., Person]) -> None:
    somebody = person(scheme="light")
    somebody.page.goto("/account/login/")
    with somebody.page.expect_response("**/settings/theme/"):  # kept before the page is asked for anew
        somebody.page.get_by_role("button", name="Switch between light and dark").click()
    expect(somebody.page.locator("html")).to_have_attribute("data-theme", "dark")
    somebody.page.reload()
    expect(somebody.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_menu_opens_by_keyboard_and_closes_by_escape(person: Callable[..., Person]) -> None:
    mika = person(390)
    mika.sign_in("mika@example.com", PASSWORD)
    mika.page.goto("/account/email/")
    menu = mika.page.locator("details.menu")
    menu.locator("summary").focus()
    mika.page.keyboard.press("Enter")
    expect(mika.page.get_by_role("button", name="Sign out")).to_be_visible()
    mika.check_page("menu")
    mika.page.keyboard.press("Escape")
    expect(mika.page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_the_navigation_fits_the_person(person: Callable[..., Person]) -> None:
    names = re.compile(r"\S.*")
    seen = {}
    for address in ("", "mika@example.com", "noor@example.com"):
        somebody = person()
        if address:
            somebody.sign_in(address, PASSWORD)
        somebody.page.goto("/account/logout/" if address else "/account/login/")
        seen[address] = [names.findall(text)[0] for text in somebody.page.locator(".nav a").all_inner_texts()]
    assert seen == {
        "": ["Find a builder"],
        "mika@example.com": ["Find a builder", "Orders", "Calls", "Messages"],
        "noor@example.com": ["Find a builder", "Today", "Orders", "Services", "Calls", "Messages", "Earnings"],
    }


def test_removing_an_address_asks_first(person: Callable[..., Person], site: Site) -> None:
    mika = person()
    mika.sign_in("mika@example.com", PASSWORD)
    mika.page.goto("/account/email/")
    mika.page.get_by_label("Email").last.fill("second@example.com")
    mika.page.get_by_role("button", name="Add and send a link").click()
    mika.check_page("password again")
    mika.page.get_by_label("Password").fill(PASSWORD)
    mika.page.get_by_role("button", name="Go on").click()
    second = mika.page.get_by_role("radio", name="second@example.com")
    second.check()
    mika.page.get_by_role("button", name="Remove", exact=True).click()
    dialog = mika.page.get_by_role("dialog", name="Remove this e-mail?")
    expect(dialog).to_be_visible()
    mika.check_page("confirm")
    dialog.get_by_role("button", name="Go back").click()
    mika.page.reload()
    expect(second).to_have_count(1)
    second.check()
    mika.page.get_by_role("button", name="Remove", exact=True).click()
    dialog.get_by_role("button", name="Remove it").click()
    expect(second).to_have_count(0)
    assert site.value("SELECT count(*) FROM account_emailaddress WHERE email = 'second@example.com'") == 0


def test_a_forgotten_password_is_replaced(person: Callable[..., Person], site: Site) -> None:
    noor = person(390)
    noor.page.goto("/account/password/reset/")
    noor.page.fill("input[name=email]", "noor@example.com")
    noor.page.get_by_role("button", name="Send the link").click()
    wait_until(lambda: site.mails("noor@example.com"), 20, "no mail came")
    body = site.mails("noor@example.com")[-1].get_body(("plain",))
    assert body is not None
    link = re.search(r"https?://\S+/password/reset/key/\S+", body.get_content())
    assert link is not None
    noor.page.goto(link[0])
    noor.check_page("new password")
    noor.page.fill("input[name=password1]", PASSWORD)
    noor.page.fill("input[name=password2]", PASSWORD)
    noor.page.get_by_role("button", name="Save and go on").click()
    expect(noor.page.get_by_role("heading", name="Your password is changed")).to_be_visible()
    noor.page.goto(link[0])
    expect(noor.page.get_by_role("heading", name="This link is used up")).to_be_visible()


def test_joining_keeps_the_zone_of_the_browser(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, timezone_id="America/Kentucky/Monticello", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/account/signup/")
    page.get_by_label("Your name").fill("Rosa Dietrich")
    page.get_by_label("Email").fill("rosa@example.com")
    page.locator("input[name=password1]").fill(PASSWORD)
    page.get_by_label("Offer my work").check()
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("heading", name="One step left: your mail")).to_be_visible()
    wait_until(lambda: site.mails("rosa@example.com"), 20, "no mail came")
    body = site.mails("rosa@example.com")[-1].get_body(("plain",))
    assert body is not None
    link = re.search(r"https?://\S+/confirm-email/\S+", body.get_content())
    assert link is not None
    page.goto(link[0])
    page.get_by_role("button", name="Yes, it is mine").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()
    rosa = site.rows("SELECT name, time_zone, is_client, is_builder FROM accounts_user WHERE email = 'rosa@example.com'")
    assert rosa == [{"name": "Rosa Dietrich", "time_zone": "America/Kentucky/Monticello", "is_client": False, "is_builder": True}]
