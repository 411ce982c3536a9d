"""A client's own wallet on the chain: the browser asks it, and what is read from the chain alone says whether money came.

Two ways. The client signs an authorization (EIP-3009) that names the platform, the exact amount and the end of the time to pay,
and the platform's operation collects it; no gas is needed. Or the client sends the token, and the transfer is found on the chain
by its sender and its amount. Nothing here talks to a network: operations are inserted, and the worker of the chain carries them
out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.money import ZERO
from port444.payments.escrow import books, web3
from port444.payments.escrow.chain.contract import from_units, to_units
from port444.payments.models import (
    VOID,
    WAITING,
    ChainTransfer,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Payment,
    Refund,
    WalletMethod,
    WalletPayment,
    Withdrawal,
)

from .protocol import Answer, Outcome, Refused, Report, Unavailable

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# A transfer that the wallet has sent may wait for its block for this long after the time to pay.
GRACE = timedelta(minutes=15)
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TRANSFER = "a9059cbb"  # transfer(address,uint256)
LOCAL_CHAINS = (31337, 1337)
AUTHORIZATION = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]
DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


class Wallet:
    name = "wallet"
    label = gettext_lazy("Your own wallet")

    @property
    def text(self) -> str:
        if settings.CHAIN_NAME:
            return _("USDC on %(chain)s, from the wallet in your browser. By signature it costs no gas.") % {"chain": settings.CHAIN_NAME}
        return _("USDC, from the wallet in your browser. By signature it costs no gas.")

    def require(self) -> None:
        if not (settings.ESCROW_BACKEND == "web3" and settings.CHAIN_ID and settings.USDC_ADDRESS and treasury()):
            raise Refused(_("Paying from your own wallet is not open here. Nothing was taken."), code="payments_closed")

    def create(self, payment: Payment) -> Answer:
        self.require()
        return Answer(external_id=f"wallet-{payment.pk}", pay_url=reverse("payments:own_wallet", args=[payment.pk]))

    def fetch(self, payment: Payment) -> Report:
        wallet = WalletPayment.objects.filter(payment=payment).first()
        if wallet is None:
            return Report(Outcome.PENDING)
        if wallet.method == WalletMethod.TRANSFER:
            return _transferred(payment) or Report(Outcome.PENDING)
        operation = collection(payment)
        if operation is None:
            return Report(Outcome.PENDING)
        if operation.status == EscrowStatus.CONFIRMED:
            return Report(Outcome.SUCCEEDED, operation.amount, tx_hash=operation.tx_hash)
        if operation.status in VOID:
            return Report(Outcome.FAILED, reason=wallet.failure or gettext_noop("The signature could not be used."))
        return Report(Outcome.PENDING)

    def expire(self, payment: Payment) -> Report:
        wallet = WalletPayment.objects.filter(payment=payment).first()
        if wallet is None:
            return Report(Outcome.EXPIRED)
        if wallet.method == WalletMethod.TRANSFER:
            waiting = wallet.tx_hash != "" and now() < payment.expires_at + GRACE
            return _transferred(payment) or Report(Outcome.PENDING if waiting else Outcome.EXPIRED)
        operation = collection(payment)
        if operation is not None and operation.status in WAITING:
            try:
                operation = books.cancel(operation.op_id)
            except Conflict:
                operation = collection(payment)  # it was signed at this moment and may take effect
        if operation is None or operation.status == EscrowStatus.CANCELLED:
            return Report(Outcome.EXPIRED)
        return self.fetch(payment)

    def refund(self, refund: Refund) -> str:
        """Out of what escrow has set aside for the payer's address as far as it goes, the rest from the platform's float."""
        wallet = WalletPayment.objects.filter(payment=refund.payment_id).first()
        if wallet is None:
            raise Refused("No wallet is known that this was paid from.")
        parts = [Part(EscrowKind.WITHDRAW, claimant(refund) or wallet.address, refund.escrowed)]
        parts.append(Part(EscrowKind.PAY, wallet.address, refund.amount - refund.escrowed))
        return _moved("refund", refund, lambda: parts)

    def payout(self, withdrawal: Withdrawal) -> str:
        """Out of what escrow has set aside for that address as far as it goes, the rest from the platform's float. What lies there for
        an earlier address can go to no other; `clearing` has seen to it that none of it is asked for here."""

        def parts() -> list[Part]:
            claims = {address.lower(): claim for address, claim in web3.claims(withdrawal.user_id).items()}
            claimed = min(withdrawal.arrives, claims.get(withdrawal.address.lower(), ZERO))
            return [
                Part(EscrowKind.WITHDRAW, withdrawal.address, claimed),
                Part(EscrowKind.PAY, withdrawal.address, withdrawal.arrives - claimed),
            ]

        return _moved("withdrawal", withdrawal, parts)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the at most two operations by which money goes out."""

    kind: EscrowKind
    address: str
    amount: Decimal


def _moved(purpose: str, row: Refund | Withdrawal, parts: Callable[[], list[Part]]) -> str:
    """Insert the operations once, and give the last one's transaction when all are confirmed.

    Raises Unavailable until then, and Refused when one was given up before anything moved. A row that failed before and is sent
    again gets operations of its own.
    """
    since = row.failed_at
    with transaction.atomic():
        if isinstance(row, Withdrawal):
            User.objects.lock(row.user_id)  # before looking: two at once would find nothing, and split the same amount differently
        done = web3.in_force(EscrowOperation.objects.filter(purpose=purpose, subject_id=row.pk).order_by("number"))
        tries = sum(1 for one in done if since is not None and one.status in VOID and one.created_at <= since)
        done = [one for one in done if not (since is not None and one.status in VOID and one.created_at <= since)]
        if not done:
            for part in parts():
                if part.amount > 0:
                    done.append(_ask(purpose, row, part, f"{purpose}:{row.pk}:{part.kind}" + (f":{tries}" if tries else "")))
    if all(one.status == EscrowStatus.CONFIRMED for one in done):
        return done[-1].tx_hash
    if any(one.status in VOID for one in done):
        _stop(done)
        raise Refused(next(one.reason for one in done if one.status in VOID) or gettext_noop("It could not be sent on the chain."))
    raise Unavailable("It is on its way on the chain.")


def _ask(purpose: str, row: Refund | Withdrawal, part: Part, key: str) -> EscrowOperation:
    if part.kind == EscrowKind.PAY:
        return web3.pay(purpose, row.pk, part.address, part.amount, key)
    builder_id = row.user_id if isinstance(row, Withdrawal) else None
    return web3.withdraw(purpose, row.pk, part.address, part.amount, key, builder_id=builder_id)


def _stop(parts: list[EscrowOperation]) -> None:
    """When one part was given up, the other must not go out alone. Raises Unavailable while it still may, or when it has."""
    for one in parts:
        if one.status in WAITING:
            try:
                books.cancel(one.op_id)
            except Conflict:
                raise Unavailable("A part of it is on its way on the chain.") from None
        elif one.status not in VOID:
            raise Unavailable("A part of it has been sent, the rest was given up; a person has to look at it.")


def _transferred(payment: Payment) -> Report | None:
    transfer = ChainTransfer.objects.filter(payment=payment, gone_at=None).first()
    return Report(Outcome.SUCCEEDED, from_units(int(transfer.units)), tx_hash=transfer.tx_hash) if transfer is not None else None


def collection(payment: Payment) -> EscrowOperation | None:
    """The operation that collects what the payer signed for."""
    return EscrowOperation.objects.filter(op_id=collect_key(payment.pk)).first()


def collect_key(payment_id: UUID) -> str:
    return f"payment:{payment_id}:collect"


def claimant(refund: Refund) -> str:
    """The address that the contract knows as the client of the deal that a refund is of."""
    deal = refund.payment.invoice.deal_id
    opening = EscrowOperation.objects.filter(subject_id=deal, kind=EscrowKind.OPEN).exclude(status__in=VOID).first() if deal else None
    address: str = opening.args.get("client", "") if opening is not None else ""
    return "" if is_ours(address) else address


def is_ours(address: str) -> bool:
    """Whether the platform holds the key of an address."""
    return address.lower() in {treasury().lower(), settings.CHAIN_PLATFORM_ADDRESS.lower()}


def treasury() -> str:
    """Where wallets pay to: the operator's account."""
    try:
        return web3.treasury()
    except ImproperlyConfigured:
        return ""


def checked_address(text: str) -> str:
    """An address with its checksum. Raises Invalid for what is none, for a wrong checksum and for our own."""
    from eth_utils import is_checksum_address, to_checksum_address

    text = text.strip()
    written = text[2:]
    mixed = written not in (written.lower(), written.upper())
    if not ADDRESS.fullmatch(text) or int(text, 16) == 0 or (mixed and not is_checksum_address(text)):
        raise Invalid(_("That is not the address of a wallet."), code="address_format")
    address: str = to_checksum_address(text)
    if is_ours(address) or address.lower() in {settings.ESCROW_ADDRESS.lower(), settings.USDC_ADDRESS.lower()}:
        raise Invalid(_("This is an address of the platform, not of a client's wallet."), code="address_ours")
    return address


def nonce_of(payment_id: UUID) -> str:
    """The authorization's nonce: one for a payment, so that two signatures for it can be used once together."""
    return "0x" + hashlib.sha256(f"port444:v1:{settings.CHAIN_ID}:payment:{payment_id}".encode()).hexdigest()


def valid_before(payment: Payment) -> int:
    """The second from which the token refuses the authorization: the end of the time to pay."""
    return int(payment.expires_at.timestamp())


def typed_data(payment: Payment, address: str) -> dict[str, Any]:
    """What the wallet signs (EIP-712): exactly this amount, from `address` to the platform, until the time to pay is over."""
    return {
        "types": {"EIP712Domain": DOMAIN, "ReceiveWithAuthorization": AUTHORIZATION},
        "primaryType": "ReceiveWithAuthorization",
        "domain": {
            "name": settings.USDC_DOMAIN_NAME,
            "version": settings.USDC_DOMAIN_VERSION,
            "chainId": settings.CHAIN_ID,
            "verifyingContract": settings.USDC_ADDRESS,
        },
        "message": {
            "from": address,
            "to": treasury(),
            "value": str(to_units(payment.amount)),
            "validAfter": "0",
            "validBefore": str(valid_before(payment)),
            "nonce": nonce_of(payment.pk),
        },
    }


def normal_signature(signature: str) -> str:
    """A signature as the token takes it: 65 bytes, the lower s, v 27 or 28. Raises Invalid for what is none."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 65:
        raise Invalid(_("This wallet signs in a way that the token does not take. Send the amount from it instead."), code="signature_format")
    r, s, v = raw[:32], int.from_bytes(raw[32:64]), raw[64]
    v += 27 if v < 27 else 0
    if s > HALF_ORDER:
        s, v = ORDER - s, 55 - v
    if v not in (27, 28) or s < 0:
        raise Invalid(_("That is not a signature."), code="signature_format")
    return "0x" + (r + s.to_bytes(32) + bytes([v])).hex()


def check_signature(payment: Payment, address: str, signature: str) -> None:
    """Raise Invalid unless `address` signed exactly what `typed_data` says: another amount, payee, end or chain is another signer."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    data = typed_data(payment, address)
    message = {name: int(part) if name in ("value", "validAfter", "validBefore") else part for name, part in data["message"].items()}
    try:
        signer = Account.recover_message(encode_typed_data(full_message={**data, "message": message}), signature=signature)
    except Exception:  # noqa: BLE001 - whatever the library makes of bytes that are no signature
        signer = ""
    if signer != address:
        raise Invalid(_("The signature is not that of this wallet for this payment. Nothing was taken."), code="signature_wrong")


def calldata(payment: Payment) -> str:
    """The call of the token that sends the amount to the platform."""
    return "0x" + TRANSFER + treasury().removeprefix("0x").lower().rjust(64, "0") + f"{to_units(payment.amount):064x}"


def public_rpc() -> str:
    """A node that a wallet may be told of; never the platform's own, whose address may carry a key."""
    return settings.CHAIN_WALLET_RPC_URL or (settings.CHAIN_RPC_URL if settings.CHAIN_ID in LOCAL_CHAINS else "")


def page_facts(payment: Payment) -> dict[str, str]:
    """What the page's script needs to ask a wallet; all of it is public, and none of it is believed when it comes back."""
    return {
        "id": hex(settings.CHAIN_ID),
        "name": settings.CHAIN_NAME or f"Chain {settings.CHAIN_ID}",
        "rpc": public_rpc(),
        "explorer": settings.CHAIN_EXPLORER_URL,
        "token": settings.USDC_ADDRESS,
        "treasury": treasury(),
        "units": str(to_units(payment.amount)),
        "calldata": calldata(payment),
        "typed": json.dumps(typed_data(payment, "")),
    }
