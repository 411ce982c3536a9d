"""Everything that staff write."""

from .alerts import alerts_due, hold_for, on_incident, send_alert, send_digest
from .disputes import draft_decision, write_to_sides
from .plans import (
    approve_plan,
    draft_plan,
    execute_approved,
    execute_plan,
    expire_plans,
    refresh_plan,
    reject_plan,
    submit_plan,
    why_second_person,
    withdraw_plan,
)
from .reading import note_export, note_look, note_person_seen, note_reading
from .records import note_action
from .threads import open_thread
from .viewings import (
    cannot_view,
    end_lapsed,
    end_open_of,
    end_viewing,
    hashed,
    note_answer,
    note_page,
    note_refusal,
    order_of,
    start_viewing,
    why_over,
)

__all__ = [
    "alerts_due",
    "approve_plan",
    "cannot_view",
    "draft_decision",
    "draft_plan",
    "end_lapsed",
    "end_open_of",
    "end_viewing",
    "execute_approved",
    "execute_plan",
    "expire_plans",
    "hashed",
    "hold_for",
    "note_action",
    "note_answer",
    "note_export",
    "note_look",
    "note_page",
    "note_person_seen",
    "note_reading",
    "note_refusal",
    "on_incident",
    "open_thread",
    "order_of",
    "refresh_plan",
    "reject_plan",
    "send_alert",
    "send_digest",
    "start_viewing",
    "submit_plan",
    "why_over",
    "why_second_person",
    "withdraw_plan",
    "write_to_sides",
]
