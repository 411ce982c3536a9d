"""One variant of `./run bench audit`: a process that carries out what it is told over its standard input, one operation at a time.

Run as a file, not as a module: what the other libraries are called may not meet what is called the same here, so the variants that
need nothing of ours see nothing of ours. Each has the same model of ten fields and, where the library has one, the context in which it
learns who acts, entered and left around every operation as one request would.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

BATCH = 1000  # rows of a bulk update
SMALL_BATCH = 20  # rows saved one by one in one transaction
TABLE = "bench_order"


def number(value: int) -> Decimal:
    return Decimal(value % 100_000) + Decimal("0.5")


def the_model(models: Any) -> Any:
    """Ten fields, as an order has them."""

    class Order(models.Model):  # type: ignore[misc] # the base class is only known when Django is set up
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        number = models.TextField()
        client_id = models.UUIDField()
        builder_id = models.UUIDField()
        title = models.TextField()
        status = models.TextField(db_index=True)
        price = models.DecimalField(max_digits=38, decimal_places=18)
        batch = models.IntegerField(db_index=True)
        due_at = models.DateTimeField()
        updated_at = models.DateTimeField()

        class Meta:
            app_label = "bench"
            db_table = TABLE

    return Order


class Variant:
    """Django as it comes; the others add to it."""

    apps: tuple[str, ...] = ("django.contrib.contenttypes", "django.contrib.auth")
    rows_sql = ""  # counts what was captured

    def __init__(self) -> None:
        self.Order: Any = None

    def configure(self, database: dict[str, Any]) -> None:
        class Bench(importlib.import_module("django.apps").AppConfig):  # type: ignore[misc] # known at run time only
            name, path = "bench", str(Path(__file__).parent)

            def import_models(bench) -> None:  # noqa: N805 - `self` is the variant
                bench.models = bench.apps.all_models[bench.label]
                self.declare()

        for module in ("bench", "bench.models"):
            sys.modules[module] = ModuleType(module)
        sys.modules["bench"].__dict__["Bench"] = Bench
        conf = importlib.import_module("django.conf")
        conf.settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 300, "CONN_HEALTH_CHECKS": True, **database}},
            INSTALLED_APPS=[*self.apps, "bench.Bench"],
            USE_TZ=True,
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            **self.settings(),
        )
        importlib.import_module("django").setup()

    def settings(self) -> dict[str, Any]:
        return {}

    def declare(self) -> None:
        """The model, and all that the library hangs on it."""
        self.Order = the_model(importlib.import_module("django.db.models"))

    def install(self) -> None:
        """Tables of the library, table of the model, and one user."""
        management = importlib.import_module("django.core.management")
        management.call_command("migrate", verbosity=0)
        self.create(self.Order)

    def create(self, *made: Any) -> None:
        connection = importlib.import_module("django.db").connection
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)

    def user(self) -> Any:
        model = importlib.import_module("django.contrib.auth").get_user_model()
        return model.objects.get_or_create(username="actor")[0]

    def ready(self) -> None:
        """What a running site would have at hand."""

    def acting(self) -> AbstractContextManager[Any]:
        """The context in which the library learns who acts, as its documentation says."""
        return contextlib.nullcontext()

    def bulk(self, status: str, value: Decimal, at: datetime) -> int:
        """A thousand rows at once in the way that the library captures; most have no other than the bare update."""
        return int(self.Order.objects.filter(batch=1).update(status=status, price=value, updated_at=at))


class AuditLogOfOthers(Variant):
    """django-auditlog: signals."""

    apps = (*Variant.apps, "auditlog")
    rows_sql = "SELECT count(*) FROM auditlog_logentry"

    def declare(self) -> None:
        super().declare()
        importlib.import_module("auditlog.registry").auditlog.register(self.Order)

    def ready(self) -> None:
        self.actor = self.user()
        self.set_actor = importlib.import_module("auditlog.context").set_actor

    def acting(self) -> AbstractContextManager[Any]:
        return self.set_actor(self.actor, remote_addr="203.0.113.7")  # type: ignore[no-any-return]

    def bulk(self, status: str, value: Decimal, at: datetime) -> int:
        rows = list(self.Order.objects.filter(batch=1))
        for row in rows:  # it sees nothing but saves
            row.status, row.price, row.updated_at = status, value, at
            row.save()
        return len(rows)


class SimpleHistory(Variant):
    """django-simple-history: signals, whole rows."""

    apps = (*Variant.apps, "simple_history")
    rows_sql = "SELECT count(*) FROM bench_historicalorder"

    def declare(self) -> None:
        models = importlib.import_module("django.db.models")
        history = importlib.import_module("simple_history.models").HistoricalRecords
        # The order of things that a class statement would bring about: the history is told of the model before it is complete.
        self.Order = the_model(models)
        records = history(app="bench", history_user_id_field=None)
        records.contribute_to_class(self.Order, "history")
        records.finalize(self.Order)

    def install(self) -> None:
        super().install()
        self.create(self.Order.history.model)

    def ready(self) -> None:
        self.actor = self.user()
        self.records = importlib.import_module("simple_history.models").HistoricalRecords
        self.bulk_update = importlib.import_module("simple_history.utils").bulk_update_with_history

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        self.records.context.request = type("Request", (), {"user": self.actor})()  # as its middleware does
        try:
            yield
        finally:
            del self.records.context.request

    def bulk(self, status: str, value: Decimal, at: datetime) -> int:
        rows = list(self.Order.objects.filter(batch=1))
        for row in rows:
            row.status, row.price, row.updated_at = status, value, at
        return int(self.bulk_update(rows, self.Order, ["status", "price", "updated_at"]))


class PgHistory(Variant):
    """django-pghistory: row triggers, whole rows, context in a table of its own."""

    apps = (*Variant.apps, "pgtrigger", "pghistory")
    rows_sql = "SELECT count(*) FROM bench_orderevent"

    def options(self, pghistory: Any) -> dict[str, Any]:
        return {}

    def declare(self) -> None:
        super().declare()
        pghistory = importlib.import_module("pghistory")
        events = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
        options = {"app_label": "bench", "model_name": "OrderEvent", "abstract": False, "meta": {"db_table": "bench_orderevent"}}
        self.Event = pghistory.create_event_model(self.Order, *events, **options, **self.options(pghistory))

    def install(self) -> None:
        super().install()
        self.create(self.Event)
        importlib.import_module("pgtrigger").install()

    def ready(self) -> None:
        self.actor = self.user()
        self.context = importlib.import_module("pghistory").context

    def acting(self) -> AbstractContextManager[Any]:
        return self.context(user=self.actor.pk, url="/orders/1/")  # type: ignore[no-any-return]


class PgHistoryTuned(PgHistory):
    """The same as its documentation advises for speed and safety: statement triggers, context in the row, append-only."""

    def options(self, pghistory: Any) -> dict[str, Any]:
        return {"level": pghistory.Statement, "context_field": pghistory.ContextJSONField(), "context_id_field": None, "append_only": True}


class Ours(Variant):
    """The witness of port444 in the settings of port444; the database was migrated by the project's own migrations."""

    rows_sql = "SELECT count(*) FROM audit_log WHERE target_type = 'order' AND event_type LIKE 'row.%'"

    def configure(self, database: dict[str, Any]) -> None:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        importlib.import_module("django").setup()
        self.declare()

    def install(self) -> None:
        self.create(self.Order)

    def ready(self) -> None:
        self.use = importlib.import_module("port444.kit.context").use
        self.facts = {
            "source": "web",
            "actor_type": "client",
            "actor_id": uuid.uuid4(),
            "actor_email": "client@bench.example",
            "ip_address": "203.0.113.7",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "device_id": uuid.uuid4(),
        }

    def acting(self) -> AbstractContextManager[Any]:
        return self.use(request_id=uuid.uuid4(), **self.facts)  # type: ignore[no-any-return]


VARIANTS: dict[str, type[Variant]] = {
    "plain": Variant,
    "ours": Ours,
    "auditlog": AuditLogOfOthers,
    "simple_history": SimpleHistory,
    "pghistory": PgHistory,
    "pghistory_tuned": PgHistoryTuned,
}


class Work:
    """The operations. Each gives how long it took and how many rows it changed; what is made ready for it is not counted."""

    def __init__(self, variant: Variant) -> None:
        self.variant, self.Order = variant, variant.Order
        self.django = importlib.import_module("django.db")
        self.turn = 0
        self.rows: list[Any] = []

    def new(self, batch: int = 0) -> Any:
        self.turn += 1
        return self.Order(
            number=f"P4-{self.turn:06}",
            client_id=uuid.uuid4(),
            builder_id=uuid.uuid4(),
            title="A logo with three drafts and the source files",
            status="in_progress",
            price=number(self.turn),
            batch=batch,
            due_at=datetime.now(UTC) + timedelta(days=7),
            updated_at=datetime.now(UTC),
        )

    def change(self, row: Any) -> Any:
        self.turn += 1
        row.status, row.price, row.updated_at = f"status {self.turn}", number(self.turn), datetime.now(UTC)
        return row

    def fill(self) -> None:
        """The rows to work on, written before anything is measured; single rows first, so that the connection begins with them."""
        with self.variant.acting():
            for _ in range(SMALL_BATCH):
                self.new().save()
            self.rows = list(self.Order.objects.all())
            for row in self.rows:
                self.change(row).save()
        self.Order.objects.bulk_create(self.new(batch=1) for _ in range(BATCH))
        with self.django.connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {TABLE}")

    def timed(self, do: Callable[[], Any]) -> dict[str, float]:
        pid = self.django.connection.connection.info.backend_pid
        server, burned, began = on_cpu(pid), time.process_time(), time.perf_counter()
        with self.variant.acting():
            do()
        took = time.perf_counter() - began
        return {"wall": took, "cpu": time.process_time() - burned + on_cpu(pid) - server}

    def create_bare(self) -> dict[str, float]:
        row = self.new()
        return self.timed(row.save)

    def create(self) -> dict[str, float]:
        row = self.new()
        return self.timed(self.django.transaction.atomic()(row.save))

    def update(self) -> dict[str, float]:
        row = self.change(random.choice(self.rows))
        return self.timed(self.django.transaction.atomic()(row.save))

    def update_20(self) -> dict[str, float]:
        rows = [self.change(row) for row in self.rows[:SMALL_BATCH]]

        @self.django.transaction.atomic()  # type: ignore[untyped-decorator]
        def do() -> None:
            for row in rows:
                row.save()

        return self.timed(do)

    def bulk_bare(self) -> dict[str, float]:
        """`queryset.update()`, whether the library sees it or not."""
        self.turn += 1
        status, value, at = f"status {self.turn}", number(self.turn), datetime.now(UTC)
        return self.timed(self.django.transaction.atomic()(lambda: Variant.bulk(self.variant, status, value, at)))

    def bulk(self) -> dict[str, float]:
        """The same in the way that the library captures."""
        self.turn += 1
        status, value, at = f"status {self.turn}", number(self.turn), datetime.now(UTC)
        return self.timed(self.django.transaction.atomic()(lambda: self.variant.bulk(status, value, at)))

    def captured(self) -> int:
        if not self.variant.rows_sql:
            return 0
        with self.django.connection.cursor() as cursor:
            cursor.execute(self.variant.rows_sql)
            return int(cursor.fetchone()[0])

    def seal(self, seconds: float) -> int:
        """Seal each second, sixty times as often as a site does, and put the seals into cold storage; how many rows there were."""
        actions, ends = importlib.import_module("auditlog.actions"), time.monotonic() + seconds
        rows = 0
        while True:
            rows += sum(int(seal.rows) for seal in actions.seal_rows())
            actions.anchor_seals()
            rest = ends - time.monotonic()
            if rest <= 0:
                return rows
            time.sleep(min(1.0, rest))

    def writers(self, count: int, seconds: float) -> int:
        """So many processes that each save a row of their own, each in a transaction; how many saves they did."""
        rows = self.rows[:count]
        self.django.connections.close_all()
        begin, pipes = time.monotonic() + 0.4, []
        for row in rows:
            reading, writing = os.pipe()
            if os.fork() == 0:
                os.close(reading)
                os.write(writing, b"%d" % self.saves(row, begin, seconds))
                os._exit(0)
            os.close(writing)
            pipes.append(reading)
        done = 0
        for pipe in pipes:
            with os.fdopen(pipe, "rb") as told:
                done += int(told.read() or 0)
        for _ in pipes:
            os.wait()
        return done

    def saves(self, row: Any, begin: float, seconds: float) -> int:
        atomic, done = self.django.transaction.atomic, 0
        with atomic():
            row.save()
        time.sleep(max(0.0, begin - time.monotonic()))
        while time.monotonic() < begin + seconds:
            self.change(row)
            with self.variant.acting(), atomic():
                row.save()
            done += 1
        return done


def on_cpu(pid: int) -> float:
    """Seconds that a process of the server on this machine has used; 0 where that is not told."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0


def main() -> None:
    name, database = sys.argv[1], json.loads(sys.argv[2])
    variant = VARIANTS[name]()
    variant.configure(database)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    if sys.argv[3:] == ["install"]:
        variant.install()
        return
    variant.ready()
    work = Work(variant)
    gc.collect()
    gc.freeze()  # how much a process has imported is not what is measured
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        answers.write(json.dumps(getattr(work, command)(*arguments)) + "\n")


if __name__ == "__main__":
    main()
