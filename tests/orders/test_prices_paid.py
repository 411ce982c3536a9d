"""What is paid for an order is noted as a price, and forgotten when the money goes back."""

from __future__ import annotations

from port444.accounts.models import User
from port444.catalog.actions import count_sales_batch
from port444.catalog.models import PricePoint, PriceSample
from port444.kit.clock import at, now
from port444.orders.actions import auto_accept, cancel_order, cancel_unanswered
from port444.orders.models import Order
from port444.orders.models import OrderStatus as S
from port444.payments.actions import pay_with_test_wallet
from tests.orders.conftest import MakeOrder


def test_a_paid_order_is_a_sale(make_order: MakeOrder) -> None:
    order = make_order(S.PENDING_PAYMENT)
    assert not PriceSample.objects.exists()
    order = make_order(S.PENDING_REQUIREMENTS)
    sample = PriceSample.objects.get()
    assert order.package is not None
    assert (sample.sale, sample.price, sample.tier, sample.paid_at) == (order.pk, order.price, order.package.tier, order.paid_at)
    assert (sample.builder_id, sample.category_id) == (order.builder_id, order.service.category_id)
    assert order.paid_at is not None
    assert count_sales_batch(order.paid_at, 10) == 1
    assert PricePoint.objects.get().due_at == order.paid_at


def test_a_cancelled_order_is_no_sale(make_order: MakeOrder, client_user: User) -> None:
    kept, order = make_order(S.PENDING_REQUIREMENTS), make_order(S.PENDING_REQUIREMENTS)
    cancel_order(order.pk, actor=client_user)
    count_sales_batch(now(), 10)
    assert PriceSample.objects.get().sale == kept.pk
    assert kept.requirements_until is not None
    with at(kept.requirements_until):
        cancel_unanswered(kept.pk)
    assert PriceSample.objects.get().is_undone
    count_sales_batch(now(), 10)
    assert not PriceSample.objects.exists()


def test_a_completed_order_stays_a_sale(make_order: MakeOrder) -> None:
    order = make_order(S.DELIVERED)
    assert order.auto_accept_at is not None
    with at(order.auto_accept_at):
        auto_accept(order.pk)
    assert PriceSample.objects.get().sale == order.pk


def test_an_order_without_a_package_is_no_price_of_a_size(make_order: MakeOrder) -> None:
    order = make_order(S.PENDING_PAYMENT)
    Order.objects.filter(pk=order.pk).update(package=None)
    order.refresh_from_db()
    assert order.invoice is not None
    pay_with_test_wallet(order.invoice.pk, actor=order.client)
    order.refresh_from_db()
    assert order.status == S.PENDING_REQUIREMENTS
    assert not PriceSample.objects.exists()
