"""Rows of the audit log as a busy site has them after 90 days, written by SQL for `bench/detectors.py`.

Two people share a home and its address, which changes every fortnight; a quarter of all comes through gateways with hundreds of others. One in a
hundred belongs to a ring of five that shares a device, and one in two hundred is paid to the wallet of a ring. What detectors do not read is in it
as well, as often as the site records it: what was written and opened, and the rows that the row witness saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from tqdm import tqdm

from auditlog.events import Event

CHUNK = 20_000  # rows of one transaction
EMPTY = "'{}'::jsonb"
WALLET = "jsonb_build_object('address_hash', md5('wallet' || CASE WHEN p % 200 = 5 THEN p / 1000 * 1000 ELSE p END))"
# Of a thousand rows: kind, how often, whose they are, and what they say. People are `p`, other parties `q`; `n` is the row.
OFTEN: list[tuple[Event | str, int, str, str]] = [
    (Event.LOGIN, 300, "user", "jsonb_build_object('fingerprint', left(md5('look' || p % 60000), 12))"),
    (Event.LOGIN_FAILED, 25, "user", EMPTY),
    (Event.USER_SIGNED_UP, 20, "user", "jsonb_build_object('identity_verified', p % 3 = 0, 'registered_agency', p % 997 = 0)"),
    (Event.PAYOUT_ADDRESS_CHANGED, 6, "builder", WALLET),
    (
        Event.PAYMENT_METHOD_ADDED,
        12,
        "client",
        "jsonb_build_object('card_fingerprint', md5('card' || CASE WHEN p % 11 = 0 THEN p / 2 * 2 ELSE p END))",
    ),
    (Event.ORDER_PAID, 40, "client", "jsonb_build_object('builder_id', md5('person' || q)::uuid)"),
    (Event.ORDER_COMPLETED, 36, "client", "jsonb_build_object('builder_id', md5('person' || q)::uuid)"),
    (Event.EARNING_CREDITED, 40, "system", "jsonb_build_object('client_id', md5('person' || p)::uuid, 'order_id', md5('order' || n)::uuid)"),
    (Event.WITHDRAWAL_REQUESTED, 15, "builder", "jsonb_build_object('balance_before', round(cost * 1.5, 2))"),
    (Event.WITHDRAWAL_COMPLETED, 14, "system", EMPTY),
    (Event.WITHDRAWAL_FAILED, 1, "system", "jsonb_build_object('user', md5('person' || p)::uuid)"),
    (Event.DISPUTE_OPENED, 1, "client", "jsonb_build_object('builder_id', md5('person' || q)::uuid)"),
    (Event.REFUND_COMPLETED, 2, "system", "jsonb_build_object('client_id', md5('person' || p)::uuid)"),
    (Event.PAYMENT_FAILED, 6, "client", EMPTY),
    (Event.ORDER_REVIEWED, 20, "client", "jsonb_build_object('builder_id', md5('person' || q)::uuid, 'stars', 4 + n % 2)"),
    (Event.AMENDMENT_COMPLETED, 3, "client", "jsonb_build_object('order_id', md5('order' || n)::uuid, 'original_amount', cost)"),
    (Event.PASSWORD_CHANGED, 3, "user", EMPTY),
    (Event.EMAIL_CHANGED, 1, "user", EMPTY),
    (Event.FILE_UPLOADED, 60, "user", EMPTY),
    (Event.MESSAGE_SENT, 90, "user", EMPTY),
    (Event.INVOICE_OPENED, 45, "client", EMPTY),
    (Event.PAYMENT_STARTED, 45, "client", EMPTY),
    (Event.PAYMENT_SUCCEEDED, 40, "system", EMPTY),
    (Event.ESCROW_FUNDED, 40, "system", EMPTY),
    (Event.ESCROW_RELEASED, 40, "system", EMPTY),
    (Event.ORDER_DELIVERED, 35, "builder", EMPTY),
    ("row.updated", 60, "user", EMPTY),
]
MONEY = ("order.", "earning.", "withdrawal.", "escrow.", "invoice.", "payment.", "refund.", "amendment.", "dispute.")

ROWS = """
INSERT INTO {table} (id, timestamp, event_type, event_category, severity, actor_type, actor_id, actor_email, target_type, target_id, action, metadata,
                     ip_address, user_agent, request_id, device_id, amount, currency) {overriding}
SELECT n, %(since)s + (%(until)s - %(since)s) * ((n - %(first)s)::float8 / %(count)s),
       (%(types)s::text[])[kind], (%(categories)s::text[])[kind], (%(severities)s::text[])[kind], (%(actors)s::text[])[kind],
       CASE WHEN (%(actors)s::text[])[kind] <> 'system' THEN md5('person' || p)::uuid END,
       CASE WHEN (%(actors)s::text[])[kind] <> 'system' THEN 'person' || p || '@rows.example' ELSE '' END,
       CASE WHEN (%(types)s::text[])[kind] = 'earning.credited' THEN 'user' ELSE split_part((%(types)s::text[])[kind], '.', 1) END,
       CASE WHEN (%(types)s::text[])[kind] = 'earning.credited' THEN md5('person' || q)::uuid ELSE md5('target' || n)::uuid END,
       (%(actions)s::text[])[kind], CASE kind {metadata} END,
       CASE WHEN (%(actors)s::text[])[kind] = 'system' THEN NULL
            WHEN lot < 0.25 THEN '91.0.0.0'::inet + p %% 700                                                    -- a gateway, and hundreds of others
            WHEN p %% 4 = 0 AND lot < 0.6                                                           -- privacy addresses of a home
              THEN ('2a00:1000:' || to_hex(p / 131072) || ':' || to_hex(p / 2 %% 65536) || '::' || to_hex(n %% 65521))::inet
            ELSE '31.0.0.0'::inet + (p / 2 + (n - %(first)s) / %(fortnight)s * 40000) %% 1000000 END,
       'Mozilla/5.0 (X11; Linux x86_64) made-up', md5('request' || n / 3)::uuid,
       CASE WHEN (%(actors)s::text[])[kind] = 'system' THEN NULL
            WHEN lot BETWEEN 0.5 AND 0.56 THEN md5('new' || n)::uuid                                            -- a private window
            ELSE md5('device' || CASE WHEN p %% 100 = 3 THEN p / 500 * 500 ELSE p END || '.' || (lot < 0.4)::int)::uuid END,
       CASE WHEN (%(money)s::bool[])[kind] THEN cost END, CASE WHEN (%(money)s::bool[])[kind] THEN 'USDC' ELSE '' END
FROM (SELECT n, kind, cost, lot, CASE WHEN (%(actors)s::text[])[kind] = 'builder' THEN least(p / 5 * 5, p) ELSE p END AS p, q / 5 * 5 AS q
      FROM (SELECT n, width_bucket(random(), %(bounds)s::float8[]) + 1 AS kind, floor(%(people)s * random() ^ 1.5)::int AS p, random() AS lot,
                   floor(%(people)s * random() ^ 2)::int AS q, round(exp(2 + 4 * random())::numeric, 2) AS cost
            FROM generate_series(%(first)s::bigint + %(from)s, %(first)s::bigint + %(to)s - 1) n OFFSET 0) drawn OFFSET 0) made
"""


def write(owner: str, rows: int, *, people: int, since: datetime, until: datetime, quiet: bool) -> None:
    """So many rows between two moments, in whole months that nothing was in yet."""
    with _connected(owner) as connection, tqdm(total=rows, desc="rows", unit="", disable=quiet) as bar:
        first = _numbers(connection, rows)
        place = 0
        for begun, ended in _months(since, until):
            count = rows - place if ended == until else round(rows * ((ended - begun) / (until - since)))
            _month(connection, begun, ended, first + place, count, people, bar)
            place += count


def add(owner: str, rows: int, *, people: int, since: datetime, until: datetime, transactions: int = 20) -> None:
    """More of them behind the others, in several transactions, as the site would write them."""
    with _connected(owner) as connection:
        _filled(connection, "audit_log", since, until, _numbers(connection, rows), rows, people, step=max(1, rows // transactions), bar=None)


def _connected(owner: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(owner, autocommit=True)
    for setting in ("synchronous_commit = off", "maintenance_work_mem = '512MB'", "work_mem = '256MB'"):
        connection.execute(f"SET {setting}".encode())
    return connection


def _numbers(connection: psycopg.Connection[Any], rows: int) -> int:
    sequence: LiteralString = "pg_get_serial_sequence('audit_log', 'id')"
    found = connection.execute(f"SELECT nextval({sequence})").fetchone()
    first = int(found[0]) if found else 1
    connection.execute(f"SELECT setval({sequence}, %s)", [first + rows])
    return first


def _months(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    begun = since
    while begun < until:
        ended = min(until, _month_after(begun))
        yield begun, ended
        begun = ended


def _month_after(moment: datetime) -> datetime:
    return datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)


def _month(connection: psycopg.Connection[Any], since: datetime, until: datetime, first: int, count: int, people: int, bar: Any) -> None:
    """The rows of one month, whose indexes are made behind them where the month is new."""
    part = f"audit_log_{since:%Y%m}"
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [part]).fetchone()
    stands = found is not None and found[0]
    if not stands:
        connection.execute(f"CREATE TABLE {part} (LIKE audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)".encode())
    _filled(connection, "audit_log" if stands else part, since, until, first, count, people, step=CHUNK, bar=bar)
    if not stands:
        from_, to = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0), _month_after(since)
        connection.execute(f"ALTER TABLE audit_log ATTACH PARTITION {part} FOR VALUES FROM ('{from_}') TO ('{to}')".encode())
        for role in ("port444_app",):
            connection.execute(f"GRANT SELECT ON {part} TO {role}".encode())
    connection.execute(f"VACUUM (ANALYZE) {part}".encode())


def _filled(
    connection: psycopg.Connection[Any], table: str, since: datetime, until: datetime, first: int, count: int, people: int, *, step: int, bar: Any
) -> None:
    total = sum(often for _, often, _, _ in OFTEN)
    sums = [sum(often for _, often, _, _ in OFTEN[: n + 1]) / total for n in range(len(OFTEN) - 1)]
    types = [kind.key if isinstance(kind, Event) else kind for kind, _, _, _ in OFTEN]
    values = {
        "since": since,
        "until": until,
        "first": first,
        "count": count,
        "people": people,
        "fortnight": max(1, round(count * (timedelta(days=14) / (until - since)))),
        "types": types,
        "categories": [kind.category.value if isinstance(kind, Event) else "user_action" for kind, _, _, _ in OFTEN],
        "severities": [kind.severity.value if isinstance(kind, Event) else "info" for kind, _, _, _ in OFTEN],
        "actors": [actor for _, _, actor, _ in OFTEN],
        "actions": [kind.words if isinstance(kind, Event) else kind for kind, _, _, _ in OFTEN],
        "money": [name.startswith(MONEY) for name in types],
        "bounds": sums,
    }
    said = " ".join(f"WHEN {n} THEN {metadata.replace('%', '%%')}" for n, (_, _, _, metadata) in enumerate(OFTEN, 1))
    query = ROWS.format(table=table, overriding="OVERRIDING SYSTEM VALUE" if table == "audit_log" else "", metadata=said)
    connection.execute("SELECT setseed(%s)", [0.444 + first % 1000 / 10000])
    for start in range(0, count, step):
        stop = min(count, start + step)
        connection.execute(query.encode(), {**values, "from": start, "to": stop})
        if bar is not None:
            bar.update(stop - start)
