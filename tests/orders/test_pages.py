"""The pages: who sees them, what they say, how much they ask of the database, and what a press does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.orders import actions
from port444.orders.models import Delivery, Order, OrderStatus, Review

from .conftest import ANSWERS, MakeOrder

S = OrderStatus
PAGE_QUERIES, CLIENT_QUERIES, BUILDER_QUERIES, TODAY_QUERIES = 22, 13, 13, 23
HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("status", S.values)
@pytest.mark.parametrize("side", ["client", "builder"])
def test_every_state_has_its_page(make_order: MakeOrder, client_user: User, builder_user: User, status: str, side: str) -> None:
    order = make_order(status)
    response = signed_in(client_user if side == "client" else builder_user).get(f"/orders/{order.number}/")
    assert response.status_code == 200
    page = response.content.decode()
    assert f"Order {order.number}" in page
    helm = response.context["helm"]
    assert escape(helm.title) in page
    assert "None" not in helm.title + helm.why


def test_helm_asks_the_one_whose_turn_it_is(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    turns = {S.PENDING_PAYMENT: "client", S.PENDING_REQUIREMENTS: "client", S.IN_PROGRESS: "builder", S.DELIVERED: "client", S.IN_REVISION: "builder"}
    for status, side in turns.items():
        order = make_order(status)
        for user, name in ((client_user, "client"), (builder_user, "builder")):
            helm = signed_in(user).get(f"/orders/{order.number}/").context["helm"]
            assert helm.wait == (name != side), (status, name)


@pytest.mark.parametrize("path", ["", "live/", "message/", "answer/", "deliver/", "revision/", "accept/", "cancel/", "review/"])
def test_strangers_find_nothing(make_order: MakeOrder, stranger: User, staff: User, nothing_happens: Any, path: str) -> None:
    order = make_order(S.DELIVERED)
    for user in (stranger, staff):
        client = signed_in(user)
        address = f"/orders/{order.number}/{path}"
        with nothing_happens(order):
            response = (
                client.get(address) if path in ("", "live/") else client.post(address, {"note": "x", "body": "x", "stars": 5, "client_key": uuid7()})
            )
        assert response.status_code in (404, 302 if user == staff else 404)


def test_signed_out_people_are_asked_to_sign_in(make_order: MakeOrder) -> None:
    order = make_order()
    response = Client().get(f"/orders/{order.number}/")
    assert response.status_code == 302
    assert "/account/login/" in response["Location"]


def test_the_order_button_leads_to_the_checkout_once(client_user: User, package: Package) -> None:
    client, key = signed_in(client_user), uuid7()
    first, second = (client.post(f"/orders/place/{package.pk}/", {"client_key": key}) for _ in range(2))
    order = Order.objects.get()
    assert first["Location"] == second["Location"] == f"/pay/{order.invoice_id}/"


def test_an_order_button_without_its_key_orders_nothing(client_user: User, package: Package) -> None:
    assert signed_in(client_user).post(f"/orders/place/{package.pk}/").status_code == 422
    assert Order.objects.count() == 0


def test_the_whole_way_by_plain_forms(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    client, builder = signed_in(client_user), signed_in(builder_user)
    address = f"/orders/{order.number}/"
    saved = client.post(address + "answer/", {"q1": "Half", "step": "save"})
    assert saved["Location"] == address
    assert "Half" in client.get(address).content.decode()
    assert client.post(address + "answer/", {"q1": ANSWERS[1], "q2": ANSWERS[2], "step": "send"}).status_code == 302
    file = SimpleUploadedFile("report.txt", b"four seconds to two hundred milliseconds")
    assert builder.post(address + "deliver/", {"note": "Done.", "uploads": file}).status_code == 302
    assert client.post(address + "revision/", {"note": "The search."}).status_code == 302
    assert builder.post(address + "deliver/", {"note": "The search, too."}).status_code == 302
    assert client.post(address + "accept/").status_code == 302
    assert client.post(address + "review/", {"stars": "5", "text": "Thank you."}).status_code == 302
    order.refresh_from_db()
    assert (order.status, order.reviews.get().stars, order.deliveries.count()) == (S.COMPLETED, 5, 2)
    page = client.get(address).content.decode()
    for words in ("report.txt", "The search.", "Thank you.", "Your review"):
        assert words in page


@pytest.mark.parametrize(
    ("status", "side", "path", "data"),
    [
        (S.IN_PROGRESS, "builder", "deliver/", {"note": " "}),
        (S.IN_PROGRESS, "builder", "deliver/", {"note": "x", "uploads": ("evil.exe", b"MZ")}),
        (S.IN_PROGRESS, "builder", "deliver/", {"note": "x", "uploads": ("fake.pdf", b"nothing")}),
        (S.DELIVERED, "client", "revision/", {"note": ""}),
        (S.PENDING_REQUIREMENTS, "client", "answer/", {"q1": "", "q2": "PostgreSQL"}),
        (S.PENDING_REQUIREMENTS, "client", "answer/", {"q1": "x", "q2": "Oracle"}),
        (S.PENDING_REQUIREMENTS, "client", "cancel/", {"reason": "x" * 301}),
        (S.COMPLETED, "client", "review/", {"stars": "0"}),
        (S.COMPLETED, "client", "review/", {"stars": "6"}),
        (S.COMPLETED, "client", "review/", {}),
    ],
)
@pytest.mark.parametrize("htmx", [False, True])
def test_bad_input_comes_back_with_errors_and_writes_nothing(
    make_order: MakeOrder,
    client_user: User,
    builder_user: User,
    nothing_happens: Any,
    status: str,
    side: str,
    path: str,
    data: dict[str, Any],
    htmx: bool,
) -> None:
    order = make_order(status)
    sent = {key: SimpleUploadedFile(*value) if isinstance(value, tuple) else value for key, value in data.items()}
    with nothing_happens(order):
        response = signed_in(client_user if side == "client" else builder_user).post(
            f"/orders/{order.number}/{path}", sent, headers=HTMX if htmx else None
        )
    assert response.status_code == 422
    page = response.content.decode()
    assert 'class="err"' in page
    assert page.lstrip().startswith("<hx-partial") == htmx


def test_a_stale_press_says_so_and_shows_the_fresh_state(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.DELIVERED)
    client = signed_in(client_user)
    actions.accept_delivery(order.pk, actor=client_user)
    with nothing_happens(order):
        response = client.post(f"/orders/{order.number}/revision/", {"note": "Too late."}, headers=HTMX)
    assert response.status_code == 409
    page = response.content.decode()
    assert "Nothing was changed." in page
    assert "The order is complete" in page


def test_a_message_is_sent_once_and_the_box_is_empty_again(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    client, key = signed_in(client_user), uuid7()
    for _ in range(2):
        response = client.post(f"/orders/{order.number}/message/", {"body": "How is it going?", "client_key": key}, headers=HTMX)
        assert response.status_code == 200
    sent = Message.objects.get(body="How is it going?")
    assert (sent.subject_type, sent.subject_id) == ("order", order.pk)
    page = response.content.decode()
    assert "How is it going?" in page
    assert str(key) not in page


def test_the_pulse_is_silent_until_something_happens(
    make_order: MakeOrder, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    order = make_order(S.IN_PROGRESS)
    client = signed_in(client_user)
    page = client.get(f"/orders/{order.number}/")
    etag, state = f'"{page.context["version"]}"', page.context["state"]
    address = f"/orders/{order.number}/live/?state={state}"
    with django_assert_num_queries(7):  # session, user, order, newest change, open end, moved date, last message
        assert client.get(address, headers={**HTMX, "If-None-Match": etag}).status_code == 304
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    fresh = client.get(address, headers={**HTMX, "If-None-Match": etag})
    assert fresh.status_code == 200
    body = fresh.content.decode()
    assert 'hx-target="#desk"' in body
    assert "Look at the delivery" in body


def test_a_new_message_leaves_the_forms_alone(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    builder = signed_in(builder_user)
    page = builder.get(f"/orders/{order.number}/")
    signed_in(client_user).post(f"/orders/{order.number}/message/", {"body": "Any news?", "client_key": uuid7()})
    fresh = builder.get(
        f"/orders/{order.number}/live/?state={page.context['state']}", headers={**HTMX, "If-None-Match": f'"{page.context["version"]}"'}
    )
    body = fresh.content.decode()
    assert "Any news?" in body
    assert 'hx-target="#desk"' not in body


def test_the_order_page_asks_a_fixed_number_of_questions(
    make_order: MakeOrder, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    order = make_order(S.DELIVERED)
    client = signed_in(client_user)
    address = f"/orders/{order.number}/"
    client.get(address)
    with django_assert_num_queries(PAGE_QUERIES):
        client.get(address)
    for turn in range(2):
        actions.request_revision(order.pk, actor=client_user, note=f"More {turn}.")
        actions.deliver(order.pk, actor=builder_user, note="Again.", uploads=[SimpleUploadedFile("a.txt", b"a"), SimpleUploadedFile("b.txt", b"b")])
        client.post(f"{address}message/", {"body": "Thanks", "client_key": uuid7(), "uploads": SimpleUploadedFile("c.txt", b"c")})
    with django_assert_num_queries(PAGE_QUERIES):
        client.get(address)


def test_the_list_asks_a_fixed_number_of_questions(
    make_order: MakeOrder, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    make_order(S.DELIVERED)
    for user, count in ((client_user, CLIENT_QUERIES), (builder_user, BUILDER_QUERIES)):
        client = signed_in(user)
        with django_assert_num_queries(count):
            client.get("/orders/")
    for status in (S.IN_PROGRESS, S.PENDING_PAYMENT, S.CANCELLED):
        make_order(status)
    for user, count in ((client_user, CLIENT_QUERIES), (builder_user, BUILDER_QUERIES)):
        client = signed_in(user)
        with django_assert_num_queries(count):
            client.get("/orders/")


def test_the_list_shows_what_needs_the_reader_first(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    done, running, waiting = make_order(S.CANCELLED), make_order(S.IN_PROGRESS), make_order(S.DELIVERED)
    unpaid = make_order()
    context = signed_in(client_user).get("/orders/").context
    assert asked_in(context) == [unpaid.number, waiting.number]  # the nearest first
    assert listed_in(context) == [("Waits for others", [running.number]), ("Done", [done.number])]
    context = signed_in(builder_user).get("/orders/").context
    assert asked_in(context) == [running.number]
    assert listed_in(context) == [("Waits for others", [waiting.number]), ("Done", [done.number])]


def asked_in(context: Any) -> list[int]:
    return [int(line.need.href.split("/")[2]) for line in context["needs"]]


def listed_in(context: Any) -> list[tuple[str, list[int]]]:
    return [(name, [order.number for order, _ in rows]) for name, rows in context["groups"]]


def test_the_list_goes_on_where_it_stopped(make_order: MakeOrder, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [make_order(status).number for status in (S.CANCELLED, S.IN_PROGRESS, S.DELIVERED, S.DELIVERED, S.PENDING_PAYMENT)]
    monkeypatch.setattr("port444.orders.queries.orders.PAGE", 2)
    client, seen, address = signed_in(client_user), [], "/orders/"
    while address:
        context = client.get(address).context
        seen += asked_in(context) + [number for _, numbers in listed_in(context) for number in numbers]
        address = context["next_url"]
    assert seen == [numbers[4], numbers[2], numbers[3], numbers[1], numbers[0]]


def test_an_empty_list_says_where_to_go(client_user: User) -> None:
    page = signed_in(client_user).get("/orders/").content.decode()
    assert "No orders yet" in page
    assert "Find a builder" in page


def test_today_shows_the_queue_and_the_money(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    done = make_order(S.COMPLETED)
    first, second, waiting = make_order(S.IN_PROGRESS), make_order(S.IN_REVISION), make_order(S.DELIVERED)
    response = signed_in(builder_user).get("/today/")
    assert response.status_code == 200
    asked = [line.need.href for line in response.context["needs"]]
    assert {f"/orders/{order.number}/#desk" for order in (first, second, done)} == set(asked)  # the last wants a review
    assert [order.number for order, _ in response.context["waiting"]] == [waiting.number]
    purse = response.context["purse"]
    assert (purse.ready, purse.earned, purse.in_escrow) == (first.builder_share, first.builder_share, 3 * first.price)


def test_today_of_a_new_builder_lists_the_first_steps(builder_user: User, stranger: User) -> None:
    page = signed_in(builder_user).get("/today/").content.decode()
    assert "First steps" in page
    assert "First steps" in signed_in(stranger).get("/today/").content.decode()  # without a profile yet


def test_today_is_for_builders(client_user: User) -> None:
    assert signed_in(client_user).get("/today/")["Location"] == "/orders/"


def test_today_asks_a_fixed_number_of_questions(make_order: MakeOrder, builder_user: User, django_assert_num_queries: Any) -> None:
    make_order(S.IN_PROGRESS)
    client = signed_in(builder_user)
    with django_assert_num_queries(TODAY_QUERIES):
        client.get("/today/")
    for status in (S.IN_PROGRESS, S.DELIVERED, S.IN_REVISION):
        make_order(status)
    with django_assert_num_queries(TODAY_QUERIES):
        client.get("/today/")


def test_a_late_order_offers_the_client_to_cancel(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    assert order.due_at is not None
    client = signed_in(client_user)
    assert "Cancel the order?" not in client.get(f"/orders/{order.number}/").content.decode()
    with at(order.due_at + timedelta(hours=2)):
        client = signed_in(client_user)
        page = client.get(f"/orders/{order.number}/").content.decode()
        assert "Cancel the order?" in page
        assert "2 h late" in page
        assert client.post(f"/orders/{order.number}/cancel/", {"reason": "Too late for us."}).status_code == 302
    order.refresh_from_db()
    assert order.status == S.CANCELLED
    assert (Delivery.objects.count(), Review.objects.count()) == (0, 0)


def test_a_form_that_comes_back_leaves_the_others_alone(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    client = signed_in(client_user)
    body = client.post(f"/orders/{order.number}/answer/", {"step": "send"}, headers=HTMX).content.decode()
    assert 'hx-target="#desk"' in body
    assert 'hx-target="#side"' not in body
    body = client.post(f"/orders/{order.number}/cancel/", {"reason": "x" * 301}, headers=HTMX).content.decode()
    assert 'hx-target="#side"' in body
    assert 'hx-target="#desk"' not in body


def test_a_message_that_cannot_be_sent_keeps_its_text(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.IN_PROGRESS)
    client = signed_in(client_user)
    bad = {"body": "See the file", "client_key": uuid7(), "uploads": SimpleUploadedFile("evil.exe", b"MZ")}
    with nothing_happens(order):
        response = client.post(f"/orders/{order.number}/message/", bad)
    assert response.status_code == 422
    assert "See the file</textarea>" in response.content.decode()
    with nothing_happens(order):
        response = client.post(f"/orders/{order.number}/message/", {"body": " ", "client_key": uuid7()}, headers=HTMX)
    assert response.status_code == 422
    assert 'hx-target="#unsent"' in response.content.decode()


def test_the_reason_of_a_cancellation_is_shown_to_the_other_side(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    actions.cancel_order(order.pk, actor=client_user, reason="We found the cause ourselves.")
    page = signed_in(builder_user).get(f"/orders/{order.number}/").content.decode()
    assert "We found the cause ourselves." in page
    assert "Jonas cancelled it" in page


def test_a_long_feed_points_to_the_conversation(make_order: MakeOrder, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    order = make_order(S.IN_PROGRESS)
    monkeypatch.setattr("port444.orders.queries.orders.FEED", 2)
    page = signed_in(client_user).get(f"/orders/{order.number}/").content.decode()
    assert f"/messages/{order.conversation_id}/" in page


def test_the_console_shows_orders_and_changes_none(make_order: MakeOrder, staff: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    order = make_order(S.COMPLETED)
    console = signed_in(staff)
    for name in ("order", "delivery", "revision", "review"):
        assert console.get(f"/console/orders/{name}/").status_code == 200
    page = console.get(f"/console/orders/order/{order.pk}/change/")
    assert page.status_code == 200
    assert ANSWERS[1] in page.content.decode()
    assert console.post(f"/console/orders/order/{order.pk}/change/", {"status": "cancelled"}).status_code == 403
    order.refresh_from_db()
    assert order.status == S.COMPLETED
