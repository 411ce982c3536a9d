from __future__ import annotations

from .finding import categories, category, search, suggestions
from .offering import create, edit, hints, mine, pause, publish
from .saved import change_search, look_at_search, remove_search, save_search, saved_searches
from .services import card, cover, service

__all__ = [
    "card",
    "categories",
    "category",
    "change_search",
    "cover",
    "create",
    "edit",
    "hints",
    "look_at_search",
    "mine",
    "pause",
    "publish",
    "remove_search",
    "save_search",
    "saved_searches",
    "search",
    "service",
    "suggestions",
]
