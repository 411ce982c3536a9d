"""Every write of payments, one module a noun."""

from __future__ import annotations

from .credits import Grant, issue_credit
from .invoices import Line, close_unpaid, open_invoice, settle_covered, settle_invoice, void_invoice
from .payments import change_provider, end_attempt, expire_invoice, expire_payment, reach_provider, reconcile_payment, record_answer, start_payment
from .refunds import complete_refund, fail_refund, request_refund, retry_refund, send_refund
from .repayment import repaid_on_chain, repay, undo_funding
from .wallet import answer_wallet, pay_with_test_wallet
from .withdrawals import change_payout_address, complete_withdrawal, fail_withdrawal, request_withdrawal, send_withdrawal

__all__ = [
    "Grant",
    "Line",
    "answer_wallet",
    "change_payout_address",
    "change_provider",
    "close_unpaid",
    "complete_refund",
    "complete_withdrawal",
    "end_attempt",
    "expire_invoice",
    "expire_payment",
    "fail_refund",
    "fail_withdrawal",
    "issue_credit",
    "open_invoice",
    "pay_with_test_wallet",
    "reach_provider",
    "reconcile_payment",
    "record_answer",
    "repaid_on_chain",
    "repay",
    "request_refund",
    "request_withdrawal",
    "retry_refund",
    "send_refund",
    "send_withdrawal",
    "settle_covered",
    "settle_invoice",
    "start_payment",
    "undo_funding",
    "void_invoice",
]
