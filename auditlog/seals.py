"""What a seal says, to the letter, and how it lies in cold storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from . import signing
from .cold import Store
from .lines import HEADER, SCHEMA_VERSION
from .models import AuditSeal

FIRST = bytes(32)  # stands where the first seal would name the hash of the one before
END = 2**63 - 1  # as (END, END): nothing comes after this place in its epoch
COLUMNS_HASH = sha256(HEADER).hexdigest()
FOLDER = "seals/"


def canonical(value: Any) -> str:
    """JSON of which there is one form only: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


def statement(seal: AuditSeal) -> dict[str, Any]:
    """What the columns of a seal say, as its body has to repeat it."""
    return {
        "seq": seal.seq,
        "epoch": seal.epoch,
        "floor_id": seal.floor_id,
        "from_xid": seal.from_xid,
        "from_id": seal.from_id,
        "through_xid": seal.through_xid,
        "through_id": seal.through_id,
        "next_xid": seal.next_xid,
        "rows": seal.rows,
        "first_id": seal.first_id,
        "last_id": seal.last_id,
        "first_at": moment(seal.first_at),
        "last_at": moment(seal.last_at),
        "root": bytes(seal.root).hex(),
        "prev_hash": bytes(seal.prev_hash).hex(),
        "key_id": seal.key_id,
        "sealed_at": moment(seal.sealed_at),
    }


def body(seal: AuditSeal, *, system: str, **more: Any) -> str:
    """What is hashed and signed: the columns, how the rows were printed, and in which cluster (`system`) the ids were counted."""
    return canonical({"schema": SCHEMA_VERSION, "columns": COLUMNS_HASH, "system": system, **statement(seal), **more})


def hash_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def is_genuine(seal: AuditSeal) -> bool:
    """Whether a seal is signed with a known key, and its columns and hash are those of its body."""
    text = seal.body.encode()
    if not signing.is_signed(signing.Kind.SEAL, text, seal.key_id, bytes(seal.signature)) or hash_of(seal.body) != bytes(seal.hash):
        return False
    return bool(json.loads(text).items() >= statement(seal).items())


def read_signed(kind: signing.Kind, content: bytes) -> tuple[str, dict[str, Any]] | None:
    """The hash of a signed file of cold storage, and what it says; None when it is none of this kind that a known key has signed."""
    try:
        facts = json.loads(content)
        text, hash_ = facts["body"], facts["hash"]
        if not signing.is_signed(kind, text.encode(), facts["key_id"], bytes.fromhex(facts["signature"])) or hash_of(text).hex() != hash_:
            return None
        says = json.loads(text)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return (hash_, says) if isinstance(says, dict) else None


def anchor_name(seq: int, day: date) -> str:
    return f"{FOLDER}{day:%Y/%m/%d}/{seq:012d}.json"


def anchor_content(seal: AuditSeal) -> bytes:
    """A seal as a file: enough to check it and all that it says without the database."""
    facts = {"body": seal.body, "hash": bytes(seal.hash).hex(), "key_id": seal.key_id, "signature": bytes(seal.signature).hex()}
    return canonical(facts).encode() + b"\n"


def anchors(store: Store, day: date | None = None) -> Iterator[tuple[int, str]]:
    """Number and name of every seal that lies in `store`, or of those of one day, in the order of their days."""
    for name in store.names(FOLDER if day is None else f"{FOLDER}{day:%Y/%m/%d}/"):
        stem = name.rpartition("/")[2].removesuffix(".json")
        if stem.isdigit():
            yield int(stem), name
