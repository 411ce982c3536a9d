#!/usr/bin/env python3
"""Checks what port444 says about its audit log, without port444: no database, no network, none of its code.

    pip install cryptography
    python audit_verifier.py --key KEY proof.json                   one row
    python audit_verifier.py --key KEY seals/ manifests/ rows/      what lies in cold storage, or a part of it
    python audit_verifier.py --key KEY manifests/1-9.json rows.csv.gz

KEY is port444's public key (44 characters of base64), or a file that holds one or several. Get it from somewhere else than the
files: a key that comes with what it signs proves nothing. Without --key only what hangs together is checked, and that is said.

Ends with 0 when all is valid, 1 when something is not, 2 when something could not be read or there was nothing to check, 3 when all
hangs together and no key was given. docs/audit-proof.md gives the format.
"""

from __future__ import annotations

import argparse
import base64
import csv
import gzip
import hashlib
import io
import json
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CHUNK = 1 << 20
SEAL, MANIFEST = "port444 audit seal 1", "port444 audit manifest 1"  # stand in front of what is signed
csv.field_size_limit(1 << 30)  # a row may tell more than the library expects


class Bad(Exception):
    """Something is not as it was signed; the message says what."""


class Unreadable(Exception):
    """Something is no file that this program knows, or cannot be read."""


# --- the tree, as in RFC 6962 -------------------------------------------------------------------------------------------------


def leaf(line: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + line).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    sha256 = hashlib.sha256
    while len(leaves) > 1:
        pairs = zip(leaves[::2], leaves[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        leaves = [*above, leaves[-1]] if len(leaves) % 2 else above
    return leaves[0]


def climb(hash_: bytes, index: int, size: int, hashes: list[bytes]) -> bytes:
    """The root to which a path leads from the leaf at `index` of `size`."""
    if not 0 <= index < size:
        raise Bad("the path begins outside the tree")
    last, rest = size - 1, list(hashes)
    while last > 0:
        if index % 2 == 1 or index < last:
            if not rest:
                raise Bad("the path is too short")
            beside = rest.pop(0)
            hash_ = node(beside, hash_) if index % 2 == 1 else node(hash_, beside)
        index, last = index // 2, last // 2
    if rest:
        raise Bad("the path is too long")
    return hash_


# --- signed statements: seals and manifests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """A text that was hashed and signed to the letter, and what it says."""

    text: str
    hash: str
    key_id: str
    signature: str
    says: dict[str, Any]

    @classmethod
    def read(cls, envelope: dict[str, Any]) -> Statement:
        try:
            says = json.loads(envelope["body"])
            return cls(envelope["body"], envelope["hash"], envelope["key_id"], envelope["signature"], says)
        except (KeyError, TypeError, ValueError) as error:
            raise Unreadable(f"no signed statement ({error})") from error

    def check(self, keys: Keys, kind: str) -> None:
        if hashlib.sha256(self.text.encode()).hexdigest() != self.hash:
            raise Bad("the body does not have the hash that is given")
        keys.check(self.key_id, f"{kind}\n{self.text}".encode(), bytes.fromhex(self.signature))


@dataclass
class Keys:
    """The public keys that are trusted, and those that came with the files."""

    trusted: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    enclosed: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def trust(self, text: str) -> None:
        path = Path(text)
        words = path.read_text(errors="replace").split() if len(text) < 200 and path.is_file() else [text]
        if not words:
            raise Unreadable(f"{text} holds no key")
        for word in words:
            key = public_key(word)
            self.trusted[key_id(key)] = key

    def check(self, by: str, message: bytes, signature: bytes) -> None:
        key = self.trusted.get(by) if self.trusted else self.enclosed.get(by)
        if key is None:
            if self.trusted:
                raise Bad(f"it is signed by the key {by}, which is not one of those given")
            self.unknown.add(by)
            return
        try:
            key.verify(signature, message)
        except InvalidSignature:
            raise Bad(f"the signature is not that of the key {by}") from None


def public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise Unreadable(f"{text!r} is no public key: 32 bytes in base64") from error


def key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


# --- lines ---------------------------------------------------------------------------------------------------------------------


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a CSV file, without their ends: a quoted field may hold newlines, so a record goes on while its quotes are odd."""
    rest: list[bytes] = []  # the beginning of a record whose end has not been read
    odd = False
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        for piece in pieces[:-1]:
            if piece.count(b'"') & 1:
                odd = not odd
            if odd:
                rest += [piece, b"\n"]
            elif rest:
                yield b"".join([*rest, piece])
                rest = []
            else:
                yield piece
        if pieces[-1]:
            rest.append(pieces[-1])
            odd ^= bool(pieces[-1].count(b'"') & 1)
    if rest:
        yield b"".join(rest)


def unpacked(packed: IO[bytes], *digests: Any) -> Iterator[bytes]:
    """What a gzip file unpacks to. Unpacking goes on in a thread of its own, so that it costs little beside the hashing."""
    chunks: queue.Queue[bytes | Exception] = queue.Queue(16)
    stop = threading.Event()

    def work() -> None:
        try:
            with gzip.open(packed) as file:
                while not stop.is_set() and (chunk := file.read(CHUNK)):
                    for digest in digests:
                        digest.update(chunk)
                    chunks.put(chunk)
            chunks.put(b"")
        except (OSError, EOFError, ValueError) as error:
            chunks.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while chunk := chunks.get():
            if isinstance(chunk, Exception):
                raise Bad(f"it does not unpack: {chunk}")
            yield chunk
    finally:
        stop.set()
        while thread.is_alive():
            try:
                chunks.get(timeout=0.05)
            except queue.Empty:
                continue


# --- what there is to check ----------------------------------------------------------------------------------------------------


@dataclass
class Result:
    seals: dict[int, Statement] = field(default_factory=dict)
    rows: int = 0
    looked: int = 0  # files that say something
    bad: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def take_seal(seal: Statement, keys: Keys, result: Result) -> None:
    """Check one seal, and that nobody was shown another of its number."""
    seal.check(keys, SEAL)
    known = result.seals.setdefault(int(seal.says["seq"]), seal)
    if known.hash != seal.hash:
        raise Bad(f"there are two seals {seal.says['seq']} that say different things: {known.hash} and {seal.hash}")


def check_proof(proof: dict[str, Any], keys: Keys, result: Result) -> str:
    """One row: its line, the path from it to the root of a seal, and the seal."""
    try:
        line, columns, path = proof["row"]["line"].encode(), proof["row"]["columns"], proof["path"]
        for text in proof.get("public_keys", ()):
            key = public_key(text)
            keys.enclosed[key_id(key)] = key
        seal = Statement.read(proof["seal"])
        hashes = [bytes.fromhex(text) for text in path["hashes"]]
        found = climb(leaf(line), path["index"], path["rows"], hashes).hex()
        row = dict(zip(columns, next(csv.reader(io.StringIO(proof["row"]["line"], newline=""))), strict=True))
    except (KeyError, TypeError, ValueError, StopIteration, csv.Error) as error:
        raise Unreadable(f"no proof ({error})") from error
    take_seal(seal, keys, result)
    if seal.says["columns"] != hashlib.sha256(",".join(columns).encode()).hexdigest():
        raise Bad("the columns are not those that were sealed")
    if seal.says["rows"] != path["rows"]:
        raise Bad(f"the seal covers {seal.says['rows']} rows, the path is of {path['rows']}")
    if seal.says["root"] != found:
        raise Bad(f"the row is not the one that was sealed: its path leads to {found}, the seal's root is {seal.says['root']}")
    result.rows += 1
    told = "\n".join(f"    {name:<17} {shown(value)}" for name, value in row.items() if value)
    place = f"seal {seal.says['seq']} (row {path['index'] + 1} of {path['rows']})"
    return f"row {row['id']} is as it was sealed at {seal.says['sealed_at']} in {place}\n{told}"


def shown(value: str) -> str:
    """A value for a terminal, which what others wrote shall not command."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in value)


def check_manifest(manifest: Statement, data: Path | None, keys: Keys, result: Result) -> str:
    """A file of rows: its bytes are those of the manifest, and its lines those of the seals that the manifest holds."""
    says = manifest.says
    manifest.check(keys, MANIFEST)
    if data is None:
        raise Unreadable(f"the file {says['data_key']} is not here")
    seals = [Statement.read(envelope) for envelope in says.get("seals", ())]
    for seal in seals:
        take_seal(seal, keys, result)
    packed, lines_digest = hashlib.sha256(), hashlib.sha256()
    with data.open("rb") as file:
        while chunk := file.read(CHUNK):
            packed.update(chunk)
    if packed.hexdigest() != says["data_sha256"]:
        result.bad.append(f"{data}: not the file that the manifest names (SHA-256 {packed.hexdigest()}, there {says['data_sha256']})")
        if not seals:
            raise Bad(f"nothing else is said of {data.name}")
    if not seals:
        return f"{data.name}: {says['rows']} rows, the bytes are those of the manifest"
    with data.open("rb") as file:
        count = check_rows(lines_of(unpacked(file, lines_digest)), seals, result)
    if count != says["rows"]:
        raise Bad(f"{count} rows, the manifest says {says['rows']}")
    if lines_digest.hexdigest() != says["lines_sha256"]:
        raise Bad("the lines are not those of the manifest")
    return f"{data.name}: {count} rows in {len(seals)} seals, {seals[0].says['seq']} to {seals[-1].says['seq']}"


def check_rows(lines: Iterator[bytes], seals: list[Statement], result: Result) -> int:
    """The lines of a file against the roots of its seals, in their order."""
    header, total = next(lines, b""), 0
    sha256 = hashlib.sha256
    for seal in seals:
        says = seal.says
        if hashlib.sha256(header).hexdigest() != says["columns"]:
            raise Bad("the columns of the file are not those that were sealed")
        leaves = [sha256(b"\x00" + line).digest() for _, line in zip(range(says["rows"]), lines, strict=False)]
        if len(leaves) != says["rows"]:
            raise Bad(f"seal {says['seq']} covers {says['rows']} rows, the file ends after {len(leaves)} of them: rows were removed")
        if root(leaves).hex() != says["root"]:
            raise Bad(f"seal {says['seq']}: rows {total + 1} to {total + len(leaves)} of the file are not those that were sealed")
        total += len(leaves)
        result.rows += len(leaves)
    if next(lines, None) is not None:
        raise Bad("the file goes on behind the rows of its last seal: rows were added")
    return total


def check_chain(result: Result) -> list[str]:
    """Whether the seals at hand follow each other; gaps are told, since a part of them may be all that was asked for."""
    notes, before = [], None
    for seq, seal in sorted(result.seals.items()):
        if before is not None:
            if before.says["seq"] + 1 != seq:
                notes.append(f"seals {before.says['seq'] + 1} to {seq - 1} are not here")
            elif seal.says["prev_hash"] != before.hash:
                result.bad.append(f"seal {seq} does not follow seal {before.says['seq']}: it names {seal.says['prev_hash']}, not {before.hash}")
        before = seal
    return notes


# --- the command ---------------------------------------------------------------------------------------------------------------


def files(paths: Iterable[str]) -> Iterator[Path]:
    for text in paths:
        path = Path(text)
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        elif path.is_file():
            yield path
        else:
            raise Unreadable(f"{text}: there is no such file")


def find_data(key: str, beside: Path, given: dict[str, Path]) -> Path | None:
    """The file that a manifest names: one that was given, or one at its place in the same copy of the store."""
    name = key.rsplit("/", 1)[-1]
    if name in given:
        return given[name]
    return next((path for folder in beside.resolve().parents if (path := folder / key).is_file()), None)


def check(paths: Iterable[Path], keys: Keys, say: Any = print) -> Result:
    """Check all of these files."""
    result, documents, data = Result(), list[Path](), dict[str, Path]()
    for path in paths:
        if path.suffix == ".json":
            documents.append(path)
        else:
            data[path.name] = path
    named = set()
    result.looked = len(documents)
    for path in documents:
        try:
            document = json.loads(path.read_bytes())
            if "row" in document:
                say(f"ok   {path}: {check_proof(document, keys, result)}")
                continue
            statement = Statement.read(document)
            if "data_key" in statement.says:
                found = find_data(statement.says["data_key"], path, data)
                named.add(found)
                say(f"ok   {check_manifest(statement, found, keys, result)}")
            else:
                take_seal(statement, keys, result)
        except Bad as error:
            result.bad.append(f"{path}: {error}")
        except (Unreadable, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            result.unreadable.append(f"{path}: {error}")
    result.unreadable += [f"{path}: there is no manifest for it" for path in data.values() if path not in named]
    for note in check_chain(result):
        say(f"note {note}")
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks proofs, seals and files of port444's audit log, offline.")
    parser.add_argument("--key", action="append", default=[], help="the public key in base64, or a file of keys; may be given again")
    parser.add_argument("paths", nargs="+", metavar="FILE_OR_FOLDER")
    options = parser.parse_args(arguments)
    keys = Keys()
    try:
        for text in options.key:
            keys.trust(text)
        result = check(list(files(options.paths)), keys)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    for text in result.bad:
        print(f"BAD  {text}")
    for text in result.unreadable:
        print(f"???  {text}")
    if not keys.trusted:
        print("note no key was given (--key): that the files hang together was checked, not who signed them. Anybody can make such files.")
    code = 1 if result.bad else 2 if result.unreadable or not result.looked else 0 if keys.trusted else 3
    verdict = {0: "valid", 3: "they hang together, and NOBODY WAS HELD TO THEM"}.get(code, "NOT VALID" if result.looked else "NOTHING TO CHECK")
    print(f"{len(result.seals)} seals and {result.rows} rows looked through: {verdict}")
    return code


if __name__ == "__main__":
    sys.exit(main())
