"""Groups of people who are linked with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .links import Link, Web


def components(web: Web, people: Iterable[str], most: int) -> Iterator[set[str]]:
    """Everybody who can be reached from these people over links, in groups; those of one alone left out. What is larger than `most` is
    taken apart where its links are weakest, when that leaves most of it together."""
    start, frontier, edges = sorted(set(people)), sorted(set(people)), dict[str, dict[str, Link]]()
    while frontier:
        web.load(frontier)
        for person in frontier:
            edges[person] = web.linked(person)
        frontier = sorted({other for person in frontier for other in edges[person]} - edges.keys())
    for person, others in edges.items():  # who was found from one side only, as a client from the builder's, is linked from both
        for other, link in others.items():
            edges[other].setdefault(person, link)
    seen = set[str]()
    for person in start:
        if person in seen:
            continue
        group = _reach(person, edges, 0.0)
        seen |= group
        if len(group) > 1:
            yield from _apart(group, edges, web.terms["link_at"], most)


def _reach(person: str, edges: dict[str, dict[str, Link]], bar: float, within: set[str] | None = None) -> set[str]:
    group, frontier = {person}, [person]
    while frontier:
        for other, link in edges[frontier.pop()].items():
            if other not in group and link.weight >= bar and (within is None or other in within):
                group.add(other)
                frontier.append(other)
    return group


def _apart(group: set[str], edges: dict[str, dict[str, Link]], bar: float, most: int) -> list[set[str]]:
    while len(group) > most and bar < 0.97:
        bar += 0.05
        parts, left = [], set(group)
        while left:
            part = _reach(min(left), edges, bar, group)
            left -= part
            parts.append(part)
        parts = [part for part in parts if len(part) > 1]
        if sum(map(len, parts)) < 0.6 * len(group):
            break  # it would fall to pieces rather than come apart
        if len(parts) > 1:
            return [smaller for part in parts for smaller in _apart(part, edges, bar, most)]
        group = parts[0]
    return [group]
