"""One client and one builder, and everything that can happen to money between them: bought, changed, lowered, given back, merged, split,
taken apart, disputed, delivered, cancelled; with credits that come and go, and a chain that may give up what was asked of it.

What staff do goes through plans, as in the console: what a preview says can be done has to be done, and to come to just what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.kit.money import ZERO
from port444.orders import actions
from port444.orders.actions import plan_again
from port444.orders.actions.telling import deal
from port444.orders.models import LIVE, RUNNING, CancelCause, Dispute, DisputeReason, DisputeStatus, Order, OrderStatus
from port444.payments import escrow, ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import Compensation, Credit, CreditEntry, CreditSource, EscrowOperation, Payment, Refund
from support.actions import approve_plan, draft_plan, execute_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind, PlanStatus
from tests.confirming import confirm_all, confirm_one, ready
from tests.conftest import assert_books_balance
from tests.orders.conftest import ANSWERS

S, D = OrderStatus, Decimal
GOES_ON = (CancelCause.MERGED, CancelCause.UNDONE)
# Twice what joins and parts orders: what goes wrong with shared payments takes several of these.
STEPS = (
    *("buy", "merge", "merge", "split", "split", "undo", "amend", "reduce", "waive", "take back", "goodwill", "credit", "void", "deliver", "accept"),
    *("revise", "cancel", "end", "dispute", "settle", "decide", "withdraw", "finish"),
)
ON_A_CHAIN = ("confirm", "confirm", "confirm", "give up", "finish")
number = st.integers(0, 9)
cents = st.integers(500, 90_000)


def lives(steps: tuple[str, ...], most: int) -> st.SearchStrategy[Any]:
    bought = st.lists(st.tuples(cents, st.integers(0, 60_000), st.booleans()), min_size=2, max_size=3)  # price, credit before it, from a call
    return st.tuples(bought, st.lists(st.tuples(st.sampled_from(steps), number, number, st.integers(1, 110)), min_size=4, max_size=most))


class World:
    """`settle` carries out what escrow was asked for; without it everything is done at once."""

    def __init__(self, client: User, builder: User, staff: User, second: User, package: Package, settle: Callable[[], object] = confirm_all) -> None:
        self.client, self.builder, self.staff, self.second, self.package = client, builder, staff, second, package
        self.settle = settle
        self.gave_up = False
        self.start = self.sums()

    def sums(self) -> dict[str, Decimal]:
        found = {"earnings": ledger.balance("earnings", self.builder.pk), "client": ledger.balance("client", owner=self.client.pk)}
        return found | {name: ledger.balance(name) for name in ("fees", "losses", "credits")}

    @property
    def orders(self) -> list[Order]:
        return list(Order.objects.with_people().filter(client=self.client, paid_at__isnull=False).order_by("number"))

    # What happens

    def buy(self, price: int, credit: int, *, prepaid: bool = False) -> None:
        if credit:
            source = CreditSource.CONSULTATION if prepaid else CreditSource.PROMO
            issue_credit(self.client, Grant(D(credit) / 100, source, "a test", builder_id=self.builder.builder.pk), actor=None)
        Package.objects.filter(pk=self.package.pk).update(price=D(price) / 100)
        order = actions.place_order(self.package.pk, actor=self.client, client_key=uuid7())
        if order.status == S.PENDING_PAYMENT:
            assert order.invoice_id is not None
            pay_with_test_wallet(order.invoice_id, actor=self.client)
        self.settle()
        actions.answer_requirements(order.pk, actor=self.client, answers=ANSWERS)

    def live(self, life: Any) -> None:
        bought, steps = life
        for price, credit, prepaid in bought:
            self.buy(price, credit, prepaid=prepaid)
        for what, one, other, percent in steps:
            self.step(what, one, other, percent)
            self.check()
        self.end()

    def step(self, what: str, one: int, other: int, percent: int) -> None:
        rows = [order for order in self.orders if order.cancel_cause not in GOES_ON]
        order = rows[one % len(rows)]
        if what in BY_PLAN:
            BY_PLAN[what](self, order, one, other, percent)
            return
        with suppress(DomainError):
            PRESSED[what](self, order, one, percent)

    def plan(self, kind: PlanKind, asked: dict[str, Any], about: About) -> Plan | None:
        """Drafted, asked for, approved and done; None when the preview says that it cannot be. What it says can be done is done."""
        try:
            drafted = draft_plan(kind, actor=self.staff, asked=asked, reason="A test", about=about)
        except DomainError:
            return None
        if drafted.figures["blocked"]:
            return None
        had = self.went_back()
        plan = submit_plan(drafted.pk, actor=self.staff, seen=drafted.figures_sha256)
        if plan.status == PlanStatus.REQUESTED:
            approve_plan(plan.pk, actor=self.second, seen=plan.figures_sha256)
            plan = execute_plan(plan.pk)
        assert plan.status == PlanStatus.EXECUTED, (kind, asked, plan.status, plan.error)
        assert plan.figures_sha256 == drafted.figures_sha256
        if kind == PlanKind.REFUND and asked["what"] != "rest" and not EscrowOperation.objects.open().exists():
            extra = sum((D(line["after"].replace(",", "")) for line in plan.figures["figures"] if "did not take" in line["label"]), ZERO)
            assert self.went_back() - had == plan.amount + extra, plan.figures
        return plan

    def went_back(self) -> Decimal:
        """To the client, in money and as credits, unless those were taken back meanwhile."""
        back = CreditEntry.objects.filter(credit__user=self.client, step__in=["returned", "freed"]).values_list("amount", flat=True)
        return sum(back, ZERO) + sum(Refund.objects.values_list("amount", flat=True), ZERO)

    # What has to be true at any time

    def check(self) -> None:
        assert_books_balance()
        for payment in Payment.objects.prefetch_related("refunds"):
            assert sum((refund.amount for refund in payment.refunds.all()), ZERO) == payment.refunded <= payment.amount
        for order in self.orders:
            assert ZERO <= order.prepaid <= order.credit <= order.price
        if EscrowOperation.objects.open().exists() or self.gave_up:
            return
        for order in self.orders:
            place, runs = escrow.current().position(deal(order)), order.status in LIVE
            assert place.locked == ledger.balance("escrow", subject=order.pk) == (order.price if runs else ZERO), order
            assert place.lent == (order.credit if runs else ZERO), order
            assert place.held == (order.disputed_at is not None)
        self.check_sums()

    def check_sums(self) -> None:
        """What was paid is in what runs and in what was done, or has gone back; and nothing else has."""
        paid = sum(Payment.objects.filter(settled_at__isnull=False).values_list("amount", flat=True), ZERO)
        back = sum(Refund.objects.filter(payment__settled_at__isnull=False).values_list("amount", flat=True), ZERO)
        kept = [order for order in self.orders if order.status in RUNNING or order.status == S.COMPLETED]
        made = list(Compensation.objects.filter(client=self.client))
        waiting = Amendment.objects.filter(status=AmendmentStatus.FUNDING_FAILED).select_related("invoice")
        not_in_force = sum((one.invoice.total for one in waiting if one.invoice is not None), ZERO)
        given = sum((one.amount + one.fee - one.prepaid - one.gift for one in made), ZERO)
        assert paid - back == sum((order.total for order in kept), ZERO) - given + not_in_force

    # The end

    def end(self) -> None:
        """Everything that runs is ended, by the two themselves or by support. Then nothing is anywhere where nobody can reach it."""
        self.settle()
        for turn in range(60):
            self.finish()
            rows = [order for order in self.orders if order.status in RUNNING]
            if not rows:
                break
            self.end_one(rows[0], turn)
            self.settle()
        self.finish()
        assert not EscrowOperation.objects.open().exists()
        rows = self.orders
        assert {order.status for order in rows} <= {S.COMPLETED, S.CANCELLED}
        assert [order for order in rows if ledger.balance("escrow", subject=order.pk)] == []
        self.gave_up = False
        self.check()
        self.check_end(rows)

    def finish(self) -> None:
        for order in self.orders:
            if plan_again(order):
                assert self.plan(PlanKind.REFUND, {"what": "rest"}, self.about(order)) is not None
                self.settle()

    def end_one(self, order: Order, turn: int) -> None:
        if order.disputed_at is not None:
            dispute = Dispute.objects.live().get(order=order)
            actions.settle_dispute(dispute.pk, actor=self.builder, seen=dispute.to_client)
            return
        for amendment in Amendment.objects.filter(order=order, status=AmendmentStatus.FUNDING_FAILED):
            amendments.take_money_back(amendment.pk, actor=self.client)
        with suppress(DomainError):
            if turn % 3 == 0:
                actions.cancel_order(order.pk, actor=self.builder)
                return
            if turn % 3 == 1:
                if order.status != S.DELIVERED:
                    actions.deliver(order.pk, actor=self.builder, note="Done.")
                    self.settle()
                actions.accept_delivery(order.pk, actor=self.client)
                return
        if turn % 3 == 2 or turn > 30:
            assert self.plan(PlanKind.REFUND, {"what": "cancel", "why": "quality"}, self.about(order)) is not None, order.status

    def check_end(self, rows: list[Order]) -> None:
        now, done = self.sums(), [order for order in rows if order.status == S.COMPLETED]
        made = list(Compensation.objects.filter(client=self.client))
        gained = {name: now[name] - self.start[name] for name in now}
        assert gained["client"] == 0
        assert gained["losses"] == -sum((one.from_platform for one in made), ZERO)
        earned = sum((order.builder_share for order in done), ZERO) - sum((one.from_builder for one in made), ZERO)
        fees = sum((order.builder_fee + order.client_fee for order in done), ZERO) - sum((one.builder_fee + one.fee for one in made), ZERO)
        # What the builder had before and what the platform gives is told apart to the cent, where money came in more than once.
        cents_ = D("0.01") * EscrowOperation.objects.filter(kind="release").count() if self.gave_up or any(one.prepaid for one in rows) else ZERO
        assert abs(gained["earnings"] - earned) <= cents_
        assert abs(gained["fees"] - fees) <= cents_
        if not cents_:
            lent = sum((order.credit for order in done), ZERO) - sum((one.prepaid + one.gift for one in made), ZERO)
            assert gained["credits"] == -lent
            spent = CreditEntry.objects.filter(credit__user=self.client, step="spent").values_list("amount", flat=True)
            back = CreditEntry.objects.filter(credit__user=self.client, step="returned").values_list("amount", flat=True)
            assert sum(spent, ZERO) - sum(back, ZERO) == lent

    def about(self, order: Order, other: Order | None = None, undoes: Plan | None = None) -> About:
        return About(target_user=self.client, order=order, other_order=other, undoes=undoes)


def part_of(whole: Decimal, percent: int) -> str:
    return str((whole * percent / 100).quantize(D("0.01")))


# By plans of staff


def _merge(world: World, order: Order, one: int, other: int, percent: int) -> None:
    rows = [row for row in world.orders if row.status in LIVE]
    if rows:
        world.plan(PlanKind.MERGE, {}, world.about(order, rows[other % len(rows)]))


def _split(world: World, order: Order, one: int, other: int, percent: int) -> None:
    places = [0] if len(order.deliverables) > 1 else []
    asked = {"title": "A part", "price": part_of(order.price, percent), "deliverables": places, "revisions": 0}
    world.plan(PlanKind.SPLIT, asked, world.about(order))


def _undo(world: World, order: Order, one: int, other: int, percent: int) -> None:
    done = Plan.objects.filter(kind__in=[PlanKind.MERGE, PlanKind.SPLIT], status=PlanStatus.EXECUTED, undone_by__isnull=True).order_by("number")
    plans = list(done)
    if plans:
        plan = plans[other % len(plans)]
        world.plan(PlanKind.UNDO, {}, About(target_user=world.client, undoes=plan))


def _refund(what: str, whole: Callable[[Order], Decimal]) -> Callable[[World, Order, int, int, int], None]:
    def press(world: World, order: Order, one: int, other: int, percent: int) -> None:
        if (what, order.status in LIVE) in (("reduce", False), ("take back", True), ("waive", False)):
            return
        kind = "scope" if what in ("reduce", "take back") else "goodwill"
        world.plan(PlanKind.REFUND, {"what": kind, "amount": part_of(whole(order), percent), "why": "late"}, world.about(order))

    return press


def _end(world: World, order: Order, one: int, other: int, percent: int) -> None:
    world.plan(PlanKind.REFUND, {"what": "cancel", "why": "quality"}, world.about(order))


def _finish(world: World, order: Order, one: int, other: int, percent: int) -> None:
    world.plan(PlanKind.REFUND, {"what": "rest"}, world.about(order))


def _credit(world: World, order: Order, one: int, other: int, percent: int) -> None:
    asked = {"amount": f"{percent}.{one}{other}", "label": "A test", "scope": "all"}
    world.plan(PlanKind.CREDIT, asked, About(target_user=world.client))


def _void(world: World, order: Order, one: int, other: int, percent: int) -> None:
    credits = list(Credit.objects.filter(user=world.client).order_by("pk"))
    if credits:
        asked = {"credit": str(credits[one % len(credits)].pk), "told": "It was given by mistake."}
        world.plan(PlanKind.CREDIT_VOID, asked, About(target_user=world.client))


def _decide(world: World, order: Order, one: int, other: int, percent: int) -> None:
    dispute = Dispute.objects.filter(order=order).live().first()
    if dispute is None:
        return
    if dispute.status == DisputeStatus.OPEN and dispute.to_client > 0:
        actions.answer_dispute(dispute.pk, actor=world.builder, answer="I see it otherwise.", offer=ZERO)
    dispute.refresh_from_db()
    if dispute.status == DisputeStatus.ANSWERED:
        actions.escalate_dispute(dispute.pk, actor=world.client)
    asked = {"to_client": part_of(dispute.amount, min(percent, 100)), "decision": "So it is."}
    world.plan(PlanKind.DISPUTE, asked, About(order=order, dispute=dispute))


BY_PLAN: dict[str, Callable[[World, Order, int, int, int], None]] = {
    "merge": _merge,
    "split": _split,
    "undo": _undo,
    "reduce": _refund("reduce", lambda order: order.price),
    "waive": _refund("waive", lambda order: order.client_fee),
    "take back": _refund("take back", lambda order: order.price),
    "goodwill": _refund("goodwill", lambda order: order.price),
    "end": _end,
    "finish": _finish,
    "credit": _credit,
    "void": _void,
    "decide": _decide,
}


# By the two themselves, and by the chain


def _amend(world: World, order: Order, one: int, percent: int) -> None:
    terms = Terms(AmendmentType.TOP_UP, "It was more work.", amount=D(percent) + D(one) / 100)
    asked = amendments.propose(order.pk, actor=world.builder, client_key=uuid7(), terms=terms)
    approved = amendments.approve(asked.pk, actor=world.client)
    if approved.status == AmendmentStatus.APPROVED:
        assert isinstance(approved.invoice_id, UUID)
        pay_with_test_wallet(approved.invoice_id, actor=world.client)


def _dispute(world: World, order: Order, one: int, percent: int) -> None:
    said: dict[str, Any] = {"reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": D(part_of(order.price, min(percent, 100)))}
    actions.open_dispute(order.pk, actor=world.client, client_key=uuid7(), **said)


def _settle(world: World, order: Order, one: int, percent: int) -> None:
    dispute = Dispute.objects.filter(order=order).live().first()
    if dispute is not None:
        actions.settle_dispute(dispute.pk, actor=world.builder, seen=dispute.to_client)


def _withdraw(world: World, order: Order, one: int, percent: int) -> None:
    dispute = Dispute.objects.filter(order=order).live().first()
    if dispute is not None:
        actions.withdraw_dispute(dispute.pk, actor=world.client)


def _give_up(world: World, order: Order, one: int, percent: int) -> None:
    waiting = ready()
    if waiting:
        world.gave_up = True
        books.give_up(waiting[one % len(waiting)].pk, "The contract said no.")


PRESSED: dict[str, Callable[[World, Order, int, int], object]] = {
    "buy": lambda world, order, one, percent: world.buy(100 * percent + one, 0),
    "amend": _amend,
    "deliver": lambda world, order, one, percent: actions.deliver(order.pk, actor=world.builder, note="Done."),
    "accept": lambda world, order, one, percent: actions.accept_delivery(order.pk, actor=world.client),
    "revise": lambda world, order, one, percent: actions.request_revision(order.pk, actor=world.client, note="Once more."),
    "cancel": lambda world, order, one, percent: actions.cancel_order(order.pk, actor=world.builder),
    "dispute": _dispute,
    "settle": _settle,
    "withdraw": _withdraw,
    "confirm": lambda world, order, one, percent: confirm_one(percent),
    "give up": _give_up,
}
