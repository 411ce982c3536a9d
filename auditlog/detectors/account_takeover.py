"""Somebody else in an account: a sign-in from far away in a strange browser, and a changed account whose money then leaves from one."""

from __future__ import annotations

from collections.abc import Iterable

from .cases import at_stake, insert, news, severity_of, trim, usdc
from .facts import DAY, MICRO, Fact, fingerprint, said
from .memory import Memory, Notes
from .parameters import Parameter, Terms
from .people import opened, owner_of, who
from .suspicions import Suspicion, settle

NAME = "account_takeover"
CHANGES = {
    "password_changed": "the password",
    "email_changed": "the e-mail address",
    "second_factor_changed": "the second factor",
    "payout_address_added": "the payout address",
}
KINDS = frozenset({"sign_in", "withdrawal", "withdrawal_ended", *CHANGES})
PARAMETERS = (
    Parameter("alert_at", 70, 40, 100, "From which confidence on somebody is told."),
    Parameter("hold_at", 80, 50, 100, "From which confidence on the withdrawal waits."),
    Parameter("show_at", 50, 0, 100, "From which confidence on it is a weak signal; below it is nothing."),
    Parameter("window_hours", 72, 6, 336, "How long a browser, a password or a payout address counts as new."),
    Parameter("travel_minutes", 90, 10, 720, "Within how many minutes nobody travels from one network to another far away."),
    Parameter("known_days", 7, 1, 90, "Days after which an account has habits; before, all is new about it."),
    Parameter("device_points", 30, 0, 60, "Points for a browser that the account does not know."),
    Parameter("address_points", 25, 0, 60, "Points for a new payout address."),
    Parameter("secret_points", 20, 0, 60, "Points for a change of password, second factor or e-mail address."),
    Parameter("place_points", 15, 0, 60, "Points for a network or a country in which the account was never seen."),
    Parameter("amount_points", 10, 0, 60, "Points when nearly all of the balance leaves."),
    Parameter("amount_part", 0.8, 0.1, 1, "Which part of the balance that is."),
    Parameter("travel_points", 20, 0, 60, "Points for two sign-ins from networks too far apart in time."),
    Parameter("country_points", 20, 0, 60, "Points when these are in two countries."),
    Parameter("browser_points", 10, 0, 60, "Points for a kind of browser that the account never had."),
)
INS, DEVICES, NETS, OUTS = 12, 16, 24, 20  # that are remembered of one person


def life(person: str) -> str:
    return f"life:{person}"


def _person(fact: Fact) -> str:
    return owner_of(fact) if fact.kind == "withdrawal_ended" else fact.person


def keys(fact: Fact) -> Iterable[str]:
    person = _person(fact)
    return [life(person)] if person else []


def net_of(ip: str) -> str:
    """The network in which an address lies, roughly a provider in a region: /16 of IPv4, /32 of IPv6."""
    mark = ":" if ":" in ip else "."
    return mark.join(ip.split(mark)[:2]) if ip else ""


def learn(fact: Fact, memory: Memory, touched: set[str]) -> None:
    person = _person(fact)
    if not person:
        return
    notes = memory.change(life(person), fact.second)
    if fact.kind == "withdrawal_ended":
        notes.setdefault("ended", {})[fact.target] = fact.second
        trim(notes["ended"], OUTS, int)
        touched.add(person)
        return
    device, net = fact.device[:120], net_of(fact.ip)
    for name, value, most in (("devices", device, DEVICES), ("nets", net, NETS), ("countries", said(fact.meta, "country"), NETS)):
        if value:
            _first(notes.setdefault(name, {}), value, fact.second, most)
    if fact.kind == "sign_in":
        browser = fingerprint(fact)
        if browser:
            _first(notes.setdefault("browsers", {}), browser, fact.second, DEVICES)
        row = [fact.second, net, device, said(fact.meta, "country"), browser]
        if insert(notes.setdefault("ins", []), row, INS):
            touched.add(person)
    elif fact.kind == "withdrawal":
        if fact.micro:
            row = [fact.second, fact.micro, fact.target or fact.event, device, _balance(fact), net]
            insert(notes.setdefault("outs", []), row, OUTS)
            touched.add(person)
    elif fact.kind != "email_changed" or fact.meta.get("change") in (None, "made first"):
        insert(notes.setdefault("changes", []), [fact.second, fact.kind, device], OUTS)
        touched.add(person)


def _first(seen: dict[str, list[int]], value: str, second: int, most: int) -> None:
    """First and last moment of a value; of too many those seen last the longest ago go."""
    span = seen.get(value)
    if span is None:
        seen[value] = [second, second]
        trim(seen, most, lambda one: int(one[1]))
    else:
        span[0], span[1] = min(span[0], second), max(span[1], second)


def _balance(fact: Fact) -> int:
    """What was there before; -1 when nobody said."""
    try:
        return round(float(said(fact.meta, "balance_before") or -1 / MICRO) * MICRO)
    except (ValueError, OverflowError):
        return -1


def judge(people: Iterable[str], memory: Memory, terms: Terms) -> list[Suspicion]:
    people = sorted(set(people))
    memory.fetch(name for person in people for name in (who(person), life(person)))
    found = []
    for person in people:
        notes = memory[life(person)]
        found += [one for row in notes.get("outs", ()) if (one := _chain(person, row, notes, memory, terms))]
        found += _travels(person, notes, memory, terms)
    return news(found, memory)


def _is_known(person: str, second: int, memory: Memory, terms: Terms) -> bool:
    """Whether the account had habits by then."""
    notes = memory[who(person)]
    since = min(notes.get("first", second), opened(notes, memory) or second)
    return bool(second - since >= terms["known_days"] * DAY)


def _is_new(seen: Notes, value: str, second: int, window: int) -> bool:
    """Whether a value came up lately, where others are known."""
    return bool(value) and value in seen and second - window < seen[value][0] <= second and any(span[0] <= second - window for span in seen.values())


def _device_of(row: list[object], notes: Notes) -> tuple[str, str]:
    """From which browser and network a withdrawal was asked for: its own, or those of the last sign-in within a day before."""
    second, device, net = int(str(row[0])), str(row[3]), str(row[5])
    if device:
        return device, net
    before = [one for one in notes.get("ins", ()) if second - DAY < one[0] <= second]
    return (before[-1][2], before[-1][1]) if before else ("", net)


def _chain(person: str, row: list[int], notes: Notes, memory: Memory, terms: Terms) -> tuple[Suspicion, int] | None:
    second, micro, name, balance = row[0], row[1], str(row[2]), row[4]
    window = int(terms["window_hours"] * 3600)
    if name in notes.get("ended", {}) or not _is_known(person, second, memory, terms):
        return None
    device, net = _device_of(list(row), notes)
    if not _is_new(notes.get("devices", {}), device, second, window):
        return None
    changes = [one for one in notes.get("changes", ()) if second - window < one[0] <= second]
    if not changes:
        return None
    hours = f"{terms['window_hours']:.0f} hours"
    parts = [(terms["device_points"], f"It was asked for in a browser that the account first had within {hours}", device)]
    if any(one[1] == "payout_address_added" for one in changes):
        parts.append((terms["address_points"], f"The payout address was changed within {hours} before", ""))
    secrets = list(dict.fromkeys(CHANGES[one[1]] for one in changes if one[1] != "payout_address_added"))
    if secrets:
        parts.append((terms["secret_points"], f"Within {hours} before, {' and '.join(secrets)} was changed", ""))
    countries = [one[3] for one in notes.get("ins", ()) if second - window < one[0] <= second and one[3]]
    places = [place for place in (net,) if _is_new(notes.get("nets", {}), place, second, window)]
    places += [place for place in countries if _is_new(notes.get("countries", {}), place, second, window)]
    if places:
        parts.append((terms["place_points"], "From a place in which the account was never seen before", ", ".join(sorted(set(places)))))
    if balance > 0 and micro > terms["amount_part"] * balance:
        parts.append((terms["amount_points"], f"{100 * micro / balance:.0f} % of what was there leaves", usdc(micro)))
    confidence, reasons = settle(parts)
    if confidence < terms["show_at"]:
        return None
    loss = micro + at_stake(memory[who(person)])
    return (
        Suspicion(
            fingerprint=f"ato:{person}:{second // DAY}",
            incident_type="fraud_attempt",
            severity=severity_of(loss, alerts=confidence >= terms["alert_at"], least="high"),
            confidence=confidence,
            description=f"An account was changed, and {usdc(micro)} were then asked for in a browser that it had not known.",
            detector=NAME,
            pattern="takeover_and_withdrawal",
            people=[person],
            reasons=reasons,
            evidence={"people": [person], "changes": changes[-20:], "devices": sorted(notes.get("devices", {}))[:20]},
            withdrawal_id=name,
            devices=[device],
            loss=loss,
            holds=confidence >= terms["hold_at"],
            second=second,
        ),
        1,
    )


def _travels(person: str, notes: Notes, memory: Memory, terms: Terms) -> list[tuple[Suspicion, int]]:
    """Sign-ins from two networks within a time in which nobody travels, the later in a browser that the account did not know."""
    reach, found = int(60 * terms["travel_minutes"]), dict[int, tuple[Suspicion, int]]()
    ins = notes.get("ins", ())
    for place, row in enumerate(ins):
        second, net, device, country, browser = row
        if not net or not device or notes["devices"].get(device, [second])[0] != second or not _is_known(person, second, memory, terms):
            continue
        before = [one for one in ins[:place] if second - reach < one[0] and one[1] and one[1] != net and one[2]]
        if not before:
            continue
        other = before[-1]
        parts = [
            (terms["device_points"], "The later sign-in is in a browser that the account did not know", device),
            (terms["travel_points"], f"Two networks within {max(1, (second - other[0]) // 60)} minutes", f"{other[1]} and {net}"),
        ]
        if country and other[3] and country != other[3]:
            parts.append((terms["country_points"], "They are in two countries", f"{other[3]} and {country}"))
        if browser and notes.get("browsers", {}).get(browser, [0])[0] == second and len(notes["browsers"]) > 1:
            parts.append((terms["browser_points"], "The account never had this kind of browser", browser[:12]))
        confidence, reasons = settle(parts)
        day = second // DAY
        if confidence < terms["show_at"] or (day in found and found[day][0].confidence >= confidence):
            continue
        loss = at_stake(memory[who(person)])
        found[day] = (
            Suspicion(
                fingerprint=f"travel:{person}:{day}",
                incident_type="fraud_attempt",
                severity=severity_of(loss, alerts=confidence >= terms["alert_at"]),
                confidence=confidence,
                description="Two sign-ins to one account that are too far apart for the time between them.",
                detector=NAME,
                pattern="impossible_travel",
                people=[person],
                reasons=reasons,
                evidence={"people": [person], "sign_ins": [other, row]},
                devices=[other[2], device],
                loss=loss,
                second=second,
            ),
            1,
        )
    return list(found.values())
