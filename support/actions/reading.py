"""That somebody looked is itself a fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType


@transaction.atomic
def note_reading(*, actor: Any, asked: Mapping[str, str]) -> None:
    """A member of staff reads the log by these filters."""
    record(Event.AUDIT_READ, actor=actor, as_a=ActorType.ADMIN, target=actor, asked=dict(asked))


@transaction.atomic
def note_export(*, actor: Any, asked: Mapping[str, str]) -> None:
    """A member of staff takes all rows of these filters away as a file."""
    record(Event.AUDIT_DOWNLOADED, actor=actor, as_a=ActorType.ADMIN, target=actor, asked=dict(asked), format="csv")


@transaction.atomic
def note_person_seen(*, actor: Any, person: Any, what: str = "") -> None:
    """A member of staff looks at somebody; `what` names a panel that is recorded apart."""
    record(Event.PERSON_SEEN, actor=actor, as_a=ActorType.ADMIN, target=person, what=what or "page")
