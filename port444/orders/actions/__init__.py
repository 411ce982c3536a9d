"""Every write of an order, from placing to review."""

from .ending import accept_delivery, auto_accept, cancel_order, cancel_unanswered, leave_review
from .purchase import lock_for_payment, order_paid, order_unpaid, place_order
from .work import answer_requirements, deliver, request_revision, save_answers

__all__ = [
    "accept_delivery",
    "answer_requirements",
    "auto_accept",
    "cancel_order",
    "cancel_unanswered",
    "deliver",
    "leave_review",
    "lock_for_payment",
    "order_paid",
    "order_unpaid",
    "place_order",
    "request_revision",
    "save_answers",
]
