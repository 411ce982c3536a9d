"""Every write of away mode."""

from .moves import hold_to_date, keep_date, lapse_objection, object_to_move
from .planning import change_away, end_away, plan_away
from .returning import forget, is_back, is_near, remind_batch, tell_batch, want_to_know, welcome_batch

__all__ = [
    "change_away",
    "end_away",
    "forget",
    "hold_to_date",
    "is_back",
    "is_near",
    "keep_date",
    "lapse_objection",
    "object_to_move",
    "plan_away",
    "remind_batch",
    "tell_batch",
    "want_to_know",
    "welcome_batch",
]
