"""Deciding incidents: what becomes of the people and of their withdrawals, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from auditlog.actions import casework, closing, note, record
from auditlog.actions.casework import Closed, lock_incident
from auditlog.events import Event
from auditlog.models import LIVE, ActionTaken, ActorType, EventKind, IncidentLog, Verdict
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.notifications.actions import Notice, notify, notify_many
from port444.payments.actions import end_hold, hold_withdrawal, hold_withdrawals_of
from port444.payments.models import PayoutHold
from support.models import ActionType, Plan, PlanKind
from support.roles import may, require

from .incidents import WORK, may_have, note_work
from .plans import About, draft_plan, submit_plan
from .records import note_action

MOST_HOURS = 72
MOST_TOLD = 300
MOST_ASKED = 50


class Do(StrEnum):
    """What can be decided."""

    HOLD = "hold"
    WARN = "warn"
    SUSPEND = "suspend"
    FALSE = "fp"
    NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about an incident. `people` are those whom it concerns, `told` is what they read."""

    do: Do
    reason: str
    verdict: Verdict
    people: Sequence[UUID] = ()
    withdrawal: bool = False  # of a hold: keeps the incident's own withdrawal
    told: str = ""
    hours: int = MOST_HOURS
    days: int = casework.USUAL_QUIET
    actual_loss: Decimal | None = None


@transaction.atomic
def decide_incident(incident_id: UUID, *, actor: User, decision: Decision) -> IncidentLog:
    """Do what was decided, all of it or nothing."""
    require(actor, WORK)
    incident = lock_incident(incident_id, actor)
    chosen = _chosen(incident, decision)
    told = " ".join(decision.told.split())
    if decision.do in (Do.HOLD, Do.WARN, Do.SUSPEND) and not 10 <= len(told) <= MOST_TOLD:
        raise Invalid(f"Say in 10 to {MOST_TOLD} characters what they read.", code="told")
    match decision.do:
        case Do.HOLD:
            _hold(incident, actor, decision, chosen, told)
        case Do.WARN:
            casework.resolve(incident_id, actor=actor, action=ActionTaken.WARNING_ISSUED, **_closing(decision))
            _warn(incident, actor, chosen, told)
        case Do.SUSPEND:
            casework.resolve(incident_id, actor=actor, action=ActionTaken.ACCOUNT_SUSPENDED, **_closing(decision))
            _suspend(incident, actor, chosen, told, decision.reason)
        case Do.FALSE | Do.NOTHING if takes_two(incident):
            return _ask(incident, actor, decision)
        case Do.FALSE | Do.NOTHING:
            _close(incident, actor, decision)
    note_work(incident, actor, WORDS[decision.do], reason=decision.reason, action=ActionType.INCIDENT_DECIDE)
    return IncidentLog.objects.get(pk=incident_id)


WORDS = {
    Do.HOLD: "Kept withdrawals held for",
    Do.WARN: "Warned people and closed",
    Do.SUSPEND: "Suspended accounts and closed",
    Do.FALSE: "Called harmless",
    Do.NOTHING: "Closed without an action",
}


def _close(incident: IncidentLog, actor: User, decision: Decision, approved_by: User | None = None) -> None:
    """Close it without an action: what it keeps held goes on."""
    if decision.do == Do.FALSE:
        casework.mark_false_positive(
            incident.pk, actor=actor, reason=decision.reason, verdict=decision.verdict, days=decision.days, approved_by=approved_by
        )
    else:
        casework.resolve(incident.pk, actor=actor, action=ActionTaken.NO_ACTION, approved_by=approved_by, **_closing(decision))
    _free([incident], actor, decision.reason)


def _closing(decision: Decision) -> dict[str, Any]:
    return {"verdict": decision.verdict, "reason": decision.reason, "actual_loss": decision.actual_loss}


def _chosen(incident: IncidentLog, decision: Decision) -> list[User]:
    """The people of the incident whom the decision concerns."""
    if decision.do not in (Do.HOLD, Do.WARN, Do.SUSPEND):
        return []
    if not set(decision.people) <= set(incident.people):
        raise Invalid("Choose among the people of this incident.", code="people")
    chosen = list(User.objects.filter(pk__in=decision.people).order_by("pk"))
    if any(person.is_staff for person in chosen):
        raise Invalid("Nothing is done to accounts of staff from an incident.", code="people")
    if not chosen and not (decision.do == Do.HOLD and decision.withdrawal and incident.withdrawal_id):
        raise Invalid("Choose whom it concerns.", code="people")
    return chosen


def _hold(incident: IncidentLog, actor: User, decision: Decision, people: Sequence[User], told: str) -> None:
    if not 1 <= decision.hours <= MOST_HOURS:
        raise Invalid(f"A hold lasts 1 to {MOST_HOURS} hours.", code="hours")
    until = now() + timedelta(hours=decision.hours)
    holds = [hold_withdrawals_of(person.pk, actor=actor, reason=told, incident=incident.pk, until=until) for person in people]
    if decision.withdrawal and incident.withdrawal_id:
        holds.append(hold_withdrawal(incident.withdrawal_id, actor=actor, reason=told, incident=incident.pk, until=until))
    for hold in holds:
        note_action(
            ActionType.PAYOUTS_HOLD,
            actor=actor,
            description=f"Held withdrawals of {hold.user.name} for {decision.hours} hours",
            reason=told,
            target_user=hold.user if not hold.user.is_staff else None,
        )
    casework.keep_held(incident.pk, actor=actor, until=until, reason=decision.reason, accounts=len({hold.user_id for hold in holds}))


def _warn(incident: IncidentLog, actor: User, people: Sequence[User], told: str) -> None:
    notify_many(
        [
            Notice(
                person,
                "account.warned",
                title="A warning about your account",
                body=told,
                url=reverse("notifications:list"),
                dedupe_key=f"account.warned:{incident.pk}:{now().isoformat()}:{person.pk}",
            )
            for person in people
        ]
    )
    for person in people:
        record(Event.PERSON_WARNED, actor=actor, as_a=ActorType.ADMIN, target=person, description=told, incident=incident.pk)
        note_action(
            ActionType.WARNING,
            actor=actor,
            description=f"Warned {person.name}",
            reason=told,
            target_user=person if not person.is_staff else None,
        )
    note(incident, EventKind.ACTED, f"Warned {_names(people)}: {told}", actor=actor)


def _suspend(incident: IncidentLog, actor: User, people: Sequence[User], told: str, reason: str) -> list[Plan]:
    """By a plan each, with the rules of plans: at once where one person may, else when a second one approves."""
    # Plans are read by colleagues: by those, too, who are a part of it.
    named = reason if User.objects.filter(pk__in=incident.people, is_staff=True).exists() else f"{incident}: {reason}"
    plans = []
    for person in people:
        plan = draft_plan(PlanKind.SUSPEND, actor=actor, asked={"told": told}, reason=named[:600], about=About(target_user=person))
        plans.append(submit_plan(plan.pk, actor=actor, seen=plan.figures_sha256))
    said = ", ".join(f"{plan} {plan.status_words()}" for plan in plans)
    note(incident, EventKind.ACTED, f"Suspend {_names(people)}: {said}", actor=actor, plans=[plan.number for plan in plans])
    return plans


def _names(people: Iterable[User]) -> str:
    return ", ".join(person.name for person in people)


def holds_of(incidents: Sequence[IncidentLog]) -> list[PayoutHold]:
    """What these incidents, and those merged into them, keep held."""
    ids = [incident.pk for incident in incidents]
    merged = IncidentLog.objects.filter(merged_into__in=ids).values_list("pk", flat=True)
    rows = PayoutHold.objects.standing().filter(incident_id__in=[*ids, *merged])
    return list(rows.select_related("user", "withdrawal").order_by("user_id", "pk"))


def _free(incidents: Sequence[IncidentLog], actor: User, reason: str) -> None:
    """What an incident keeps held has no reason any more once it is closed without an action."""
    holds = holds_of(incidents)
    for hold in holds:
        end_hold(hold.pk, actor=actor, reason=reason[:MOST_TOLD])
        note_action(
            ActionType.PAYOUTS_RELEASE,
            actor=actor,
            description=f"Ended the hold on withdrawals of {hold.user.name}",
            reason=reason,
            target_user=hold.user if not hold.user.is_staff else None,
        )
    for incident in incidents:
        freed = [hold for hold in holds if hold.incident_id == incident.pk]
        if freed:
            note(incident, EventKind.FREED, f"Withdrawals of {_names(hold.user for hold in freed)} go on", actor=actor)


def closable(numbers: Iterable[int], *, actor: User, locked: bool = False) -> Closed:
    """What would become of closing these together: what is closed, what is left because a colleague has it or it is closed already, and
    what takes two. What is about the actor is not among them."""
    rows = IncidentLog.objects.visible_to(actor).filter(number__in=list(numbers)[: casework.MOST_AT_ONCE]).order_by("pk")
    found = list(rows.select_for_update(of=("self",), no_key=True) if locked else rows)
    free = [row for row in found if row.status in LIVE and row.assigned_to in (None, actor.pk)]
    two = _taking_two(free)
    return Closed(
        closed=[row for row in free if row.pk not in two],
        left=[row for row in found if row not in free],
        for_two=[row for row in free if row.pk in two],
    )


@transaction.atomic
def close_incidents(numbers: Iterable[int], *, actor: User, verdict: Verdict, reason: str, sure: int | None = None) -> Closed:
    """Close many with one reason, each with its own records. `sure` is how many the actor was told it would be: when it is another number
    by now, nothing is done (Conflict, code `changed`)."""
    require(actor, WORK)
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > casework.MOST_AT_ONCE:
        raise Invalid(f"At most {casework.MOST_AT_ONCE} at once.", code="too_many")
    found = closable(wanted, actor=actor, locked=True)
    if sure is not None and len(found.closed) != sure:
        raise Conflict(f"It would be {len(found.closed)} by now, and not {sure}. Nothing was closed.", code="changed")
    if found.closed:
        done = casework.close_many([row.pk for row in found.closed], actor=actor, verdict=verdict, reason=reason)
        _free(done.closed, actor, reason)
        for incident in done.closed:
            note_work(incident, actor, "Closed, with others,", reason=reason, action=ActionType.INCIDENT_DECIDE)
        found.closed = done.closed
    return found


# Two for what is serious -----------------------------------------------------------------------------------------------------------


def is_serious(incident: IncidentLog) -> bool:
    return incident.severity in closing.SERIOUS


def takes_two(incident: IncidentLog) -> bool:
    """Whether closing it without an action ends a hold, or one that is about to be made, of what is serious. The database says so too."""
    return is_serious(incident) and (incident.hold_wanted_at is not None or bool(holds_of([incident])))


def _ask(incident: IncidentLog, actor: User, decision: Decision) -> IncidentLog:
    loss = str(decision.actual_loss) if decision.actual_loss is not None else None
    wish: dict[str, Any] = {"do": decision.do, "verdict": decision.verdict, "days": decision.days, "actual_loss": loss}
    if (decision.verdict in casework.HARMLESS) is not (decision.do == Do.FALSE):
        raise Invalid("What is harmless is a false positive, and nothing else is.", code="verdict")
    asked = closing.ask_to_close(incident.pk, actor=actor, reason=decision.reason, **wish)
    second = [one for one in may_have(incident) if one.pk != actor.pk and may(one, "approve")]
    notify_many(
        [
            Notice(
                one,
                "incident.second_person",
                title=f"{actor.name} wants to close {incident}, which ends its holds",
                body=f"{decision.reason[:400]} Somebody else has to agree.",
                url=reverse("support:incident", args=[incident.number]),
                dedupe_key=f"incident.second_person:{incident.pk}:{now().isoformat()}:{one.pk}",
            )
            for one in second[:MOST_ASKED]
        ]
    )
    note_work(incident, actor, "Asked a second person to close", reason=decision.reason, action=ActionType.INCIDENT_DECIDE)
    return asked


@transaction.atomic
def agree_to_close(incident_id: UUID, *, actor: User) -> IncidentLog:
    """The second person: what was asked for is done, in the name of whoever asked."""
    require(actor, WORK)
    require(actor, "approve")
    incident, wish = closing.agree_to_close(incident_id, actor=actor)
    assert wish.actor_id is not None, "a person asks"
    asker = User.objects.get(pk=wish.actor_id)
    require(asker, WORK)
    loss = wish.facts.get("actual_loss")
    decision = Decision(
        do=Do(wish.facts["do"]),
        reason=wish.text,
        verdict=Verdict(wish.facts["verdict"]),
        days=int(wish.facts["days"]),
        actual_loss=Decimal(loss) if loss else None,
    )
    if incident.assigned_to not in (None, asker.pk):
        raise Conflict("Somebody else has it by now. They decide.", code="taken")
    _close(incident, asker, decision, approved_by=actor)
    note_work(incident, actor, "Agreed to close", reason=decision.reason, action=ActionType.APPROVAL)
    note_work(incident, asker, WORDS[decision.do], reason=decision.reason, action=ActionType.INCIDENT_DECIDE)
    _tell_asker(incident, asker, actor, f"{actor.name} agreed: {incident} is closed", decision.reason)
    return IncidentLog.objects.get(pk=incident_id)


@transaction.atomic
def decline_to_close(incident_id: UUID, *, actor: User, reason: str) -> IncidentLog:
    """By the second person, or taken back by whoever asked."""
    require(actor, WORK)
    asked_by = IncidentLog.objects.values_list("closing_asked_by", flat=True).get(pk=incident_id)
    if asked_by != actor.pk:
        require(actor, "approve")
    incident = closing.decline_to_close(incident_id, actor=actor, reason=reason)
    note_work(incident, actor, "Did not agree to close" if asked_by != actor.pk else "Took back to close", reason=reason, action=ActionType.APPROVAL)
    if asked_by is not None and asked_by != actor.pk:
        _tell_asker(incident, User.objects.get(pk=asked_by), actor, f"{actor.name} did not agree to close {incident}", reason)
    return incident


def _tell_asker(incident: IncidentLog, asker: User, actor: User, title: str, body: str) -> None:
    notify(
        asker,
        "incident.second_person",
        title=title,
        body=body[:400],
        url=reverse("support:incident", args=[incident.number]),
        dedupe_key=f"incident.second_person:{incident.pk}:{now().isoformat()}:{asker.pk}:told",
    )


def _taking_two(incidents: Sequence[IncidentLog]) -> set[UUID]:
    """Those whose holds one person does not end alone."""
    serious = {row.pk for row in incidents if row.severity in closing.SERIOUS}
    parts = dict(IncidentLog.objects.filter(merged_into__in=serious).values_list("pk", "merged_into_id"))
    held = PayoutHold.objects.standing().filter(incident_id__in=[*serious, *parts]).values_list("incident_id", flat=True)
    return {parts.get(pk, pk) for pk in held if pk is not None} | {row.pk for row in incidents if row.pk in serious and row.hold_wanted_at}
