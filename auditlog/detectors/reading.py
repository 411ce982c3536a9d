"""Facts from anybody's file of events: in any order of rows, with what is missing left out and what cannot be read counted."""

from __future__ import annotations

import ast
import csv
import gzip
import heapq
import json
import pickle
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from io import TextIOWrapper
from typing import IO, Any

from .facts import MONTH, Fact, kind_of, network

NEEDED = ("occurred_at", "event_type", "actor_id")
COLUMNS = (*NEEDED, "actor_type", "target_id", "target_type", "ip_address", "device_id", "amount", "metadata")
OTHER_NAMES = {"timestamp": "occurred_at", "user_id": "actor_id", "ip": "ip_address", "device": "device_id"}
TOGETHER = 25_000  # facts that are sorted in memory; more go through files
NOTHING = frozenset({"", "null", "none", "nan", "\\n", "-"})
NO_FACTS: Mapping[str, Any] = {}
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
SHORT_ZONE = re.compile(r"([+-]\d\d)$|\s*(?:UTC|GMT)$", re.IGNORECASE)


class Unreadable(Exception):
    """The file is not a table of events; says why."""


class Reader:
    """A file of events. `counts` says afterwards what was read, left out and not understood."""

    def __init__(self, path: str, progress: Callable[[int], object] = lambda size: None) -> None:
        self.path, self.progress = path, progress
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, int] = {}  # what was wrong -> the first line of it

    def facts(self) -> Iterator[Fact]:
        """All facts month by month, in each of them person by person, and of one by time and then by their place in the file; of two that
        are the same in all one. So what is remembered of somebody is used at once, and need not be at hand all the time."""
        with ExitStack() as stack:
            runs: list[IO[bytes]] = []
            rest: list[Fact] = []
            for fact in self._parsed(stack):
                rest.append(fact)
                if len(rest) == TOGETHER:
                    runs.append(stack.enter_context(_spilled(rest)))
                    rest = []
            rest.sort(key=_place)
            yield from self._once(heapq.merge(*map(_unspilled, runs), rest, key=_place))

    def _once(self, facts: Iterator[Fact]) -> Iterator[Fact]:
        """Without lines that stand in the file twice."""
        place, seen = None, set[tuple[Any, ...]]()
        for fact in facts:
            if _place(fact) != place:
                place, seen = _place(fact), set()
            same = (*fact[2:10], json.dumps(fact.meta, sort_keys=True, default=str) if fact.meta else "")
            if same in seen:
                self.counts["repeated"] += 1
                continue
            seen.add(same)
            yield fact

    def _parsed(self, stack: ExitStack) -> Iterator[Fact]:
        """The facts in the order of the file."""
        rows = self._rows(stack)
        header = next(rows, None)
        if header is None:
            raise Unreadable(f"{self.path} is empty: its first line must name the columns {', '.join(COLUMNS)}.")
        names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
        for other, name in OTHER_NAMES.items():
            if name not in names and other in names:
                names[names.index(other)] = name
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise Unreadable(f"{self.path} has no column {' and no column '.join(missing)}. Its first line names: {', '.join(names) or 'nothing'}.")
        places = [names.index(name) if name in names else len(names) for name in COLUMNS]
        width = len(names)
        for line, row in enumerate(rows, 2):
            if not row:
                continue
            self.counts["rows"] += 1
            if len(row) < width:
                row += [""] * (width - len(row))
            row.insert(width, "")  # what stands in a column that the file has not got
            fact = self._fact([row[place] for place in places], line)
            if fact is not None:
                yield fact

    def _rows(self, stack: ExitStack) -> Iterator[list[str]]:
        csv.field_size_limit(2**31 - 1)
        try:
            raw: Any = sys.stdin.buffer if self.path == "-" else stack.enter_context(open(self.path, "rb"))  # noqa: SIM115 - the stack closes it
        except OSError as error:
            raise Unreadable(f"{self.path} cannot be read: {error.strerror}.") from error
        opened = stack.enter_context(gzip.GzipFile(fileobj=raw)) if self.path.endswith(".gz") else raw
        text = stack.enter_context(TextIOWrapper(opened, encoding="utf-8-sig", errors="replace", newline=""))
        first = text.readline()
        if not first:
            return
        delimiter = max(",;\t|", key=first.count)
        yield next(csv.reader([first.replace("\0", "")], delimiter=delimiter), [])
        told, lines = 0, (line.replace("\0", "") for line in text)
        try:
            for number, row in enumerate(csv.reader(lines, delimiter=delimiter)):
                if not number & 0xFFF and self.path != "-":
                    place = raw.tell()
                    self.progress(place - told)
                    told = place
                yield row
        except (csv.Error, EOFError, OSError) as error:
            raise Unreadable(f"{self.path} cannot be read to its end: {error}.") from error

    def _fact(self, values: list[str], line: int) -> Fact | None:
        when, event_type, actor, actor_type, target, target_type, ip, device, money, facts = values
        at = moment_of(when)
        if at is None:
            self._bad("moments that cannot be read", line)
            return None
        event_type = event_type.strip()
        if not event_type:
            self._bad("rows without an event type", line)
            return None
        kind = kind_of(event_type) or kind_of(event_type.lower())
        if not kind:
            self.counts["unknown"] += 1
            return None
        meta = NO_FACTS
        if facts and facts.strip().lower() not in NOTHING:
            read = facts_of(facts)
            if read is None:
                self.counts["unread"] += 1
            else:
                meta = read
        amount = None
        if money:
            try:
                amount = amount_of(money)
            except InvalidOperation:
                self._bad("amounts that are no numbers", line)
                return None
        net = ""
        if ip:
            found = network_of(ip)
            if found is None:
                self.counts["odd"] += 1
            net = found or ""
        self.counts["read"] += 1
        return Fact(
            at,
            int(at.timestamp()),
            kind,
            sys.intern(word(actor)),
            sys.intern(actor_type.strip().lower()),
            sys.intern(word(target)),
            sys.intern(target_type.strip().lower()),
            net,
            word(device),
            amount,
            meta,
            str(line),
        )

    def _bad(self, what: str, line: int) -> None:
        self.counts["bad"] += 1
        self.counts[what] += 1
        self.examples.setdefault(what, line)

    def told(self) -> str:
        """What was read and what was not, in a sentence or two."""
        counts = self.counts
        words = f"{counts['rows']} rows: {counts['read']} read"
        words += f", {counts['unknown']} of kinds that no detector reads" if counts["unknown"] else ""
        words += f", {counts['repeated']} that stand there twice" if counts["repeated"] else ""
        if counts["bad"]:
            words += f", {counts['bad']} left out ("
            words += "; ".join(f"{counts[what]} {what}, the first in line {line}" for what, line in self.examples.items()) + ")"
        words += f"; {counts['unread']} times metadata was no JSON object and was passed over" if counts["unread"] else ""
        words += f"; {counts['odd']} addresses that are none were passed over" if counts["odd"] else ""
        return words + "."


def word(text: str) -> str:
    text = text.strip()
    return "" if text.lower() in NOTHING else text


@lru_cache(maxsize=50_000)
def network_of(text: str) -> str | None:
    return "" if text.strip().lower() in NOTHING else network(text)


def facts_of(text: str) -> dict[str, Any] | None:
    """The object that is written there, as JSON or as Python would print it."""
    try:
        found = json.loads(text)
        if isinstance(found, str):  # JSON in JSON
            found = json.loads(found)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def amount_of(text: str) -> Decimal | None:
    """Raises InvalidOperation on what is no number of money."""
    plain = text.strip()
    if plain.lower() in NOTHING:
        return None
    found = Decimal(plain.removesuffix("USDC").strip().lstrip("$").replace(",", ""))
    if not found.is_finite() or abs(found) >= 10**15:
        raise InvalidOperation
    return abs(found)


def moment_of(text: str) -> datetime | None:
    """ISO 8601 with or without a zone (UTC then), or seconds or milliseconds since 1970."""
    text = text.strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        other = _otherwise(text)
        if other is None:
            return None
        at = other
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    elif at.tzinfo is not UTC:
        try:
            at = at.astimezone(UTC)
        except OverflowError:
            return None
    return at if EARLIEST <= at < LATEST else None


def _otherwise(text: str) -> datetime | None:
    try:
        number = float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(SHORT_ZONE.sub(lambda match: f"{match[1]}:00" if match[1] else "+00:00", text.replace("/", "-")))
        except ValueError:
            return None
    if not 0 < number < 1e17:  # also what is no number at all
        return None
    while number > 1e11:  # in thousandths, or in millionths
        number /= 1000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def _place(fact: Fact) -> tuple[int, str, datetime]:
    return fact.second // MONTH, fact.doer, fact.at


def _spilled(facts: list[Fact]) -> IO[bytes]:
    """A sorted run of facts in a file that goes away by itself."""
    facts.sort(key=_place)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who merges it
    for start in range(0, len(facts), 1000):
        pickle.dump([tuple(fact) for fact in facts[start : start + 1000]], file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return file


def _unspilled(file: IO[bytes]) -> Iterator[Fact]:
    while True:
        try:
            facts = pickle.load(file)  # noqa: S301 - we wrote it, into a file that has no name
        except EOFError:
            return
        yield from map(Fact._make, facts)
