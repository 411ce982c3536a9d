"""Writing to the log. Call `record` inside the action's transaction, so that fact and record live or die together."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction

from auditlog.events import Event
from auditlog.handlers import followers
from auditlog.models import ActorType, Category, Severity, Watched
from port444.kit import context
from port444.kit.money import CURRENCY
from port444.kit.states import StateMachine

log = logging.getLogger(__name__)

PERSONAL, HIDDEN = "[personal]", "[secret]"
# What is called like this is never written down.
SECRET = frozenset(
    {"password", "passwd", "secret", "token", "credential", "credentials", "authorization", "cookie", "otp", "totp", "pin", "seed", "mnemonic"}
)
SECRET_PAIRS = frozenset({"api_key", "private_key", "signing_key", "session_key", "recovery_codes", "access_key"})

type Fact = tuple[models.Model, Mapping[str, Any]]
type FactOfChange = tuple[models.Model, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]

APPEND = "SELECT audit_append(" + ", ".join(["%s"] * 21) + ")"


def record(
    event: Event,
    *,
    actor: Any | None,
    target: models.Model,
    as_a: ActorType | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    amount: Decimal | None = None,
    transaction_hash: str = "",
    description: str = "",
    **metadata: Any,
) -> int:
    """Append one fact and give its id.

    `actor` is the user who acts, None for the system; `as_a` says in which role, when the event can tell. `before` and
    `after` hold only the changed fields; of those that the target's model calls personal, and of what is called like a secret, no
    value is kept. A target that has just moved from one status to another says so
    there by itself. Address, browser, request and device come from `kit.context`. What staff do to money is at least a warning.
    Must run inside a transaction, of which whoever follows such events (`auditlog.handlers`) becomes a part.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record() belongs inside the action's transaction")
    before, after = (_without_personal(target, states) for states in _with_move(target, before, after))
    role = as_a or _role(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            APPEND,
            _values(
                event,
                target,
                role,
                actor,
                description=description,
                states=(_json(before), _json(after)),
                metadata=metadata,
                amount=amount,
                transaction_hash=transaction_hash,
            ),
        )
        number = int(cursor.fetchone()[0])
    if (follower := followers.get(event)) is not None:
        follower(event, target, amount)
    return number


def record_many(event: Event, facts: Iterable[Fact | FactOfChange], *, actor: Any | None = None) -> None:
    """Append many facts in one round trip, each a target with its metadata and, where there are any, its states before and after; of the
    system, unless somebody acts. Needs a transaction, too; nobody follows these."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record_many() belongs inside the action's transaction")
    role, rows = _role(actor), []
    for target, metadata, *states in facts:
        before, after = (_json(_without_personal(target, state)) for state in states or (None, None))
        rows.append(_values(event, target, role, actor, metadata=metadata, states=(before, after)))
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(APPEND, rows)


def _role(actor: Any | None) -> ActorType:
    return ActorType.SYSTEM if actor is None else ActorType.ADMIN if actor.is_staff else ActorType.USER


def _values(
    event: Event,
    target: models.Model,
    role: ActorType,
    actor: Any | None,
    *,
    metadata: Mapping[str, Any],
    description: str = "",
    states: tuple[str | None, str | None] = (None, None),
    amount: Decimal | None = None,
    transaction_hash: str = "",
) -> list[Any]:
    """What the database's function takes."""
    facts = context.current()
    return [
        event.key,
        event.category.value,
        _severity(event, role).value,
        role.value,
        actor.pk if actor is not None else None,
        actor.email if actor is not None else "",
        facts.on_behalf_of,
        target._meta.model_name,
        target.pk if isinstance(target.pk, UUID) else None,
        event.words,
        description,
        *states,
        _json(metadata) or "{}",
        facts.ip_address,
        facts.user_agent,
        facts.request_id,
        facts.device_id,
        amount,
        CURRENCY if amount is not None else "",
        transaction_hash,
    ]


def _severity(event: Event, role: ActorType) -> Severity:
    by_hand = role == ActorType.ADMIN and event.category in (Category.FINANCIAL, Category.ADMINISTRATIVE)
    return Severity.WARNING if by_hand and event.severity == Severity.INFO else event.severity


def _with_move(
    target: models.Model, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The states with the target's last move of status, which is told once."""
    if not isinstance(target, StateMachine) or target.untold_move is None:
        return before, after
    (old, new), target.untold_move = target.untold_move, None
    return {"status": old, **(before or {})}, {"status": new, **(after or {})}


def _without_personal(target: models.Model, states: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Of what the model calls personal only whether it was there."""
    watched: Watched | None = getattr(target, "audited", None)
    if not states or watched is None:
        return states
    personal, hidden = watched.personal.split(), watched.hidden.split()
    return {name: (PERSONAL if value else value) if name in personal else HIDDEN if name in hidden else value for name, value in states.items()}


def _without_secrets(value: Any) -> Any:
    """The value without what is called like a secret, however deep. In tests such a name is an error."""
    if isinstance(value, Mapping):
        return {name: _hide(name) if _is_secret(str(name)) and part else _without_secrets(part) for name, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, list | tuple) else value


def _is_secret(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return not SECRET.isdisjoint(words) or not SECRET_PAIRS.isdisjoint("_".join(pair) for pair in pairwise(words))


def _hide(name: object) -> str:
    if settings.ENVIRONMENT == "test":
        raise ValueError(f"{name} is called like a secret, and the audit log keeps what it is told")
    log.error("A secret was to be written to the audit log as %s; it was left out", name)
    return HIDDEN


def _json(value: Mapping[str, Any] | None) -> str | None:
    return json.dumps(_without_secrets(value), cls=DjangoJSONEncoder) if value else None


def ensure_partitions(months_ahead: int = 3) -> None:
    """Make the log's monthly partitions up to `months_ahead` months from now; there is no default partition to catch misses."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(%s)", [months_ahead])
