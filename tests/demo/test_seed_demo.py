"""The demo is a state that can be reached, shows every state there is, and is written once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from amendments.models import Amendment, AmendmentStatus
from consultations.models import Absence, AbsenceStatus, Consultation, ConsultationStatus, Proposal, ProposalStatus
from consultations.queries import reminders_are_late
from port444.accounts.models import User
from port444.away.models import ReturnAlert, Span
from port444.catalog.models import Category
from port444.demo import cast
from port444.kit.clock import now
from port444.messaging.models import Message
from port444.orders import notices
from port444.orders.models import Dispute, DisputeStatus, Order, OrderStatus, Review
from port444.payments.models import AccountKind, Credit, CreditSource, LedgerAccount, Withdrawal
from support.models import Plan, PlanStatus, SupportAction
from tests.conftest import assert_books_balance


def seed() -> None:
    for slug in {offer.category for seller in cast.SELLERS for offer in seller.offers}:
        Category.objects.get_or_create(slug=slug, defaults={"name": slug})
    call_command("seed_demo", verbosity=0)


def assert_lines_stand_where_it_happened() -> None:
    """A line in a conversation bears the moment of what it tells, whatever else the two had to talk about meanwhile."""
    placed = list(Order.objects.order_by("number").values_list("placed_at", flat=True))
    assert placed == sorted(placed)
    for order in Order.objects.order_by("number"):
        happened = [
            (notices.PLACED, order.placed_at),
            (notices.PAID, order.paid_at),
            (notices.EXPIRED, order.expired_at),
            (notices.ANSWERED, order.started_at if order.requirements.exists() else None),
            *((notices.DELIVERED, moment) for moment in order.deliveries.order_by("number").values_list("delivered_at", flat=True)),
        ]
        lines = list(Message.objects.filter(subject_type="order", subject_id=order.pk).order_by("created_at"))
        assert lines[0].icon == notices.PLACED
        for icon, moment in happened:
            if moment is not None:
                line = next(line for line in lines if line.icon == icon)
                lines.remove(line)  # the next of its kind tells of the next delivery
                assert timedelta(0) <= line.created_at - moment < timedelta(minutes=1), (line.body, line.created_at, moment)


@pytest.mark.usefixtures("db", "detectors_have_read")
def test_seed_shows_every_state_and_balances(capsys: pytest.CaptureFixture[str]) -> None:
    seed()
    assert set(Order.objects.values_list("status", flat=True)) == set(OrderStatus.values) - {
        OrderStatus.FUNDING
    }  # in the ledger nobody waits for escrow
    assert {AmendmentStatus.PENDING, AmendmentStatus.COMPLETED, AmendmentStatus.REJECTED} <= set(Amendment.objects.values_list("status", flat=True))
    assert set(Consultation.objects.values_list("status", flat=True)) >= set(ConsultationStatus.values) - {ConsultationStatus.EXPIRED}
    assert Proposal.objects.filter(status=ProposalStatus.OPEN).exists()
    assert Absence.objects.filter(status=AbsenceStatus.DISPUTED).exists()
    assert not reminders_are_late()
    assert Review.objects.exists()
    running, planned = Span.objects.order_by("starts_at")
    assert (running.builder.is_away, planned.builder.is_away) == (True, False)
    assert ReturnAlert.objects.get().builder == running.builder
    assert Withdrawal.objects.filter(status="completed").exists()
    disputes = {row.status: row for row in Dispute.objects.select_related("order__client", "order__builder__user")}
    assert set(disputes) == {DisputeStatus.OPEN, DisputeStatus.ESCALATED, DisputeStatus.SETTLED}
    assert disputes[DisputeStatus.OPEN].order.builder.user.email == cast.BUILDER
    assert disputes[DisputeStatus.ESCALATED].order.client.email == cast.CLIENT
    assert not Dispute.objects.overdue(now()).exists()
    assert set(Plan.objects.values_list("status", "requester__email")) == {(PlanStatus.EXECUTED, cast.AGENT), (PlanStatus.REQUESTED, cast.AGENT)}
    assert Credit.objects.get(source=CreditSource.ADMIN).user.email != cast.CLIENT  # a visitor pays the whole price
    assert SupportAction.objects.get().admin.email == cast.AGENT
    assert_books_balance()
    assert_lines_stand_where_it_happened()
    live = [OrderStatus.PENDING_REQUIREMENTS, OrderStatus.IN_PROGRESS, OrderStatus.DELIVERED, OrderStatus.IN_REVISION]
    ended = Order.objects.exclude(status__in=live).values_list("pk", flat=True)
    assert not LedgerAccount.objects.filter(kind=AccountKind.ESCROW, subject_id__in=list(ended), balance__gt=0).exists()
    for order in Order.objects.filter(status__in=live):
        assert LedgerAccount.objects.get(kind=AccountKind.ESCROW, subject_id=order.pk).balance == order.price

    people, orders = User.objects.count(), Order.objects.count()
    call_command("seed_demo", verbosity=0)
    assert (User.objects.count(), Order.objects.count()) == (people, orders)
    assert cast.BUILDER in capsys.readouterr().out
