"""Support decides a dispute: the page, the figures, two people, and the money afterwards."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.errors import Conflict, NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import ZERO
from port444.messaging.actions import send_message
from port444.messaging.models import Attachment
from port444.orders import actions as orders
from port444.orders.models import Dispute, DisputeStatus, Order, OrderStatus
from port444.payments import ledger
from port444.payments.models import AccountKind, Refund
from support.actions import approve_plan, draft_decision, execute_plan, submit_plan
from support.actions.disputes import parts_of
from support.models import ActionType, Plan, PlanStatus, SupportAction
from support.views import disputes as pages
from tests.orders.conftest import MakeOrder, earnings, make_order, package, service
from tests.orders.test_disputes import answer, open_by

__all__ = ["make_order", "package", "service"]  # fixtures

Browse = Callable[[User | None], Client]
S, P = DisputeStatus, PlanStatus
PAGE_QUERIES = 12
LIST_QUERIES = 7
WORDS = "Three of the five pages are as fast as agreed."


@pytest.fixture
def dispute(make_order: MakeOrder, client_user: User, builder_user: User) -> Dispute:
    """With support, after both sides have spoken."""
    found = open_by(make_order(OrderStatus.DELIVERED), client_user, "120.00", uploads=[SimpleUploadedFile("slow.txt", b"4.1 s")])
    answer(found, builder_user, "30.00")
    return orders.escalate_dispute(found.pk, actor=client_user)


def draft(dispute: Dispute, actor: User, to_client: str = "72.00") -> Plan:
    return draft_decision(dispute, actor=actor, to_client=Decimal(to_client), decision=WORDS, reason="Both files agree.")


def decided(dispute: Dispute, senior: User, second: User, to_client: str) -> Plan:
    plan = draft(dispute, senior, to_client)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=second, seen=plan.figures_sha256)
    return execute_plan(plan.pk)


def figures(plan: Plan) -> dict[str, str]:
    return {one["label"]: one["after"] for one in plan.figures["figures"]}


@pytest.mark.parametrize(("to_client", "status"), [("72.00", "completed"), ("0.00", "completed"), ("180.00", "cancelled"), ("33.33", "completed")])
def test_two_people_decide_and_the_money_goes_as_it_was_shown(
    dispute: Dispute, senior: User, finance: User, builder_user: User, to_client: str, status: str
) -> None:
    platform = ledger.balance(AccountKind.FEES)
    plan = decided(dispute, senior, finance, to_client)
    assert (plan.status, plan.needs_approval, plan.amount) == (P.EXECUTED, True, Decimal("180.00"))
    dispute.refresh_from_db()
    assert (dispute.status, dispute.decided_by, dispute.decision) == (S.DECIDED, senior, WORDS)
    order = Order.objects.get(pk=dispute.order_id)
    assert order.status == status
    shown = figures(plan)
    back = sum((row.amount for row in Refund.objects.all()), ZERO)
    assert (shown["Back to Jonas"], shown["Earned by Anaya"]) == (f"{back:,.2f}", f"{earnings(builder_user):,.2f}")
    assert Decimal(shown["Platform fee"]) + Decimal(shown["Service fee"]) == ledger.balance(AccountKind.FEES) - platform + Decimal("9.90")
    sums = [figure for figure in plan.figures["figures"] if figure["is_sum"]]
    parts = [figure for figure in plan.figures["figures"] if not figure["is_sum"] and figure["label"] != f"Order {order.number}"]
    for side in ("before", "after"):
        assert sum(Decimal(part[side]) for part in parts) == Decimal(sums[0][side])
    action = SupportAction.objects.get(action_type=ActionType.DISPUTE_DECIDE)
    assert (action.admin, action.approved_by, action.order) == (senior, finance, order)
    assert AuditLog.objects.filter(event_type="dispute.decided", target_id=dispute.pk).exists()


def test_nobody_decides_alone_or_their_own(dispute: Dispute, agent: User, senior: User, finance: User, client_user: User) -> None:
    with pytest.raises(NotAllowed):
        draft(dispute, agent)
    plan = draft(dispute, senior, "0.00")
    assert plan.why_approval == "Two people decide every dispute"
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    with pytest.raises(NotAllowed):
        approve_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    assert Order.objects.get().status == OrderStatus.DELIVERED


def test_not_before_it_is_with_support(make_order: MakeOrder, client_user: User, senior: User) -> None:
    plan = draft(open_by(make_order(OrderStatus.DELIVERED), client_user, "120.00"), senior)
    assert plan.figures["blocked"] == ["The two sides still have time to settle it themselves."]
    with pytest.raises(Conflict):
        submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)


def test_the_two_settle_while_the_decision_waits(dispute: Dispute, senior: User, finance: User, client_user: User, builder_user: User) -> None:
    plan = draft(dispute, senior)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    orders.settle_dispute(dispute.pk, actor=client_user, seen=Decimal("30.00"))
    failed = execute_plan(plan.pk)
    assert (failed.status, failed.error) == (P.FAILED, f"Dispute {dispute} is settled by both sides already.")
    assert earnings(builder_user) == Decimal("135.00")


def test_a_step_that_leaves_the_decision_between_them_changes_nothing(
    dispute: Dispute, senior: User, finance: User, client_user: User, builder_user: User
) -> None:
    plan = draft(dispute, senior)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    orders.change_figure(dispute.pk, actor=client_user, to_client=Decimal("100.00"))
    assert execute_plan(plan.pk).status == P.EXECUTED


def test_one_past_the_decision_sends_it_back(dispute: Dispute, senior: User, finance: User, client_user: User) -> None:
    plan = draft(dispute, senior)
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    orders.change_figure(dispute.pk, actor=client_user, to_client=Decimal("60.00"))
    assert execute_plan(plan.pk).status == P.DRAFT
    dispute.refresh_from_db()
    assert dispute.status == S.ESCALATED


def test_figures_count_what_credits_lent(dispute: Dispute) -> None:
    parts = parts_of(dispute.order, Decimal("72.00"))
    assert (parts.locked, parts.lent, parts.credit_back, parts.fee_back) == (Decimal("180.00"), ZERO, ZERO, Decimal("3.96"))
    assert (parts.cash_back, parts.builder_gets) == (Decimal("75.96"), Decimal("97.20"))


# The page


def url(dispute: Dispute, step: str = "") -> str:
    return f"/console/disputes/{dispute.number}/{step}"


def test_the_whole_way_by_plain_forms(dispute: Dispute, browse: Browse, senior: User) -> None:
    console = browse(senior)
    shown = console.get(url(dispute)).content.decode()
    for words in ("Two of the five pages", "All five are fast here", "slow.txt", "All five are fast now.", "With support", "75.00"):
        assert words in shown
    sent = console.post(url(dispute, "decide/"), {"to_client": "72", "decision": WORDS, "reason": "Files."})
    assert sent["Location"] == url(dispute) + "#h-p"
    shown = console.get(url(dispute)).content.decode()
    for words in ("What it comes to", "75.96", "97.20", WORDS):
        assert words in shown
    again = console.post(url(dispute, "decide/"), {"to_client": "60", "decision": WORDS, "reason": "Files."})
    assert again.status_code == 302
    plan = Plan.objects.get(status=P.DRAFT)
    assert console.post(url(dispute, "submit/"), {"seen": "0" * 64, "do": "submit"}).status_code == 409
    assert console.post(url(dispute, "submit/"), {"seen": plan.figures_sha256, "do": "submit"}).status_code == 302
    plan.refresh_from_db()
    assert plan.status == P.REQUESTED
    shown = console.get(url(dispute)).content.decode()
    assert str(plan) in shown
    assert "See what it comes to" not in shown
    assert console.post(url(dispute, "ask/"), {"text": "Which two pages?"}).status_code == 302
    assert "Which two pages?" in console.get(url(dispute)).content.decode()


def test_a_draft_is_dropped(dispute: Dispute, browse: Browse, senior: User) -> None:
    plan = draft(dispute, senior)
    assert browse(senior).post(url(dispute, "submit/"), {"seen": plan.figures_sha256, "do": "drop"}).status_code == 302
    plan.refresh_from_db()
    assert plan.status == P.WITHDRAWN


@pytest.mark.parametrize(
    "data",
    [
        {"to_client": "180.01"},
        {"to_client": "x"},
        {"to_client": ""},
        {"decision": " "},
        {"decision": "x" * 2001},
        {"reason": ""},
        {"decision": "a\x00"},
    ],
)
def test_a_bad_decision_drafts_nothing(dispute: Dispute, browse: Browse, senior: User, data: dict[str, str]) -> None:
    form = {"to_client": "72", "decision": WORDS, "reason": "Files."} | data
    assert browse(senior).post(url(dispute, "decide/"), form).status_code == 422
    assert not Plan.objects.exists()


def test_files_of_the_dispute_and_no_others(dispute: Dispute, browse: Browse, agent: User, client_user: User) -> None:
    kept = Attachment.objects.get(name="slow.txt")
    response = browse(agent).get(url(dispute, f"files/{kept.pk}/"))
    assert b"".join(response.streaming_content) == b"4.1 s"  # type: ignore[attr-defined]
    assert response["Content-Disposition"].startswith("attachment")
    from_talk = sent_between_them(dispute, client_user)
    assert browse(agent).get(url(dispute, f"files/{from_talk.pk}/")).status_code == 404


def test_every_file_that_is_opened_is_recorded(dispute: Dispute, browse: Browse, agent: User, client_user: User) -> None:
    kept = Attachment.objects.get(name="slow.txt")
    for _ in range(2):
        assert browse(agent).get(url(dispute, f"files/{kept.pk}/")).status_code == 200
    rows = AuditLog.objects.filter(event_type="dispute.file_opened", actor_id=agent.pk, target_id=dispute.pk)
    assert [row.metadata["file"] for row in rows] == [str(kept.pk)] * 2
    acts = SupportAction.objects.filter(action_type=ActionType.DISPUTE_FILE)
    assert [(act.admin, act.target_user, act.order_id) for act in acts] == [(agent, client_user, dispute.order_id)] * 2


def test_what_they_wrote_and_sent_is_not_for_every_group(dispute: Dispute, browse: Browse, finance: User, auditor: User, security: User) -> None:
    kept = Attachment.objects.get(name="slow.txt")
    private = ("Two of the five pages", "All five are fast here", "slow.txt", "All five are fast now.")
    for user in (finance, auditor):
        assert browse(user).get(url(dispute, f"files/{kept.pk}/")).status_code == 403
        shown = browse(user).get(url(dispute)).content.decode()
        assert "120.00" in shown
        assert [words for words in private if words in shown] == []
    assert not AuditLog.objects.filter(event_type="dispute.file_opened").exists()
    shown = browse(security).get(url(dispute)).content.decode()
    assert [words for words in private if words not in shown] == []


def test_the_page_is_a_look_at_both_sides(dispute: Dispute, browse: Browse, auditor: User, client_user: User, builder_user: User) -> None:
    console = browse(auditor)
    for _ in range(2):
        console.get(url(dispute))
    looks = AuditLog.objects.filter(event_type="person.seen", actor_id=auditor.pk).order_by("id")
    assert [(row.target_id, row.metadata["what"]) for row in looks] == [(client_user.pk, str(dispute)), (builder_user.pk, str(dispute))]


def sent_between_them(dispute: Dispute, client_user: User) -> Attachment:
    upload = SimpleUploadedFile("private.txt", b"between us")
    message = send_message(dispute.order.conversation_id, actor=client_user, body="x", client_key=uuid7(), uploads=[upload])
    return message.attachments.get()


def test_who_may(dispute: Dispute, browse: Browse, agent: User, auditor: User, client_user: User) -> None:
    for user in (agent, auditor):
        assert browse(user).get(url(dispute)).status_code == 200
        for step in ("decide/", "submit/", "ask/"):
            assert browse(user).post(url(dispute, step), {"text": "x", "to_client": "1", "decision": "x", "reason": "x"}).status_code == 403
    assert browse(client_user).get(url(dispute)).status_code == 404
    assert not Plan.objects.exists()


def test_the_page_asks_a_fixed_number_of_questions(
    dispute: Dispute, browse: Browse, senior: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    console = browse(senior)
    console.get(url(dispute))
    with django_assert_num_queries(PAGE_QUERIES):
        console.get(url(dispute))
    for number in range(5):
        orders.add_evidence(dispute.pk, actor=builder_user, text=f"{number}", uploads=[SimpleUploadedFile("b.txt", b"b")])
        draft(dispute, senior)
    with django_assert_num_queries(PAGE_QUERIES):
        console.get(url(dispute))


@pytest.mark.parametrize("end", ["settled", "withdrawn", "decided", "open"])
def test_every_state_has_its_page(dispute: Dispute, browse: Browse, senior: User, finance: User, client_user: User, end: str) -> None:
    if end == "settled":
        orders.settle_dispute(dispute.pk, actor=client_user, seen=Decimal("30.00"))
    elif end == "withdrawn":
        orders.withdraw_dispute(dispute.pk, actor=client_user)
    elif end == "decided":
        decided(dispute, senior, finance, "72.00")
    response = browse(senior).get(url(dispute))
    assert response.status_code == 200
    assert ("See what it comes to" in response.content.decode()) == (end == "open")


def test_what_is_over_has_a_list(dispute: Dispute, browse: Browse, agent: User, client_user: User, django_assert_num_queries: Any) -> None:
    console, here = browse(agent), "/console/disputes/"
    assert "No dispute has ended so far" in console.get(here).content.decode()
    assert here in console.get("/console/queues/disputes/").content.decode()
    orders.settle_dispute(dispute.pk, actor=client_user, seen=Decimal("30.00"))
    for state, is_there in (("", True), ("settled", True), ("decided", False), ("\x00", True)):
        shown = console.get(here, {"state": state}).content.decode()
        assert (f"/console/disputes/{dispute.number}/" in shown) is is_there, state
    shown = console.get(here).content.decode()
    assert "180.00" in shown
    assert "30.00" in shown
    for bent in ("x", "-1", "\x00", "9" * 30):
        assert f"/console/disputes/{dispute.number}/" in console.get(here, {"before": bent}).content.decode()
    assert "None is like this" in console.get(here, {"before": dispute.number}).content.decode()
    with django_assert_num_queries(LIST_QUERIES):
        console.get(here)


def test_the_list_of_those_that_are_over_goes_on(
    make_order: MakeOrder, browse: Browse, agent: User, client_user: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(pages, "SHOWN", 2)
    numbers = list[int]()
    for _ in range(3):
        found = open_by(make_order(OrderStatus.DELIVERED), client_user, "10.00")
        numbers.insert(0, orders.withdraw_dispute(found.pk, actor=client_user).number)
    console = browse(agent)
    first = console.get("/console/disputes/", {"state": "withdrawn"})
    assert [row.number for row, _ in first.context["rows"]] == numbers[:2]
    more = console.get("/console/disputes/" + first.context["more"])
    assert [row.number for row, _ in more.context["rows"]] == numbers[2:]
    with django_assert_num_queries(LIST_QUERIES):
        console.get("/console/disputes/")
