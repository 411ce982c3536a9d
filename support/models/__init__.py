"""What staff did, what they plan to do with money and rights, and what they looked at through somebody's eyes."""

from .plans import LIVE, Plan, PlanKind, PlanQuerySet, PlanStatus
from .records import ActionType, SupportAction
from .viewings import EndReason, ThreadOpening, ViewedPage, Viewing, ViewingQuerySet

__all__ = [
    "LIVE",
    "ActionType",
    "EndReason",
    "Plan",
    "PlanKind",
    "PlanQuerySet",
    "PlanStatus",
    "SupportAction",
    "ThreadOpening",
    "ViewedPage",
    "Viewing",
    "ViewingQuerySet",
]
