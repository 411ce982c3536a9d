"""Reads for the pages of payments."""

from .batches import BatchSums, batch_lines, batch_sums, due_for_batch
from .books import Books, difference, look_at_books, readings
from .credits import CREDIT_STEPS_SHOWN, CreditStanding, credits_of, credits_with_uses, standing_of, steps_of
from .documents import Document, document, invoices, visible_documents
from .earnings import SHOWS, Moved, Purse, Way, Withdrawing, history, purse, withdrawals_of, withdrawals_with_why, withdrawing
from .own_wallet import OwnWallet, WalletStage, own_wallet
from .paying import Paying, Stage, paying
from .statements import EARNED, SPENT, Spending, earned, spending, spent

__all__ = [
    "CREDIT_STEPS_SHOWN",
    "EARNED",
    "SHOWS",
    "SPENT",
    "BatchSums",
    "Books",
    "CreditStanding",
    "Document",
    "Moved",
    "OwnWallet",
    "Paying",
    "Purse",
    "Spending",
    "Stage",
    "WalletStage",
    "Way",
    "Withdrawing",
    "batch_lines",
    "batch_sums",
    "credits_of",
    "credits_with_uses",
    "difference",
    "document",
    "due_for_batch",
    "earned",
    "history",
    "invoices",
    "look_at_books",
    "own_wallet",
    "paying",
    "purse",
    "readings",
    "spending",
    "spent",
    "standing_of",
    "steps_of",
    "visible_documents",
    "withdrawals_of",
    "withdrawals_with_why",
    "withdrawing",
]
