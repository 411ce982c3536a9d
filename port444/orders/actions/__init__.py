"""Every write of an order, from placing to review."""

from .ending import accept_delivery, auto_accept, cancel_order, cancel_unanswered, leave_review, order_repaid, order_unfunded
from .nudges import note_opened, plan_nudges, put_off_nudge, send_nudge_now, send_nudges_batch, stop_nudges
from .offers import accept_offer, counter_offer, decline_offer, reopen_offer, send_offer, withdraw_offer
from .purchase import lock_for_payment, order_funded, order_paid, order_unpaid, place_order
from .suggestions import dismiss_suggestion, send_suggestion, suggest_batch
from .terms import Change, change_terms, prolong_escrow, start_clock, stop_clock
from .work import answer_requirements, deliver, request_revision, save_answers

__all__ = [
    "Change",
    "accept_delivery",
    "accept_offer",
    "answer_requirements",
    "auto_accept",
    "cancel_order",
    "cancel_unanswered",
    "change_terms",
    "counter_offer",
    "decline_offer",
    "deliver",
    "dismiss_suggestion",
    "leave_review",
    "lock_for_payment",
    "note_opened",
    "order_funded",
    "order_paid",
    "order_repaid",
    "order_unfunded",
    "order_unpaid",
    "place_order",
    "plan_nudges",
    "prolong_escrow",
    "put_off_nudge",
    "reopen_offer",
    "request_revision",
    "save_answers",
    "send_nudge_now",
    "send_nudges_batch",
    "send_offer",
    "send_suggestion",
    "start_clock",
    "stop_clock",
    "stop_nudges",
    "suggest_batch",
    "withdraw_offer",
]
