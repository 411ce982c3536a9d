"""What the pages of incidents show, read for whoever looks: nobody sees what is about themselves."""

from .listing import TABS, Wanted, counts_of, list_incidents, of_tab, rows_of, wanted_of
from .looking import EVENTS_SHOWN, Look, guide_of, judged, look_at
from .quiet import ceiling_words, list_suppressions
from .words import (
    DETECTOR_WORDS,
    MOST_SHOWN,
    OTHER_SOURCES,
    SEVERITY_TONES,
    SHOWN,
    TYPE_WORDS,
    Face,
    address,
    faces_of,
    find_incident,
    status_words,
    type_words,
)

__all__ = [
    "DETECTOR_WORDS",
    "EVENTS_SHOWN",
    "MOST_SHOWN",
    "OTHER_SOURCES",
    "SEVERITY_TONES",
    "SHOWN",
    "TABS",
    "TYPE_WORDS",
    "Face",
    "Look",
    "Wanted",
    "address",
    "ceiling_words",
    "counts_of",
    "faces_of",
    "find_incident",
    "guide_of",
    "judged",
    "list_incidents",
    "list_suppressions",
    "look_at",
    "of_tab",
    "rows_of",
    "status_words",
    "type_words",
    "wanted_of",
]
