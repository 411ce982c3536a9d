"""Addresses with nonsense in them."""

from __future__ import annotations

import pytest
from django.test import Client

from .asking import World, nothing_written

pytestmark = pytest.mark.django_db


URLS = [
    "/?q=%00&lowest=1e9&highest=-1&days=999999999999&category=%00&sort=x&language=%00&after=%00",
    "/?after=eyJ4Ijo5fQ",
    "/orders/?as=builder&after=%00",
    "/orders/?after=9999-12-31T23:59:59.999999%2B00:00,1",
    "/calls/?show=past&after=9999-99-99",
    "/calls/?after=%00",
    "/invoices/?before=%00&sold=1",
    "/earnings/?before=x",
    "/earnings/file/?since=%00&until=9999-12-31",
    "/spending/file/?since=0001-01-01&until=9999-12-31",
    "/insights/?days=%00",
    "/earnings/withdrawals/?before=%00&show=%00",
    "/earnings/quote/?amount=1e9&method=%00",
    "/messages/?older=%00&show=unread",
    "/notifications/?before=%00",
    "/b/anaya-krishnan/call/?minutes=1e2&tz=%00&week=9999-12-31&slot=9999-12-31T23:59:59Z",
    "/b/anaya-krishnan/call/?week=0001-01-01&slot=0001-01-01T00:00:00Z&minutes=-1",
    "/b/anaya-krishnan/call/?week=2026-13-45&tz=../../etc/passwd",
    "/s/fast-pages/?package=%00",
]


def test_a_bent_address_shows_a_page_and_writes_nothing(world: World) -> None:
    faults: dict[tuple[str, str], int] = {}
    for user in (world.client_user, world.builder.user):
        client = Client(raise_request_exception=False)
        client.force_login(user)
        with nothing_written():
            faults |= {(user.email, url): status for url in URLS if (status := client.get(url).status_code) not in (200, 302, 400, 404, 422)}
    assert faults == {}
