"""The console's own pages, a module for each part."""

from .audit import audit, export_audit
from .home import home, queue
from .search import search
from .viewer import end_viewing, revoke_viewing, view_as, viewing, viewings

__all__ = [
    "audit",
    "end_viewing",
    "export_audit",
    "home",
    "queue",
    "revoke_viewing",
    "search",
    "view_as",
    "viewing",
    "viewings",
]
