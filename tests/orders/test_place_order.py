from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, NotAllowed, words
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import expire_invoice, pay_with_test_wallet
from port444.payments.models import EscrowOperation, Invoice, LedgerAccount

from .conftest import QUESTIONS, MakeOrder

S = OrderStatus


def test_an_order_copies_the_terms_and_opens_an_invoice(client_user: User, package: Package) -> None:
    moment = now()
    with at(moment):
        order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert order.status == S.PENDING_PAYMENT
    assert (order.price, order.client_fee, order.builder_fee_bps) == (Decimal("180.00"), Decimal("9.90"), 1000)
    assert (order.delivery_days, order.revisions_allowed, order.deliverables) == (7, 2, ["Five pages", "A report"])
    assert order.pay_until == moment + timedelta(minutes=60)
    assert [row.label for row in order.requirements.all()] == [question["label"] for question in QUESTIONS]
    assert [row.is_required for row in order.requirements.all()] == [True, True, False]
    assert order.invoice is not None
    assert (order.invoice.total, order.invoice.fee, order.invoice.purpose) == (Decimal("189.90"), Decimal("9.90"), "order")
    assert order.invoice.expires_at == order.pay_until
    assert order.number > 2000
    package.price = Decimal("500.00")
    package.save()
    order.refresh_from_db()
    assert order.price == Decimal("180.00")


def test_pressing_twice_places_one_order(client_user: User, package: Package) -> None:
    key = uuid7()
    first = actions.place_order(package.pk, actor=client_user, client_key=key)
    messages = Message.objects.count()
    second = actions.place_order(package.pk, actor=client_user, client_key=key)
    assert first.pk == second.pk
    assert Order.objects.count() == Invoice.objects.count() == 1
    assert Message.objects.count() == messages


def test_another_key_places_another_order(client_user: User, package: Package) -> None:
    one, two = (actions.place_order(package.pk, actor=client_user, client_key=uuid7()) for _ in range(2))
    assert one.pk != two.pk
    assert two.number == one.number + 1


def test_nobody_orders_from_themselves(builder_user: User, package: Package, nothing_happens: Any) -> None:
    with nothing_happens(), pytest.raises(NotAllowed):
        actions.place_order(package.pk, actor=builder_user, client_key=uuid7())


@pytest.mark.parametrize("why", ["paused", "not offered", "away", "suspended", "inactive"])
def test_what_is_not_on_offer_cannot_be_ordered(
    client_user: User, package: Package, service: Service, builder: Builder, nothing_happens: Any, why: str
) -> None:
    if why == "paused":
        service.move_to(ServiceStatus.PAUSED, paused_at=now())
    elif why == "not offered":
        Package.objects.update(is_offered=False)
    elif why == "away":
        Builder.objects.update(away_paused_at=now(), away_from=now(), away_until=now() + timedelta(days=1))
    elif why == "suspended":
        User.objects.filter(pk=builder.user_id).update(suspended_at=now(), suspension_reason="fraud")
    else:
        User.objects.filter(pk=builder.user_id).update(is_active=False)
    with nothing_happens(), pytest.raises(Conflict):
        actions.place_order(package.pk, actor=client_user, client_key=uuid7())


def test_payment_puts_the_price_into_escrow_and_asks_the_questions(make_order: MakeOrder, service: Service) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    assert order.paid_at is not None
    funded = EscrowOperation.objects.get(subject_id=order.pk)
    assert funded.applied_at is not None
    assert order.requirements_until == funded.applied_at + timedelta(days=7)
    assert order.due_at is None
    assert LedgerAccount.objects.get(kind="escrow", subject_id=order.pk).balance == Decimal("180.00")
    service.refresh_from_db()
    assert service.order_count == 1
    assert set(Notification.objects.filter(url=f"/orders/{order.number}/").values_list("kind", flat=True)) == {"order.placed", "order.paid"}


def test_without_questions_the_clock_starts_with_the_payment(client_user: User, package: Package, service: Service) -> None:
    service.questions = []
    service.save()
    order = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    moment = now() + timedelta(minutes=5)
    with at(moment):
        pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert (order.status, order.started_at, order.due_at) == (S.IN_PROGRESS, moment, moment + timedelta(days=7))


def test_an_unpaid_order_expires(make_order: MakeOrder, client_user: User) -> None:
    order = make_order()
    with at(order.pay_until - timedelta(seconds=1)):
        expire_invoice(order.invoice_id)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert order.status == S.PENDING_PAYMENT
    with at(order.pay_until + timedelta(seconds=1)):
        expire_invoice(order.invoice_id)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert order.status == S.EXPIRED
    assert Notification.objects.get(kind="order.expired").user == client_user


def test_the_same_form_with_another_package_is_no_answer_to_it(package: Package, client_user: User) -> None:
    other = Package.objects.create(service=package.service, tier="premium", name="Ten pages", price=Decimal("300.00"), delivery_days=9, revisions=3)
    key = uuid7()
    actions.place_order(package.pk, actor=client_user, client_key=key)
    with pytest.raises(Conflict, match="another package"):
        actions.place_order(other.pk, actor=client_user, client_key=key)
    assert Order.objects.count() == 1


def test_who_comes_back_and_picks_another_package_gets_that_one(package: Package, client_user: User, client: Client) -> None:
    other = Package.objects.create(service=package.service, tier="premium", name="Ten pages", price=Decimal("300.00"), delivery_days=9, revisions=3)
    client.force_login(client_user)
    key = uuid7()
    for one in (package, other, package):
        assert client.post(f"/orders/place/{one.pk}/", {"client_key": key}).status_code == 302
    assert sorted(Order.objects.values_list("price", flat=True)) == [Decimal("180.00"), Decimal("300.00")]


def test_a_suspended_person_orders_nothing(package: Package, client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(suspended_at=now(), suspension_reason="Under review for now")
    with pytest.raises(NotAllowed):
        actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert not Order.objects.exists()


def test_the_database_alone_words_an_order_that_is_placed_twice(make_order: MakeOrder) -> None:
    order = make_order()
    order.pk, order._state.adding, order.invoice = uuid7(), True, None
    order.number += 1
    with pytest.raises(Conflict, match="placed already"), words(), transaction.atomic():
        order.save(force_insert=True)
    assert Order.objects.count() == 1
