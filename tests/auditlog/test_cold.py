"""Cold storage of every kind keeps the same promises: a real S3 server, an emulator of Google's, a folder."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import cold as module
from auditlog.cold import GCS, S3, Exists, Folder, Missing, Store, store
from port444.kit.clock import now
from tests.copies import ROOT

from .buckets import GoogleStorage

BIG = random.Random(7).randbytes(module.PIECE + 12_345)
WRITE = """
import sys, time
import django
django.setup()
from auditlog.cold import store
class Slow:
    def __init__(self, file): self.file, self.given = file, 0
    def __getattr__(self, name): return getattr(self.file, name)
    def read(self, count=-1):
        if self.given >= int(sys.argv[3]):
            print("half way", flush=True)
            time.sleep(60)
        data = self.file.read(count)
        self.given += len(data)
        return data
with open(sys.argv[2], "rb") as file:
    store().put(sys.argv[1], Slow(file))
"""


def put(place: Store, name: str, data: bytes) -> None:
    place.put(name, io.BytesIO(data))


def read(place: Store, name: str) -> bytes:
    with place.open(name) as file:
        return file.read()


@pytest.mark.parametrize("data", [b"", b"one line\n", BIG, BIG[: module.PIECE]], ids=["nothing", "little", "in pieces", "one piece"])
def test_what_is_put_is_read_back(cold: Store, data: bytes) -> None:
    put(cold, "rows/2026/01/file.csv.gz", data)
    assert read(cold, "rows/2026/01/file.csv.gz") == data
    assert cold.size("rows/2026/01/file.csv.gz") == len(data)


def test_a_file_is_put_from_its_beginning_and_read_in_pieces(cold: Store) -> None:
    file = io.BytesIO(BIG)
    file.seek(1000)
    cold.put("big", file)
    digest, longest = hashlib.sha256(), 0
    with cold.open("big") as there:
        while chunk := there.read(100_000):
            digest.update(chunk)
            longest = max(longest, len(chunk))
    assert digest.digest() == hashlib.sha256(BIG).digest()
    assert longest == 100_000


@pytest.mark.parametrize("data", [b"first", BIG], ids=["little", "in pieces"])
def test_a_name_stays_with_the_bytes_that_took_it(cold: Store, data: bytes) -> None:
    put(cold, "seals/1.json", data)
    put(cold, "seals/1.json", data)
    for other in (b"other", data[:-1] + bytes([data[-1] ^ 1]), BIG + b"1"):
        with pytest.raises(Exists, match=r"seals/1\.json"):
            put(cold, "seals/1.json", other)
    assert read(cold, "seals/1.json") == data
    assert list(cold.names("")) == ["seals/1.json"]


@pytest.mark.parametrize("size", [1000, module.PIECE + 1000], ids=["little", "in pieces"])
def test_of_two_who_write_at_the_same_time_one_wins_and_the_other_is_told(cold: Store, size: int) -> None:
    ready, told = threading.Barrier(4), []

    def write(letter: bytes) -> None:
        place = store()
        ready.wait()
        try:
            put(place, "manifests/1.json", letter * size)
        except Exists:
            told.append(letter)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    (winner,) = {b"a", b"b", b"c", b"d"} - set(told)
    assert len(told) == 3
    assert read(cold, "manifests/1.json") == winner * size


def test_the_same_bytes_by_two_at_the_same_time_are_fine(cold: Store) -> None:
    ready, done = threading.Barrier(3), []

    def write() -> None:
        place = store()
        ready.wait()
        put(place, "rows/x", BIG)
        done.append(1)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(done) == 3
    assert read(cold, "rows/x") == BIG


def test_names_come_in_their_order_and_below_their_prefix(cold: Store) -> None:
    names = ["a/1", "a-b/1", "a/b/2", "a/b.csv", "a/b/10", "b/1", "a/\u00e9"]
    for name in names:
        put(cold, name, name.encode())
    for prefix in ("", "a", "a/", "a/b", "a/b/", "c", "b/1"):
        assert list(cold.names(prefix)) == sorted(name for name in names if name.startswith(prefix))


def test_what_is_not_there_is_missing(cold: Store) -> None:
    put(cold, "a/b", b"1")
    for name in ("a/c", "x"):
        with pytest.raises(Missing):
            cold.open(name)
        with pytest.raises(Missing):
            cold.size(name)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", ".hidden", "a/.b", "a\\b"])
def test_names_lead_nowhere_else(cold: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        put(cold, name, b"1")
    with pytest.raises(ValueError, match="not a name"):
        cold.open(name)


@pytest.mark.parametrize("part", [0, 0.5], ids=["at the beginning", "half way"])
def test_a_killed_writer_leaves_nothing_that_can_be_read_and_the_next_one_finishes(cold: Store, tmp_path: Path, part: float) -> None:
    file = tmp_path / "file"
    file.write_bytes(BIG)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "port444.settings", "PYTHONPATH": str(ROOT)}
    before = 2 if isinstance(cold, S3) and part else 0  # over there it is read for its checksum and its signature before it is sent
    after = int(len(BIG) * (before + part))
    writer = subprocess.Popen([sys.executable, "-c", WRITE, "rows/x", file, str(after)], env=environment, stdout=subprocess.PIPE, cwd=ROOT)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half way\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert list(cold.names("")) == []
    with pytest.raises(Missing):
        cold.open("rows/x")
    put(cold, "rows/x", BIG)
    assert read(cold, "rows/x") == BIG
    assert list(cold.names("")) == ["rows/x"]


def test_a_folder_removes_what_killed_writers_left_a_day_ago(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    old, new = tmp_path / ".x.1.part", tmp_path / ".x.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - module.ABANDONED - 60,) * 2)
    put(place, "x", b"whole")
    assert not old.exists()
    assert new.exists(), "its writer may be at work"


def test_what_lies_in_a_locked_bucket_cannot_be_removed_by_anybody(s3: Any, settings: Any) -> None:
    settings.AUDIT_RETAIN_DAYS = 30
    place = store("s3://locked/log")
    for name, data in (("little", b"1"), ("big", BIG)):
        put(place, name, data)
        head = s3.head_object(Bucket="locked", Key=f"log/{name}")
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert timedelta(days=29) < head["ObjectLockRetainUntilDate"] - now() < timedelta(days=31)
        version = head["VersionId"]
        there = {"Bucket": "locked", "Key": f"log/{name}", "VersionId": version}
        attacks: list[tuple[Any, dict[str, Any]]] = [
            (s3.delete_object, {}),
            (s3.delete_object, {"BypassGovernanceRetention": True}),
            (s3.put_object_retention, {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": now()}}),
            (s3.put_object_retention, {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": now() + timedelta(days=60)}}),
            (s3.put_object_retention, {"Retention": {}, "BypassGovernanceRetention": True}),
        ]
        for attack, how in attacks:
            with pytest.raises(ClientError):
                attack(**there, **how)
        # Another version can be laid over it, and a marker that says it is gone: the one that was put stays below.
        s3.put_object(Bucket="locked", Key=f"log/{name}", Body=b"forged")
        s3.delete_object(Bucket="locked", Key=f"log/{name}")
        assert s3.get_object(**there)["Body"].read() == data
        with pytest.raises(Missing):
            place.open(name)
        above = s3.list_object_versions(Bucket="locked", Prefix=f"log/{name}")
        for one in (*above["DeleteMarkers"], *above["Versions"]):
            if one["VersionId"] != version:
                s3.delete_object(Bucket="locked", Key=one["Key"], VersionId=one["VersionId"])
        assert read(place, name) == data


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed(s3: Any) -> None:
    place = store("s3://plain/mixed")
    put(place, "x", BIG)
    with place.open("x") as file:
        assert file.read(10) == BIG[:10]
        s3.put_object(Bucket="plain", Key="mixed/x", Body=BIG[::-1])
        with pytest.raises(ClientError, match="PreconditionFailed"):
            file.read()


def test_a_bucket_without_lock_takes_files_too(s3: Any) -> None:
    put(store("s3://plain/log"), "x", b"1")
    assert "ObjectLockMode" not in s3.head_object(Bucket="plain", Key="log/x")


def test_google_retains_where_the_bucket_allows_it(google: GoogleStorage, settings: Any) -> None:
    google.make_bucket("kept", retains=True)
    settings.AUDIT_RETAIN_DAYS = 30
    place = store("gs://kept/log")
    assert isinstance(place, GCS)
    for name, data in (("little", b"1"), ("big", BIG)):
        put(place, name, data)
        retention = place._blob(name).retention
        assert retention.mode == "Locked"
        assert timedelta(days=29) < retention.retain_until_time - now() < timedelta(days=31)
        assert read(place, name) == data


@pytest.mark.usefixtures("s3")
def test_no_access_is_said_and_not_taken_for_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    place = store("s3://locked/refused")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        put(place, "x", b"1")
    with pytest.raises(ClientError):
        store("s3://locked/refused").size("x")


@pytest.mark.usefixtures("s3")
def test_an_answer_that_is_cut_costs_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    place = store("s3://plain/cut")
    assert isinstance(place, S3)
    put(place, "x", BIG)
    asked: list[str] = []
    get = place.client.get_object

    def cut(**request: Any) -> Any:
        answer = get(**request)
        asked.append(request["Range"])
        if len(asked) % 2:
            answer["Body"]._raw_stream.close()
            answer["Body"]._amount_read = 0
        return answer

    monkeypatch.setattr(place.client, "get_object", cut)
    assert read(place, "x") == BIG
    assert len(asked) == 4, "two pieces, each asked for twice"


def test_a_file_that_is_too_large_for_one_request_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 3)
    put(store("s3://plain/large"), "x", b"123")
    with pytest.raises(ValueError, match="more files"):
        put(store("s3://plain/large"), "y", b"1234")
    assert "Contents" not in s3.list_objects_v2(Bucket="plain", Prefix="large/y")


@pytest.mark.parametrize("url", ["cold", "ftp://x/y", "file://host/x", "file:///", "s3:///x", "gs://", "https://x/y"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an address of cold storage"):
        store(url)
