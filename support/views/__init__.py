"""The console's own pages, a module for each part."""

from .acts import export_actions, list_actions
from .audit import audit, export_audit
from .credits import credit
from .detectors import activate_detector, detector, detectors, draft_detector, try_detector
from .disputes import ask_in_dispute, decide_dispute, dispute, dispute_file, list_disputes, submit_decision
from .home import home, queue
from .incidents import (
    agree_to_close,
    check_incident,
    close_incidents,
    decide_incident,
    decline_to_close,
    end_suppression,
    hand_incident_over,
    incident,
    incidents,
    merge_incident,
    next_incident,
    note_incident,
    open_incident,
    put_incident_back,
    reopen_incident,
    suppressions,
    take_incident,
)
from .orders import order
from .person import panel, person
from .plans import approve, draft, list_plans, plan, reject, submit, withdraw
from .search import search
from .threads import open_thread, thread
from .viewer import end_viewing, revoke_viewing, view_as, viewing, viewings
from .words import remove_word, words

__all__ = [
    "activate_detector",
    "agree_to_close",
    "approve",
    "ask_in_dispute",
    "audit",
    "check_incident",
    "close_incidents",
    "credit",
    "decide_dispute",
    "decide_incident",
    "decline_to_close",
    "detector",
    "detectors",
    "dispute",
    "dispute_file",
    "draft",
    "draft_detector",
    "end_suppression",
    "end_viewing",
    "export_actions",
    "export_audit",
    "hand_incident_over",
    "home",
    "incident",
    "incidents",
    "list_actions",
    "list_disputes",
    "list_plans",
    "merge_incident",
    "next_incident",
    "note_incident",
    "open_incident",
    "open_thread",
    "order",
    "panel",
    "person",
    "plan",
    "put_incident_back",
    "queue",
    "reject",
    "remove_word",
    "reopen_incident",
    "revoke_viewing",
    "search",
    "submit",
    "submit_decision",
    "suppressions",
    "take_incident",
    "thread",
    "try_detector",
    "view_as",
    "viewing",
    "viewings",
    "withdraw",
    "words",
]
