"""The drawing of a cluster: who shares what, as numbers that a template writes into an SVG. Values of people stand at the left, networks
at the right, people in the middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

WIDE, MOST_PEOPLE, MOST_VALUES = 880, 12, 8  # values at each side
LEFT, MIDDLE, RIGHT = 212, 440, 668
STEP, LEAST_STEP, EDGE = 80, 72, 22  # between people, between values at least, above the first
STRONG = 0.9  # from which weight on a link is drawn thick
LABEL_ROOM, SMALL_ROOM = 22, 26  # letters beside a value
KINDS = {
    "payout": ("Wallet", "wallet", "payout address"),
    "device": ("Device", "smartphone", "device"),
    "card": ("Card", "credit-card", "card"),
    "fingerprint": ("Browser", "monitor", "browser"),
    "ip": ("", "network", "address"),
}
NETWORKS = {"ip"}


@dataclass(frozen=True, slots=True)
class Value:
    """Something that several people have: what it is called, and who has it how surely."""

    kind: str
    title: str
    small: str
    icon: str
    counts: bool  # what too many have says nothing
    holders: tuple[tuple[str, float], ...]

    @property
    def weight(self) -> float:
        return max((weight for _, weight in self.holders), default=0.0)

    @property
    def weight_words(self) -> str:
        return weight_words(self.weight) if self.counts else "0"


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in the drawing."""

    value: Value
    x: int
    y: int
    text_x: int
    css: str
    end: bool  # the words end at `text_x`

    @property
    def r(self) -> int:
        return 24 if "hot" in self.css else 22


@dataclass(frozen=True, slots=True)
class Figure:
    """Somebody in the drawing."""

    initials: str
    words: str
    y: int


@dataclass(frozen=True, slots=True)
class Label:
    text: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    height: int
    edges: Sequence[tuple[str, str]]  # class and path
    labels: Sequence[Label]
    spots: Sequence[Spot]
    figures: Sequence[Figure]
    words: str  # what it shows, for who does not see it
    left_out: int  # people and values for which there is no room


def weight_words(weight: float) -> str:
    return f"{weight:.2f}".lstrip("0") if 0 < weight < 0.995 else f"{weight:.0f}"


def number(value: Any) -> float:
    """What a detector wrote as a weight; nothing for what is none."""
    try:
        found = float(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        return 0.0
    return found if 0 <= found <= 1 else 0.0


def short(text: str, room: int) -> str:
    """Long values by their two ends, by which people know them."""
    if len(text) <= room:
        return text
    return f"{text[: room - 6]}…{text[-4:]}" if " " not in text else f"{text[: room - 1].rstrip()}…"


def title_of(kind: str, value: str, room: int = LABEL_ROOM) -> str:
    word = KINDS.get(kind, (kind.replace("_", " ").capitalize(), "", ""))[0]
    return f"{word} {short(value, max(8, min(13, room - len(word) - 1)))}".strip() if word else short(value, room)


def values_of(evidence: Mapping[str, Any]) -> list[Value]:
    """What is shared, strongest first, what does not count last. What a detector wrote in another way is left out."""
    edges: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for edge in _dicts(evidence.get("edges")):
        key = str(edge.get("value", ""))
        for known in {(str(edge.get("kind", "")), key), ("", key)}:
            edges.setdefault(known, []).append((str(edge.get("person", "")), number(edge.get("weight"))))
    found = []
    for row in _dicts(evidence.get("values")):
        kind, value = str(row.get("kind", "")), str(row.get("value", ""))
        holders = edges.get((kind, value)) or edges.get(("", value)) or []
        counts = not row.get("too_common")
        fanout = row.get("fanout")
        _, icon, word = KINDS.get(kind, ("", "link", kind.replace("_", " ") or "value"))
        small = str(row.get("note") or "") or (f"{word} of {fanout}" if counts else f"{fanout} accounts, not counted")
        found.append(Value(kind, title_of(kind, value), short(small, SMALL_ROOM), icon, counts, tuple(dict(holders).items())))
    return sorted(found, key=lambda one: (not one.counts, -one.weight, one.title))


def _dicts(rows: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list | tuple) else []


def draw(people: Sequence[tuple[str, str, str]], values: Sequence[Value]) -> Drawing | None:
    """`people` are id, initials and words below. None where nothing is shared, or by one alone."""
    shown = people[:MOST_PEOPLE]
    known = {key for key, _, _ in shown}
    drawn = [value for value in values if any(key in known for key, _ in value.holders)]
    left = [value for value in drawn if value.kind not in NETWORKS][:MOST_VALUES]
    right = [value for value in drawn if value.kind in NETWORKS][:MOST_VALUES]
    if len(shown) < 2 or not (left or right):
        return None
    room = max(STEP * len(shown), LEAST_STEP * max(len(left), len(right)))
    places = {key: EDGE + _place(n, len(shown), room) for n, (key, _, _) in enumerate(shown)}
    hot = max([*left, *right], key=lambda value: (value.counts, value.weight, len(value.holders)))
    edges: list[tuple[str, str]] = []
    labels: list[Label] = []
    spots: list[Spot] = []
    taken = dict.fromkeys(known, 0)
    for side, is_left in ((left, True), (right, False)):
        for n, value in enumerate(side):
            y = EDGE + _place(n, len(side), room)
            css = "n" if value.counts else "n no"
            css += " hot" if value is hot and value.counts and value.weight >= STRONG else ""
            spots.append(Spot(value, LEFT if is_left else RIGHT, y, LEFT - 34 if is_left else RIGHT + 34, css, is_left))
            best = max((one for one in value.holders if one[0] in known), key=lambda one: one[1])
            for key, weight in value.holders:
                if key not in known:
                    continue
                to = places[key] - 8 + 6 * (taken[key] % 4)
                taken[key] += 1
                strength = "e no" if not value.counts or not weight else "e x" if weight >= STRONG else "e"
                edges.append((strength, _curve(y, to, is_left)))
                if key == best[0]:
                    x, high = _along(y, to, is_left)
                    labels.append(Label(value.weight_words, x, high - 4))
    figures = [Figure(initials, words, places[key]) for key, initials, words in shown]
    # What does not count first, so that what does lies above it.
    edges.sort(key=lambda edge: ("e no", "e", "e x").index(edge[0]))
    left_out = len(people) - len(shown) + len(drawn) - len(left) - len(right)
    return Drawing(room + EDGE + 14, edges, labels, spots, figures, _words(shown, [*left, *right]), left_out)


def _place(n: int, count: int, room: int) -> int:
    return round((n + 0.5) * room / count)


def _curve(y: int, to: int, is_left: bool) -> str:
    if is_left:
        return f"M{LEFT + 24} {y}C{LEFT + 108} {y} {MIDDLE - 110} {to} {MIDDLE - 28} {to}"
    return f"M{MIDDLE + 28} {to}C{MIDDLE + 120} {to} {RIGHT - 108} {y} {RIGHT - 24} {y}"


def _along(y: int, to: int, is_left: bool) -> tuple[int, int]:
    """Where on its way from the value a line has its weight."""
    t = 0.38
    ends = (LEFT + 24, LEFT + 108, MIDDLE - 110, MIDDLE - 28) if is_left else (RIGHT - 24, RIGHT - 108, MIDDLE + 120, MIDDLE + 28)
    parts = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    return round(sum(a * b for a, b in zip(ends, parts, strict=True))), round(sum(a * b for a, b in zip((y, y, to, to), parts, strict=True)))


def _words(people: Sequence[tuple[str, str, str]], values: Sequence[Value]) -> str:
    """The same in a few sentences."""
    names = {key: words.partition(",")[0] for key, _, words in people}
    said = []
    for value in values:
        who = [names[key] for key, _ in value.holders if key in names]
        listed = " and ".join([", ".join(who[:-1]), who[-1]]) if len(who) > 1 else who[0]
        said.append(f"{listed}: {value.title}, {value.small}.")
    return " ".join(said)
