"""One invariant: what was looked at and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection

NAMED = 10  # of what is wrong


@dataclass
class Check:
    """`looked_at` counts the things that were compared; `wrong` names those that break it."""

    name: str
    looked_at: int
    wrong: list[str] = field(default_factory=list)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "wrong": self.wrong[:NAMED], "broken": len(self.wrong)}


def rows(sql: str, params: Iterable[Any] = ()) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def value(sql: str, params: Iterable[Any] = ()) -> Any:
    return next(iter(rows(sql, params)[0].values()))


def count(table: str) -> int:
    return int(value(f"SELECT count(*) FROM {table}"))


def none_of(name: str, table: str, sql: str, note: str = "") -> Check:
    """Nothing that `sql` finds may be there."""
    return Check(name, count(table), [", ".join(f"{key} {found}" for key, found in row.items()) for row in rows(sql)], note)
