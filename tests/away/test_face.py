"""What pages say while a builder is away."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.away.models import ReturnAlert
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit import clock
from port444.kit.ids import uuid7
from port444.orders.actions import place_order
from port444.orders.models import Order
from port444.payments.actions import pay_with_test_wallet
from tests.away.spans import leave
from tests.catalog.conftest import category, make_service, package

__all__ = ["category", "make_service"]

FIRST, LAST = date(2026, 11, 27), date(2026, 11, 29)
DURING = datetime(2026, 11, 28, 6, 0, tzinfo=UTC)
LAST_DAY = datetime(2026, 11, 28, 18, 30, tzinfo=UTC)  # 29 November 00:00 in Kolkata
END = datetime(2026, 11, 29, 18, 30, tzinfo=UTC)
Make = Callable[..., Service]


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def at_home(client: Client, builder_user: User) -> Client:
    client.force_login(builder_user)
    return client


# The strip


@pytest.mark.parametrize("path", ["/", "/orders/", "/messages/", "/settings/", "/today/", "/services/"])
def test_every_page_of_the_builder_says_that_they_are_away(at_home: Client, builder: Builder, path: str) -> None:
    leave(builder, FIRST, LAST)
    with clock.at(DURING):
        assert "You are away until Sun 29 Nov." in text(at_home.get(path))
    with clock.at(LAST_DAY - timedelta(seconds=1)):
        assert "You are away until Sun 29 Nov." in text(at_home.get(path))
    with clock.at(LAST_DAY):
        assert "Back tomorrow, Mon 30 Nov. Your services open at 00:00." in text(at_home.get(path))
    for moment in (END, datetime(2026, 11, 26, 18, 29, tzinfo=UTC)):
        with clock.at(moment):
            assert "aw-strip" not in at_home.get(path).content.decode()


def test_others_are_not_told_that_they_are_away(client: Client, builder: Builder, client_user: User, stranger: User) -> None:
    leave(builder, FIRST, LAST)
    with clock.at(DURING):
        for person in (None, client_user, stranger):
            if person:
                client.force_login(person)
            assert "aw-strip" not in client.get("/").content.decode()


def test_the_strip_costs_no_question(at_home: Client, builder: Builder, django_assert_num_queries: Any) -> None:
    with clock.at(DURING):
        at_home.get("/settings/")
        with django_assert_num_queries(4) as captured:  # session, person with profile, and the two numbers of the frame
            at_home.get("/settings/")
        leave(builder, FIRST, LAST)
        with django_assert_num_queries(len(captured)):
            assert "aw-strip" in at_home.get("/settings/").content.decode()


def test_today_leads_to_the_plan(at_home: Client, builder: Builder) -> None:
    with clock.at(datetime(2026, 11, 20, 6, 0, tzinfo=UTC)):
        assert "Going away?" in text(at_home.get("/today/"))
        leave(builder, FIRST, LAST)
        assert "Away from 27 Nov" in text(at_home.get("/today/"))
    with clock.at(DURING):
        assert "Away until 29 Nov" in text(at_home.get("/today/"))
    with clock.at(END):
        assert "Going away?" in text(at_home.get("/today/"))


# The service page


def test_the_return_is_an_instant_on_the_readers_clock(client: Client, builder: Builder, make_service: Make, make_user: Any) -> None:
    service = make_service()
    leave(builder, FIRST, LAST, message="At a wedding.")
    seen = {
        "Asia/Kolkata": ("Sun 29 Nov", "Mon 30 Nov"),
        "America/New_York": ("Sun 29 Nov", "Sun 29 Nov, 13:30"),
        "Pacific/Auckland": ("Mon 30 Nov", "Mon 30 Nov, 07:30"),
    }
    with clock.at(DURING):
        for n, (zone, (last, back)) in enumerate(seen.items()):
            client.force_login(make_user(f"Reader{n} Abroad", time_zone=zone))
            for path in (service.get_absolute_url(), builder.get_absolute_url()):
                page = text(client.get(path))
                assert f"Anaya is away until {last}. At a wedding." in page
                assert f"Back {back} " in page
                assert "Tell me when Anaya is back" in page
        client.logout()
        signed_out = client.get(service.get_absolute_url())
        assert "Back Mon 30 Nov" in text(signed_out)  # on the builder's clock for who has none here
        assert "/account/login/?next=/s/" in signed_out.content.decode()


def test_a_wish_is_remembered_on_the_page(client: Client, builder: Builder, make_service: Make, client_user: User) -> None:
    service = make_service()
    leave(builder, FIRST, LAST)
    client.force_login(client_user)
    with clock.at(DURING):
        answer = client.post(f"/b/{builder.slug}/back/want/", {"next": service.get_absolute_url()}, follow=True)
    assert answer.redirect_chain == [(service.get_absolute_url(), 302)]
    assert "We tell you once, when Anaya is back." in text(answer)
    assert ReturnAlert.objects.get().user == client_user


def test_orders_that_go_on_are_due_after_the_return(client: Client, builder: Builder, make_service: Make, client_user: User) -> None:
    service = make_service(questions=[])
    leave(builder, FIRST, LAST, stops_orders=False)
    client.force_login(client_user)
    with clock.at(DURING):
        page = text(client.get(service.get_absolute_url()))
        assert "Order for 29 Nov, $63.30" in page  # 30 November begins in Kolkata at 19:30 of Amsterdam's
        assert "due Tue 1 Dec, 19:30" in page
        order = place_order(service.packages.get().pk, actor=client_user, client_key=uuid7())
        pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]  # a placed order has one
    assert Order.objects.get().due_at == END + timedelta(days=2)


def test_a_planned_absence_is_counted_in(client: Client, builder: Builder, make_service: Make, client_user: User) -> None:
    service = make_service(packages=[package(delivery_days=7)])
    leave(builder, FIRST, LAST)
    client.force_login(client_user)
    with clock.at(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)):
        page = text(client.get(service.get_absolute_url()))
    assert "Thu 3 Dec, 10:00" in page  # a week, and three days
    assert "which is counted in" in page
    assert "Order, $63.30" in page


def test_a_service_that_was_paused_stays_paused(client: Client, builder: Builder, make_service: Make, client_user: User) -> None:
    live, paused = make_service("Live service here"), make_service("Paused service here")
    Service.objects.filter(pk=paused.pk).update(status="paused")
    leave(builder, FIRST, LAST)
    client.force_login(client_user)
    with clock.at(DURING):
        assert "Live service here" not in text(client.get("/"))
        assert "Back Sun 29 Nov" in text(client.get(live.get_absolute_url()))
        assert "Tell me when" not in text(client.get(paused.get_absolute_url()))
    with clock.at(END - timedelta(seconds=1)):
        assert "Live service here" not in text(client.get("/"))
    with clock.at(END):
        found = text(client.get("/"))
        assert ("Live service here" in found, "Paused service here" in found) == (True, False)
        assert "Order, $63.30" in text(client.get(live.get_absolute_url()))


def test_an_absence_that_stops_no_orders_hides_nothing(at_home: Client, builder: Builder, make_service: Make) -> None:
    make_service("Live service here")
    leave(builder, FIRST, LAST, stops_orders=False)
    with clock.at(DURING):
        assert "Live service here" in text(at_home.get("/"))
        assert "Published" in text(at_home.get("/services/"))


def test_the_page_asks_once_whether_the_reader_waits(
    client: Client, builder: Builder, make_service: Make, client_user: User, django_assert_num_queries: Any
) -> None:
    service = make_service(packages=[package(), package("standard", "90.00"), package("premium", "420.00")])
    client.force_login(client_user)
    with clock.at(DURING):
        client.get(service.get_absolute_url())
        with django_assert_num_queries(7) as captured:
            client.get(service.get_absolute_url())
        leave(builder, FIRST, LAST)
        with django_assert_num_queries(len(captured) + 1):
            client.get(service.get_absolute_url())
