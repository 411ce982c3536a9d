"""Work: an order from placing to review, the offers that lead to one, and what reminds people of it."""

from .nudges import AFTER, ANSWERS, DIGEST, Nudge, NudgeKind, NudgeStatus, Why
from .offers import Offer, OfferStatus, Suggestion, SuggestionStatus, discounted
from .orders import (
    CUSTOM,
    LIVE,
    PAID,
    RUNNING,
    WORKING,
    CancelCause,
    Delivery,
    Order,
    OrderQuerySet,
    OrderStatus,
    Requirement,
    Review,
    Revision,
)

__all__ = [
    "AFTER",
    "ANSWERS",
    "CUSTOM",
    "DIGEST",
    "LIVE",
    "PAID",
    "RUNNING",
    "WORKING",
    "CancelCause",
    "Delivery",
    "Nudge",
    "NudgeKind",
    "NudgeStatus",
    "Offer",
    "OfferStatus",
    "Order",
    "OrderQuerySet",
    "OrderStatus",
    "Requirement",
    "Review",
    "Revision",
    "Suggestion",
    "SuggestionStatus",
    "Why",
    "discounted",
]
