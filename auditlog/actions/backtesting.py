"""Trying parameters of a detector on what has happened, beside those in force. Nothing is opened by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from auditlog.detectors.parameters import Terms
from auditlog.detectors.registry import DETECTORS, Detector
from auditlog.detectors.suspicions import Suspicion
from auditlog.models import DetectorVersion, IncidentLog, IncidentStatus, Verdict
from port444.kit.clock import now

from .detecting import Progress, look_back, terms_in_force

DAYS = 30


def detector_named(name: str) -> Detector:
    return next(detector for detector in DETECTORS if detector.name == name)


def backtest(
    name: str, changed: Mapping[str, float], *, since: datetime, until: datetime, progress: Progress = lambda rows: None
) -> dict[str, dict[str, Any]]:
    """What the parameters in force and the changed ones find in a stretch of the log: how many alerts, how many a day, what they are worth, and how
    they fit what people have decided since."""
    detector = detector_named(name)
    _, in_force = terms_in_force([detector])[name]
    tried = Terms(detector.parameters, changed)
    return {
        words: _figures(look_back(since, until, names=[name], terms={name: terms}, progress=progress), name, since, until)
        for words, terms in (("in_force", in_force), ("tried", tried))
    }


def _figures(found: list[Suspicion], name: str, since: datetime, until: datetime) -> dict[str, Any]:
    alerts = [one for one in found if one.severity != "low"]
    told = {person for one in alerts for person in one.people}
    days = max(1.0, (until - since) / timedelta(days=1))
    decided = IncidentLog.objects.filter(detector=name, resolved_at__isnull=False, detected_at__gte=since, merged_into__isnull=True)
    wrong = decided.filter(status=IncidentStatus.FALSE_POSITIVE)
    right = decided.filter(verdict=Verdict.CONFIRMED)  # what was done about it says less: a case may be confirmed and need nothing more
    return {
        "alerts": len(alerts),
        "weak": len(found) - len(alerts),
        "alerts_a_day": round(len(alerts) / days, 2),
        "held": sum(one.holds for one in alerts),
        "people": len(told),
        "biggest": max((len(one.people) for one in alerts), default=0),
        "loss": f"{sum(one.loss for one in alerts) / 1_000_000:.2f}",
        "right": right.count(),
        "right_told": sum(_is_told(incident, alerts) for incident in right),
        "wrong": wrong.count(),
        "wrong_told": sum(_is_told(incident, alerts) for incident in wrong),
        "days": round(days, 1),
    }


def _is_told(incident: IncidentLog, alerts: list[Suspicion]) -> bool:
    """Whether one of the alerts is about the same: the same case, or most of its people."""
    people = {str(one) for one in incident.people}
    return any(one.fingerprint == incident.fingerprint or (len(people) > 1 and 2 * len(people & set(one.people)) > len(people)) for one in alerts)


def try_version(version_id: UUID, *, days: int = DAYS, progress: Progress = lambda rows: None) -> DetectorVersion:
    """Try a draft on the last days, and keep the figures with it: only what was tried can be put into force."""
    version = DetectorVersion.objects.get(pk=version_id)
    moment = now()
    figures = backtest(version.detector, version.parameters, since=moment - timedelta(days=days), until=moment, progress=progress)
    with transaction.atomic():
        version = DetectorVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version_id)
        version.backtest, version.backtested_at = figures, moment
        version.save(update_fields=["backtest", "backtested_at"])
    return version
