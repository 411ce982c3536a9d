from __future__ import annotations

from .actions import Behind, anchor_seals, ensure_partitions, report_behind, seal_rows


def partitions() -> None:
    """Daily: keep three months of partitions ahead."""
    ensure_partitions()


def seal() -> None:
    """Every minute: seal what was committed, and put the seals into cold storage."""
    try:
        seal_rows()
        anchor_seals()
    except Behind as behind:
        report_behind(behind)
