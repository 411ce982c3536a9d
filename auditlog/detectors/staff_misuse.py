"""What one of the staff does that their colleagues do not: many people looked at, much given away, cases of their own.

A case about a member of staff is hidden from them, as every case is from those whom it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

from .cases import Row, insert, news, trim, usdc
from .facts import DAY, MICRO, PEOPLE, Fact, said
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import who
from .suspicions import Suspicion, settle

NAME = "staff_misuse"
KINDS = frozenset({"viewing_started", "credit_issued", "incident_closed", "plan_approved", "sign_in"})
PARAMETERS = (
    Parameter("alert_at", 40, 10, 100, "From which confidence on somebody is told: a broken rule is enough."),
    Parameter("rule_points", 40, 10, 100, "Points for a broken rule."),
    Parameter("habit_points", 6, 0, 30, "Points for each robust deviation above what this agent does on other days."),
    Parameter("most_habit_points", 30, 0, 60, "At most for that."),
    Parameter("linked_points", 20, 0, 60, "Points when somebody concerned uses a browser of the agent."),
    Parameter("hours_points", 10, 0, 50, "Points for an hour at which this agent hardly ever works."),
    Parameter("hours_part", 0.01, 0, 0.2, "Part of what an agent does that makes an hour such a one."),
    Parameter("views_a_day", 10, 3, 200, "People seen through their eyes in a day that are too many."),
    Parameter("views_above", 5, 2, 20, "Deviations above the agent's usual day that are too many."),
    Parameter("same_person", 3, 1, 50, "Viewings of one person in a week beyond which it is too many."),
    Parameter("credits_a_day", 500, 10, 100_000, "Credits of one agent in a day that are too much, in USDC."),
    Parameter("approval_limit", 50, 1, 10_000, "Credit beyond which a second person has to agree, in USDC."),
    Parameter("near_limit", 3, 2, 50, "Credits just below that limit in a day that are too many."),
    Parameter("near_part", 0.1, 0.01, 0.5, "How far below the limit is just below it."),
    Parameter("dismissed_a_day", 20, 5, 500, "Incidents called harmless in a day that are too many."),
    Parameter("approved_for_one", 15, 3, 500, "Plans of one colleague approved in a day that are too many."),
    Parameter("history_days", 28, 7, 90, "Days that make an agent's habit."),
)
KEPT, DEVICES = 400, 24
LEAST_HISTORY, LEAST_HOURS = 7, 100  # days and doings from which on something is a habit


def staff(agent: str) -> str:
    return f"staff:{agent}"


def _agent(fact: Fact) -> str:
    return fact.actor if fact.actor and fact.actor_type not in PEOPLE and fact.actor_type != "system" else ""


def keys(fact: Fact) -> Iterable[str]:
    agent = _agent(fact)
    return [staff(agent)] if agent else []


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    agent = _agent(fact)
    if not agent:
        return
    notes = memory.change(staff(agent), fact.second)
    if fact.device:
        span = notes.setdefault("devices", {}).setdefault(fact.device[:120], [fact.second, fact.second])
        span[0], span[1] = min(span[0], fact.second), max(span[1], fact.second)
        trim(notes["devices"], DEVICES, lambda one: int(one[1]))
    hours = notes.setdefault("hours", {})
    hour = str(fact.second % DAY // 3600)
    hours[hour] = hours.get(hour, 0) + 1
    row = ROWS[fact.kind](fact) if fact.kind in ROWS else None
    if row is not None and insert(notes.setdefault(fact.kind, []), [fact.second, *row, fact.event], KEPT):
        touched.add(f"{agent} {fact.second // DAY}")


def _closed(fact: Fact) -> list[Any]:
    people = fact.meta.get("people")
    return [said(fact.meta, "status", "as"), [str(one) for one in people][:20] if isinstance(people, list) else []]


ROWS: dict[str, Callable[[Fact], list[Any]]] = {
    "viewing_started": lambda fact: [said(fact.meta, "about", "subject", "user") or fact.target],
    "credit_issued": lambda fact: [fact.micro, said(fact.meta, "user", "user_id") or fact.target],
    "incident_closed": _closed,
    "plan_approved": lambda fact: [said(fact.meta, "requester")],
}


@dataclass(slots=True)
class Broken:
    """A rule that was broken on a day."""

    rule: str
    words: str
    rows: list[Row]
    people: list[str]
    fact: str = ""
    habit: float = 0.0  # deviations above the usual
    loss: int = 0
    linked: list[str] = field(default_factory=list)
    is_hard: bool = True


def judge(subjects: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    days = sorted({(agent, int(day)) for agent, _, day in (subject.rpartition(" ") for subject in subjects)})
    memory.fetch(staff(agent) for agent, _ in days)
    found = []
    for agent, day in days:
        notes = memory[staff(agent)]
        people = {person for kind in ROWS for row in _on(notes, kind, day) for person in _about(kind, row)}
        memory.fetch(who(person) for person in people)
        own = {f"device:{device}" for device in notes.get("devices", {})}
        linked = {person for person in people if person != agent and not own.isdisjoint(memory[who(person)].get("device", ()))}
        for broken in _broken(agent, day, notes, linked, terms):
            found.append((_suspicion(agent, day, broken, notes, terms), len(broken.rows)))
    return news(found, memory)


def _on(notes: Notes, kind: str, day: int, days: int = 1) -> list[Row]:
    return [row for row in notes.get(kind, ()) if (day - days + 1) * DAY <= row[0] < (day + 1) * DAY]


def _about(kind: str, row: Row) -> list[str]:
    people: dict[str, list[str]] = {"viewing_started": [row[1]], "credit_issued": [row[2]], "incident_closed": row[2]}
    return people.get(kind, [])


def _habit(notes: Notes, kind: str, day: int, size: float, days: int, measure: Any) -> float:
    """How many robust deviations a day lies above those before it."""
    before = [measure(_on(notes, kind, other)) for other in range(day - days, day)]
    worked = [one for one in before if one]
    if len(worked) < LEAST_HISTORY:
        return 0.0
    middle = median(worked)
    spread = max(1.4826 * median(abs(one - middle) for one in worked), 1.0, middle / 10)
    return float(max(0.0, (size - middle) / spread))


def _broken(agent: str, day: int, notes: Notes, linked: set[str], terms: Terms) -> Iterable[Broken]:
    days = int(terms["history_days"])
    views = _on(notes, "viewing_started", day)
    seen = sorted({row[1] for row in views})
    above = _habit(notes, "viewing_started", day, len(seen), days, lambda rows: len({row[1] for row in rows}))
    if len(seen) > terms["views_a_day"] or (above > terms["views_above"] and len(seen) >= terms["views_a_day"] / 2):
        yield Broken(
            "viewings",
            f"{len(seen)} people were seen through their eyes in one day",
            views,
            seen,
            "",
            above,
            is_hard=len(seen) > terms["views_a_day"],
        )
    week = _on(notes, "viewing_started", day, 7)
    for person in seen:
        same = [row for row in week if row[1] == person]
        if len(same) > terms["same_person"]:
            yield Broken(f"same_person:{person}", f"One person was viewed {len(same)} times in a week", same, [person], person)
    credits = [row for row in _on(notes, "credit_issued", day) if row[2]]
    yield from _credits(day, credits, notes, terms)
    received = sorted({row[2] for row in credits if row[2] in linked})
    if received:
        mine = [row for row in credits if row[2] in received]
        yield Broken(
            "own_credit", "A credit went to somebody who uses a browser of the agent", mine, received, "", 0, sum(row[1] for row in mine), received
        )
    closed = _on(notes, "incident_closed", day)
    dismissed = [row for row in closed if row[1] == "false_positive"]
    if len(dismissed) > terms["dismissed_a_day"]:
        above = _habit(notes, "incident_closed", day, len(dismissed), days, lambda rows: sum(1 for row in rows if row[1] == "false_positive"))
        yield Broken("dismissed", f"{len(dismissed)} incidents were called harmless in one day", dismissed, [], "", above)
    own = [row for row in closed if agent in row[2] or not linked.isdisjoint(row[2])]
    if own:
        people = sorted({person for row in own for person in row[2] if person in linked})
        yield Broken("own_case", "An incident was closed about somebody who uses a browser of the agent", own, people, "", 0, 0, people or [agent])
    approved: dict[str, list[Row]] = {}
    for row in _on(notes, "plan_approved", day):
        approved.setdefault(row[1], []).append(row)
    for requester, rows in sorted(approved.items()):
        if requester and len(rows) > terms["approved_for_one"]:
            yield Broken(f"approvals:{requester}", f"{len(rows)} plans of one colleague were approved in one day", rows, [requester], requester)


def _credits(day: int, credits: list[Row], notes: Notes, terms: Terms) -> Iterable[Broken]:
    total, people = sum(row[1] for row in credits), sorted({row[2] for row in credits})
    if total > terms["credits_a_day"] * MICRO:
        above = _habit(notes, "credit_issued", day, total / MICRO, int(terms["history_days"]), lambda rows: sum(row[1] for row in rows) / MICRO)
        yield Broken("credits", f"{usdc(total)} were given as credits in one day", credits, people, usdc(total), above, total)
    limit = terms["approval_limit"] * MICRO
    near = [row for row in credits if limit * (1 - terms["near_part"]) <= row[1] <= limit]
    if len(near) >= terms["near_limit"]:
        given = sum(row[1] for row in near)
        words = f"{len(near)} credits lay just below {usdc(int(limit))}, beyond which a second person has to agree"
        yield Broken("near_limit", words, near, sorted({row[2] for row in near}), usdc(given), 0, given)


def _suspicion(agent: str, day: int, broken: Broken, notes: Notes, terms: Terms) -> Suspicion:
    parts: list[tuple[float, str, str]] = []
    if broken.is_hard:
        parts.append((terms["rule_points"], broken.words, broken.fact))
    if broken.habit:
        words = f"{broken.habit:.1f} deviations above what the agent does on other days"
        parts.append(
            (min(terms["most_habit_points"], terms["habit_points"] * broken.habit), words if broken.is_hard else f"{broken.words}, {words}", "")
        )
    if broken.linked:
        parts.append((terms["linked_points"], "Who is concerned uses the agent's own browser", ", ".join(broken.linked[:5])))
    if _is_odd_hour(notes.get("hours", {}), broken.rows, terms):
        parts.append((terms["hours_points"], "At an hour at which this agent hardly ever works", ""))
    confidence, reasons = settle(parts)
    alerts = confidence >= terms["alert_at"]
    return Suspicion(
        fingerprint=f"insider:{agent}:{broken.rule}:{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}"[:200],
        incident_type="suspicious_activity",
        severity="low" if not alerts else "critical" if broken.linked or broken.loss > 5000 * MICRO else "high",
        confidence=confidence,
        description=f"{broken.words}, by one of the staff.",
        detector=NAME,
        pattern=broken.rule.partition(":")[0],
        people=[agent, *(person for person in broken.people if person != agent)][:200],
        reasons=reasons,
        evidence={"people": [agent, *broken.people[:50]], "rows": [row[:3] for row in broken.rows[-50:]]},
        loss=broken.loss,
        second=broken.rows[-1][0],
    )


def _is_odd_hour(hours: Mapping[str, int], rows: list[Row], terms: Terms) -> bool:
    total = sum(hours.values())
    if total < LEAST_HOURS:
        return False
    here: dict[str, int] = {}
    for row in rows:
        hour = str(row[0] % DAY // 3600)
        here[hour] = here.get(hour, 0) + 1
    return any(hours.get(hour, 0) - count < terms["hours_part"] * total for hour, count in here.items())
