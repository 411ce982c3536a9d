"""Settings of a chain with which money could be lost, found by `manage.py check` and by every command."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

LOCAL = (31337, 1337)
TESTNETS = (11155111, 17000, 560048, 84532, 11155420, 421614, 80002, 43113, 97)  # their tokens are worth nothing
# How the SHA-256 of the private keys begin that anvil and hardhat give to everybody.
EVERYBODYS = """
59891c96881dfbcf bca4c2c0761d850f 193ae84c4c9567c2 e25a680eff8baac7 6718ba8966161cc8 ac29b3735d1b5718 93e372c67f7238fa
59ad99d565557cc0 2d1831e800ec18fe 25061aad2bb09178 ea72a3e7d4937af3 e77b7f2257fe244c 3d10abbc9c3e287b 6503803831c946cd
74f97a55058da1ba b8acf5d5eb4e7fd0 a9c85ef9ebbbe068 c188a572f30c631c ac70e04ef12b755b fd375fcf38ac71dd
"""
KEYS = ("CHAIN_OPERATOR_KEY", "CHAIN_ARBITER_KEY")
ADDRESSES = ("ESCROW_ADDRESS", "USDC_ADDRESS", "CHAIN_PLATFORM_ADDRESS", "CHAIN_TREASURY_ADDRESS")
NEEDED = ("CHAIN_ID", "CHAIN_RPC_URL", "ESCROW_ADDRESS", "USDC_ADDRESS", "CHAIN_PLATFORM_ADDRESS")


def chain(app_configs: Any = None, **options: Any) -> Sequence[CheckMessage]:
    """Errors of the settings of the chain, in every environment. No message quotes a key."""
    return [*_backend(), *_keys(), *_addresses(), *_accounts()]


def _backend() -> Iterator[CheckMessage]:
    if settings.ESCROW_BACKEND not in ("ledger", "web3"):
        yield Error(f"ESCROW_BACKEND is {settings.ESCROW_BACKEND!r}.", hint="Set it to ledger or web3.", id="port444.E020")
    missing = [name for name in NEEDED if not getattr(settings, name)]
    if settings.ESCROW_BACKEND == "web3" and missing:
        yield Error(f"ESCROW_BACKEND is web3 without {', '.join(missing)}.", hint="See the chapter on settings in docs/escrow.md.", id="port444.E021")
    if settings.ESCROW_BACKEND == "web3" and settings.CHAIN_ID not in (*LOCAL, *TESTNETS) and "sandbox" in settings.PAYMENT_PROVIDERS:
        hint = "Take sandbox out of PAYMENT_PROVIDERS, or use a test network."
        yield Error("Money of the test wallet would be locked and paid out as real money of the chain.", hint=hint, id="port444.E029")
    if settings.CHAIN_SIGNER not in ("env", "kms"):
        yield Error(f"CHAIN_SIGNER is {settings.CHAIN_SIGNER!r}.", hint="Set it to env or kms.", id="port444.E022")
    elif settings.CHAIN_SIGNER == "kms" and settings.ESCROW_BACKEND == "web3" and not settings.CHAIN_TREASURY_ADDRESS:
        hint = "Set it to the address of the operator's key: the web process does not ask KMS for it."
        yield Error("CHAIN_SIGNER is kms without CHAIN_TREASURY_ADDRESS.", hint=hint, id="port444.E023")


def _keys() -> Iterator[CheckMessage]:
    keys = {name: str(getattr(settings, name)) for name in KEYS if getattr(settings, name)}
    if settings.CHAIN_SIGNER == "env":
        for name, key in keys.items():
            digits = key.lower().removeprefix("0x")
            if not re.fullmatch(r"[0-9a-f]{64}", digits):
                yield Error(f"{name} is not a private key.", hint="It is 0x and 64 hexadecimal digits.", id="port444.E024")
            elif settings.CHAIN_ID not in LOCAL and hashlib.sha256(bytes.fromhex(digits)).hexdigest()[:16] in EVERYBODYS:
                hint = f"Make a key of your own; these are good for the chains {LOCAL[0]} and {LOCAL[1]} on one's own machine alone."
                yield Error(f"{name} is one of the keys that anvil and hardhat give to everybody.", hint=hint, id="port444.E025")
    if len(keys) == len(KEYS) and len({key.lower().removeprefix("0x") for key in keys.values()}) == 1:
        hint = "The arbiter may do what the operator may not; whoever gets hold of one key must not have both."
        yield Error("CHAIN_OPERATOR_KEY and CHAIN_ARBITER_KEY are the same.", hint=hint, id="port444.E026")


def _addresses() -> Iterator[CheckMessage]:
    for name in ADDRESSES:
        address = getattr(settings, name)
        if address and not _is_address(address):
            hint = "An address is 0x and 40 hexadecimal digits, in small letters or with the capitals of EIP-55."
            yield Error(f"{name} is not an address, or a digit of it is wrong.", hint=hint, id="port444.E027")


def _accounts() -> Iterator[CheckMessage]:
    treasury, platform = settings.CHAIN_TREASURY_ADDRESS.lower(), settings.CHAIN_PLATFORM_ADDRESS.lower()
    if treasury and treasury == platform:
        hint = "They stand for the client's and for the builder's side; the contract refuses a deal of an account with itself."
        yield Error("CHAIN_TREASURY_ADDRESS and CHAIN_PLATFORM_ADDRESS are the same.", hint=hint, id="port444.E028")


def _is_address(text: str) -> bool:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        return False
    digits = text[2:]
    return digits == digits.lower() or digits == _checksummed(digits.lower())


def _checksummed(digits: str) -> str:
    """With the capitals that EIP-55 gives to an address."""
    from eth_hash.auto import keccak  # needed only with a chain

    hashed = keccak(digits.encode()).hex()
    return "".join(each.upper() if int(nibble, 16) >= 8 else each for each, nibble in zip(digits, hashed[:40], strict=True))
