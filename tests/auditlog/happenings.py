"""Facts that tests make up, in few words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg

from auditlog.detectors import over_file
from auditlog.detectors.facts import KINDS, Fact, network
from auditlog.detectors.suspicions import Suspicion

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
NUMBERS = count(1)
COLUMNS = ["occurred_at", "event_type", "actor_id", "actor_type", "target_id", "target_type", "ip_address", "device_id", "amount", "metadata"]


def happened(
    day: float,
    kind: str,
    actor: str,
    *,
    ip: str = "",
    device: str = "",
    target: str = "",
    target_type: str = "",
    amount: float | None = None,
    actor_type: str = "user",
    **meta: Any,
) -> Fact:
    at = BEGIN + timedelta(days=day)
    money = None if amount is None else Decimal(str(amount))
    return Fact(
        at,
        int(at.timestamp()),
        kind,
        actor,
        actor_type,
        target,
        target_type,
        (network(ip) or "") if ip else "",
        device,
        money,
        meta,
        str(next(NUMBERS)),
    )


def lives(person: str, *, since: float = 0, days: Iterable[float] = range(1, 10), ip: str = "", device: str = "", **meta: Any) -> list[Fact]:
    """Somebody signs up and signs in on some days, always from one place."""
    facts = [happened(since, "sign_up", person, ip=ip, device=device, identity_verified=False, **meta)]
    return facts + [happened(since + day, "sign_in", person, ip=ip, device=device) for day in days]


def pays(client: str, builder: str, day: float, amount: float) -> list[Fact]:
    return [
        happened(day - 1, "order_paid", client, target=f"order-{client}-{builder}-{day}", target_type="order", amount=amount, builder_id=builder),
        happened(day, "escrow_release", client, target=builder, target_type="user", amount=amount),
    ]


def withdraws(builder: str, day: float, amount: float, name: str = "", **meta: Any) -> Fact:
    return happened(day, "withdrawal", builder, target=name or f"w-{builder}-{day}", target_type="withdrawal", amount=amount, **meta)


def ordered(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: fact.at)


def detected(*facts: Iterable[Fact] | Fact) -> list[Suspicion]:
    flat = [one for some in facts for one in ([some] if isinstance(some, Fact) else some)]
    return over_file.detect(ordered(flat))


def alerts(found: Iterable[Suspicion], kind: str = "multi_accounting") -> list[Suspicion]:
    return [one for one in found if one.severity != "low" and one.incident_type == kind]


def groups(found: Iterable[Suspicion]) -> set[tuple[str, ...]]:
    return {tuple(sorted(one.people)) for one in found if one.pattern == "linked_accounts"}


def write(path: Path, rows: Iterable[dict[str, Any]], columns: Iterable[str] = COLUMNS) -> Path:
    columns = list(columns)
    lines = [",".join(columns)]
    for row in rows:
        cells = [row.get(name, "") for name in columns]
        words = [json.dumps(cell) if isinstance(cell, dict) else str(cell) for cell in cells]
        lines.append(",".join('"' + word.replace('"', '""') + '"' for word in words))
    path.write_text("\n".join(lines) + "\n")
    return path


OURS = {kind: event for event, kind in KINDS.items()}
INTO = """
INSERT INTO audit_log (timestamp, event_type, event_category, severity, actor_type, actor_id, target_type, target_id, action, metadata, ip_address,
                       device_id, amount)
VALUES (%s, %s, 'security', 'info', %s, %s, %s, %s, '', %s, %s, %s, %s)
"""


def id_of(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)


def maybe(name: str) -> UUID | None:
    return id_of(name) if name else None


def put(session: psycopg.Connection[Any], facts: Iterable[Fact], *, since: datetime) -> None:
    """Write facts into the log, as a superuser can, on days after `since`. Names become ids."""
    for fact in facts:
        named = {key: str(maybe(value)) if key.endswith("_id") or key == "user" else value for key, value in fact.meta.items()}
        at, who = since + (fact.at - BEGIN), (fact.actor_type, maybe(fact.actor))
        where = (fact.target_type, maybe(fact.target), json.dumps(named), fact.ip.removesuffix("/64") or None, maybe(fact.device), fact.amount)
        session.execute(INTO, (at, OURS[fact.kind], *who, *where))
