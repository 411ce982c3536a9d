"""Every page as a German client and a German builder read it: nothing on it is in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser

import pytest
from django.db import transaction

from port444.accounts.models import User
from port444.builders.models import Builder
from scripts import messages

from .conftest import World
from .test_urls import OURS, browser
from .wording import WORDED

ENGLISH = ("support:", "admin:", "api_docs")  # in every language
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%%")
TAG = re.compile(r"<[^>]+>|&\w+;")
WORD = re.compile(r"[^\W\d_]{2,}")


class Texts(HTMLParser):
    """What a person sees or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.raw = tag if tag in ("script", "style") else ""
        self.found |= {" ".join((value or "").split()) for name, value in attrs if name in WORDED}

    def handle_endtag(self, tag: str) -> None:
        self.raw = ""

    def handle_data(self, data: str) -> None:
        if not self.raw:
            self.found.add(" ".join(data.split()))


def pieces(text: str) -> Iterator[str]:
    """A text as it stands between the tags of a page."""
    for piece in TAG.split(text):
        if len(WORD.findall(PLACE.sub("", piece))) > 1:
            yield " ".join(piece.split())


@cache
def english() -> tuple[frozenset[str], list[tuple[str, re.Pattern[str]]]]:
    """What German says otherwise: whole texts, and patterns of those with something filled in, each with its longest part."""
    said, german = set(), set()
    for message in messages.sentences(messages.read(messages.catalogue("de"))):
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        said |= {piece for text in ids for piece in pieces(text)}
        german |= {piece for text in messages.parts(message) for piece in pieces(text)}
    said -= german
    patterns = []
    for text in sorted(text for text in said if PLACE.search(text)):
        parts = PLACE.split(text)
        patterns.append((max(parts, key=len), re.compile(".+?".join(re.escape(part) for part in parts))))
    return frozenset(text for text in said if not PLACE.search(text)), patterns


def is_english(text: str) -> bool:
    whole, patterns = english()
    return text in whole or any(part in text and pattern.fullmatch(text) for part, pattern in patterns)


@pytest.fixture
def germans(client_user: User, builder: Builder) -> None:
    """Both read German before anything is told to them."""
    for person in (client_user, builder.user):
        person.language = "de"
        person.save(update_fields=["language"])


def test_germans_read_no_english(germans: None, world: World) -> None:
    found: dict[str, set[str]] = {}
    read = 0
    for address in OURS:
        if address.name.startswith(ENGLISH) or "GET" not in (address.methods() or ()):
            continue
        for person in (world.client, world.builder):
            with transaction.atomic():
                answer = browser(person).get(address.path(world))
                if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
                    page = Texts()
                    page.feed(answer.content.decode())
                    read += 1
                    for text in filter(is_english, page.found):
                        found.setdefault(text, set()).add(address.name)
                transaction.set_rollback(True)
    assert [f"{text} ({', '.join(sorted(names))})" for text, names in sorted(found.items())] == []
    assert read > 80
