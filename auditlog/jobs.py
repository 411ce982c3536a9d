from __future__ import annotations

from .actions import ensure_partitions


def partitions() -> None:
    """Daily: keep three months of partitions ahead."""
    ensure_partitions()
