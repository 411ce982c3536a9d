"""The page of one incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS
from auditlog.models import (
    LIVE,
    DetectorVersion,
    EventKind,
    IncidentEvent,
    IncidentLog,
    IncidentQuerySet,
    IncidentStatus,
    Suppression,
    Verdict,
)
from port444.accounts.models import User
from port444.orders.models import Order
from port444.payments.models import PayoutHold, Withdrawal
from support.drawing import Drawing, Value, draw, number, short, title_of, values_of, weight_words
from support.queues import order_address

from .words import GUIDES, MOST_SHOWN, STATUS_TONES, USUAL_GUIDE, Face, address, age_words, faces_of, name_of, status_words, type_words

S, K = IncidentStatus, EventKind
EVENTS_SHOWN, RELATED_SHOWN, ORDERS_SHOWN, PAIRS_SHOWN = 60, 6, 4, 40
LIKE_IT = 50  # closed cases of like confidence that say how often such are right
NEAR = 10  # points of confidence


@dataclass(frozen=True, slots=True)
class Bar:
    """A reason and how much of the confidence it is."""

    points: str
    width: int
    text: str
    fact: str
    link: str
    takes: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people and what they share."""

    a: Face | None
    b: Face | None
    shares: str
    weight: str
    is_weak: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    who: str
    what: str
    note: str
    tone: str


@dataclass(frozen=True, slots=True)
class Link:
    """Something related."""

    icon: str
    url: str
    title: str
    small: str
    state: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A question of the checklist."""

    key: str
    text: str
    done: bool


@dataclass(slots=True)
class Look:
    """Everything that the page of an incident shows."""

    incident: IncidentLog
    whole: IncidentLog | None  # that it was merged into, for who may see that
    people: list[Face]
    owner: Face | None
    decided_by: Face | None
    approved_by: Face | None
    asker: Face | None  # who wants a second person to agree to closing it
    drawing: Drawing | None
    values: list[Value]
    bars: list[Bar]
    pairs: list[Pair]
    steps: list[Step]
    items: list[Item]
    related: list[Link]
    holds: list[PayoutHold]
    suppression: Suppression | None
    terms: Terms | None
    right: tuple[int, int]  # of how many closed ones that were as sure as this, how many were right
    withdrawal: Withdrawal | None = None
    older_steps: int = 0

    @property
    def checked(self) -> int:
        return sum(item.done for item in self.items)

    @property
    def says_when(self) -> bool:
        """Whether a link says when it was seen."""
        return any(pair.seen for pair in self.pairs)

    @property
    def held_until(self) -> datetime | None:
        return max((hold.until for hold in self.holds if hold.until), default=None)


def look_at(incident: IncidentLog, user: User, moment: datetime) -> Look:
    """In a fixed number of queries."""
    events = list(IncidentEvent.objects.filter(incident=incident).order_by("-id")[: EVENTS_SHOWN + 1])
    related = _related(incident, user)
    holds = list(
        PayoutHold.objects.standing()
        .filter(Q(incident_id=incident.pk) | Q(incident_id__in=IncidentLog.objects.filter(merged_into=incident).values("pk")))
        .select_related("withdrawal")
        .order_by("pk")
    )
    owners = [one for one in (incident.assigned_to, incident.resolved_by, incident.closing_asked_by, incident.approved_by) if one]
    actors = [event.actor_id for event in events if event.actor_id]
    named = [UUID(str(event.facts["to"])) for event in events if event.kind == K.ASSIGNED and event.facts.get("to")]
    faces = faces_of([*incident.people, *owners, *actors, *named])
    people = [faces.get(person) or Face(person, f"…{str(person)[-6:]}") for person in incident.people]
    values = values_of(incident.evidence)
    withdrawal = Withdrawal.objects.filter(pk=incident.withdrawal_id).first() if incident.withdrawal_id else None
    whole = incident.merged_into if incident.merged_into is not None and user.pk not in incident.merged_into.people else None
    return Look(
        incident=incident,
        whole=whole,
        people=people,
        owner=faces.get(incident.assigned_to) if incident.assigned_to else None,
        decided_by=faces.get(incident.resolved_by) if incident.resolved_by else None,
        approved_by=faces.get(incident.approved_by) if incident.approved_by else None,
        asker=faces.get(incident.closing_asked_by) if incident.closing_asked_by else None,
        drawing=draw([(str(face.pk), face.initials, _below(face, moment)) for face in people], values),
        values=values,
        bars=[_bar(reason) for reason in incident.reasons if isinstance(reason, dict)],
        pairs=_pairs(incident.evidence, faces),
        steps=[_step(event, user, faces, whole) for event in events[:EVENTS_SHOWN]],
        items=_items(incident),
        related=[*related, *_orders(incident)],
        holds=holds,
        suppression=Suppression.objects.filter(incident=incident).order_by("-made_at").first() if incident.status not in LIVE else None,
        terms=terms_of(incident.detector, incident.detector_version),
        right=_right(incident, user),
        withdrawal=withdrawal,
        older_steps=max(0, len(events) - EVENTS_SHOWN),
    )


def _below(face: Face, moment: datetime) -> str:
    name = short(face.name, 16)
    return f"{name}, {age_words(moment - face.opened_at)}" if face.opened_at else name


def _bar(reason: Mapping[str, Any]) -> Bar:
    try:
        points = int(reason.get("points") or 0)
    except (TypeError, ValueError):
        points = 0
    link = str(reason.get("link") or "")
    return Bar(
        f"{points:+d}" if points else "0",
        min(100, abs(points)),
        str(reason.get("text") or ""),
        str(reason.get("fact") or ""),
        link if link.startswith("/") and not link.startswith("//") else "",
        points < 0,
    )


def _pairs(evidence: Mapping[str, Any], faces: Mapping[UUID, Face]) -> list[Pair]:
    found = []
    rows = evidence.get("pairs")
    for row in rows[:PAIRS_SHOWN] if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        weight = number(row.get("weight"))
        said_shares = row.get("shares")
        shares: list[Any] = said_shares if isinstance(said_shares, list) else []
        said = [title_of(str(one.get("kind", "")), str(one.get("value", "")), 40) if isinstance(one, dict) else str(one) for one in shares]
        words = ", ".join(one[:60] for one in said[:8])
        found.append(
            Pair(_face(faces, row.get("a")), _face(faces, row.get("b")), words, weight_words(weight), weight < 0.5, str(row.get("seen") or ""))
        )
    return found


def _face(faces: Mapping[UUID, Face], said: Any) -> Face | None:
    try:
        return faces.get(UUID(str(said)))
    except ValueError:
        return None


WHAT = {
    K.OPENED: ("Opened", "bad"),
    K.REPEATED: ("found it again", ""),
    K.RAISED: ("raised it", "bad"),
    K.ALERTED: ("Told the staff", ""),
    K.HELD: ("held withdrawals", "wait"),
    K.FREED: ("ended holds", "go"),
    K.TAKEN: ("took it", "go"),
    K.ASSIGNED: ("handed it over", "go"),
    K.LEFT: ("put it back", ""),
    K.NOTED: ("wrote a note", ""),
    K.CHECKED: ("looked into", "go"),
    K.RESOLVED: ("closed it", "go"),
    K.FALSE_POSITIVE: ("called it harmless", "go"),
    K.REOPENED: ("opened it again", "bad"),
    K.MERGED: ("merged", "wait"),
    K.ACTED: ("acted", "wait"),
    K.ASKED: ("asked a second person to close it", "wait"),
    K.AGREED: ("agreed to close it", "go"),
    K.DECLINED: ("did not agree to close it", "bad"),
}


def _step(event: IncidentEvent, user: User, faces: Mapping[UUID, Face], whole: IncidentLog | None) -> Step:
    what, tone = WHAT[K(event.kind)]
    facts, words = event.facts, event.text
    if event.actor_id is None:
        who = "" if event.kind in (K.OPENED, K.ALERTED) else "Detector" if event.kind in (K.REPEATED, K.RAISED) else "The platform"
    else:
        who = "You" if event.actor_id == user.pk else name_of(faces, event.actor_id)
    if event.kind == K.OPENED:
        what = f"{'opened it' if who else 'Opened'}, confidence {facts.get('confidence', 0)}"
    elif event.kind == K.ALERTED and words:
        what, words = words, ""
    elif event.kind == K.RAISED and facts.get("was") is not None:
        what = f"raised it, {facts['was']} to {facts.get('confidence')}"
    elif event.kind == K.ASSIGNED:
        to = _face(faces, facts.get("to"))
        what = f"gave it to {'you' if to and to.pk == user.pk else to.name if to else 'somebody'}"
    elif event.kind == K.CHECKED and not facts.get("done"):
        what, tone = "opened a question again", ""
    elif event.kind == K.MERGED:
        into = f"I-{facts['into']}" if whole is not None and whole.number == facts.get("into") else "another"
        what = f"merged I-{facts['part']} into it" if facts.get("part") else f"merged it into {into}" if facts.get("into") else what
    elif event.kind in (K.RESOLVED, K.FALSE_POSITIVE) and facts.get("verdict"):
        what = f"{what}: {Verdict(facts['verdict']).label.lower()}"
    return Step(event.at, who, what, words, tone)


def guide_of(incident: IncidentLog) -> tuple[tuple[str, str], ...]:
    return GUIDES.get(incident.incident_type, USUAL_GUIDE)


def _items(incident: IncidentLog) -> list[Item]:
    """As they were ticked last."""
    checks = IncidentEvent.objects.filter(incident=incident, kind=K.CHECKED).order_by("-id").values_list("facts", flat=True)[:MOST_SHOWN]
    last = {str(facts.get("item")): bool(facts.get("done")) for facts in reversed(checks)}
    return [Item(key, text, last.get(key, False)) for key, text in guide_of(incident)]


def _related(incident: IncidentLog, user: User) -> list[Link]:
    """Others about the same people, what it was before, and what was merged into it."""
    same = Q(merged_into=incident)
    if incident.people:
        same |= Q(user_id__in=incident.people) | Q(related_users__overlap=incident.people)
    if incident.previous_id:
        same |= Q(pk=incident.previous_id)
    if incident.merged_into_id:
        same |= Q(pk=incident.merged_into_id)
    rows = IncidentLog.objects.visible_to(user).filter(same).exclude(pk=incident.pk).defer("evidence", "reasons", "investigation_notes")
    found = []
    for row in rows.order_by("-number")[:RELATED_SHOWN]:
        shared = len(set(row.people) & set(incident.people))
        if row.merged_into_id == incident.pk:
            small = "merged into this one"
        elif row.pk == incident.merged_into_id:
            small = "this one was merged into it"
        elif row.pk == incident.previous_id:
            small = f"the same before, closed {row.resolved_at:%-d %b}" if row.resolved_at else "the same before"
        else:
            small = f"{shared} of the same people, {row.detected_at:%-d %b}"
        tone = STATUS_TONES[S(row.status)]
        found.append(Link("flag", address(row), f"{row} {type_words(row)}", small, status_words(row), tone))
    return found


def _orders(incident: IncidentLog) -> list[Link]:
    """Orders between its people."""
    people = incident.people
    rows = Order.objects.with_people().filter(client__in=people, builder__user__in=people).order_by("-placed_at")[:ORDERS_SHOWN]
    return [
        Link(
            "package",
            order_address(row),
            f"P4-{row.number} {row.title}",
            f"{row.client.name} paid {row.builder.user.name}, {row.price:,.2f} USDC",
            row.get_status_display(),
        )
        for row in (rows if len(people) > 1 else rows.none())
    ]


def _right(incident: IncidentLog, user: User) -> tuple[int, int]:
    """Of the last closed ones of its detector that were about as sure, how many were right, without those about oneself."""
    near = (incident.confidence - NEAR, incident.confidence + NEAR)
    rows = (
        judged(IncidentLog.objects.visible_to(user).filter(detector=incident.detector, confidence__range=near))
        .order_by("-resolved_at")
        .values_list("verdict", flat=True)
    )
    found = list(rows[:LIKE_IT]) if incident.detector else []
    return sum(verdict == Verdict.CONFIRMED for verdict in found), len(found)


def judged(rows: IncidentQuerySet) -> IncidentQuerySet:
    """Closed by a verdict; what was merged into another counts there."""
    return rows.filter(resolved_at__isnull=False, merged_into__isnull=True)


def terms_of(detector: str, version: int) -> Terms | None:
    """The parameters that a detector worked with in this version."""
    known = next((one for one in DETECTORS if one.name == detector), None)
    if known is None:
        return None
    row = DetectorVersion.objects.filter(detector=detector, number=version).first() if version else None
    return Terms(known.parameters, row.parameters if row else {})
