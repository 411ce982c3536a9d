"""Taking data away, and forgetting people."""

from .forgetting import Forgotten, InTheWay, anonymise_person, in_the_way, remove_file
from .own import (
    CLOSING_DAYS,
    KEPT_DAYS,
    ask_for_copy,
    ask_to_close,
    close_due,
    keep_account,
    make_copy,
    make_lost_copies,
    own_words,
    remove_copies_batch,
    told_copy,
)
from .taking import Made, export_person, export_table, require_range, require_taker

__all__ = [
    "CLOSING_DAYS",
    "KEPT_DAYS",
    "Forgotten",
    "InTheWay",
    "Made",
    "anonymise_person",
    "ask_for_copy",
    "ask_to_close",
    "close_due",
    "export_person",
    "export_table",
    "in_the_way",
    "keep_account",
    "make_copy",
    "make_lost_copies",
    "own_words",
    "remove_copies_batch",
    "remove_file",
    "require_range",
    "require_taker",
    "told_copy",
]
