"""What waits for staff: what is in each queue, since when, until when, and in which order."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Service
from port444.kit.clock import now
from port444.messaging.actions import open_conversation
from port444.orders.models import Dispute, Order
from port444.payments.models import EscrowOperation, Invoice, Payment, Refund
from support.models import Plan, PlanKind
from support.queries import own_incidents
from support.queues import QUEUES, cases_of, heap_of, numbers_beside, queue_of

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
HOUR = timedelta(hours=1)
NUMBERS = [queue.key for queue in QUEUES]
ANYBODY = User(name="Reads everything")


@pytest.fixture
def make_order(client_user: User, builder: Builder) -> Callable[..., Order]:
    """An order in work as a row, due at a moment."""
    category = Category.objects.create(slug="web-test", name="Web")
    service = Service.objects.create(builder=builder, category=category, title="Fast pages", slug="fast", summary="Fast.", description="Fast.")
    conversation = open_conversation(client_user, builder.user, actor=client_user)
    moment = now()

    def make(due: datetime, **fields: Any) -> Order:
        invoice = Invoice.objects.create(
            purpose="order", subject_id=uuid.uuid4(), payer=client_user, payee=builder.user, subtotal=Decimal(100), total=Decimal(100),
            payer_name="Jonas", return_url="/", opened_at=moment,
        )  # fmt: skip
        values: dict[str, Any] = {
            "client": client_user, "builder": builder, "service": service, "conversation": conversation, "invoice": invoice, "title": "Fast pages",
            "package_name": "Basic", "status": "in_progress", "price": Decimal("100.00"), "client_fee": Decimal(0), "builder_fee_bps": 1000,
            "delivery_days": 2, "revisions_allowed": 1, "pay_until": moment, "paid_at": moment, "started_at": moment, "due_at": due,
        }  # fmt: skip
        return Order.objects.create(**{**values, **fields})

    return make


def found(key: str, **asked: Any) -> list[str]:
    queue = queue_of(key)
    assert queue is not None
    return [case.label for case in cases_of(queue, now(), ANYBODY, **asked)]


def heap(key: str) -> Any:
    queue = queue_of(key)
    assert queue is not None
    return heap_of(queue, now(), ANYBODY)


def test_late_orders_wait_since_they_were_due(make_order: Callable[..., Order]) -> None:
    moment = now()
    long, new, soon = (make_order(moment - hours * HOUR) for hours in (50, 1, 30))
    make_order(moment + HOUR)
    make_order(moment - HOUR, clock_stopped_at=moment - 2 * HOUR)
    assert found("late") == [f"P4-{order.number}" for order in (long, soon, new)]
    assert found("late", state="late") == [f"P4-{long.number}"]
    assert found("late", state="soon") == [f"P4-{soon.number}"]
    assert found("late", state="good") == [f"P4-{new.number}"]
    late = heap("late")
    assert (late.count, late.overdue, late.soon, late.amount) == (3, 1, 1, Decimal("300.00"))
    assert late.oldest_words == "2 d 2 h"
    assert (late.pill, late.tone) == ("1 overdue", "bad")
    assert sum(late.bar) == 100


def test_live_disputes_wait_and_closed_ones_do_not(make_order: Callable[..., Order], client_user: User) -> None:
    moment = now()

    def dispute(**fields: Any) -> Dispute:
        values = {
            "order": make_order(moment + HOUR), "opened_by": client_user, "by_client": True, "reason": "late", "claim": "Late",
            "amount": Decimal(100), "to_client": Decimal(50), "opened_at": moment - 5 * HOUR, "answer_until": moment + 43 * HOUR,
        }  # fmt: skip
        return Dispute.objects.create(**{**values, **fields})

    waiting = dispute()
    with_us = dispute(status="escalated", escalated_at=moment - 40 * HOUR)
    dispute(status="withdrawn", closed_at=moment)
    assert found("disputes") == [f"D-{with_us.number}", f"D-{waiting.number}"]
    assert (heap("disputes").count, heap("disputes").soon) == (2, 1)


def test_money_that_is_stuck_waits(make_order: Callable[..., Order]) -> None:
    moment = now()
    invoice = make_order(moment + HOUR).invoice
    assert invoice is not None
    unused = Payment.objects.create(
        invoice=invoice, provider="sandbox", amount=Decimal(100), status="succeeded", succeeded_at=moment - 2 * HOUR, expires_at=moment
    )
    fresh = {"provider": "sandbox", "amount": Decimal(10), "status": "succeeded", "expires_at": moment}
    Payment.objects.create(invoice=invoice, succeeded_at=moment, **fresh)
    given_up = {"amount": Decimal(5), "reason": "Cancelled", "failed_at": moment - 3 * HOUR, "error": "The wallet refuses"}
    Refund.objects.create(payment=unused, dedupe_key="a", status="failed", **given_up)
    Refund.objects.create(payment=unused, dedupe_key="b", **{**given_up, "failed_at": None})
    waiting = heap("payments")
    assert (waiting.count, waiting.amount) == (2, Decimal("105.00"))
    assert found("payments") == ["Payment", "Refund"]  # what is due first first, whichever table it is of


def test_escrow_that_is_blocked_waits(client_user: User, builder_user: User) -> None:
    values = {
        "kind": "release",
        "purpose": "order",
        "client_id": client_user.pk,
        "builder_id": builder_user.pk,
        "amount": Decimal(10),
        "backend": "web3",
    }
    blocked = EscrowOperation.objects.create(op_id="order:1:release", subject_id=uuid.uuid4(), status="blocked", reason="No gas", **values)
    review = EscrowOperation.objects.create(op_id="order:2:release", subject_id=uuid.uuid4(), status="needs_review", **values)
    EscrowOperation.objects.create(op_id="order:3:release", subject_id=uuid.uuid4(), **values)
    assert set(found("escrow")) == {f"X-{blocked.number}", f"X-{review.number}"}


def test_incidents_wait_until_their_hour_and_weak_signals_wait_elsewhere(client_user: User, agent: User) -> None:
    moment = now()

    def incident(severity: str, due: int, status: str = "open", **fields: Any) -> IncidentLog:
        made = IncidentLog.objects.create(
            fingerprint=str(uuid.uuid4()), incident_type="fast_withdrawal", severity=severity, status=status, detection_method="automated",
            due_at=moment + due * HOUR, user_id=client_user.pk, description="Took it out at once", confidence=80, **fields,
        )  # fmt: skip
        made.refresh_from_db()
        return made

    high, critical = incident("high", 10), incident("critical", -2)
    incident("low", 1)
    incident("high", 2, "resolved", resolved_at=moment)
    assert found("incidents") == [str(critical), str(high)]
    assert heap("incidents").overdue == 1
    IncidentLog.objects.filter(severity="low").update(assigned_to=agent.pk)
    assert [case.state for case in own_incidents(agent, moment)] == ["Low"]  # what one has taken is one's own, however weak
    # Nobody has their own in a queue, or counted beside a tab.
    queue = queue_of("incidents")
    assert queue is not None
    assert (cases_of(queue, moment, client_user), heap_of(queue, moment, client_user).count) == ([], 0)
    assert numbers_beside(["incidents"], moment, client_user) == {"incidents": 0}


def test_a_list_goes_on_where_it_stopped_over_all_its_tables(make_order: Callable[..., Order]) -> None:
    moment = now()
    invoice = make_order(moment + HOUR).invoice
    assert invoice is not None
    payments = [
        Payment.objects.create(
            invoice=invoice, provider="sandbox", amount=Decimal(1), status="succeeded", succeeded_at=moment - (60 + n) * HOUR, expires_at=moment
        )
        for n in range(4)
    ]
    for n in range(4):
        # Due at the same moment as the payments, so that the place has to tell them apart.
        Refund.objects.create(
            payment=payments[0], dedupe_key=str(n), amount=Decimal("0.10"), reason="r", status="failed", failed_at=moment - (80 + n) * HOUR
        )
    queue = queue_of("payments")
    assert queue is not None
    everything = cases_of(queue, moment, ANYBODY)
    assert len(everything) == 8
    walked, after = [], ""
    while True:
        page = cases_of(queue, moment, ANYBODY, after=after, limit=3)
        walked += page[:3]
        if len(page) <= 3:
            break
        after = page[2].place
    assert [case.pk for case in walked] == [case.pk for case in everything]


def test_pages_of_queues(browse: Browse, agent: User, finance: User, make_order: Callable[..., Order]) -> None:
    order = make_order(now() - HOUR)
    client = browse(agent)
    page = client.get(reverse("support:queue", args=["late"]))
    assert f"P4-{order.number}" in page.content.decode()
    assert client.get(reverse("support:queue", args=["nothing"])).status_code == 404
    assert browse(finance).get(reverse("support:queue", args=["incidents"])).status_code == 403
    for wrong in ("x", "1_2", "99999999999999999999_0_1", "1_0_not-an-id"):
        assert client.get(reverse("support:queue", args=["late"]), {"after": wrong}).status_code == 400
    assert client.get(reverse("support:queue", args=["late"]), {"state": "nonsense"}).status_code == 200


def test_home_shows_what_is_due_first_and_ones_own_cases(browse: Browse, agent: User, client_user: User, make_order: Callable[..., Order]) -> None:
    moment = now()
    order = make_order(moment - 30 * HOUR)
    plan = Plan.objects.create(kind=PlanKind.CREDIT, requester=agent, target_user=client_user, reason="Late", amount=Decimal("25.00"))
    Plan.objects.update(status="requested", figures_sha256="x" * 64, requested_at=moment - HOUR, expires_at=moment + HOUR)
    page = browse(agent).get(reverse("support:home"))
    assert [case.label for case in page.context["mine"]] == [str(plan)]
    assert page.context["next"][1].label == f"P4-{order.number}"  # the plan is due sooner, and somebody else's to decide
    assert numbers_beside(NUMBERS, moment, ANYBODY) == {**dict.fromkeys(NUMBERS, 0), "late": 1, "approvals": 1}


def test_home_asks_the_same_number_of_questions_however_much_waits(
    browse: Browse, staff: User, make_order: Callable[..., Order], django_assert_num_queries: Any
) -> None:
    client = browse(staff)
    make_order(now() - HOUR)
    client.get(reverse("support:home"))
    with django_assert_num_queries(HOME):
        client.get(reverse("support:home"))
    for n in range(5):
        make_order(now() - n * HOUR)
    with django_assert_num_queries(HOME):
        client.get(reverse("support:home"))
    with django_assert_num_queries(LIST):
        client.get(reverse("support:queue", args=["late"]))


HOME = 25
LIST = 8
