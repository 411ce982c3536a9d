"""What is remembered of each person: since when, from where, and who paid whom."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5, sha256
from typing import Any

from .facts import DAY, Fact, address_hash, card_hash, fingerprint, parties, said, yes
from .memory import Days, Memory, Notes, Span

# kind of value -> how many of one person are remembered; the latest are
VALUES = {"ip": 48, "device": 24, "fingerprint": 12, "payout": 8, "card": 12}
FORGOTTEN = ("ip", "device", "fingerprint")  # after half a year
HOLDERS = 64  # people who are remembered of one value; beyond, it is common and tells nothing
PAYERS = 60
RECENT = 40  # earnings and withdrawals that are remembered of one person
DAYS_OF_LOG = 1500
LOOKED = frozenset({"verified", "approved", "complete", "completed", "success", "succeeded", "accepted"})
LOG = "log"  # what is remembered of the log itself: since when it tells, and whether it tells of sign-ups
HIDDEN = ""  # under which a value keeps that it has more holders than are remembered


def who(person: str) -> str:
    return f"who:{person}"


def openings(person: str) -> str:
    """Under which it is remembered when an account was opened, with a few of all others: that is asked of everybody with whom somebody dealt, of
    tens of thousands at once, and 4,096 notes are found sooner than so many."""
    return f"openings:{md5(person.encode(errors='surrogatepass'), usedforsecurity=False).hexdigest()[:3]}"


def keys(fact: Fact) -> Iterable[str]:
    """What has to be at hand to learn it."""
    yield LOG
    if fact.person:
        yield who(fact.person)
        yield from (key for key, _ in sightings(fact))
        if fact.kind == "sign_up":
            yield openings(fact.person)
    if fact.kind in ("order_paid", "escrow_release"):
        yield from (who(side) for side in parties(fact) if side)
    elif fact.kind == "withdrawal_ended":
        owner = owner_of(fact)
        if owner:
            yield who(owner)


def owner_of(fact: Fact) -> str:
    return said(fact.meta, "user", "user_id", "builder_id") or fact.person


def sightings(fact: Fact) -> list[tuple[str, str]]:
    """The values that were seen with who acted: key and kind."""
    found = []
    if fact.ip:
        found.append((f"ip:{fact.ip}", "ip"))
    if fact.device:
        found.append((f"device:{fact.device[:120]}", "device"))
    if fact.kind in ("sign_in", "sign_up"):
        value, kind = fingerprint(fact), "fingerprint"
    elif fact.kind == "payout_address_added":
        value, kind = address_hash(fact), "payout"
    elif fact.kind == "payment_method_added":
        value, kind = card_hash(fact), "card"
    else:
        return found
    if value:
        found.append((f"{kind}:{value if len(value) <= 120 else sha256(value.encode()).hexdigest()}", kind))
    return found


def learn(fact: Fact, memory: Memory, touched: set[str], shared: dict[str, int]) -> None:
    """Remember a fact. Adds to `touched` whose standing may have changed by it, and to `shared` the addresses of several at which somebody was
    seen anew, with the day."""
    _begin(fact, memory)
    person = fact.person
    if person:
        notes = memory.change(who(person), fact.second)
        _meet(notes, fact.second)
        day = fact.second // DAY
        for key, kind in sightings(fact):
            if _see(notes, key, kind, day):
                _hold(memory, key, person, day, fact.second, touched)
                if kind == "ip" and len(memory[key]) > 1:
                    shared[key] = min(day, shared.get(key, day))
                touched.add(person)
        LEARN.get(fact.kind, _nothing)(notes, fact)
        if fact.kind == "sign_up":
            memory.change(openings(person), fact.second)[person] = notes["up"]
        if fact.kind in LEARN:
            touched.add(person)
    if fact.kind in ("order_paid", "escrow_release"):
        _trade(fact, memory, touched)
    elif fact.kind == "withdrawal_ended":
        owner = owner_of(fact)
        if owner:
            memory.change(who(owner), fact.second).setdefault("ended", {})[fact.target] = fact.second
            _cap_ended(memory.change(who(owner))["ended"])
            touched.add(owner)


def _begin(fact: Fact, memory: Memory) -> None:
    log = memory[LOG]
    if fact.second < log.get("first", fact.second + 1):
        memory.change(LOG, fact.second)["first"] = fact.second
    if fact.kind == "sign_up":
        log = memory.change(LOG, fact.second)
        log["sign_ups"] = log.get("sign_ups", 0) + 1
        days, day = log.setdefault("days", {}), str(fact.second // DAY)
        days[day] = days.get(day, 0) + 1
        if len(days) > DAYS_OF_LOG:
            del days[min(days, key=int)]


def usual(memory: Memory, second: int, reach: float) -> float:
    """Which part of all accounts was opened within so many days of a moment. Where everybody came in one week, it means nothing that two did."""
    log = memory[LOG]
    days, day, near = log.get("days", {}), second // DAY, int(reach)
    about: int = sum(days.get(str(other), 0) for other in range(day - near, day + near + 1))
    return about / float(max(1, log.get("sign_ups", 1)))


def opened(notes: Notes, memory: Memory) -> int | None:
    """When an account was opened. Who never signed up in a log that tells of sign-ups was there before it (None); in one that does not,
    whoever is first seen a fortnight after its beginning is taken to be new."""
    if "up" in notes:
        return int(notes["up"])
    log = memory[LOG]
    if log.get("sign_ups") or "first" not in notes or notes["first"] < log.get("first", 0) + 14 * DAY:
        return None
    return int(notes["first"])


def _meet(notes: Notes, second: int) -> None:
    if second < notes.get("first", second + 1):
        notes["first"] = second
    if second > notes.get("last", second - 1):
        notes["last"] = second


def _see(notes: Notes, key: str, kind: str, day: int) -> bool:
    """Note a value with its day; says whether that is new."""
    values: Notes = notes.setdefault(kind, {})
    days = values.get(key)
    if days is not None:
        return Days.add(days, day)
    if kind in FORGOTTEN and values:
        newest = max(map(Days.last, values.values()))
        if day < newest - Days.KEPT:
            return False
        if day - Days.KEPT > min(Days.last(other) for other in values.values()):
            for other in [other for other, seen in values.items() if Days.last(seen) < day - Days.KEPT]:
                del values[other]
    values[key] = [day, 1]
    if len(values) > VALUES[kind]:  # the one that was seen last the longest ago
        oldest = min(values, key=lambda other: (Days.last(values[other]), other))
        del values[oldest]
        return oldest != key
    return True


def _hold(memory: Memory, key: str, person: str, day: int, second: int, touched: set[str]) -> None:
    """Note a person among a value's holders, with their days. Of too many the smallest ids are remembered, so that it does not matter who came
    first."""
    span = memory[key].get(person)
    # Of most values nobody asks when they were used last: that is known by the week, so that a note is written as seldom.
    last = day if key.startswith(("ip:", "payout:")) else day // 7 * 7 + 6
    if span is not None and len(span) == 2 and span[0] <= day and last <= span[1]:
        return
    holders = memory.change(key, second)
    if span is not None:
        Span.add(span, day)
        span[1] = max(span[1], last)
        return
    holders[person] = [day, day, 1] if key.startswith("ip:") else [day, last]
    if len(holders) - (HIDDEN in holders) > HOLDERS:
        del holders[max(holders)]
        holders[HIDDEN] = 1
        return
    if 1 < len(holders) <= HOLDERS // 2:  # all who hold it are linked otherwise than before
        touched.update(holders)


def _trade(fact: Fact, memory: Memory, touched: set[str]) -> None:
    client, builder = parties(fact)
    if not builder or not fact.micro:
        return
    name = "paid" if fact.kind == "order_paid" else "earned"
    notes = memory.change(who(builder), fact.second)
    notes[name] = notes.get(name, 0) + fact.micro
    if client:
        _more(notes.setdefault(f"{name}_by", {}), client, fact.micro)
        payer = memory.change(who(client), fact.second)
        payer["spent"] = payer.get("spent", 0) + fact.micro if name == "paid" else payer.get("spent", 0)
        first = payer.get("bought")
        if name == "paid" and (first is None or fact.second < first):
            payer["bought"] = fact.second
        _count(payer.setdefault(f"{name}_to", {}), builder, fact.second)
        touched.add(client)
    if name == "earned":
        recent = notes.setdefault("earnings", [])
        _insert(recent, [fact.second, fact.micro, client, fact.event])
    elif client:
        _insert(notes.setdefault("orders", []), [fact.second, fact.micro, client, fact.event])
    touched.add(builder)


def _more(amounts: dict[str, int], other: str, micro: int) -> None:
    amounts[other] = amounts.get(other, 0) + micro
    if len(amounts) > PAYERS:
        del amounts[min(amounts, key=lambda name: (amounts[name], name))]


def _count(orders: dict[str, list[int]], other: str, second: int) -> None:
    """How many orders with somebody, and when the last was."""
    row = orders.get(other)
    if row is not None:
        row[0] += 1
        row[1] = max(row[1], second)
        return
    orders[other] = [1, second]
    if len(orders) > PAYERS:
        del orders[min(orders, key=lambda name: (orders[name][1], name))]


def _insert(rows: list[list[Any]], row: list[Any]) -> None:
    """Keep the latest of rows that begin with a moment, in their order."""
    rows.append(row)
    if len(rows) > 1 and rows[-2][0] >= row[0]:
        rows.sort(key=lambda one: (one[0], str(one[3])))
    if len(rows) > RECENT:
        del rows[0]


def _cap_ended(ended: dict[str, int]) -> None:
    while len(ended) > RECENT:
        del ended[min(ended, key=lambda name: (ended[name], name))]


def _sign_up(notes: Notes, fact: Fact) -> None:
    if fact.second < notes.get("up", fact.second + 1):
        notes["up"] = fact.second
    identity = fact.meta.get("identity_verified")
    if yes(identity):
        # A flag says that somebody looked; a word says whose papers they were, which two accounts may share.
        named = isinstance(identity, str) and len(identity) > 6 and identity.lower() not in LOOKED
        notes["papers"] = identity if named else "yes"
    agency = fact.meta.get("registered_agency")
    if yes(agency):
        notes["agency"] = str(agency)


def _payout_address(notes: Notes, fact: Fact) -> None:
    rows = notes.setdefault("addresses", [])
    if fact.second not in rows:
        rows.append(fact.second)
        rows.sort()
        del rows[:-RECENT]


def _withdrawal(notes: Notes, fact: Fact) -> None:
    if not fact.micro:
        return
    rows = notes.setdefault("withdrawals", [])
    name = fact.target or f"{fact.actor}@{fact.second}"
    if any(row[3] == name for row in rows):
        return
    balance = fact.meta.get("balance_before")
    known = _micro(balance)
    _insert(rows, [fact.second, fact.micro, known, name, 1 if yes(fact.meta.get("scheduled")) else 0, f"device:{fact.device[:120]}"])
    notes["withdrawn"] = notes.get("withdrawn", 0) + fact.micro


def _micro(value: Any) -> int | None:
    try:
        return round(float(value) * 1_000_000) if value not in (None, "") and not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _nothing(notes: Notes, fact: Fact) -> None:
    return


LEARN = {"sign_up": _sign_up, "payout_address_added": _payout_address, "withdrawal": _withdrawal}
