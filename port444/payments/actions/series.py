"""Numbers of documents, without gaps."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def take_number(moment: datetime, prefix: str = "") -> str:
    """The next number of the year's series, for example 2026-000001. The series stays locked until commit, so none is lost.

    Take it after the ledger has been moved: the series is the last lock of all.
    """
    series = f"{prefix}{moment.year}"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_series AS series (name, last_number) VALUES (%s, 1)"
            " ON CONFLICT (name) DO UPDATE SET last_number = series.last_number + 1 RETURNING last_number",
            [series],
        )
        return f"{series}-{cursor.fetchone()[0]:06d}"
