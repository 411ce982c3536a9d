"""Every operation that takes an Idempotency-Key: the same call from several at one moment, and once more later, has one effect and one answer.

On a real PostgreSQL with real transactions. `test_every_one_is_here` compares with the description, so that a new operation has to be added.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import Max
from PIL import Image

from amendments import actions as amendments
from amendments.models import AmendmentStatus
from auditlog.models import AuditLog
from consultations import actions as calls
from consultations.actions.availability import Terms
from consultations.models import Consultation
from consultations.slots import Window
from port444.accounts.models import AnsweredCall, User
from port444.api import api
from port444.builders.actions import add_piece
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit import clock
from port444.messaging.actions import open_conversation
from port444.orders import actions as orders
from port444.orders.models import Offer, Order, OrderStatus
from port444.orders.terms import terms_of_package
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.models import CreditSource
from support import actions as support
from support.actions.plans import About
from support.models import Plan, PlanKind
from tests.amendments.conftest import ALL, Chain, Propose, chain, chain_order, order, propose
from tests.amendments.test_approve import pay
from tests.architecture.test_urls import rows
from tests.orders.test_disputes import answer, open_by

from .conftest import Caller
from .test_once import at_once

__all__ = ["chain", "chain_order", "order", "propose"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("detectors_have_read"), pytest.mark.timeout(900)]
AT_ONCE = 3
Make = Callable[..., Caller]
S = OrderStatus
TOLD = {"told": "Somebody else may have your password.", "reason": "Ticket 5531"}
WORDS = {"reason": "Ticket 5531"}
HALF: dict[str, Any] = {"to_client": Decimal("90.00"), "reason": "We had other plans."}
DIVIDED = {"to_client": "80.00", "reason": "Two pages are done."}
WORK = {
    "amendment_type": "scope_change",
    "reason": "More.",
    "description": "Also the reports.",
    "additional_amount": "25.00",
    "additional_days": 3,
}


@dataclass
class Call:
    """What is called: by whom, where, with what, and when."""

    who: User
    path: str
    body: Any = None
    file: tuple[str, Callable[[], Any]] | None = None
    moment: datetime | None = None


@dataclass
class Scene:
    """People, and how the states are reached from which each operation goes."""

    client: User
    seller: Builder
    staff: User
    senior: User
    package: Package
    make_order: Callable[..., Order]
    hours: int = 0

    @property
    def builder(self) -> User:
        return self.seller.user

    def change(self) -> Any:
        return amendments.propose(self.make_order(S.IN_PROGRESS).pk, actor=self.builder, client_key=uuid4(), terms=ALL[0])

    def call(self, *, paid: bool = True) -> Consultation:
        """Each at an hour of its own."""
        self.hours += 1
        start = (clock.now() + timedelta(days=2)).replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(hours=self.hours)
        held = calls.hold_slot(self.seller.pk, actor=self.client, minutes=30, starts_at=start, client_zone="UTC", client_key=uuid4())
        assert held.invoice_id is not None
        if paid:
            payments.pay_with_test_wallet(held.invoice_id, actor=self.client)
        return Consultation.objects.get(pk=held.pk)

    def free(self) -> str:
        self.hours += 1
        start = (clock.now() + timedelta(days=2)).replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(hours=self.hours)
        return f"{start:%Y-%m-%dT%H:%M:%SZ}"

    def talk(self) -> Any:
        """In which no offer stands."""
        talk = open_conversation(self.client, self.builder, actor=self.client)
        for old in Offer.objects.filter(conversation=talk, status="open"):
            orders.withdraw_offer(old.pk, actor=self.client if old.by_client else self.builder)
        return talk

    def offer(self) -> Offer:
        talk = self.talk()
        package = Package.objects.select_related("service").get(pk=self.package.pk)
        return orders.send_offer(talk.pk, actor=self.builder, terms=terms_of_package(package, Decimal("150.00")), client_key=uuid4())

    def parting(self) -> Any:
        return orders.propose_parting(self.make_order(S.IN_PROGRESS).pk, actor=self.builder, client_key=uuid4(), **HALF)

    def dispute(self) -> Any:
        return open_by(self.make_order(S.DELIVERED), self.client, "120.00")

    def credit(self, amount: str = "5.00") -> Any:
        return payments.issue_credit(self.client, payments.Grant(Decimal(amount), CreditSource.PROMO, "welcome"), actor=None)

    def earn(self, amount: int) -> None:
        ledger.post(f"test {uuid4()}", "Earned", [(ledger.EXTERNAL, Decimal(-amount)), (ledger.earnings(self.builder.pk), Decimal(amount))])

    def plan(self, amount: str) -> Plan:
        asked = {"amount": amount, "label": "For the days"}
        return support.draft_plan(PlanKind.CREDIT, actor=self.staff, asked=asked, reason="Ticket", about=About(target_user=self.client))

    def waiting(self) -> Plan:
        plan = self.plan("500.00")
        return support.submit_plan(plan.pk, actor=self.staff, seen=plan.figures_sha256)

    def merged(self) -> Plan:
        """Executed, by two."""
        about = About(target_user=self.client, order=self.make_order(S.IN_PROGRESS), other_order=self.make_order(S.IN_PROGRESS))
        plan = support.draft_plan(PlanKind.MERGE, actor=self.staff, asked={}, reason="One project", about=about)
        support.submit_plan(plan.pk, actor=self.staff, seen=plan.figures_sha256)
        support.approve_plan(plan.pk, actor=self.senior, seen=plan.figures_sha256)
        return support.execute_plan(plan.pk)


def picture() -> Any:
    content = io.BytesIO()
    Image.new("RGB", (9, 5), "#336699").save(content, "PNG")
    return SimpleUploadedFile("ferry.png", content.getvalue())


FILE = ("uploads", lambda: SimpleUploadedFile("a.txt", b"a"))


def accepted_change(s: Scene) -> Call:
    change = amendments.approve(s.change().pk, actor=s.client)
    return Call(s.client, f"/amendments/{change.pk}/pay")


def countered(s: Scene) -> Call:
    offer = s.offer()
    terms = terms_of_package(Package.objects.select_related("service").get(pk=s.package.pk), Decimal("140.00"))
    counter = orders.counter_offer(offer.pk, actor=s.client, terms=terms, client_key=uuid4())
    return Call(s.builder, f"/offers/{counter.pk}/send")


def reported(s: Scene) -> Call:
    call = s.call()
    moment = call.scheduled_at + timedelta(minutes=6)
    with clock.at(moment):
        calls.report_absence(call.pk, actor=s.client, note="")
    return Call(s.builder, f"/consultations/{call.pk}/absence/admit", moment=moment)


def absent(s: Scene) -> Call:
    call = s.call()
    return Call(s.client, f"/consultations/{call.pk}/absence", {"note": "Nobody."}, moment=call.scheduled_at + timedelta(minutes=6))


def converted(s: Scene) -> Call:
    call = s.call()
    with clock.at(call.ends_at):
        calls.complete_call(call.pk, actor=s.builder)
    return Call(s.client, f"/consultations/{call.pk}/convert", {"package_id": str(s.package.pk)}, moment=call.ends_at)


def proposed(s: Scene) -> Call:
    call = s.call()
    proposal = calls.propose_move(call.pk, actor=s.builder, starts_at=datetime.fromisoformat(s.free()))
    return Call(s.client, f"/call-proposals/{proposal.pk}/accept")


def settled(s: Scene) -> Call:
    dispute = s.dispute()
    answer(dispute, s.builder, "30.00")
    return Call(s.client, f"/disputes/{dispute.pk}/settle", {"seen": "30.00"})


def escalated(s: Scene, verb: str, body: Any) -> Call:
    dispute = s.dispute()
    answer(dispute, s.builder, "30.00")
    orders.escalate_dispute(dispute.pk, actor=s.client)
    return Call(s.staff, f"/support/disputes/{dispute.pk}/{verb}", body)


def asked_out(s: Scene) -> Call:
    s.earn(40)
    made = payments.request_withdrawal(actor=s.builder, amount=Decimal("20.00"), client_key=uuid4())
    return Call(s.builder, f"/withdrawals/{made.pk}/cancel")


def withdrawing(s: Scene) -> Call:
    s.earn(40)
    return Call(s.builder, "/withdrawals", {"amount": "20.00"})


def pictured(s: Scene) -> Call:
    piece = add_piece(s.seller.pk, actor=s.builder, title="A ferry")
    return Call(s.builder, f"/portfolio/{piece.pk}/pictures", file=("picture", picture))


def photographed(s: Scene) -> Call:
    return Call(s.builder, "/profile/photo", file=("photo", picture))


def two_orders(s: Scene) -> dict[str, str]:
    first, second = s.make_order(S.IN_PROGRESS), s.make_order(S.IN_PROGRESS)
    return {"order_id": str(first.pk), "other_order_id": str(second.pk), **WORDS}


CALLS: dict[str, Callable[[Scene], Call]] = {
    "accept_call_proposal": proposed,
    "accept_delivery": lambda s: Call(s.client, f"/orders/{s.make_order(S.DELIVERED).pk}/accept"),
    "accept_offer": lambda s: Call(s.client, f"/offers/{s.offer().pk}/accept"),
    "accept_parting": lambda s: Call(s.client, f"/partings/{s.parting().pk}/accept"),
    "add_portfolio_picture": pictured,
    "add_dispute_evidence": lambda s: Call(s.client, f"/disputes/{s.dispute().pk}/evidence", {"text": "See."}),
    "add_dispute_files": lambda s: Call(s.client, f"/disputes/{s.dispute().pk}/evidence/files", file=FILE),
    "add_requirement_files": lambda s: Call(s.client, f"/orders/{s.make_order(S.PENDING_REQUIREMENTS).pk}/requirements/3/files", file=FILE),
    "admit_consultation_absence": reported,
    "answer_dispute": lambda s: Call(s.builder, f"/disputes/{s.dispute().pk}/answer", {"answer": "No.", "offer": "10.00"}),
    "approve_support_plan": lambda s: (lambda plan: Call(s.senior, f"/support/plans/{plan.pk}/approve", {"seen": plan.figures_sha256}))(s.waiting()),
    "ask_in_support_dispute": lambda s: escalated(s, "questions", {"text": "Which pages?"}),
    "cancel_consultation": lambda s: Call(s.client, f"/consultations/{s.call().pk}/cancel", {}),
    "cancel_order": lambda s: Call(s.builder, f"/orders/{s.make_order(S.IN_PROGRESS).pk}/cancel", {}),
    "cancel_withdrawal": asked_out,
    "change_dispute_figure": lambda s: Call(s.client, f"/disputes/{s.dispute().pk}/figure", {"to_client": "100.00"}),
    "convert_consultation": converted,
    "counter_parting": lambda s: Call(s.client, f"/partings/{s.parting().pk}/counter", DIVIDED),
    "counter_offer": lambda s: Call(
        s.client, f"/offers/{s.offer().pk}/counter", {"price": "100.00", "delivery_days": 6, "revisions": 1, "scope": "Two."}
    ),
    "decide_support_dispute": lambda s: escalated(s, "decide", {"to_client": "72.00", "decision": "Three of five.", **WORDS}),
    "deliver_files": lambda s: Call(s.builder, f"/orders/{s.make_order(S.IN_PROGRESS).pk}/deliver/files", file=FILE),
    "hold_consultation": lambda s: Call(s.client, "/consultations", {"builder_id": str(s.seller.pk), "minutes": 30, "starts_at": s.free()}),
    "hold_support_payouts": lambda s: Call(s.staff, f"/support/users/{s.builder.pk}/payouts", TOLD | {"days": 3}),
    "issue_support_credit": lambda s: Call(s.staff, "/support/credits", {"user_id": str(s.client.pk), "amount": "5.00", "label": "Sorry", **WORDS}),
    "make_offer": lambda s: Call(
        s.builder,
        f"/conversations/{s.talk().pk}/offers",
        {"service_id": str(s.package.service_id), "title": "Three pages", "scope": "The slowest.", "price": "120.00", "delivery_days": 5},
    ),
    "merge_support_orders": lambda s: Call(s.staff, "/support/orders/merge", two_orders(s)),
    "move_consultation": lambda s: Call(s.client, f"/consultations/{s.call().pk}/move", {"starts_at": s.free()}),
    "open_dispute": lambda s: Call(
        s.client, f"/orders/{s.make_order(S.DELIVERED).pk}/disputes", {"reason": "other", "claim": "Slow.", "to_client": "90.00"}
    ),
    "open_incident": lambda s: Call(
        s.staff, "/incident-logs", {"user_id": str(s.client.pk), "incident_type": "suspicious_activity", "description": "Three cards."}
    ),
    "pay_amendment": accepted_change,
    "pay_invoice": lambda s: Call(s.client, f"/invoices/{s.make_order().invoice_id}/pay"),
    "place_order": lambda s: Call(s.client, "/orders", {"package_id": str(s.package.pk)}),
    "propose_amendment": lambda s: Call(s.builder, f"/orders/{s.make_order(S.IN_PROGRESS).pk}/amendments", WORK),
    "propose_parting": lambda s: Call(s.client, f"/orders/{s.make_order(S.IN_PROGRESS).pk}/partings", DIVIDED),
    "refund_by_support": lambda s: Call(
        s.staff, "/support/refunds", {"order_id": str(s.make_order(S.IN_PROGRESS).pk), "amount": "20.00", "why": "late", **WORDS}
    ),
    "put_photo": photographed,
    "report_consultation_absence": absent,
    "revise_amendment": lambda s: Call(s.builder, f"/amendments/{s.change().pk}/versions", WORK),
    "run_support_macro": lambda s: Call(
        s.staff,
        "/support/macros",
        {"macro": "late_order", "order_id": str(s.make_order(S.IN_PROGRESS).pk), "amount": "5.00", "label": "Sorry", **WORDS},
    ),
    "send_counter": countered,
    "send_files": lambda s: Call(s.client, f"/conversations/{s.talk().pk}/messages/files", file=FILE),
    "settle_dispute": settled,
    "split_support_order": lambda s: Call(
        s.staff,
        "/support/orders/split",
        {"order_id": str(s.make_order(S.IN_PROGRESS).pk), "title": "The rest", "price": "60.00", "deliverables": [0], **WORDS},
    ),
    "submit_support_plan": lambda s: (lambda plan: Call(s.staff, f"/support/plans/{plan.pk}/submit", {"seen": plan.figures_sha256}))(s.plan("4.00")),
    "undo_support_plan": lambda s: Call(s.staff, f"/support/plans/{s.merged().pk}/undo", WORDS),
    "void_support_credit": lambda s: Call(s.staff, f"/support/credits/{s.credit().pk}/void", TOLD),
    "withdraw": withdrawing,
    # After these there is no client any more.
    "suspend_support_user": lambda s: Call(s.staff, f"/support/users/{s.client.pk}/suspend", TOLD),
    "reinstate_support_user": lambda s: Call(s.staff, f"/support/users/{s.client.pk}/reinstate", WORDS),
}
FAILED = ("refund_amendment", "retry_amendment")  # which go from what a chain refused


def send(program: Caller, call: Call, key: str, body: Any) -> Any:
    if call.file:
        field, make = call.file
        return program.upload(call.path, make(), to=field, idempotency_key=key)
    return program.post(call.path, body, idempotency_key=key)


def happens_once(name: str, call: Call, caller: Make) -> None:
    """From several at once, and once more later; under the key of one call no other is taken."""
    key, program, kept = str(uuid4()), caller(call.who), AnsweredCall.objects.count()
    recorded = AuditLog.objects.aggregate(last=Max("id"))["last"]
    with clock.at(call.moment or clock.now()):
        contexts = [copy_context() for _ in range(AT_ONCE)]
        said = at_once([partial(context.run, send, program, call, key, call.body) for context in contexts])
        assert {one.status_code for one in said} <= {200, 201, 202}, (name, [one.content for one in said])
        assert len({one.content for one in said}) == 1, name
        assert sum("Idempotency-Replayed" not in one for one in said) == 1, name
        assert AnsweredCall.objects.count() == kept + 1, name
        acted = set(AuditLog.objects.filter(id__gt=recorded).exclude(request_id=None).values_list("request_id", flat=True))
        assert len(acted) == 1, (name, "the log says how many of them did something")
        before = written()
        replayed, other = send(program, call, key, call.body), program.post(call.path, {"other": 1}, idempotency_key=key)
    assert (replayed.status_code, replayed.content, replayed["Idempotency-Replayed"]) == (said[0].status_code, said[0].content, "true"), name
    assert other.status_code == 422, (name, other.content)
    assert written() == before, name


def written() -> dict[str, int]:
    return {table: count for table, count in rows().items() if table != "accounts.ApiAllowance"}


def test_every_one_is_here() -> None:
    wanted = {
        one["operationId"]
        for by_method in api.get_openapi_schema()["paths"].values()
        for method, one in by_method.items()
        if any(part["name"] == "Idempotency-Key" and part["required"] for part in one.get("parameters", ()))
    }
    assert wanted == {*CALLS, *FAILED}


@pytest.fixture
def scene(
    client_user: User, builder: Builder, staff: User, senior: User, package: Package, make_order: Callable[..., Order], settings: Any, tmp_path: Any
) -> Scene:
    settings.STAFF_SECOND_FACTOR, settings.MEDIA_ROOT = False, tmp_path
    settings.CLEARING_DAYS = settings.PAYOUT_REST_HOURS = 0
    settings.API_A_MINUTE = {"reads": 10**6, "writes": 10**6}
    hours = [Window(day, 0, 24 * 60) for day in range(7)]
    calls.set_availability(builder.pk, actor=builder.user, enabled=True, prices={30: Decimal("60.00")}, windows=hours, terms=Terms("UTC", 4, 60, 0))
    Builder.objects.filter(pk=builder.pk).update(meeting_url="https://meet.example/anaya")
    payments.change_payout_address("0x" + "ab" * 20, actor=builder.user)
    return Scene(client_user, builder, staff, senior, package, make_order)


def test_every_call_with_a_key_happens_once(scene: Scene, caller: Make) -> None:
    for name, prepare in CALLS.items():
        with transaction.atomic():
            call = prepare(scene)
        happens_once(name, call, caller)


@pytest.mark.parametrize("verb", ["retry", "money-back"])
def test_what_escrow_refused_is_repaired_once(verb: str, chain_order: Order, client_user: User, propose: Propose, chain: Chain, caller: Make) -> None:
    paid = pay(amendments.approve(propose(chain_order).pk, actor=client_user))
    chain.give_up()
    assert type(paid).objects.get(pk=paid.pk).status == AmendmentStatus.FUNDING_FAILED
    happens_once(verb, Call(client_user, f"/amendments/{paid.pk}/{verb}"), caller)
