"""The lists of incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest
from django.db.models import Q

from auditlog.models import (
    LIVE,
    IncidentLog,
    IncidentQuerySet,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
)
from port444.accounts.models import User
from support.queues import MOST_BESIDE_TAB, Counted

from .words import DETECTOR_WORDS, MOST_SHOWN, SEVERITY_TONES, SHOWN, address, faces_of, name_of, status_words, type_words

S = IncidentStatus
START = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)
TABS = {"waiting": "Waiting", "mine": "Mine", "work": "In work", "second": "Second person", "weak": "Weak signals", "closed": "Closed"}


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
            whose = "" if owner is None else "You" if owner == user.pk else name_of(faces, owner)
            overdue = one.status in LIVE and one.due_at <= moment
            found.append(Row(one, _several([name_of(faces, person) for person in one.people[:3]], len(one.people)), whose, overdue, n > 0))
    return found


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
