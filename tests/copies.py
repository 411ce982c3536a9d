"""Databases that are made once in a run and copied for every worker of the tests and every site.

python -m tests.copies    makes all of them, which is done while other checks run

Migrating takes ten seconds and telling the demo's story as long; a copy takes a part of one. `./run test` names the folder of its
run in PORT444_COPIES and sweeps up afterwards; without that nothing is kept, and everybody makes their own.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent


def on_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def libpq(url: str) -> str:
    """A libpq connection string for a URL of the form that Django reads."""
    parts = urlsplit(url)
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    facts = {
        "user": parts.username,
        "password": parts.password,
        "host": query.get("host") or parts.hostname,
        "port": str(parts.port) if parts.port else None,
        "dbname": parts.path.strip("/"),
    }
    return psycopg.conninfo.make_conninfo(**{key: value for key, value in facts.items() if value})


def owner_url() -> str:
    return os.environ["DATABASE_OWNER_URL"]


def app_url() -> str:
    return os.environ.get("DATABASE_APP_URL") or owner_url().replace("port444_owner", "port444_app")


def viewer_url() -> str:
    return os.environ.get("DATABASE_VIEWER_URL") or owner_url().replace("port444_owner", "port444_viewer")


def as_owner() -> psycopg.Connection[Any]:
    return psycopg.connect(libpq(owner_url()), autocommit=True)


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run manage.py to its end and give what it said."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def secret() -> str:
    """What the secrets in a copy are sealed with: the same for all sites of a run that copies."""
    return os.environ.get("SECRET_KEY") or secrets.token_hex(30)


def on(name: str, url: str, storage: Path) -> dict[str, str]:
    """The environment for a command of a site on that database."""
    return {
        **os.environ,
        "PORT444_ENV": "development",
        "SECRET_KEY": secret(),
        "DATABASE_URL": on_database(url, name),
        "DATABASE_VIEWER_URL": on_database(viewer_url(), name),
        "PORT444_STORAGE": str(storage),
        "AUDIT_COLD_URL": (storage.resolve() / "cold").as_uri(),
        "CLEARING_DAYS": "0",  # who is paid in a test withdraws at once
    }


def create(name: str, source: str | None = None) -> None:
    with as_owner() as connection:
        connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {source} STRATEGY file_copy" if source else ""))


# What migrating writes into watched tables, such as groups of staff, is in the log, which nobody but its owner empties.
EMPTY_LOG = """
DO $$
DECLARE
  guarded regclass[] := ARRAY(SELECT tgrelid FROM pg_trigger WHERE tgname = 'no_truncate' AND tgrelid::regclass::text ~ '^audit_log(_[0-9]{6})?$');
  one regclass;
BEGIN
  FOREACH one IN ARRAY guarded LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER no_truncate', one); END LOOP;
  TRUNCATE audit_log RESTART IDENTITY;
  FOREACH one IN ARRAY guarded LOOP EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER no_truncate', one); END LOOP;
END $$
"""


def make_tables(name: str, storage: Path) -> None:
    create(name)
    manage(on(name, owner_url(), storage), "migrate", "--verbosity=0")
    with psycopg.connect(libpq(on_database(owner_url(), name)), autocommit=True) as owner:
        owner.execute(EMPTY_LOG)


def make_empty(name: str, storage: Path) -> None:
    copy(TABLES, name, storage)
    manage(on(name, app_url(), storage), "sync_schedules")


def make_demo(name: str, storage: Path) -> None:
    copy(EMPTY, name, storage)
    manage(on(name, app_url(), storage), "seed_demo")


TABLES, EMPTY, DEMO = make_tables, make_empty, make_demo  # what there is to copy: all tables; schedules in them; people, too
Make = Callable[[str, Path], None]


def kept(make: Make) -> str | None:
    """The name of the database that `make` makes, made by whoever needs it first; nothing when this run keeps none."""
    if "PORT444_COPIES" not in os.environ:
        return None
    here = Path(os.environ["PORT444_COPIES"])
    name = f"{here.name}_{make.__name__}"
    with as_owner() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # the other workers wait
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            half = f"{name}_half"
            connection.execute(f"DROP DATABASE IF EXISTS {half}")
            make(half, here / make.__name__)
            wait_until_left(connection, half)
            connection.execute(f"ALTER DATABASE {half} RENAME TO {name}")
    return name


def copy(make: Make, name: str, storage: Path) -> None:
    """A database of that name with what `make` makes in it, and the files that belong to it in `storage`."""
    source = kept(make)
    if source is None:
        make(name, storage)
        return
    create(name, source)
    files = Path(os.environ["PORT444_COPIES"]) / make.__name__
    if files.exists():
        shutil.copytree(files, storage, dirs_exist_ok=True)


def remove(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a database once nobody is in it. The owner may not end sessions of the serving role (WITH FORCE); those of a process
    that ended, or was killed, end by themselves."""
    wait_until_left(connection, name)
    connection.execute(f"DROP DATABASE {name}")


def wait_until_left(connection: psycopg.Connection[Any], name: str) -> None:
    deadline = time.monotonic() + 20
    while connection.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).fetchone():
        assert time.monotonic() < deadline, f"sessions on {name} stay"
        time.sleep(0.05)


if __name__ == "__main__":
    kept(DEMO)
