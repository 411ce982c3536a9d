"""Every write to a builder's profile and portfolio."""

from __future__ import annotations

from .portfolio import (
    MOST_PICTURES,
    MOST_PIECES,
    PieceText,
    add_picture,
    add_piece,
    change_piece,
    move_piece,
    remove_picture,
    remove_piece,
)
from .profiles import (
    Profile,
    change_builder,
    change_photo,
    check_fields,
    count_completed,
    count_review,
    create_builder,
    remove_photo,
    set_call_prices,
    write_changes,
)

__all__ = [
    "MOST_PICTURES",
    "MOST_PIECES",
    "PieceText",
    "Profile",
    "add_picture",
    "add_piece",
    "change_builder",
    "change_photo",
    "change_piece",
    "check_fields",
    "count_completed",
    "count_review",
    "create_builder",
    "move_piece",
    "remove_photo",
    "remove_picture",
    "remove_piece",
    "set_call_prices",
    "write_changes",
]
