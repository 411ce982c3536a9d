from __future__ import annotations

from . import actions


def remove_file(name: str) -> None:
    """Remove the bytes of a file of somebody who was made nameless."""
    actions.remove_file(name)
