"""What more money for a running deal costs in other escrow contracts whose builds are published: a part of `./run bench gas`.

npm fetches the packages when the benchmark runs, each version by its hash, into `var`; none of their code is ours. They are
measured on anvil, all with MockUSDC and the same amounts. None of them adds to a deal, so theirs is a second deal of the same
two people, which then has to be paid out by itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from scripts import chain
from scripts.database import HOME
from scripts.environment import locked, say
from tests.contracts.chain import Chain, sign

FOLDER = HOME / "var" / "peers"
REQUEST = "@requestnetwork/smart-contracts@0.48.0"
SABLIER, COMPTROLLER = "@sablier/lockup@4.0.1", "@sablier/evm-utils@2.0.1"  # the second is what the first is deployed with
HASHES = {
    REQUEST: "g8an6pYk/+a4cPphjMSRctyOco7TUUjZ7m1lbwCRcqbpRB4iiEuuVMl31qlDO2diFzd0qnkcELGxDcuMTxQIIw==",
    SABLIER: "jEWd1RqcYpjFx9X5SCju9Aqlge+R5zSxb+7K2jYt7wtytTQmUzIRN+q4UadMcJMSmskHU+6mf9lDfkng9Bgjrw==",
    COMPTROLLER: "LRyCMKTHMbnUbiTTO1IGsCVXzl+KL63K3qSjynwmXOZhUfPDE0MIqvvRlvF34JukWGy60IkdmnsPD0lWk+fzuw==",
}
FETCHING_TAKES = 120
CLIENT, BUILDER = chain.CLIENTS[0], chain.BUILDER
PRICE, MORE = 500_000_000, 150_500_000
WEEK = 604_800
NOBODY = "0x" + 40 * "0"


class NotMeasured(Exception):
    """Why the others could not be measured."""


@dataclass(frozen=True)
class Peer:
    """A design, the way more money gets into a running deal of it, and the way this money gets out; gas of both."""

    design: str
    more: str
    gas: int
    payout: str = "with the deal"
    payout_gas: int = 0


def table(peers: list[Peer]) -> list[str]:
    """The lines of the comparison as docs/escrow.md has them."""
    lines = ["| design | more money for a running deal | gas | paid out by | gas |", "| --- | --- | ---: | --- | ---: |"]
    return lines + [f"| {peer.design} | {peer.more} | {peer.gas:,} | {peer.payout} | {peer.payout_gas:,} |" for peer in peers]


def measure() -> list[Peer]:
    """All of them on one chain, ours too."""
    fetch()
    with chain.running() as url:
        settings = chain.deploy(url)
        w3 = chain.connected(url)
        token = w3.eth.contract(settings["USDC_ADDRESS"], abi=chain.artifact("MockUSDC")["abi"])
        for person in (CLIENT, BUILDER):  # whoever has had the token before pays less for a transfer
            chain.fund(url, token.address, chain.account_address(person), chain.PURSE_UNITS)
        escrow = w3.eth.contract(settings["ESCROW_ADDRESS"], abi=chain.artifact("OrderEscrow")["abi"])
        return [*ours(w3, escrow, token), request(w3, token), sablier(w3, token, url)]


def ours(w3: Any, escrow: Any, token: Any) -> list[Peer]:
    """Our amendment out of the float and out of the client's wallet, and what a second deal would be here."""
    client, builder, operator = (chain.account_address(index) for index in (CLIENT, BUILDER, chain.OPERATOR))
    now, do = int(w3.eth.get_block("latest").timestamp), escrow.functions
    key = (bytes([number]) * 32 for number in count(1))
    opened = [gas(w3, do.createEscrow(turn, client, builder, MORE, 0, 1000, now + 4 * WEEK, next(key)), chain.OPERATOR) for turn in (1, 2)]
    amended = gas(w3, do.amendEscrow(1, MORE, 0, next(key)), chain.OPERATOR)
    signed = {"from": client, "to": operator, "value": MORE, "validAfter": 0, "validBefore": now + WEEK, "nonce": next(key)}
    signature = sign(Chain(w3, usdc=token), chain.account(CLIENT).key, "ReceiveWithAuthorization", signed)
    collected = gas(w3, token.functions.receiveWithAuthorization(*signed.values(), *signature), chain.OPERATOR)
    released = [gas(w3, do.release(turn, MORE, 0, next(key)), chain.OPERATOR) for turn in (1, 2)]
    return [
        Peer("OrderEscrow", "`amendEscrow`", amended),
        Peer("OrderEscrow, out of the client's wallet", "`receiveWithAuthorization`, then `amendEscrow`", collected + amended),
        Peer("OrderEscrow, were it a second deal", "a second `createEscrow`", opened[-1], "a second `release`", released[-1]),
    ]


def request(w3: Any, token: Any) -> Peer:
    """Request's ERC20EscrowToPay: a second payment with a reference of its own. It refuses a payment without a fee."""
    proxy = created(w3, *request_build("ERC20FeeProxy"))
    escrow = created(w3, *request_build("ERC20EscrowToPay"), proxy.address, chain.account_address(chain.ADMIN))
    gas(w3, token.functions.approve(escrow.address, chain.PURSE_UNITS), CLIENT)
    gas(w3, escrow.functions.approvePaymentProxyToSpend(token.address), chain.ADMIN)
    builder, platform = (chain.account_address(index) for index in (BUILDER, chain.PLATFORM))
    spent = []
    for turn, amount in enumerate((PRICE, MORE), start=1):
        paid = escrow.functions.payEscrow(token.address, builder, amount, bytes([turn]) * 8, amount // 10, platform)
        spent.append(gas(w3, paid, CLIENT))
    held(token, escrow)
    payout = gas(w3, escrow.functions.payRequestFromEscrow(bytes([2]) * 8), CLIENT)
    return Peer(f"Request ERC20EscrowToPay ({REQUEST})", "a second `payEscrow`", spent[-1], "a second `payRequestFromEscrow`", payout)


def sablier(w3: Any, token: Any, url: str) -> Peer:
    """Sablier Lockup: a second stream, linear over a week without a cliff, which can be cancelled; its fee for withdrawals is 0."""
    helpers, maths = (created(w3, *sablier_build(SABLIER, f"libraries/{name}")) for name in ("LockupHelpers", "LockupMath"))
    logic_abi, logic_code = sablier_build(COMPTROLLER, "SablierComptroller")
    admin = chain.account_address(chain.ADMIN)
    logic = created(w3, logic_abi, logic_code, admin)
    begin = logic.encode_abi("initialize", args=[admin, 0, 0, 0, 0, NOBODY])
    comptroller = created(w3, *sablier_build(COMPTROLLER, "ERC1967Proxy"), logic.address, begin)
    describer = created(w3, *sablier_build(SABLIER, "LockupNFTDescriptor"))
    libraries = {"LockupHelpers": helpers.address, "LockupMath": maths.address}
    lockup = created(w3, *sablier_build(SABLIER, "SablierLockup", libraries), comptroller.address, describer.address)
    gas(w3, token.functions.approve(lockup.address, chain.PURSE_UNITS), CLIENT)
    client, builder = chain.account_address(CLIENT), chain.account_address(BUILDER)
    spent = []
    for amount in (PRICE, MORE):
        stream = (client, builder, amount, token.address, True, False, "")
        spent.append(gas(w3, lockup.functions.createWithDurationsLL(stream, (0, 0), 0, (0, WEEK)), CLIENT))
    held(token, lockup)
    chain.ask(url, "evm_increaseTime", 2 * WEEK)
    chain.ask(url, "evm_mine")
    payout = gas(w3, lockup.functions.withdraw(2, builder, MORE), BUILDER)
    return Peer(f"Sablier Lockup ({SABLIER})", "a second `createWithDurationsLL`", spent[-1], "a second `withdraw`", payout)


def held(token: Any, contract: Any) -> None:
    """Make sure that the money of both deals is there: a call that did less is no comparison."""
    if token.functions.balanceOf(contract.address).call() != PRICE + MORE:
        raise NotMeasured(f"{contract.address} does not hold what was paid in.")


def gas(w3: Any, call: Any, index: int) -> int:
    """Carry a call out; the gas it used."""
    return int(chain.settle(w3, call, index)["gasUsed"])


def created(w3: Any, abi: Any, code: str, *arguments: object) -> Any:
    """Deploy what was compiled elsewhere."""
    made = chain.settle(w3, w3.eth.contract(abi=abi, bytecode=code).constructor(*arguments), chain.ADMIN)
    return w3.eth.contract(made["contractAddress"], abi=abi)


def request_build(name: str) -> tuple[Any, str]:
    """Interface and code of a contract of Request's; the code stands in a script only, which is read and not run."""
    script = member(REQUEST, f"types/factories/src/contracts/{name}__factory.js")
    abi = json.loads(member(REQUEST, f"dist/src/lib/artifacts/{name}/0.1.0.json"))["abi"]
    if found := re.search(r'_bytecode = "(0x[0-9a-f]+)"', script):
        return abi, found[1]
    raise NotMeasured(f"{REQUEST} has no code of {name}.")


def sablier_build(package: str, name: str, libraries: dict[str, str] | None = None) -> tuple[Any, str]:
    """Interface and code of a contract of Sablier's, with the addresses of its libraries put in."""
    made = json.loads(member(package, f"artifacts/{name}.json"))
    return made["abi"], linked(made["bytecode"]["object"], made["bytecode"]["linkReferences"], libraries or {})


def linked(code: str, references: dict[str, dict[str, list[dict[str, int]]]], libraries: dict[str, str]) -> str:
    """Code with the addresses of libraries where the compiler left room for them."""
    for names in references.values():
        for name, places in names.items():
            for place in places:
                start = 2 + 2 * place["start"]  # after 0x
                code = code[:start] + libraries[name].removeprefix("0x").lower() + code[start + 2 * place["length"] :]
    return code


def fetch() -> None:
    """Make sure that all packages are here as they were published."""
    with locked(HOME / "var" / "peers.lock", "another process is fetching packages; waiting for it"):
        missing = [package for package in HASHES if not is_whole(package)]
        if not missing:
            return
        npm = shutil.which("npm")
        if npm is None:
            raise NotMeasured("builds of others come by npm, and there is no npm (apt-get install npm, brew install node).")
        say(f"fetching {', '.join(missing)} by npm")
        FOLDER.mkdir(parents=True, exist_ok=True)
        # Packed and not installed: of what they depend on nothing is needed to deploy them, and one depends on a repository.
        command = [npm, "pack", "--ignore-scripts", "--fetch-retries=1", f"--pack-destination={FOLDER}", *missing]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command, cwd=FOLDER, check=False, timeout=FETCHING_TAKES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        for package in missing:
            if not is_whole(package):
                archive(package).unlink(missing_ok=True)
                raise NotMeasured(f"npm could not fetch {package} with the hash that is known of it.")


def is_whole(package: str) -> bool:
    """Whether the package is here with its hash."""
    path = archive(package)
    return path.exists() and base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode() == HASHES[package]


def archive(package: str) -> Path:
    """Where npm packs a package to."""
    name, version = package.removeprefix("@").replace("/", "-").rsplit("@", 1)
    return FOLDER / f"{name}-{version}.tgz"


def member(package: str, path: str) -> str:
    """One file of a package."""
    with tarfile.open(archive(package)) as opened:
        found = opened.extractfile(f"package/{path}")
        if found is None:
            raise NotMeasured(f"{package} has no file {path}.")
        return found.read().decode()
