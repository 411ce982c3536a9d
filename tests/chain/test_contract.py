"""Units and keys, and what refusals mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from port444.payments.escrow.chain.calls import PERMANENT, refusal
from port444.payments.escrow.chain.client import RpcError
from port444.payments.escrow.chain.contract import from_units, op_key, order_key, to_units


@given(st.decimals(min_value=0, max_value=Decimal("999999999999.99"), places=2))
def test_an_amount_and_its_units_are_the_same_to_the_cent(amount: Decimal) -> None:
    assert to_units(amount) == amount * 10**6
    assert from_units(to_units(amount)) == amount


@pytest.mark.parametrize("wrong", [Decimal("0.001"), Decimal("-1"), Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_amount_is_refused(wrong: Decimal) -> None:
    with pytest.raises(ValueError, match="not a whole number of cents"):
        to_units(wrong)


def test_only_decimals_and_whole_units_are_taken() -> None:
    not_exact: Any = 25.5
    with pytest.raises(TypeError):
        to_units(not_exact)
    with pytest.raises(ValueError, match="not a whole number of cents"):
        from_units(10_001)
    with pytest.raises(TypeError):
        from_units(True)


def test_a_key_is_of_one_chain_contract_kind_and_operation() -> None:
    first = op_key(1, "0xAb" + "0" * 38, "amend", "amendment:1:1")
    assert first == op_key(1, "0xaB" + "0" * 38, "amend", "amendment:1:1")
    others = {op_key(2, "0xab" + "0" * 38, "amend", "amendment:1:1"), op_key(1, "0xac" + "0" * 38, "amend", "amendment:1:1")}
    others |= {op_key(1, "0xab" + "0" * 38, "open", "amendment:1:1"), op_key(1, "0xab" + "0" * 38, "amend", "amendment:1:2")}
    assert len(others | {first}) == 5
    assert order_key(UUID(int=7)) == 7


@pytest.mark.parametrize(
    ("message", "data", "permanent", "words"),
    [
        ("execution reverted: no order", None, True, "no order of this number"),
        ("execution reverted: paused", None, False, "escrow contract is paused"),
        ("execution reverted: Pausable: paused", None, False, "token is paused"),
        ("execution reverted: Blacklistable: account is blacklisted", None, False, "blocked by the token"),
        ("execution reverted: FiatTokenV2: authorization is expired", None, True, "expired"),
        ("execution reverted: ECRecover: invalid signature 's' value", None, True, "malformed"),
        ("execution reverted: ERC20: transfer amount exceeds allowance", None, False, "allowance"),
        ("VM Exception while processing transaction: reverted with reason string 'life'", None, False, "life"),
        (
            "execution reverted",
            "0x08c379a0" + f"{32:064x}" + f"{4:064x}" + b"life".hex().ljust(64, "0"),
            True,
            "does not lock money for that long",
        ),
        ("execution reverted", {"data": "0x08c379a0" + f"{32:064x}" + f"{4:064x}" + b"hold".hex().ljust(64, "0")}, False, "dispute"),
        ("execution reverted", "0x", False, "without a reason"),
        ("execution reverted: feeling odd", None, False, "feeling odd"),
    ],
)
def test_a_refusal_is_put_in_words(message: str, data: Any, permanent: bool, words: str) -> None:
    found = refusal(RpcError(message, 3, data))
    assert found.permanent is permanent
    assert words in found.words


def test_no_permanent_reason_is_the_beginning_of_another() -> None:
    for reason in PERMANENT:
        assert refusal(RpcError(f"execution reverted: {reason}", 3)).permanent
