"""Pages of orders and of the offers that lead to one."""

from .offers import accept_offer, counter_offer, decline_offer, new_offer, send_counter, show_offer, withdraw_offer
from .orders import accept, answer, cancel, deliver, detail, list_orders, live, message, place, review, revision, today
from .suggestions import dismiss_suggestion, send_suggestion

__all__ = [
    "accept",
    "accept_offer",
    "answer",
    "cancel",
    "counter_offer",
    "decline_offer",
    "deliver",
    "detail",
    "dismiss_suggestion",
    "list_orders",
    "live",
    "message",
    "new_offer",
    "place",
    "review",
    "revision",
    "send_counter",
    "send_suggestion",
    "show_offer",
    "today",
    "withdraw_offer",
]
