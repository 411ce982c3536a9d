"""What is deployed is what is in the source: the compiled files are made again and compared byte for byte."""

from __future__ import annotations

import hashlib

import pytest

from contracts import compile as maker

from .chain import ARTIFACTS, Chain, artifact

LARGEST = 24_576  # bytes of code that a chain takes (EIP-170)


def test_every_contract_has_its_artifact() -> None:
    sources = {path.stem for path in maker.HERE.glob("*.vy")}
    assert sources == set(maker.NAMES) == {path.stem for path in ARTIFACTS.glob("*.json")}


@pytest.mark.parametrize("name", maker.NAMES)
def test_the_artifact_is_reproduced_bit_for_bit(name: str) -> None:
    assert (ARTIFACTS / f"{name}.json").read_text() == maker.artifact(name)


def test_another_source_gives_another_artifact() -> None:
    """Or the test above would prove nothing."""
    text = maker.source("MockUSDC").replace("decimals: public(constant(uint8)) = 6", "decimals: public(constant(uint8)) = 7")
    changed = maker.compiled("MockUSDC", text)
    assert changed["sourceSha256"] == hashlib.sha256(text.encode()).hexdigest() != artifact("MockUSDC")["sourceSha256"]
    assert changed["deployedBytecode"] != artifact("MockUSDC")["deployedBytecode"]


def test_the_code_on_the_chain_is_the_artifacts(chain: Chain) -> None:
    """The address of the token, which is fixed when it is deployed, follows the code."""
    made = bytes.fromhex(artifact("OrderEscrow")["deployedBytecode"].removeprefix("0x"))
    there = bytes(chain.w3.eth.get_code(chain.escrow.address))
    assert there == made + bytes(12) + bytes.fromhex(chain.usdc.address.removeprefix("0x"))
    assert chain.do.TOKEN().call() == chain.usdc.address
    assert len(there) < LARGEST


def test_a_chain_can_be_read_from_its_events_alone() -> None:
    """Each event of an order names it and the operation in fields that nodes index, and says what is locked afterwards."""
    events = {part["name"]: part["inputs"] for part in artifact("OrderEscrow")["abi"] if part["type"] == "event"}
    assert set(events) >= {"EscrowCreated", "EscrowAmended", "EscrowReleased", "EscrowRefunded", "EscrowMoved", "ExpiryExtended", "HoldSet"}
    for name, fields in events.items():
        indexed = {field["name"] for field in fields if field["indexed"]}
        if name.startswith("Escrow") and name != "EscrowMoved":
            assert {"orderId", "opId"} <= indexed
            assert name == "EscrowCreated" or "locked" in {field["name"] for field in fields}
        elif name in ("Withdrawn", "Paid"):
            assert indexed == {"account", "opId"}
