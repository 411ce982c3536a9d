"""The queue is emptied after every action: the sweeps alone have to bring everything to its right end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core import mail as outbox
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from consultations import actions as calls
from consultations.models import Consultation
from port444.accounts.models import User
from port444.catalog.models import Category, Package
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.notifications.models import Delivery
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.models import Invoice, Payment, SandboxCharge, SandboxTransfer, Withdrawal
from port444.payments.providers.sandbox import Decision, Manner

from .test_money import assert_money_is_where_it_belongs, sell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("detectors_have_read")]  # one transaction, whose end they would wait for

SWEEPS = [path for path in settings.SCHEDULES if path not in ("port444.kit.jobs.heartbeat", "port444.accounts.jobs.forget")]
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Site:
    """A clock that only moves forward, and a queue that loses every job."""

    def __init__(self) -> None:
        self.moment = START
        self.lost = 0

    def do(self, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with at(self.moment):
            done = action(*args, **options)
        self.lose()
        return done

    def lose(self) -> None:
        self.lost += OrmQ.objects.all().delete()[0]

    def sweep(self, after: timedelta = timedelta(minutes=2)) -> None:
        """Let time pass and every sweep run, three minutes in a row."""
        self.moment += after
        for _ in range(3):
            for path in SWEEPS:
                self.do(import_string(path))
            self.moment += timedelta(minutes=1)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def package(db: None) -> Package:
    with at(START - timedelta(days=1)):
        return sell("anaya", Category.objects.create(slug="work", name="Work"))


def approve(site: Site, invoice_id: Any, payer: User, decision: Decision = Decision.APPROVE) -> Payment:
    """Pay in the wallet, whose answer is lost as well."""
    payment = site.do(payments.start_payment, invoice_id, actor=payer)
    site.do(payments.reach_provider, payment.pk)
    site.do(payments.answer_wallet, payment.pk, actor=payer, decision=decision, manner=Manner.AT_ONCE)
    return Payment.objects.get(pk=payment.pk)


def test_sweeps_alone_bring_everything_to_its_end(site: Site, package: Package, client_user: User) -> None:
    builder = package.service.builder

    def place() -> Order:
        order: Order = site.do(orders.place_order, package.pk, actor=client_user, client_key=uuid7())
        return order

    def hold(hour: int) -> Consultation:
        starts_at = START + timedelta(days=1, hours=hour)
        call: Consultation = site.do(
            calls.hold_slot, builder.pk, actor=client_user, minutes=30, starts_at=starts_at, client_zone="UTC", client_key=uuid7()
        )
        return call

    # The wallet's answers and the settling are lost; one attempt was declined, one only begun, one never reached the wallet.
    accepted, cancelled, forgotten, declined, begun, unreached, dropped, left = (place() for _ in range(8))
    for order in (accepted, cancelled, forgotten):
        approve(site, order.invoice_id, client_user)
    approve(site, declined.invoice_id, client_user, Decision.DECLINE)
    site.do(payments.reach_provider, site.do(payments.start_payment, begun.invoice_id, actor=client_user).pk)
    site.do(payments.start_payment, unreached.invoice_id, actor=client_user)
    # Approved in the wallet, then cancelled before anybody here knew.
    approve(site, dropped.invoice_id, client_user)
    site.do(orders.cancel_order, dropped.pk, actor=client_user)
    # Cancelled while the wallet still asks.
    site.do(payments.reach_provider, site.do(payments.start_payment, left.invoice_id, actor=client_user).pk)
    site.do(orders.cancel_order, left.pk, actor=builder.user)
    # A hold runs out while the wallet has the money.
    held = hold(1)
    approve(site, held.invoice_id, client_user)
    site.sweep(timedelta(minutes=settings.HOLD_MINUTES))
    unpaid = hold(5)
    held.refresh_from_db()
    assert held.status == "scheduled"
    assert set(Order.objects.filter(pk__in=[accepted.pk, cancelled.pk, forgotten.pk]).values_list("status", flat=True)) == {"in_progress"}
    assert SandboxTransfer.objects.get(kind="refund").amount == dropped.total

    site.do(orders.deliver, accepted.pk, actor=builder.user, note="Done")
    site.do(orders.deliver, forgotten.pk, actor=builder.user, note="Done")
    site.do(orders.accept_delivery, accepted.pk, actor=client_user)
    site.do(orders.cancel_order, cancelled.pk, actor=builder.user)
    site.do(payments.request_withdrawal, actor=builder.user, amount=Decimal("20.00"), client_key=uuid7())
    site.sweep(timedelta(minutes=settings.PAYMENT_MINUTES))
    assert Withdrawal.objects.get().status == "completed"
    site.sweep(timedelta(days=settings.REVIEW_DAYS))

    rows: list[Order | Consultation] = [*Order.objects.all(), *Consultation.objects.all()]
    status = {row.pk: row.status for row in rows}
    wanted: dict[Order | Consultation, str] = {
        accepted: "completed",
        cancelled: "cancelled",
        forgotten: "completed",
        declined: "expired",
        begun: "expired",
    }
    wanted |= {unreached: "expired", dropped: "cancelled", left: "cancelled", held: "completed", unpaid: "expired"}
    assert status == {row.pk: state for row, state in wanted.items()}
    assert not Invoice.objects.filter(status="open").exists()
    assert not Payment.objects.live().exists()
    assert set(SandboxCharge.objects.values_list("status", flat=True)) == {"approved", "declined", "expired"}
    assert ledger.balance("earnings", builder.user_id) == Decimal("30.00") * 2 + Decimal("36.00") - Decimal("20.00")
    assert_money_is_where_it_belongs()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"sent"}
    assert len(outbox.outbox) == Delivery.objects.filter(channel="email").count()
    assert site.lost > 20
