"""What a column of an export is: how the database prints it, and what it becomes in each format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    TEXT = "text"
    ID = "id"  # digits, letters and hyphens of our own, never a formula
    MONEY = "money"  # two decimals
    EXACT = "exact"  # money of any precision, with two decimals at least
    MOMENT = "moment"
    NUMBER = "number"
    FLAG = "flag"
    JSON = "json"


# How the database prints them. Money, moments and JSON come as text, so that nothing rounds or rewrites them.
PRINTED = {
    Kind.TEXT: "({0})::text",
    Kind.ID: "({0})::text",
    Kind.MONEY: "({0})::numeric(30,2)::text",
    Kind.EXACT: "CASE WHEN scale(trim_scale({0})) > 2 THEN trim_scale({0})::text ELSE ({0})::numeric(38,2)::text END",
    Kind.MOMENT: """to_char(({0}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
    Kind.NUMBER: "({0})::bigint",
    Kind.FLAG: "({0})::boolean",
    Kind.JSON: "({0})::text",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name for good, its kind, where it comes from, and what it says."""

    name: str
    kind: Kind
    sql: str
    words: str = ""

    @property
    def printed(self) -> str:
        return PRINTED[self.kind].format(self.sql)


@dataclass(frozen=True, slots=True)
class Table:
    """One export: its columns from `source`, ordered by (`at`, `key`), where `at` is the moment that a range is about.

    `model` is what the audit log says was taken away.
    """

    name: str
    model: str
    source: str
    at: str
    key: str
    columns: tuple[Column, ...]
    words: str
