"""Sixteen people and jobs press everything about one order and its amendment at one moment, on a real PostgreSQL.

Whatever comes first, there is one outcome: the change is in force and paid once, or what was paid for it went back once. That
holds for escrow in the ledger and for escrow on a chain, whose confirmations come at any time in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from amendments import actions as amendments
from amendments import jobs as amendment_jobs
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.escrow import books
from port444.payments.models import EscrowOperation, EscrowStatus, Payment, Refund
from port444.payments.providers.sandbox import Decision, Manner
from tests.conftest import assert_books_balance
from tests.orders.conftest import ANSWERS, package, service

from .test_booking import rush

__all__ = ["package", "service"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

A, S = AmendmentStatus, OrderStatus
MORE = Terms(AmendmentType.SCOPE_CHANGE, "Two more tables.", "Also the reports.", Decimal("60.00"), 3)
ROUNDS = 2
# What somebody may be told whose press came too late. Anything else is a fault.
TOLD = {"won", "wrong_state", "answered", "amendment_funding"}


@pytest.fixture(params=["ledger", "web3"])
def backend(request: pytest.FixtureRequest, settings: Any) -> str:
    name = str(request.param)
    settings.ESCROW_BACKEND = name
    settings.CHAIN_ID, settings.ESCROW_ADDRESS = 31337, "0x" + "e5" * 20
    settings.CHAIN_TREASURY_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS = "0x" + "aa" * 20, "0x" + "bb" * 20
    return name


def chain_confirms() -> None:
    """What the chain's worker does when a block has come."""
    waiting = EscrowOperation.objects.open().filter(backend="web3").order_by("number")
    for op_id in waiting.values_list("pk", flat=True):
        books.confirm(op_id, tx_hash="0x" + "11" * 32)


def running_order(package: Package, client: User, builder: User, *, delivered: bool) -> Order:
    order = orders.place_order(package.pk, actor=client, client_key=uuid7())
    payments.pay_with_test_wallet(order.invoice_id, actor=client)  # type: ignore[arg-type]  # it has one
    chain_confirms()
    orders.answer_requirements(order.pk, actor=client, answers=ANSWERS)
    if delivered:
        orders.deliver(order.pk, actor=builder, note="All five are fast now.")
    return Order.objects.with_people().get(pk=order.pk)


def money_sent(amendment: Amendment, client: User) -> Payment:
    """The money has come, and nothing has been done with it yet."""
    assert amendment.invoice_id is not None
    payment = payments.reach_provider(payments.start_payment(amendment.invoice_id, actor=client).pk)
    payments.answer_wallet(payment.pk, actor=client, decision=Decision.APPROVE, manner=Manner.SILENT)
    return payments.reconcile_payment(payment.pk)


def sweep() -> None:
    """What the jobs of every minute find afterwards."""
    for payment in Payment.objects.live():
        with suppress(DomainError):
            payments.reconcile_payment(payment.pk)
    for payment in Payment.objects.unsettled():
        payments.settle_invoice(payment.invoice_id)
    chain_confirms()
    amendment_jobs.expire()
    chain_confirms()


def assert_one_outcome(before: Order, amendment_id: Any, client: User, builder: User) -> str:
    order, amendment = Order.objects.with_people().get(pk=before.pk), Amendment.objects.get(pk=amendment_id)
    in_force, over = amendment.status == A.COMPLETED, order.status in (S.COMPLETED, S.CANCELLED)
    assert in_force or amendment.status in (A.EXPIRED, A.WITHDRAWN)
    assert not EscrowOperation.objects.open().exists()
    assert order.price == before.price + (MORE.amount if in_force else 0)
    funded = EscrowOperation.objects.filter(subject_id=order.pk, kind="amend").exclude(status__in=["failed", "cancelled"])
    assert [row.amount for row in funded] == ([MORE.amount] if in_force else [])
    paid = Payment.objects.get(invoice__purpose="amendment", status="succeeded")
    back = sum(Refund.objects.filter(payment=paid).values_list("amount", flat=True), Decimal(0))
    assert back == (paid.amount if order.status == S.CANCELLED or not in_force else 0)
    assert ledger.balance("escrow", subject=order.pk) == (0 if over else order.price)
    assert ledger.balance("earnings", builder.pk) == (order.price - order.builder_fee if order.status == S.COMPLETED else 0)
    assert ledger.balance("client", client.pk) == 0
    whole = sum(Refund.objects.values_list("amount", flat=True), Decimal(0)) - back
    assert whole == (before.total if order.status == S.CANCELLED else 0)
    assert_books_balance()
    return f"{order.status}, {amendment.status}"


@pytest.mark.parametrize("delivered", [False, True])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_all_at_once(backend: str, package: Package, client_user: User, builder_user: User, delivered: bool, seed: int) -> None:
    """Approved by the client, and the money has come: four settle it, four end the order, four approve again, four drop it."""
    order = running_order(package, client_user, builder_user, delivered=delivered)
    amendment = amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=MORE)
    amendment = amendments.approve(amendment.pk, actor=client_user)
    invoice_id = money_sent(amendment, client_user).invoice_id
    end = partial(orders.accept_delivery, order.pk, actor=client_user) if delivered else partial(orders.cancel_order, order.pk, actor=builder_user)
    pay = partial(payments.settle_invoice, invoice_id)
    again = partial(amendments.approve, amendment.pk, actor=client_user)
    drop = partial(amendments.withdraw, amendment.pk, actor=builder_user)
    wishes: list[Callable[[], Any]] = [pay, end, again, drop] * 4
    random.Random(seed).shuffle(wishes)
    if backend == "web3":
        wishes[-1] = chain_confirms
    told = rush(wishes)
    assert set(told) <= TOLD, told  # no deadlock, no unworded error
    sweep()
    print(backend, assert_one_outcome(order, amendment.pk, client_user, builder_user), sorted(told))


@pytest.mark.parametrize("last", ["silence", "delivery"])
def test_first_answer_counts(
    backend: str, package: Package, client_user: User, builder_user: User, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Nobody has answered a builder who asks for time: six say yes, five no, and five times it lapses or the work is handed over."""
    order = running_order(package, client_user, builder_user, delivered=False)
    terms = Terms(AmendmentType.TIMELINE_EXTENSION, "I was ill.", days=5)
    amendment = amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=terms)
    yes: Callable[[], Any] = partial(amendments.approve, amendment.pk, actor=client_user)
    no: Callable[[], Any] = partial(amendments.decline, amendment.pk, actor=client_user, reason="")
    end: Callable[[], Any] = partial(orders.deliver, order.pk, actor=builder_user, note="Done.")
    if last == "silence":
        end = partial(amendments.expire, amendment.pk)
        monkeypatch.setattr("amendments.actions.closing.now", lambda: amendment.expires_at)
    told = rush([yes, no, end] * 5 + [yes])
    assert set(told) <= TOLD, told
    chain_confirms()
    amendment.refresh_from_db()
    after = Order.objects.get(pk=order.pk)
    assert after.due_at is not None
    assert order.due_at is not None
    idle = last == "delivery" and backend == "web3"  # handed over before the chain has heard of the later date
    assert after.due_at - order.due_at == timedelta(days=5 if amendment.status == A.COMPLETED and not idle else 0)
    assert after.status == (S.IN_PROGRESS if last == "silence" else S.DELIVERED)
    assert after.clock_stopped_at is None
    assert amendment.status in (A.COMPLETED, A.REJECTED, A.EXPIRED if last == "silence" else A.WITHDRAWN)
    assert told.count("won") == 1 + (last == "delivery" and amendment.status != A.WITHDRAWN), told
    assert EscrowOperation.objects.filter(kind="extend").exclude(status=EscrowStatus.FAILED).count() == (amendment.status == A.COMPLETED)
    assert_books_balance()
