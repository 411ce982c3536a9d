"""Wallets whose keys the tests hold, and settings of a chain that nobody has to run."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from port444.payments.models import Payment
from port444.payments.providers.wallet import typed_data

TREASURY = Account.from_key("0x" + "71" * 32)
PAYER, OTHER = Account.from_key("0x" + "a1" * 32), Account.from_key("0x" + "b2" * 32)
SETTINGS = {
    "ESCROW_BACKEND": "web3",
    "CHAIN_ID": 31337,
    "CHAIN_NAME": "Local chain",
    "CHAIN_RPC_URL": "http://127.0.0.1:9/",
    "CHAIN_OPERATOR_KEY": "",
    "CHAIN_TREASURY_ADDRESS": TREASURY.address,
    "CHAIN_PLATFORM_ADDRESS": "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    "ESCROW_ADDRESS": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "USDC_ADDRESS": "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512",
    "PAYMENT_PROVIDERS": ["wallet", "sandbox"],
}


def signed(payment: Payment, account: Any = PAYER, *, claims: str = "", domain: dict[str, Any] | None = None, **changes: Any) -> str:
    """What a wallet signs for a payment, with `changes` in the message; `claims` is the address it says to be."""
    data = typed_data(payment, claims or account.address)
    data["message"] = {**data["message"], **changes}
    data["domain"] = {**data["domain"], **(domain or {})}
    for name in ("value", "validAfter", "validBefore"):
        data["message"][name] = int(data["message"][name])
    return str(Account.sign_message(encode_typed_data(full_message=data), account.key).signature.to_0x_hex())
