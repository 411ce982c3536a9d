"""Nobody decides as support what is about themselves: not by the pages, not by the actions, and not past them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, NotAllowed
from port444.orders import actions as orders
from port444.orders.models import Dispute, Evidence, OrderStatus
from port444.payments.models import Credit
from support.actions import approve_plan, draft_plan, reject_plan, submit_plan, write_to_sides
from support.actions.plans import About, approvers_of, parties_of
from support.models import Plan, PlanKind, PlanStatus, SupportAction
from tests.orders.conftest import MakeOrder, make_order, package, service
from tests.orders.test_disputes import answer, open_by

pytestmark = pytest.mark.django_db
__all__ = ["make_order", "package", "service"]  # fixtures

Browse = Callable[[User | None], Client]


@pytest.fixture
def dispute(make_order: MakeOrder, client_user: User, builder_user: User) -> Dispute:
    found = open_by(make_order(OrderStatus.DELIVERED), client_user, "120.00", uploads=[SimpleUploadedFile("slow.txt", b"4.1 s")])
    answer(found, builder_user, "30.00")
    return orders.escalate_dispute(found.pk, actor=client_user)


def hired(user: User, group: str = "Senior agent") -> User:
    """Somebody of the site who is one of the staff now."""
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return User.objects.get(pk=user.pk)


def credit_for(builder: Builder, actor: User, person: User, amount: str = "60.00") -> Plan:
    asked = {"amount": amount, "label": "sorry", "scope": "specific_builder", "builder": builder.slug}
    return draft_plan(PlanKind.CREDIT, actor=actor, asked=asked, reason="Ticket 5531", about=About(target_user=person))


# Credits for one's own work


def test_nobody_gives_credits_for_their_own_work(builder: Builder, client_user: User) -> None:
    agent = hired(builder.user, "Agent")
    plan = credit_for(builder, agent, client_user, "10.00")
    assert (plan.needs_approval, plan.figures["blocked"]) == (False, ["You cannot give credits for your own work."])
    with pytest.raises(Conflict, match="your own work"):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert (Plan.objects.get().status, Credit.objects.count()) == (PlanStatus.DRAFT, 0)


def test_nor_are_they_the_second_person_for_them(builder: Builder, agent: User, senior: User, client_user: User) -> None:
    own = hired(builder.user)
    plan = credit_for(builder, agent, client_user)
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    plan.refresh_from_db()
    assert own.pk in parties_of(plan)
    assert approvers_of(plan) == [senior]
    with pytest.raises(NotAllowed, match="about yourself"):
        approve_plan(plan.pk, actor=own, seen=plan.figures_sha256)
    with pytest.raises(NotAllowed, match="about yourself"):
        reject_plan(plan.pk, actor=own, note="No.")
    assert Plan.objects.get().status == PlanStatus.REQUESTED


def test_nor_do_they_get_one_to_the_client_of_their_order(make_order: MakeOrder, builder: Builder, client_user: User) -> None:
    agent, order = hired(builder.user, "Agent"), make_order(OrderStatus.IN_PROGRESS)
    asked = {"amount": "10.00", "label": "sorry", "scope": "all"}
    plan = draft_plan(PlanKind.CREDIT, actor=agent, asked=asked, reason="Ticket 5531", about=About(target_user=client_user, order=order))
    with pytest.raises(NotAllowed) as refused:
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert (refused.value.code, Credit.objects.count()) == ("own_case", 0)


# Past the actions, as the role that serves


ASKED = {"scope": "specific_builder", "builder": "anaya-krishnan"}
STEPS = {"steps": [{"kind": "order_remind", "asked": {}}, {"kind": "credit_issue", "asked": ASKED}]}


def plan_about(what: str, dispute: Dispute, requester: User) -> Plan:
    """A draft about the same two people by each of the ways in which a plan can be."""
    order = dispute.order
    ways: dict[str, dict[str, Any]] = {
        "order": {"kind": PlanKind.REFUND, "order": order},
        "other_order": {"kind": PlanKind.MERGE, "other_order": order},
        "dispute": {"kind": PlanKind.DISPUTE, "dispute": dispute},
        "credit": {"kind": PlanKind.CREDIT, "asked": ASKED},
        "macro": {"kind": PlanKind.MACRO, "asked": STEPS},
    }
    return Plan.objects.create(requester=requester, reason="x", figures_sha256="0" * 64, **ways[what])


def write(plan: Plan, **values: Any) -> None:
    names = ", ".join(f"{name} = %s" for name in values)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("port444_app",)
        cursor.execute(f"UPDATE support_plan SET {names} WHERE id = %s", [*values.values(), plan.pk])


@pytest.mark.parametrize("status", ["approved", "rejected"])
@pytest.mark.parametrize(
    ("what", "side"),
    [
        ("order", "client"),
        ("order", "builder"),
        ("other_order", "client"),
        ("other_order", "builder"),
        ("dispute", "client"),
        ("dispute", "builder"),
        ("credit", "builder"),
        ("macro", "builder"),
    ],
)
def test_the_database_lets_no_side_decide(
    dispute: Dispute, agent: User, senior: User, client_user: User, builder_user: User, what: str, side: str, status: str
) -> None:
    plan = plan_about(what, dispute, agent)
    write(plan, status="requested", requested_at=now(), expires_at=now())
    decided = {"status": status, "decided_at": now()}
    with pytest.raises(IntegrityError, match="no side of it"):
        write(plan, approver_id=(client_user if side == "client" else builder_user).pk, **decided)
    assert Plan.objects.get(pk=plan.pk).status == PlanStatus.REQUESTED
    write(plan, approver_id=senior.pk, **decided)


@pytest.mark.parametrize("what", ["order", "other_order", "dispute", "credit", "macro"])
def test_the_database_lets_no_side_ask(dispute: Dispute, builder_user: User, what: str) -> None:
    plan = plan_about(what, dispute, builder_user)
    with pytest.raises(IntegrityError, match="no side of it"):
        write(plan, status="requested", requested_at=now(), expires_at=now())
    with pytest.raises(IntegrityError, match="no side of it"):
        write(plan, status="executed", needs_approval=False, executed_at=now())
    assert Plan.objects.get(pk=plan.pk).status == PlanStatus.DRAFT
    write(plan, status="withdrawn")


def test_a_credit_for_another_builder_is_no_case_of_ones_own(builder: Builder, stranger: User, client_user: User) -> None:
    Builder.objects.create(user=stranger, slug="sam-stranger", headline="Forms")
    agent = hired(stranger, "Agent")
    plan = credit_for(builder, agent, client_user, "10.00")
    assert submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256).status == PlanStatus.EXECUTED


# Disputes


@pytest.mark.parametrize("side", ["client", "builder"])
def test_a_side_does_not_write_as_support(dispute: Dispute, browse: Browse, client_user: User, builder_user: User, side: str) -> None:
    own = hired(client_user if side == "client" else builder_user)
    pieces = Evidence.objects.count()
    with pytest.raises(NotAllowed) as refused:
        write_to_sides(dispute, actor=own, text="Give in.")
    assert refused.value.code == "own_case"
    assert browse(own).post(f"/console/disputes/{dispute.number}/ask/", {"text": "Give in."}).status_code == 403
    assert "Ask both sides" not in browse(own).get(f"/console/disputes/{dispute.number}/").content.decode()
    assert (Evidence.objects.count(), SupportAction.objects.count()) == (pieces, 0)


def test_what_support_writes_is_among_its_acts(dispute: Dispute, senior: User) -> None:
    write_to_sides(dispute, actor=senior, text="Which two pages?")
    action = SupportAction.objects.get()
    assert (action.action_type, action.admin, action.order_id, action.target_user) == ("dispute_ask", senior, dispute.order_id, dispute.opened_by)
