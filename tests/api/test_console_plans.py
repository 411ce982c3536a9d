"""Money and rights by the API of the console: what one may do alone, what takes two, and calls that happen once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.orders.models import Order, OrderStatus
from port444.payments.models import Credit
from support.models import Plan, PlanKind, SupportAction

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]


@pytest.fixture(autouse=True)
def proved(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


def gift(person: User, amount: str, **more: Any) -> dict[str, Any]:
    return {"user_id": str(person.pk), "amount": amount, "label": "For the waiting", "reason": "Ticket 5531", **more}


def test_a_small_credit_is_given_at_once_and_once(agent: User, client_user: User, caller: Make) -> None:
    program, key = caller(agent), str(uuid4())
    answer = program.post("/support/credits", gift(client_user, "20.00"), idempotency_key=key)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["status"], body["amount"], body["needs_approval"]) == ("executed", "20.00", False)
    credit = Credit.objects.get()
    assert (credit.amount, credit.user, str(credit.pk)) == (Decimal("20.00"), client_user, body["made"])
    again = program.post("/support/credits", gift(client_user, "20.00"), idempotency_key=key)
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, answer.content, "true")
    assert Credit.objects.count() == 1
    assert SupportAction.objects.filter(action_type="credit_issue").count() == 1


def test_more_than_one_may_alone_waits_for_a_second_person(agent: User, senior: User, client_user: User, caller: Make) -> None:
    one, two = caller(agent), caller(senior)
    answer = one.post("/support/credits", gift(client_user, "80.00"))
    assert answer.status_code == 202, answer.content
    plan = answer.json()
    assert (plan["status"], plan["needs_approval"]) == ("requested", True)
    assert not Credit.objects.exists()
    path = f"/support/plans/{plan['id']}"
    seen = {"seen": two.get(path).json()["seen"]}
    assert one.post(f"{path}/approve", seen).json()["code"] == "no_permission"
    assert two.post(f"{path}/approve", {"seen": "0" * 64}).json()["code"] == "figures_changed"
    assert not Credit.objects.exists()
    key = str(uuid4())
    done = two.post(f"{path}/approve", seen | {"note": "Fair."}, idempotency_key=key)
    assert (done.status_code, done.json()["status"], done.json()["approver"]["id"]) == (200, "executed", str(senior.pk)), done.content
    assert two.post(f"{path}/approve", seen | {"note": "Fair."}, idempotency_key=key).content == done.content
    assert two.post(f"{path}/approve", seen).status_code == 409
    assert Credit.objects.get().amount == Decimal("80.00")


def test_nobody_approves_their_own(senior: User, finance: User, client_user: User, caller: Make) -> None:
    program = caller(senior)
    plan = program.post("/support/credits", gift(client_user, "80.00")).json()
    answer = program.post(f"/support/plans/{plan['id']}/approve", {"seen": plan["seen"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "own_plan")
    declined = caller(finance).post(f"/support/plans/{plan['id']}/decline", {"note": "Too much."})
    assert (declined.status_code, declined.json()["status"]) == (200, "rejected")
    assert not Credit.objects.exists()


def test_nobody_gives_themselves_anything(agent: User, caller: Make) -> None:
    answer = caller(agent).post("/support/credits", gift(agent, "5.00"))
    assert answer.status_code in (403, 409), answer.content
    assert not Plan.objects.exists()


def test_figures_are_seen_before_they_are_submitted(agent: User, client_user: User, stranger: User, caller: Make) -> None:
    program = caller(agent)
    answer = program.post("/support/credits", gift(client_user, "20.00", preview=True))
    plan = answer.json()
    assert (answer.status_code, plan["status"]) == (201, "draft")
    assert plan["figures"][0] == {"label": "This credit", "before": "0.00", "after": "20.00", "note": "For the waiting", "is_sum": False}
    assert program.post(f"/support/plans/{plan['id']}/submit", {"seen": "f" * 64}).status_code == 409
    assert not Credit.objects.exists()
    assert program.post(f"/support/plans/{plan['id']}/submit", {"seen": plan["seen"]}).json()["status"] == "executed"
    assert Credit.objects.count() == 1


def test_a_draft_is_its_authors(agent: User, senior: User, client_user: User, caller: Make) -> None:
    plan = caller(agent).post("/support/credits", gift(client_user, "20.00", preview=True)).json()
    other, path = caller(senior), f"/support/plans/{plan['id']}"
    assert other.get(path).status_code == 404
    assert [other.post(f"{path}/{verb}", {"seen": plan["seen"]}).status_code for verb in ("submit", "approve")] == [404, 404]
    assert other.post(f"{path}/withdraw").status_code == 404
    assert caller(agent).post(f"{path}/withdraw").json()["status"] == "withdrawn"


@pytest.mark.parametrize(
    "bad",
    [
        {"amount": "0.00"},
        {"amount": "-5.00"},
        {"amount": "5.001"},
        {"amount": "6000.00"},
        {"label": ""},
        {"reason": " "},
        {"scope": "builder"},
        {"scope": "specific"},
        {"last_day": "2020-01-01"},
        {"category": "nothing", "scope": "category"},
        {"user_id": "me"},
        {"more": 1},
        {"label": "a\x00b"},
    ],
)
def test_bad_input_makes_no_plan(bad: dict[str, Any], agent: User, client_user: User, caller: Make) -> None:
    answer = caller(agent).post("/support/credits", gift(client_user, "20.00") | bad)
    assert answer.status_code == 422, answer.content
    assert not Plan.objects.exists()


def test_orders_are_merged_by_two(senior: User, security: User, make_order: Callable[..., Order], caller: Make) -> None:
    first, second = make_order(OrderStatus.IN_PROGRESS), make_order(OrderStatus.IN_PROGRESS)
    body = {"order_id": str(first.pk), "other_order_id": str(second.pk), "reason": "One project."}
    answer = caller(senior).post("/support/orders/merge", body)
    assert answer.status_code == 202, answer.content
    plan = answer.json()
    assert plan["why_approval"]
    first.refresh_from_db()
    assert first.merged_into_id is None
    done = caller(security).post(f"/support/plans/{plan['id']}/approve", {"seen": plan["seen"]}).json()
    assert done["status"] == "executed", done
    first.refresh_from_db()
    assert first.merged_into is not None
    assert done["made"] == f"P4-{first.merged_into.number}"
    assert caller(senior).post("/support/orders/merge", body).status_code in (409, 422)


def test_an_order_is_split_by_two(senior: User, security: User, make_order: Callable[..., Order], caller: Make) -> None:
    order = make_order(OrderStatus.IN_PROGRESS)
    body = {"order_id": str(order.pk), "title": "The other half", "price": "60.00", "reason": "Two invoices wanted."}
    if len(order.deliverables) > 1:
        body["deliverables"] = [0]  # type: ignore[assignment]
    answer = caller(senior).post("/support/orders/split", body)
    assert answer.status_code == 202, answer.content
    plan = answer.json()
    done = caller(security).post(f"/support/plans/{plan['id']}/approve", {"seen": plan["seen"]}).json()
    assert done["status"] == "executed", done
    assert Order.objects.get(split_from=order).price == Decimal("60.00")


def test_a_refund_is_a_plan(senior: User, make_order: Callable[..., Order], caller: Make) -> None:
    order = make_order(OrderStatus.IN_PROGRESS)
    body = {"order_id": str(order.pk), "what": "scope", "amount": "20.00", "why": "less_work", "reason": "Half was done.", "preview": True}
    answer = caller(senior).post("/support/refunds", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["status"] == "draft"
    assert caller(senior).post("/support/refunds", body | {"why": ""}).status_code == 422
    assert caller(senior).post("/support/refunds", body | {"order_id": str(uuid4())}).status_code == 404


def test_a_list_takes_the_same_queries_however_long(agent: User, client_user: User, caller: Make, django_assert_num_queries: Any) -> None:
    program = caller(agent)
    program.post("/support/credits", gift(client_user, "5.00", preview=True))
    first = Plan.objects.get()
    for count in (2, 5):
        while Plan.objects.count() < count:
            first = Plan.objects.create(kind=PlanKind.UNDO, requester=agent, reason="A mistake.", undoes=first)
        with django_assert_num_queries(5):
            rows = program.get("/support/plans?which=mine").json()["items"]
        assert [row["undoes"] is not None for row in rows] == [True] * (count - 1) + [False]
