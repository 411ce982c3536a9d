"""What detectors of single cases have in common: what is at stake, how grave it is, and whether it is worth saying again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .facts import MICRO
from .links import DERIVED, WORDS, Link, Share
from .memory import Memory, Notes
from .suspicions import Suspicion

Row = list[Any]  # begins with a moment


def at_stake(notes: Notes) -> int:
    """What somebody has earned and not taken out yet, as far as the log knows."""
    ended = notes.get("ended", {})
    back = sum(row[1] for row in notes.get("withdrawals", ()) if row[3] in ended)
    return int(max(0, notes.get("earned", 0) - notes.get("withdrawn", 0) + back))


def severity_of(loss: int, *, alerts: bool, least: str = "medium") -> str:
    """By what can still leave; what nobody is told of is low."""
    if not alerts:
        return "low"
    return "critical" if loss > 5000 * MICRO else "high" if loss > 500 * MICRO or least == "high" else "medium"


def usdc(micro: int) -> str:
    return f"{micro / MICRO:,.2f} USDC"


def told_key(fingerprint: str) -> str:
    return f"case:{fingerprint}"


def news(found: Iterable[tuple[Suspicion, int]], memory: Memory) -> list[Suspicion]:
    """Those of which nothing, less, or less surely was said before: the number counts what each of them follows from."""
    rows = list(found)
    memory.fetch(told_key(suspicion.fingerprint) for suspicion, _ in rows)
    fresh = []
    for suspicion, count in rows:
        key = told_key(suspicion.fingerprint)
        told = memory[key]
        if suspicion.confidence <= told.get("confidence", -1) and count <= told.get("count", -1):
            continue
        notes = memory.change(key, suspicion.second)
        notes["confidence"] = max(suspicion.confidence, notes.get("confidence", -1))
        notes["count"] = max(count, notes.get("count", -1))
        fresh.append(suspicion)
    return fresh


def insert(rows: list[Row], row: Row, most: int) -> bool:
    """Keep the latest of rows in their order, each once; says whether it is new there."""
    if row in rows:
        return False
    rows.append(row)
    if len(rows) > 1 and rows[-2] > row:
        rows.sort()
    if len(rows) > most:
        first = rows.pop(0)
        return first is not row
    return True


def trim(rows: dict[str, Any], most: int, moment: Callable[[Any], int]) -> None:
    """Keep the latest of a dictionary."""
    while len(rows) > most:
        del rows[min(rows, key=lambda name: (moment(rows[name]), name))]


def bursts(rows: Sequence[Row], seconds: int, measure: Callable[[Sequence[Row]], int], least: int) -> list[list[Row]]:
    """Stretches of so many seconds in which the most happened, those with the most first, none with a row of another."""
    left, found = sorted(rows), []
    while left and measure(left) >= least:
        best: tuple[int, int, int, int] | None = None
        end = 0
        for start, row in enumerate(left):
            while end < len(left) and left[end][0] < row[0] + seconds:
                end += 1
            size = measure(left[start:end])
            if size >= least and (best is None or size > best[0]):
                best = (size, start, end, row[0])
        if best is None:
            break
        _, start, end, _ = best
        found.append(left[start:end])
        left = left[:start] + left[end:]
    return found


def shared_words(shares: Iterable[Share]) -> str:
    """What two people share, in words: "a device and a payout address"."""
    kinds = list(dict.fromkeys(share.kind for share in shares if share.kind not in DERIVED))
    words = [("an " if WORDS[kind][0] in "aeiou" else "a ") + WORDS[kind] for kind in kinds]
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def drawing(links: Iterable[Link], people: Sequence[str]) -> dict[str, Any]:
    """The evidence of links, for the drawing on the incident's page."""
    links = list(links)
    shares = [(link, share) for link in links for share in link.shares if share.kind not in DERIVED]
    values = {(share.kind, share.value): share.fanout for _, share in shares}
    return {
        "people": list(people),
        "values": [
            {"kind": kind, "value": value, "fanout": fanout, "label": WORDS[kind], "too_common": False}
            for (kind, value), fanout in sorted(values.items())[:50]
        ],
        "edges": [
            {"person": person, "kind": share.kind, "value": share.value, "weight": round(share.weight, 3)}
            for link, share in shares[:100]
            for person in (link.a, link.b)
        ],
        "pairs": [
            {
                "a": link.a,
                "b": link.b,
                "weight": round(link.weight, 3),
                "shares": [{"kind": share.kind, "value": share.value, "weight": round(share.weight, 3)} for share in link.shares],
            }
            for link in links[:50]
        ],
    }
