"""Every page in German: what programs read in it is what it is in English."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import transaction

from port444.accounts.models import User

from .conftest import World
from .test_urls import OURS, browser
from .wording import WORDED

# Where pages print numbers into what programs read.
WITH_NUMBERS = {
    "away:home",
    "builders:detail",
    "catalog:edit",
    "catalog:service",
    "consultations:availability",
    "orders:insights",
    "orders:new_offer",
    "payments:earnings",
    "payments:withdrawals",
}
CHANGING = {"csrfmiddlewaretoken", "client_key", "key"}
SAID = {*WORDED, "lang", "content", "hx-headers:inherited", "hx-headers"}


class Machine(HTMLParser):
    """The attributes of a page that are no words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("name") in CHANGING or given.get("name") == "language" or tag == "html" or given.get("id") == "toasts":
            return
        for name, value in attrs:
            is_words = (
                name in SAID
                or (name == "value" and given.get("type") in ("submit", "button"))
                or name.startswith("data-confirm")
                or (name.startswith("data-") and " " in (value or ""))
            )
            if not is_words:
                self.found.append((tag, name, value or ""))


def machine(page: str) -> list[tuple[str, str, str]]:
    reader = Machine()
    reader.feed(page)
    return reader.found


def speak(user: User, language: str) -> None:
    User.objects.filter(pk=user.pk).update(language=language)


def test_machines_read_the_same_in_every_language(world: World) -> None:
    different, read = [], 0
    for address in (address for address in OURS if address.name in WITH_NUMBERS):
        pages: list[Any] = []
        for language in ("en", "de"):
            speak(world.builder, language)
            with transaction.atomic():
                answer = browser(world.builder).get(address.path(world))
                assert answer.status_code == 200, address.name
                pages.append(machine(answer.content.decode()))
                transaction.set_rollback(True)
        read += 1
        different += [(address.name, *pair) for pair in zip(*pages, strict=True) if pair[0] != pair[1]]
    assert different == []
    assert read == len(WITH_NUMBERS)


@pytest.mark.parametrize("view", ["orders:live", "orders:dispute_live", "amendments:live"])
def test_an_open_page_is_not_told_that_nothing_changed_in_another_language(world: World, view: str) -> None:
    path = next(address for address in OURS if address.name == view).path(world)
    client, asking = browser(world.client), {"HX-Request": "true"}
    mark = client.get(path, headers=asking)["ETag"]
    assert client.get(path, headers=asking | {"If-None-Match": mark}).status_code == 304
    speak(world.client, "de")
    assert client.get(path, headers=asking | {"If-None-Match": mark}).status_code == 200
