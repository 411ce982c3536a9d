"""Everything that moves money, mixed, by the same few people at the same moment, on a real PostgreSQL.

Whatever the order in which it happens: no deadlock and no unworded error reaches anybody, the books balance, nobody's account
is below zero, and nothing stays in escrow for what has ended.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from consultations import actions as calls
from consultations.actions.availability import Terms
from consultations.models import Consultation
from consultations.slots import DAY_MINUTES, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.messaging.actions import send_message
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import actions as payments
from port444.payments import jobs
from port444.payments.models import AccountKind, Invoice, LedgerAccount, Payment, Refund, SandboxCharge, Withdrawal
from port444.payments.providers.sandbox import Decision, Manner
from tests.conftest import assert_books_balance

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("detectors_have_read")]

THREADS = 8
STEPS = 150
ENDED = ("completed", "cancelled", "expired", "no_show", "rescheduled")


def sell(name: str, category: Category) -> Package:
    """A builder who takes orders without questions and calls around the clock."""
    user = User.objects.create_user(f"{name}@example.com", name=name.title(), is_builder=True)
    builder = Builder.objects.create(user=user, slug=name, headline="Always open")
    windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
    prices = {30: Decimal("40.00")}
    calls.set_availability(builder.pk, actor=user, enabled=True, prices=prices, windows=windows, terms=Terms("Asia/Kolkata", 1, 30, 0))
    payments.change_payout_address("0x" + "ab" * 20, actor=user)
    service = Service.objects.create(
        builder=builder,
        category=category,
        title=f"By {name}",
        slug=f"by-{name}",
        summary="Work.",
        description="Work.",
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("33.33"),
        least_days=1,
        published_at=now(),
    )
    return Package.objects.create(service=service, tier="basic", name="One", price=Decimal("33.33"), delivery_days=1, revisions=2)


class Person:
    """Does one thing after the other at random, with whatever there is."""

    def __init__(self, seed: int, clients: list[User], packages: list[Package]) -> None:
        self.chance, self.clients, self.packages = random.Random(seed), clients, packages
        self.noon = datetime.combine(now().date() + timedelta(days=2), time(12), UTC)

    def one(self, rows: Any) -> Any:
        """Any of the rows, the newest rather than the old ones; a refusal when there is none."""
        found = list(rows.order_by("-pk")[:12])
        if not found:
            raise DomainError("There is nothing to do.", code="nothing")
        return self.chance.choice(found)

    def act(self) -> None:
        self.chance.choice(self.deeds())()

    def deeds(self) -> list[Callable[[], Any]]:
        """What happens more often stands there more often."""
        buying = [self.place, self.hold, self.pay, self.settle] * 2 + [self.pay, self.late, self.expire]
        working = [self.deliver, self.accept, self.cancel_order, self.complete, self.refund] * 2
        return [*buying, *working, self.revise, self.review, self.cancel_call, self.withdraw, self.send, self.write, self.sweep]

    def place(self) -> None:
        orders.place_order(self.chance.choice(self.packages).pk, actor=self.chance.choice(self.clients), client_key=uuid7())

    def hold(self) -> None:
        builder = self.chance.choice(self.packages).service.builder
        starts_at = self.noon + timedelta(minutes=30 * self.chance.randrange(40))
        client = self.chance.choice(self.clients)
        calls.hold_slot(builder.pk, actor=client, minutes=30, starts_at=starts_at, client_zone="UTC", client_key=uuid7())

    def approve(self) -> Payment:
        invoice = self.one(Invoice.objects.filter(status="open").select_related("payer"))
        payment = payments.reach_provider(payments.start_payment(invoice.pk, actor=invoice.payer).pk)
        payments.answer_wallet(payment.pk, actor=invoice.payer, decision=Decision.APPROVE, manner=Manner.SILENT)
        return payment

    def pay(self) -> None:
        payments.reconcile_payment(self.approve().pk)

    def late(self) -> None:
        """The wallet has approved when the invoice is closed."""
        payment = self.approve()
        payments.void_invoice(payment.invoice_id)
        payments.reconcile_payment(payment.pk)

    def settle(self) -> None:
        payments.settle_invoice(self.one(Payment.objects.unsettled()).invoice_id)

    def expire(self) -> None:
        invoice = self.one(Invoice.objects.filter(status="open"))
        with at(invoice.expires_at):
            payments.expire_invoice(invoice.pk)

    def deliver(self) -> None:
        order = self.one(Order.objects.filter(status__in=["in_progress", "in_revision"]).with_people())
        orders.deliver(order.pk, actor=order.builder.user, note="Done")

    def delivered(self) -> Order:
        order: Order = self.one(Order.objects.filter(status="delivered").with_people())
        return order

    def revise(self) -> None:
        order = self.delivered()
        orders.request_revision(order.pk, actor=order.client, note="Again")

    def accept(self) -> None:
        order = self.delivered()
        orders.accept_delivery(order.pk, actor=order.client)

    def review(self) -> None:
        order = self.one(Order.objects.filter(status="completed").with_people())
        orders.leave_review(order.pk, actor=self.chance.choice([order.client, order.builder.user]), stars=5)

    def cancel_order(self) -> None:
        order = self.one(Order.objects.exclude(status__in=ENDED).with_people())
        orders.cancel_order(order.pk, actor=order.other(self.chance.choice([order.client, order.builder.user])))

    def scheduled(self) -> Consultation:
        call: Consultation = self.one(Consultation.objects.filter(status="scheduled").select_related("client", "builder__user"))
        return call

    def cancel_call(self) -> None:
        call = self.scheduled()
        with at(call.scheduled_at - timedelta(hours=self.chance.choice([1, 30]))):
            calls.cancel_call(call.pk, actor=self.chance.choice([call.client, call.builder.user]))

    def complete(self) -> None:
        call = self.scheduled()
        with at(call.ends_at):
            calls.complete_call(call.pk, actor=call.builder.user)

    def refund(self) -> None:
        payments.send_refund(self.one(Refund.objects.filter(status="requested")).pk)

    def withdraw(self) -> None:
        builder = self.chance.choice(self.packages).service.builder
        payments.request_withdrawal(actor=builder.user, amount=Decimal(self.chance.choice(["10.00", "25.50", "60.00"])), client_key=uuid7())

    def send(self) -> None:
        payments.send_withdrawal(self.one(Withdrawal.objects.filter(status="requested")).pk)

    def write(self) -> None:
        order = self.one(Order.objects.with_people())
        author = self.chance.choice([order.client, order.builder.user])
        send_message(order.conversation_id, actor=author, body="Hello", client_key=uuid7(), subject=("order", order.pk))

    def sweep(self) -> None:
        with at(now() + timedelta(minutes=2)):
            jobs.reconcile()
            jobs.send_waiting()


def test_everything_at_once_by_the_same_people(caplog: pytest.LogCaptureFixture) -> None:
    category = Category.objects.create(slug="work", name="Work")
    packages = [sell(name, category) for name in ("anaya", "mika", "tove")]
    clients = [User.objects.create_user(f"client{n}@example.com", name=f"Client {n}") for n in range(3)]
    clients.append(packages[0].service.builder.user)  # a builder who buys from the others, too
    start = threading.Barrier(THREADS)

    def live(seed: int) -> list[str]:
        person, outcomes = Person(seed, clients, packages), []
        try:
            connection.ensure_connection()
            start.wait(60)
            for _ in range(STEPS):
                try:
                    person.act()
                    outcomes.append("done")
                except DomainError as refusal:
                    outcomes.append(refusal.code)
                except Exception as error:  # noqa: BLE001 - anything else is what the test looks for
                    outcomes.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        return outcomes

    with ThreadPoolExecutor(THREADS) as pool:
        outcome = Counter(code for codes in pool.map(live, range(THREADS)) for code in codes)
    assert {code for code in outcome if " " in code or code in ("busy", "not_covered", "escrow_short")} <= {"not_covered"}, outcome
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert outcome["done"] > THREADS * STEPS / 4, outcome
    assert_books_balance()
    assert not LedgerAccount.objects.exclude(kind__in=[AccountKind.EXTERNAL, AccountKind.CREDITS]).filter(balance__lt=0).exists()

    for days in range(10, 14):  # a sweep takes what the one before has left
        with at(now() + timedelta(days=days)):
            jobs.expire_invoices()
            jobs.reconcile()
            jobs.send_waiting()
    assert_money_is_where_it_belongs()


def assert_money_is_where_it_belongs() -> None:
    """For every order and call, and for the wallet outside, after all that was on its way has arrived."""
    assert_books_balance()
    held = dict(LedgerAccount.objects.filter(kind=AccountKind.ESCROW).values_list("subject_id", "balance"))
    for row in (*Order.objects.all(), *Consultation.objects.all()):
        paid = row.paid_at is not None and row.status not in ENDED
        assert held.get(row.pk, 0) == (row.price if paid else 0), (row, row.status)
    assert not Refund.objects.exclude(status="completed").exists()
    between = [AccountKind.REFUNDS, AccountKind.PAYOUTS, AccountKind.CLIENT]
    assert not LedgerAccount.objects.filter(kind__in=between).exclude(balance=0).exists()
    assert not Payment.objects.unsettled().exists()
    for payment in Payment.objects.filter(status="succeeded", settled_at__isnull=True):
        assert payment.refunded == payment.amount
    for invoice in Invoice.objects.filter(kind="invoice", status="paid"):
        given = sum((note.total for note in invoice.credit_notes.all()), Decimal(0))
        assert given == invoice.payments.get(settled_at__isnull=False).refunded
        assert given in (0, invoice.total)
    charges = SandboxCharge.objects.filter(status="approved")
    assert charges.count() == Payment.objects.filter(status="succeeded").count()
    refunded = Payment.objects.filter(status="succeeded").exclude(refunded=F("amount")).values_list("pk", flat=True)
    assert set(charges.exclude(refunded=F("amount")).values_list("key", flat=True)) == set(refunded)
