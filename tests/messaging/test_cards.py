"""What apps above put into a conversation: cards in the place of messages, panels beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.messaging import actions, handlers
from port444.messaging.forms import MessageForm
from port444.messaging.handlers import Card, Panel, Place
from port444.messaging.models import Conversation

HTMX = {"HX-Request": "true"}
NOTE = "ui/_note.html"


class Shop:
    """An app above: things that conversations are about, each with words that change."""

    def __init__(self) -> None:
        self.words: dict[UUID, str] = {}
        self.beside = "Nothing sold"
        self.asked: list[Sequence[UUID]] = []

    def cards(self, ids: Sequence[UUID], conversation: Conversation, viewer: Any, moment: datetime) -> Mapping[UUID, Card]:
        self.asked.append(ids)
        return {pk: Card(NOTE, {"text": f"{self.words[pk]}, for {viewer.first_name}"}) for pk in ids if pk in self.words}

    def panels(self, conversation: Conversation, viewer: Any, moment: datetime) -> Sequence[Panel]:
        return [Panel(Place.FEED, NOTE, {"text": self.beside}), Panel(Place.SIDE, "ui/_note.html", {"text": "At the side"})]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop()
    monkeypatch.setattr(handlers, "_cards", {"thing": shop.cards})
    monkeypatch.setattr(handlers, "_panels", [shop.panels])
    return shop


@pytest.fixture
def reader(client: Client, builder_user: User) -> Client:
    client.force_login(builder_user)
    return client


def part(html: str, key: str) -> str:
    """The part with the id `key`; "" when it is not there."""
    found = re.search(rf'<div class="(?:inlay|tzone)" id="{key}".*?</div>', html, re.DOTALL)
    return found[0] if found else ""


def mark(html: str, key: str) -> str:
    found = re.search(r'data-mark="([0-9a-f]+)"', part(html, key))
    return found[1] if found else ""


def test_a_message_about_a_thing_is_its_card(reader: Client, conversation: Conversation, shop: Shop) -> None:
    known, unknown = uuid4(), uuid4()
    shop.words[known] = "A boat"
    for thing in (known, unknown):
        actions.post_notice(conversation.pk, body="A thing came up", icon="package", subject=("thing", thing))
    actions.post_notice(conversation.pk, body="An order came up", icon="package", subject=("order", uuid4()))
    html = reader.get(conversation.get_absolute_url()).content.decode()
    assert "A boat, for Anaya" in part(html, f"card-{known}")
    assert html.count("A thing came up") == 1, "the one without a card"
    assert "An order came up" in html
    assert "Nothing sold" in part(html, "zone-feed")
    assert "At the side" in part(html, "zone-side")
    assert part(html, "zone-composer").endswith("></div>")
    assert shop.asked == [[known, unknown]], "asked once for all"


def test_news_bring_cards_and_panels_again(reader: Client, conversation: Conversation, client_user: User, shop: Shop) -> None:
    old, new = uuid4(), uuid4()
    shop.words |= {old: "A boat", new: "A sail"}
    first = actions.post_notice(conversation.pk, body="A thing came up", icon="package", subject=("thing", old))
    page = reader.get(conversation.get_absolute_url()).content.decode()
    shop.words[old], shop.beside = "A sold boat", "One sold"
    actions.post_notice(conversation.pk, body="Another thing came up", icon="package", subject=("thing", new))
    address = reverse("messaging:poll", args=[conversation.pk])
    html = reader.get(address, {"after": str(first.pk)}, headers=HTMX).content.decode()
    assert "A sold boat" in part(html, f"card-{old}")
    assert 'hx-swap-oob="outerMorph"' in part(html, f"card-{old}")
    assert "One sold" in part(html, "zone-feed")
    assert "A sail" in part(html, f"card-{new}")
    assert "swap-oob" not in part(html, f"card-{new}"), "what is new is put behind the rest"
    assert html.count(f'id="card-{new}"') == 1
    assert "Another thing came up" in html, "said to who listens"
    assert mark(html, "zone-feed") != mark(page, "zone-feed")
    assert mark(html, "zone-side") == mark(page, "zone-side"), "unchanged: an open page leaves it alone"


def test_a_sent_message_brings_them_too(reader: Client, conversation: Conversation, shop: Shop) -> None:
    answer = reader.post(conversation.get_absolute_url(), {"body": "One", "client_key": uuid4(), "after": ""}, headers=HTMX)
    assert "Nothing sold" in part(answer.content.decode(), "zone-feed")


def test_that_somebody_looked_draws_nothing_anew(
    reader: Client, conversation: Conversation, client_user: User, builder_user: User, shop: Shop
) -> None:
    message = actions.send_message(conversation.pk, actor=builder_user, body="Hello", client_key=uuid4())
    actions.mark_read(conversation.pk, actor=client_user)
    html = reader.get(reverse("messaging:poll", args=[conversation.pk]), {"after": str(message.pk)}, headers=HTMX).content.decode()
    assert "Seen" in html
    assert "zone-" not in html


def test_what_a_form_draws_anew_each_time_is_no_change(reader: Client, conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    def panels(conversation: Conversation, viewer: Any, moment: datetime) -> Sequence[Panel]:
        return [Panel(Place.FEED, "messaging/_composer.html", {"form": MessageForm(), "person": viewer})]

    monkeypatch.setattr(handlers, "_panels", [panels])
    pages = [reader.get(conversation.get_absolute_url()).content.decode() for _ in range(2)]
    marks = [mark(page, "zone-feed") for page in pages]
    assert marks[0] == marks[1] != ""
