"""Every write of an order, from placing to review."""

from .ending import accept_delivery, auto_accept, cancel_order, cancel_unanswered, leave_review, order_repaid, order_unfunded
from .purchase import lock_for_payment, order_funded, order_paid, order_unpaid, place_order
from .terms import Change, change_terms, start_clock, stop_clock
from .work import answer_requirements, deliver, request_revision, save_answers

__all__ = [
    "Change",
    "accept_delivery",
    "answer_requirements",
    "auto_accept",
    "cancel_order",
    "cancel_unanswered",
    "change_terms",
    "deliver",
    "leave_review",
    "lock_for_payment",
    "order_funded",
    "order_paid",
    "order_repaid",
    "order_unfunded",
    "order_unpaid",
    "place_order",
    "request_revision",
    "save_answers",
    "start_clock",
    "stop_clock",
]
