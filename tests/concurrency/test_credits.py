"""One credit and many who would use it; a call that is completed and said to be missed at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from consultations.actions import complete_call, convert_call, report_absence
from consultations.models import Absence, Consultation
from port444.accounts.models import User
from port444.catalog.models import Category, Package
from port444.kit.clock import at, now
from port444.orders.actions import cancel_order, place_order
from port444.orders.models import Order
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet, void_credit
from port444.payments.jobs import expire_credits
from port444.payments.models import AccountKind, Credit, CreditSource, CreditUse

from .test_booking import book, rush, tomorrow_noon
from .test_money import sell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def package() -> Package:
    return sell("seller", Category.objects.create(slug="race", name="Race"))


@pytest.fixture
def client() -> User:
    return User.objects.create_user("client@example.com", name="Client")


@pytest.fixture
def over(package: Package, client: User) -> Consultation:
    """A call that has ended and of which nobody has said anything."""
    call = book(package.service.builder, client, tomorrow_noon())()
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client)
    return call


def later(call: Consultation, act: Callable[[], Any]) -> Callable[[], Any]:
    def do() -> Any:
        with at(call.ends_at + timedelta(minutes=1)):
            return act()

    return do


def test_one_credit_pays_one_of_many_orders(over: Consultation, package: Package, client: User) -> None:
    later(over, lambda: complete_call(over.pk, actor=over.builder.user))()
    outcome = rush([later(over, lambda: place_order(package.pk, actor=client, client_key=uuid4())) for _ in range(8)])
    assert set(outcome) == {"won"}
    # 40.00 of a call, of which an order of 33.33 takes what its builder earns: 29.99; the next takes the rest.
    assert sorted(Order.objects.values_list("credit", flat=True))[-3:] == [Decimal("0.00"), Decimal("10.01"), Decimal("29.99")]
    assert Credit.objects.get().remaining == 0


def given(client: User, amount: str = "50.00", **more: Any) -> Credit:
    return issue_credit(client, Grant(Decimal(amount), CreditSource.ADMIN, "sorry", **more), actor=None)


def test_many_checkouts_never_spend_one_credit_twice(package: Package, client: User) -> None:
    credit = given(client)

    def checkout() -> None:
        order = place_order(package.pk, actor=client, client_key=uuid4())
        if order.invoice_id is not None and order.total:
            pay_with_test_wallet(order.invoice_id, actor=client)

    assert set(rush([checkout] * 8)) == {"won"}
    assert sum(Order.objects.values_list("credit", flat=True)) == credit.amount
    assert sum(credit.entries.filter(step="spent").values_list("amount", flat=True)) == credit.amount
    assert Credit.objects.get().remaining == 0


def test_taken_back_and_paid_with_at_once(package: Package, client: User) -> None:
    """Whoever comes first: what a checkout took stays taken, and what was taken back is not there for another."""
    credit = given(client)
    void = partial(void_credit, credit.pk, actor=package.service.builder.user, told="A mistake.")
    order = partial(place_order, package.pk, actor=client, client_key=uuid4())
    outcome = rush([void, order, void, order, void])
    assert outcome.count("won") >= 3
    sums = Counter[str]()
    for step, amount in credit.entries.values_list("step", "amount"):
        sums[step] += amount
    assert (Credit.objects.get().remaining, sums["held"] + sums["voided"]) == (0, credit.amount)
    assert credit.entries.filter(step="voided").count() <= 1
    assert sum(Order.objects.values_list("credit", flat=True)) == sums["held"]


def test_written_off_once_by_many_sweeps(package: Package, client: User) -> None:
    ends = now() + timedelta(days=1)
    credit = given(client, expires_at=ends)
    order = place_order(package.pk, actor=client, client_key=uuid4())

    def at_the_end(act: Callable[[], Any]) -> Callable[[], Any]:
        def do() -> Any:
            with at(ends):
                return act()

        return do

    rush([at_the_end(expire_credits)] * 4 + [at_the_end(lambda: cancel_order(order.pk, actor=client))] * 2)
    at_the_end(expire_credits)()
    sums = Counter[str]()
    for step, amount in credit.entries.values_list("step", "amount"):
        sums[step] += amount
    assert (sums["expired"], Credit.objects.get().remaining) == (credit.amount, 0)


def test_pressing_convert_at_once_orders_once(over: Consultation, package: Package, client: User) -> None:
    later(over, lambda: complete_call(over.pk, actor=over.builder.user))()
    key = uuid4()
    press = later(over, lambda: convert_call(over.pk, actor=client, package_id=package.pk, client_key=key))
    assert rush([press] * 6) == ["won"] * 6
    assert (Order.objects.count(), CreditUse.objects.count()) == (1, 1)


def test_orders_placed_and_undone_at_once_lose_no_cent(over: Consultation, package: Package, client: User) -> None:
    later(over, lambda: complete_call(over.pk, actor=over.builder.user))()

    def back_and_forth() -> None:
        for _ in range(6):
            order = place_order(package.pk, actor=client, client_key=uuid4())
            assert order.invoice_id is not None
            if order.credit:
                pay_with_test_wallet(order.invoice_id, actor=client)
            cancel_order(order.pk, actor=order.builder.user)

    assert set(rush([later(over, back_and_forth)] * 4)) == {"won"}
    credit = Credit.objects.get()
    assert (credit.remaining, ledger.balance(AccountKind.CREDITS)) == (credit.amount, Decimal(0))
    over.refresh_from_db()
    assert over.converted_order_id is None


def test_completed_or_missed_but_never_both(over: Consultation) -> None:
    complete = later(over, lambda: complete_call(over.pk, actor=over.builder.user))
    report = later(over, lambda: report_absence(over.pk, actor=over.client))
    outcome = Counter(rush([complete] * 4 + [report] * 4))
    assert outcome["won"] == 1, outcome
    over.refresh_from_db()
    assert (over.status == "completed") != Absence.objects.filter(status="reported").exists()
    assert Credit.objects.exists() == (over.status == "completed")
