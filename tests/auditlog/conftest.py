"""Cold storage of every kind, and a log of one's own."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from auditlog.cold import Store, store
from tests import copies
from tests.power import narrow

from .buckets import KEY, REGION, SECRET, GoogleStorage, google_storage, s3_client, seaweed
from .tampering import OwnLog


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a real S3 server that all tests of this process share, with a bucket `plain` and one `locked`."""
    with seaweed() as url:
        for name in ("plain", "locked"):
            s3_client(url).create_bucket(Bucket=name, ObjectLockEnabledForBucket=name == "locked")
        yield url


@pytest.fixture
def s3(s3_server: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the S3 server, which is also the one that cold storage uses; processes started by the test know it too."""
    settings.AUDIT_S3_ENDPOINT = s3_server
    for name, value in {
        "AUDIT_S3_ENDPOINT": s3_server,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return s3_client(s3_server)


@pytest.fixture(scope="session")
def google_server() -> Iterator[GoogleStorage]:
    with google_storage() as server:
        yield server


@pytest.fixture
def google(google_server: GoogleStorage, monkeypatch: pytest.MonkeyPatch) -> GoogleStorage:
    """The emulator of Google Cloud Storage, which is also the one that cold storage uses; processes started by the test know it too."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.url)
    return google_server


KINDS = ("folder", "s3", "s3 locked", "gcs")


@pytest.fixture(params=KINDS)
def cold(request: pytest.FixtureRequest, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Each kind of cold storage in turn, empty, as AUDIT_COLD_URL."""
    prefix = f"log/{uuid.uuid4().hex}"
    if request.param == "folder":
        url = (tmp_path / "cold").as_uri()
    elif request.param == "gcs":
        request.getfixturevalue("google").make_bucket("plain")
        url = f"gs://plain/{prefix}"
    else:
        request.getfixturevalue("s3")
        url = f"s3://{'locked' if request.param == 's3 locked' else 'plain'}/{prefix}"
    settings.AUDIT_COLD_URL = url
    monkeypatch.setenv("AUDIT_COLD_URL", url)
    return store()


@contextmanager
def on_own_database(make: copies.Make, storage: Path) -> Iterator[str]:
    """All that Django does meanwhile is done on a copy of what `make` makes."""
    name, before = f"log_{secrets.token_hex(4)}", connection.settings_dict["NAME"]
    copies.copy(make, name, storage)
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        narrow(name)
        yield name
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        with copies.as_owner() as owner:
            copies.remove(owner, name)


@pytest.fixture
def own_database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """A database with all tables and nothing in them for this test alone: what is written to the log stays for ever."""
    with on_own_database(copies.TABLES, tmp_path / "copy") as name:
        yield name


@pytest.fixture
def own_log(own_database: str, tmp_path: Path) -> OwnLog:
    """A log of its own to tamper with."""
    return OwnLog(own_database, tmp_path / "cold")
