"""Buckets to test against: a real S3 server, and an emulator of Google Cloud Storage, both on this machine and empty at first."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from gcp_storage_emulator import server as emulator
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

from scripts import ports, tether

KEY, SECRET, REGION = "port444", "a-secret-of-tests", "us-east-1"
STARTING_TAKES = 60.0


@contextmanager
def seaweed() -> Iterator[str]:
    """The address of a SeaweedFS that serves S3 for as long as this."""
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        program = Path(shutil.which("weed") or "weed")
    with tempfile.TemporaryDirectory(prefix="weed-") as folder:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        known = Path(folder) / "s3.json"
        known.write_text(json.dumps({"identities": [identity]}))
        log = Path(folder) / "log"
        # It speaks to itself on ports 10,000 above these.
        s3, master, volume, filer = (ports.free_port(beside=10_000) for _ in range(4))
        options = [
            *(f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={known}"),
            *(f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=2000"),
            *("-master.telemetry=false", "-master.electionTimeout=1s", "-volume.preStopSeconds=0"),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "server", *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=tether.tie if sys.platform == "linux" else None,
            )
        try:
            url = f"http://127.0.0.1:{s3}"
            wait_until_it_writes(url, process, log)
            yield url
        finally:
            process.kill()  # stopping in good order takes a quarter of a minute, and nothing of it is kept
            process.wait()


def s3_client(url: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
    return boto3.client("s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION, config=config)


def wait_until_it_writes(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTING_TAKES
    client = s3_client(url)
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.create_bucket(Bucket="begun")
            client.put_object(Bucket="begun", Key="begun", Body=b"begun")
            return
        except (BotoCoreError, ClientError):
            time.sleep(0.1)
    raise AssertionError(f"SeaweedFS does not start:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def google_storage() -> Iterator[GoogleStorage]:
    """An emulator of Google Cloud Storage for as long as this."""
    made = emulator.create_server("127.0.0.1", 0, in_memory=True)
    made.start()
    known = [(handlers, dict(handlers)) for _, handlers in emulator.HANDLERS]
    fields = objects._WRITABLE_FIELDS
    for handlers, before in known:
        handlers.update({method: guarded(handler) for method, handler in before.items() if handler in {objects.insert, objects.upload_partial}})
    objects._WRITABLE_FIELDS = (*fields, "retention")
    try:
        yield GoogleStorage(f"http://127.0.0.1:{made._api._httpd.server_address[1]}", made._storage)
    finally:
        for handlers, before in known:
            handlers.update(before)
        objects._WRITABLE_FIELDS = fields
        made.stop()


@dataclass(frozen=True)
class GoogleStorage:
    """gcp-storage-emulator, with two things added that cold storage relies on and that it does not know, as Google describes them:
    `ifGenerationMatch=0` refuses a name that is taken, and objects keep the retention that they were made with."""

    url: str
    storage: Any

    def make_bucket(self, name: str, *, retains: bool = False) -> None:
        self.storage.create_bucket(name, {"name": name, **({"objectRetention": {"mode": "Enabled"}} if retains else {})})


def guarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Refuses at the beginning of an upload, and at the end of one that was begun in time."""

    def guard(request: Any, response: Any, storage: Any, *args: Any, **kwargs: Any) -> Any:
        if request.query.get("ifGenerationMatch") == ["0"] and is_taken(request, storage):
            response.status = HTTPStatus.PRECONDITION_FAILED
            return response.json({"error": {"code": 412, "message": "At least one of the pre-conditions you specified did not hold."}})
        return handler(request, response, storage, *args, **kwargs)

    return guard


def is_taken(request: Any, storage: Any) -> bool:
    if "upload_id" in request.query:
        name = storage.get_resumable_file_obj(request.query["upload_id"][0])["name"]
    elif request.query["uploadType"] == ["multipart"]:
        name = request.data["meta"]["name"]
    else:
        name = request.data["name"]
    try:
        storage.get_file_obj(request.params["bucket_name"], name)
    except NotFound:
        return False
    return True
