"""Changing what detectors work with: drafted by one person, tried on what has happened, put into force by another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from auditlog.detectors.parameters import Parameter
from auditlog.events import Event
from auditlog.models import DetectorVersion
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint, words

from .casework import worded
from .recording import record

TRIED_WITHIN = timedelta(days=7)  # a backtest that is older says little about today

SECOND_PERSON = NotAllowed("Somebody else puts into force what you drafted.", code="own_draft")
word_constraint("detector_version_second_person", SECOND_PERSON)
word_constraint("detector_one_active_version", Conflict("Another version was put into force at this moment.", code="busy"))


@transaction.atomic
def draft_version(detector: str, known: tuple[Parameter, ...], values: Mapping[str, float], *, actor: Any, reason: str) -> DetectorVersion:
    """Keep other parameters for a detector as a draft. Nothing changes by it."""
    changed = {}
    for parameter in known:
        value = values.get(parameter.name, parameter.value)
        try:
            value = parameter.check(value)
        except ValueError as error:
            raise Invalid(str(error), code=parameter.name) from None
        if value != parameter.value:
            changed[parameter.name] = value
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"detector_version:{detector}"])
    number = (DetectorVersion.objects.filter(detector=detector).aggregate(last=Max("number"))["last"] or 0) + 1
    version = DetectorVersion.objects.create(
        detector=detector, number=number, parameters=changed, note=worded(reason)[:600], made_by=actor.pk, made_at=now()
    )
    record(Event.DETECTOR_DRAFTED, actor=actor, target=version, detector=detector, number=number, parameters=changed)
    return version


@transaction.atomic
def ask_for_backtest(version_id: UUID, *, actor: Any) -> DetectorVersion:
    """A draft is to be tried on what has happened; a job does it."""
    version = DetectorVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version_id)
    if version.activated_at is not None:
        raise WrongState("It was put into force already.", code="active")
    record(Event.DETECTOR_TRIED, actor=actor, target=version, detector=version.detector, number=version.number)
    return version


@transaction.atomic
def activate_version(version_id: UUID, *, actor: Any) -> DetectorVersion:
    """Put a draft into force in the place of what is. Needs a fresh backtest and another person than who drafted it."""
    version = DetectorVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version_id)
    moment = now()
    if version.activated_at is not None:
        raise WrongState("It was put into force already.", code="active")
    if version.made_by == actor.pk:
        raise NotAllowed(SECOND_PERSON.message, code=SECOND_PERSON.code)
    if version.backtested_at is None or version.backtested_at < moment - TRIED_WITHIN:
        raise WrongState("Try it first on what has happened lately.", code="not_tried")
    with words():
        for older in DetectorVersion.objects.filter(detector=version.detector, activated_at__isnull=False, retired_at__isnull=True):
            older.retired_at = moment
            older.save(update_fields=["retired_at"])
        version.activated_at, version.activated_by = moment, actor.pk
        version.save(update_fields=["activated_at", "activated_by"])
    record(Event.DETECTOR_ACTIVATED, actor=actor, target=version, detector=version.detector, number=version.number, parameters=version.parameters)
    return version
