"""What builders see of who looked, wrote and ordered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.catalog.actions import count_visits_batch, note_visit
from port444.catalog.models import Service, ServiceDay, Visit
from port444.kit.clock import at, now
from port444.orders import queries
from port444.orders.models import Order, OrderStatus

from .conftest import MakeOrder

BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"


def looked_at(service: Service, times: int, *, days_ago: int = 0) -> None:
    with at(now() - timedelta(days=days_ago)):
        for number in range(times):
            note_visit(service.pk, address=f"192.0.2.{number}", agent=BROWSER)


def test_somebody_counts_once_a_day_and_a_machine_never(client: Client, service: Service, builder_user: User, client_user: User) -> None:
    address = service.get_absolute_url()
    for agent in (BROWSER, BROWSER, "Mozilla/5.0 (compatible; Googlebot/2.1)", "curl/8.5", ""):
        client.get(address, headers={"User-Agent": agent})
    assert Visit.objects.count() == 1
    client.head(address, headers={"User-Agent": "Mozilla/5.0 other"})
    client.force_login(builder_user)
    client.get(address, headers={"User-Agent": "Mozilla/5.0 own"})
    assert Visit.objects.count() == 1, "neither a HEAD nor the builder"
    client.force_login(client_user)
    client.get(address, headers={"User-Agent": "Mozilla/5.0 other"})
    assert Visit.objects.count() == 2
    with at(now() + timedelta(days=1)):
        client.get(address, headers={"User-Agent": BROWSER})
    assert Visit.objects.count() == 3
    assert len(set(Visit.objects.values_list("visitor", flat=True))) == 3, "nobody is known again on another day"


def test_days_that_are_over_are_counted_once(service: Service) -> None:
    looked_at(service, 5, days_ago=2)
    looked_at(service, 3, days_ago=1)
    looked_at(service, 2)
    assert count_visits_batch(now(), 6) == 6
    assert count_visits_batch(now(), 6) == 2
    assert count_visits_batch(now(), 6) == 0
    assert list(ServiceDay.objects.order_by("day").values_list("visitors", flat=True)) == [5, 3]
    assert Visit.objects.count() == 2, "today is not over"


def test_the_way_from_a_look_to_an_order(
    service: Service, make_order: MakeOrder, client: Client, builder_user: User, django_assert_num_queries: Any
) -> None:
    looked_at(service, 40, days_ago=1)
    looked_at(service, 9, days_ago=40)  # in the thirty days before
    count_visits_batch(now(), 100)
    looked_at(service, 2)
    order = make_order(OrderStatus.COMPLETED)
    found = queries.insights.insights(service.builder, 30)
    assert [step.count for step in found.steps] == [42, 1, 1, 1]
    assert [step.share for step in found.steps] == ["", "2%", "", ""], "shares are said from twenty on"
    assert (found.figures.sold, found.before.visitors, found.before.orders) == (order.price, 9, 0)
    assert [(row.visitors, row.orders, row.sold, row.share) for row in found.services] == [(42, 1, order.price, "2%")]
    assert [bar.value for bar in found.visitors_by.bars[-2:]] == [40, 2]
    assert len(found.visitors_by.bars) == 30
    longer = queries.insights.insights(service.builder, 90)
    assert longer.figures.visitors == 51
    assert sum(bar.value for bar in longer.visitors_by.bars) == 51
    client.force_login(builder_user)
    client.get(reverse("orders:insights"))
    with django_assert_num_queries(11):  # session, person, builder; six of the page; bell, messages
        html = client.get(reverse("orders:insights"), {"days": "90"}).content.decode()
    assert "People who looked" in html


def test_a_page_for_builders_alone(client: Client, client_user: User, builder_user: User, service: Service) -> None:
    address = reverse("orders:insights")
    client.force_login(client_user)
    assert client.get(address).status_code == 404
    client.force_login(builder_user)
    html = client.get(address, {"days": "7"}).content.decode()
    assert "Nothing to count yet" in html
    assert Order.objects.count() == 0
