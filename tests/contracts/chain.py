"""A chain inside of the test's process, with the contracts on it and one account for each part that people play."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_tester.exceptions import TransactionFailed
from eth_utils import keccak
from web3 import EthereumTesterProvider, Web3
from web3.logs import DISCARD

ARTIFACTS = Path(__file__).resolve().parents[2] / "contracts" / "artifacts"
OPERATOR, ARBITER, GUARDIAN = 1, 2, 4
CENT = 10_000
DAY = 86_400
MAX_LIFE, HOLD_GRACE = 730 * DAY, 90 * DAY
GAS = 1_500_000  # given by hand, so that no call is tried out before it is sent
PLENTY = 10**15  # units


def artifact(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text())
    return found


def units(amount: str | Decimal) -> int:
    whole = Decimal(amount).scaleb(6)
    assert whole == whole.to_integral_value()
    return int(whole)


def key(name: str) -> bytes:
    """An operation id."""
    return bytes(keccak(text=name))


@dataclass
class Order:
    client: str
    builder: str
    locked: int
    sponsored: int
    funded: int
    released: int
    refunded: int
    expiry: int
    fee_bps: int
    hold: bool
    created: int


@dataclass
class Chain:
    """The cast: `admin` deploys; `operator` is also the treasury; nobody else has a role."""

    w3: Any
    usdc: Any = None
    escrow: Any = None
    _names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls) -> Chain:
        chain = cls(Web3(EthereumTesterProvider()))
        names = ("admin", "operator", "arbiter", "guardian", "platform", "client", "other_client", "builder", "other_builder", "stranger")
        chain._names = dict(zip(names, chain.w3.eth.accounts, strict=True))
        return chain

    def __getattr__(self, name: str) -> str:
        """The account of somebody in the cast."""
        try:
            return str(self.__dict__["_names"][name])
        except KeyError:
            raise AttributeError(name) from None

    def settled(self, escrow: dict[str, Any] | None = None, usdc: dict[str, Any] | None = None) -> Chain:
        """The same chain with contracts of its own: deployed, the roles given out, the operator funded."""
        chain = Chain(self.w3, _names=self._names)
        chain.usdc = self.deploy(usdc or artifact("MockUSDC"))
        chain.escrow = self.deploy(escrow or artifact("OrderEscrow"), chain.usdc.address, self.admin, self.platform)
        for account, role in ((self.operator, OPERATOR), (self.arbiter, ARBITER), (self.guardian, GUARDIAN)):
            chain.send(chain.do.setRole(account, role, True), self.admin)
        chain.send(chain.usdc.functions.mint(self.operator, PLENTY), self.admin)
        chain.send(chain.usdc.functions.approve(chain.escrow.address, PLENTY), self.operator)
        return chain

    def deploy(self, made: dict[str, Any], *arguments: Any) -> Any:
        sent = self.w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor(*arguments)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent.transact({"from": self.admin, "gas": 5_000_000}))
        assert receipt.status == 1
        return self.w3.eth.contract(receipt.contractAddress, abi=made["abi"])

    @property
    def do(self) -> Any:
        """The functions of the escrow contract."""
        return self.escrow.functions

    @property
    def now(self) -> int:
        """When the last block was made, which is also when a call happens that is only tried out."""
        return int(self.w3.eth.get_block("latest").timestamp)

    def send(self, call: Any, sender: str) -> Any:
        """Carry a call out. The receipt."""
        receipt = self.w3.eth.wait_for_transaction_receipt(call.transact({"from": sender, "gas": GAS}))
        if receipt.status != 1:
            call.call({"from": sender})
            raise AssertionError(f"{call} was reverted, and would not be now")
        return receipt

    def refusal(self, call: Any, sender: str) -> str:
        """Why a call is refused; empty when it is not."""
        try:
            call.call({"from": sender})
        except TransactionFailed as refused:
            return str(refused).removeprefix("execution reverted").removeprefix(": ") or "no reason"
        return ""

    def event(self, name: str, receipt: Any) -> dict[str, Any]:
        """What the only event of that name in a receipt says."""
        (found,) = self.escrow.events[name]().process_receipt(receipt, errors=DISCARD)
        return dict(found["args"])

    def travel(self, moment: int) -> None:
        """To a moment: an empty block is made at it."""
        self.w3.provider.ethereum_tester.time_travel(moment)
        self.w3.provider.ethereum_tester.mine_block()

    def order(self, number: int) -> Order:
        return Order(*self.do.orders(number).call())

    def claimable(self, account: str) -> int:
        return int(self.do.claimable(account).call())

    def balance(self, account: str) -> int:
        return int(self.usdc.functions.balanceOf(account).call())

    @property
    def locked(self) -> int:
        return int(self.do.totalLocked().call())

    @property
    def owed(self) -> int:
        return int(self.do.totalClaimable().call())

    def check(self, *orders: int) -> None:
        """The sums that hold after any call, for a test that knows all orders."""
        rows = [self.order(number) for number in orders]
        for row in rows:
            assert row.locked == row.funded - row.released - row.refunded
            assert 0 <= row.sponsored <= row.locked
            assert row.expiry <= row.created + MAX_LIFE
        accounts = set(self._names.values())
        assert self.locked == sum(row.locked for row in rows)
        assert self.owed == sum(self.claimable(account) for account in accounts)
        assert self.balance(self.escrow.address) >= self.locked + self.owed

    # What most tests begin with
    def open(self, number: int = 1, amount: str = "100.00", sponsored: str = "0.00", *, bps: int = 1000, expiry: int = 0, **people: str) -> None:
        self.send(
            self.do.createEscrow(
                number,
                people.get("client", self.client),
                people.get("builder", self.builder),
                units(amount),
                units(sponsored),
                bps,
                expiry or self.now + 30 * DAY,
                key(f"open {number}"),
            ),
            self.operator,
        )


TYPES = {
    "ReceiveWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ],
    "CancelAuthorization": [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}],
}


def sign(chain: Chain, private_key: Any, kind: str, message: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """v, r and s over an EIP-3009 message of the token."""
    domain = {"name": "USD Coin", "version": "2", "chainId": chain.w3.eth.chain_id, "verifyingContract": chain.usdc.address}
    made = Account.sign_typed_data(private_key, domain, {kind: TYPES[kind]}, message)
    return made.v, made.r.to_bytes(32, "big"), made.s.to_bytes(32, "big")
