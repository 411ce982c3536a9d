"""An export of the audit log dies (SIGKILL) at each of its steps, in each kind of cold storage; after the next everything lies there once.

`./run test tests/faults` lets it be of one file where the storage is not a folder, `FAULTS=all ./run test tests/faults` of two.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from auditlog import files, lines
from auditlog.cold import Folder, Store
from tests import copies
from tests.auditlog.conftest import KINDS, cold, google, google_server, s3, s3_server  # noqa: F401 (fixtures)
from tests.power import narrow

from .test_killed import ALL

pytestmark = pytest.mark.timeout(400)
NAME = "killed_export"
OF_SEALS = """
SELECT l.id FROM audit_log l JOIN audit_seal s ON (l.xid, l.id) > (s.from_xid, s.from_id) AND (l.xid, l.id) <= (s.through_xid, s.through_id)
WHERE s.seq BETWEEN %s AND %s ORDER BY l.xid, l.id
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a site whose log can be filled for ever."""
    folder = tmp_path_factory.mktemp("archive")
    copies.copy(copies.TABLES, NAME, folder / "storage")
    narrow(NAME)
    yield {**copies.on(NAME, copies.app_url(), folder / "storage"), "PORT444_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "port444.settings"}
    with copies.as_owner() as connection:
        copies.remove(connection, NAME)


def rows(sql: str, *params: Any) -> list[dict[str, Any]]:
    url = copies.on_database(copies.owner_url(), NAME)
    with psycopg.connect(copies.libpq(url), row_factory=dict_row) as connection:
        return connection.execute(sql, params).fetchall()


def check_once(store: Store) -> None:
    """Every seal is in one export, every row in one file, and nothing else lies in this store."""
    ledger = rows("SELECT * FROM audit_export ORDER BY first_seal")
    numbers = [number for export in ledger for number in range(export["first_seal"], export["last_seal"] + 1)]
    assert numbers == [seal["seq"] for seal in rows("SELECT seq FROM audit_seal ORDER BY seq") if seal["seq"] <= numbers[-1]]
    here = [export for export in ledger if export["store"] == store.url]
    assert sorted(store.names("manifests/")) == [export["manifest_key"] for export in here]
    assert sorted(store.names("rows/")) == sorted(export["data_key"] for export in here)
    for export in here:
        manifest = files.read_manifest(store, export["manifest_key"], digest=export["manifest_sha256"])
        found = [lines.id_of(line) for line in files.read_data(store, manifest)]
        wanted = rows(OF_SEALS, export["first_seal"], export["last_seal"])
        assert found == [row["id"] for row in wanted]
    before = ""
    for export in ledger:
        if export["store"] == store.url:
            assert files.read_manifest(store, export["manifest_key"]).body["previous"] == before
        before = export["manifest_sha256"]


@pytest.mark.parametrize("cold", KINDS if ALL else ("folder", "s3 locked"), indirect=True)
def test_killed_at_every_step(site: dict[str, str], cold: Store, s3: Any) -> None:  # noqa: F811 (the fixture)
    files_ = 2 if ALL or isinstance(cold, Folder) else 1
    command = [sys.executable, "-m", "tests.faults.archive", str(4 * files_)]
    environment = {**os.environ, **site, "AUDIT_COLD_URL": cold.url}  # what the fixture has set included
    done = subprocess.run(command, cwd=copies.ROOT, env=environment, capture_output=True, text=True, check=False, timeout=380)
    assert done.returncode == 0, done.stderr
    steps = Counter(done.stdout.split("\n")[:-1])
    print(steps)
    for what in ("keep", "put"):  # bytes into the file here; the file, and its manifest, into cold storage
        assert steps[f"before {what}"] == steps[f"after {what}"] == 2 * files_
    assert steps["after open"] >= files_
    assert steps["after commit"] >= files_
    check_once(cold)
