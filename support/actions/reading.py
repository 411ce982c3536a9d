"""That somebody looked is itself a fact."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.kit.clock import now

ANEW = 10 * 60  # seconds after which a look counts as another one
SEEN, MOST_SEEN = "people_seen", 60


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


def note_look(session: MutableMapping[str, Any], *, actor: Any, person: Any, what: str = "") -> None:
    """Record a look, unless it goes on: the same session, person and thing within some minutes."""
    key, moment = f"{person.pk}{what}", int(now().timestamp())
    seen = {name: then for name, then in session.get(SEEN, {}).items() if moment - then < ANEW}
    if key in seen:
        return
    note_person_seen(actor=actor, person=person, what=what)
    session[SEEN] = dict([*seen.items(), (key, moment)][-MOST_SEEN:])
