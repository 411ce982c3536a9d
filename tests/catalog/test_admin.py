from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.catalog.models import Service


def test_staff_look_and_change_nothing(client: Client, service: Service, staff: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    for page, row, text in (("catalog_service", service, "One slow page"), ("builders_builder", service.builder, "Django and Postgres performance")):
        address = reverse(f"admin:{page}_change", args=[row.pk])
        html = client.get(address).content.decode()
        assert text in html
        assert 'name="_save"' not in html
        assert client.post(address, {"title": "Mine"}).status_code == 403
    service.refresh_from_db()
    assert service.title == "Make slow Django pages fast"
