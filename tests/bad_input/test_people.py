"""What people say of themselves and of what they sell, when they are away, what they keep, and whom they have told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from port444.kit.clock import now
from port444.kit.ids import uuid7

from .asking import BAD_MONEY, BAD_ZONES, NUL, Ask, World, faults, not_taken

pytestmark = pytest.mark.django_db


def service(**changes: Any) -> Ask:
    form = {"title": "Draw a logo", "basic-is_offered": "on", "basic-name": "S", "basic-price": "25", "basic-delivery_days": "3"}
    return lambda world: (world.builder.user, "/services/new/", form | {"category": str(world.package.service.category_id)} | changes)


def settings_of(**changes: Any) -> Ask:
    form = {"name": "Jonas Vermeer", "phone": "", "time_zone": "UTC", "language": "en", "theme": "light"}
    return lambda world: (world.client_user, "/settings/", form | changes)


def away(**changes: Any) -> Ask:
    days = {"first_on": f"{now() + timedelta(days=2):%Y-%m-%d}", "last_on": f"{now() + timedelta(days=4):%Y-%m-%d}"}
    return lambda world: (world.builder.user, "/away/", {"on": "on", "stops_clock": "on"} | days | changes)


def webhook(**changes: Any) -> Ask:
    form = {"url": "https://hooks.example/in", "description": "", "events": "order.paid"}
    return lambda world: (world.client_user, "/settings/webhooks/new/", form | {"client_key": str(uuid7())} | changes)


BAD: dict[str, Ask] = {
    **{f"package price {text[:9]!r}": service(**{"basic-price": text}) for text in BAD_MONEY},
    **{f"zone of a person {zone[:9]!r}": settings_of(time_zone=zone) for zone in BAD_ZONES},
    "name with NUL": settings_of(name=NUL),
    "phone that is none": settings_of(phone="12\x0034"),
    "title with NUL": service(title=NUL),
    "package in no days": service(**{"basic-delivery_days": "0"}),
    "package in endless days": service(**{"basic-delivery_days": "9" * 30}),
    "waiting for who is here": lambda world: (world.client_user, f"/b/{world.builder.slug}/back/want/", {"next": "//elsewhere.example/"}),
    "waiting for nobody": lambda world: (world.client_user, "/b/nobody/back/want/", {}),
    "not waiting for nobody": lambda world: (world.client_user, "/b/nobody/back/forget/", {}),
    "saving nothing": lambda world: (world.client_user, "/saved/services/none/", {"do": "save"}),
    "a heart that does nothing": lambda world: (world.client_user, f"/saved/builders/{world.builder.slug}/", {"do": "burn"}),
    "saving oneself": lambda world: (world.builder.user, f"/saved/builders/{world.builder.slug}/", {"do": "save"}),
    "webhook without https": webhook(url="http://hooks.example/"),
    "webhook inside": webhook(url="https://169.254.169.254/latest/"),
    "webhook with a password": webhook(url="https://a:b@hooks.example/"),
    "webhook with NUL": webhook(url="https://hooks.example/\x00"),
    "webhook that is endless": webhook(url="https://hooks.example/" + "x" * 5000),
    "webhook for nothing": webhook(events=""),
    "webhook for what never happens": webhook(events="order.payed"),
    "webhook with NUL in words": webhook(description=NUL),
    "webhook without a key": webhook(client_key="x"),
    "webhook of nobody": lambda world: (world.client_user, f"/settings/webhooks/{world.asking.pk}/ping/", {}),
    "delivery of nobody": lambda world: (world.client_user, f"/settings/webhooks/deliveries/{world.asking.pk}/replay/", {}),
    "away without a last day": away(last_on=""),
    "away on days that do not exist": away(first_on="2026-02-30"),
    "away in the year 9999": away(last_on="9999-12-31"),
    "away in the year 1": away(first_on="0001-01-01"),
    "away in the wrong order": away(last_on=f"{now():%Y-%m-%d}"),
    "away with NUL": away(message=NUL),
    "away with too many words": away(message="x" * 301),
    "away with a span of nobody": away(span="0" * 8 + "-0000-7000-8000-" + "0" * 12),
    "away with a bent span": away(span="x"),
    "away of a client": lambda world: (world.client_user, "/away/00000000-0000-7000-8000-000000000000/end/", {}),
}

GOOD: dict[str, Ask] = {
    "service": service(),
    "settings": settings_of(name="Jonas V"),
    "away": away(),
}


def test_profiles_services_and_webhooks_are_not_filled_in_badly(world: World) -> None:
    assert faults(world, BAD) == {}
    assert not_taken(world, GOOD) == []
