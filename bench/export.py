"""What it costs to put the audit log into cold storage: `./run bench export`.

A million rows and their seals are made in a database that is thrown away. Then, turn by turn: the same rows by a bare COPY; an
export as the daily job makes it, every row checked against its seal; and one that does not check. Each is a process of its own that
is ready before its time counts; an export's time goes from the first row asked for to the last entry in the ledger, with the file
written, put into cold storage and read back. Afterwards the file is checked by scripts/audit_verifier.py, which knows no database.

BENCH_ROWS    how many rows (1,000,000)
BENCH_ROUNDS  how many turns (5)
"""

from __future__ import annotations

import base64
import os
import resource
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import report
from scripts import database

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BATCH = 1000  # rows that a transaction writes
LIMIT, CHECKED_LIMIT = 1.3, 1.15
MEGABYTES = 100
VERIFY_SECONDS = 5.0
FOLDER = database.VAR / "bench-export"

MONTH = """
CREATE TABLE audit_log_old PARTITION OF audit_log
  FOR VALUES FROM (date_trunc('month', now() - interval '10 months')) TO (date_trunc('month', now() - interval '9 months'));
GRANT SELECT ON audit_log_old TO port444_app;
"""
FILL = """
INSERT INTO audit_log (timestamp, event_type, event_category, severity, actor_type, actor_id, actor_email, target_type, target_id, action,
                       before_state, after_state, metadata, ip_address, user_agent, request_id, device_id, amount, currency)
SELECT date_trunc('month', now() - interval '10 months') + make_interval(secs => n), 'escrow.released', 'financial', 'info', 'client',
       gen_random_uuid(), 'person' || n %% 5000 || '@example.com', 'order', gen_random_uuid(), 'Released escrow',
       '{"status": "delivered"}', '{"status": "completed"}', jsonb_build_object('order', n), '203.0.113.9',
       'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36',
       gen_random_uuid(), gen_random_uuid(), n %% 10000 / 100.0, 'USDC'
FROM generate_series(%s::int, %s::int) n
"""
FORGET = "ALTER TABLE audit_export DISABLE TRIGGER ALL; TRUNCATE audit_export; ALTER TABLE audit_export ENABLE ALWAYS TRIGGER no_change"


def main() -> int:
    """Print the figures; 1 when a limit is not kept."""
    key = secrets.token_bytes(32)
    public = base64.b64encode(Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()).decode()
    with database.thrown_away() as base:
        settings = {
            "PORT444_ENV": "test",
            "SECRET_KEY": "bench",
            "DJANGO_SETTINGS_MODULE": "port444.settings",
            "EMAIL_URL": "dummymail://",
            "AUDIT_SIGNING_KEY": base64.b64encode(key).decode(),
            "PORT444_VAR": str(FOLDER),
        }
        environment = {**os.environ, **settings, **base.addresses}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, env=database.as_owner(environment))
        began = time.perf_counter()
        fill(environment["DATABASE_OWNER_URL"])
        print(f"{ROWS:,} rows made in {time.perf_counter() - began:.0f} s", flush=True)
        try:
            print(f"sealed in {run('seal', environment)['seconds']:.1f} s")
            return measure(environment, public)
        finally:
            shutil.rmtree(FOLDER, ignore_errors=True)


def fill(owner: str) -> None:
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(MONTH)
        already = connection.execute("SELECT count(*) FROM audit_log").fetchall()[0][0]  # what making the site has logged
        for first in range(already + 1, ROWS + 1, BATCH):
            connection.execute(FILL, [first, min(first + BATCH - 1, ROWS)])
        connection.execute("VACUUM ANALYZE audit_log")


def measure(environment: Mapping[str, str], public: str) -> int:
    taken: dict[str, list[dict[str, float]]] = {}
    for turn in range(ROUNDS):
        for what in WORK:
            if what != "seal":
                with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
                    owner.execute(FORGET)
                cold = FOLDER / f"{what}-{turn}"
                taken.setdefault(what, []).append(run(what, {**environment, "AUDIT_COLD_URL": cold.as_uri()}))
                if (what, turn) != ("export", ROUNDS - 1):
                    shutil.rmtree(cold, ignore_errors=True)
    plain, checked = (ratio(taken["unchecked"], taken["raw"]), ratio(taken["export"], taken["unchecked"]))
    whole = ratio(taken["export"], taken["raw"])
    for what, runs in taken.items():
        seconds, cpu, memory = (statistics.median(one[name] for one in runs) for name in ("seconds", "cpu", "megabytes"))
        print(f"{WORDS[what]:<52} {seconds:6.2f} s  {cpu:6.2f} s of its CPU  {max(one['megabytes'] for one in runs):4.0f} MB")
    verified = verify(FOLDER / f"export-{ROUNDS - 1}", public)
    memory = max(one["megabytes"] for one in taken["export"])
    raw, unchecked, exported = (statistics.median(one["seconds"] for one in taken[what]) for what in ("raw", "unchecked", "export"))
    report.sized(f"{ROWS:,} rows, {ROUNDS} rounds")
    report.figure("export, not checked", unchecked, "s", peer=("bare COPY", raw), ratio=plain, limit=LIMIT)
    report.figure("export, checked against the seals", exported, "s", peer=("not checked", unchecked), ratio=checked, limit=CHECKED_LIMIT)
    report.figure("export, checked, and the bare COPY", exported, "s", peer=("bare COPY", raw), ratio=whole, limit=LIMIT * CHECKED_LIMIT)
    report.figure("memory of the process that exports", memory, "MB", limit=MEGABYTES)
    report.figure("memory of the process beside it, that hashes", max(one["beside"] for one in taken["export"]), "MB")
    report.figure("offline verification of the file", verified, "s", limit=VERIFY_SECONDS * ROWS / 1_000_000)
    return report.code()


def ratio(some: list[dict[str, float]], others: list[dict[str, float]]) -> float:
    return statistics.median(one["seconds"] / other["seconds"] for one, other in zip(some, others, strict=True))


def verify(cold: Path, public: str) -> float:
    """Seconds that the stand-alone verifier takes, from its start to its end; the best of three."""
    command = [sys.executable, "scripts/audit_verifier.py", "--key", public, str(cold / "manifests"), str(cold / "rows")]
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        times.append(time.perf_counter() - began)
        if done.returncode != 0 or f"{ROWS}" not in done.stdout.replace(",", ""):
            raise SystemExit(done.stdout + done.stderr)
    return min(times)


def run(what: str, environment: Mapping[str, str]) -> dict[str, float]:
    """Have a process of its own do it, and give its figures."""
    done = subprocess.run([sys.executable, "-m", "bench.export", what], check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return dict(zip(("seconds", "cpu", "megabytes", "beside"), map(float, done.stdout.split()), strict=True))


# --- inside of such a process -------------------------------------------------------------------------------------------------


def seal() -> None:
    from auditlog.actions import seal_rows

    while seal_rows(seconds=600):
        pass


def raw() -> None:
    """What COPY sends, received and thrown away as fast as libpq gives it."""
    from django.db import connection, transaction

    from auditlog import lines
    from auditlog.models import AuditSeal
    from auditlog.queries import rows_of

    seals = list(AuditSeal.objects.order_by("seq"))
    where, params = rows_of(seals[0], seals[-1])
    rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(lines.AS_PRINTED)
        with cursor.copy(f"COPY (SELECT {lines.PRINTED} FROM audit_log WHERE {where} ORDER BY xid, id) TO STDOUT (FORMAT csv)", params):
            server = cursor.connection.pgconn
            while server.get_copy_data(0)[0] > 0:
                rows += 1
            while server.get_result():
                pass
    assert rows == ROWS


def export() -> None:
    from datetime import timedelta

    from auditlog.actions import export_rows
    from port444.kit import clock

    with clock.at(clock.now() + timedelta(days=100)):
        assert sum(export.rows for export in export_rows()) == ROWS


def unchecked() -> None:
    from auditlog.actions import exporting

    def leaves_alone(pieces, taken, write, progress):  # type: ignore[no-untyped-def]
        for piece in pieces:
            write(piece, b"".join(piece))

    exporting.pass_through = leaves_alone
    export()


WORK: dict[str, Callable[[], None]] = {"raw": raw, "export": export, "unchecked": unchecked, "seal": seal}
WORDS = {"raw": "COPY ... TO STDOUT, thrown away", "export": "export, checked against the seals", "unchecked": "export, not checked"}


def work(what: str) -> None:
    import django

    django.setup()
    from django.db import connection

    import auditlog.actions  # noqa: F401

    connection.ensure_connection()
    begun_beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    beside = watch_beside()
    began, cpu = time.perf_counter(), time.process_time()
    WORK[what]()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu += ended.ru_utime + ended.ru_stime - begun_beside.ru_utime - begun_beside.ru_stime
    print(seconds, cpu, peak("self"), max(beside, default=0))


def watch_beside() -> list[float]:
    """How much memory each process took that worked out roots, filled as they end."""
    from auditlog.roots import Roots

    found: list[float] = []
    ends = Roots.__exit__

    def note(roots: Roots, *failure: object) -> None:
        found.append(peak(roots.process.pid))
        ends(roots, *failure)

    Roots.__exit__ = note  # type: ignore[method-assign]
    return found


def peak(process: int | str) -> float:
    """The most memory that a process has had, in megabytes."""
    status = Path(f"/proc/{process}/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1])
    else:
        raise SystemExit(main())
