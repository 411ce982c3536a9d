"""Measures the page of a person in the console, each of its panels, and where staff go on from there; started by `bench/support.py`.

BENCH_ORDERS  how many orders and conversations there are (1,000,000)
BENCH_ROUNDS  how often each address is asked for (15)

One client is given a thousand of the orders (each of another builder), ten thousand messages and a hundred thousand rows of the log; another
one has what everybody has. Each address is asked for by both in turn.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import django

django.setup()


import psycopg  # noqa: E402 (after setup, as all that follows)
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from auditlog.management.commands.make_audit_rows import index_all  # noqa: E402
from bench import crowd, report  # noqa: E402
from port444.accounts.models import User  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from port444.orders.models import Order  # noqa: E402
from scripts.environment import say  # noqa: E402
from support.panels import PANELS  # noqa: E402

ORDERS = int(os.environ.get("BENCH_ORDERS", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
SIZE = crowd.Size(max(ORDERS, crowd.LEAST))
MINE, MESSAGES, LOGGED = 1000, 10_000, 100_000
LARGE = 200_000  # orders, from which on reading a table from end to end is never right
LIMIT_MS = 100.0  # of server time until the page is there
HTMX = {"HX-Request": "true"}
AGENT = "agent@bench.example"

# What the busy client takes over, and what belongs to it.
TAKEN = """
CREATE TEMPORARY TABLE taken AS
SELECT id, conversation_id, invoice_id FROM (
    SELECT DISTINCT ON (builder_id) id, conversation_id, invoice_id, builder_id FROM orders_order
    WHERE builder_id NOT IN (SELECT builder_id FROM orders_order WHERE client_id = %(who)s) ORDER BY builder_id, md5(id::text)
) one ORDER BY md5(id::text) LIMIT %(most)s
"""
TAKE = (
    "UPDATE messaging_message m SET author_id = %(who)s FROM messaging_conversation c, taken t "
    "WHERE m.conversation_id = t.conversation_id AND c.id = t.conversation_id AND m.author_id = c.client_id",
    "UPDATE messaging_conversation c SET client_id = %(who)s FROM taken t WHERE c.id = t.conversation_id",
    "UPDATE orders_order o SET client_id = %(who)s FROM taken t WHERE o.id = t.id",
    "UPDATE payments_invoice i SET payer_id = %(who)s FROM taken t WHERE i.id = t.invoice_id",
    "UPDATE payments_escrowoperation e SET client_id = %(who)s FROM taken t WHERE e.subject_id = t.id",
)
TABLES = ("messaging_conversation", "messaging_message", "orders_order", "payments_invoice", "payments_escrowoperation")
BIG = {*TABLES, "payments_payment", "payments_ledgeraccount", "payments_journalentry"}
WRITE = """
INSERT INTO messaging_message (id, conversation_id, author_id, kind, body, icon, subject_type, created_at, client_key)
SELECT gen_random_uuid(), c.conversation_id, %(who)s, 'text', repeat(md5(n::text) || ' ', 5), '', '',
       %(now)s - (%(count)s - n) * interval '1 minute', gen_random_uuid()
FROM generate_series(1, %(count)s) n
JOIN (SELECT conversation_id, row_number() OVER () AS place, count(*) OVER () AS most FROM taken) c ON c.place = n %% c.most + 1
"""
LOG = """
INSERT INTO audit_log (timestamp, event_type, event_category, severity, actor_type, actor_id, actor_email, target_type, target_id, action,
                       description, metadata, ip_address, user_agent, request_id, device_id, currency, transaction_hash)
SELECT greatest(date_trunc('month', %(now)s::timestamptz), %(now)s - n * interval '150 milliseconds'), 'auth.login', 'security', 'info', 'user',
       %(who)s, 'c0@bench.example', 'user', %(who)s, 'Signed in', '', '{}', '100.64.0.1', 'Mozilla/5.0', md5('r' || n)::uuid, md5('d')::uuid, '', ''
FROM generate_series(1, %(count)s) n
"""


@dataclass(frozen=True)
class Cost:
    best: float
    middle: float
    cpu: float
    database: float
    queries: int
    status: int
    read_whole: tuple[str, ...]  # big tables that the planner would read from one end to the other


def main() -> int:
    if not User.objects.filter(email=AGENT).exists():
        crowd.fill(SIZE, owner_url(), zone="Europe/Amsterdam")
        make_busy(crowd_client(0))
        make_agent()
    settings.STAFF_SECOND_FACTOR = False
    client = Client()
    client.force_login(User.objects.get(email=AGENT))
    busy, other = crowd_client(0), crowd_client(1)
    say(f"{Order.objects.count():,} orders; the busy client has {Order.objects.filter(client=busy).count():,} of them,")
    say(f"{MESSAGES:,} messages and {LOGGED:,} rows of the log")
    print(f"{'':24} {'best ms':>8} {'median':>8} {'CPU':>8} {'database':>9} {'queries':>8} {'of others':>10}")
    costs = dict[str, tuple[Cost, Cost]]()
    for name, headers, of_busy, of_other in addresses(busy, other):
        cost, usual = measure(client, of_busy, headers), measure(client, of_other, headers)
        print(f"{name:24} {cost.best:8.1f} {cost.middle:8.1f} {cost.cpu:8.1f} {cost.database:9.1f} {cost.queries:8} {usual.queries:10}", flush=True)
        costs[name] = (cost, usual)
    report.sized(f"{SIZE.orders:,} orders, best of {ROUNDS}")
    for name, (cost, _) in costs.items():
        report.figure(f"{name}: server time", cost.best, "ms", limit=LIMIT_MS)
    bad = [f"{name}: {cost.status}" for name, (cost, _) in costs.items() if cost.status != 200]
    report.figure("addresses that answer with something else than the page", len(bad), limit=0, also="; ".join(bad))
    whole = [f"{name}: {', '.join(cost.read_whole)}" for name, (cost, _) in costs.items() if cost.read_whole and SIZE.orders >= LARGE]
    report.figure("addresses that read a big table from end to end", len(whole), limit=0, also="; ".join(whole))
    # A panel without rows need not ask what they are about.
    more = [f"{name}: {cost.queries} and {usual.queries}" for name, (cost, usual) in costs.items() if cost.queries > usual.queries + 1]
    report.figure("addresses that ask more about the busy client", len(more), limit=0, also="; ".join(more))
    return report.code()


def addresses(busy: Any, other: Any) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """What is measured: its name, the headers, and the address for the busy client and for another one."""

    def person(user: Any, panel: str = "") -> str:
        return f"/console/people/{user}/{panel}"

    def order(user: Any) -> str:
        return f"/console/orders/{Order.objects.filter(client=user).order_by('-placed_at')[0].number}/"

    def merge(user: Any) -> str:
        return f"/console/plans/new/order_merge/?person={user}"

    yield "page", {}, person(busy), person(other)
    for panel in PANELS:
        yield panel.key, HTMX, person(busy, f"{panel.key}/"), person(other, f"{panel.key}/")
    yield "an order", {}, order(busy), order(other)
    yield "orders to merge", {}, merge(busy), merge(other)


def owner_url() -> str:
    return os.environ["DATABASE_OWNER_URL"]


def crowd_client(number: int) -> Any:
    return User.objects.values_list("pk", flat=True).get(email=f"c{number}@bench.example")


def make_agent() -> None:
    """The last step: where this one is, the database is whole."""
    with transaction.atomic():
        user = User.objects.create_user(AGENT, "x", name="Mara Tanaka", is_staff=True)
        user.groups.set(Group.objects.filter(name__in=["Senior agent", "Security"]))


def make_busy(who: Any) -> None:
    """Give `who` what was asked for."""
    values = {"who": who, "most": MINE, "now": now()}
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        owner.execute(TAKEN.encode(), values)
        for table in TABLES:  # what follows keeps their promises without being asked
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        for statement in TAKE:
            owner.execute(statement.encode(), values)
        owner.execute(WRITE.encode(), {**values, "count": MESSAGES})
        owner.execute(LOG.encode(), {**values, "count": LOGGED})
        for table in TABLES:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        owner.execute("ANALYZE")
    index_all(owner_url(), quiet=True)


def measure(client: Client, url: str, headers: dict[str, str]) -> Cost:
    """The best and the median of several, after one that nobody measures."""
    status = client.get(url, headers=headers).status_code
    asked: list[tuple[str, Any]] = []

    def heard(execute: Any, sql: str, params: Any, *more: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, *more)

    with connection.execute_wrapper(heard):
        client.get(url, headers=headers)
    wall, cpu, waited = [], [], []
    for _ in range(ROUNDS):
        spent: list[float] = []
        begun, worked = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(lambda execute, *asked, spent=spent: timed(spent, execute, *asked)):
            client.get(url, headers=headers)
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - worked) * 1000)
        waited.append(sum(spent) * 1000)
    return Cost(min(wall), statistics.median(wall), statistics.median(cpu), statistics.median(waited), len(asked), status, read_whole(asked))


def read_whole(asked: list[tuple[str, Any]]) -> tuple[str, ...]:
    found = set()
    with connection.cursor() as cursor:
        for sql, params in asked:
            if sql.startswith(("SELECT", "\nSELECT", "WITH")) and "set_config" not in sql:
                cursor.execute("EXPLAIN " + sql, params)
                found |= {name for (line,) in cursor.fetchall() for name in re.findall(r"Seq Scan on (\w+)", line)}
    return tuple(sorted(found & BIG))


def timed(spent: list[float], execute: Any, *asked: Any) -> Any:
    begun = time.perf_counter()
    try:
        return execute(*asked)
    finally:
        spent.append(time.perf_counter() - begun)


if __name__ == "__main__":
    raise SystemExit(main())
