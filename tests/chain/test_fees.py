"""What replaces a stuck transaction everywhere: the node of the tests takes one wei more, others an eighth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from port444.payments.escrow.chain import fees
from port444.payments.escrow.chain.fees import GWEI, Fees
from port444.payments.escrow.chain.rules import rules_of

wei = st.integers(min_value=1, max_value=500 * GWEI)


@given(wei)
def test_an_offer_is_raised_by_an_eighth_at_least_and_by_no_wei_more_than_needed(value: int) -> None:
    assert fees.raised(value) * 1000 >= value * 1125
    assert (fees.raised(value) - 1) * 1000 < value * 1125


@given(wei, wei, wei, wei)
def test_both_parts_of_an_offer_are_raised(most: int, tip: int, now_most: int, now_tip: int) -> None:
    last, usual = Fees(max(most, tip), min(most, tip)), Fees(max(now_most, now_tip), min(now_most, now_tip))
    offer = fees.replacing(last, usual)
    if offer is None:
        assert max(last.most, usual.most) * 9 // 8 + 1 >= 500 * GWEI
        return
    assert offer.most * 8 >= last.most * 9
    assert offer.tip * 8 >= last.tip * 9
    assert offer.most >= usual.most
    assert offer.tip <= offer.most <= 500 * GWEI


def test_nothing_is_offered_beyond_the_cap(settings: Any) -> None:
    settings.CHAIN_MAX_FEE_GWEI = 10
    assert fees.replacing(Fees(9 * GWEI, GWEI), Fees(GWEI, GWEI)) is None
    assert fees.suggested({"baseFeePerGas": hex(50 * GWEI)}, hex(20 * GWEI)) == Fees(10 * GWEI, 10 * GWEI)


def test_a_first_offer_covers_twice_the_base_fee() -> None:
    assert fees.suggested({"baseFeePerGas": hex(3 * GWEI)}, hex(GWEI)) == Fees(7 * GWEI, GWEI)
    assert fees.suggested({}, None).tip == fees.LEAST_TIP


@pytest.mark.parametrize(("chain_id", "confirmations", "bump"), [(1, 12, 60), (31337, 1, 20), (8453, 0, 20), (42161, 0, 20), (137, 6, 60)])
def test_each_chain_has_its_usual_depth(chain_id: int, confirmations: int, bump: int, settings: Any) -> None:
    assert (rules_of(chain_id).confirmations, rules_of(chain_id).bump_seconds) == (confirmations, bump)
    settings.CHAIN_CONFIRMATIONS, settings.CHAIN_BUMP_SECONDS = 3, 7
    assert (rules_of(chain_id).confirmations, rules_of(chain_id).bump_seconds) == (3, 7)
