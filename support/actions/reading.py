"""That somebody looked is itself a fact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.kit.clock import now

ANEW = 10 * 60  # seconds after which a look counts as another one
SEEN, MOST_SEEN = "people_seen", 60
READ, MOST_READ = "audit_read", 20


@transaction.atomic
def note_reading(*, actor: Any, asked: Mapping[str, str]) -> None:
    """A member of staff reads the log by these filters."""
    record(Event.AUDIT_READ, actor=actor, as_a=ActorType.ADMIN, target=actor, asked=dict(asked))


def note_reading_once(memory: MutableMapping[str, Any], *, actor: Any, asked: Mapping[str, str]) -> None:
    """Record the reading, unless it goes on: the same filter within some minutes, as far as the caller's session or token remembers."""
    key, moment = hashlib.sha256(json.dumps(dict(asked), sort_keys=True).encode()).hexdigest()[:16], int(now().timestamp())
    seen = {name: then for name, then in memory.get(READ, {}).items() if moment - then < ANEW}
    if key in seen:
        return
    note_reading(actor=actor, asked=asked)
    memory[READ] = dict([*seen.items(), (key, moment)][-MOST_READ:])


@transaction.atomic
def note_export(*, actor: Any, asked: Mapping[str, str], file_format: str = "csv") -> None:
    """A member of staff takes all rows of these filters away as a file."""
    record(Event.AUDIT_DOWNLOADED, actor=actor, as_a=ActorType.ADMIN, target=actor, asked=dict(asked), format=file_format)


@transaction.atomic
def note_person_seen(*, actor: Any, person: Any, what: str = "") -> None:
    """A member of staff looks at somebody; `what` names a panel that is recorded apart."""
    record(Event.PERSON_SEEN, actor=actor, as_a=ActorType.ADMIN, target=person, what=what or "page")


def note_look(session: MutableMapping[str, Any], *, actor: Any, person: Any, what: str = "") -> None:
    """Record a look, unless it goes on: the same session, person and thing within some minutes."""
    key, moment = f"{person.pk}{what}", int(now().timestamp())
    seen = {name: then for name, then in session.get(SEEN, {}).items() if moment - then < ANEW}
    if key in seen:
        return
    note_person_seen(actor=actor, person=person, what=what)
    session[SEEN] = dict([*seen.items(), (key, moment)][-MOST_SEEN:])
