"""Fills a market of services by COPY and measures the search on it; started by `bench/search.py`.

Words are drawn by rank (the n-th with 1/n): crafts and adjectives that real titles have, then made-up ones of which texts are full. One
word in ten thousand is in a quarter of all texts, most are in a few. Orders and stars are as uneven.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 (after setup, as all that follows)

from bench import report  # noqa: E402 (after setup, as all that follows)
from port444.builders.forms import LANGUAGES  # noqa: E402
from port444.catalog.models import Category, Service  # noqa: E402
from port444.catalog.queries import Search, Sort, find_services, read_cursor  # noqa: E402
from port444.catalog.queries.finding import by_index  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from port444.kit.ids import uuid7  # noqa: E402
from scripts.environment import say  # noqa: E402

SERVICES = int(os.environ.get("BENCH_SERVICES", "100000"))
SEARCHES = int(os.environ.get("BENCH_SEARCHES", "150"))
MEANT = ("wp", "wordpress theme", "online shop", "scraper", "k8s", "logotype", "fast website")
ROUNDS, DEEP = 3, 25  # times that each search is asked for, of which the best counts; pages to the deepest
LONG = (Search(), Search("website"), Search("website design"), Search("fast", sort=Sort.CHEAP), Search(sort=Sort.NEW), Search("logo", calls=True))
LIMIT_MS = 50.0  # p95 of database time, all statements of a search together
TRADES = """
website design logo app wordpress django python react shop video translation seo data german english writing api mobile landing page audit review fix
speed shopify flutter figma animation editing copy blog newsletter postgres docker kubernetes scraper crawler dashboard charts contract solidity token
voice podcast music mix bookkeeping tax business plan pitch illustration portrait brand identity icon interface theme plugin migration backup security
server pipeline testing excel automation bot chatbot classifier forecast survey statistics subtitles spanish french
japanese arabic proofreading resume
product descriptions keyword links ads social media instagram email campaign store android ios swift kotlin vue laravel php ruby rails node typescript
graphql stripe payments passkeys accessibility responsive html css javascript
"""
PRAISE = "fast clean modern small large weekly custom simple careful friendly quick complete honest quiet reliable professional"
CRAFTS, NICE = TRADES.split(), PRAISE.split()
RANDOM = random.Random(444)


def words(count: int) -> list[str]:
    sounds = [a + b for a in "bcdfghjklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "or", "us")]
    return ["".join(RANDOM.choices(sounds, k=RANDOM.choice((2, 3, 3, 4)))) for _ in range(count)]


TEXT = [*NICE, *CRAFTS, *words(20_000)]


def drawn(source: list[str]) -> Any:
    weights = list(accumulate(1 / (place + 1) for place in range(len(source))))
    return lambda count: RANDOM.choices(source, cum_weights=weights, k=count)


def copy(table: str, columns: str, rows: Iterator[list[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        for row in rows:
            into.write_row(row)


def person(i: int, pk: Any, moment: Any) -> list[Any]:
    name = f"{RANDOM.choice(TEXT[200:900]).title()} {RANDOM.choice(TEXT[900:4000]).title()}"
    return [pk, "!", False, f"b{i}@bench.example", name, "", False, True, False, True, "UTC", "en", "system", "", moment]


def profile(i: int, pk: Any, user: Any, moment: Any) -> list[Any]:
    orders, answers = int(RANDOM.paretovariate(0.7)) % 900, RANDOM.choice((None, 20, 90, 400))
    said = [pk, user, f"b-{i}", "Bench", "", [], RANDOM.sample(LANGUAGES[:20], k=2), "", "", i % 3 == 0, Decimal(30), "", "", ""]
    return [*said, True, True, True, 4 * orders, orders, orders, answers, 9, 0, 0, moment]


def service(i: int, builder: Any, category: Any, crafts: Any, text: Any, moment: Any) -> list[Any]:
    orders, price = int(RANDOM.paretovariate(0.8) - 1) % 500, Decimal(5 * int(RANDOM.paretovariate(0.6) + 1) % 5000 + 5)
    said = [" ".join([*crafts(3), *text(2)])[:90], f"s-{i}", " ".join(text(9))[:160], " ".join(text(120)), crafts(3), "[]"]
    published = moment - timedelta(minutes=RANDOM.randint(0, 900_000))
    return [uuid7(), builder, category, *said, "published", price, RANDOM.randint(1, 30), orders, 4 * orders, orders, False, 1, published, moment]


@transaction.atomic
def fill() -> None:
    """Builders with five services each, more or less; triggers are off, and the listings are made at once."""
    begun, moment = time.monotonic(), now()
    people = SERVICES // 5
    crafts, text = drawn(CRAFTS), drawn(TEXT)
    categories = list(Category.objects.values_list("pk", flat=True))
    users, builders = [uuid7() for _ in range(people)], [uuid7() for _ in range(people)]
    owned = sorted(RANDOM.choices(range(people), k=SERVICES))
    with connection.cursor() as cursor:
        for table in ("accounts_user", "builders_builder", "catalog_service"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    copy(
        "accounts_user",
        "id,password,is_superuser,email,name,phone,is_client,is_builder,is_staff,is_active,time_zone,language,theme,suspension_reason,created_at",
        (person(i, pk, moment) for i, pk in enumerate(users)),
    )
    copy(
        "builders_builder",
        "id,user_id,slug,headline,about,skills,languages,city,photo,consultation_enabled,consultation_30min_price,consultation_calendar_url,meeting_url,"
        "away_message,away_stops_orders,away_stops_calls,away_stops_clock,rating_sum,rating_count,completed_count,answer_minutes,answer_count,"
        "on_time_count,timed_count,created_at",
        (profile(i, builders[i], users[i], moment) for i in range(people)),
    )
    copy(
        "catalog_service",
        "id,builder_id,category_id,title,slug,summary,description,tags,questions,status,from_price,least_days,order_count,rating_sum,rating_count,"
        "hints_hidden,version,published_at,created_at",
        (service(i, builders[owner], RANDOM.choice(categories), crafts, text, moment) for i, owner in enumerate(owned)),
    )
    say(f"{SERVICES:,} services of {people:,} builders copied in {time.monotonic() - begun:.0f} s")
    with connection.cursor() as cursor:
        cursor.execute("SELECT catalog_list(ARRAY(SELECT id FROM catalog_service))")
        cursor.execute("ANALYZE catalog_listing, catalog_service, catalog_term, builders_builder, accounts_user")
    say(f"and listed after {time.monotonic() - begun:.0f} s")


def searches() -> dict[str, list[Search]]:
    crafts, text = drawn(CRAFTS), drawn(TEXT)
    categories = list(Category.objects.all())

    def filters() -> dict[str, Any]:
        every = {
            "category": RANDOM.choice(categories),
            "highest": Decimal(RANDOM.choice((20, 100, 500))),
            "days": RANDOM.choice((3, 7, 14)),
            "language": RANDOM.choice(LANGUAGES[:20]),
            "calls": True,
            "free": True,
            "rating": Decimal("4.0"),
            "level": "established",
        }
        return {name: every[name] for name in RANDOM.sample(sorted(every), k=RANDOM.randint(1, 3))}

    def slip(word: str) -> str:
        i = RANDOM.randrange(1, len(word) - 1)
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

    def some(count: int) -> str:
        return " ".join(crafts(count))

    each = range(SEARCHES)
    return {
        "no words, filters": [Search(**filters(), sort=RANDOM.choice(list(Sort))) for _ in each],
        "one craft": [Search(some(1)) for _ in each],
        "two or three crafts": [Search(some(RANDOM.choice((2, 3)))) for _ in each],
        "crafts and filters": [Search(some(RANDOM.choice((1, 2))), **filters()) for _ in each],
        "words of texts": [Search(" ".join(text(RANDOM.choice((1, 2)))), **filters()) for _ in each],
        "another order": [Search(some(1), **filters(), sort=RANDOM.choice([s for s in Sort if s != Sort.BEST])) for _ in each],
        "synonyms": [Search(RANDOM.choice(MEANT), **filters()) for _ in each],
        "typos": [Search(f"{some(1)} {slip(RANDOM.choice([w for w in CRAFTS if len(w) > 5]))}") for _ in each],
    }


class Watch:
    """Adds up what statements take, and remembers the slowest; beside it what the session of the database burned."""

    def __init__(self) -> None:
        self.seconds, self.cpu, self.worst = 0.0, 0.0, (0.0, "", ())

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.perf_counter() - begun
            self.seconds += took
            if took > self.worst[0]:
                self.worst = (took, sql, params)


def session_cpu() -> float:
    """Seconds that this session's process has run, nought where that cannot be read (another machine, or not Linux)."""
    try:
        return int(Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def timed(search: Search, after: str = "") -> tuple[float, Watch, str]:
    """The best of some rounds in milliseconds of the database, and where the next page begins."""
    watches = []
    for _ in range(ROUNDS):
        watch, burned = Watch(), session_cpu()
        with connection.execute_wrapper(watch):
            found = find_services(search, read_cursor(after, search.sort) if after else None)
        watch.cpu = session_cpu() - burned
        watches.append(watch)
    best = min(watches, key=lambda one: one.seconds)
    return best.seconds * 1000, best, found.after


def told(name: str, costs: list[tuple[float, Any, Watch]]) -> None:
    times = sorted(cost for cost, _, _ in costs)
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
    cpu = statistics.quantiles([watch.cpu * 1000 for _, _, watch in costs], n=20, method="inclusive")[-1]
    also = f"{len(times)} tried, p50 {statistics.median(times):.1f}, slowest {times[-1]:.1f}, p95 of CPU {cpu:.1f}"
    report.figure(f"{name}, p95", p95, "ms", limit=LIMIT_MS, also=also)


def explain(cost: float, search: Any, watch: Watch) -> None:
    say(f"\n{cost:.1f} ms: {search}")
    with by_index(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {watch.worst[1]}", watch.worst[2])
        for (line,) in cursor.fetchall():
            say(f"  {line[:220]}")


def main() -> int:
    if not Service.objects.exists():
        fill()
    report.sized(f"{Service.objects.count():,} services, {SEARCHES} searches of each kind")
    slowest: list[tuple[float, Any, Watch]] = []
    for name, kind in searches().items():
        costs: list[tuple[float, Any, Watch]] = []
        for search in kind:
            cost, watch, _ = timed(search)
            costs.append((cost, search, watch))
        told(name, costs)
        slowest.append(max(costs, key=lambda one: one[0]))
    deep: list[tuple[float, Any, Watch]] = []
    for search in LONG:
        after = ""
        for page in range(DEEP):
            cost, watch, after = timed(search, after)
            if page:
                deep.append((cost, (search, f"page {page + 1}"), watch))
            if not after:
                break
    told(f"pages 2 to {DEEP}", deep)
    for cost, search, watch in sorted([*slowest, max(deep, key=lambda one: one[0])], key=lambda one: -one[0])[:6]:
        explain(cost, search, watch)
    return report.code()


if __name__ == "__main__":
    raise SystemExit(main())
