"""Suspending, reinstating and holding withdrawals, alone and in macros: what it does, who may, and that it is all or nothing."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.actions import hold_withdrawal, hold_withdrawals_of
from port444.payments.models import PayoutHold, Withdrawal
from support import kinds
from support.actions import approve_plan, draft_plan, execute_plan, submit_plan
from support.actions.plans import About
from support.kinds import Done
from support.models import ActionType, Plan, PlanKind, PlanStatus, SupportAction

pytestmark = pytest.mark.django_db
TOLD = "Somebody else may have your password."


def plan_of(actor: User, key: PlanKind, person: User, **asked: Any) -> Plan:
    return draft_plan(key, actor=actor, asked=asked, reason="Ticket 5531", about=About(target_user=person))


def submitted(actor: User, key: PlanKind, person: User, **asked: Any) -> Plan:
    plan = plan_of(actor, key, person, **asked)
    return submit_plan(plan.pk, actor=actor, seen=plan.figures_sha256)


def test_a_hold_is_made_alone_and_ended_by_two(security: User, senior: User, builder_user: User) -> None:
    held = submitted(security, PlanKind.HOLD, builder_user, do="hold", told=TOLD, days=7)
    hold = PayoutHold.objects.standing().get()
    assert (held.status, hold.user, hold.reason, hold.until is not None) == (PlanStatus.EXECUTED, builder_user, TOLD, True)
    with pytest.raises(Conflict, match="already"):
        submitted(security, PlanKind.HOLD, builder_user, do="hold", told=TOLD)
    end = submitted(security, PlanKind.HOLD, builder_user, do="end")
    assert (end.status, PayoutHold.objects.standing().count()) == (PlanStatus.REQUESTED, 1)
    approve_plan(end.pk, actor=senior, seen=end.figures_sha256)
    assert execute_plan(end.pk).status == PlanStatus.EXECUTED
    assert not PayoutHold.objects.standing().exists()
    assert list(SupportAction.objects.exclude(action_type=ActionType.APPROVAL).order_by("number").values_list("action_type", flat=True)) == [
        "payouts_hold",
        "payouts_release",
    ]


def test_a_hold_of_an_incident_is_not_ended(security: User, senior: User, builder_user: User) -> None:
    hold_withdrawals_of(builder_user.pk, reason="An incident", incident=builder_user.pk)
    with pytest.raises(Conflict, match="Staff hold nothing"):
        submitted(security, PlanKind.HOLD, builder_user, do="end")
    assert PayoutHold.objects.standing().count() == 1


@pytest.fixture
def withdrawal(builder_user: User) -> Withdrawal:
    ledger.post("earned", "Earned", [(ledger.EXTERNAL, Decimal(-100)), (ledger.earnings(builder_user.pk), Decimal(100))])
    payments.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    return payments.request_withdrawal(actor=builder_user, amount=Decimal("40.00"), client_key=uuid.uuid4())


def test_one_withdrawal_is_held_alone_and_let_go_by_two(security: User, senior: User, builder_user: User, withdrawal: Withdrawal) -> None:
    which = {"withdrawal": str(withdrawal.pk)}
    held = submitted(security, PlanKind.HOLD, builder_user, do="hold", told=TOLD, **which)
    withdrawal.refresh_from_db()
    assert (held.status, withdrawal.status, PayoutHold.objects.standing().get().withdrawal) == (PlanStatus.EXECUTED, "held", withdrawal)
    with pytest.raises(Conflict, match="already"):
        submitted(security, PlanKind.HOLD, builder_user, do="hold", told=TOLD, **which)
    hold_withdrawal(withdrawal.pk, actor=None, reason="An incident", incident=builder_user.pk)
    end = submitted(security, PlanKind.HOLD, builder_user, do="end", **which)
    assert (end.status, PayoutHold.objects.standing().count()) == (PlanStatus.REQUESTED, 2)
    approve_plan(end.pk, actor=senior, seen=end.figures_sha256)
    assert execute_plan(end.pk).status == PlanStatus.EXECUTED
    withdrawal.refresh_from_db()
    assert (withdrawal.status, PayoutHold.objects.standing().exists()) == ("requested", False)
    said = list(SupportAction.objects.exclude(action_type=ActionType.APPROVAL).order_by("number").values_list("action_type", "description"))
    assert [kind for kind, _ in said] == ["payouts_hold", "payouts_release"]
    assert all("$40.00" in words for _, words in said)
    with pytest.raises(Conflict, match="not held"):
        submitted(security, PlanKind.HOLD, builder_user, do="end", **which)


def test_one_withdrawal_does_not_go_while_all_are_held(security: User, builder_user: User, withdrawal: Withdrawal) -> None:
    hold_withdrawals_of(builder_user.pk, reason="An incident", incident=builder_user.pk)
    with pytest.raises(Conflict, match="End that hold instead"):
        submitted(security, PlanKind.HOLD, builder_user, do="end", withdrawal=str(withdrawal.pk))
    assert PayoutHold.objects.standing().count() == 1


def test_one_hold_is_ended_by_two_one_of_an_incident_too(security: User, senior: User, builder_user: User) -> None:
    hold = hold_withdrawals_of(builder_user.pk, reason="An incident", incident=builder_user.pk)
    other = hold_withdrawals_of(builder_user.pk, reason="Another one", incident=hold.pk)
    end = submitted(security, PlanKind.HOLD, builder_user, do="end", hold=str(hold.pk))
    assert (end.status, PayoutHold.objects.standing().count()) == (PlanStatus.REQUESTED, 2)
    approve_plan(end.pk, actor=senior, seen=end.figures_sha256)
    assert execute_plan(end.pk).status == PlanStatus.EXECUTED
    assert PayoutHold.objects.standing().get() == other
    with pytest.raises(Conflict, match="has ended"):
        submitted(security, PlanKind.HOLD, builder_user, do="end", hold=str(hold.pk))


def test_the_form_takes_what_the_records_link_to(security: User, builder_user: User, stranger: User, withdrawal: Withdrawal, browse: Any) -> None:
    client: Client = browse(security)
    url = reverse("support:draft", args=["payouts_hold"])
    link = {"person": str(builder_user.pk), "withdrawal": str(withdrawal.pk), "do": "end"}
    page = client.get(url, link)
    assert "Let one withdrawal go on" in page.content.decode()
    assert page.context["form"].initial["withdrawal"] == str(withdrawal.pk)
    assert client.post(url, {**link, "do": "hold", "told": TOLD, "reason": "Ticket 1"}).status_code == 302
    assert Plan.objects.get().asked == {"do": "hold", "told": TOLD, "days": None, "withdrawal": str(withdrawal.pk)}
    for wrong in ({"person": str(stranger.pk)}, {"withdrawal": "x"}, {"withdrawal": str(uuid.uuid4())}, {"hold": str(uuid.uuid4())}):
        answer = client.post(url, {**link, "reason": "Ticket 1", **wrong})
        assert answer.status_code == 422
        assert answer.context["form"].non_field_errors()
    assert Plan.objects.count() == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"do": "x"},
        {"do": "hold", "told": "x"},
        {"do": "hold", "told": TOLD, "days": 0},
        {"do": "hold", "told": TOLD, "days": "7"},
        {"do": "hold", "told": TOLD, "hold": str(uuid.uuid4())},
        {"do": "end", "withdrawal": "x"},
        {"do": "end", "hold": "\x00"},
        {"do": "end", "withdrawal": str(uuid.uuid4())},
        {"do": "end", "hold": str(uuid.uuid4()), "withdrawal": str(uuid.uuid4())},
    ],
)
def test_what_cannot_be_read(security: User, builder_user: User, asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        plan_of(security, PlanKind.HOLD, builder_user, **asked)
    assert not Plan.objects.exists()


def test_who_may_not(agent: User, finance: User, security: User, senior: User, client_user: User) -> None:
    for actor in (agent, finance, client_user):
        with pytest.raises(NotAllowed):
            plan_of(actor, PlanKind.SUSPEND, client_user, told=TOLD)
    assert not Plan.objects.exists()
    with pytest.raises(Conflict, match="staff"):
        submitted(security, PlanKind.SUSPEND, senior, told=TOLD)
    assert not SupportAction.objects.exists()


def test_a_macro_does_all_of_it(security: User, senior: User, builder_user: User) -> None:
    done = submitted(security, PlanKind.MACRO, builder_user, macro="account_taken", told=TOLD)
    builder_user.refresh_from_db()
    assert (done.status, builder_user.is_suspended, PayoutHold.objects.standing().count()) == (PlanStatus.EXECUTED, True, 1)
    assert set(SupportAction.objects.values_list("action_type", flat=True)) == {"payouts_hold", "user_suspend", "macro"}
    back = submitted(security, PlanKind.MACRO, builder_user, macro="account_back")
    assert (back.status, back.needs_approval) == (PlanStatus.REQUESTED, True)
    approve_plan(back.pk, actor=senior, seen=back.figures_sha256)
    assert execute_plan(back.pk).status == PlanStatus.EXECUTED
    builder_user.refresh_from_db()
    assert (builder_user.is_suspended, PayoutHold.objects.standing().count()) == (False, 0)


def test_a_macro_of_which_a_step_fails_does_nothing(security: User, builder_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    known = kinds.of(PlanKind.SUSPEND)

    def fail(plan: Plan, actor: Any) -> Done:
        raise Conflict("It was changed at this moment.")

    monkeypatch.setitem(kinds._kinds, PlanKind.SUSPEND, kinds.Kind(known.permission, known.action, known.check, known.preview, known.lock, fail))
    plan = plan_of(security, PlanKind.MACRO, builder_user, macro="account_taken", told=TOLD)
    with pytest.raises(Conflict, match="at this moment"):
        submit_plan(plan.pk, actor=security, seen=plan.figures_sha256)
    assert not PayoutHold.objects.exists()
    assert not SupportAction.objects.exists()
    assert Plan.objects.get().status == PlanStatus.DRAFT


def test_a_macro_is_for_those_who_may_each_step(agent: User, security: User, builder_user: User, browse: Any) -> None:
    with pytest.raises(Conflict, match="may not"):
        submitted(agent, PlanKind.MACRO, builder_user, macro="account_taken", told=TOLD)
    assert not PayoutHold.objects.exists()
    url = reverse("support:draft", args=["macro"])
    assert "account_taken" not in browse(agent).get(url).content.decode()
    browser: Client = browse(security)
    assert "account_taken" in browser.get(url).content.decode()
    asked = {"macro": "account_taken", "person": str(builder_user.pk), "told": TOLD, "reason": "Ticket 5531"}
    assert browser.get(url, asked).status_code == 200
    answer = browser.post(url, asked)
    plan = Plan.objects.get(requester=security)
    assert (answer.status_code, answer["Location"]) == (302, reverse("support:plan", args=[plan.number]))
    assert "Hold withdrawals of" in browser.get(answer["Location"]).content.decode()
    assert browser.post(url, {**asked, "macro": "x"}).status_code == 422
    assert browser.get(url, {"from": plan.number}).context["form"].initial["told"] == TOLD
