"""Settings with which money could be lost are refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from port444.payments.checks import chain
from scripts import chain as local

GOOD = {
    "ESCROW_BACKEND": "web3",
    "CHAIN_ID": 8453,
    "CHAIN_RPC_URL": "https://node.example",
    "ESCROW_ADDRESS": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "USDC_ADDRESS": "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512",
    "CHAIN_PLATFORM_ADDRESS": "0x" + "12" * 20,
    "CHAIN_TREASURY_ADDRESS": "",
    "CHAIN_SIGNER": "env",
    "CHAIN_OPERATOR_KEY": "0x" + "42" * 32,
    "CHAIN_ARBITER_KEY": "43" * 32,
    "PAYMENT_PROVIDERS": ["wallet"],
}


def found(settings: Any, **changed: Any) -> list[str]:
    for name, value in {**GOOD, **changed}.items():
        setattr(settings, name, value)
    messages = chain()
    for message in messages:
        for key in ("CHAIN_OPERATOR_KEY", "CHAIN_ARBITER_KEY"):
            assert not getattr(settings, key) or getattr(settings, key) not in f"{message}{message.hint}"
    return [str(message.id) for message in messages]


def test_good_settings_pass_and_so_do_none(settings: Any) -> None:
    assert found(settings) == []
    nothing: dict[str, Any] = dict.fromkeys(GOOD, "")
    assert found(settings, **{**nothing, "ESCROW_BACKEND": "ledger", "CHAIN_ID": 0, "CHAIN_SIGNER": "env"}) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"ESCROW_BACKEND": "solana"}, "port444.E020"),
        ({"CHAIN_ID": 0}, "port444.E021"),
        ({"ESCROW_ADDRESS": ""}, "port444.E021"),
        ({"CHAIN_SIGNER": "paper"}, "port444.E022"),
        ({"CHAIN_SIGNER": "kms", "CHAIN_OPERATOR_KEY": "alias/one", "CHAIN_ARBITER_KEY": "alias/two"}, "port444.E023"),
        ({"CHAIN_OPERATOR_KEY": "0x1234"}, "port444.E024"),
        ({"CHAIN_OPERATOR_KEY": "43" * 32}, "port444.E026"),
        ({"CHAIN_OPERATOR_KEY": "0x" + "43" * 32}, "port444.E026"),
        ({"ESCROW_ADDRESS": "0x5fbDB2315678afecb367f032d93F642f64180aa3"}, "port444.E027"),
        ({"USDC_ADDRESS": "0x5FbDB2315678afecb367f032d93F642f64180aa"}, "port444.E027"),
        ({"CHAIN_TREASURY_ADDRESS": "0x" + "12" * 20}, "port444.E028"),
        ({"PAYMENT_PROVIDERS": ["wallet", "sandbox"]}, "port444.E029"),
    ],
)
def test_each_mistake_is_named(changed: dict[str, Any], expected: str, settings: Any) -> None:
    assert found(settings, **changed) == [expected]


@pytest.mark.parametrize("index", range(20))
def test_the_keys_that_everybody_has_are_for_a_chain_of_ones_own(index: int, settings: Any) -> None:
    key = local.account(index).key.to_0x_hex()
    assert found(settings, CHAIN_OPERATOR_KEY=key) == ["port444.E025"]
    assert found(settings, CHAIN_ARBITER_KEY=key[2:].upper()) == ["port444.E025"]
    assert found(settings, CHAIN_OPERATOR_KEY=key, CHAIN_ID=31337) == []
