"""Writing to the log. Call `record` inside the action's transaction, so that fact and record live or die together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction

from auditlog.events import Event
from auditlog.models import ActorType, Category, Severity
from port444.kit import context
from port444.kit.money import CURRENCY
from port444.kit.states import StateMachine

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
    `after` hold only the allowed, changed fields: no secrets. A target that has just moved from one status to another says so
    there by itself. Address, browser, request and device come from `kit.context`. What staff do to money is at least a warning.
    Must run inside a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record() belongs inside the action's transaction")
    before, after = _with_move(target, before, after)
    role = as_a or (ActorType.SYSTEM if actor is None else ActorType.ADMIN if actor.is_staff else ActorType.USER)
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
        return int(cursor.fetchone()[0])


def record_many(event: Event, targets: Iterable[tuple[models.Model, Mapping[str, Any]]]) -> None:
    """Append one fact of the system for each of `targets` with its metadata, in one round trip. Must run inside a transaction."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record_many() belongs inside the action's transaction")
    rows = [_values(event, target, ActorType.SYSTEM, None, metadata=metadata) for target, metadata in targets]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(APPEND, rows)


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


def _json(value: Mapping[str, Any] | None) -> str | None:
    return json.dumps(value, cls=DjangoJSONEncoder) if value else None


def ensure_partitions(months_ahead: int = 3) -> None:
    """Make the log's monthly partitions up to `months_ahead` months from now; there is no default partition to catch misses."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(%s)", [months_ahead])
