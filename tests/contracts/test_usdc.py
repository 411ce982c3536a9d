"""The stand-in for USDC, in what the platform relies on: a client signs (EIP-3009), the operator collects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account import Account

from .chain import DAY, Chain, key, sign, units

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # order of the curve


@dataclass(frozen=True)
class Signed:
    """A client's consent: what the token checks is exactly what they signed."""

    sender: str
    to: str
    amount: int
    after: int
    before: int
    nonce: bytes
    v: int
    r: bytes
    s: bytes

    def call(self, chain: Chain) -> Any:
        return chain.usdc.functions.receiveWithAuthorization(
            self.sender, self.to, self.amount, self.after, self.before, self.nonce, self.v, self.r, self.s
        )


@pytest.fixture
def payer(chain: Chain) -> Any:
    """A wallet of a client with 100.00."""
    wallet = Account.from_key(key("a client's wallet"))
    chain.send(chain.usdc.functions.mint(wallet.address, units("100.00")), chain.admin)
    return wallet


@pytest.fixture
def signed(chain: Chain, payer: Any) -> Signed:
    return authorize(chain, payer, units("40.00"))


def authorize(chain: Chain, payer: Any, amount: int, *, after: int = 0, nonce: str = "n") -> Signed:
    before = chain.now + DAY
    message = {
        "from": payer.address,
        "to": chain.operator,
        "value": amount,
        "validAfter": after,
        "validBefore": before,
        "nonce": key(nonce),
    }
    return Signed(payer.address, chain.operator, amount, after, before, key(nonce), *sign(chain, payer.key, "ReceiveWithAuthorization", message))


def cancel(chain: Chain, payer: Any, nonce: str = "n") -> Any:
    v, r, s = sign(chain, payer.key, "CancelAuthorization", {"authorizer": payer.address, "nonce": key(nonce)})
    return chain.usdc.functions.cancelAuthorization(payer.address, key(nonce), v, r, s)


def test_it_says_what_it_is(chain: Chain) -> None:
    said = [chain.usdc.functions[name]().call() for name in ("name", "symbol", "version", "decimals")]
    assert said == ["USD Coin", "USDC", "2", 6]


def test_the_operator_collects_what_was_signed_once(chain: Chain, payer: Any, signed: Signed) -> None:
    before = chain.balance(chain.operator)
    chain.send(signed.call(chain), chain.operator)
    assert chain.balance(payer.address) == units("60.00")
    assert chain.balance(chain.operator) == before + units("40.00")
    assert chain.usdc.functions.authorizationState(payer.address, key("n")).call() is True
    assert chain.refusal(signed.call(chain), chain.operator) == "FiatTokenV2: authorization is used or canceled"


def test_nobody_else_collects_it(chain: Chain, signed: Signed) -> None:
    assert chain.refusal(signed.call(chain), chain.stranger) == "FiatTokenV2: caller must be the payee"
    stolen = replace(signed, to=chain.stranger)
    assert chain.refusal(stolen.call(chain), chain.stranger) == "FiatTokenV2: invalid signature"


def test_not_a_unit_of_it_can_be_changed(chain: Chain, signed: Signed) -> None:
    for changed in (
        replace(signed, amount=signed.amount + 1),
        replace(signed, before=signed.before + 1),
        replace(signed, after=1),
        replace(signed, nonce=key("another")),
        replace(signed, sender=chain.client),
        replace(signed, v=55 - signed.v),
    ):
        assert chain.refusal(changed.call(chain), chain.operator) == "FiatTokenV2: invalid signature"


def test_a_signature_has_one_form(chain: Chain, signed: Signed) -> None:
    turned = replace(signed, v=55 - signed.v, s=(N - int.from_bytes(signed.s, "big")).to_bytes(32, "big"))
    assert chain.refusal(turned.call(chain), chain.operator) == "ECRecover: invalid signature 's' value"
    assert chain.refusal(replace(signed, v=signed.v - 27).call(chain), chain.operator) == "ECRecover: invalid signature 'v' value"


def test_it_is_good_for_a_time(chain: Chain, payer: Any, signed: Signed) -> None:
    later = authorize(chain, payer, units("1.00"), after=chain.now + 60, nonce="later")
    assert chain.refusal(later.call(chain), chain.operator) == "FiatTokenV2: authorization is not yet valid"
    chain.travel(later.after + 1)
    assert chain.refusal(later.call(chain), chain.operator) == ""
    chain.travel(signed.before)
    assert chain.refusal(signed.call(chain), chain.operator) == "FiatTokenV2: authorization is expired"


def test_a_client_takes_a_signature_back(chain: Chain, payer: Any, signed: Signed) -> None:
    chain.send(cancel(chain, payer), chain.stranger)  # anyone may carry it there
    assert chain.refusal(signed.call(chain), chain.operator) == "FiatTokenV2: authorization is used or canceled"
    assert chain.refusal(cancel(chain, payer), chain.stranger) == "FiatTokenV2: authorization is used or canceled"


def test_what_was_collected_cannot_be_taken_back(chain: Chain, payer: Any, signed: Signed) -> None:
    chain.send(signed.call(chain), chain.operator)
    assert chain.refusal(cancel(chain, payer), chain.stranger) == "FiatTokenV2: authorization is used or canceled"


def test_nobody_else_takes_it_back(chain: Chain, payer: Any) -> None:
    v, r, s = sign(chain, key("another wallet"), "CancelAuthorization", {"authorizer": payer.address, "nonce": key("n")})
    asked = chain.usdc.functions.cancelAuthorization(payer.address, key("n"), v, r, s)
    assert chain.refusal(asked, chain.stranger) == "FiatTokenV2: invalid signature"


def test_more_than_there_is_cannot_be_collected(chain: Chain, payer: Any) -> None:
    asked = authorize(chain, payer, units("100.01"))
    assert chain.refusal(asked.call(chain), chain.operator) == "ERC20: transfer amount exceeds balance"


def test_blocked_and_paused(chain: Chain, payer: Any, signed: Signed) -> None:
    chain.send(chain.usdc.functions.setBlacklisted(payer.address, True), chain.admin)
    assert chain.refusal(signed.call(chain), chain.operator) == "Blacklistable: account is blacklisted"
    chain.send(chain.usdc.functions.setBlacklisted(payer.address, False), chain.admin)
    chain.send(chain.usdc.functions.setPaused(True), chain.admin)
    assert chain.refusal(signed.call(chain), chain.operator) == "Pausable: paused"
    assert chain.refusal(chain.usdc.functions.approve(chain.escrow.address, 1), chain.client) == "Pausable: paused"
    chain.send(chain.usdc.functions.setPaused(False), chain.admin)
    chain.send(signed.call(chain), chain.operator)
