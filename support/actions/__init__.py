"""Everything that staff write."""

from .plans import (
    approve_plan,
    draft_plan,
    execute_approved,
    execute_plan,
    expire_plans,
    reject_plan,
    submit_plan,
    withdraw_plan,
)
from .reading import note_export, note_reading
from .records import note_action

__all__ = [
    "approve_plan",
    "draft_plan",
    "execute_approved",
    "execute_plan",
    "expire_plans",
    "note_action",
    "note_export",
    "note_reading",
    "reject_plan",
    "submit_plan",
    "withdraw_plan",
]
