"""Pages of calls: booking one, the calls of a person, one call, and a builder's hours."""

from .absences import admit_absence, dismiss_absence, dispute_absence, report_absence
from .booking import book, hold, quote, times
from .calls import call_list, cancel, complete, detail, ics, join
from .hours import availability

__all__ = [
    "admit_absence",
    "availability",
    "book",
    "call_list",
    "cancel",
    "complete",
    "detail",
    "dismiss_absence",
    "dispute_absence",
    "hold",
    "ics",
    "join",
    "quote",
    "report_absence",
    "times",
]
