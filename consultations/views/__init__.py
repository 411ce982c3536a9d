"""Pages of calls: booking one, the calls of a person, one call, and a builder's hours."""

from .booking import book, hold, quote, times
from .calls import call_list, cancel, complete, detail, ics, join
from .hours import availability

__all__ = [
    "availability",
    "book",
    "call_list",
    "cancel",
    "complete",
    "detail",
    "hold",
    "ics",
    "join",
    "quote",
    "times",
]
