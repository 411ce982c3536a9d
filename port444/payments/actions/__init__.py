"""Every write of payments, one module a noun."""

from __future__ import annotations

from .batches import close_batch, export_batch, make_batch, mark_line_failed, mark_line_sent, settle_batch
from .credits import Grant, issue_credit
from .details import change_bank_account, change_payout_address, check_address, remove_bank_account
from .invoices import Line, close_unpaid, open_invoice, settle_covered, settle_invoice, void_invoice
from .own_wallet import (
    choose_again,
    collected,
    collection_failed,
    note_hash,
    note_own_wallet,
    part_ended,
    part_failed,
    return_transfer,
    send_from_wallet,
    sign_with_wallet,
)
from .payments import change_provider, end_attempt, expire_invoice, expire_payment, reach_provider, reconcile_payment, record_answer, start_payment
from .refunds import complete_refund, fail_refund, request_refund, retry_refund, send_refund
from .repayment import repay, undo_funding
from .wallet import answer_wallet, pay_with_test_wallet
from .withdrawals import (
    begin_withdrawal,
    cancel_withdrawal,
    complete_withdrawal,
    end_hold,
    fail_withdrawal,
    give_back_withdrawal,
    hold_withdrawal,
    hold_withdrawals_of,
    release_withdrawal,
    request_withdrawal,
    send_withdrawal,
)

__all__ = [
    "Grant",
    "Line",
    "answer_wallet",
    "begin_withdrawal",
    "cancel_withdrawal",
    "change_bank_account",
    "change_payout_address",
    "change_provider",
    "check_address",
    "choose_again",
    "close_batch",
    "close_unpaid",
    "collected",
    "collection_failed",
    "complete_refund",
    "complete_withdrawal",
    "end_attempt",
    "end_hold",
    "expire_invoice",
    "expire_payment",
    "export_batch",
    "fail_refund",
    "fail_withdrawal",
    "give_back_withdrawal",
    "hold_withdrawal",
    "hold_withdrawals_of",
    "issue_credit",
    "make_batch",
    "mark_line_failed",
    "mark_line_sent",
    "note_hash",
    "note_own_wallet",
    "open_invoice",
    "part_ended",
    "part_failed",
    "pay_with_test_wallet",
    "reach_provider",
    "reconcile_payment",
    "record_answer",
    "release_withdrawal",
    "remove_bank_account",
    "repay",
    "request_refund",
    "request_withdrawal",
    "retry_refund",
    "return_transfer",
    "send_from_wallet",
    "send_refund",
    "send_withdrawal",
    "settle_batch",
    "settle_covered",
    "settle_invoice",
    "sign_with_wallet",
    "start_payment",
    "undo_funding",
    "void_invoice",
]
