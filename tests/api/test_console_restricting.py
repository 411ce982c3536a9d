"""Taking rights and giving them back, taking credits back, undoing and macros, by the API of the console."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import CreditSource, PayoutHold
from support.models import Plan, SupportAction

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
TOLD = {"told": "Somebody else may have your password.", "reason": "Ticket 5531"}


@pytest.fixture(autouse=True)
def proved(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.fixture
def approved(senior: User, caller: Make) -> Callable[[Any], Any]:
    """A plan that waits, approved by a second person."""
    program = caller(senior)

    def approve(answer: Any) -> Any:
        assert answer.status_code == 202, answer.content
        plan = answer.json()
        done = program.post(f"/support/plans/{plan['id']}/approve", {"seen": plan["seen"]}).json()
        assert done["status"] == "executed", done
        return done

    return approve


def test_an_account_is_closed_once_and_opened_by_two(security: User, client_user: User, caller: Make, approved: Callable[[Any], Any]) -> None:
    program, person, key = caller(security), caller(client_user), str(uuid4())
    path = f"/support/users/{client_user.pk}"
    assert program.post(f"{path}/suspend", TOLD | {"told": "Short"}).status_code == 422
    assert not Plan.objects.exists()
    done, again = (program.post(f"{path}/suspend", TOLD, idempotency_key=key) for _ in range(2))
    assert (done.status_code, done.json()["status"], again.content) == (201, "executed", done.content)
    assert person.get("/me").status_code in (401, 403)
    assert program.get(path).json()["suspension_reason"] == TOLD["told"]
    assert program.post(f"/support/users/{security.pk}/suspend", TOLD).status_code == 403
    approved(program.post(f"{path}/reinstate", {"reason": "They came back to us."}))
    client_user.refresh_from_db()
    assert not client_user.is_suspended


def test_withdrawals_are_held_by_one_and_let_go_by_two(security: User, builder_user: User, caller: Make, approved: Callable[[Any], Any]) -> None:
    program, path = caller(security), f"/support/users/{builder_user.pk}/payouts"
    assert program.post(path, {"reason": "Nothing is said"}).status_code == 422
    assert program.post(path, TOLD | {"days": 5}).status_code == 422
    held = program.post(path, TOLD | {"days": 7})
    assert (held.status_code, held.json()["status"]) == (201, "executed"), held.content
    assert PayoutHold.objects.standing().get().until is not None
    approved(program.post(path, {"do": "end", "reason": "All is well."}))
    assert not PayoutHold.objects.standing().exists()


def test_a_credit_is_taken_back(agent: User, client_user: User, caller: Make) -> None:
    credit = issue_credit(client_user, Grant(Decimal("5.00"), CreditSource.PROMO, "welcome"), actor=None)
    program, path = caller(agent), f"/support/credits/{credit.pk}/void"
    looked = program.post(path, TOLD | {"preview": True})
    assert (looked.status_code, looked.json()["status"]) == (201, "draft")
    credit.refresh_from_db()
    assert credit.remaining == Decimal("5.00")
    done = program.post(path, TOLD)
    assert done.status_code in (201, 202), done.content
    assert program.post(f"/support/credits/{uuid4()}/void", TOLD).status_code == 404


def test_a_merge_is_undone(senior: User, security: User, make_order: Callable[..., Order], caller: Make) -> None:
    first, second = make_order(OrderStatus.IN_PROGRESS), make_order(OrderStatus.IN_PROGRESS)
    one, two = caller(senior), caller(security)
    merged = one.post("/support/orders/merge", {"order_id": str(first.pk), "other_order_id": str(second.pk), "reason": "One project."}).json()
    assert one.post(f"/support/plans/{merged['id']}/undo", {"reason": "Not yet."}).status_code == 422, "it waits still"
    assert two.post(f"/support/plans/{merged['id']}/approve", {"seen": merged["seen"]}).json()["status"] == "executed"
    undone = one.post(f"/support/plans/{merged['id']}/undo", {"reason": "They are two."})
    assert (undone.status_code, undone.json()["undoes"]) == (202, merged["id"]), undone.content
    assert two.post(f"/support/plans/{undone.json()['id']}/approve", {"seen": undone.json()["seen"]}).json()["status"] == "executed"
    first.refresh_from_db()
    assert (first.status, first.merged_into) == (OrderStatus.IN_PROGRESS, None)


def test_a_macro_does_all_its_steps(security: User, agent: User, client_user: User, caller: Make) -> None:
    program, body = caller(security), {"macro": "account_taken", "user_id": str(client_user.pk), **TOLD}
    assert {one["key"] for one in program.get("/support/macros").json()["items"]} >= {"account_taken", "account_back"}
    refused = caller(agent).post("/support/macros", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "no_permission")
    for bad in ({"macro": "nothing"}, {"told": ""}, {"user_id": None}):
        assert program.post("/support/macros", body | bad).status_code == 422
    assert not Plan.objects.exists()
    done = program.post("/support/macros", body)
    assert done.status_code in (201, 202), done.content
    if done.status_code == 201:
        assert set(SupportAction.objects.values_list("action_type", flat=True)) >= {"payouts_hold", "user_suspend"}
