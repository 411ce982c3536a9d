"""Cards that are tried out, and money of many accounts that goes to one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .cases import Row, at_stake, bursts, insert, news, severity_of
from .facts import DAY, Fact, address_hash, card_hash, said
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import HIDDEN, opened, who
from .suspicions import Suspicion, settle

CARD_TESTING, FAN_IN = "card_testing", "payout_fan_in"
CARD_KINDS = frozenset({"payment_failed", "payment_method_added"})
FAN_KINDS = frozenset({"payout_address_added", "suspended", "reinstated"})
CARD_PARAMETERS = (
    Parameter("alert_at", 70, 40, 100, "From which confidence on somebody is told."),
    Parameter("window_minutes", 60, 10, 1440, "Within how many minutes."),
    Parameter("declines", 5, 3, 50, "Refused payments that are too many."),
    Parameter("cards", 3, 2, 20, "Cards that are too many."),
    Parameter("decline_points", 40, 10, 100, "Points for refused payments."),
    Parameter("card_points", 40, 10, 100, "Points for different cards."),
    Parameter("more_points", 15, 0, 40, "At most, for each of the two, for how much more than too many it is."),
    Parameter("young_points", 10, 0, 40, "Points for an account that came within the week before."),
    Parameter("people_points", 15, 0, 40, "Points for several accounts that do it from one browser or address."),
    Parameter("shared_people", 10, 2, 40, "Accounts at one browser or address from which on it is not looked at as one."),
)
FAN_PARAMETERS = (
    Parameter("alert_at", 70, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 85, 50, 100, "From which confidence on payouts wait."),
    Parameter("window_days", 30, 1, 180, "Within how many days accounts are new at an address."),
    Parameter("accounts", 3, 2, 20, "New accounts at one payout address that are too many."),
    Parameter("accounts_points", 45, 10, 100, "Points for that."),
    Parameter("more_points", 15, 0, 40, "Points for each more."),
    Parameter("most_points", 90, 20, 100, "At most for all of them."),
    Parameter("used_part", 0.6, 0, 1, "Part of the points that is taken off when as many gave it at other times: an exchange, or a firm."),
    Parameter("suspended_points", 90, 40, 100, "Points for the payout address of a suspended account."),
)
KEPT, CARDS = 80, 40


def declines(person: str) -> str:
    return f"declines:{person}"


def _payer(fact: Fact) -> str:
    return said(fact.meta, "payer", "client_id", "user") or fact.person


def card_keys(fact: Fact) -> Iterable[str]:
    payer = _payer(fact)
    return [declines(payer)] if payer else []


def learn_card(fact: Fact, memory: Memory, touched: set[str]) -> None:
    payer, card = _payer(fact), card_hash(fact)[:120]
    if not payer or (fact.kind == "payment_method_added" and not card):
        return
    notes = memory.change(declines(payer), fact.second)
    is_decline = fact.kind == "payment_failed"
    insert(notes.setdefault("rows", []), [fact.second, 1 if is_decline else 0, card, payer, fact.event], KEPT)
    touched.add(payer)


def judge_cards(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    people = sorted(set(people))
    memory.fetch(name for person in people for name in (who(person), declines(person)))
    values = sorted({key for person in people for kind in ("device", "ip") for key in memory[who(person)].get(kind, ())})
    memory.fetch(values)
    groups = {key: sorted(memory[key]) for key in values if 2 <= len(memory[key]) <= terms["shared_people"] and HIDDEN not in memory[key]}
    memory.fetch(declines(person) for group in groups.values() for person in group)
    groups = {key: group for key, group in groups.items() if _may_burst(group, memory, terms)}
    memory.fetch(who(person) for group in groups.values() for person in group)
    found, told = [], set[str]()
    # Of several browsers and addresses behind one burst the browser is named, and then nobody of it alone.
    seen = set[tuple[str, ...]]()
    for key, group in sorted(groups.items()):  # browsers come before addresses
        together = [row for person in group for row in _tried(person, memory)]
        for rows in _bursts(together, terms):
            doers = {row[3] for row in rows}
            same = (str(rows[0][0] // 3600), *sorted(doers))
            if len(doers) > 1 and same not in seen and _size(rows, terms) > max(_alone(person, rows, terms) for person in doers):
                seen.add(same)
                told |= {f"{person}:{rows[0][0] // DAY}" for person in doers}
                found.append((_cards(key, rows, memory, terms), len(rows)))
    for person in people:
        for rows in _bursts(_tried(person, memory), terms):
            if f"{person}:{rows[0][0] // DAY}" not in told:
                found.append((_cards(person, rows, memory, terms), len(rows)))
    return news(found, memory)


def _may_burst(group: Iterable[str], memory: Memory, terms: Terms) -> bool:
    """Whether they tried enough in all: what an account may do with a card of its own is not looked at yet, nor when it was."""
    rows = [row for person in group for row in memory[declines(person)].get("rows", ())]
    return _size(rows, terms) >= terms["cards"] * terms["declines"]


def _alone(person: str, rows: Sequence[Row], terms: Terms) -> int:
    return _size([row for row in rows if row[3] == person], terms)


def _tried(person: str, memory: Memory) -> list[Row]:
    """What somebody did with cards. One that the account has had since a day before is not tried out: it is refused, and named by nothing here."""
    cards = memory[who(person)].get("card", {})
    rows = memory[declines(person)].get("rows", ())
    return [[*row[:2], "", *row[3:]] if row[2] and cards.get(f"card:{row[2]}", [row[0] // DAY])[0] < row[0] // DAY else row for row in rows]


def _size(rows: Sequence[Row], terms: Terms) -> int:
    refused = sum(row[1] for row in rows)
    cards = len({row[2] for row in rows if row[2]})
    return int(max(refused * terms["cards"], cards * terms["declines"]))


def _bursts(rows: Sequence[Row], terms: Terms) -> list[list[Row]]:
    return bursts(rows, int(60 * terms["window_minutes"]), lambda part: _size(part, terms), int(terms["cards"] * terms["declines"]))


def _cards(name: str, rows: Sequence[Row], memory: Memory, terms: Terms) -> Suspicion:
    refused, cards = sum(row[1] for row in rows), len({row[2] for row in rows if row[2]})
    people = sorted({row[3] for row in rows})
    within = f"within {terms['window_minutes']:.0f} minutes"
    parts: list[tuple[float, str, str]] = []
    if refused >= terms["declines"]:
        parts.append((terms["decline_points"] + _more(refused, terms["declines"], terms), f"{refused} payments were refused {within}", ""))
    if cards >= terms["cards"]:
        parts.append((terms["card_points"] + _more(cards, terms["cards"], terms), f"{cards} different cards were used {within}", ""))
    young = [person for person in people if _came_lately(memory[who(person)], rows[0][0], memory)]
    if young:
        parts.append((terms["young_points"], "The account was opened within the week before", ", ".join(young[:5])))
    if len(people) > 1:
        parts.append((terms["people_points"], f"{len(people)} accounts did it from one {'browser' if name.startswith('device:') else 'address'}", ""))
    confidence, reasons = settle(parts)
    return Suspicion(
        fingerprint=f"cardtest:{name}:{rows[0][0] // 3600}"[:200],
        incident_type="fraud_attempt",
        severity=severity_of(0, alerts=confidence >= terms["alert_at"], least="high" if cards >= terms["cards"] else "medium"),
        confidence=confidence,
        description=f"{refused} refused payments and {cards} cards {within}: somebody may be trying cards out.",
        detector=CARD_TESTING,
        pattern="card_testing",
        people=people,
        reasons=reasons,
        evidence={"people": people, "payments": [row[:3] for row in rows[-50:]]},
        addresses=[name.removeprefix("ip:")] if name.startswith("ip:") else [],
        devices=[name.removeprefix("device:")] if name.startswith("device:") else [],
        second=rows[-1][0],
    )


def _more(size: int, least: float, terms: Terms) -> float:
    return float(terms["more_points"] * min(1, size / least - 1))


def _came_lately(notes: Notes, second: int, memory: Memory) -> bool:
    up = opened(notes, memory)
    return up is not None and second - up < 7 * DAY


def standing(person: str) -> str:
    return f"standing:{person}"


def fan_keys(fact: Fact) -> Iterable[str]:
    if fact.kind == "payout_address_added":
        return []
    return [standing(fact.target), who(fact.target)] if fact.target else []


def learn_fan(fact: Fact, memory: Memory, touched: set[str]) -> None:
    if fact.kind == "payout_address_added":
        if fact.person:
            touched.update(memory[who(fact.person)].get("payout", ()))
            touched.add(f"payout:{address_hash(fact)}")
        return
    if not fact.target:
        return
    name = "out" if fact.kind == "suspended" else "back"
    notes = memory.change(standing(fact.target), fact.second)
    notes[name] = max(fact.second, notes.get(name, 0))
    touched.update(memory[who(fact.target)].get("payout", ()))


def judge_fan(values: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    values = sorted(set(values))
    memory.fetch(values)
    values = [key for key in values if len(memory[key]) > 1]
    memory.fetch(name for key in values for person in memory[key] if person for name in (who(person), standing(person)))
    found = [one for key in values if (one := _fan(key, memory, terms)) is not None]
    return news(found, memory)


def _suspended_at(person: str, memory: Memory) -> int | None:
    """Since when somebody is suspended; None for who is not, or not any more."""
    notes = memory[standing(person)]
    since = notes.get("out")
    return int(since) if since is not None and since > notes.get("back", 0) else None


def _fan(key: str, memory: Memory, terms: Terms) -> tuple[Suspicion, int] | None:
    holders = {person: span for person, span in memory[key].items() if person != HIDDEN and not memory[who(person)].get("agency")}
    window = int(terms["window_days"])
    starts = sorted({span[0] for span in holders.values()})
    fresh = max(([one for one, span in holders.items() if day <= span[0] < day + window] for day in starts), key=len, default=[])
    out = {person: since for person in holders if (since := _suspended_at(person, memory)) is not None}
    again = [one for one, span in holders.items() if one not in out and any(span[0] >= since // DAY for since in out.values())]
    parts: list[tuple[float, str, str]] = []
    if again:
        parts.append((terms["suspended_points"], "Paid to the address of an account that is suspended", ", ".join(sorted(out)[:5])))
    if len(fresh) >= terms["accounts"]:
        points = min(terms["most_points"], terms["accounts_points"] + terms["more_points"] * (len(fresh) - terms["accounts"]))
        parts.append((points, f"{len(fresh)} accounts gave one payout address within {window} days", key.partition(":")[2][:16]))
    if not parts:
        return None
    # Many who came one by one have their money at an exchange, or work for a firm. Mules come at once.
    begun = min([holders[one][0] for one in fresh] if len(fresh) >= terms["accounts"] else [since // DAY for since in out.values()])
    others = sum(1 for one, span in holders.items() if one not in out and not begun - window <= span[0] <= begun + 2 * window)
    if others > 1:
        total = sum(points for points, _, _ in parts)
        left = min(100, total) * (1 - terms["used_part"] * min(1, others / max(len(fresh), terms["accounts"])))
        parts.append((left - total, f"{others} others gave it at other times: it may be an exchange's, or a firm's", ""))
    confidence, reasons = settle(parts)
    people = sorted({*again, *(fresh if len(fresh) >= terms["accounts"] else ())})
    loss = sum(at_stake(memory[who(person)]) for person in people)
    return (
        Suspicion(
            fingerprint=f"fan_in:{key.partition(':')[2]}"[:200],
            incident_type="fraud_attempt",
            severity=severity_of(loss, alerts=confidence >= terms["alert_at"], least="high" if again else "medium"),
            confidence=confidence,
            description=f"{len(people)} {'account is' if len(people) == 1 else 'accounts are'} paid to one address"
            + (" that a suspended account had." if again else "."),
            detector=FAN_IN,
            pattern="suspended_address" if again else "payout_fan_in",
            people=[*people, *(one for one in sorted(out) if one not in people)],
            reasons=reasons,
            evidence={
                "people": [*people, *sorted(out)],
                "values": [
                    {"kind": "payout", "value": key.partition(":")[2], "fanout": len(holders), "label": "payout address", "too_common": False}
                ],
                "edges": [{"person": one, "kind": "payout", "value": key.partition(":")[2], "weight": 1} for one in sorted(holders)[:50]],
            },
            loss=loss,
            holds=confidence >= terms["hold_at"],
            second=max(span[1] for span in holders.values()) * DAY,
        ),
        len(people),
    )
