"""Two people and the clock press at one moment on one change of an order, on a real PostgreSQL: one outcome, and the money follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from amendments import actions, jobs
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from amendments.terms import Terms
from port444.accounts.models import User
from port444.catalog.models import Category, Package
from port444.kit.clock import at
from port444.orders.actions import accept_delivery, cancel_order, deliver, place_order
from port444.orders.models import Order
from port444.payments import jobs as payment_jobs
from port444.payments import ledger
from port444.payments.actions import (
    answer_wallet,
    pay_with_test_wallet,
    reach_provider,
    reconcile_payment,
    settle_invoice,
    start_payment,
)
from port444.payments.escrow import books
from port444.payments.models import EscrowKind, EscrowOperation, Invoice, InvoiceStatus, Payment, Refund
from port444.payments.providers.sandbox import Decision, Manner
from tests.conftest import assert_books_balance

from .test_booking import rush
from .test_money import sell

pytestmark = pytest.mark.django_db(transaction=True)

A, T = AmendmentStatus, AmendmentType
Wish = Callable[[], Any]
MORE = Terms(T.SCOPE_CHANGE, "More than we thought.", "Also the reports.", Decimal("20.00"), 3)
TIME = Terms(T.TIMELINE_EXTENSION, "I was ill.", days=5)
FREE = Terms(T.ADD_DELIVERABLE, "A page was forgotten.", deliverables=("The sixth page",))
ROUNDS = 4
PRICE = Decimal("33.33")


@pytest.fixture
def package() -> Package:
    return sell("seller", Category.objects.create(slug="race", name="Race"))


@pytest.fixture
def client() -> User:
    return User.objects.create_user("client@example.com", name="Client")


@pytest.fixture(autouse=True)
def money_is_where_it_belongs() -> Iterator[None]:
    yield
    assert_books_balance()


class Talk:
    """An order in work whose builder proposes changes."""

    def __init__(self, package: Package, client: User) -> None:
        order = place_order(package.pk, actor=client, client_key=uuid4())
        assert order.invoice_id is not None
        pay_with_test_wallet(order.invoice_id, actor=client)
        self.pk, self.client, self.builder = order.pk, client, package.service.builder.user

    @property
    def order(self) -> Order:
        return Order.objects.with_people().get(pk=self.pk)

    def propose(self, terms: Terms = MORE) -> Amendment:
        return actions.propose(self.pk, actor=self.builder, client_key=uuid4(), terms=terms)

    def approved(self) -> tuple[Amendment, Payment]:
        """Approved by the client, and the wallet has said yes; we have not heard of it."""
        amendment = actions.approve(self.propose().pk, actor=self.client)
        assert amendment.invoice_id is not None
        payment = reach_provider(start_payment(amendment.invoice_id, actor=self.client).pk)
        answer_wallet(payment.pk, actor=self.client, decision=Decision.APPROVE, manner=Manner.SILENT)
        return amendment, payment

    def hear(self, payment: Payment) -> Wish:
        def act() -> None:
            reconcile_payment(payment.pk)
            settle_invoice(payment.invoice_id)

        return act

    def approving(self, amendment: Amendment) -> Wish:
        return lambda: actions.approve(amendment.pk, actor=self.client)

    def declining(self, amendment: Amendment) -> Wish:
        return lambda: actions.decline(amendment.pk, actor=self.client, reason="No.")

    def withdrawing(self, amendment: Amendment) -> Wish:
        return lambda: actions.withdraw(amendment.pk, actor=self.builder)

    def taking_back(self, amendment: Amendment) -> Wish:
        return lambda: actions.take_money_back(amendment.pk, actor=self.client)

    def trying_again(self, amendment: Amendment) -> Wish:
        return lambda: actions.retry_funding(amendment.pk, actor=self.client)

    def confirming(self, op_id: str) -> Wish:
        return lambda: books.confirm(op_id)

    def giving_up(self, op_id: str) -> Wish:
        return lambda: books.give_up(op_id, "No.")

    def counter(self) -> Amendment:
        return actions.propose(self.pk, actor=self.client, client_key=uuid4(), terms=TIME)

    def deliver(self) -> object:
        return deliver(self.pk, actor=self.builder, note="Done.")

    def accept(self) -> Order:
        return accept_delivery(self.pk, actor=self.client)

    def cancel(self) -> Order:
        return cancel_order(self.pk, actor=self.builder)

    @property
    def in_escrow(self) -> Decimal:
        return ledger.balance("escrow", subject=self.pk)


@pytest.fixture
def talks(package: Package, client: User) -> list[Talk]:
    return [Talk(package, client) for _ in range(ROUNDS)]


def later(moment: Any, act: Wish) -> Wish:
    def do() -> Any:
        with at(moment):
            return act()

    return do


def fresh(amendment: Amendment) -> Amendment:
    return Amendment.objects.get(pk=amendment.pk)


def expected(outcome: list[str], allowed: set[str]) -> None:
    assert set(outcome) <= allowed, outcome


def test_proposals_of_both_sides_leave_one(talks: list[Talk]) -> None:
    for talk in talks:
        outcome = rush([talk.propose, talk.counter] * 4)
        assert sorted(outcome) == ["amendment_open"] * 7 + ["won"]
        assert Amendment.objects.filter(order=talk.pk).count() == 1


def test_one_form_sent_many_times_proposes_once(talks: list[Talk]) -> None:
    key = uuid4()
    talk = talks[0]
    assert rush([lambda: actions.propose(talk.pk, actor=talk.builder, client_key=key, terms=MORE)] * 8) == ["won"] * 8
    assert Amendment.objects.filter(order=talk.pk).count() == 1


def test_approving_many_times_approves_once(talks: list[Talk]) -> None:
    for talk, terms in zip(talks, [MORE, TIME, MORE, TIME], strict=True):
        amendment = talk.propose(terms)
        outcome = rush([talk.approving(amendment)] * 8)
        assert sorted(outcome) == ["answered"] * 7 + ["won"]
        assert Invoice.objects.filter(purpose="amendment", subject_id=amendment.pk).count() == (1 if terms is MORE else 0)
        assert talk.order.delivery_days == (1 if terms is MORE else 6)


def test_approve_against_withdraw_has_one_outcome(talks: list[Talk]) -> None:
    for talk in talks:
        amendment = talk.propose(TIME)
        outcome = rush([talk.approving(amendment), talk.withdrawing(amendment)] * 3)
        assert outcome.count("won") == 1
        expected(outcome, {"won", "answered", "wrong_state"})
        in_force = fresh(amendment).status == A.COMPLETED
        assert fresh(amendment).status in (A.COMPLETED, A.WITHDRAWN)
        assert talk.order.delivery_days == (6 if in_force else 1)
        assert talk.order.clock_stopped_at is None


@pytest.mark.parametrize("rival", ["withdraw", "decline"])
def test_money_against_taking_it_back_has_one_outcome(talks: list[Talk], rival: str) -> None:
    for talk in talks:
        amendment, payment = talk.approved()
        against = talk.withdrawing(amendment) if rival == "withdraw" else talk.declining(amendment)
        outcome = rush([talk.hear(payment), against] * 3)
        expected(outcome, {"won", "wrong_state"})
        _one_outcome(talk, amendment, payment, {A.WITHDRAWN, A.REJECTED})


def test_money_against_the_clock_has_one_outcome(talks: list[Talk]) -> None:
    for talk in talks:
        amendment, payment = talk.approved()
        over = amendment.expires_at + timedelta(seconds=1)
        outcome = rush([later(over, talk.hear(payment)), later(over, payment_jobs.expire_invoices), later(over, jobs.expire)] * 2)
        expected(outcome, {"won", "wrong_state"})
        _one_outcome(talk, amendment, payment, {A.EXPIRED})


def _one_outcome(talk: Talk, amendment: Amendment, payment: Payment, ends: set[str]) -> None:
    """In force and paid for, or not in force and on the way back."""
    status, order = fresh(amendment).status, talk.order
    invoice = Invoice.objects.get(purpose="amendment", subject_id=amendment.pk)
    back = sum(refund.amount for refund in Refund.objects.filter(payment=payment))
    if status == A.COMPLETED:
        assert (invoice.status, order.price, talk.in_escrow, back) == (InvoiceStatus.PAID, PRICE + 20, PRICE + 20, 0)
    else:
        assert status in ends
        assert (invoice.status, order.price, talk.in_escrow, back) == (InvoiceStatus.VOID, PRICE, PRICE, payment.amount)
    assert EscrowOperation.objects.filter(kind=EscrowKind.AMEND, subject_id=talk.pk).count() == (1 if status == A.COMPLETED else 0)
    assert order.clock_stopped_at is None


def test_accepting_against_approving_and_paying_has_one_outcome(talks: list[Talk]) -> None:
    for talk in talks:
        talk.deliver()
        amendment = talk.propose()

        def buy(amendment: Amendment = amendment, talk: Talk = talk) -> None:
            approved = actions.approve(amendment.pk, actor=talk.client)
            assert approved.invoice_id is not None
            pay_with_test_wallet(approved.invoice_id, actor=talk.client)

        outcome = rush([buy, talk.accept, talk.accept])
        expected(outcome, {"won", "wrong_state", "answered", "invoice_expired", "amendment_funding"})
        for invoice in Invoice.objects.filter(purpose="amendment", subject_id=amendment.pk):
            settle_invoice(invoice.pk)
        status, order = fresh(amendment).status, talk.order
        if status == A.COMPLETED:
            assert (order.status, order.price, talk.in_escrow) == ("in_progress", PRICE + 20, PRICE + 20)
        else:
            assert (status, order.status) == (A.EXPIRED, "completed")
            assert order.price == PRICE
            assert talk.in_escrow == 0


def test_accepting_against_approving_what_is_free_has_one_outcome(talks: list[Talk]) -> None:
    """The order is complete, or open again; never both, and nobody's press undoes the other's."""
    for talk in talks:
        talk.deliver()
        amendment = talk.propose(FREE)
        outcome = rush([talk.approving(amendment), talk.accept] * 4)
        assert outcome.count("won") == 1, outcome
        expected(outcome, {"won", "wrong_state", "answered"})
        status, order = fresh(amendment).status, talk.order
        assert (status, order.status) in ((A.COMPLETED, "in_progress"), (A.EXPIRED, "completed"))
        assert talk.in_escrow == (PRICE if status == A.COMPLETED else 0)


def test_confirming_twice_at_one_moment_counts_once(talks: list[Talk], settings: Any) -> None:
    """Escrow's answer and a person's press, from a worker and a web process."""
    settings.ESCROW_BACKEND, settings.CHAIN_ID, settings.ESCROW_ADDRESS = "web3", 31337, "0x" + "e5" * 20
    settings.CHAIN_TREASURY_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS = "0x" + "11" * 20, "0x" + "22" * 20
    package, client = talks[0].order.package, talks[0].client
    assert package is not None
    talk = Talk(package, client)
    _confirm_all()
    amendment, payment = talk.approved()
    talk.hear(payment)()
    op_id = fresh(amendment).funding
    outcome = rush([talk.confirming(op_id), talk.cancel] * 4)
    assert outcome[::2] == ["won"] * 4
    expected(outcome[1::2], {"won", "wrong_state", "amendment_funding"})
    assert fresh(amendment).status == A.COMPLETED
    assert talk.order.price == PRICE + 20
    _confirm_all()
    assert talk.in_escrow == (0 if talk.order.status == "cancelled" else PRICE + 20)


def test_given_up_or_confirmed_but_never_both(talks: list[Talk], settings: Any) -> None:
    settings.ESCROW_BACKEND, settings.CHAIN_ID, settings.ESCROW_ADDRESS = "web3", 31337, "0x" + "e5" * 20
    settings.CHAIN_TREASURY_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS = "0x" + "11" * 20, "0x" + "22" * 20
    package, client = talks[0].order.package, talks[0].client
    assert package is not None
    for _ in range(ROUNDS):
        talk = Talk(package, client)
        _confirm_all()
        amendment, payment = talk.approved()
        talk.hear(payment)()
        op_id = fresh(amendment).funding
        outcome = rush([talk.giving_up(op_id), talk.confirming(op_id), talk.taking_back(amendment), talk.trying_again(amendment)])
        expected(outcome, {"won", "wrong_state", "escrow_booked"})
        while fresh(amendment).status == A.FUNDING:
            books.confirm(fresh(amendment).funding)
        if fresh(amendment).status == A.FUNDING_FAILED:
            talk.taking_back(amendment)()
        _confirm_all()
        refunded = sum(refund.amount for refund in Refund.objects.filter(payment=payment))
        if fresh(amendment).status == A.COMPLETED:
            assert (talk.order.price, talk.in_escrow, refunded) == (PRICE + 20, PRICE + 20, 0)
        else:
            assert (fresh(amendment).status, talk.order.price, talk.in_escrow) == (A.REFUNDED, PRICE, PRICE)
            assert refunded == payment.amount


def _confirm_all() -> None:
    while (found := EscrowOperation.objects.open().order_by("number").first()) is not None:
        books.confirm(found.op_id)
