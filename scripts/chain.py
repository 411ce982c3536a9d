"""A chain of one's own for development and tests: anvil by npm, both contracts deployed to it, and accounts with test money.

    python -m scripts.chain install            make sure that anvil is there
    python -m scripts.chain node PORT OPTIONS  become anvil

The accounts are those that every anvil knows. Their keys are public, so they are good for the chain with the id 31337 and for
nothing else.
"""

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts import ports
from scripts.database import HOME, VAR
from scripts.environment import leave, locked, say

VERSION = "1.7.1"
LOCK = HOME / "scripts" / "anvil"  # package.json and package-lock.json with the hash of what is installed
FOLDER = HOME / "var" / "anvil"
MACHINES = {
    ("linux", "x86_64"): "linux-amd64",
    ("linux", "aarch64"): "linux-arm64",
    ("linux", "arm64"): "linux-arm64",
    ("darwin", "x86_64"): "darwin-amd64",
    ("darwin", "arm64"): "darwin-arm64",
}
KEPT = VAR / "chain.json"  # the settings of the contracts that ./run --chain has deployed
STATE = VAR / "anvil.json"  # what anvil remembers over a restart
HOST, PORT = "127.0.0.1", 8545
CHAIN_ID = 31337
ANSWERING_TAKES = 20.0
WORDS = "test test test test test test test test test test test junk"
# Which of the accounts does what; those after them are for people.
ADMIN, OPERATOR, ARBITER, GUARDIAN, PLATFORM = range(5)
FIRST_PERSON = 5
CLIENTS, BUILDER = (5, 6), 7  # the wallets that the demo offers
PURSE_UNITS = 25_000 * 10**6
FLOAT_UNITS = 1_000_000 * 10**6  # the operator's test USDC
UNLIMITED = 2**256 - 1
ROLES = {OPERATOR: 1, ARBITER: 2, GUARDIAN: 4}


class ChainFailed(SystemExit):
    """There is no usable anvil, or it does not do as told; the message says what to do."""


def anvil() -> Path:
    """The program: named by PORT444_ANVIL, installed before, installed now by npm, or the system's."""
    if named := os.environ.get("PORT444_ANVIL"):
        if os.access(named, os.X_OK):
            return Path(named)
        raise ChainFailed(f"PORT444_ANVIL={named} is not a program.")
    package = MACHINES.get((sys.platform, platform.machine()))
    if package is None:
        return on_path(f"There is no package of anvil for {sys.platform} on {platform.machine()}.")
    program = installed(package)
    if is_complete(program):
        return program
    npm = shutil.which("npm")
    if npm is None:
        return on_path("anvil is installed by npm, and there is no npm (apt-get install npm, brew install node).")
    with locked(HOME / "var" / "anvil.lock", "another process is installing anvil; waiting for it"):
        if not is_complete(program) and (failure := install(npm, package)):
            return on_path(f"npm could not install anvil for {package}:\n{failure}")
    return program


def on_path(why_not: str) -> Path:
    """The anvil that the system has; without one, what can be done."""
    if found := shutil.which("anvil"):
        return Path(found)
    raise ChainFailed(f"{why_not}\nInstall Foundry's anvil by hand and set PORT444_ANVIL to the program, then run this again.")


def installed(package: str) -> Path:
    """Where npm puts the program of a package."""
    return FOLDER / "node_modules" / "@foundry-rs" / f"anvil-{package}" / "bin" / "anvil"


def is_here() -> bool:
    """Whether anvil was installed by npm before."""
    package = MACHINES.get((sys.platform, platform.machine()))
    return package is not None and is_complete(installed(package))


def is_complete(program: Path) -> bool:
    """Whether the wanted version was installed to its end."""
    stamp = FOLDER / "version"
    return os.access(program, os.X_OK) and stamp.exists() and stamp.read_text() == VERSION


def install(npm: str, package: str) -> str:
    """Install one package by npm, by its hash where the lock file has it; what npm said when it failed."""
    say(f"installing anvil {VERSION} by npm")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(LOCK / name, FOLDER / name)
    command = [npm, "ci"]
    if f"anvil-{package}" not in (LOCK / "package-lock.json").read_text():
        # Of the other machines' packages no hash is kept here: npm holds them against the one that the registry names.
        for name in ("package.json", "package-lock.json"):
            (FOLDER / name).unlink()
        command = [npm, "install", "--no-save", "--no-package-lock", f"@foundry-rs/anvil-{package}@{VERSION}"]
    done = subprocess.run(
        command, cwd=FOLDER, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    if done.returncode != 0:
        return done.stdout[-800:].strip()
    (FOLDER / "version").write_text(VERSION)
    return ""


def node_command(port: int, *options: str) -> list[str]:
    """Arguments for this Python that end in anvil; with `scripts.tether` before them it dies with the process that started it."""
    return ["-m", "scripts.chain", "node", str(port), *options]


def become_node(port: str, options: list[str]) -> None:
    """Put anvil in the place of this process."""
    program = str(anvil())
    if "--state" in options:
        mend(Path(options[options.index("--state") + 1]))
    os.execv(program, [program, "--host", HOST, "--port", port, "--slots-in-an-epoch", "1", *options])


def mend(state: Path) -> None:
    """Keep a good copy of what anvil remembers: killed while it writes, it leaves half a file, and would not start again."""
    copy = state.with_suffix(".good")
    try:
        json.loads(state.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        state.unlink()
        if copy.exists():
            shutil.copyfile(copy, state)
        return
    shutil.copyfile(state, copy)


@contextlib.contextmanager
def running(port: int = 0, *options: str) -> Iterator[str]:
    """The address of an anvil that runs for as long as this; port 0 takes any that is free.

    A block is final when two came after it, so that finality can be tested.
    """
    anvil()
    with tempfile.TemporaryDirectory(prefix="anvil-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.tether", str(os.getpid()), *node_command(port, "--cache-path", folder, *options)],
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield address(process, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where a node that is just starting listens."""
    deadline = time.monotonic() + ANSWERING_TAKES
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"Listening on (\S+)", log.read_text(errors="replace")):
            return f"http://{found[1]}"
        time.sleep(0.01)
    raise ChainFailed(f"anvil does not start:\n{log.read_text(errors='replace')[-800:]}")


def ask(url: str, method: str, *params: object) -> Any:
    """One question to a node."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        said = json.load(answer)
    if "error" in said:
        raise ChainFailed(f"{method}: {said['error'].get('message')}")
    return said["result"]


def account(index: int) -> Any:
    """One of the accounts that every anvil has."""
    from eth_account import Account  # heavy, and only needed with a chain

    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(WORDS, account_path=f"m/44'/60'/0'/0/{index}")


def connected(url: str) -> Any:
    """web3 for a node of ours."""
    from web3 import Web3  # heavy, and only needed with a chain

    w3 = Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": 10}, exception_retry_configuration=None))
    if w3.eth.chain_id != CHAIN_ID:
        raise ChainFailed(f"{url} is chain {w3.eth.chain_id}; the public keys are for {CHAIN_ID} alone.")
    return w3


def artifact(name: str) -> dict[str, Any]:
    """A compiled contract."""
    found: dict[str, Any] = json.loads((HOME / "contracts" / "artifacts" / f"{name}.json").read_text())
    return found


def create(w3: Any, name: str, *arguments: object) -> Any:
    """Deploy a contract from the admin's account."""
    compiled = artifact(name)
    contract = w3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
    made = settle(w3, contract.constructor(*arguments), ADMIN)
    return w3.eth.contract(made["contractAddress"], abi=compiled["abi"])


def settle(w3: Any, call: Any, index: int) -> Any:
    """Send a call from an account of the node and wait until it is in a block."""
    receipt = w3.eth.wait_for_transaction_receipt(call.transact({"from": account_address(index)}), timeout=20, poll_latency=0.01)
    if receipt["status"] != 1:
        raise ChainFailed(f"The local chain refused {call}.")
    return receipt


_addresses: dict[int, str] = {}


def account_address(index: int) -> str:
    """The address of an account; deriving it takes a moment, so it is remembered."""
    if index not in _addresses:
        _addresses[index] = account(index).address
    return _addresses[index]


def deploy(url: str) -> dict[str, str]:
    """Deploy both contracts and give everybody their role; the settings with which the marketplace uses them.

    The operator has test USDC, gas money and an allowance for the escrow.
    """
    w3 = connected(url)
    token = create(w3, "MockUSDC")
    escrow = create(w3, "OrderEscrow", token.address, account_address(ADMIN), account_address(PLATFORM))
    for index, role in ROLES.items():
        settle(w3, escrow.functions.setRole(account_address(index), role, True), ADMIN)
    settle(w3, token.functions.mint(account_address(OPERATOR), FLOAT_UNITS), ADMIN)
    settle(w3, token.functions.approve(escrow.address, UNLIMITED), OPERATOR)
    return {
        "ESCROW_BACKEND": "web3",
        "CHAIN_ID": str(CHAIN_ID),
        "CHAIN_NAME": "Local chain",
        "CHAIN_RPC_URL": url,
        "CHAIN_AUDIT_RPC_URL": url,
        "ESCROW_ADDRESS": escrow.address,
        "USDC_ADDRESS": token.address,
        "CHAIN_PLATFORM_ADDRESS": account_address(PLATFORM),
        "CHAIN_TREASURY_ADDRESS": account_address(OPERATOR),
        "CHAIN_SIGNER": "env",
        "CHAIN_OPERATOR_KEY": account(OPERATOR).key.to_0x_hex(),
        "CHAIN_ARBITER_KEY": account(ARBITER).key.to_0x_hex(),
    }


def fund(url: str, token: str, address: str, units: int) -> None:
    """Give an account test USDC and gas money."""
    w3 = connected(url)
    contract = w3.eth.contract(token, abi=artifact("MockUSDC")["abi"])
    settle(w3, contract.functions.mint(address, units), ADMIN)
    ask(url, "anvil_setBalance", address, hex(10**21))


def free_port() -> int:
    """The usual port of a local chain, or another when somebody has it."""
    usual = int(os.environ.get("CHAIN_PORT") or PORT)
    return usual if ports.is_free(usual) else ports.free_port()


def kept_command(port: int) -> list[str]:
    """Arguments for this Python that end in the anvil of ./run --chain, which remembers its state."""
    return node_command(port, "--silent", "--cache-path", str(VAR / "anvil-cache"), "--state", str(STATE), "--state-interval", "2")


def kept_settings() -> dict[str, str]:
    """The settings of what was deployed in this `var`; nothing without a chain."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, str] = json.loads(KEPT.read_text())
        return found
    return {}


def settle_in(url: str) -> dict[str, str]:
    """Make sure that both contracts are on the chain at `url`; the settings for it, kept for `./run --chain manage`."""
    found = kept_settings()
    if found and len(ask(url, "eth_getCode", found["ESCROW_ADDRESS"], "latest")) <= 2:
        raise ChainFailed(f"The local chain has forgotten the contracts that the database knows. Remove {VAR} to begin anew.")
    if not found:
        found = {**deploy(url), "PAYMENT_PROVIDERS": "wallet,sandbox"}
        for index in CLIENTS:
            fund(url, found["USDC_ADDRESS"], account_address(index), PURSE_UNITS)
    found |= {"CHAIN_RPC_URL": url, "CHAIN_AUDIT_RPC_URL": url, "AUDIT_CHAIN_HOURS": "1"}
    KEPT.write_text(json.dumps(found, indent=1))
    return found


def answers(url: str) -> bool:
    """Whether a node of ours is there."""
    try:
        return int(ask(url, "eth_chainId"), 16) == CHAIN_ID
    except (OSError, ValueError, ChainFailed):
        return False


def greeting(settings: dict[str, str]) -> str:
    """What the end of the start says of the chain. The keys are public, and good for this chain alone."""
    lines = [
        f"Local chain {CHAIN_ID} at {settings['CHAIN_RPC_URL']}, escrow {settings['ESCROW_ADDRESS']}, USDC {settings['USDC_ADDRESS']}",
        "Wallets to import in the browser, with test USDC and gas money (public keys: never send real money there):",
    ]
    names = [*(("client", index) for index in CLIENTS), ("builder", BUILDER)]
    lines += [f"  {name:<8} {account_address(index)}  {account(index).key.to_0x_hex()}" for name, index in names]
    lines.append(
        "The builder's address can be entered as payout address. What was seeded is held in the ledger; what is ordered now goes to the chain."
    )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Install anvil, or become it."""
    if arguments[:1] == ["node"] and len(arguments) > 1:
        become_node(arguments[1], arguments[2:])
    if arguments != ["install"]:
        print(__doc__)
        return 2
    print(anvil())
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
