"""Taking data away, and forgetting people."""

from .forgetting import Forgotten, InTheWay, anonymise_person, in_the_way, remove_file
from .taking import Made, export_person, export_table, require_range, require_taker

__all__ = [
    "Forgotten",
    "InTheWay",
    "Made",
    "anonymise_person",
    "export_person",
    "export_table",
    "in_the_way",
    "remove_file",
    "require_range",
    "require_taker",
]
