"""Other numbers for a detector: drafted, tried by a job, put into force by another person than who drafted them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from auditlog.actions import tuning
from auditlog.detectors.registry import Detector
from auditlog.models import DetectorVersion
from port444.accounts.models import User
from port444.kit.jobs import enqueue
from support.models import ActionType
from support.roles import require

from .incidents import WORK
from .records import note_action

TRY_SECONDS = 3600  # for thirty days of a busy log, twice


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
