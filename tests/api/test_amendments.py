"""Changes of an order, through the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from amendments.models import Amendment, AmendmentStatus
from port444.accounts.models import AnsweredCall, User
from port444.orders.models import Order, OrderStatus
from port444.payments import jobs
from port444.payments.actions import answer_wallet, reconcile_payment
from port444.payments.models import Payment
from port444.payments.providers.sandbox import Decision, Manner
from tests.amendments.conftest import ALL, SCOPE, TIME, Propose, nothing_happens, order, propose

from .conftest import Caller

__all__ = ["nothing_happens", "order", "propose"]

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
Quiet = Callable[..., AbstractContextManager[None]]
A = AmendmentStatus

CHANGE = {
    "amendment_type": "scope_change",
    "reason": "You found more tables.",
    "description": "Also the reports.",
    "additional_amount": "60.00",
    "additional_days": 3,
    "additional_deliverables": ["Two reports"],
}


def test_from_proposing_to_being_in_force(order: Order, client_user: User, builder_user: User, caller: Make) -> None:
    builder, client = caller(builder_user), caller(client_user)
    quoted = client.post(f"/orders/{order.pk}/amendments/quote", CHANGE).json()
    assert (quoted["price_before"], quoted["price_after"], quoted["fee"], quoted["total"]) == ("180.00", "240.00", "3.30", "63.30")
    assert quoted["deliverables_after"] == ["Five pages", "A report", "Two reports"]
    assert not Amendment.objects.exists()
    made = builder.post(f"/orders/{order.pk}/amendments", CHANGE)
    assert made.status_code == 201
    change = made.json()
    assert change["status"] == "pending"
    assert change["waits_for"]["id"] == str(client_user.pk)
    assert change["effect"]["total"] == "63.30"
    assert [row["id"] for row in client.get(f"/orders/{order.pk}/amendments").json()["items"]] == [change["id"]]
    approved = client.put(f"/amendments/{change['id']}/approve").json()
    assert (approved["status"], approved["invoice_id"] is not None) == ("approved", True)
    paying = client.post(f"/amendments/{change['id']}/pay")
    assert paying.status_code == 202
    payment = paying.json()
    assert (payment["status"], payment["amount"], payment["invoice_id"]) == ("created", "63.30", approved["invoice_id"])
    assert payment["approve_url"].endswith(f"/pay/{approved['invoice_id']}/")
    assert OrmQ.objects.count() > 0
    jobs.reach_provider(payment["id"])  # as the worker does
    payment = client.get(f"/payments/{payment['id']}").json()
    assert (payment["status"], payment["approve_url"].endswith(f"/wallet/{payment['id']}/")) == ("pending", True)
    answer_wallet(payment["id"], actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    reconcile_payment(payment["id"])
    jobs.settle_invoice(payment["invoice_id"])
    assert client.get(f"/payments/{payment['id']}").json()["status"] == "succeeded"
    assert builder.get(f"/amendments/{change['id']}").json()["status"] == "completed"
    assert builder.get(f"/orders/{order.pk}").json()["price"] == "240.00"


@pytest.mark.parametrize("terms", ALL, ids=lambda terms: terms.amendment_type)
def test_every_type_is_proposed_and_comes_as_it_was_written(terms: Any, order: Order, builder_user: User, caller: Make) -> None:
    body = {"amendment_type": terms.amendment_type, "reason": terms.reason, "description": terms.description}
    body |= {"additional_amount": f"{terms.amount:.2f}", "additional_days": terms.days, "additional_deliverables": list(terms.deliverables)}
    response = caller(builder_user).post(f"/orders/{order.pk}/amendments", body)
    assert response.status_code == 201
    said = response.json()
    assert {name: said[name] for name in body} == body
    assert said["additional_revisions"] == terms.revisions


def test_the_same_proposal_again_is_one(order: Order, builder_user: User, caller: Make) -> None:
    program, key = caller(builder_user), str(uuid4())
    first, again = (program.post(f"/orders/{order.pk}/amendments", CHANGE, idempotency_key=key) for _ in range(2))
    assert (first.status_code, first.content) == (201, again.content)
    assert again["Idempotency-Replayed"] == "true"
    other = program.post(f"/orders/{order.pk}/amendments", CHANGE)
    assert (other.status_code, other.json()["code"]) == (409, "amendment_open")
    assert Amendment.objects.count() == 1


WRONG: list[dict[str, Any]] = [
    {"amendment_type": "less"},
    {"reason": ""},
    {"reason": "x" * 301},
    {"reason": "a\x00b"},
    {"description": "x" * 5001},
    {"description": ""},
    {"additional_amount": "0.50"},
    {"additional_amount": "100000.01"},
    {"additional_amount": "1.001"},
    {"additional_amount": "-1.00"},
    {"additional_amount": "NaN"},
    {"additional_days": -1},
    {"additional_days": 91},
    {"additional_days": 2**70},
    {"additional_deliverables": ["x"] * 21},
    {"additional_deliverables": ["x" * 201]},
    {"additional_deliverables": [" "]},
    {"additional_revisions": 1},
    {"amendment_type": "top_up"},
    {"amendment_type": "timeline_extension"},
    {"amendment_type": "out_of_scope_revision"},
    {"amendment_type": "top_up", "additional_days": 0, "additional_deliverables": []},
]


def test_what_makes_no_change_is_refused(order: Order, builder_user: User, caller: Make, nothing_happens: Quiet) -> None:
    program = caller(builder_user)
    with nothing_happens(order):
        for wrong in WRONG:
            for path in ("", "/quote"):
                response = program.post(f"/orders/{order.pk}/amendments{path}", CHANGE | wrong)
                assert response.status_code == 422, (path, wrong, response.content)
    assert not AnsweredCall.objects.exists()


def test_others_see_nothing_and_do_nothing(order: Order, propose: Propose, stranger: User, caller: Make, nothing_happens: Quiet) -> None:
    change = propose(order)
    program = caller(stranger)
    with nothing_happens(order):
        assert program.get(f"/orders/{order.pk}/amendments").status_code == 404
        assert program.get(f"/amendments/{change.pk}").status_code == 404
        for path in ("", "/quote"):
            assert program.post(f"/orders/{order.pk}/amendments{path}", CHANGE).status_code == 404
        assert program.put(f"/amendments/{change.pk}/approve").status_code == 404
        assert program.put(f"/amendments/{change.pk}/reject", {"reason": "No"}).status_code == 404
        for verb in ("pay", "withdraw", "retry", "money-back"):
            assert program.post(f"/amendments/{change.pk}/{verb}").status_code == 404, verb
        assert program.post(f"/amendments/{change.pk}/request-changes", {"note": "No"}).status_code == 404
        assert program.post(f"/amendments/{change.pk}/versions", CHANGE).status_code == 404


def test_each_side_does_its_own(order: Order, propose: Propose, client_user: User, builder_user: User, caller: Make, nothing_happens: Quiet) -> None:
    change = propose(order)
    builder, client = caller(builder_user), caller(client_user)
    with nothing_happens(order):
        assert builder.put(f"/amendments/{change.pk}/approve").status_code == 403
        assert builder.put(f"/amendments/{change.pk}/reject", {"reason": "No"}).status_code == 403
        assert builder.post(f"/amendments/{change.pk}/pay").status_code == 403
        assert client.post(f"/amendments/{change.pk}/withdraw").status_code == 403
        assert client.post(f"/amendments/{change.pk}/versions", CHANGE).status_code == 403
        assert client.put(f"/amendments/{change.pk}/reject", {"reason": "  "}).status_code == 422


def test_a_token_without_the_scope_does_nothing(
    order: Order, propose: Propose, client_user: User, builder_user: User, caller: Make, nothing_happens: Quiet
) -> None:
    change = propose(order)
    reader, worker, builder = caller(client_user, "read"), caller(client_user, "read", "orders"), caller(builder_user, "read")
    with nothing_happens(order):
        assert reader.put(f"/amendments/{change.pk}/approve").json()["code"] == "scope_missing"
        assert reader.put(f"/amendments/{change.pk}/reject", {"reason": "No"}).json()["code"] == "scope_missing"
        assert worker.post(f"/amendments/{change.pk}/pay").json()["code"] == "scope_missing"
        assert builder.post(f"/orders/{order.pk}/amendments", CHANGE).json()["code"] == "scope_missing"


def test_nothing_is_paid_before_it_is_approved(order: Order, propose: Propose, client_user: User, caller: Make) -> None:
    change, client = propose(order), caller(client_user)
    response = client.post(f"/amendments/{change.pk}/pay")
    assert (response.status_code, response.json()["code"]) == (409, "wrong_state")
    assert not Payment.objects.filter(invoice__purpose="amendment").exists()


def test_paying_again_is_one_payment(order: Order, propose: Propose, client_user: User, caller: Make) -> None:
    change, client, key = propose(order), caller(client_user), str(uuid4())
    client.put(f"/amendments/{change.pk}/approve")
    first, again = (client.post(f"/amendments/{change.pk}/pay", idempotency_key=key) for _ in range(2))
    other = client.post(f"/amendments/{change.pk}/pay")
    assert first.content == again.content
    assert {one.json()["id"] for one in (first, again, other)} == {first.json()["id"]}
    assert Payment.objects.filter(invoice__purpose="amendment").count() == 1
    assert client.post(f"/amendments/{change.pk}/pay", {"provider": "nobody"}).status_code == 409
    assert client.post(f"/amendments/{change.pk}/pay", idempotency_key="").status_code == 400


def test_without_a_price_it_is_in_force_at_once(order: Order, propose: Propose, client_user: User, caller: Make) -> None:
    change, client = propose(order, TIME), caller(client_user)
    body = client.put(f"/amendments/{change.pk}/approve").json()
    assert (body["status"], body["waits_for"]) == ("completed", None)
    again = client.put(f"/amendments/{change.pk}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "answered")


def test_declined_withdrawn_asked_and_revised(order: Order, client_user: User, builder_user: User, caller: Make) -> None:
    builder, client = caller(builder_user), caller(client_user)

    def proposed() -> str:
        return str(builder.post(f"/orders/{order.pk}/amendments", CHANGE).json()["id"])

    change = proposed()
    asked = client.post(f"/amendments/{change}/request-changes", {"note": "Cheaper"}).json()
    assert (asked["status"], asked["answer"], asked["waits_for"]["id"]) == ("changes_requested", "Cheaper", str(builder_user.pk))
    version = builder.post(f"/amendments/{change}/versions", CHANGE | {"additional_amount": "40.00"})
    assert (version.status_code, version.json()["version"], version.json()["replaces_id"]) == (201, 2, change)
    assert builder.get(f"/amendments/{change}").json()["status"] == "superseded"
    declined = client.put(f"/amendments/{version.json()['id']}/reject", {"reason": "Still too much"}).json()
    assert (declined["status"], declined["answer"]) == ("rejected", "Still too much")
    withdrawn = builder.post(f"/amendments/{proposed()}/withdraw").json()
    assert (withdrawn["status"], withdrawn["closed_at"] is not None) == ("withdrawn", True)
    found = client.get(f"/orders/{order.pk}/amendments?status=rejected").json()["items"]
    assert [row["id"] for row in found] == [declined["id"]]


def test_if_match_answers_the_version_that_was_seen(order: Order, propose: Propose, client_user: User, builder_user: User, caller: Make) -> None:
    change, client = propose(order), caller(client_user)
    seen = client.get(f"/amendments/{change.pk}")["ETag"]
    caller(builder_user).post(f"/amendments/{change.pk}/versions", CHANGE | {"additional_amount": "90.00"})
    response = client.put(f"/amendments/{change.pk}/approve", if_match=seen)
    assert (response.status_code, response.json()["code"]) == (412, "stale")
    newest = client.get(f"/orders/{order.pk}/amendments?limit=1").json()["items"][0]["id"]
    seen = client.get(f"/amendments/{newest}")["ETag"]
    assert client.put(f"/amendments/{newest}/approve", if_match=seen).json()["status"] == "approved"


def test_an_order_that_is_over_takes_none(make_order: Callable[..., Order], builder_user: User, caller: Make, nothing_happens: Quiet) -> None:
    order = make_order(OrderStatus.COMPLETED)
    program = caller(builder_user)
    with nothing_happens(order):
        assert program.post(f"/orders/{order.pk}/amendments", CHANGE).status_code == 409
        assert program.post(f"/orders/{order.pk}/amendments/quote", CHANGE).status_code == 409


def test_a_list_takes_the_same_queries_however_long(
    order: Order, propose: Propose, client_user: User, builder_user: User, caller: Make, django_assert_num_queries: Any
) -> None:
    client = caller(client_user)
    client.get("/me")  # the use of the token is noted once a minute
    for count in (1, 4):
        while Amendment.objects.count() < count:
            change = propose(order, SCOPE)
            client.put(f"/amendments/{change.pk}/reject", {"reason": "No"})
        with django_assert_num_queries(4):
            assert len(client.get(f"/orders/{order.pk}/amendments").json()["items"]) == count
