"""Search, what helps to find, and what the editor says about prices."""

from __future__ import annotations

from .browsing import market_of, parts_of, services_in, suggest
from .cursors import Cursor, Sort, Way, read_cursor
from .finding import COUNTED, PAGE, Found, Search, asked, find_services, loosen, plain
from .prices import Hint, check_prices, price_hints
from .saved import Saved, matches_of, saved_by

__all__ = [
    "COUNTED",
    "PAGE",
    "Cursor",
    "Found",
    "Hint",
    "Saved",
    "Search",
    "Sort",
    "Way",
    "asked",
    "check_prices",
    "find_services",
    "loosen",
    "market_of",
    "matches_of",
    "parts_of",
    "plain",
    "price_hints",
    "read_cursor",
    "saved_by",
    "services_in",
    "suggest",
]
