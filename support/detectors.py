"""What the pages of detectors show: how often each was right, what waits of it, and the numbers that it works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth

from auditlog.actions.tuning import TRIED_WITHIN
from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS, Detector
from auditlog.models import DetectorMark, DetectorVersion, IncidentLog, IncidentSeverity, Suppression, Verdict
from port444.kit.clock import now

from .incidents import OTHER_SOURCES, Face, faces_of, judged
from .terms import bounds_words, changes_of, term_of

MONTHS = 12
TALL, WIDE, GAP = 40, 14, 4  # of the bars
VERSIONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Month:
    """What was closed in a month, and how much of it was right."""

    first: date
    closed: int
    right: int

    @property
    def percent(self) -> int | None:
        return round(100 * self.right / self.closed) if self.closed else None


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    tall: int
    right_y: int
    right: int


@dataclass(frozen=True, slots=True)
class Card:
    """A detector as the list shows it."""

    name: str
    words: str
    months: Sequence[Month]
    waiting: int
    weak: int
    quiet: int
    quiet_hits: int
    version: int
    is_tunable: bool

    @property
    def closed(self) -> int:
        return sum(month.closed for month in self.months)

    @property
    def right(self) -> int:
        return sum(month.right for month in self.months)

    @property
    def percent(self) -> int | None:
        return round(100 * self.right / self.closed) if self.closed else None

    @property
    def bars(self) -> list[Bar]:
        most = max((month.closed for month in self.months), default=0) or 1
        found = []
        for n, month in enumerate(self.months):
            tall, right = round(TALL * month.closed / most), round(TALL * month.right / most)
            found.append(Bar(n * (WIDE + GAP), TALL - tall, tall, TALL - right, right))
        return found

    @property
    def bars_words(self) -> str:
        said = [f"{month.first:%B} {month.right} of {month.closed}" for month in self.months if month.closed]
        return ", ".join(said) or "Nothing was closed in a year"


def months_until(moment: datetime) -> list[date]:
    first = moment.date().replace(day=1)
    found = [first]
    while len(found) < MONTHS:
        first = first.replace(year=first.year - (first.month == 1), month=(first.month - 2) % 12 + 1)
        found.append(first)
    return found[::-1]


def cards_of(reader: Any, moment: datetime, only: str | None = None) -> list[Card]:
    """Every detector, or one, with what it found, in four queries."""
    months = months_until(moment)
    begins = datetime(months[0].year, months[0].month, 1, tzinfo=moment.tzinfo)
    incidents = IncidentLog.objects.visible_to(reader)
    if only is not None:
        incidents = incidents.filter(detector=only)
    rows = (
        judged(incidents.filter(resolved_at__gte=begins))
        .annotate(month=TruncMonth("resolved_at", tzinfo=moment.tzinfo))
        .values("detector", "month")
        .annotate(closed=Count("pk"), right=Count("pk", filter=Q(verdict=Verdict.CONFIRMED)))
        .order_by()
    )
    closed = {(row["detector"], row["month"].date()): (row["closed"], row["right"]) for row in rows}
    weak = Q(severity=IncidentSeverity.LOW)
    live = {
        row["detector"]: (row["waiting"], row["weak"])
        for row in incidents.live().values("detector").annotate(waiting=Count("pk", filter=~weak), weak=Count("pk", filter=weak)).order_by()
    }
    standing = Suppression.objects.filter(ended_at__isnull=True, expires_at__gt=moment, incident__in=IncidentLog.objects.visible_to(reader))
    quiet = {
        row["detector"]: (row["count"], row["hits"] or 0)
        for row in standing.values("detector").annotate(count=Count("pk"), hits=Sum("hits")).order_by()
    }
    active = dict(DetectorVersion.objects.filter(activated_at__isnull=False, retired_at__isnull=True).values_list("detector", "number"))
    known = {one.name: one.words for one in DETECTORS} | OTHER_SOURCES
    others = sorted({name for name, _ in closed} | live.keys())
    known |= {name: name.replace("_", " ").capitalize() if name else "People and the platform" for name in others if name not in known}
    return [
        Card(
            name,
            words,
            [Month(first, *closed.get((name, first), (0, 0))) for first in months],
            *live.get(name, (0, 0)),
            *quiet.get(name, (0, 0)),
            active.get(name, 0),
            name in {one.name for one in DETECTORS},
        )
        for name, words in known.items()
        if only is None or name == only
    ]


def detector_of(name: str) -> Detector | None:
    return next((one for one in DETECTORS if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Version:
    """One set of parameters as the page shows it."""

    row: DetectorVersion
    maker: Face | None
    changes: Sequence[tuple[str, str, str]]  # name, usual value, its value
    figures: Sequence[tuple[str, str, str]]  # what, in force, tried
    is_active: bool
    may_activate: bool
    is_stale: bool = False  # tried too long ago to be put into force

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """Draft, trial, in force: how each stands ("done", "now" or ""), its words and what is below."""
        row = self.row
        maker = self.maker.name if self.maker else "somebody"
        tried = f"{row.backtested_at:%-d %b %H:%M}" if row.backtested_at and not self.is_stale else "too long ago" if row.backtested_at else ""
        force = f"{row.activated_at:%-d %b %H:%M}" if row.activated_at else "by somebody else"
        is_tried = bool(tried) and not self.is_stale
        return [
            ("done", "Drafted", f"by {maker}"),
            ("done" if row.activated_at or is_tried else "now", "Tried on the last 30 days", tried),
            ("done" if row.activated_at else "now" if is_tried else "", "In force", force),
        ]


FIGURES = {
    "alerts": "Alerts",
    "alerts_a_day": "Alerts a day",
    "weak": "Weak signals",
    "held": "Of the alerts, with a hold",
    "people": "People told of",
    "biggest": "Largest group",
    "loss": "Can be lost, USDC",
    "right": "Cases that were right",
    "right_told": "Of them told",
    "wrong": "Cases that were harmless",
    "wrong_told": "Of them told",
    "days": "Days",
}


def _figures(backtest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a backtest came to, beside what is in force."""
    in_force, tried = backtest.get("in_force") or {}, backtest.get("tried") or {}
    return [(words, str(in_force.get(name, "")), str(tried[name])) for name, words in FIGURES.items() if name in tried]


def versions_of(detector: Detector, reader: Any) -> list[Version]:
    """Newest first, in two queries."""
    rows = list(DetectorVersion.objects.filter(detector=detector.name).order_by("-number")[:VERSIONS_SHOWN])
    faces = faces_of(row.made_by for row in rows)
    known, fresh = {one.name: one for one in detector.parameters}, now() - TRIED_WITHIN
    return [
        Version(
            row,
            faces.get(row.made_by),
            changes_of(known, row.parameters),
            _figures(row.backtest),
            row.activated_at is not None and row.retired_at is None,
            row.activated_at is None and row.backtested_at is not None and row.backtested_at >= fresh and row.made_by != reader.pk,
            row.backtested_at is not None and row.backtested_at < fresh,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a detector works with now."""

    label: str
    value: str
    bounds: str
    help: str
    is_other: bool  # than what is usual


def numbers_of(detector: Detector, terms: Terms) -> list[Number]:
    return [
        Number(term_of(one.name).label, term_of(one.name).said(terms[one.name]), bounds_words(one), one.help, terms[one.name] != float(one.value))
        for one in detector.parameters
    ]


def terms_in_force(detector: Detector, versions: Sequence[Version]) -> Terms:
    active: dict[str, float] = next((one.row.parameters for one in versions if one.is_active), {})
    return Terms(detector.parameters, active)


def mark_of() -> DetectorMark | None:
    """How far the runs have read."""
    return DetectorMark.objects.filter(looked_at__isnull=False).order_by("-looked_at").first()


def version_of(version_id: UUID) -> DetectorVersion | None:
    return DetectorVersion.objects.filter(pk=version_id).first()
