"""An export that is stopped in the middle leaves nothing that looks finished."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from auditlog.models import AuditLog
from bench.export import FILL, MONTH
from tests import copies

ROWS = 60_000
# What a shell starts in the background ignores the signal, and all that it starts.
HEARS = """
import runpy, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("how", "hidden"), [(signal.SIGKILL, 1), (signal.SIGINT, 0)])
def test_stopped_in_the_middle(own_database: str, tmp_path: Path, how: signal.Signals, hidden: int) -> None:
    with psycopg.connect(copies.libpq(copies.on_database(copies.owner_url(), own_database)), autocommit=True) as owner:
        owner.execute(MONTH)
        owner.execute(FILL, [1, ROWS])
    environment = copies.on(own_database, copies.app_url(), tmp_path / "storage")
    path = tmp_path / "rows.csv"
    command = [sys.executable, "manage.py", "export_audit_logs", "--dest", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", HEARS, *command[1:]], cwd=copies.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    ends = time.monotonic() + 90
    while not any(part.stat().st_size for part in tmp_path.glob(".rows.csv.*.part")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends, "it never began"
        time.sleep(0.002)
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0
    assert not path.exists()
    assert not AuditLog.objects.filter(event_type="data.exported").exists()
    assert len(list(tmp_path.glob(".rows.csv*"))) == hidden

    done = subprocess.run(command, cwd=copies.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(path.read_bytes().splitlines()) > ROWS
    again = subprocess.run(command, cwd=copies.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, "there already" in again.stderr) == (1, True)
