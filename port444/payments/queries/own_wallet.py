"""Reads: a payment from a person's own wallet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.money import CURRENCY, usd
from port444.payments.escrow.chain.contract import from_units
from port444.payments.models import (
    ChainTransfer,
    EscrowOperation,
    EscrowStatus,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    WalletMethod,
    WalletPayment,
)
from port444.payments.providers.wallet import collection


class WalletStage(StrEnum):
    """How far a payment from a person's own wallet is."""

    CHOOSE = "choose"  # no wallet is known yet
    SENDING = "sending"  # the wallet is known, and nobody has said that it sent anything
    SENT = "sent"  # the chain has to say the rest
    ARRIVED = "arrived"
    FAILED = "failed"
    OVER = "over"  # too late


@dataclass(frozen=True, slots=True)
class OwnWallet:
    """A payment from a person's own wallet, for its page."""

    payment: Payment
    wallet: WalletPayment | None
    operation: EscrowOperation | None
    stage: WalletStage
    misfit: ChainTransfer | None  # what came from this wallet and is not the amount

    @property
    def tx_hash(self) -> str:
        return self.operation.tx_hash if self.operation else self.wallet.tx_hash if self.wallet else ""

    @property
    def explorer_url(self) -> str:
        return settings.CHAIN_EXPLORER_URL + self.tx_hash if settings.CHAIN_EXPLORER_URL and self.tx_hash else ""

    @property
    def blocked(self) -> str:
        """Why the platform cannot collect what was signed for at the moment."""
        return self.operation.reason if self.operation and self.operation.status == EscrowStatus.BLOCKED else ""

    @property
    def misfit_words(self) -> str:
        """What is said to a person whose wallet sent something else than was asked for."""
        if self.misfit is None:
            return ""
        came = f"{self.misfit.units.scaleb(-6).normalize():f} {CURRENCY}"
        if from_units(int(self.misfit.units)) == self.payment.amount:
            return _("%(came)s came, but it is not certain which payment it is for. It was not used: we look at it. Nothing is paid yet.") % {
                "came": came
            }
        return _("%(came)s came, and %(amount)s was asked for. It was not used: we look at it and send it back. Nothing is paid yet.") % {
            "came": came,
            "amount": usd(self.payment.amount),
        }


def own_wallet(payment_id: UUID, user: User) -> OwnWallet:
    """How the user's payment from their own wallet stands. Raises Payment.DoesNotExist for everybody but the payer."""
    payment = Payment.objects.select_related("invoice__payee", "wallet").get(pk=payment_id, provider="wallet", invoice__payer=user)
    wallet: WalletPayment | None = getattr(payment, "wallet", None)
    signed = wallet is not None and wallet.method == WalletMethod.AUTHORIZATION
    misfit = None
    if wallet is not None and not signed:
        unused = ChainTransfer.objects.filter(payment=None, gone_at=None, sender__iexact=wallet.address, block_number__gte=wallet.from_block)
        misfit = unused.filter(chain_id=wallet.chain_id, found_at__gte=wallet.begun_at).order_by("-found_at").first()
    return OwnWallet(payment, wallet, collection(payment) if signed else None, _wallet_stage(payment, wallet), misfit)


def _wallet_stage(payment: Payment, wallet: WalletPayment | None) -> WalletStage:
    if payment.status == PaymentStatus.SUCCEEDED or payment.invoice.status == InvoiceStatus.PAID:
        return WalletStage.ARRIVED
    if payment.status == PaymentStatus.FAILED:
        return WalletStage.FAILED
    if payment.status == PaymentStatus.EXPIRED or payment.invoice.status == InvoiceStatus.VOID:
        return WalletStage.OVER
    if wallet is not None and (wallet.method == WalletMethod.AUTHORIZATION or wallet.tx_hash):
        return WalletStage.SENT
    if payment.expires_at <= now():
        return WalletStage.OVER
    return WalletStage.SENDING if wallet is not None else WalletStage.CHOOSE
