"""Work on incidents in the console: what `auditlog.actions.casework` does to the incident, with who may, what becomes of people and their
withdrawals, and a line among the support actions for each act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from auditlog.actions import Finding, Reason, casework, note, open_incident, record, tuning
from auditlog.actions.casework import Closed, lock_incident
from auditlog.detectors.registry import Detector
from auditlog.events import Event
from auditlog.models import ActionTaken, ActorType, DetectionMethod, DetectorVersion, EventKind, IncidentLog, Suppression, Verdict
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.kit.jobs import enqueue
from port444.notifications.actions import Notice, notify, notify_many
from port444.payments.actions import end_hold, hold_withdrawal, hold_withdrawals_of
from port444.payments.models import PayoutHold
from support.models import ActionType, Plan, PlanKind
from support.roles import require, who_may

from .plans import About, draft_plan, submit_plan
from .records import note_action

WORK = "work_incidents"
MOST_HOURS = 72
MOST_TOLD = 300
MOST_PEOPLE = 200
TRY_SECONDS = 3600  # for thirty days of a busy log, twice


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


def _note(incident: IncidentLog, actor: User, what: str, *, reason: str = "", action: ActionType = ActionType.INCIDENT) -> None:
    """The list of actions is read by all of the staff: what is about one of them is not named there."""
    if User.objects.filter(pk__in=incident.people, is_staff=True).exists():
        note_action(action, actor=actor, description=f"{what} an incident about staff")
        return
    about = User.objects.filter(pk=incident.user_id).first() if incident.user_id else None
    note_action(action, actor=actor, description=f"{what} {incident}", reason=reason, target_user=about)


@transaction.atomic
def open_incident_about(person_id: UUID, *, actor: User, said: Mapping[str, Any]) -> IncidentLog:
    """Write down what a member of staff saw of somebody, as an incident of its own which they have taken. `said` has incident_type,
    severity, confidence, description and, when money can be lost, potential_loss. Raises NotAllowed for oneself."""
    require(actor, WORK)
    if person_id == actor.pk:
        raise NotAllowed("Nobody works on their own case.", code="own_case")
    person = User.objects.get(pk=person_id)
    confidence = int(said["confidence"])
    finding = Finding(
        fingerprint=f"by_hand:{uuid7()}",
        user_id=person.pk,
        pattern="seen by staff",
        reasons=[Reason(confidence, f"As sure as {actor.name} is")],
        **said,
    )
    incident = open_incident(finding, actor=actor, method=DetectionMethod.MANUAL)
    incident = casework.take(incident.pk, actor=actor)
    _note(incident, actor, "Opened", reason=incident.description[:600])
    return incident


# Whose it is ------------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_next_incident(*, actor: User, weak: bool = False) -> IncidentLog | None:
    """The one that is due first and that nobody has; None when nothing waits."""
    require(actor, WORK)
    incident = casework.take_next(actor=actor, weak=weak)
    if incident is not None:
        _note(incident, actor, "Took")
    return incident


@transaction.atomic
def take_incident(incident_id: UUID, *, actor: User) -> IncidentLog:
    require(actor, WORK)
    incident = casework.take(incident_id, actor=actor)
    _note(incident, actor, "Took")
    return incident


def may_have(incident: IncidentLog) -> list[User]:
    """The staff to whom it can be handed over: not those whom it is about."""
    return list(who_may(WORK).exclude(pk__in=incident.people)[:MOST_PEOPLE])


@transaction.atomic
def hand_over_incident(incident_id: UUID, *, actor: User, to: UUID) -> IncidentLog:
    """To somebody who works on incidents, and whom it is not about; taking it over is handing it to oneself."""
    require(actor, WORK)
    incident = lock_incident(incident_id, actor)
    colleague = next((one for one in may_have(incident) if one.pk == to), None)
    if colleague is None:
        raise Invalid("Choose somebody who works on incidents.", code="colleague")
    incident = casework.hand_over(incident_id, actor=actor, to=colleague)
    if colleague.pk != actor.pk:
        notify(
            colleague,
            "incident.handed_over",
            title=f"{actor.name} gave you {incident}",
            body=incident.description,
            url=reverse("support:incident", args=[incident.number]),
            dedupe_key=f"incident.handed_over:{incident.pk}:{now().isoformat()}",
        )
    _note(incident, actor, f"Gave {colleague.name}" if colleague.pk != actor.pk else "Took over")
    return incident


@transaction.atomic
def put_incident_back(incident_id: UUID, *, actor: User) -> IncidentLog:
    require(actor, WORK)
    incident = casework.put_back(incident_id, actor=actor)
    _note(incident, actor, "Put back")
    return incident


@transaction.atomic
def note_on_incident(incident_id: UUID, *, actor: User, text: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.add_note(incident_id, actor=actor, text=text)
    _note(incident, actor, "Wrote a note on")
    return incident


@transaction.atomic
def check_on_incident(incident_id: UUID, *, actor: User, item: str, done: bool, text: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.check_item(incident_id, actor=actor, item=item, done=done, text=text)
    _note(incident, actor, "Looked into a question of" if done else "Reopened a question of")
    return incident


# Deciding ---------------------------------------------------------------------------------------------------------------------------


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
        case Do.FALSE:
            casework.mark_false_positive(incident_id, actor=actor, reason=decision.reason, verdict=decision.verdict, days=decision.days)
            _free([incident], actor, decision.reason)
        case Do.NOTHING:
            casework.resolve(incident_id, actor=actor, action=ActionTaken.NO_ACTION, **_closing(decision))
            _free([incident], actor, decision.reason)
    _note(incident, actor, WORDS[decision.do], reason=decision.reason, action=ActionType.INCIDENT_DECIDE)
    return IncidentLog.objects.get(pk=incident_id)


WORDS = {
    Do.HOLD: "Kept withdrawals held for",
    Do.WARN: "Warned people and closed",
    Do.SUSPEND: "Suspended accounts and closed",
    Do.FALSE: "Called harmless",
    Do.NOTHING: "Closed without an action",
}


def _closing(decision: Decision) -> dict[str, Any]:
    return {"verdict": decision.verdict, "reason": decision.reason, "actual_loss": decision.actual_loss}


def _chosen(incident: IncidentLog, decision: Decision) -> list[User]:
    """The people of the incident whom the decision concerns."""
    if decision.do not in (Do.HOLD, Do.WARN, Do.SUSPEND):
        return []
    if not set(decision.people) <= set(incident.people):
        raise Invalid("Choose among the people of this incident.", code="people")
    chosen = list(User.objects.filter(pk__in=decision.people).order_by("pk"))
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
    plans = []
    for person in people:
        plan = draft_plan(PlanKind.SUSPEND, actor=actor, asked={"told": told}, reason=f"{incident}: {reason}"[:600], about=About(target_user=person))
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


@transaction.atomic
def reopen_incident(incident_id: UUID, *, actor: User, reason: str) -> IncidentLog:
    require(actor, WORK)
    incident = casework.reopen(incident_id, actor=actor, reason=reason)
    _note(incident, actor, "Opened again", reason=reason)
    return incident


@transaction.atomic
def merge_incident(incident_id: UUID, *, actor: User, into: int, reason: str) -> IncidentLog:
    """`into` is the number of the other one, which is given back."""
    require(actor, WORK)
    other = IncidentLog.objects.visible_to(actor).filter(number=into).first()
    if other is None:
        raise Invalid("No incident has this number.", code="into")
    whole = casework.merge(incident_id, actor=actor, into=other.pk, reason=reason)
    _note(whole, actor, "Merged another incident into", reason=reason)
    return whole


@transaction.atomic
def close_incidents(numbers: Iterable[int], *, actor: User, verdict: Verdict, reason: str) -> Closed:
    """Close many with one reason, each with its own records."""
    require(actor, WORK)
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > casework.MOST_AT_ONCE:
        raise Invalid(f"At most {casework.MOST_AT_ONCE} at once.", code="too_many")
    ids = IncidentLog.objects.visible_to(actor).filter(number__in=wanted).values_list("pk", flat=True)
    done = casework.close_many(ids, actor=actor, verdict=verdict, reason=reason)
    _free(done.closed, actor, reason)
    for incident in done.closed:
        _note(incident, actor, "Closed, with others,", reason=reason, action=ActionType.INCIDENT_DECIDE)
    return done


@transaction.atomic
def end_quiet(suppression_id: UUID, *, actor: User) -> Suppression:
    require(actor, WORK)
    suppression = casework.end_suppression(suppression_id, actor=actor)
    _note(suppression.incident, actor, "Ended the suppression of")
    return suppression


# Detectors --------------------------------------------------------------------------------------------------------------------------


def _note_detector(version: DetectorVersion, actor: User, what: str, reason: str = "") -> None:
    note_action(ActionType.DETECTOR, actor=actor, description=f"{what} version {version.number} of {version.detector}", reason=reason)


@transaction.atomic
def draft_detector(detector: Detector, values: Mapping[str, float], *, actor: User, reason: str) -> DetectorVersion:
    require(actor, WORK)
    version = tuning.draft_version(detector.name, detector.parameters, values, actor=actor, reason=reason)
    _note_detector(version, actor, "Drafted", reason)
    return version


@transaction.atomic
def try_detector(version_id: UUID, *, actor: User) -> DetectorVersion:
    """Have a draft tried on what has happened, by a job."""
    require(actor, WORK)
    version = tuning.ask_for_backtest(version_id, actor=actor)
    enqueue("auditlog.actions.try_version", version.pk, seconds=TRY_SECONDS)
    _note_detector(version, actor, "Had tried")
    return version


@transaction.atomic
def activate_detector(version_id: UUID, *, actor: User) -> DetectorVersion:
    require(actor, WORK)
    version = tuning.activate_version(version_id, actor=actor)
    _note_detector(version, actor, "Put into force")
    return version
