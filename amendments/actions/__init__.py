"""Every write of an amendment, from proposing to being in force."""

from amendments.terms import Terms

from .answering import approve, ask_for_changes, decline
from .closing import amendment_unpaid, dispute_begins, expire, order_ends, work_is_handed_over
from .funding import amendment_paid, escrow_gave_up, escrow_took_it, lock_for_payment, retry_funding, take_money_back
from .proposing import propose, revise, withdraw

__all__ = [
    "Terms",
    "amendment_paid",
    "amendment_unpaid",
    "approve",
    "ask_for_changes",
    "decline",
    "dispute_begins",
    "escrow_gave_up",
    "escrow_took_it",
    "expire",
    "lock_for_payment",
    "order_ends",
    "propose",
    "retry_funding",
    "revise",
    "take_money_back",
    "withdraw",
    "work_is_handed_over",
]
