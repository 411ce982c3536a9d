"""Somebody who tries passwords: many accounts from one address, one account many times, or many old accounts that turn up in one browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from .cases import Row, bursts, insert, news
from .facts import DAY, Fact, said
from .memory import Memory
from .parameters import Parameter, Terms
from .people import HIDDEN, who
from .suspicions import Suspicion, settle

LEAST = 3  # accounts in one browser that may be too many
NAME = "sign_in_bursts"
KINDS = frozenset({"sign_in", "sign_in_failed"})
PARAMETERS = (
    Parameter("alert_at", 60, 40, 100, "From which confidence on somebody is told."),
    Parameter("address_accounts", 25, 5, 200, "Accounts tried in vain from one address that are too many."),
    Parameter("address_minutes", 30, 5, 240, "Within how many minutes."),
    Parameter("account_tries", 10, 5, 200, "Tries at one account in vain that are too many."),
    Parameter("account_minutes", 10, 1, 240, "Within how many minutes."),
    Parameter("device_accounts", 5, LEAST, 40, "Older accounts that are new in one browser on one day that are too many."),
    Parameter("old_days", 7, 1, 90, "Days since which an account is known by then."),
    Parameter("burst_points", 60, 20, 100, "Points for a burst from one address, or into one browser."),
    Parameter("account_points", 50, 20, 100, "Points for a burst at one account."),
    Parameter("more_points", 20, 0, 40, "At most for how much more than too many it is."),
    Parameter("in_points", 20, 0, 50, "Points when one of those that were tried was signed in from there on that day."),
    Parameter(
        "own_points",
        30,
        0,
        60,
        "Points taken off when most tries at an account were made in a browser that it has used before: a forgotten password.",
    ),
    Parameter("busy_points", 30, 0, 60, "Points taken off an address at which many others sign in: a gateway, not an attacker."),
    Parameter("busy_times", 3, 1, 20, "How many times more others than tried accounts that is."),
)
KEPT = 240  # tries that are remembered of one address, and of one account
HALF_HOUR = 1800


def tries(subject: str) -> str:
    return f"tries:{subject}"


def account(fact: Fact) -> str:
    """Whose account was tried: the person, or what was typed."""
    typed = said(fact.meta, "email").lower()
    return fact.target or (f"@{sha256(typed.encode()).hexdigest()[:16]}" if typed else "")


def keys(fact: Fact) -> Iterable[str]:
    if fact.kind == "sign_in_failed":
        yield tries(account(fact))
        if fact.ip:
            yield tries(f"ip:{fact.ip}")


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    if fact.kind == "sign_in":
        key = f"device:{fact.device[:120]}"
        if fact.device and fact.person and len(memory[key]) >= LEAST:
            touched.add(key)
        return
    tried = account(fact)
    if tried:
        insert(memory.change(tries(tried), fact.second).setdefault("rows", []), [fact.second, fact.ip, fact.event, fact.device[:120]], KEPT)
        touched.add(f"account:{tried}")
    if tried and fact.ip:
        insert(memory.change(tries(f"ip:{fact.ip}"), fact.second).setdefault("rows", []), [fact.second, tried, fact.event], KEPT)
        touched.add(f"ip:{fact.ip}")


def judge(subjects: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    names = sorted(set(subjects))
    accounts = [name.removeprefix("account:") for name in names if name.startswith("account:")]
    addresses = [name for name in names if name.startswith("ip:")]
    devices = [name for name in names if name.startswith("device:")]
    memory.fetch([*map(tries, accounts), *map(tries, addresses), *devices])
    found = [one for name in accounts for one in _at_account(name, memory, terms)]
    for name in addresses:
        found += _from_address(name, memory, terms)
    for name in devices:
        found += _in_browser(name, memory, terms)
    return news(found, memory)


def _accounts(rows: Sequence[Row]) -> int:
    return len({row[1] for row in rows})


def _more(size: int, least: float, terms: Terms) -> tuple[float, str, str]:
    return (terms["more_points"] * min(1, size / least - 1), f"{size / least:.1f} times what is too many", "")


def _from_address(name: str, memory: Memory, terms: Terms) -> Iterable[tuple[Suspicion, int]]:
    least, address = int(terms["address_accounts"]), name.removeprefix("ip:")
    every = memory[tries(name)].get("rows", ())
    if _accounts(every) < least:
        return
    memory.fetch(who(row[1]) for row in every if not row[1].startswith("@"))  # whom nobody knows there is nothing to know of
    # Whoever was there on a day before works or lives there, and has mistyped.
    strange = [row for row in every if row[1].startswith("@") or memory[who(row[1])].get("ip", {}).get(name, [row[0] // DAY])[0] >= row[0] // DAY]
    for rows in bursts(strange, int(60 * terms["address_minutes"]), _accounts, least):
        tried = sorted({row[1] for row in rows})
        memory.fetch([name, *map(who, tried)])
        first, last = rows[0][0] // DAY, rows[-1][0] // DAY
        inside = [one for one in tried if any(_on(memory, one, name, day) for day in range(first, last + 1))]
        parts = [
            (
                terms["burst_points"],
                f"{len(tried)} accounts were tried in vain from {address} within {terms['address_minutes']:.0f} minutes",
                address,
            ),
            _more(len(tried), least, terms),
        ]
        if inside:
            parts.append((terms["in_points"], f"{len(inside)} of them were signed in from there on that day", ", ".join(inside[:5])))
        others = [one for one, span in memory[name].items() if one != HIDDEN and one not in tried and span[0] <= last and span[1] >= first]
        if HIDDEN in memory[name] or len(others) >= terms["busy_times"] * len(tried):
            parts.append((-terms["busy_points"], "Many others sign in at this address: it may be a gateway", ""))
        yield (
            _suspicion(f"burst:{name}", rows, parts, "many_accounts_one_address", [one for one in tried if not one.startswith("@")], terms),
            len(tried),
        )


def _on(memory: Memory, person: str, key: str, day: int) -> bool:
    days = memory[who(person)].get("ip", {}).get(key)
    return bool(days and day >= days[0] and days[1] >> (day - days[0]) & 1)


def _at_account(name: str, memory: Memory, terms: Terms) -> Iterable[tuple[Suspicion, int]]:
    if name.startswith("@"):
        return
    least = int(terms["account_tries"])
    for rows in bursts(memory[tries(name)].get("rows", ()), int(60 * terms["account_minutes"]), len, least):
        memory.fetch([who(name)])
        words = f"{len(rows)} tries at one account in vain within {terms['account_minutes']:.0f} minutes"
        parts = [(terms["account_points"], words, name), _more(len(rows), least, terms)]
        places = sorted({row[1] for row in rows if row[1]})
        known = memory[who(name)].get("ip", {})
        came = [place for place in places if _on(memory, name, f"ip:{place}", rows[-1][0] // DAY) and known[f"ip:{place}"][0] >= rows[0][0] // DAY]
        if came:
            parts.append((terms["in_points"], "The account was signed in from there on that day, for the first time", ", ".join(came[:5])))
        devices = memory[who(name)].get("device", {})
        own = [row for row in rows if len(row) > 3 and devices.get(f"device:{row[3]}", [row[0] // DAY])[0] < row[0] // DAY]
        if 2 * len(own) > len(rows):
            parts.append((-terms["own_points"], "Most of them were made in a browser that the account has used before", ""))
        yield _suspicion(f"burst:{name}", rows, parts, "one_account", [name], terms, places), len(rows)


def _in_browser(name: str, memory: Memory, terms: Terms) -> Iterable[tuple[Suspicion, int]]:
    least = int(terms["device_accounts"])
    holders = memory[name]
    if len(holders) < least:
        return
    memory.fetch(who(person) for person in holders if person)
    days: dict[int, list[str]] = {}
    for person, span in holders.items():
        if person != HIDDEN and memory[who(person)].get("first", 0) // DAY <= span[0] - terms["old_days"]:
            days.setdefault(span[0], []).append(person)
    for day, people in sorted(days.items()):
        if len(people) < least:
            continue
        device = name.removeprefix("device:")
        words = f"{len(people)} accounts that were known before were signed in with one browser, which none of them had used, on one day"
        rows: list[Row] = [[day * DAY, person] for person in sorted(people)]
        yield (
            _suspicion(
                f"burst:{name}", rows, [(terms["burst_points"], words, device), _more(len(people), least, terms)], "one_browser", people, terms
            ),
            len(people),
        )


def _suspicion(
    name: str, rows: Sequence[Row], parts: list[tuple[float, str, str]], pattern: str, people: Iterable[str], terms: Terms, places: Sequence[str] = ()
) -> Suspicion:
    confidence, reasons = settle(parts)
    people = sorted(people)
    subject = name.split(":", 1)[1]
    address, device = (subject.removeprefix(kind) if subject.startswith(kind) else "" for kind in ("ip:", "device:"))
    return Suspicion(
        fingerprint=f"{name}:{rows[0][0] // HALF_HOUR}"[:200],
        incident_type="fraud_attempt",
        severity="low" if confidence < terms["alert_at"] else "high" if pattern == "many_accounts_one_address" and confidence >= 80 else "medium",
        confidence=confidence,
        description=f"{parts[0][1]}, from {datetime.fromtimestamp(rows[0][0], UTC):%Y-%m-%d %H:%M} UTC on.",
        detector=NAME,
        pattern=pattern,
        people=people[:50],
        reasons=reasons,
        evidence={"people": people[:50], "tries": len(rows), "from": rows[0][0], "to": rows[-1][0]},
        addresses=[address] if address else list(places[:20]),
        devices=[device] if device else [],
        second=rows[-1][0],
    )
