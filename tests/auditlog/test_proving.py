"""Proofs, and the program by which a stranger checks them."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction

from auditlog import signing
from auditlog.actions import NotProvable, prove, record
from auditlog.events import Event
from auditlog.signing import Kind
from port444.accounts.models import User
from port444.kit.errors import WrongState
from scripts import audit_verifier

from .tampering import OwnLog

PROGRAM = Path(audit_verifier.__file__)


def key() -> str:
    (known,) = signing.public_keys().values()
    return base64.b64encode(known.public_bytes_raw()).decode()


def check(*arguments: object) -> tuple[int, str]:
    """Run the program as a stranger does: from anywhere, with nothing of ours on its path."""
    command = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def proof(own_log: OwnLog, tmp_path: Path) -> Path:
    """The proof of the third of five rows."""
    _, ids, _ = own_log.sealed(2, 5, 1)
    path = tmp_path / "proof.json"
    call_command("audit_prove", ids[2], output=path)
    return path


def test_a_stranger_can_check_a_row(proof: Path) -> None:
    facts = json.loads(proof.read_text())
    code, said = check("--key", key(), proof)
    assert code == 0, said
    assert f"row {facts['row']['id']} is as it was sealed" in said
    assert "auth.login" in said
    assert "(row 3 of 5)" in said
    assert "1 seals and 1 rows looked through: valid" in said
    assert facts["anchors"][0]["place"] == "cold"


def test_every_row_can_be_proved(own_log: OwnLog, tmp_path: Path) -> None:
    for ids in own_log.sealed(1, 2, 3, 6, 7):
        for row in ids:
            (tmp_path / f"{row}.json").write_text(json.dumps(prove(row)))
    assert audit_verifier.main(["--key", key(), str(tmp_path)]) == 0


def _line(proof: dict[str, Any]) -> None:
    proof["row"]["line"] = proof["row"]["line"].replace("auth.login", "auth.logout")


def _column(proof: dict[str, Any]) -> None:
    names = proof["row"]["columns"]
    names[5], names[6] = names[6], names[5]


def _index(proof: dict[str, Any]) -> None:
    proof["path"]["index"] += 1


def _path(proof: dict[str, Any]) -> None:
    proof["path"]["hashes"][0] = "00" * 32


def _rows(proof: dict[str, Any]) -> None:
    proof["path"]["rows"] += 1


def _body(proof: dict[str, Any]) -> None:
    proof["seal"]["body"] = proof["seal"]["body"].replace('"rows":5', '"rows":6')


def _signature(proof: dict[str, Any]) -> None:
    proof["seal"]["signature"] = "00" * 64


@pytest.mark.parametrize("change", [_line, _column, _index, _path, _rows, _body, _signature])
def test_a_proof_that_was_altered_is_refused(proof: Path, change: Callable[[dict[str, Any]], None]) -> None:
    facts = json.loads(proof.read_text())
    before = copy.deepcopy(facts)
    change(facts)
    assert facts != before
    proof.write_text(json.dumps(facts))
    code, said = check("--key", key(), proof)
    assert code == 1, said
    assert "BAD" in said
    assert "NOT VALID" in said


def test_a_proof_that_somebody_else_signed_is_refused(proof: Path) -> None:
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    code, said = check("--key", other, proof)
    assert code == 1
    assert "which is not one of those given" in said


def test_what_was_signed_as_something_else_is_no_seal(proof: Path) -> None:
    facts = json.loads(proof.read_text())
    facts["seal"]["signature"] = signing.sign(Kind.MANIFEST, facts["seal"]["body"].encode())[1].hex()
    proof.write_text(json.dumps(facts))
    code, said = check("--key", key(), proof)
    assert code == 1
    assert "the signature is not that of the key" in said


def test_without_a_key_it_is_said_that_nobody_was_held_to_it(proof: Path) -> None:
    code, said = check(proof)
    assert code == 3
    assert "not who signed them" in said
    assert ": valid" not in said


def test_a_forgery_with_its_own_key_is_never_called_valid(proof: Path) -> None:
    facts = json.loads(proof.read_text())
    forger = Ed25519PrivateKey.generate()
    public = forger.public_key()
    line = facts["row"]["line"].replace("auth.login", "auth.forged")
    body = json.loads(facts["seal"]["body"]) | {"rows": 1, "root": audit_verifier.leaf(line.encode()).hex(), "key_id": signing.key_id(public)}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    signature = forger.sign(Kind.SEAL.over(text.encode())).hex()
    envelope = {"body": text, "hash": sha256(text.encode()).hexdigest(), "key_id": body["key_id"], "signature": signature}
    facts |= {"path": {"index": 0, "rows": 1, "hashes": []}, "seal": envelope, "public_keys": [base64.b64encode(public.public_bytes_raw()).decode()]}
    facts["row"]["line"] = line
    proof.write_text(json.dumps(facts))
    (no_keys := proof.with_name("keys.txt")).write_text("\n")
    assert [(code, ": valid" in said) for code, said in (check(proof), check("--key", key(), proof), check("--key", no_keys, proof))] == [
        (3, False),
        (1, False),
        (2, False),
    ]


def test_nothing_is_not_valid(tmp_path: Path) -> None:
    code, said = check("--key", key(), tmp_path)
    assert (code, "NOTHING TO CHECK" in said) == (2, True)


def test_a_row_that_tells_much_and_means_the_terminal(own_log: OwnLog, tmp_path: Path) -> None:
    with transaction.atomic():
        row = record(Event.LOGIN, actor=None, target=User(), description="\x1b[2Jgood\n" + "x" * 200_000)
    own_log.seal()
    call_command("audit_prove", row, output=tmp_path / "proof.json")
    code, said = check("--key", key(), tmp_path)
    assert code == 0, said[-500:]
    assert "\\x1b[2Jgood\\nxxx" in said
    assert "\x1b" not in said


def test_a_copy_that_was_changed_is_not_called_good(own_log: OwnLog, tmp_path: Path) -> None:
    own_log.sealed(2)
    call_command("export_audit_logs", dest=tmp_path.as_uri(), since=None, until=None, file_format=None)
    (data,) = tmp_path.rglob("*.csv.gz")
    assert check("--key", key(), tmp_path)[0] == 0
    data.write_bytes(gzip.compress(b"id\n"))
    code, said = check("--key", key(), tmp_path)
    assert code == 1
    assert "ok " not in said


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"row": {}}', '{"body": "x", "hash": 1, "key_id": 2, "signature": 3}'])
def test_what_is_no_proof(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    code, said = check(tmp_path)
    assert code == 2
    assert "Traceback" not in said


def test_seals_of_cold_storage_hang_together(own_log: OwnLog) -> None:
    own_log.sealed(1, 2, 3)
    code, said = check("--key", key(), own_log.folder)
    assert (code, said.splitlines()[-1]) == (0, "3 seals and 0 rows looked through: valid")
    (second,) = own_log.folder.glob("seals/*/*/*/000000000002.json")
    second.unlink()
    assert "note seals 2 to 2 are not here" in check("--key", key(), own_log.folder)[1]


def test_two_seals_of_one_number_are_found(proof: Path, own_log: OwnLog) -> None:
    """The one that was proved to you is not the one that was anchored."""
    own_log.tamper("TRUNCATE audit_log, audit_seal, audit_leaves, audit_anchor")
    away = own_log.folder.rename(own_log.folder.with_name("away"))
    own_log.sealed(2, 4)
    code, said = check("--key", key(), proof, own_log.folder)
    assert code == 1
    assert "there are two seals 2 that say different things" in said
    assert check("--key", key(), proof, away)[0] == 0


def test_rows_that_are_not_sealed_yet_or_were_changed_are_not_proved(own_log: OwnLog, tmp_path: Path) -> None:
    ((row, _),) = own_log.sealed(2)
    with pytest.raises(WrongState):
        prove(own_log.write()[0])
    with pytest.raises(CommandError, match="No seal covers row"):
        call_command("audit_prove", 4444, output=tmp_path / "x")
    own_log.tamper(f"UPDATE audit_log SET description = 'nothing' WHERE id = {row}")
    with pytest.raises(NotProvable):
        prove(row)
    assert not (tmp_path / "x").exists()


def test_a_line_may_hold_newlines_and_quotes() -> None:
    whole = b'1,"a\nb",""\n2,"say ""hi""\n\n"\n3,,\n'
    for size in range(1, len(whole) + 1):
        cut = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert list(audit_verifier.lines_of(cut)) == [b'1,"a\nb",""', b'2,"say ""hi""\n\n"', b"3,,"]
