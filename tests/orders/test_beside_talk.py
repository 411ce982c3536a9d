"""What a conversation shows of its orders: a chip in the inbox, lines beside the thread."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import at
from port444.messaging import handlers
from port444.orders import queries
from port444.orders.models import OrderStatus
from tests.orders.conftest import MakeOrder

S = OrderStatus


def test_the_chip_says_where_the_running_order_is(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    done = make_order(S.COMPLETED)
    key = done.conversation_id
    assert queries.chips([key], client_user) == {key: handlers.Chip(f"Order {done.number} done", "ok", "check", past=True)}
    order = make_order(S.IN_PROGRESS)
    assert order.due_at is not None
    assert queries.chips([key], client_user)[key].text.startswith(f"Order {order.number}, due ")
    with at(order.due_at):
        chip = queries.chips([key], builder_user)[key]
    assert (chip.text, chip.kind) == (f"Order {order.number}, late", "bad")


def test_an_unpaid_order_is_the_clients_alone(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.PENDING_PAYMENT)
    key = order.conversation_id
    assert queries.chips([key], client_user)[key].text == f"Order {order.number}, to be paid"
    assert queries.chips([key], builder_user) == {}
    assert [fact.value for fact in queries.facts(order.conversation, client_user)] == ["to be paid", "1, 0 completed"]
    assert [fact.value for fact in queries.facts(order.conversation, builder_user)] == ["none yet"]


def test_what_is_over_gives_way(make_order: MakeOrder, client_user: User, monkeypatch: Any) -> None:
    key = make_order(S.COMPLETED).conversation_id
    call = handlers.Chip("Call, Tue 24 Nov")
    monkeypatch.setattr(handlers, "_chips", [queries.chips, lambda ids, user: dict.fromkeys(ids, call)])
    assert handlers.chips_of([key], client_user) == {key: call}
    order = make_order(S.DELIVERED)
    assert handlers.chips_of([key], client_user)[key].text == f"Order {order.number}, in review"


def test_the_pages_show_both(client: Client, make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    client.force_login(client_user)
    assert f"Order {order.number}, waits for answers" in client.get(reverse("messaging:inbox")).content.decode()
    html = client.get(order.conversation.get_absolute_url()).content.decode()
    assert f'<a href="{reverse("orders:detail", args=[order.number])}">Order {order.number}</a>' in html
