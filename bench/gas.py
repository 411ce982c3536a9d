"""What each call of the contract costs in gas: `./run bench gas`.

On a chain inside of this process (py-evm). Gas is counted by the rules of the chain and not by a clock, so any machine gives the
same figures; docs/escrow.md has them, and tests/contracts/test_gas.py holds it to that. On a rollup the fee for publishing the
transaction comes on top. Beside it stands what more money for a running deal costs in other designs, see peers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account import Account

from bench import peers, report
from scripts import chain
from tests.contracts.chain import DAY, Chain, artifact, key, sign, units

Figures = dict[str, tuple[int, int]]


def main() -> int:
    """Print the figures as the tables in docs/escrow.md have them."""
    print("| call | the first time | again |\n| --- | ---: | ---: |")
    calls = measure()
    for name, (first, again) in calls.items():
        print(f"| {name} | {first:,} | {f'{again:,}' if again else ''} |")
    print()
    for name, (first, again) in calls.items():
        report.figure(name, again or first, "gas")
    try:
        others = peers.measure()
    except (peers.NotMeasured, chain.ChainFailed) as why:
        report.absent("more money for a running deal in other designs", str(why))
        return report.code()
    print("", *peers.table(others), "", sep="\n")
    ours, *rest = others
    for peer in rest:
        report.figure(f"more money for a running deal: {ours.more}", ours.gas, "gas", peer=(f"{peer.design}, {peer.more}", peer.gas))
    return report.code()


def measure() -> Figures:
    """Gas by call: when nobody in it ever had USDC or a claim, and the next time with the same people."""
    chain = Chain.start().settled()
    do, found = chain.do, Figures()
    expiry = chain.now + 30 * DAY

    def twice(name: str, call: Callable[[int], Any], sender: str) -> None:
        first, again = (chain.send(call(turn), sender).gasUsed for turn in (1, 2))
        found[name] = (first, again)

    def new(first_order: int, amount: str, what: str) -> Callable[[int], Any]:
        people = (chain.client, chain.builder)
        return lambda turn: do.createEscrow(first_order + turn, *people, units(amount), 0, 1000, expiry, key(f"{what} {turn}"))

    twice("createEscrow", new(0, "500.00", "open"), chain.operator)
    twice("createEscrow, nothing locked yet", new(10, "0.00", "empty"), chain.operator)
    twice("amendEscrow", lambda turn: do.amendEscrow(1, units("150.50"), 0, key(f"amend {turn}")), chain.operator)
    twice("release of a part", lambda turn: do.release(1, units("100.00"), 0, key(f"release {turn}")), chain.operator)
    twice("refund of a part", lambda turn: do.refund(1, units("50.00"), 0, key(f"refund {turn}")), chain.operator)
    twice("moveEscrow", lambda turn: do.moveEscrow(1, 11, units("10.00"), 0, key(f"move {turn}")), chain.operator)
    twice("extendExpiry", lambda turn: do.extendExpiry(1, expiry + turn * DAY, key(f"extend {turn}")), chain.operator)
    twice("setHold", lambda turn: do.setHold(1, turn == 1, key(f"hold {turn}")), chain.arbiter)
    twice("withdraw", lambda turn: do.withdraw(chain.builder, units("20.00"), key(f"withdraw {turn}")), chain.operator)
    twice("withdrawOwn", lambda turn: do.withdrawOwn(units("20.00")), chain.client)
    twice("pay, from the float", lambda turn: do.pay(chain.stranger, units("20.00"), key(f"pay {turn}")), chain.operator)
    wallet = Account.from_key(key("a client's wallet"))
    chain.send(chain.usdc.functions.mint(wallet.address, units("100.00")), chain.admin)
    twice("receiveWithAuthorization, of the token (a client's signature)", lambda turn: _collected(chain, wallet, turn), chain.operator)
    chain.travel(expiry + 3 * DAY)
    twice("reclaim", lambda turn: do.reclaim(turn), chain.client)
    return found | {"deployment of OrderEscrow": (_deployed(chain), 0)}


def _collected(chain: Chain, wallet: Any, turn: int) -> Any:
    nonce, before = key(f"collect {turn}"), chain.now + DAY
    message = {"from": wallet.address, "to": chain.operator, "value": units("20.00"), "validAfter": 0, "validBefore": before, "nonce": nonce}
    signature = sign(chain, wallet.key, "ReceiveWithAuthorization", message)
    return chain.usdc.functions.receiveWithAuthorization(wallet.address, chain.operator, units("20.00"), 0, before, nonce, *signature)


def _deployed(chain: Chain) -> int:
    made = artifact("OrderEscrow")
    asked = chain.w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor(chain.usdc.address, chain.admin, chain.platform)
    receipt = chain.w3.eth.wait_for_transaction_receipt(asked.transact({"from": chain.admin, "gas": 5_000_000}))
    return int(receipt.gasUsed)


if __name__ == "__main__":
    raise SystemExit(main())
