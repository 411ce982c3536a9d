"""The console's own pages, a module for each part."""

from .audit import audit, export_audit
from .home import home, queue
from .search import search

__all__ = [
    "audit",
    "export_audit",
    "home",
    "queue",
    "search",
]
