"""What the audit log adds to a write, beside three libraries that log changes: `./run bench audit`.

Every variant is a process of its own with a database of its own in one cluster, and is told what to do operation by operation in an
order drawn anew each time, so that whatever else the machine does hits all of them. A ratio is taken inside a round, against plain Django
in that round; printed is the median over the rounds. The other libraries live in an environment of their own (requirements/peers.txt),
which is made when the benchmark runs.

BENCH_ROUNDS  how many rounds (15)
BENCH_SECONDS how long eight writers write in one round, for each scenario (1.5)
"""

from __future__ import annotations

import base64
import contextlib
import json
import multiprocessing
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench import report
from bench.apart import python_with
from bench.audited import BATCH, SMALL_BATCH, TABLE, VARIANTS, Variant
from scripts import database, environment
from scripts.environment import say
from tests.copies import libpq, on_database

SELDOM = 5  # a variant that takes seconds for a thousand rows does so in one of so many rounds
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.5"))
WRITERS = 8
SAVE_LIMIT, BULK_LIMIT, WRITERS_LIMIT = 1.45, 6.0, 0.9
PEERS = [name for name in VARIANTS if name not in ("plain", "ours")]
CHILD = Path(__file__).with_name("audited.py")
HOME = database.HOME
COLD_FOLDER = database.VAR / "test" / f"cold-{secrets.token_hex(4)}"
SIGNING_KEY, COLD = base64.b64encode(secrets.token_bytes(32)).decode(), COLD_FOLDER.as_uri()


@dataclass(frozen=True)
class Operation:
    """What is measured, how often in a round, and how many rows it changes."""

    words: str
    command: str
    times: int
    rows: int
    against: str = ""  # plain's operation to compare with, when that is another
    limit: float = 0.0


OPERATIONS = [
    Operation("save() creates, autocommit", "create_bare", 12, 1),
    Operation("save() creates, in atomic()", "create", 12, 1, limit=SAVE_LIMIT),
    Operation("save() updates, in atomic()", "update", 12, 1, limit=SAVE_LIMIT),
    Operation(f"{SMALL_BATCH} save() in one atomic()", "update_20", 4, SMALL_BATCH),
    Operation(f"queryset.update() of {BATCH:,}", "bulk_bare", 3, BATCH),
    Operation(f"{BATCH:,} rows, so that all are logged", "bulk", 3, BATCH, against="bulk_bare", limit=BULK_LIMIT),
]


def main() -> int:
    """Print the figures; 1 when a limit is not kept or a peer that captures is ahead."""
    report.sized(f"{ROUNDS} rounds, {SECONDS:g} s for each scenario")
    with database.thrown_away(durable=True) as base, contextlib.ExitStack() as stack:
        pythons = {"plain": sys.executable, "ours": sys.executable} | others()
        COLD_FOLDER.mkdir(parents=True)
        stack.callback(shutil.rmtree, COLD_FOLDER)
        sites = {name: stack.enter_context(site(base, name, python)) for name, python in pythons.items()}
        say(f"{', '.join(sites)} are ready")
        print(f"{ROUNDS} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {server(base)}\n")
        figures = measure(sites)
        report_operations(figures, crowded=is_crowded())
        print()
        report_saves(eight_savers(sites))
        report_writers(eight_writers(sites["ours"]))
    return report.code()


def is_crowded() -> bool:
    """Whether others use the machine so much that the time on the wall is theirs; this benchmark itself does one thing at a time."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 1


def server(base: database.Database) -> str:
    with psycopg.connect(libpq(base.addresses["DATABASE_OWNER_URL"])) as owner:
        facts = [owner.execute(f"SHOW {name}").fetchone() for name in ("server_version", "fsync", "synchronous_commit")]
    version, fsync, commits = (str(fact[0]) for fact in facts if fact)
    return f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commits}"


# The other libraries.


def others() -> dict[str, str]:
    """The Python of their environment for each of them; none when it cannot be made."""
    try:
        python = python_with("peers")
    except environment.SetupFailed as why:
        report.absent("the other libraries", str(why))
        return {}
    return dict.fromkeys(PEERS, python)


# One variant: its database, its process.


@dataclass
class Site:
    """A variant at work."""

    name: str
    owner: str
    app: str
    process: subprocess.Popen[str]

    def tell(self, command: str, *arguments: object) -> Any:
        self.begin(command, *arguments)
        return self.finish(command)

    def begin(self, command: str, *arguments: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self.process.stdin.flush()

    def finish(self, command: str) -> Any:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended while it was to {command}")
        return json.loads(answer)


@contextlib.contextmanager
def site(base: database.Database, name: str, python: str) -> Iterator[Site]:
    """A database of its own for the variant, its tables, and its process."""
    place = f"bench_{secrets.token_hex(4)}_{name}"
    owner, app = (on_database(base.addresses[key], place) for key in ("DATABASE_OWNER_URL", "DATABASE_URL"))
    with psycopg.connect(libpq(base.addresses["DATABASE_OWNER_URL"]), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {place}".encode())
    try:
        if name == "ours":
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, cwd=HOME, env=settings(owner, owner))
        subprocess.run(child(python, name, owner, "install"), check=True, env=settings(owner, owner))
        if name == "ours":
            prepare(owner, app)
        elif owner != app:
            allow(owner, app)
        with subprocess.Popen(
            child(python, name, app), env=settings(app, owner), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            made = Site(name, owner, app, process)
            made.tell("fill")
            yield made
            assert process.stdin is not None
            process.stdin.close()
    finally:
        if base.server is None:  # else it goes with its server
            database.drop(base.addresses["DATABASE_OWNER_URL"], place)


def child(python: str, name: str, url: str, *words: str) -> list[str]:
    """-I: neither this project's packages nor the user's can be taken for theirs."""
    facts = conninfo_to_dict(libpq(url))
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return [python, "-I", str(CHILD), name, json.dumps({names[key]: value for key, value in facts.items() if key in names}), *words]


def settings(url: str, owner: str) -> dict[str, str]:
    ours = {"PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings", "EMAIL_URL": "dummymail://"}
    proof = {"AUDIT_SIGNING_KEY": SIGNING_KEY, "AUDIT_COLD_URL": COLD}
    return {**os.environ, **ours, **proof, "DATABASE_URL": url, "DATABASE_OWNER_URL": owner}


def prepare(owner: str, app: str) -> None:
    """The real witness on the table of the benchmark, and the tables of the eight writers."""
    kept = ["number", "client_id", "builder_id", "title", "status", "price", "batch", "due_at", "updated_at"]
    with psycopg.connect(libpq(owner), autocommit=True) as connection:
        connection.execute("SELECT audit_watch(%s::regclass, 'order', 'financial', %s, '{}', '{}', 'price')", [TABLE, kept])
        connection.execute(TABLES.encode())
        connection.execute("SELECT audit_watch('bench_watched', 'cell', 'financial', '{value,note}', '{}', '{}', 'value')")
    allow(owner, app)


def allow(owner: str, app: str) -> None:
    """Let the role that serves write what the benchmark has made, also where databases come without the roles' defaults."""
    role = conninfo_to_dict(libpq(app))["user"]
    with psycopg.connect(libpq(owner), autocommit=True) as connection:
        if role != connection.info.user:
            connection.execute(GRANT.replace("the_role", str(role)).encode())


# Single operations.


Times = dict[str, dict[str, dict[int, float]]]  # of a variant, of an operation: the median of each round


def by_operation() -> Any:
    return defaultdict(lambda: defaultdict(dict))


@dataclass
class Figures:
    """What was measured, and how many of the changed rows were captured."""

    wall: Times = field(default_factory=by_operation)
    cpu: Times = field(default_factory=by_operation)
    changed: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    captured: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def ratios(self, name: str, operation: Operation, to: str = "plain", of: str = "wall") -> list[float]:
        """A variant's time in another's, of each round."""
        times: Times = getattr(self, of)
        mine, others = times[name][operation.command], times[to][operation.against or operation.command if to == "plain" else operation.command]
        return sorted(time / others[turn] for turn, time in mine.items() if others.get(turn))

    def ratio(self, name: str, operation: Operation, of: str = "wall") -> float:
        return statistics.median(self.ratios(name, operation, of=of) or [0.0])

    def is_whole(self, name: str, operation: Operation) -> bool:
        return self.captured[name, operation.command] >= self.changed[name, operation.command] > 0

    def is_behind(self, name: str, operation: Operation, of: str) -> bool:
        """Whether ours takes longer than the other, and not by chance: the median's interval of 95% lies above 1."""
        found = self.ratios("ours", operation, name, of)
        return bool(found) and found[max(0, int(len(found) / 2 - 0.98 * len(found) ** 0.5))] > 1


def measure(sites: Mapping[str, Site]) -> Figures:
    """All operations of all variants, in rounds, each in an order drawn anew."""
    figures = Figures()
    for turn in range(-1, ROUNDS):  # the first warms everything
        for operation in OPERATIONS:
            took: dict[str, list[dict[str, float]]] = {name: [] for name in sites if turn % SELDOM == 0 or not is_slow(name, operation)}
            before = {name: sites[name].tell("captured") for name in took}
            for again in range(operation.times):
                for name in random.sample(list(took), len(took)):
                    if not again or not is_slow(name, operation):
                        took[name].append(sites[name].tell(operation.command))
            for name, times in took.items():
                if turn >= 0:
                    figures.changed[name, operation.command] += len(times) * operation.rows
                    figures.captured[name, operation.command] += sites[name].tell("captured") - before[name]
                    figures.wall[name][operation.command][turn] = statistics.median(one["wall"] for one in times)
                    figures.cpu[name][operation.command][turn] = statistics.median(one["cpu"] for one in times)
    return figures


def is_slow(name: str, operation: Operation) -> bool:
    """Whether a variant saves a thousand rows one by one, which takes seconds."""
    return operation.command == "bulk" and VARIANTS[name].bulk is not Variant.bulk


def report_operations(figures: Figures, *, crowded: bool) -> None:
    """The tables, and ours beside its limits."""
    compared = [name for name in figures.wall if name != "plain"]
    judged = ["cpu"] if crowded else ["wall", "cpu"]
    for of, words in (("wall", "Time"), ("cpu", "CPU of Python and of the server's process")):
        judges = "" if of in judged else "; others use the machine, so this decides nothing"
        print(f"\n{words} in that of plain Django, median of {ROUNDS} rounds; plain's ms in brackets; ! not every row was logged{judges}")
        print(f"{'operation':38}{'plain':>9}" + "".join(f"{name:>17}" for name in compared))
        for operation in OPERATIONS:
            plain = statistics.median(getattr(figures, of)["plain"][operation.against or operation.command].values()) * 1000
            marks = [f"{figures.ratio(name, operation, of):.2f}{' ' if figures.is_whole(name, operation) else '!'}" for name in compared]
            limit = f"   limit {operation.limit}" if operation.limit else ""
            print(f"{operation.words:38}{f'[{plain:.2f}]':>9}" + "".join(f"{mark:>17}" for mark in marks) + limit)
    print()
    ahead, unlogged = list[str](), list[str]()
    for operation in OPERATIONS:
        if not figures.is_whole("ours", operation):
            unlogged.append(operation.words)
        for of in judged:
            ratios = {name: figures.ratio(name, operation, of) for name in compared}
            times: Times = getattr(figures, of)
            ours = statistics.median(times["ours"][operation.command].values()) * 1000
            plain = statistics.median(times["plain"][operation.against or operation.command].values()) * 1000
            others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items() if name != "ours")
            words = f"{operation.words}, {'CPU' if of == 'cpu' else 'time'}"
            peer, ratio = ("plain Django", plain), ratios["ours"]
            report.figure(words, ours, "ms", peer=peer, ratio=ratio, limit=operation.limit or None, also=others)
            for name in compared:
                if name != "ours" and figures.is_whole(name, operation) and figures.is_behind(name, operation, of):
                    longer = statistics.median(figures.ratios("ours", operation, name, of))
                    ahead.append(f"{name} at {words}: ours takes {longer:.2f} times as long")
    report.figure("operations of which not every row was logged", len(unlogged), limit=0, also="; ".join(unlogged))
    report.figure("times that a library which logs all rows is ahead", len(ahead), limit=0, also="; ".join(ahead))


# Eight at once.


def eight_savers(sites: Mapping[str, Site]) -> dict[str, list[float]]:
    """Saves a second by eight processes of each variant."""
    rates: dict[str, list[float]] = {name: [] for name in sites}
    for _ in range(max(3, ROUNDS // 3)):
        for name in random.sample(list(sites), len(sites)):
            rates[name].append(sites[name].tell("writers", WRITERS, SECONDS) / SECONDS)
    return rates


def report_saves(rates: Mapping[str, Sequence[float]]) -> None:
    plain = rates["plain"]
    shares = {name: statistics.median(one / other for one, other in zip(found, plain, strict=True)) for name, found in rates.items()}
    print(f"{WRITERS} processes, each saves a row of its own in atomic(); saves a second in those of plain Django [{statistics.median(plain):.0f}]")
    for name, share in shares.items():
        if name != "ours":
            peer, limit = (name, statistics.median(rates[name])), 1 if name in PEERS else None
            ours, ratio = statistics.median(rates["ours"]), shares["ours"] / share
            report.figure(f"{WRITERS} processes that save", ours, "a second", peer=peer, ratio=ratio, limit=limit, better="more")
    print()


GRANT = """
DO $$
DECLARE
  made text;
BEGIN
  FOR made IN SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname !~ '^audit_' LOOP
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON ' || made || ' TO the_role';
  END LOOP;
END $$;
"""
TABLES = """
CREATE TABLE bench_bare (id int PRIMARY KEY, value numeric(38,18) NOT NULL, note text NOT NULL) WITH (fillfactor = 50);
CREATE TABLE bench_watched (LIKE bench_bare INCLUDING ALL) WITH (fillfactor = 50);
INSERT INTO bench_bare SELECT n, 0, '' FROM generate_series(1, 8) AS n;
INSERT INTO bench_watched SELECT * FROM bench_bare;
CREATE TABLE bench_append (LIKE audit_log INCLUDING ALL) PARTITION BY RANGE (timestamp);
CREATE TABLE bench_append_now PARTITION OF bench_append FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON bench_append FOR EACH ROW EXECUTE FUNCTION audit_reject();
"""
FIELDS = (
    "event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id, action, description,"
    " before_state, after_state, metadata, ip_address, user_agent, request_id, device_id, amount, currency, transaction_hash"
)
PLACES = ", ".join(["%s"] * (FIELDS.count(",") + 1))
CHANGE_BARE, CHANGE_WATCHED = (f"UPDATE bench_{name} SET value = value + 1, note = %s WHERE id = %s" for name in ("bare", "watched"))
INSERT = f"INSERT INTO bench_append ({FIELDS}) VALUES ({PLACES})"
APPEND = f"SELECT audit_append({PLACES})"  # what `record` does


# As auditlog.witness tells it, in front of the change and in the same message.
TELL = "SET LOCAL audit.ctx = %s; "
CONTEXT = (
    f"(info,client,{uuid4()},client@bench.example,,203.0.113.7,"
    '"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",'
    f'{uuid4()},{uuid4()},"{{""source"": ""web""}}")'
)
BEFORE, AFTER = json.dumps({"value": "1.0", "note": "note 1"}), json.dumps({"value": "2.0", "note": "note 2"})
FACT = [
    *("payment.captured", "financial", "info", "client", uuid4(), "client@bench.example", None, "cell", uuid4(), "Payment captured", ""),
    *(BEFORE, AFTER, json.dumps({"invoice": "P4-1"}), "203.0.113.7", "Mozilla/5.0", uuid4(), uuid4(), Decimal("120.5"), "USDC", ""),
]


@dataclass(frozen=True)
class Scenario:
    """What a writer does in one transaction, and with what it is compared."""

    words: str
    change: str
    facts: str = ""
    facts_times: int = 1
    tells: bool = False
    sealed: bool = False
    against: str = ""
    limit: float = 0.0


SCENARIOS = {
    "none": Scenario("no log", CHANGE_BARE),
    "append": Scenario("append-only table, never sealed", CHANGE_BARE, INSERT),
    "record": Scenario("record(), sealed", CHANGE_BARE, APPEND, sealed=True, against="append", limit=WRITERS_LIMIT),
    "witness": Scenario("row witness, sealed", CHANGE_WATCHED, tells=True, sealed=True, against="append", limit=WRITERS_LIMIT),
    "append twice": Scenario("append-only table, two rows", CHANGE_BARE, INSERT, facts_times=2),
    "both": Scenario("record() and row witness, sealed", CHANGE_WATCHED, APPEND, tells=True, sealed=True, against="append twice"),
}


def eight_writers(ours: Site) -> dict[str, list[float]]:
    """Transactions a second by eight processes at the driver, without Django; a sealer works beside those whose rows are sealed."""
    pipes, processes = [], []
    for row in range(1, WRITERS + 1):
        here, there = multiprocessing.Pipe()
        processes.append(process := multiprocessing.get_context("spawn").Process(target=write, args=(there, libpq(ours.app), row)))
        process.start()
        pipes.append(here)
    ours.tell("seal", 0)
    rates: dict[str, list[float]] = {name: [] for name in SCENARIOS}
    for turn in range(-1, ROUNDS):
        for name in random.sample(list(SCENARIOS), len(SCENARIOS)):
            if SCENARIOS[name].sealed:
                ours.begin("seal", SECONDS + 0.1)
            begin = time.monotonic() + 0.1
            for pipe in pipes:
                pipe.send((name, begin))
            done = sum(pipe.recv() for pipe in pipes)
            if SCENARIOS[name].sealed:
                ours.finish("seal")
            if turn >= 0:
                rates[name].append(done / SECONDS)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()
    return rates


def write(pipe: Connection, conninfo: str, row: int) -> None:
    """One writer, until it is told to end."""
    with psycopg.connect(conninfo, autocommit=True, application_name="port444") as connection:
        cursor = psycopg.ClientCursor(connection)  # as the site's
        while told := pipe.recv():
            name, begin = told
            scenario, done = SCENARIOS[name], 0
            time.sleep(max(0.0, begin - time.monotonic()))
            while time.monotonic() < begin + SECONDS:
                with connection.transaction():
                    if scenario.tells:
                        cursor.execute((TELL + scenario.change).encode(), [CONTEXT, f"note {done}", row])
                    else:
                        cursor.execute(scenario.change.encode(), [f"note {done}", row])
                    for _ in range(scenario.facts_times if scenario.facts else 0):
                        cursor.execute(scenario.facts.encode(), FACT)
                done += 1
            pipe.send(done)


def report_writers(rates: Mapping[str, Sequence[float]]) -> None:
    print(f"{WRITERS} writers at the driver, each an UPDATE of a row of its own and what is to be logged of it; transactions a second")
    for name, scenario in SCENARIOS.items():
        against = scenario.against or "append"
        ratio = statistics.median(one / other for one, other in zip(rates[name], rates[against], strict=True))
        peer = (SCENARIOS[against].words, statistics.median(rates[against])) if name != against else None
        rate = statistics.median(rates[name])
        report.figure(
            f"{WRITERS} writers: {scenario.words}",
            rate,
            "a second",
            peer=peer,
            ratio=ratio if peer else None,
            limit=scenario.limit or None,
            better="more",
        )


if __name__ == "__main__":
    raise SystemExit(main())
