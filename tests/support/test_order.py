"""One order in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import now
from port444.orders.models import Order
from support.deals import view_of
from support.models import Plan, PlanKind
from support.views.starts import Start, buttons

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
Make = Callable[..., Order]


def page(order: Order) -> str:
    return reverse("support:order", args=[order.number])


def test_it_shows_what_was_agreed_and_where_the_money_is(browse: Browse, agent: User, make_order: Make) -> None:
    order = make_order("in_progress")
    answer = browse(agent).get(page(order))
    view, said = answer.context["view"], answer.content.decode()
    assert answer.status_code == 200
    for words in (order.title, "Jonas Vermeer", "Anaya Krishnan", "In escrow now", "Work began", "Escrow: open"):
        assert words in said, words
    assert (view.place.locked, view.place.funded) == (order.price, order.price)
    assert [paid.payment.amount for paid in view.payments] == [order.total]
    assert view.why_not == ""


def test_what_was_given_back_stands_beside_its_payment(browse: Browse, agent: User, make_order: Make) -> None:
    order = make_order("cancelled")
    view = browse(agent).get(page(order)).context["view"]
    assert view.place.locked == 0
    assert sum(refund.amount for paid in view.payments for refund in paid.refunds) == order.total


def test_a_plan_that_waits_stops_others(browse: Browse, agent: User, senior: User, make_order: Make) -> None:
    order = make_order("in_progress")
    plan = Plan.objects.create(kind=PlanKind.REFUND, requester=senior, order=order, reason="Late")
    plan.move_to("requested", requested_at=now(), expires_at=now(), figures_sha256="x")
    answer = browse(agent).get(page(order))
    assert f"Plan {plan} is waiting already." in answer.content.decode()
    assert all(button.why_not for button in answer.context["buttons"])


def test_nobody_else_learns_of_it(browse: Browse, client_user: User, stranger: User, agent: User, make_order: Make) -> None:
    order = make_order("in_progress")
    for user in (client_user, stranger):
        assert browse(user).get(page(order)).status_code == 404
    assert browse(agent).get(reverse("support:order", args=[999_999_999])).status_code == 404
    assert browse(agent).get("/console/orders/99999999999999999999/").status_code == 404


def test_buttons_are_those_that_lead_somewhere() -> None:
    there = Start("Look", "eye", "see_people", "", url="support:order")
    planned = Start("Hold", "hand", "restrict", "", PlanKind.HOLD)
    nowhere = Start("Decide", "gavel", "decide_disputes", "", PlanKind.DISPUTE)
    found, plan = buttons([there, planned, nowhere], "order", 7, allowed={"see_people"})
    assert (found.url, found.why_not) == ("/console/orders/7/", "")
    assert plan.url == f"/console/plans/new/{PlanKind.HOLD}/?order=7"
    (refused,) = buttons([there], "order", 7, allowed=set())
    assert refused.why_not
    assert plan.why_not


def test_the_questions_are_fixed(browse: Browse, agent: User, make_order: Make) -> None:
    first, second = make_order("in_progress"), make_order("completed")
    client = browse(agent)
    client.get(page(first))
    counts: list[Any] = []
    for order in (first, second):
        with CaptureQueriesContext(connection) as seen:
            client.get(page(order))
        counts.append(len(seen))
    assert counts[0] == counts[1] == 22
    assert view_of(first, agent).story
