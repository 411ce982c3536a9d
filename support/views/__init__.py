"""The console's own pages, a module for each part."""

from .acts import export_actions, list_actions
from .audit import audit, export_audit
from .credits import credit
from .disputes import ask_in_dispute, decide_dispute, dispute, dispute_file, submit_decision
from .home import home, queue
from .orders import order
from .person import panel, person
from .plans import approve, draft, list_plans, plan, reject, submit, withdraw
from .search import search
from .threads import open_thread, thread
from .viewer import end_viewing, revoke_viewing, view_as, viewing, viewings

__all__ = [
    "approve",
    "ask_in_dispute",
    "audit",
    "credit",
    "decide_dispute",
    "dispute",
    "dispute_file",
    "draft",
    "end_viewing",
    "export_actions",
    "export_audit",
    "home",
    "list_actions",
    "list_plans",
    "open_thread",
    "order",
    "panel",
    "person",
    "plan",
    "queue",
    "reject",
    "revoke_viewing",
    "search",
    "submit",
    "submit_decision",
    "thread",
    "view_as",
    "viewing",
    "viewings",
    "withdraw",
]
