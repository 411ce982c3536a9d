"""The pages of a change: proposing it, answering it, and how it came into force."""

from .answering import approve, ask, decline, money_back, retry, withdraw
from .proposing import extra_revision, more_time, propose, revise
from .reading import detail, list_changes, live

__all__ = [
    "approve",
    "ask",
    "decline",
    "detail",
    "extra_revision",
    "list_changes",
    "live",
    "money_back",
    "more_time",
    "propose",
    "retry",
    "revise",
    "withdraw",
]
