"""Money for staff: to look at. What moves it are actions; what gives somebody a right back are plans of the console."""

from .books import CreditAdmin, InvoiceAdmin, JournalEntryAdmin, PaymentAdmin
from .chain import ChainStatusAdmin, EscrowOperationAdmin
from .pages import MoneyAdmin
from .payouts import PayoutBatchAdmin, PayoutHoldAdmin, WithdrawalAdmin

__all__ = [
    "ChainStatusAdmin",
    "CreditAdmin",
    "EscrowOperationAdmin",
    "InvoiceAdmin",
    "JournalEntryAdmin",
    "MoneyAdmin",
    "PaymentAdmin",
    "PayoutBatchAdmin",
    "PayoutHoldAdmin",
    "WithdrawalAdmin",
]
