from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import count_sales_batch, note_sale
from port444.catalog.models import PricePoint, Service
from port444.kit.clock import now
from port444.kit.ids import uuid7


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


def test_staff_read_price_points(
    client: Client, service: Service, staff: User, settings: Any, crowd: Callable[..., list[Builder]], django_assert_num_queries: Any
) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    note_sale(uuid7(), package_id=service.packages.get().pk, price=Decimal("61.25"), moment=now())
    count_sales_batch(now(), 10)
    crowd(["77.00"])
    address = reverse("admin:catalog_pricepoint_changelist")
    with django_assert_num_queries(12) as few:  # of them three keep the time
        html = client.get(address, {"tier__exact": "basic"}).content.decode()
    assert "77.00" in html
    assert "Anaya Krishnan" in html  # her point is not made yet and has no price
    crowd(["78.00"] * 20)
    with django_assert_num_queries(len(few)):
        client.get(address, {"tier__exact": "basic"})
    row = reverse("admin:catalog_pricepoint_change", args=[PricePoint.objects.get(price=77).pk])
    assert 'name="_save"' not in client.get(row).content.decode()
    assert client.post(row, {"price": "1"}).status_code == 403
    assert "61.25" in client.get(reverse("admin:catalog_pricesample_changelist")).content.decode()
    client.force_login(service.builder.user)
    assert client.get(address).status_code == 302
