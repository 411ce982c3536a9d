"""What the pages of incidents show, read for whoever looks: nobody sees what is about themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest
from django.db.models import Q
from django.urls import reverse

from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS
from auditlog.models import (
    LIVE,
    DetectorVersion,
    EventKind,
    IncidentEvent,
    IncidentLog,
    IncidentQuerySet,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
    Suppression,
    Verdict,
)
from port444.accounts.models import User
from port444.orders.models import Order
from port444.payments.models import PayoutHold, Withdrawal

from .drawing import KINDS, Drawing, Value, draw, number, short, title_of, values_of, weight_words
from .queues import MOST_BESIDE_TAB, Counted, order_address

SHOWN, MOST_SHOWN = 50, 200
EVENTS_SHOWN, RELATED_SHOWN, ORDERS_SHOWN, PAIRS_SHOWN = 60, 6, 4, 40
LIKE_IT = 50  # closed cases of like confidence that say how often such are right
NEAR = 10  # points of confidence
SAMPLE = "sample"
START = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)
S, K = IncidentStatus, EventKind
TABS = {"waiting": "Waiting", "mine": "Mine", "work": "In work", "second": "Second person", "weak": "Weak signals", "closed": "Closed"}
SEVERITY_TONES = {IncidentSeverity.CRITICAL: "bad", IncidentSeverity.HIGH: "bad", IncidentSeverity.MEDIUM: "wait", IncidentSeverity.LOW: ""}
STATUS_TONES = {S.OPEN: "go", S.INVESTIGATING: "go", S.RESOLVED: "", S.FALSE_POSITIVE: ""}
TYPE_WORDS = {
    IncidentType.MULTI_ACCOUNTING: "multi-accounting",
    IncidentType.FAST_WITHDRAWAL: "fast withdrawal",
    IncidentType.SUSPICIOUS_ACTIVITY: "suspicious activity",
    IncidentType.FRAUD_ATTEMPT: "fraud attempt",
}
OTHER_SOURCES = {"audit_tampering": "The log's own checks", "escrow_differences": "Books, providers and chain", SAMPLE: "Random sample"}
DETECTOR_WORDS = {**{one.name: one.words for one in DETECTORS}, **OTHER_SOURCES, "": "People and the platform"}
# What to look into before deciding, by type: a key that stays, and the question.
GUIDES: dict[str, tuple[tuple[str, str], ...]] = {
    IncidentType.MULTI_ACCOUNTING: (
        ("whose", "Whose is the strongest thing that they share?"),
        ("papers", "Do the identity papers differ?"),
        ("trade", "Do they order from each other?"),
        ("household", "Asked whether they are a team or a household?"),
    ),
    IncidentType.FAST_WITHDRAWAL: (
        ("client", "Who paid, and how old is that account?"),
        ("work", "Was anything delivered?"),
        ("address", "Is the payout address new?"),
        ("habit", "Do they always take their money out at once?"),
    ),
    IncidentType.FRAUD_ATTEMPT: (
        ("owner", "Is the owner of the account the one who acts?"),
        ("money", "What money can still leave?"),
        ("others", "Who else was met by the same?"),
    ),
}
USUAL_GUIDE = (
    ("facts", "Do the facts hold, seen in the records?"),
    ("innocent", "What harmless thing would look the same?"),
    ("others", "Does it concern others as well?"),
)


@dataclass(frozen=True, slots=True)
class Face:
    """Somebody in an incident."""

    pk: UUID
    name: str
    email: str = ""
    opened_at: datetime | None = None
    is_staff: bool = False
    is_suspended: bool = False

    @property
    def initials(self) -> str:
        parts = self.name.split()
        return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper() or "?"

    @property
    def url(self) -> str:
        return reverse("support:person", args=[self.pk])


def age_words(age: timedelta) -> str:
    return f"{age.days} d" if age.days else f"{max(0, int(age.total_seconds()) // 3600)} h"


def faces_of(ids: Iterable[UUID]) -> dict[UUID, Face]:
    """In one query."""
    rows = User.objects.filter(pk__in=set(ids)).only("name", "email", "created_at", "is_staff", "suspended_at")
    return {row.pk: Face(row.pk, row.name, row.email, row.created_at, row.is_staff, row.is_suspended) for row in rows}


def type_words(incident: IncidentLog) -> str:
    return TYPE_WORDS.get(IncidentType(incident.incident_type), incident.get_incident_type_display().lower())


def status_words(incident: IncidentLog) -> str:
    return incident.get_status_display().replace("_", " ").capitalize()


def find_incident(incident_number: int, user: User) -> IncidentLog | None:
    return IncidentLog.objects.visible_to(user).select_related("merged_into", "previous").filter(number=incident_number).first()


# The list ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents a list shows."""

    tab: str = "waiting"
    incident_type: str = ""
    severity: str = ""
    detector: str | None = None
    overdue: bool = False
    limit: int = SHOWN

    @property
    def asked(self) -> dict[str, str]:
        said = {"tab": self.tab, "type": self.incident_type, "severity": self.severity, "detector": self.detector_said}
        said |= {"overdue": "1" if self.overdue else "", "show": str(self.limit) if self.limit != SHOWN else ""}
        return {name: value for name, value in said.items() if value}

    @property
    def detector_said(self) -> str:
        return "" if self.detector is None else self.detector or "none"

    @property
    def is_closed(self) -> bool:
        return self.tab == "closed"


def wanted_of(said: Mapping[str, str]) -> Wanted:
    """What an address asks for; what nobody knows is left out."""
    detector = said.get("detector", "")
    return Wanted(
        tab=said.get("tab", "") if said.get("tab", "") in TABS else "waiting",
        incident_type=said.get("type", "") if said.get("type", "") in IncidentType.values else "",
        severity=said.get("severity", "") if said.get("severity", "") in IncidentSeverity.values else "",
        detector=None if (detector not in DETECTOR_WORDS and detector != "none") or not detector else "" if detector == "none" else detector,
        overdue=said.get("overdue", "") == "1",
        limit=MOST_SHOWN if said.get("show") == str(MOST_SHOWN) else SHOWN,
    )


def of_tab(tab: str, user: User) -> IncidentQuerySet:
    rows: IncidentQuerySet = IncidentLog.objects.visible_to(user)
    match tab:
        case "mine":
            return rows.live().filter(assigned_to=user.pk)
        case "work":
            return rows.live().filter(status=S.INVESTIGATING, assigned_to__isnull=False)
        case "second":
            return rows.live().filter(closing_asked_by__isnull=False).exclude(closing_asked_by=user.pk)
        case "weak":
            return rows.weak().filter(status=S.OPEN)
        case "closed":
            return rows.filter(resolved_at__isnull=False)
        case _:
            return rows.worth_a_look().filter(status=S.OPEN)


@dataclass(frozen=True, slots=True)
class Row:
    """An incident as lists show it. `is_inner`: it stands below another of its group."""

    incident: IncidentLog
    who: str
    owner: str
    is_overdue: bool
    is_inner: bool = False

    @property
    def url(self) -> str:
        return address(self.incident)

    @property
    def tone(self) -> str:
        return SEVERITY_TONES[IncidentSeverity(self.incident.severity)]

    @property
    def state(self) -> str:
        return status_words(self.incident)

    @property
    def kind(self) -> str:
        return type_words(self.incident)


def address(incident: IncidentLog) -> str:
    return reverse("support:incident", args=[incident.number])


def list_incidents(wanted: Wanted, user: User, moment: datetime, *, after: str = "") -> tuple[list[Row], str]:
    """A page of them, those of one group together, and the place at which the next page begins. In two queries."""
    rows = of_tab(wanted.tab, user)
    if wanted.incident_type:
        rows = rows.filter(incident_type=wanted.incident_type)
    if wanted.severity:
        rows = rows.filter(severity=wanted.severity)
    if wanted.detector is not None:
        rows = rows.filter(detector=wanted.detector)
    if wanted.overdue and not wanted.is_closed:
        rows = rows.filter(due_at__lte=moment)
    if after:
        then, last = _place(after)
        if wanted.is_closed:
            rows = rows.filter(Q(resolved_at__lt=then) | Q(resolved_at=then, number__lt=last))
        else:
            rows = rows.filter(Q(due_at__gt=then) | Q(due_at=then, number__gt=last))
    order = ("-resolved_at", "-number") if wanted.is_closed else ("due_at", "number")
    found = list(rows.defer("evidence", "reasons", "investigation_notes").order_by(*order)[: wanted.limit + 1])
    page = found[: wanted.limit]
    more = _said(page[-1], wanted) if len(found) > wanted.limit else ""
    return rows_of(page, user, moment), more


def rows_of(incidents: Sequence[IncidentLog], user: User, moment: datetime) -> list[Row]:
    faces = faces_of(person for one in incidents for person in (*one.people[:3], one.assigned_to or one.resolved_by) if person)
    heads: dict[str, list[IncidentLog]] = {}
    for one in incidents:
        heads.setdefault(one.group or str(one.pk), []).append(one)
    found = []
    for together in heads.values():
        for n, one in enumerate(together):
            owner = one.resolved_by if one.resolved_at else one.assigned_to
            whose = "" if owner is None else "You" if owner == user.pk else _name(faces, owner)
            overdue = one.status in LIVE and one.due_at <= moment
            found.append(Row(one, _several([_name(faces, person) for person in one.people[:3]], len(one.people)), whose, overdue, n > 0))
    return found


def _name(faces: Mapping[UUID, Face], person: UUID) -> str:
    found = faces.get(person)
    return found.name if found else f"…{str(person)[-6:]}"


def _several(names: Sequence[str], count: int) -> str:
    more = count - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _said(incident: IncidentLog, wanted: Wanted) -> str:
    moment = incident.resolved_at if wanted.is_closed else incident.due_at
    assert moment is not None
    return f"{(moment - START) // MICROSECOND}_{incident.number}"


def _place(said: str) -> tuple[datetime, int]:
    try:
        microseconds, last = said.split("_")
        if len(last) > 9:
            raise ValueError
        return START + int(microseconds) * MICROSECOND, int(last)
    except (ValueError, OverflowError):
        raise BadRequest("This is not a place in the list.") from None


def counts_of(user: User) -> dict[str, str]:
    """How many stand under each tab, in one query, counted no further than is shown."""
    counted = {tab: Counted(of_tab(tab, user).order_by().values("pk")[: MOST_BESIDE_TAB + 1]) for tab in TABS if tab != "closed"}
    rows: Any = ContentType.objects.order_by("pk").values(**counted)[:1].get()
    return {tab: f"{MOST_BESIDE_TAB}+" if count > MOST_BESIDE_TAB else str(count) for tab, count in rows.items()}


# One incident -----------------------------------------------------------------------------------------------------------------------


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
        who = "You" if event.actor_id == user.pk else _name(faces, event.actor_id)
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


# Kept quiet -------------------------------------------------------------------------------------------------------------------------


def list_suppressions(user: User, *, ended: bool, before: str, moment: datetime) -> tuple[list[Suppression], str]:
    """Newest first, and the place at which the next page begins. What is about oneself is not among them."""
    rows = Suppression.objects.select_related("incident").exclude(incident__user_id=user.pk, incident__user_id__isnull=False)
    rows = rows.exclude(incident__related_users__contains=[user.pk])
    over = Q(ended_at__isnull=False) | Q(expires_at__lte=moment)
    rows = rows.filter(over) if ended else rows.exclude(over)
    if before:
        try:
            rows = rows.filter(pk__lt=UUID(before))
        except ValueError:
            raise BadRequest("This is not a place in the list.") from None
    found = list(rows.order_by("-pk")[: SHOWN + 1])
    return found[:SHOWN], str(found[SHOWN - 1].pk) if len(found) > SHOWN else ""


def ceiling_words(ceiling: Mapping[str, Any]) -> str:
    """What was accepted, in words."""
    parts = []
    if (people := ceiling.get("people")) is not None:
        parts.append(f"{len(people)} {'person' if len(people) == 1 else 'people'}")
    if kinds := ceiling.get("kinds"):
        parts.append("by " + " and ".join(KINDS[kind][2] if kind in KINDS else str(kind).replace("_", " ") for kind in kinds))
    if ceiling.get("amount"):
        parts.append(f"twice {ceiling['amount']} USDC")
    return "No more than " + ", ".join(parts) if parts else "Whatever is found"
