"""Random lives of orders that are merged, split and taken apart again: whoever ends them and how, no cent is lost or found, each payment gives
back no more than it brought, and credits come back as what they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.kit.money import ZERO
from port444.orders import actions
from port444.orders.actions import Share
from port444.orders.actions.telling import deal
from port444.orders.models import JOINABLE, CancelCause, Order, OrderStatus
from port444.payments import escrow, ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.models import Credit, CreditSource, EscrowOperation, Payment, Refund
from tests.confirming import confirm_all, use_chain
from tests.conftest import assert_books_balance

from .conftest import ANSWERS

S, D = OrderStatus, Decimal
STEPS = ["merge", "split", "undo", "complete", "cancel"]

lives = st.tuples(
    st.lists(st.tuples(st.integers(500, 90_000), st.integers(0, 60_000)), min_size=2, max_size=3),  # cents: a price, and a credit before it
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9), st.integers(1, 99)), min_size=2, max_size=8),
)
LOOSE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


class World:
    """One client and one builder, and all that they have with each other."""

    def __init__(self, client: User, builder: User, staff: User, package: Package) -> None:
        self.client, self.builder, self.staff, self.package = client, builder, staff, package
        self.ids: list[Any] = []
        self.manifests: list[dict[str, Any]] = []
        self.start = self.sums()

    def sums(self) -> dict[str, Decimal]:
        return {
            "earnings": ledger.balance("earnings", self.builder.pk),
            "fees": ledger.balance("fees"),
            "client": ledger.balance("client", owner=self.client.pk),
        }

    def buy(self, price: Decimal, credit: Decimal) -> None:
        if credit:
            issue_credit(self.client, Grant(credit, CreditSource.PROMO, "a test"), actor=None)
        Package.objects.filter(pk=self.package.pk).update(price=price)
        order = actions.place_order(self.package.pk, actor=self.client, client_key=uuid7())
        if order.status == S.PENDING_PAYMENT:
            assert order.invoice_id is not None
            pay_with_test_wallet(order.invoice_id, actor=self.client)
        confirm_all()
        actions.answer_requirements(order.pk, actor=self.client, answers=ANSWERS)
        confirm_all()
        self.ids.append(order.pk)

    @property
    def orders(self) -> list[Order]:
        return list(Order.objects.with_people().filter(pk__in=self.ids).order_by("number"))

    def step(self, what: str, one: int, other: int, part: int) -> None:
        live = [order for order in self.orders if order.status in JOINABLE]
        if not live:
            return
        order, second = live[one % len(live)], live[other % len(live)]
        if what == "merge":
            made, manifest = actions.merge_orders(order.pk, second.pk, actor=self.staff)
            self.ids.append(made.pk)
            self.manifests.append(manifest)
        elif what == "split":
            price = (order.price * part / 100).quantize(D("0.01"))
            made, manifest = actions.split_order(order.pk, Share("A part", price, (0,), revisions=0), actor=self.staff)
            self.ids.append(made.pk)
            self.manifests.append(manifest)
        elif what == "undo" and self.manifests:
            actions.undo_joining(self.manifests[one % len(self.manifests)], actor=self.staff)
        elif what == "complete":
            actions.deliver(order.pk, actor=self.builder, note="Done.")
            actions.accept_delivery(order.pk, actor=self.client)
        elif what == "cancel":
            actions.cancel_order(order.pk, actor=self.builder)

    def check(self) -> None:
        """What has to be true at any time."""
        rows = self.orders
        for order in rows:
            place = escrow.current().position(deal(order))
            running = order.status in JOINABLE
            assert place.locked == ledger.balance("escrow", subject=order.pk) == (order.price if running else ZERO)
            assert place.lent == (order.credit if running else ZERO)
            assert ZERO <= order.prepaid <= order.credit <= order.price
        for payment in Payment.objects.filter(settled_at__isnull=False):
            assert sum((refund.amount for refund in payment.refunds.all()), ZERO) <= payment.amount
        bought = [order for order in rows if order.origin == "purchase"]
        whole = [order for order in rows if order.cancel_cause not in (CancelCause.MERGED, CancelCause.UNDONE)]
        paid = sum((payment.amount for payment in Payment.objects.filter(settled_at__isnull=False)), ZERO)
        assert sum((order.total for order in whole), ZERO) == paid
        assert bought
        assert_books_balance()

    def end(self) -> None:
        """Half of what is left is accepted, half cancelled; then every cent has its place."""
        for turn, order in enumerate([order for order in self.orders if order.status in JOINABLE]):
            self.step("complete" if turn % 2 else "cancel", 0, 0, 1)
            confirm_all()
            assert order.pk
        self.check()
        rows = self.orders
        now, done = self.sums(), [order for order in rows if order.status == S.COMPLETED]
        back = [order for order in rows if order.status == S.CANCELLED and order.cancel_cause not in (CancelCause.MERGED, CancelCause.UNDONE)]
        assert now["earnings"] - self.start["earnings"] == sum((order.builder_share for order in done), ZERO)
        assert now["fees"] - self.start["fees"] == sum((order.builder_fee + order.client_fee for order in done), ZERO)
        assert now["client"] == self.start["client"]
        assert sum((refund.amount for refund in Refund.objects.all()), ZERO) == sum((order.total for order in back), ZERO)
        spent = sum((credit.amount - credit.remaining for credit in Credit.objects.all()), ZERO)
        assert spent == sum((order.credit for order in done), ZERO)


def live(world: World, life: Any) -> None:
    bought, steps = life
    for price, credit in bought:
        world.buy(D(price) / 100, D(credit) / 100)
    for what, one, other, part in steps:
        with suppress(DomainError):
            world.step(what, one, other, part)
        confirm_all()
        world.check()
    world.end()


@contextmanager
def apart() -> Iterator[None]:
    """Each life begins with nothing that the last one left."""
    with transaction.atomic():
        yield
        assert not EscrowOperation.objects.open().exists()
        transaction.set_rollback(True)


@pytest.mark.django_db
@pytest.mark.timeout(600)
@trying(max_examples=10, deadline=None, suppress_health_check=LOOSE)
@given(life=lives)
def test_joining_loses_no_cent_in_the_ledger(client_user: User, builder_user: User, staff: User, package: Package, life: Any) -> None:
    with apart():
        live(World(client_user, builder_user, staff, package), life)


@pytest.mark.django_db
@pytest.mark.timeout(600)
@trying(max_examples=6, deadline=None, suppress_health_check=LOOSE)
@given(life=lives)
def test_joining_loses_no_cent_on_a_chain(client_user: User, builder_user: User, staff: User, package: Package, settings: Any, life: Any) -> None:
    use_chain(settings)
    with apart():
        live(World(client_user, builder_user, staff, package), life)
