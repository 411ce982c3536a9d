"""Keeping up the copy that the log is searched by (docs/audit-search.md)."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

INDEX_BATCH = 20_000


def index_rows(moment: datetime, limit: int = INDEX_BATCH) -> int:
    """Take up to `limit` committed rows into the copy and say how many; one at a time, a second caller gets 0."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_find_fill(%s)", [limit])
        return int(cursor.fetchone()[0])
