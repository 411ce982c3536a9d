"""Money: invoices, payments, refunds, the ledger, escrow operations and withdrawals.

`payments` lies below orders and calls: an invoice and an escrow operation name what they are for by purpose and id, and the
app above registers what happens when the money has moved (see `handlers`).
"""

from __future__ import annotations

from .books import AccountKind, JournalEntry, LedgerAccount, Posting
from .compensations import Basis, Compensation
from .credits import Credit, CreditEntry, CreditQuerySet, CreditScope, CreditSource, CreditStep, CreditUse, CreditUser
from .escrow import (
    FLYING,
    VOID,
    WAITING,
    ChainAnchor,
    ChainCursor,
    ChainDifference,
    ChainNonce,
    ChainSigner,
    ChainStatus,
    EscrowAttempt,
    EscrowKind,
    EscrowOperation,
    EscrowOperationQuerySet,
    EscrowStatus,
)
from .invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceQuerySet, InvoiceStatus, Series
from .payments import Payment, PaymentQuerySet, PaymentStatus, ProviderEvent, Refund, RefundQuerySet, RefundStatus
from .payouts import (
    GIVEN_BACK,
    UNDER_WAY,
    BankAccount,
    BatchStatus,
    PayoutAddress,
    PayoutBatch,
    PayoutBatchQuerySet,
    PayoutHold,
    PayoutHoldQuerySet,
    PayoutMethod,
    Withdrawal,
    WithdrawalQuerySet,
    WithdrawalStatus,
)
from .transfers import ChainTransfer, WalletMethod, WalletPayment
from .wallet import SandboxCharge, SandboxStatus, SandboxTransfer

__all__ = [
    "FLYING",
    "GIVEN_BACK",
    "UNDER_WAY",
    "VOID",
    "WAITING",
    "AccountKind",
    "BankAccount",
    "Basis",
    "BatchStatus",
    "ChainAnchor",
    "ChainCursor",
    "ChainDifference",
    "ChainNonce",
    "ChainSigner",
    "ChainStatus",
    "ChainTransfer",
    "Compensation",
    "Credit",
    "CreditEntry",
    "CreditQuerySet",
    "CreditScope",
    "CreditSource",
    "CreditStep",
    "CreditUse",
    "CreditUser",
    "EscrowAttempt",
    "EscrowKind",
    "EscrowOperation",
    "EscrowOperationQuerySet",
    "EscrowStatus",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceQuerySet",
    "InvoiceStatus",
    "JournalEntry",
    "LedgerAccount",
    "Payment",
    "PaymentQuerySet",
    "PaymentStatus",
    "PayoutAddress",
    "PayoutBatch",
    "PayoutBatchQuerySet",
    "PayoutHold",
    "PayoutHoldQuerySet",
    "PayoutMethod",
    "Posting",
    "ProviderEvent",
    "Refund",
    "RefundQuerySet",
    "RefundStatus",
    "SandboxCharge",
    "SandboxStatus",
    "SandboxTransfer",
    "Series",
    "WalletMethod",
    "WalletPayment",
    "Withdrawal",
    "WithdrawalQuerySet",
    "WithdrawalStatus",
]
