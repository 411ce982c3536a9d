"""Every page that a viewing shows, walked by an agent as each of the cast: nothing fails, and nothing is written but the log of the pages."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from support.actions import viewings
from support.models import ViewedPage
from support.viewer.addresses import OPEN, SIGN_OUT, Place, place_of

from .conftest import World
from .test_urls import table

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "viewer"])
# No view of ours takes these at all (test_urls), so that one of them is tried at each address.
NEVER_TAKEN = ("PUT", "PATCH", "DELETE")
OF_THE_LOG = {"support_viewing", "support_viewedpage", "accounts_apiallowance"}  # the last counts calls of the API, whatever is asked


def everything() -> dict[str, Any]:
    """A number for each table that changes with any of its rows."""
    tables = [name for name in connection.introspection.table_names() if name not in OF_THE_LOG]
    parts = [f"(SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {name} t)" for name in tables]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}")
        return dict(zip(tables, cursor.fetchone(), strict=True))


@pytest.mark.parametrize("who", ["client", "builder", "stranger"])
def test_every_page_of_a_viewing_is_shown_and_writes_nothing(world: World, agent: User, settings: Any, who: str) -> None:
    settings.STAFF_SECOND_FACTOR = False
    person = getattr(world, who)
    browser, own = Client(), Client()
    browser.force_login(agent)
    own.force_login(person)
    begun = browser.post(reverse("support:view_as", args=[person.pk]), {"reason": "To see what they see.", "reference": "P4-1"})
    assert begun.status_code == 302
    before, faults, shown = everything(), {}, 0
    for address in table():
        if address.name not in OPEN:
            continue
        answer = browser.get(address.path(world))
        shown += answer.status_code == 200
        if answer.status_code not in (200, 302, 404):
            faults[address.name] = (answer.status_code, ViewedPage.objects.latest("number").refused)
    assert faults == {}
    assert {name for name, digest in everything().items() if before[name] != digest} == set()
    assert shown > 10
    assert ViewedPage.objects.filter(answered__isnull=True).count() == 0
    different = {
        address.name: (seen, theirs)
        for address in table()
        if address.name in OPEN and (seen := browser.get(address.path(world)).status_code) != (theirs := own.get(address.path(world)).status_code)
    }
    assert different == {}, "the person sees something else"


# Who tries again and again is an incident, of which staff are told.
OF_AN_INCIDENT = {"incident_event", "incident_log", "notifications_delivery", "notifications_notification", "django_q_ormq"}


def test_every_address_refuses_to_do_anything(world: World, agent: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STAFF_SECOND_FACTOR = False
    monkeypatch.setattr(viewings, "PAGES_A_MINUTE", 100_000)  # whoever has asked too much is refused for that alone
    browser = Client()
    browser.force_login(agent)
    browser.post(reverse("support:view_as", args=[world.client.pk]), {"reason": "To see what they see.", "reference": "P4-1"})
    let_through, tables = [], everything()
    for address, other in zip(table(), cycle(NEVER_TAKEN), strict=False):
        # Every operation of the API is tried in tests/api/test_console_viewing.py.
        if place_of(address.name) is Place.OWN or address.name.startswith("api:") or address.name == SIGN_OUT:
            continue
        path = address.path(world) if "^" not in str(address.pattern.pattern) else f"/{address.prefix}"
        for method, url in {("POST", path), ("POST", path.rstrip("/")), (other, path)}:
            answer = browser.generic(method, url, headers={"X-HTTP-Method-Override": "GET"})
            if answer.status_code != 405:
                let_through.append((address.name, method, url, answer.status_code))
    assert let_through == []
    assert {name for name, digest in everything().items() if tables[name] != digest} <= OF_AN_INCIDENT | {"audit_log", "audit_find"} | {
        name for name in tables if name.startswith("audit_log_")
    }
