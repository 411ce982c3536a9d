"""The page of being away, with and without htmx, and what the page of an order shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.away import actions
from port444.away.models import DueMove, MoveStatus, Span
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import FRIDAY, MONDAY, START, SUN, WEEKEND, now_of

S = OrderStatus
URL = "/away/"
FORM = {
    "on": "on",
    "first_on": "2026-11-27",
    "last_on": "2026-11-29",
    "message": "At a wedding.",
    "stops_orders": "on",
    "stops_calls": "on",
    "stops_clock": "on",
}
HTMX = {"HX-Request": "true"}
Quiet = Callable[..., AbstractContextManager[None]]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_it_is_planned_on_the_page(builder_user: User, order: Order) -> None:
    response = signed_in(builder_user).post(URL, FORM)
    assert (response.status_code, response["Location"]) == (302, URL)
    span = Span.objects.get()
    assert (span.starts_at, span.ends_at, span.message) == (FRIDAY, MONDAY, "At a wedding.")
    assert now_of(order).due_at == order.due_at + timedelta(days=3)  # type: ignore[operator]


def test_looking_shows_both_dates_and_writes_nothing(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    with nothing_happens(order):
        response = signed_in(builder_user).post(URL, FORM | {"do": "preview"}, headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 200
    assert "<html" not in page
    assert "Due Tue 1 Dec" in page
    assert "<b>Fri 4 Dec</b>" in page
    assert "Save and tell 1 client<" in page
    assert "+ 3 days, Fri 4" in page


def test_a_kept_date_is_sent_with_the_form(builder_user: User, order: Order) -> None:
    signed_in(builder_user).post(URL, FORM | {f"date-{order.pk}": "keep"})
    assert now_of(order).due_at == order.due_at


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"last_on": ""}, "Pick a last day"),
        ({"first_on": ""}, "Pick a first day"),
        ({"last_on": "2026-11-26"}, "before the first"),
        ({"first_on": "2026-11-20"}, "has passed already"),
        ({"last_on": "9999-12-31"}, "a year ahead"),
        ({"first_on": "0001-01-01"}, "has passed already"),
        ({"message": "x" * 301}, "300"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(builder_user: User, order: Order, nothing_happens: Quiet, wrong: dict[str, str], said: str) -> None:
    with nothing_happens(order):
        response = signed_in(builder_user).post(URL, FORM | wrong)
        looked = signed_in(builder_user).post(URL, FORM | wrong | {"do": "preview"}, headers=HTMX)
    assert (response.status_code, looked.status_code) == (422, 200)
    assert said in response.content.decode()


def test_a_stale_page_is_told_so(builder_user: User, order: Order, nothing_happens: Quiet) -> None:
    client = signed_in(builder_user)
    span = actions.plan_away(actor=builder_user, plan=WEEKEND)
    with nothing_happens(order):
        other = client.post(URL, FORM | {"last_on": "2026-11-28"})  # a page from before
    assert (other.status_code, "changed meanwhile" in other.content.decode()) == (409, True)
    actions.end_away(span.pk, actor=builder_user)
    with nothing_happens(order):
        assert client.post(URL, FORM | {"span": str(span.pk)}).status_code == 409
        assert client.post(URL, FORM | {"span": "nonsense"}).status_code == 422


def test_changed_and_switched_off_on_the_page(builder_user: User, order: Order) -> None:
    client = signed_in(builder_user)
    client.post(URL, FORM)
    span = Span.objects.get()
    client.post(URL, FORM | {"span": str(span.pk), "last_on": "2026-11-28"})
    assert now_of(span).last_on.day == 28
    page = client.get(URL).content.decode()
    assert "Away, from Fri 27 Nov" in page
    off = {name: value for name, value in FORM.items() if name != "on"}
    assert client.post(URL, off | {"span": str(span.pk)}).status_code == 302
    assert now_of(span).cancelled_at == START
    assert now_of(order).due_at == order.due_at


def test_come_back_now(builder_user: User, stranger: User, order: Order) -> None:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    span = Span.objects.get()
    assert signed_in(stranger).post(reverse("away:end", args=[span.pk])).status_code == 404
    with at(FRIDAY + timedelta(hours=1)):
        client = signed_in(builder_user)
        assert "Come back now" in client.get(URL).content.decode()
        assert client.post(reverse("away:end", args=[span.pk])).status_code == 302
        page = client.get(URL).content.decode()
    assert "Welcome back." in page
    assert "1 due date moved" in page


def test_who_is_no_builder_is_led_away(client_user: User) -> None:
    assert signed_in(client_user).get(URL).status_code == 302


def test_a_long_absence_is_asked_about(builder_user: User, order: Order) -> None:
    response = signed_in(builder_user).post(URL, FORM | {"last_on": "2027-01-08", "do": "preview"}, headers=HTMX)
    assert "That is 43 days." in response.content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_queries_does_not_grow(builder_user: User, make_order: MakeOrder, django_assert_num_queries: Any, count: int) -> None:
    for _ in range(count):
        make_order(S.IN_PROGRESS)
    client = signed_in(builder_user)
    client.get(URL)
    with django_assert_num_queries(QUERIES):
        client.post(URL, FORM | {"do": "preview"}, headers=HTMX)


QUERIES = 8


# The page of an order


def page_of(order: Order, user: User) -> str:
    return signed_in(user).get(f"/orders/{order.number}/").content.decode()


def test_the_client_reads_both_dates_and_objects(builder_user: User, client_user: User, order: Order) -> None:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    move = DueMove.objects.get()
    page = page_of(order, client_user)
    assert "The due date moved" in page
    assert "That does not work for me" in page
    assert "3 days later" in page
    assert "That does not work for me" not in page_of(order, builder_user)
    answer = signed_in(client_user).post(reverse("away:object", args=[move.pk]), {"reason": "We go live."})
    assert answer["Location"] == f"/orders/{order.number}/"
    assert "Waiting for Anaya" in page_of(order, client_user)


def test_the_builder_answers_where_they_look_first(builder_user: User, client_user: User, order: Order) -> None:
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    move = DueMove.objects.get()
    actions.object_to_move(move.pk, actor=client_user, reason="We go live.")
    page = page_of(order, builder_user)
    assert "Jonas objects to the later date" in page
    assert "Keep the earlier date" in page
    today = signed_in(builder_user).get("/today/").content.decode()
    assert "objects to the later date" in today
    signed_in(builder_user).post(reverse("away:hold", args=[move.pk]))
    assert now_of(move).status == MoveStatus.STANDS
    page = page_of(order, client_user)
    assert "Anaya holds to the later date" in page
    assert "Cancel the order" in page


def test_kept_from_the_page(builder_user: User, client_user: User, stranger: User, order: Order) -> None:
    actions.plan_away(actor=builder_user, plan=replace(WEEKEND, last_on=SUN))
    move = actions.object_to_move(DueMove.objects.get().pk, actor=client_user, reason="No.")
    for name in ("keep", "hold", "object"):
        assert signed_in(stranger).post(reverse(f"away:{name}", args=[move.pk]), {"reason": "Mine."}).status_code == 404
    assert signed_in(stranger).post(reverse("away:object", args=[move.pk])).status_code == 404
    assert signed_in(client_user).post(reverse("away:keep", args=[move.pk])).status_code == 403
    signed_in(builder_user).post(reverse("away:keep", args=[move.pk]))
    assert now_of(order).due_at == order.due_at


def test_the_live_part_follows(builder_user: User, client_user: User, order: Order) -> None:
    client = signed_in(client_user)
    url = f"/orders/{order.number}/live/"
    etag = client.get(url, headers=HTMX)["ETag"]
    assert client.get(url, headers=HTMX | {"If-None-Match": etag}).status_code == 304
    actions.plan_away(actor=builder_user, plan=WEEKEND)
    answer = client.get(url, headers=HTMX | {"If-None-Match": etag})
    assert "The due date moved" in answer.content.decode()


def test_the_builder_of_nobody(builder: Builder) -> None:
    """A page that is only looked at keeps no lock and no row."""
    assert signed_in(builder.user).get(f"{URL}?plan=1").status_code == 200
    assert not Span.objects.exists()
