"""Cold storage: where exported rows and copies of the seals lie, out of reach of whoever can change the database.

A folder of this machine, a bucket of an S3 server, or one of Google Cloud Storage. All three keep the same promises: a file is
there whole or not at all, and a name that is taken stays with the bytes that took it, also when two write at the same time.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from django.conf import settings

from port444.kit.clock import now

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE = 8 << 20  # bytes that are in memory at a time
LARGEST = 5 << 30  # bytes in one file
ATTEMPTS = 4
TYPE = "application/octet-stream"  # packed or not, a file is given back as it was put
ABANDONED = 24 * 3600  # seconds, after which what a killed writer has left is removed


class Exists(Exception):
    """Something else lies under this name already; nothing was written."""


class Missing(Exception):
    """Nothing lies under this name."""


class Store(Protocol):
    """A place for files that are written once. Names are relative, with slashes."""

    url: str

    def put(self, name: str, content: BinaryIO) -> None:
        """Write all of `content`, from its beginning, at once as a reader sees it. The same bytes again are fine; other bytes raise
        Exists."""

    def open(self, name: str) -> BinaryIO:
        """The bytes, to be read in a stream and closed; raises Missing."""

    def size(self, name: str) -> int:
        """Bytes; raises Missing."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with `prefix`, in their order."""


def store(url: str = "") -> Store:
    """The store at `url`, by default AUDIT_COLD_URL."""
    url = url or settings.AUDIT_COLD_URL
    parts = urlsplit(url)
    prefix = unquote(parts.path).strip("/")
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and prefix:
        return Folder(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return S3(parts.netloc, prefix)
    if parts.scheme == "gs" and parts.netloc:
        return GCS(parts.netloc, prefix)
    raise ValueError(f"{url} is not an address of cold storage: file:///folder, s3://bucket/prefix or gs://bucket/prefix")


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()

    def put(self, name: str, content: BinaryIO) -> None:
        path = self.root / _checked(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sweep(path)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        content.seek(0)
        try:
            with part.open("wb") as file:
                while chunk := content.read(1 << 20):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, path)  # refuses a name that is taken, which a rename would not
            except FileExistsError:
                with part.open("rb") as mine:
                    _settle(self, name, mine)
            _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)

    def open(self, name: str) -> BinaryIO:
        try:
            return (self.root / _checked(name)).open("rb")
        except FileNotFoundError:
            raise Missing(name) from None

    def size(self, name: str) -> int:
        try:
            return (self.root / _checked(name)).stat().st_size
        except FileNotFoundError:
            raise Missing(name) from None

    def names(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        return (name for name in self._below(folder) if name.startswith(prefix))

    def _below(self, folder: str) -> Iterator[str]:
        """Depth first: with the slash behind the name of a folder, this is the order of the whole names."""
        try:
            entries = [(entry.name + "/" * entry.is_dir(), entry.is_dir()) for entry in os.scandir(self.root / folder) if entry.name[0] != "."]
        except FileNotFoundError:
            return
        for entry, is_folder in sorted(entries):
            name = f"{folder}/{entry}" if folder else entry
            if is_folder:
                yield from self._below(name.rstrip("/"))
            else:
                yield name

    def _sweep(self, path: Path) -> None:
        for left in path.parent.glob(f".{path.name}.*.part"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - ABANDONED:
                    left.unlink()


class S3:
    """A bucket of Amazon's S3, or of a server that speaks like it (AUDIT_S3_ENDPOINT).

    Creating is exclusive by `If-None-Match: *`. Where the bucket has object lock, each file is locked in compliance mode for
    AUDIT_RETAIN_DAYS, in which not even the owner of the account can remove it.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        from botocore.config import Config
        from storages.backends.s3 import S3Storage

        endpoint = settings.AUDIT_S3_ENDPOINT or None
        config = Config(
            s3={"addressing_style": "path" if endpoint else "auto"},
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
        )
        storage = S3Storage(bucket_name=bucket, location=prefix, endpoint_url=endpoint, client_config=config)
        self.bucket, self.prefix = bucket, prefix
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self.client: Any = storage.connection.meta.client
        self._has_lock: bool | None = None

    def put(self, name: str, content: BinaryIO) -> None:
        from botocore.exceptions import ClientError

        for attempt in range(ATTEMPTS):
            try:
                return self._create(self._key(name), content)
            except ClientError as error:
                # A request that did its work and lost its answer is tried again by the client, and meets itself.
                if _code(error) not in {"PreconditionFailed", "ConditionalRequestConflict"}:
                    raise
            with suppress(Missing):  # who writes at the same time is not done yet, or gave up
                return _settle(self, name, content)
            time.sleep(0.5 * 2**attempt)
        raise OSError(f"{name} is being written by somebody else")

    def open(self, name: str) -> BinaryIO:
        head = self._head(name)
        return _stream(head["ContentLength"], lambda first, last: self._piece(name, head["ETag"], first, last))

    def size(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def names(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._key(prefix))
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        # Not every server lists in the order of the bytes, as Amazon's does.
        return iter(sorted(key[len(self._key("")) :] for key in keys))

    def _create(self, key: str, content: BinaryIO) -> None:
        """In one request, which is all or nothing: of parts that are put together, not every server makes sure that one writer wins."""
        if content.seek(0, os.SEEK_END) > LARGEST:
            raise ValueError("S3 takes 5 GiB in one request: divide the rows among more files")
        content.seek(0)
        made = {"Bucket": self.bucket, "Key": key, "ContentType": TYPE, "ChecksumAlgorithm": "SHA256"}
        self.client.put_object(**made, Body=content, IfNoneMatch="*", **self._lock())

    def _lock(self) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if self._has_lock is None:
            try:
                answer = self.client.get_object_lock_configuration(Bucket=self.bucket)
                self._has_lock = answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
            except ClientError as error:
                # Not being allowed to know is an error: silently, files would lie there unlocked.
                if _code(error) not in {"ObjectLockConfigurationNotFoundError", "NotImplemented"}:
                    raise
                self._has_lock = False
        if not self._has_lock:
            return {}
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": now() + timedelta(days=settings.AUDIT_RETAIN_DAYS)}

    def _head(self, name: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            return dict(self.client.head_object(Bucket=self.bucket, Key=self._key(name)))
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey", "NotFound"}:
                raise Missing(name) from None
            raise

    def _piece(self, name: str, etag: str, first: int, last: int) -> bytes:
        from botocore.exceptions import BotoCoreError

        for attempt in range(ATTEMPTS):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=self._key(name), IfMatch=etag, Range=f"bytes={first}-{last}")
                return bytes(answer["Body"].read())
            except BotoCoreError:  # the client tries a request again, and not the body of an answer
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{_checked(name)}" if self.prefix else _checked(name)


class GCS:
    """A bucket of Google Cloud Storage.

    Creating is exclusive by `ifGenerationMatch=0`. Where the bucket lets objects be retained, each file is retained in locked mode
    for AUDIT_RETAIN_DAYS, in which not even the owner of the project can remove it.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        from storages.backends.gcloud import GoogleCloudStorage

        storage = GoogleCloudStorage(bucket_name=bucket, location=prefix)
        self.prefix = prefix
        self.url = f"gs://{bucket}/{prefix}".rstrip("/")
        self.bucket: Any = storage.bucket
        self._retains: bool | None = None

    def put(self, name: str, content: BinaryIO) -> None:
        from google.api_core.exceptions import PreconditionFailed

        size = content.seek(0, os.SEEK_END)
        for attempt in range(ATTEMPTS):
            blob = self.bucket.blob(self._key(name), chunk_size=PIECE)
            if self._can_retain():
                blob.retention.mode = "Locked"
                blob.retention.retain_until_time = now() + timedelta(days=settings.AUDIT_RETAIN_DAYS)
            content.seek(0)
            try:
                blob.upload_from_file(content, size=size, content_type=TYPE, if_generation_match=0, checksum="crc32c", timeout=(10, 60))
                return None
            except PreconditionFailed:
                with suppress(Missing):  # who writes at the same time is not done yet, or gave up
                    return _settle(self, name, content)
            time.sleep(0.5 * 2**attempt)
        raise OSError(f"{name} is being written by somebody else")

    def open(self, name: str) -> BinaryIO:
        blob = self._blob(name)

        def piece(first: int, last: int) -> bytes:
            return bytes(blob.download_as_bytes(start=first, end=last, if_generation_match=blob.generation, raw_download=True, checksum=None))

        return _stream(blob.size, piece)

    def size(self, name: str) -> int:
        return int(self._blob(name).size)

    def names(self, prefix: str) -> Iterator[str]:
        return iter(sorted(blob.name[len(self._key("")) :] for blob in self.bucket.list_blobs(prefix=self._key(prefix))))

    def _can_retain(self) -> bool:
        if self._retains is None:
            self.bucket.reload()
            self._retains = self.bucket.object_retention_mode == "Enabled"
        return self._retains

    def _blob(self, name: str) -> Any:
        blob = self.bucket.get_blob(self._key(name))
        if blob is None:
            raise Missing(name)
        return blob

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{_checked(name)}" if self.prefix else _checked(name)


class _Pieces(io.RawIOBase):
    """A file elsewhere, fetched piece by piece: a broken connection costs one piece, and all pieces are of one version of it."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self.size, self.fetch, self.at = size, fetch, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), PIECE, self.size - self.at)
        if wanted <= 0:
            return 0
        data = self.fetch(self.at, self.at + wanted - 1)
        if len(data) != wanted:
            raise OSError(f"{len(data)} bytes came where {wanted} were asked for")
        view[:wanted] = data
        self.at += wanted
        return wanted

    def readall(self) -> bytes:  # which would ask for 8 KiB at a time
        return b"".join(iter(lambda: self.read(PIECE), b""))


def _stream(size: int, fetch: Callable[[int, int], bytes]) -> BinaryIO:
    return io.BufferedReader(_Pieces(size, fetch), PIECE)


def _settle(place: Store, name: str, content: BinaryIO) -> None:
    """The name is taken: fine when it is by the same bytes."""
    content.seek(0)
    with place.open(name) as there:
        if _digest(there) != _digest(content):
            raise Exists(name)


def _digest(content: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while chunk := content.read(1 << 20):
        digest.update(chunk)
    return digest.digest()


def _checked(name: str) -> str:
    """Names come from manifests too, and lead nowhere but below the store."""
    if name.startswith("/") or "\\" in name or any(part.startswith(".") or (not part and name) for part in name.removesuffix("/").split("/")):
        raise ValueError(f"{name!r} is not a name in cold storage")
    return name


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _sync(folder: Path) -> None:
    """A new name lies in its folder, and survives a power cut when the folder is written."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
