"""The pages of a person's webhooks, with and without htmx."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.ids import uuid7
from port444.webhooks import actions, queries
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint

from .conftest import Listen, Receiver

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/in"


@pytest.fixture
def browser(client_user: User) -> Client:
    browser = Client()
    browser.force_login(client_user)
    return browser


@pytest.fixture
def endpoint(listen: Listen, client_user: User) -> WebhookEndpoint:
    return listen(client_user, URL)[0]


def form(**changes: Any) -> dict[str, Any]:
    return {"url": URL, "description": "The warehouse", "events": ["order.paid"], "client_key": str(uuid7())} | changes


def test_the_secret_is_shown_once(browser: Client, client_user: User) -> None:
    sent = form()
    answer = browser.post(reverse("webhooks:add"), sent)
    endpoint = WebhookEndpoint.objects.get()
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert endpoint.secret["current"] in answer.content.decode()
    again = browser.post(reverse("webhooks:add"), sent)
    assert again.status_code == 302
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    pages = [reverse("webhooks:list"), *(reverse(f"webhooks:{name}", args=[endpoint.pk]) for name in ("detail", "change", "rotate"))]
    for page in [*pages, reverse("webhooks:delivery", args=[ping.pk])]:
        shown = browser.get(page)
        assert shown.status_code == 200
        assert "whsec_" not in shown.content.decode()
    answer = browser.post(reverse("webhooks:rotate", args=[endpoint.pk]))
    endpoint.refresh_from_db()
    assert endpoint.secret["current"] in answer.content.decode()
    assert endpoint.secret["former"] not in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://hooks.example/"}, "begins with https://"),
        ({"url": ""}, "This field is required"),
        ({"url": "https://10.0.0.1/"}, "private network"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["nothing.happened"]}, "Select a valid choice"),
        ({"description": "x" * 121}, "at most 120"),
        ({"description": "a\x00b"}, "Null characters"),
        ({"client_key": "x"}, "valid UUID"),
    ],
)
def test_a_bad_form_is_refused_in_words(browser: Client, changes: dict[str, Any], words: str) -> None:
    answer = browser.post(reverse("webhooks:add"), form(**changes))
    assert (answer.status_code, WebhookEndpoint.objects.count()) == (422, 0)
    assert words in answer.content.decode() or "client_key" in changes


def test_changing_keeps_what_was_chosen(browser: Client, endpoint: WebhookEndpoint) -> None:
    page = reverse("webhooks:change", args=[endpoint.pk])
    assert re.search(r'name="everything"[^>]* checked', browser.get(page).content.decode())
    assert browser.post(page, form(events=["order.paid", "message.created"])).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.events, endpoint.description) == (["order.paid", "message.created"], "The warehouse")
    shown = browser.get(page).content.decode()
    assert set(re.findall(r'value="([a-z._]+)" checked', shown)) == {"order.paid", "message.created"}


def test_pressing_ping_shows_it_in_the_log(browser: Client, endpoint: WebhookEndpoint) -> None:
    page = reverse("webhooks:detail", args=[endpoint.pk])
    assert "Nothing yet" in browser.get(page).content.decode()
    assert browser.post(reverse("webhooks:ping", args=[endpoint.pk])).headers["Location"] == page
    fragment = browser.post(reverse("webhooks:ping", args=[endpoint.pk]), headers={"HX-Request": "true"})
    text = fragment.content.decode()
    assert (fragment.status_code, text.count("<li "), text.lstrip().startswith('<section class="card panel hook-log" id="log"')) == (200, 2, True)
    assert "every 2s" in text
    polled = browser.get(page, headers={"HX-Request": "true"})
    assert "<html" not in polled.content.decode()


def test_the_log_shows_what_was_posted_and_answered(browser: Client, listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(500, b"<script>alert(1)</script>", times=1)
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    shown = browser.get(reverse("webhooks:delivery", args=[ping.pk])).content.decode()
    for words in (ping.message_id, "&quot;type&quot;: &quot;ping&quot;", "Answer 500", "&lt;script&gt;alert(1)", " ms"):
        assert words in shown
    assert "<script>alert(1)" not in shown
    assert "Tried again later" in browser.get(reverse("webhooks:detail", args=[endpoint.pk])).content.decode()


def test_sending_again_by_the_page(browser: Client, endpoint: WebhookEndpoint, client_user: User) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    answer = browser.post(reverse("webhooks:replay", args=[ping.pk]))
    assert answer.headers["Location"] == reverse("webhooks:delivery", args=[ping.pk])
    again = reverse("webhooks:replay_failed", args=[endpoint.pk])
    assert browser.post(again, {"since": "week"}).status_code == 302
    assert browser.post(again, {"since": "ever"}).status_code == 422


def test_each_state_has_its_page_and_buttons(browser: Client, endpoint: WebhookEndpoint) -> None:
    page = reverse("webhooks:detail", args=[endpoint.pk])
    assert browser.post(reverse("webhooks:pause", args=[endpoint.pk])).status_code == 302
    paused = browser.get(page).content.decode()
    assert "Go on" in paused
    assert "Send a test event" not in paused.replace("Send a test event to see", "")
    assert browser.post(reverse("webhooks:resume", args=[endpoint.pk])).status_code == 302
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(status="disabled", disabled_why="gone", disabled_at=endpoint.created_at)
    assert "gone for good" in browser.get(page).content.decode()
    assert browser.post(reverse("webhooks:remove", args=[endpoint.pk])).headers["Location"] == reverse("webhooks:list")
    assert browser.get(page).status_code == 404
    assert "No webhooks yet" in browser.get(reverse("webhooks:list")).content.decode()


def test_those_of_others_are_not_there(endpoint: WebhookEndpoint, client_user: User, stranger: User, staff: User) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    before = list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values())
    for who in (stranger, staff):
        browser = Client()
        browser.force_login(who)
        for name in ("detail", "change", "rotate"):
            assert browser.get(reverse(f"webhooks:{name}", args=[endpoint.pk])).status_code in (302, 404)
        for name in ("change", "rotate", "ping", "pause", "resume", "remove", "replay_failed"):
            assert browser.post(reverse(f"webhooks:{name}", args=[endpoint.pk]), form()).status_code in (302, 404)
        for answer in (browser.get(reverse("webhooks:delivery", args=[ping.pk])), browser.post(reverse("webhooks:replay", args=[ping.pk]))):
            assert answer.status_code in (302, 404)
        assert URL not in browser.get(reverse("webhooks:list")).content.decode()
    assert (list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values())) == before


def test_the_log_goes_on_page_by_page(browser: Client, endpoint: WebhookEndpoint) -> None:
    for number in range(queries.PAGE * 2 + 3):
        WebhookDelivery.objects.create(endpoint=endpoint, event_id=uuid4(), event="ping", body="{}", attempts=number)
    page = reverse("webhooks:detail", args=[endpoint.pk])
    seen: list[str] = []
    while page:
        text = browser.get(page, headers={"HX-Request": "true"}).content.decode()
        seen += re.findall(r'id="d-([0-9a-f-]+)"', text)
        found = re.search(r'hx-get="([^"]*before=[^"]*)"', text)
        page = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == queries.PAGE * 2 + 3
    assert seen == sorted(seen, reverse=True)
    only = browser.get(reverse("webhooks:detail", args=[endpoint.pk]) + "?show=failed").content.decode()
    assert "None of these" in only
    assert browser.get(reverse("webhooks:detail", args=[endpoint.pk]) + "?show=x&before=y").status_code == 200


def test_pages_ask_the_same_number_of_queries_however_much_there_is(
    browser: Client, endpoint: WebhookEndpoint, client_user: User, listen: Listen, django_assert_num_queries: Any
) -> None:
    def pages() -> None:
        ping = endpoint.deliveries.first()
        assert ping is not None
        for page in (reverse("webhooks:list"), reverse("webhooks:detail", args=[endpoint.pk]), reverse("webhooks:delivery", args=[ping.pk])):
            assert browser.get(page).status_code == 200

    actions.ping_endpoint(endpoint.pk, actor=client_user)
    pages()
    with CaptureQueriesContext(connection) as few:
        pages()
    for _ in range(5):
        actions.ping_endpoint(listen(client_user, URL)[0].pk, actor=client_user)
        actions.ping_endpoint(endpoint.pk, actor=client_user)
    with django_assert_num_queries(len(few)):
        pages()


def test_what_shows_or_changes_secrets_asks_for_the_password_again(browser: Client, endpoint: WebhookEndpoint, settings: Any) -> None:
    settings.REAUTHENTICATE = True
    before = list(WebhookEndpoint.objects.values())
    for page in (reverse("webhooks:add"), *(reverse(f"webhooks:{name}", args=[endpoint.pk]) for name in ("change", "rotate"))):
        answer = browser.get(page)
        assert (answer.status_code, answer.headers["Location"].startswith("/account/reauthenticate/")) == (302, True)
        late = browser.post(page, form())
        assert (late.status_code, late.headers["Location"]) == (302, page)
    assert list(WebhookEndpoint.objects.values()) == before
