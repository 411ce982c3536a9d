"""The console."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditlog.actions import Finding, casework, open_incident, tuning
from auditlog.detectors.registry import DETECTORS
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType, Verdict
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Dispute
from port444.payments import actions as payments
from port444.payments.models import CreditSource
from support.actions import draft_plan, submit_plan
from support.actions.plans import About
from support.models import PlanKind

from .asking import BAD_MONEY, NUL, Ask, World, faults, in_dispute, ready

pytestmark = pytest.mark.django_db


def test_a_conversation_stays_closed_for_a_bad_reason(world: World, staff: User, settings: Any) -> None:
    """In the console, where somebody has to say why they read what others wrote."""
    settings.STAFF_SECOND_FACTOR = False
    url = f"/console/threads/{world.asking.conversation_id}/open/"
    asks: dict[str, Ask] = {
        "without a reason": lambda world: (staff, url, {}),
        "a reason of spaces": lambda world: (staff, url, {"reason": "  "}),
        "a reason with NUL": lambda world: (staff, url, {"reason": NUL}),
        "a reason too long": lambda world: (staff, url, {"reason": "x" * 601}),
        "by a side of it": lambda world: (world.client_user, url, {"reason": "Case"}),
    }
    assert faults(world, asks) == {}


REASON = {"reason": "Cannot find the order.", "reference": "P4-1061"}


def test_a_viewing_is_not_begun_by_a_bad_form(world: World, agent: User, finance: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False

    def view(person: Any = None, by: User = agent, **form: str) -> Ask:
        return lambda world: (by, f"/console/people/{person or world.client_user.pk}/view/", {**REASON, **form})

    asks = {
        "no reason": view(reason=" "),
        "reason with NUL": view(reason=NUL),
        "reason too long": view(reason="x" * 601),
        "no reference": view(reference=""),
        "reference without a number": view(reference="the order"),
        "reference with NUL": view(reference="P4-1\x00"),
        "reference too long": view(reference="1" * 41),
        "reference with a line": view(reference="P4-1\nP4-2"),
        "of nobody": view(uuid7()),
        "of oneself": view(agent.pk),
        "of staff": view(finance.pk),
        "without the permission": view(by=finance),
        "end of nobody's": lambda world: (agent, f"/console/viewings/{uuid7()}/end/", {}),
    }
    assert faults(world, asks) == {}
    assert ready(world, view())().status_code == 302


def test_a_plan_is_not_begun_or_decided_badly(world: World, senior: User, security: User, agent: User, settings: Any) -> None:
    """In the console: what plans ask for, and every step of one that waits."""
    settings.STAFF_SECOND_FACTOR = False
    person = world.client_user
    held = draft_plan(PlanKind.HOLD, actor=senior, asked={"told": "Held for a while."}, reason="Case 1", about=About(target_user=person))
    submit_plan(held.pk, actor=senior, seen=held.figures_sha256)
    plan = draft_plan(PlanKind.HOLD, actor=senior, asked={"do": "end"}, reason="Case 1", about=About(target_user=person))
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)

    def begin(kind: str = "user_suspend", by: User = security, **form: Any) -> Ask:
        filled = {"person": person.pk, "told": "You sent spam to many.", "reason": "Case 1", **form}
        return lambda world: (by, f"/console/plans/new/{kind}/", filled)

    def step(name: str, by: User = security, **form: Any) -> Ask:
        return lambda world: (by, f"/console/plans/{plan.number}/{name}/", {"seen": plan.figures_sha256, **form})

    asks = {
        "for nobody": begin(person="nobody@example.com"),
        "for NUL": begin(person=NUL),
        "for oneself": begin(person=security.pk),
        "told too little": begin(told="Spam"),
        "told NUL": begin(told=NUL),
        "no reason": begin(reason=" "),
        "endless reason": begin(reason="x" * 601),
        "without the permission": begin(by=agent),
        "of a kind that is none": begin("user_praise"),
        "held for a day nobody offers": begin("payouts_hold", do="hold", days="x"),
        "held and not said why": begin("payouts_hold", do="hold", told=""),
        "neither held nor ended": begin("payouts_hold", do="x"),
        "a macro that is none": begin("macro", macro="x"),
        "a macro of NUL": begin("macro", macro=NUL),
        "approved by who asked": step("approve", senior),
        "approved without the permission": step("approve", agent),
        "approved with other figures": step("approve", seen="x" * 64),
        "approved with NUL": step("approve", seen=NUL),
        "approved with a note of NUL": step("approve", note=NUL),
        "rejected with NUL": step("reject", note=NUL),
        "rejected at length": step("reject", note="x" * 601),
        "rejected without a reason": step("reject", note=" "),
        "rejected by who asked": step("reject", senior, note="No."),
        "withdrawn by another": step("withdraw"),
        "submitted again": step("submit", senior),
        "no such plan": lambda world: (security, "/console/plans/999999999999999999999/approve/", {}),
        "the list taken by who may not": lambda world: (senior, "/console/actions/export/", {}),
        "the list of nobody": lambda world: (security, "/console/actions/export/", {"agent": "nobody@example.com"}),
    }
    assert faults(world, asks) == {}


def test_an_incident_is_not_worked_on_badly(world: World, senior: User, security: User, agent: User, settings: Any) -> None:
    """In the console: one of a colleague's, one that is closed, and other numbers for a detector."""
    settings.STAFF_SECOND_FACTOR = False
    known = DETECTORS[0]

    def incident(name: str) -> IncidentLog:
        finding = Finding(
            fingerprint=name,
            incident_type=IncidentType.MULTI_ACCOUNTING,
            severity=IncidentSeverity.HIGH,
            confidence=70,
            description="Two builders, one payout address.",
            user_id=world.client_user.pk,
            related_users=[world.builder.user_id],
            detector=known.name,
        )
        return IncidentLog.objects.get(pk=open_incident(finding).pk)

    free, theirs, closed = incident("free"), incident("theirs"), incident("closed")
    casework.take(theirs.pk, actor=senior)
    casework.resolve(closed.pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    version = tuning.draft_version(known.name, known.parameters, {}, actor=security, reason="The same.")
    usual = {"reason": "Looked into it.", "verdict": "confirmed", "told": "We found one payout address.", "people": str(world.client_user.pk)}
    numbers = {one.name: f"{one.value:g}" for one in known.parameters}

    def on(row: IncidentLog, step: str, by: User = security, **form: Any) -> Ask:
        return lambda world: (by, f"/console/incidents/{row.number}/{step}/", form)

    def decide(row: IncidentLog = free, by: User = security, **form: Any) -> Ask:
        return on(row, "decide", by, **{**usual, "do": "warn", **form})

    def draft(form: dict[str, str], by: User = security) -> Ask:
        return lambda world: (by, f"/console/detectors/{known.name}/draft/", {**numbers, "reason": "Fewer.", **form})

    asks = {
        "taken from a colleague": on(theirs, "take"),
        "taken when closed": on(closed, "take"),
        "taken without the permission": on(free, "take", agent),
        "handed to nobody": on(free, "hand-over", to="x"),
        "handed to a client": on(free, "hand-over", to=str(world.client_user.pk)),
        "handed to who may not": on(free, "hand-over", to=str(agent.pk)),
        "put back by nobody": on(free, "put-back"),
        "an empty note": on(free, "note", text=" "),
        "a note of NUL": on(free, "note", text=NUL),
        "an endless note": on(free, "note", text="x" * 2001),
        "a question that is none": on(free, "check", item="x", done="1"),
        "decided as nothing": decide(do="x"),
        "decided of a colleague's": decide(theirs),
        "decided when closed": decide(closed),
        "decided without the permission": decide(by=agent),
        "decided about a stranger": decide(people=str(world.other.user_id)),
        "decided about NUL": decide(people=NUL),
        "decided with words of NUL": decide(told=NUL),
        "decided for a reason of NUL": decide(reason=NUL),
        "decided with a loss of nothing": decide(actual_loss="NaN"),
        "held for ever": decide(do="hold", hours="1000"),
        "kept quiet for ever": decide(do="fp", verdict="team", days="1000"),
        "harmless and confirmed": decide(do="fp"),
        "agreed to what nobody asks": on(free, "agree"),
        "agreed when closed": on(closed, "agree"),
        "agreed without the permission": on(free, "agree", agent),
        "declined for no reason": on(free, "decline", reason=" "),
        "declined for a reason of NUL": on(free, "decline", reason=NUL),
        "declined when nobody asks": on(free, "decline", reason="No."),
        "opened when open": on(free, "reopen", reason="Again."),
        "opened again for nothing": on(closed, "reopen", reason=" "),
        "merged into itself": on(free, "merge", into=str(free), reason="The same."),
        "merged into nothing": on(free, "merge", into="x", reason="The same."),
        "merged into a closed one": on(free, "merge", into=str(closed), reason="The same."),
        "many of none closed": lambda world: (security, "/console/incidents/close/", {"verdict": "harmless", "reason": "Café."}),
        "many closed for NUL": lambda world: (security, "/console/incidents/close/", {"pick": free.number, "verdict": "harmless", "reason": NUL}),
        "many closed as nothing": lambda world: (security, "/console/incidents/close/", {"pick": free.number, "verdict": "x", "reason": "Café."}),
        "quiet ended without the permission": lambda world: (agent, f"/console/suppressions/{free.pk}/end/", {}),
        "a number beyond its bounds": draft({known.parameters[0].name: "1e99"}),
        "a number that is none": draft({known.parameters[0].name: "NaN"}),
        "numbers for no reason": draft({"reason": " "}),
        "numbers without the permission": draft({}, agent),
        "put into force by who drafted it": lambda world: (security, f"/console/detectors/versions/{version.pk}/activate/", {}),
        "put into force untried": lambda world: (senior, f"/console/detectors/versions/{version.pk}/activate/", {}),
    }
    assert faults(world, asks) == {}


def test_a_credit_is_not_given_or_taken_back_badly(world: World, agent: User, auditor: User, settings: Any) -> None:
    """In the console."""
    settings.STAFF_SECOND_FACTOR = False
    person = world.client_user
    credit = payments.issue_credit(person, payments.Grant(Decimal("5.00"), CreditSource.ADMIN, "sorry"), actor=None)

    def give(by: User = agent, **form: Any) -> Ask:
        day = f"{now() + timedelta(days=30):%Y-%m-%d}"
        filled = {"person": person.pk, "amount": "10.00", "label": "Sorry", "scope": "all", "last_day": day, "reason": "Case 1"}
        return lambda world: (by, "/console/plans/new/credit_issue/", filled | form)

    def take(by: User = agent, **form: Any) -> Ask:
        filled = {"credit": str(credit.pk), "told": "It was given twice.", "reason": "Case 1"}
        return lambda world: (by, "/console/plans/new/credit_void/", filled | form)

    asks = {
        **{f"of {text[:9]!r}": give(amount=text) for text in [*BAD_MONEY, "", "5000.01"]},
        "to nobody": give(person="nobody@example.com"),
        "to NUL": give(person=NUL),
        "to oneself": give(person=agent.pk),
        "without the permission": give(auditor),
        "for NUL": give(label=NUL),
        "for nothing": give(label=" "),
        "for too many words": give(label="x" * 121),
        "for what is no scope": give(scope="x"),
        "for a builder that nobody named": give(scope="builder"),
        "for a builder that is none": give(scope="builder", builder="nobody"),
        "for a builder with NUL": give(scope="builder", builder=NUL),
        "for a category that is none": give(scope="category", category="x"),
        "until yesterday": give(last_day=f"{now() - timedelta(days=1):%Y-%m-%d}"),
        "until a day that does not exist": give(last_day="2027-02-30"),
        "until the year 9999": give(last_day="9999-12-31"),
        "until NUL": give(last_day="2027-01-01\x00"),
        "without a reason": give(reason=" "),
        "with an endless reason": give(reason="x" * 601),
        "with a reason of NUL": give(reason=NUL),
        "taken back of nobody": take(credit=str(uuid7())),
        "taken back of NUL": take(credit=NUL),
        "taken back of what is no credit": take(credit=str(person.pk)),
        "taken back and told too little": take(told="Twice"),
        "taken back and told NUL": take(told=NUL + " " * 20),
        "taken back and told at length": take(told="x" * 301),
        "taken back without a reason": take(reason=""),
        "taken back without the permission": take(auditor),
    }
    assert faults(world, asks) == {}
    for good in (give(), take()):
        assert ready(world, good)().status_code == 302


def test_a_dispute_is_not_decided_badly(world: World, senior: User, agent: User, settings: Any) -> None:
    """In the console: what support decides, asks for and writes."""
    settings.STAFF_SECOND_FACTOR = False
    builder, number = in_dispute("x")(world)[0], int(in_dispute("x")(world)[1].split("/")[2])
    found = Dispute.objects.get(number=number)
    early = {"to_client": "60", "decision": "Half was done.", "reason": "Case 1"}

    def step(name: str, by: User = senior, **form: Any) -> Ask:
        return lambda world: (by, f"/console/disputes/{number}/{name}/", form)

    def decide(by: User = senior, **form: Any) -> Ask:
        return step("decide", by, **(early | form))

    orders.answer_dispute(found.pk, actor=builder, answer="No.", offer=Decimal("10.00"))
    orders.escalate_dispute(found.pk, actor=world.client_user)
    asks = {
        **{f"of {text[:9]!r}": decide(to_client=text) for text in [*BAD_MONEY, "", "180.01"] if text != "0"},
        "without words": decide(decision=" "),
        "with NUL": decide(decision=NUL),
        "at length": decide(decision="x" * 5001),
        "without a reason": decide(reason=""),
        "with a reason of NUL": decide(reason=NUL),
        "without the permission": decide(agent),
        "submitted before it was worked out": step("submit", seen="x" * 64, do="submit"),
        "dropped before it was worked out": step("submit", seen="x" * 64, do="drop"),
        "submitted without the permission": step("submit", agent, do="submit"),
        "asked nothing": step("ask", text=" "),
        "asked NUL": step("ask", text=NUL),
        "asked at length": step("ask", text="x" * 5001),
        "asked without the permission": step("ask", agent, text="Which pages?"),
        "no such dispute": lambda world: (senior, "/console/disputes/999999999/decide/", early),
    }
    assert faults(world, asks) == {}
    assert ready(world, decide())().status_code == 302
    drafted = {
        "submitted with other figures": step("submit", seen="x" * 64, do="submit"),
        "submitted with NUL": step("submit", seen=NUL, do="submit"),
        "neither submitted nor dropped": step("submit", seen="x" * 64, do="x"),
    }
    assert faults(world, drafted) == {}
