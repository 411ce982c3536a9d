"""Pages of orders and of the offers that lead to one."""

from .disputes import (
    add_evidence,
    answer_dispute,
    change_figure,
    dispute,
    dispute_live,
    escalate_dispute,
    open_dispute,
    settle_dispute,
    withdraw_dispute,
)
from .insights import insights
from .offers import accept_offer, counter_offer, decline_offer, new_offer, send_counter, show_offer, withdraw_offer
from .orders import accept, again, answer, cancel, deliver, detail, list_orders, live, message, place, revision, today
from .reviews import builder_reviews, client_reviews, reply, report_review, review, service_reviewspartings import accept_parting, decline_parting, end, withdraw_parting
from .suggestions import dismiss_suggestion, send_suggestion

__all__ = [
    "accept",
    "accept_offer",
    "accept_parting",
    "add_evidence",
    "again",
    "answer",
    "answer_dispute",
    "builder_reviews",
    "cancel",
    "change_figure",
    "client_reviews",
    "counter_offer",
    "decline_offer",
    "decline_parting",
    "deliver",
    "detail",
    "dismiss_suggestion",
    "dispute",
    "dispute_live",
    "end",
    "escalate_dispute",
    "insights",
    "list_orders",
    "live",
    "message",
    "new_offer",
    "open_dispute",
    "place",
    "reply",
    "report_review",
    "review",
    "revision",
    "send_counter",
    "send_suggestion",
    "service_reviews",
    "settle_dispute",
    "show_offer",
    "today",
    "withdraw_dispute",
    "withdraw_offer",
    "withdraw_parting",
]
