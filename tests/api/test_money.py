"""Invoices, payments, credits, earnings and withdrawals, through the API."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from port444.accounts.models import AnsweredCall, User
from port444.orders.models import Order, OrderStatus
from port444.payments import jobs
from port444.payments.actions import answer_wallet, change_payout_address, hold_withdrawal, pay_with_test_wallet, reconcile_payment
from port444.payments.models import Invoice, JournalEntry, Payment, Withdrawal
from port444.payments.providers.sandbox import Decision, Manner
from tests.payments.conftest import ADDRESS, Bill, bill, buy, give, paid, shop

from .conftest import Caller

__all__ = ["bill", "buy", "give", "paid", "shop"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("detectors_have_read")]
Make = Callable[..., Caller]


# Invoices and payments


def test_an_invoice_is_paid(make_order: Callable[..., Order], client_user: User, builder_user: User, caller: Make) -> None:
    order, client = make_order(), caller(client_user)
    row = client.get("/invoices").json()["items"][0]
    assert (row["id"], row["status"], row["you_are"], row["total"]) == (str(order.invoice_id), "open", "payer", "189.90")
    assert caller(builder_user).get("/invoices").json()["items"] == []  # nobody sees what they sold before it is paid
    answer = client.post(f"/invoices/{order.invoice_id}/pay", {"provider": "sandbox"})
    assert answer.status_code == 202
    payment = answer.json()
    assert (payment["status"], payment["provider"], payment["amount"]) == ("created", "sandbox", "189.90")
    assert payment["approve_url"].endswith(f"/pay/{order.invoice_id}/")
    [job] = [job for job in OrmQ.objects.all() if job.task["func"] == "port444.payments.jobs.reach_provider"]
    jobs.reach_provider(*job.task["args"])
    answer_wallet(payment["id"], actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    reconcile_payment(payment["id"])
    jobs.settle_invoice(payment["invoice_id"])
    invoice = client.get(f"/invoices/{order.invoice_id}").json()
    assert (invoice["status"], invoice["payment"]["status"], invoice["pdf_url"] is not None) == ("paid", "succeeded", True)
    assert [line["amount"] for line in invoice["lines"]] == ["180.00", "9.90"]
    sold = caller(builder_user).get("/invoices?sold=true").json()["items"]
    assert [(one["id"], one["you_are"]) for one in sold] == [(str(order.invoice_id), "payee")]
    assert caller(builder_user).get(f"/invoices/{order.invoice_id}").json()["payment"] is None
    again = client.post(f"/invoices/{order.invoice_id}/pay")
    assert (again.status_code, again.json()["code"]) == (409, "already_paid")


def test_the_same_key_pays_once(bill: Bill, client_user: User, caller: Make) -> None:
    _, invoice = bill()
    client, key = caller(client_user), str(uuid4())
    first, again = (client.post(f"/invoices/{invoice.pk}/pay", idempotency_key=key) for _ in range(2))
    assert (first.status_code, first.content, again["Idempotency-Replayed"]) == (202, again.content, "true")
    assert Payment.objects.count() == 1
    for bad in ("", "short"):
        assert client.post(f"/invoices/{invoice.pk}/pay", idempotency_key=bad).json()["code"] == "idempotency_key"


def test_nobody_pays_or_sees_what_is_not_theirs(bill: Bill, client_user: User, builder_user: User, stranger: User, caller: Make) -> None:
    _, invoice = bill()
    payment = caller(client_user).post(f"/invoices/{invoice.pk}/pay").json()["id"]
    for program in (caller(stranger), caller(builder_user)):
        assert program.get(f"/invoices/{invoice.pk}").status_code == 404
        assert program.post(f"/invoices/{invoice.pk}/pay").status_code == 404
        assert program.get(f"/payments/{payment}").status_code == 404
    reader = caller(client_user, "read", "orders")
    assert reader.post(f"/invoices/{invoice.pk}/pay").json()["code"] == "scope_missing"
    assert Payment.objects.count() == 1
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert caller(builder_user).post(f"/invoices/{invoice.pk}/pay").status_code in (403, 409)


@pytest.mark.parametrize("body", [{"provider": "nobody"}, {"provider": "x" * 21}, {"provider": 5}, {"amount": "1.00"}, {"provider": "a\x00"}])
def test_a_way_to_pay_that_is_not_offered(body: dict[str, Any], bill: Bill, client_user: User, caller: Make) -> None:
    _, invoice = bill()
    assert caller(client_user).post(f"/invoices/{invoice.pk}/pay", body).status_code == 422
    assert not Payment.objects.exists()
    assert not AnsweredCall.objects.exists()


def test_a_way_to_pay_that_is_not_the_live_one(bill: Bill, client_user: User, caller: Make) -> None:
    _, invoice = bill()
    client = caller(client_user)
    client.post(f"/invoices/{invoice.pk}/pay")
    response = client.post(f"/invoices/{invoice.pk}/pay", {"provider": "wallet"})
    assert (response.status_code, response.json()["code"]) == (409, "paying_otherwise")


def test_invoices_take_the_same_queries_however_many(bill: Bill, client_user: User, caller: Make, django_assert_num_queries: Any) -> None:
    client = caller(client_user)
    client.get("/me")
    for count in (1, 4):
        while Invoice.objects.count() < count:
            bill()
        with django_assert_num_queries(3):
            assert len(client.get("/invoices").json()["items"]) == count


# Credits


def test_credits_and_what_became_of_them(
    give: Callable[..., Any], buy: Callable[..., Any], client_user: User, stranger: User, caller: Make, django_assert_num_queries: Any
) -> None:
    credit = give("60.00")
    _, invoice = buy("200.00")
    client = caller(client_user)
    [row] = client.get("/credits").json()["items"]
    assert (row["amount"], row["remaining"]) == ("60.00", "0.00")
    assert row["uses"] == [{"invoice_id": str(invoice.pk), "amount": "60.00", "paid": False}]
    assert [step["step"] for step in client.get(f"/credits/{credit.pk}").json()["steps"]] == ["held", "issued"]
    assert client.get("/credits?usable=true").json()["items"] == []
    assert len(client.get("/credits?usable=false").json()["items"]) == 1
    assert caller(stranger).get(f"/credits/{credit.pk}").status_code == 404
    assert caller(stranger).get("/credits").json()["items"] == []
    with django_assert_num_queries(4):
        client.get("/credits")
    give("10.00")
    with django_assert_num_queries(4):
        assert len(client.get("/credits").json()["items"]) == 2


# Earnings and withdrawals


@pytest.fixture
def earned(make_order: Callable[..., Order], builder_user: User, settings: Any) -> Order:
    """162.00, ready to be withdrawn to a wallet that has rested."""
    settings.CLEARING_DAYS = settings.PAYOUT_REST_HOURS = 0
    change_payout_address(ADDRESS, actor=builder_user)
    return make_order(OrderStatus.COMPLETED)


def test_earnings_say_what_is_available(earned: Order, builder_user: User, client_user: User, caller: Make) -> None:
    found = caller(builder_user).get("/earnings").json()
    assert (found["balance"], found["available"], found["pending"], found["in_escrow"]) == ("162.00", "162.00", "0.00", "0.00")
    assert found["time_zone"] == "Asia/Kolkata"
    assert (found["ways"][0]["method"], found["ways"][0]["destination"]) == ("wallet", f"{ADDRESS[:6]}…{ADDRESS[-4:]}")
    assert ADDRESS not in caller(builder_user).get("/earnings").content.decode()
    for path in ("/earnings", "/withdrawals"):
        assert caller(client_user).get(path).status_code == 404


def test_withdrawn_once_and_taken_back(earned: Order, builder_user: User, stranger: User, caller: Make) -> None:
    builder, key = caller(builder_user), str(uuid4())
    quote = builder.post("/withdrawals/quote", {"amount": "50.00"}).json()
    assert (quote["possible"], quote["available"], Decimal(quote["arrives"]) + Decimal(quote["fee"])) == (True, "162.00", Decimal("50.00"))
    assert not Withdrawal.objects.exists()
    first, again = (builder.post("/withdrawals", {"amount": "50.00"}, idempotency_key=key) for _ in range(2))
    assert (first.status_code, first.content, again["Idempotency-Replayed"]) == (201, again.content, "true")
    asked = first.json()
    assert (asked["status"], asked["amount"], asked["cancellable"], asked["destination"]) == (
        "requested",
        "50.00",
        True,
        f"{ADDRESS[:6]}…{ADDRESS[-4:]}",
    )
    assert Withdrawal.objects.count() == 1
    assert builder.get("/earnings").json()["available"] == "112.00"
    assert caller(stranger).get(f"/withdrawals/{asked['id']}").status_code == 404
    assert caller(stranger).post(f"/withdrawals/{asked['id']}/cancel").status_code == 404
    seen = builder.get(f"/withdrawals/{asked['id']}")["ETag"]
    cancelled = builder.post(f"/withdrawals/{asked['id']}/cancel", if_match=seen)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert builder.post(f"/withdrawals/{asked['id']}/cancel", if_match=seen).status_code == 412
    assert builder.post(f"/withdrawals/{asked['id']}/cancel").status_code == 409
    assert builder.get("/earnings").json()["available"] == "162.00"
    assert [row["id"] for row in builder.get("/withdrawals?status=cancelled").json()["items"]] == [asked["id"]]


def test_what_is_held_says_why(earned: Order, builder_user: User, staff: User, caller: Make) -> None:
    builder = caller(builder_user)
    asked = builder.post("/withdrawals", {"amount": "50.00"}).json()["id"]
    hold_withdrawal(asked, actor=staff, reason="We look at a payment.")
    [row] = builder.get("/withdrawals").json()["items"]
    assert (row["status"], row["held_because"]) == ("held", "We look at a payment.")
    response = builder.post(f"/withdrawals/{asked}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "held")


def test_what_cannot_be_withdrawn(earned: Order, builder_user: User, client_user: User, caller: Make) -> None:
    builder, reader, client = caller(builder_user), caller(builder_user, "read", "orders"), caller(client_user)
    entries = JournalEntry.objects.count()
    wrong = [{"amount": amount} for amount in ("0.00", "-1.00", "1.001", "x", "NaN", "Infinity", "0.01", "9" * 20, True, None)]
    for body in [*wrong, {}, {"amount": "50.00", "method": "cash"}, {"amount": "50.00", "method": "bank"}, {"amount": "50.00", "to": "me"}]:
        assert builder.post("/withdrawals", body).status_code == 422, body
    response = builder.post("/withdrawals", {"amount": "162.01"})
    assert (response.status_code, response.json()["code"]) == (409, "not_covered")
    assert builder.post("/withdrawals", {"amount": "50.00"}, idempotency_key="").status_code == 400
    assert reader.post("/withdrawals", {"amount": "50.00"}).json()["code"] == "scope_missing"
    assert client.post("/withdrawals", {"amount": "50.00"}).status_code == 404
    assert not Withdrawal.objects.exists()
    assert JournalEntry.objects.count() == entries
    assert not AnsweredCall.objects.exists()


def test_withdrawals_take_the_same_queries_however_many(earned: Order, builder_user: User, caller: Make, django_assert_num_queries: Any) -> None:
    builder = caller(builder_user)
    for count in (1, 3):
        while Withdrawal.objects.count() < count:
            builder.post("/withdrawals", {"amount": "20.00"})
        with django_assert_num_queries(3):
            assert len(builder.get("/withdrawals").json()["items"]) == count
