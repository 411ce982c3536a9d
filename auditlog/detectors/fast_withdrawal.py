"""Money that leaves as soon as it came: one case a withdrawal, judged by how much of it was earned within the hour before.

Earnings are joined, not orders; of withdrawals that follow each other the later does not count what the earlier took.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .facts import DAY
from .links import PARAMETERS as LINK_PARAMETERS
from .links import Web, web_of
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import LOG, opened, who
from .suspicions import Suspicion, settle

NAME = "fast_withdrawal"
PARAMETERS = (
    *LINK_PARAMETERS,
    Parameter("alert_at", 70, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on the withdrawal waits."),
    Parameter("show_at", 40, 0, 100, "From which confidence on it is a weak signal; below it is nothing."),
    Parameter("window_minutes", 60, 5, 1440, "How long before a withdrawal earnings are fresh."),
    Parameter("least_share", 0.2, 0, 1, "Part of a withdrawal that is fresh at least."),
    Parameter("share_points", 21, 0, 100, "Points for a withdrawal that is fresh."),
    Parameter("full_share", 0.5, 0.05, 1, "Part of it from which on it has all of these points."),
    Parameter("exact_points", 2, 0, 50, "Points when it takes just what was earned (with or without the fee)."),
    Parameter("young_builder_points", 17, 0, 50, "Points for a builder who came lately."),
    Parameter("young_builder_days", 7, 1, 365, "Within how many days that is lately; up to four times as many, a part of the points is left."),
    Parameter("young_client_points", 18, 0, 50, "Points for a paying client who came lately."),
    Parameter("young_client_days", 7, 1, 365, "Within how many days that is lately; up to four times as many, a part of the points is left."),
    Parameter("quick_points", 24, 0, 50, "Points for orders that were paid and released within a day."),
    Parameter(
        "only_points", 16, 0, 50, "Points for a client who has paid nobody else, and not for the first time; by the part of the builder's money."
    ),
    Parameter("known_points", 12, 0, 50, "Points for a builder of whom an earlier withdrawal was told in the last 60 days."),
    Parameter("group_points", 12, 0, 50, "Points for a builder in a group of linked accounts that is told."),
    Parameter("no_papers_points", 6, 0, 50, "Points for a builder without a verified identity."),
    Parameter("amount_points", 6, 0, 50, "Points for a large amount."),
    Parameter("large_amount", 150, 0, 1_000_000, "From which amount on in USDC."),
    Parameter("habit_points", 11, 0, 50, "Points taken off for each of up to three clients or times that money was taken out as fast before."),
    Parameter("habit_days", 10, 1, 90, "How many days ago that has to be: so soon, somebody would have complained."),
    Parameter("linked_points", 38, 0, 50, "Points for a client who is linked with the builder."),
    Parameter(
        "strange_points", 5, 0, 50, "Points for a browser that the account had first used within three days before, though it has one that it keeps."
    ),
    Parameter("address_points", 8, 0, 50, "Points for a payout address that was given within 72 hours before."),
)
MINUTE, MONTH = 60, 30 * DAY


def judge(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    """Suspicions about withdrawals of these people of which nothing, or less, was said before."""
    people = sorted(set(people))
    memory.fetch([LOG, *(who(person) for person in people)])
    cases = [(person, row, fresh) for person in people for row, fresh in _fresh(memory[who(person)], terms)]
    memory.fetch(who(earning[2]) for _, _, fresh in cases for earning in fresh if earning[2])
    memory.fetch(f"group:{name}" for person, _, _ in cases if (name := memory[who(person)].get("group")))
    web = web_of(memory, terms)
    web.load(sorted({person for person, _, _ in cases}))
    found = []
    for person, row, fresh in cases:
        suspicion = _assess(person, row, fresh, web, memory, terms)
        if suspicion is None or suspicion.confidence <= memory[who(person)].get("told", {}).get(row[3], -1):
            continue
        told = memory.change(who(person)).setdefault("told", {})
        told[row[3]] = suspicion.confidence
        kept = {other[3] for other in memory[who(person)]["withdrawals"]}
        for name in [name for name in told if name not in kept]:
            del told[name]
        found.append(suspicion)
    return found


def _fresh(notes: Notes, terms: Terms) -> list[tuple[list[Any], list[list[Any]]]]:
    """Withdrawals with the earnings of the hour before them."""
    window = int(terms["window_minutes"] * MINUTE)
    earnings = notes.get("earnings", ())
    rows = []
    for row in notes.get("withdrawals", ()):
        fresh = [earning for earning in earnings if row[0] - window < earning[0] <= row[0]]
        if fresh:
            rows.append((row, fresh))
    return rows


def _share(notes: Notes, row: list[Any], fresh: list[list[Any]], window: int) -> tuple[float, int]:
    """Which part of a withdrawal was earned just before, and how much that is; what earlier withdrawals took of it is gone."""
    ended = notes.get("ended", {})
    taken = sum(
        other[1] for other in notes["withdrawals"] if (other[0], other[3]) < (row[0], row[3]) and row[0] - window < other[0] and other[3] not in ended
    )
    left = sum(earning[1] for earning in fresh) - taken
    return max(0.0, min(1.0, left / row[1])), left


def _assess(person: str, row: list[Any], fresh: list[list[Any]], web: Web, memory: Memory, terms: Terms) -> Suspicion | None:
    notes = memory[who(person)]
    second, micro, _, name = row[:4]
    window = int(terms["window_minutes"] * MINUTE)
    share, left = _share(notes, row, fresh, window)
    if share < terms["least_share"] or name in notes.get("ended", {}):
        return None
    total = sum(earning[1] for earning in fresh)
    minutes = (second - max(earning[0] for earning in fresh)) // MINUTE
    parts: list[tuple[float, str, str]] = [
        (
            terms["share_points"] * min(1, share / terms["full_share"]),
            f"{100 * share:.0f} % of it was earned within the hour before, the last {minutes} minutes ago",
            f"{left / 1e6:,.2f} USDC",
        )
    ]
    if 0.84 <= micro / max(left, 1) <= 1.1:
        parts.append((terms["exact_points"], "It takes out just what came in", f"{micro / 1e6:,.2f} USDC"))
    youth = _youth(notes, second, memory, terms["young_builder_days"])
    if youth:
        parts.append((terms["young_builder_points"] * youth, f"The builder's account was {_days(notes, second, memory)} days old", ""))
    limit = terms["young_client_days"]
    youth = sum(earning[1] * _youth(memory[who(earning[2])], earning[0], memory, limit) for earning in fresh if earning[2]) / total
    if youth:
        words = "The paying client's account was opened lately"
        parts.append((terms["young_client_points"] * youth, words, ", ".join(sorted({earning[2] for earning in fresh if earning[2]}))))
    quick = sum(earning[1] for earning in fresh if is_quick(notes, earning)) / total
    if quick:
        parts.append((terms["quick_points"] * quick, "The order was paid and released within a day", ""))
    only = sum(earning[1] * _only(notes, memory[who(earning[2])], earning) for earning in fresh if earning[2]) / total
    if only:
        words = "The client has paid this builder before, and nobody else ever; little has come to the builder from others"
        parts.append((terms["only_points"] * only, words, ""))
    if any(row[0] - 60 * DAY < other[0] < row[0] and notes.get("told", {}).get(other[3], 0) >= terms["alert_at"] for other in notes["withdrawals"]):
        parts.append((terms["known_points"], "Another withdrawal of this builder was told in the 60 days before", ""))
    group = memory[f"group:{notes['group']}"] if notes.get("group") else {}
    if group.get("told"):
        parts.append((terms["group_points"], f"The builder is one of {len(group['people'])} linked accounts", ""))
    if "up" in notes and not notes.get("papers"):
        parts.append((terms["no_papers_points"], "The builder has no verified identity", ""))
    if micro > terms["large_amount"] * 1_000_000:
        parts.append((terms["amount_points"], f"It is more than {terms['large_amount']:g} USDC", ""))
    linked = sorted({earning[2] for earning in fresh if earning[2] and web.pair(person, earning[2]).weight >= terms["link_at"]})
    if linked:
        parts.append((terms["linked_points"], "Builder and client are linked by what they share", ", ".join(linked)))
    given = [moment for moment in notes.get("addresses", ()) if second - 3 * DAY < moment <= second]
    if given:
        parts.append((terms["address_points"], "The payout address was given within 72 hours before", ""))
    if _is_strange(notes, row):
        parts.append((terms["strange_points"], "It was asked for in a browser that the account had not used before the last three days", ""))
    before = _habit(person, row, web, terms)
    if before:
        words = f"It was done as fast {before} {'time' if before == 1 else 'times'} before, or with as many clients, and nothing came of it"
        parts.append((-terms["habit_points"] * min(3, before), words, ""))
    confidence, reasons = settle(parts)
    if confidence < terms["show_at"]:
        return None
    alerts = confidence >= terms["alert_at"]
    amount = micro / 1e6
    severity = "low" if not alerts else "critical" if amount > 5000 else "high" if amount > 500 else "medium"
    return Suspicion(
        fingerprint=f"fast_withdrawal:{name}",
        incident_type="fast_withdrawal",
        severity=severity,
        confidence=confidence,
        description=f"{amount:,.2f} USDC were asked for {minutes} minutes after they were earned.",
        detector=NAME,
        pattern="fresh_earnings",
        people=[person],
        reasons=reasons,
        evidence={"people": [person, *sorted({earning[2] for earning in fresh if earning[2]})], "earnings": [earning[:3] for earning in fresh[:20]]},
        withdrawal_id=name,
        loss=micro,
        holds=confidence >= terms["hold_at"],
        second=second,
        group=f"{person}:{second // DAY}",
    )


def _days(notes: Notes, second: int, memory: Memory) -> int | None:
    up = opened(notes, memory)
    return None if up is None else max(0, (second - up) // DAY)


def _youth(notes: Notes, second: int, memory: Memory, limit: float) -> float:
    """1 for whoever came within the days that count as lately, and less and less for up to four times as many."""
    days = _days(notes, second, memory)
    return 0.0 if days is None else max(0.0, min(1.0, (4 * limit - days) / (3 * limit)))


def is_quick(notes: Notes, earning: list[Any]) -> bool:
    """Whether the order that was paid last by this client was paid less than a day before."""
    paid = [order[0] for order in notes.get("orders", ()) if order[2] == earning[2] and order[0] <= earning[0]]
    return bool(paid) and earning[0] - paid[-1] < DAY


def _only(notes: Notes, payer: Notes, earning: list[Any]) -> float:
    """Which part of a builder's money came from a client who has paid nobody else; nothing for one who has not paid before."""
    before = [other for other in notes.get("earnings", ()) if other[2] == earning[2] and other[0] < earning[0]]
    if not before or not payer.get("spent") or notes.get("paid_by", {}).get(earning[2], 0) < 0.99 * payer["spent"]:
        return 0.0
    part: float = notes.get("earned_by", {}).get(earning[2], 0) / max(1, notes.get("earned", 0))
    return min(1.0, part)


def _is_strange(notes: Notes, row: list[Any]) -> bool:
    """Whether the browser is new to an account that is not, and that keeps its browsers: some come with a new mark each time."""
    devices, day = notes.get("device", {}), row[0] // DAY
    key = row[5] if len(row) > 5 else ""
    if key not in devices or devices[key][0] <= day - 3:
        return False
    before = [days for other, days in devices.items() if days[0] < day - 7]
    return any(int(days[1]).bit_count() >= 3 for days in before) and len(before) <= 4


def _habit(person: str, row: list[Any], web: Web, terms: Terms) -> int:
    """How many clients there are whose money was taken out as fast, so long ago that somebody would have complained; or how often it was done a
    month ago and more, by when a card's owner has seen the bill. Whoever is linked with the builder complains of nothing."""
    notes, window = web.memory[who(person)], int(terms["window_minutes"] * MINUTE)
    payers, long_ago = set[str](), 0
    for other in notes["withdrawals"]:
        if other[0] > row[0] - terms["habit_days"] * DAY:
            break
        fresh = [earning for earning in notes.get("earnings", ()) if other[0] - window < earning[0] <= other[0]]
        strangers = {earning[2] for earning in fresh if not earning[2] or web.pair(person, earning[2]).weight < terms["link_at"]}
        if strangers and _share(notes, other, fresh, window)[0] >= 0.5:
            payers |= strangers
            long_ago += other[0] <= row[0] - MONTH
    return max(len(payers), long_ago)
