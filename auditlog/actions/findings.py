"""What a look at the log finds, and in which words it says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from auditlog.models import AuditSeal

NAMED = 20  # rows that are named in one seal
KEPT = 100  # problems that are told; the others are counted
# The clocks of a row and of a seal are the server's, which may be set.
SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was. `code` is for programs, `words` for people."""

    code: str
    words: str
    seal: int | None = None
    row: int | None = None

    def facts(self) -> dict[str, Any]:
        return {"code": self.code, "words": self.words, "seal": self.seal, "row": self.row}


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    first_seal: int = 0
    last_seal: int = 0
    seals: int = 0
    valid_seals: int = 0
    rows: int = 0  # that the seals cover
    valid_rows: int = 0
    waiting: int = 0  # rows that no seal covers yet
    problems: list[Problem] = field(default_factory=list)
    untold: int = 0
    milliseconds: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, code: str, words: str, *, seal: int | None = None, row: int | None = None) -> None:
        if len(self.problems) < KEPT:
            self.problems.append(Problem(code, words, seal, row))
        else:
            self.untold += 1


def touch(before: AuditSeal, seal: AuditSeal) -> bool:
    """Whether the place of a seal begins where that of another ends."""
    return seal.epoch == before.epoch and (seal.from_xid, seal.from_id) == (before.through_xid, before.through_id)


def printed(moment: datetime) -> bytes:
    """As COPY prints it, so that texts compare as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00").encode()


def said(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
