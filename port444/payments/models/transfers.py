"""Payments from a client's own wallet on the chain."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.ids import uuid7

from .payments import Payment


class WalletMethod(models.TextChoices):
    AUTHORIZATION = "authorization", _("Signed: the platform sends it")
    TRANSFER = "transfer", _("Sent from the wallet")


class WalletPayment(models.Model):
    """How a payment comes from a client's wallet: which wallet, and by which of two ways.

    With an authorization (EIP-3009) the client signs and the platform's operation collects it. With a transfer the wallet sends
    it itself; `tx_hash` is what the page said, and proves nothing before the chain has been read.
    """

    payment = models.OneToOneField(Payment, on_delete=models.CASCADE, primary_key=True, related_name="wallet")
    chain_id = models.PositiveBigIntegerField()
    token = models.CharField(max_length=42)
    treasury = models.CharField(max_length=42)
    address = models.CharField(max_length=42)
    method = models.CharField(max_length=13, choices=WalletMethod.choices)
    from_block = models.PositiveBigIntegerField(default=0)
    valid_before = models.PositiveBigIntegerField(null=True)  # seconds since 1970
    nonce = models.CharField(max_length=66, blank=True)
    signature = models.CharField(max_length=132, blank=True)
    tx_hash = models.CharField(max_length=66, blank=True)
    failure = models.CharField(max_length=200, blank=True)
    begun_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(method__in=WalletMethod.values), name="wallet_payment_method"),
            models.UniqueConstraint(fields=["chain_id", "token", "nonce"], condition=~Q(nonce=""), name="wallet_payment_nonce_once"),
        ]
        indexes = [
            models.Index(Upper("address"), name="wallet_payment_address"),
            models.Index(fields=["tx_hash"], condition=~Q(tx_hash=""), name="wallet_payment_hash"),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} from {self.address}"


class ChainTransfer(models.Model):
    """Tokens that came to the platform's address, as read from the chain; each pays for one payment at most."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chain_id = models.PositiveBigIntegerField()
    tx_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()  # among the transfers to us in its transaction
    sender = models.CharField(max_length=42)
    units = models.DecimalField(max_digits=78, decimal_places=0)  # of 0.000001 USDC; a token can have any number of them
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="transfer", null=True)
    found_at = models.DateTimeField(default=now)
    gone_at = models.DateTimeField(null=True)  # a reorganisation has taken it away
    noted_at = models.DateTimeField(null=True)  # its payment has succeeded; until then a sweep goes on telling it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain_id", "tx_hash", "log_index"], name="chain_transfer_once")]
        indexes = [
            models.Index(fields=["sender", "found_at"], condition=Q(payment__isnull=True), name="chain_transfer_unused"),
            models.Index(fields=["found_at"], condition=Q(payment__isnull=False, noted_at__isnull=True), name="chain_transfer_unnoted"),
        ]

    def __str__(self) -> str:
        return f"{self.units} from {self.sender}"
