from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from port444.kit import money
from port444.kit.amounts import AmountField
from port444.kit.errors import Invalid

amounts = st.decimals(min_value=0, max_value="9999999.99", places=2)
weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(sum)


@given(amounts, weights)
def test_shares_add_up_and_stay_within_a_cent(amount: Decimal, parts: list[int]) -> None:
    shares = money.split(amount, parts)
    assert sum(shares) == amount
    for share, weight in zip(shares, parts, strict=True):
        assert abs(share - amount * weight / sum(parts)) < money.CENT
        assert share == share.quantize(money.CENT)


@given(amounts, weights)
def test_who_has_no_weight_gets_nothing(amount: Decimal, parts: list[int]) -> None:
    shares = money.split(amount, parts)
    assert all(share == 0 for share, weight in zip(shares, parts, strict=True) if weight == 0)


def test_odd_cent_goes_to_the_first() -> None:
    assert money.split(Decimal("1.00"), [1, 1, 1]) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


@pytest.mark.parametrize("parts", [[], [0, 0], [1, -1], [-1]])
def test_weights_that_share_nothing(parts: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        money.split(Decimal("1.00"), parts)


@given(amounts, st.integers(0, 10_000))
def test_fee_is_rounded_down_and_never_more_than_the_amount(amount: Decimal, bps: int) -> None:
    fee = money.fee(amount, bps)
    exact = amount * bps / 10_000
    assert 0 <= fee <= exact <= amount
    assert exact - fee < money.CENT


@pytest.mark.parametrize(
    ("amount", "bps", "fee"), [("100.00", 550, "5.50"), ("0.01", 9999, "0.00"), ("33.33", 550, "1.83"), ("180.00", 1000, "18.00")]
)
def test_known_fees(amount: str, bps: int, fee: str) -> None:
    assert money.fee(Decimal(amount), bps) == Decimal(fee)


@given(amounts)
def test_reads_what_it_writes(amount: Decimal) -> None:
    assert money.parse(str(amount)) == amount
    assert money.parse(money.usd(amount).replace("$", "").replace(",", "")) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten",
        "1,000",
        "-1",
        "1.001",
        "1e2",
        "1E2",
        "1e-2",
        "1_000",
        "１０",
        "٣",
        "+5",
        "sNaN",
        ".",
        "0x10",
        "5 0",
        "1e12",
        "NaN",
        "Infinity",
        "1000000000000.00",
        1.5,
        True,
    ],
)
def test_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(Invalid):
        money.parse(text)


def test_positive_is_more_than_zero() -> None:
    assert money.positive(Decimal("0.01")) == Decimal("0.01")
    with pytest.raises(Invalid, match="more than zero"):
        money.positive(Decimal("0.00"))


@pytest.mark.parametrize(("text", "amount"), [(" 25.5 ", "25.50"), ("25.", "25.00"), (".5", "0.50"), (7, "7.00"), (Decimal("1E+2"), "100.00")])
def test_reads_digits_and_a_dot(text: str | int | Decimal, amount: str) -> None:
    assert str(money.parse(text)) == amount


@pytest.mark.parametrize("text", ["1e2", "1_000", "１０", "+5", "-5", "NaN", "5.001", "1000000.01", "25.0000000000000000000001", "1,00"])
def test_a_form_takes_no_more_than_that(text: str) -> None:
    with pytest.raises(ValidationError):
        AmountField().clean(text)


def test_a_form_takes_thousands_and_a_dollar_sign() -> None:
    assert AmountField().clean(" $1,234.5 ") == Decimal("1234.50")
