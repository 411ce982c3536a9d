"""Random lives of an order that is talked about: both sides press whatever there is, payments come early, late or never, escrow answers
at once, later, or gives up.

Whatever the order of things: one change is open at most, the order costs what was agreed on and paid for, escrow holds just that, each
change is funded once, the dates are those of a plain calculation beside it, and no cent is lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.conf import settings as conf
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from amendments import actions, jobs
from amendments.models import OPEN, Amendment, AmendmentStatus
from amendments.terms import Terms
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders import jobs as order_jobs
from port444.orders.models import LIVE, Order, OrderStatus
from port444.payments import actions as payments
from port444.payments import jobs as payment_jobs
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit
from port444.payments.escrow import books
from port444.payments.models import VOID, CreditSource, EscrowOperation, LedgerAccount, Payment, Refund
from port444.payments.providers.sandbox import Decision, Manner
from tests.conftest import assert_books_balance
from tests.orders.conftest import ANSWERS

from .conftest import DELIVERABLE, REVISION, SCOPE, TIME, TOP_UP, Chain, now_of

A, S = AmendmentStatus, OrderStatus
NEVER = {"not_covered", "escrow_short", "refund_exceeds", "fee_exceeds", "escrow_busy", "invoice_exists"}  # no press may come upon these
TERMS = [SCOPE, TOP_UP, REVISION, TIME, DELIVERABLE, replace(SCOPE, days=0, amount=Decimal("0.01") + 33), replace(REVISION, days=4)]

people = st.sampled_from(["client", "builder", "other"])
sides = st.sampled_from(["client", "builder"])
waits = st.sampled_from([timedelta(minutes=7), timedelta(hours=5), timedelta(hours=30), timedelta(hours=73)])


class Life(RuleBasedStateMachine):
    cast: ClassVar[dict[str, User]]
    package: ClassVar[Package]
    builder: ClassVar[Builder]
    chain: ClassVar[Chain | None]

    def __init__(self) -> None:
        super().__init__()
        self.moment: datetime = now()
        with at(self.moment):
            placed = orders.place_order(self.package.pk, actor=self.cast["client"], client_key=uuid7())
            payments.pay_with_test_wallet(placed.invoice_id, actor=self.cast["client"])  # type: ignore[arg-type]
            self._confirm_all()
            orders.answer_requirements(placed.pk, actor=self.cast["client"], answers=ANSWERS)
        self.order: Order = now_of(placed)
        self.due = self.order.due_at
        self.pks: list[Any] = []

    def _confirm_all(self) -> None:
        if self.chain is not None:
            self.chain.confirm()

    # What people press

    def press(self, act: Any) -> bool:
        """Whether it went through. The plain calculation of the due date follows what it did."""
        before, was_open = self.order, self.open
        self.moment += timedelta(seconds=1)
        with at(self.moment):
            try:
                act()
                refused = ""
            except DomainError as refusal:
                refused = refusal.code
        assert refused not in NEVER
        done = not refused
        self.order = now_of(before)
        self.reckon(before, was_open)
        if not done:
            assert Order.objects.filter(pk=before.pk).values().get() == {name: getattr(before, name) for name in self.columns}
        return done

    columns: ClassVar[list[str]] = [field.attname for field in Order._meta.concrete_fields]

    @property
    def open(self) -> Amendment | None:
        return Amendment.objects.with_people().filter(order=self.order).open().first()

    @property
    def latest(self) -> Amendment:
        found = Amendment.objects.with_people().filter(order=self.order).order_by("-created_at", "-pk").first()
        if found is None:
            raise DomainError("There is nothing to press.", code="nothing")
        return found

    def reckon(self, before: Order, was_open: Amendment | None) -> None:
        """The due date by a plain calculation: what one press did to it."""
        closed = None if was_open is None or self.open is not None else now_of(was_open)
        assert self.due is not None
        if closed is not None and before.clock_stopped_at is not None:
            assert before.started_at is not None
            asked_for_time = closed.asks_for_time and closed.status != A.REFUNDED  # then escrow is to blame
            if closed.answer != "The order ended" and not (closed.status == A.WITHDRAWN and closed.by_builder) and not asked_for_time:
                self.due += self.moment - max(before.clock_stopped_at, before.started_at)
            if closed.status == A.COMPLETED:
                self.add_days(before, closed)
        elif was_open is None and self.open is None:
            instant = now_of(self.order).amendments.filter(completed_at=self.moment).first()
            if instant is not None:
                self.add_days(before, instant)
        if self.order.status == S.IN_REVISION and before.status == S.DELIVERED and closed is None:
            self.due = max(self.due, self.moment + timedelta(days=conf.REVISION_DAYS))
        assert self.order.due_at == self.due

    def add_days(self, before: Order, change: Amendment) -> None:
        assert self.due is not None
        if change.asks_for_time and before.delivered_at is not None and before.delivered_at > change.created_at:
            return  # handed over before the later date was in force
        if before.status == S.DELIVERED and change.amendment_type != "top_up":
            days = change.additional_days
            self.due = max(self.due, self.moment) + timedelta(days=days) if days else max(self.due, self.moment + timedelta(days=conf.REVISION_DAYS))
        else:
            self.due += timedelta(days=change.additional_days)

    @rule(span=waits)
    def wait(self, span: timedelta) -> None:
        self.moment += span

    @rule(who=people, terms=st.sampled_from(TERMS))
    def propose(self, who: str, terms: Terms) -> None:
        self.propose_as(who, terms)

    def propose_as(self, who: str, terms: Terms) -> None:
        done = self.press(lambda: actions.propose(self.order.pk, actor=self.cast[who], client_key=uuid7(), terms=terms))
        assert not (done and who == "other")

    @rule(who=people, terms=st.sampled_from(TERMS))
    def revise(self, who: str, terms: Terms) -> None:
        self.revise_as(who, terms)

    def revise_as(self, who: str, terms: Terms) -> None:
        self.press(lambda: actions.revise(self.latest.pk, actor=self.cast[who], client_key=uuid7(), terms=terms))

    def approve_as(self, who: str) -> None:
        self.press(lambda: actions.approve(self.latest.pk, actor=self.cast[who]))

    @rule(who=people)
    def approve(self, who: str) -> None:
        self.approve_as(who)

    @rule(terms=st.sampled_from(TERMS), who=sides)
    def go_on(self, terms: Terms, who: str) -> None:
        """The next step of those who want the change."""
        change = self.open
        if change is None:
            self.propose_as(who, terms)
        elif change.status == A.PENDING:
            self.approve_as("client" if change.by_builder else "builder")
        elif change.status == A.CHANGES_REQUESTED:
            self.revise_as("builder" if change.by_builder else "client", terms)
        elif change.status == A.APPROVED:
            self.pay_now()
        elif change.status == A.FUNDING_FAILED:
            self.retry_as("client")
        else:
            self.confirm_one()

    @rule(who=people)
    def decline(self, who: str) -> None:
        self.press(lambda: actions.decline(self.latest.pk, actor=self.cast[who], reason="No."))

    @rule(who=people)
    def ask(self, who: str) -> None:
        self.press(lambda: actions.ask_for_changes(self.latest.pk, actor=self.cast[who], note="Other."))

    @rule(who=people)
    def withdraw(self, who: str) -> None:
        self.press(lambda: actions.withdraw(self.latest.pk, actor=self.cast[who]))

    @rule()
    def pay(self) -> None:
        self.pay_now()

    def pay_now(self) -> None:
        self.press(lambda: payments.pay_with_test_wallet(self.invoice, actor=self.cast["client"]))

    @property
    def invoice(self) -> Any:
        invoice_id = self.latest.invoice_id
        if invoice_id is None:
            raise DomainError("There is nothing to pay.", code="nothing")
        return invoice_id

    @rule()
    def pay_and_say_nothing(self) -> None:
        """The wallet has approved, and nobody has told us yet."""

        def act() -> None:
            payment = payments.reach_provider(payments.start_payment(self.invoice, actor=self.cast["client"]).pk)
            payments.answer_wallet(payment.pk, actor=self.cast["client"], decision=Decision.APPROVE, manner=Manner.SILENT)
            self.pks.append(payment.pk)

        self.press(act)

    @rule()
    def hear_of_payments(self) -> None:
        for pk in self.pks:

            def act(pk: Any = pk) -> None:
                payments.reconcile_payment(pk)
                payments.settle_invoice(Payment.objects.get(pk=pk).invoice_id)

            self.press(act)

    @rule(who=people)
    def retry(self, who: str) -> None:
        self.retry_as(who)

    def retry_as(self, who: str) -> None:
        self.press(lambda: actions.retry_funding(self.latest.pk, actor=self.cast[who]))

    @rule(who=people)
    def take_back(self, who: str) -> None:
        self.press(lambda: actions.take_money_back(self.latest.pk, actor=self.cast[who]))

    @rule(amount=st.sampled_from(["5.00", "60.00"]), called=st.booleans())
    def give_credit(self, amount: str, called: bool) -> None:
        source = CreditSource.CONSULTATION if called else CreditSource.PROMO
        grant = Grant(Decimal(amount), source, "a credit", builder_id=self.builder.pk if called else None)
        issue_credit(self.cast["client"], grant, actor=None)

    # The order's own life

    @rule()
    def deliver(self) -> None:
        self.press(lambda: orders.deliver(self.order.pk, actor=self.cast["builder"], note="Done."))

    @rule()
    def revision(self) -> None:
        self.press(lambda: orders.request_revision(self.order.pk, actor=self.cast["client"], note="Again."))

    @rule(chance=st.integers(0, 3))
    def accept(self, chance: int) -> None:
        if chance == 0:
            self.press(lambda: orders.accept_delivery(self.order.pk, actor=self.cast["client"]))

    @rule(who=sides, chance=st.integers(0, 3))
    def cancel(self, who: str, chance: int) -> None:
        if chance == 0:
            self.press(lambda: orders.cancel_order(self.order.pk, actor=self.cast[who]))

    # What happens by itself

    @rule()
    def sweep(self) -> None:
        for job in (jobs.expire, payment_jobs.expire_invoices, order_jobs.auto_accept):
            self.press(job)

    @rule()
    def confirm_next(self) -> None:
        self.confirm_one()

    def confirm_one(self) -> None:
        if self.chain is not None and self.chain.waiting():
            self.press(lambda: books.confirm(self.chain.waiting()[0].op_id))

    def confirm_what_waits(self) -> None:
        """One by one, so that the plain calculation follows."""
        while self.chain is not None and self.chain.waiting():
            self.confirm_one()

    @rule(chance=st.integers(0, 1))
    def give_up_next(self, chance: int) -> None:
        """Escrow never takes a change. (That it never gives money back is another story.)"""
        waiting = self.chain.waiting() if self.chain is not None else []
        if chance == 0 and waiting and waiting[0].kind in ("amend", "extend"):
            self.press(lambda: books.give_up(waiting[0].op_id, "The chain says no."))

    # What is always so

    @invariant()
    def one_is_open_and_only_then_the_clock_stands(self) -> None:
        count = Amendment.objects.filter(order=self.order, status__in=OPEN).count()
        assert count <= 1
        assert (self.order.clock_stopped_at is not None) == (count == 1)
        assert count == 0 or self.order.status in LIVE

    @invariant()
    def the_order_is_what_was_agreed_on(self) -> None:
        done = list(Amendment.objects.filter(order=self.order, status=A.COMPLETED).order_by("completed_at"))
        order = self.order
        assert order.price == self.package.price + sum(one.additional_amount for one in done)
        assert order.client_fee == Decimal("9.90") + sum(one.client_fee for one in done)
        assert order.delivery_days == 7 + sum(one.additional_days for one in done)
        assert order.revisions_allowed == 2 + sum(one.additional_revisions for one in done)
        assert order.deliverables == ["Five pages", "A report", *(name for one in done for name in one.additional_deliverables)]
        paid = [one.invoice for one in done if one.invoice is not None]
        assert order.credit == order_credit(order) + sum(one.credit for one in paid)
        assert all(one.paid_at is not None for one in done if one.additional_amount)

    @invariant()
    def each_change_is_funded_once_and_escrow_holds_the_price(self) -> None:
        taken = EscrowOperation.objects.filter(subject_id=self.order.pk, applied_at__isnull=False)
        assert taken.filter(kind__in=["open", "amend"]).aggregate(sum=Sum("amount"))["sum"] == self.order.price
        for one in Amendment.objects.filter(order=self.order):
            tries = EscrowOperation.objects.filter(op_id__startswith=f"amendment:{one.pk}:").exclude(op_id__endswith=":date")
            alive = tries.exclude(status__in=VOID)
            assert alive.count() <= 1
            assert alive.filter(applied_at__isnull=False).exists() == (one.status == A.COMPLETED and bool(one.funding))
        if self.order.status in LIVE:
            assert ledger.balance("escrow", subject=self.order.pk) == self.order.price

    @invariant()
    def the_clients_account_holds_what_is_on_its_way(self) -> None:
        moving = Amendment.objects.filter(order__client=self.cast["client"], status__in=[A.PAID, A.FUNDING, A.FUNDING_FAILED])
        expected = sum((one.additional_amount for one in moving), Decimal(0))
        assert ledger.balance("client", owner=self.cast["client"].pk) == expected

    def teardown(self) -> None:
        """Everything that is on its way arrives; then the money is where it belongs."""
        if not hasattr(self, "pks"):
            return
        self.hear_of_payments()
        self.confirm_what_waits()
        if (left := self.open) is not None and left.status == A.FUNDING_FAILED:
            self.press(lambda: actions.take_money_back(left.pk, actor=self.cast["client"]))
        self.confirm_what_waits()
        self.moment += timedelta(hours=200)
        self.sweep()
        self.confirm_what_waits()
        order = self.order = now_of(self.order)
        assert self.open is None
        if order.status in LIVE:
            self.press(lambda: orders.cancel_order(order.pk, actor=self.cast["builder"]))
            self.confirm_what_waits()
        order = now_of(order)
        assert_books_balance()
        assert not LedgerAccount.objects.filter(kind="client").exclude(balance=0).exists()
        paid = Payment.objects.filter(invoice__deal_id=order.pk, status="succeeded")
        came = sum((one.amount for one in paid), Decimal(0))
        back = sum((one.amount for one in Refund.objects.filter(payment__in=paid)), Decimal(0))
        assert came - back == (0 if order.status == S.CANCELLED else order.total)
        assert ledger.balance("escrow", subject=order.pk) == (order.price if order.status in LIVE else 0)


def order_credit(order: Order) -> Decimal:
    """What credits paid of the package itself."""
    assert order.invoice is not None
    credit: Decimal = order.invoice.credit
    return credit


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["ledger", "web3"])
def test_any_life_of_an_order_and_its_changes(
    backend: str, request: pytest.FixtureRequest, client_user: User, builder_user: User, stranger: User, builder: Builder, package: Package
) -> None:
    Life.cast = {"client": client_user, "builder": builder_user, "other": stranger}
    Life.package, Life.builder = package, builder
    Life.chain = request.getfixturevalue("chain") if backend == "web3" else None
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=30, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


EXAMPLES = 6
