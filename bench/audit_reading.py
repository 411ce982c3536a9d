"""Measures every filter of the audit page on a long log; started by `bench/audit_pages.py`."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from time import perf_counter
from typing import Any
from uuid import UUID

import django

django.setup()


from django.db import connection, transaction  # noqa: E402 (after setup, as all that follows)

from auditlog.search import PAGE, Wanted, find_rows  # noqa: E402
from bench import report  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from scripts.environment import say  # noqa: E402

LIMIT_MS = 100.0
ROUNDS = 5
ONLY = os.environ.get("BENCH_ONLY", "")
PLANS = os.environ.get("BENCH_PLANS", "1") != "0"

Question = tuple[str, Any]


def all_filters() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(reltuples)::bigint FROM pg_class JOIN pg_inherits ON oid = inhrelid WHERE inhparent = 'audit_find'::regclass")
        (rows,) = cursor.fetchone()
        say(f"{rows:,} rows; milliseconds that the database takes for all questions of a page, first run and median of {ROUNDS}")
        say("where a look takes several pages: those of the slowest")
    costs = list[tuple[float, float, str]]()
    for name, wanted, edges in cases():
        if ONLY not in name:
            continue
        worst, middle, pages, found, plans = measure(wanted, edges)
        kept = max(worst, middle) <= LIMIT_MS
        costs.append((worst, middle, name))
        steps = f"   in {pages} pages" if pages > 1 else ""
        print(f"{'' if kept else 'TOO SLOW  '}{name:55} {found:3} rows   first {worst:6.1f}   median {middle:6.1f}{steps}", flush=True)
        if PLANS:
            print("\n".join(f"        {line}" for told in plans for line in lines(told["Plan"])), flush=True)
    report.sized(f"{float(f'{rows:.2g}'):,.0f} rows, {len(costs)} filters")  # their number is the planner's guess
    worst, _, which = max(costs)
    report.figure("the slowest page, first look", worst, "ms", limit=LIMIT_MS, also=which)
    middle, which = max((middle, name) for _, middle, name in costs)
    report.figure("the slowest page, median", middle, "ms", limit=LIMIT_MS, also=which)
    report.figure("the middle of all pages, median", statistics.median(middle for _, middle, _ in costs), "ms")
    report.figure("filters above the limit", sum(max(each[:2]) > LIMIT_MS for each in costs), limit=0)
    return report.code()


def measure(wanted: Wanted, edges: dict[str, Any]) -> tuple[float, float, int, int, list[dict[str, Any]]]:
    """The slowest page in the first run and in the median of the others, how many pages a look took at most until it had a whole page or
    was at the end, how many rows it found, and the plans of its first page."""
    slowest: list[float] = []
    most, rows, asked = 0, 0, list[Question]()
    connection.close()  # the first run is that of a connection which has seen nothing yet
    for _ in range(ROUNDS + 1):
        times, found, onwards = list[float](), 0, edges
        while True:
            questions: list[Question] = []
            spent: list[float] = []
            with connection.execute_wrapper(partial(timed, questions, spent)):
                page = find_rows(wanted, **onwards)
            asked = asked if times else questions
            times.append(sum(spent) * 1000)
            found += len(page.rows)
            if page.reached is None:
                break
            onwards = {"newer_than": page.newer} if "newer_than" in edges else {"older_than": page.older}
        slowest.append(max(times))
        most, rows = max(most, len(times)), min(found, PAGE)
    return slowest[0], statistics.median(slowest[1:]), most, rows, list(plans_of(asked)) if PLANS else []


def timed(questions: list[Question], spent: list[float], execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """As who asks waits for the answer, also for one that was given up."""
    questions.append((sql, params))
    begun = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        spent.append(perf_counter() - begun)


def plans_of(questions: list[Question]) -> Iterator[dict[str, Any]]:
    """The same questions asked again, each with the settings that it had, but with all the time it needs."""
    off: list[str] = []
    for sql, params in questions:
        if "'off'" in sql:
            off += params
        elif sql.startswith(("SELECT", "WITH")) and "set_config" not in sql:
            if not sql.startswith("WITH met"):
                off.clear()
            with transaction.atomic(), connection.cursor() as cursor:
                for name in off:
                    cursor.execute("SELECT set_config(%s, 'off', true)", [name])
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql, params)
                (said,) = cursor.fetchone()
            yield (json.loads(said) if isinstance(said, str) else said)[0]


def lines(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """The steps that were taken; a month that gave nothing and cost nothing is left out."""
    if not node.get("Actual Loops"):
        return
    what = " ".join(str(node[key]) for key in ("Node Type", "Scan Direction", "Index Name", "Relation Name") if key in node)
    conditions = "; ".join(f"{key}: {node[key]}" for key in ("Index Cond", "Recheck Cond", "Filter") if key in node)
    spent = node["Actual Total Time"] * node["Actual Loops"]
    if depth < 4 or spent >= 0.5 or node["Actual Rows"]:
        removed = f", {node['Rows Removed by Filter']} passed over" if node.get("Rows Removed by Filter") else ""
        yield f"{'  ' * depth}{what}: {node['Actual Rows']:.0f} rows{removed}, {spent:.2f} ms {conditions}"[:230]
    for child in node.get("Plans", []):
        yield from lines(child, depth + 1)


def cases() -> Iterator[tuple[str, Wanted, dict[str, Any]]]:
    """Every filter that the page offers."""
    with connection.cursor() as cursor:

        def one(query: str) -> Any:
            cursor.execute(query)
            found = cursor.fetchone()
            return found[0] if found else None

        person = "SELECT md5('person' || %d)::uuid"
        newest, oldest = one("SELECT max(timestamp) FROM audit_find"), one("SELECT min(timestamp) FROM audit_find")
        middle = oldest + (newest - oldest) / 2
        rare_type = one(
            "SELECT event_type FROM (SELECT event_type, count(*) FROM audit_find WHERE timestamp > now() - interval '1 year' GROUP BY 1) t "
            "ORDER BY count LIMIT 1"
        )
        target = UUID(one("SELECT md5('target0')"))
        far = one(f"SELECT target_id FROM audit_find WHERE timestamp > '{middle}' ORDER BY timestamp, id LIMIT 1")
        request = one(f"SELECT request_id FROM audit_find WHERE timestamp > '{middle}' ORDER BY timestamp, id LIMIT 1")
        hashed = one(
            f"SELECT transaction_hash FROM audit_find WHERE timestamp > '{middle}' AND transaction_hash <> '' ORDER BY timestamp, id LIMIT 1"
        )
        common, seldom = one(person % 0), one(person % 19999)
        near, lonely = one("SELECT host('100.64.0.1'::inet + 3)"), one("SELECT host('100.64.0.0'::inet + 59997)")
    nobody = UUID(int=4)
    after_years = datetime(2001, 1, 1, tzinfo=UTC)
    first: dict[str, Any] = {}
    back: dict[str, Any] = {"older_than": (middle, 2**62)}
    forth: dict[str, Any] = {"newer_than": (middle, 0)}

    filters: dict[str, Wanted] = {
        "no filter": Wanted(),
        "days: a day in the middle": Wanted(since=middle, until=middle + timedelta(days=1)),
        "days: an hour": Wanted(since=middle, until=middle + timedelta(hours=1)),
        "days: none": Wanted(since=after_years, until=after_years + timedelta(days=1)),
        "category: common": Wanted(category="financial"),
        "category: rare": Wanted(category="administrative"),
        "event: common": Wanted(event_type="auth.login"),
        "event: rare": Wanted(event_type=rare_type),
        "event: in the older half alone": Wanted(event_type="auth.logout"),
        "event: none": Wanted(event_type="row.truncated"),
        "severity: warning and up": Wanted(least="warning"),
        "severity: critical": Wanted(least="critical"),
        "actor: busy, by id": Wanted(who=(("actor_id", common), ("on_behalf_of", common))),
        "actor: rare, by id": Wanted(who=(("actor_id", seldom), ("on_behalf_of", seldom))),
        "actor: none, by id": Wanted(who=(("actor_id", nobody), ("on_behalf_of", nobody))),
        "actor: busy, by e-mail": Wanted(who=(("actor_email", "person0@rows.example"), ("actor_id", common), ("on_behalf_of", common))),
        "actor: rare, by e-mail": Wanted(who=(("actor_email", "person19999@rows.example"), ("actor_id", seldom), ("on_behalf_of", seldom))),
        "actor: none, by e-mail": Wanted(who=(("actor_email", "nobody@rows.example"),)),
        "target: busy": Wanted(what=(("target_id", target), ("request_id", target))),
        "target: rare": Wanted(what=(("target_id", far), ("request_id", far))),
        "target: none": Wanted(what=(("target_id", nobody), ("request_id", nobody))),
        "request": Wanted(what=(("target_id", request), ("request_id", request))),
        "hash: one row": Wanted(what=(("transaction_hash", hashed),)),
        "hash: none": Wanted(what=(("transaction_hash", "0x" + "00" * 32),)),
        "address: busy": Wanted(address=near),
        "address: rare": Wanted(address=lonely),
        "address: none": Wanted(address="203.0.113.1"),
        "amount: common": Wanted(amount_from=Decimal(10)),
        "amount: between": Wanted(amount_from=Decimal("99.99"), amount_to=Decimal("100.01")),
        "amount: rare": Wanted(amount_from=Decimal(200000)),
        "amount: none": Wanted(amount_from=Decimal(900000)),
        "words: common": Wanted(words="order"),
        "words: two common": Wanted(words="delivered price"),
        "words: of one thread in 5,000": Wanted(words="see thread 4320"),
        "words: rare": Wanted(words="quincunx marmalade"),
        "words: an order's number": Wanted(words="P4-1052"),
        "words: in the older half alone": Wanted(words="logout"),
        "words: none": Wanted(words="zzyzx"),
    }
    for name, wanted in filters.items():
        yield name, wanted, first
    for name in (
        "no filter",
        "category: common",
        "category: rare",
        "event: common",
        "severity: warning and up",
        "actor: busy, by e-mail",
        "words: common",
    ):
        yield f"{name}, older than the middle", filters[name], back
        yield f"{name}, newer than the middle", filters[name], forth
    month = Wanted(since=middle, until=middle + timedelta(days=31))
    together: dict[str, Wanted] = {
        "three common words that never meet": Wanted(words="login delivered funded"),
        "words and a category that never meet": Wanted(category="administrative", words="funded"),
        "month, category and severity": replace(month, category="financial", least="warning"),
        "month and words": replace(month, words="phone"),
        "actor and category": replace(filters["actor: busy, by e-mail"], category="administrative"),
        "actor and amount": replace(filters["actor: busy, by id"], amount_from=Decimal(1000)),
        "actor and words": replace(filters["actor: busy, by id"], words="quincunx"),
        "event and address": replace(filters["address: busy"], event_type="auth.login_failed"),
        "category, severity and words": Wanted(category="security", least="warning", words="phone"),
        "category and event that exclude each other": Wanted(category="administrative", event_type="auth.login"),
        "event of the older half and severity": Wanted(event_type="auth.logout", least="warning"),
        "amount, category and a person": replace(filters["actor: rare, by id"], category="financial", amount_from=Decimal(500)),
        "everything at once": replace(
            month,
            category="financial",
            event_type="escrow.released",
            who=(("actor_id", common),),
            amount_from=Decimal(5),
            words="order",
            least="info",
        ),
        "critical of the last day": Wanted(since=now() - timedelta(days=1), least="critical"),
    }
    for name, wanted in together.items():
        yield f"together: {name}", wanted, first


if __name__ == "__main__":
    raise SystemExit(all_filters())
