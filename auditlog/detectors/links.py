"""Who is linked with whom: values that two people share, weighed by how few others have them and how much of a person's doings they are.

`q(value) = base * (fan-out - 1) ** -decay * sqrt(share of the one * share of the other)`, and a pair is linked by all it shares together,
`p = 1 - product(1 - q)`. An address alone never links two people (its base is below the bar, and shares sum up to one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from math import exp, sqrt

from .facts import DAY
from .memory import Days, Memory, Notes
from .parameters import Parameter, Terms
from .people import HIDDEN, HOLDERS, LOG, RECENT, VALUES, openings, usual, who

WORDS = {
    "ip": "address",
    "device": "device",
    "fingerprint": "browser",
    "payout": "payout address",
    "card": "card",
    "trade": "trade",
    "opening": "opening",
    "circle": "circle",
}
DERIVED = ("trade", "opening", "circle")  # no values that people have
LINKING = ("device", "payout", "card")  # an address or a fingerprint by itself links nobody
LATELY = 90 * DAY  # longer than what is read at once: whoever was opened in it is judged at its end
NOTHING: Notes = {}
TRADES = ("earned_by", "paid_by", "paid_to", "earned_to")
PARAMETERS = (
    Parameter("payout_base", 0.93, 0, 0.99, "How surely two people who are paid to one address are one, when nobody else is."),
    Parameter("payout_decay", 0.10, 0, 2, "How fast that falls with the number of people."),
    Parameter("payout_cap", 12, 2, HOLDERS, "People from which on a payout address tells nothing."),
    Parameter("device_base", 0.92, 0, 0.99, "The same for a device's cookie."),
    Parameter("device_decay", 0.15, 0, 2, "How fast that falls with the number of people."),
    Parameter("device_cap", 40, 2, HOLDERS, "People from which on a device tells nothing."),
    Parameter("card_base", 0.80, 0, 0.99, "The same for a card."),
    Parameter("card_decay", 0.15, 0, 2, "How fast that falls with the number of people."),
    Parameter("card_cap", 12, 2, HOLDERS, "People from which on a card tells nothing."),
    Parameter("card_at_home", 0.4, 0, 1, "What is left of a card's weight between two people who live or work at one address."),
    Parameter("together_part", 0.1, 0, 1, "Part of what either does that must be done there."),
    Parameter("ip_base", 0.45, 0, 0.49, "The same for a public address; below the bar of a link, so that it never links alone."),
    Parameter("ip_decay", 0.50, 0, 2, "How fast that falls with the number of people."),
    Parameter("ip_cap", 10, 2, HOLDERS, "People in 30 days from which on an address tells nothing."),
    Parameter("fingerprint_base", 0.15, 0, 0.49, "The same for a browser's fingerprint, which many phones have in common."),
    Parameter("fingerprint_decay", 0.50, 0, 2, "How fast that falls with the number of people."),
    Parameter("fingerprint_cap", 4, 2, HOLDERS, "People from which on a fingerprint tells nothing."),
    Parameter("trade_base", 0.30, 0, 0.49, "How much it adds that two people who share something trade with each other and with nobody else."),
    Parameter(
        "circle_base",
        0.9,
        0,
        0.99,
        "How surely two are one crew who deal with each other and with nobody but accounts that were opened when theirs were.",
    ),
    Parameter("circle_days", 21, 1, 60, "Days within which that is."),
    Parameter("circle_part", 0.2, 0.01, 1, "Part of all accounts that may have been opened in these days; where more were, fewer days count."),
    Parameter("circle_usual", 5, 1, 20, "How fast it falls with the part of all accounts that were opened at that time."),
    Parameter("opening_base", 0.6, 0, 0.9, "How much it adds that two accounts were opened at one address at the same time."),
    Parameter("opening_days", 3, 0.1, 60, "After how many days between the two openings a third of it is left."),
    Parameter("apart", 0.5, 0, 1, "What is left of a device's weight when the two never used it within a week of each other."),
    Parameter("near_days", 7, 1, 60, "Days within which two people must have been seen at an address for it to count."),
    Parameter("fanout_days", 30, 1, 180, "Days around that within which others at the address are counted."),
    Parameter("link_at", 0.5, 0.3, 0.99, "From which weight on two people are linked."),
)
EXCLUSIVE = {"ip": True, "device": True, "fingerprint": True, "payout": False, "card": False}


@dataclass(frozen=True, slots=True)
class Share:
    """One value that two people share."""

    kind: str
    value: str
    weight: float
    fanout: int


@dataclass(frozen=True, slots=True)
class Link:
    """How two people are linked."""

    a: str
    b: str
    weight: float
    shares: tuple[Share, ...] = ()
    since: int = 0  # the day from which on it was so

    def other(self, person: str) -> str:
        return self.b if person == self.a else self.a


def traded_with(notes: Notes) -> set[str]:
    """Everybody whom somebody bought from or sold to."""
    return {other for name in TRADES for other in notes.get(name, ())}


@dataclass
class Web:
    """Links as they follow from a memory. It keeps what it has worked out, so that it is good until more is learnt."""

    memory: Memory
    terms: Terms
    _near: dict[str, set[str]] = field(default_factory=dict)
    _totals: dict[tuple[str, str], int] = field(default_factory=dict)
    _found: dict[tuple[str, str], Link] = field(default_factory=dict)
    _linked: dict[str, dict[str, Link]] = field(default_factory=dict)
    _circles: dict[str, float] = field(default_factory=dict)
    _circled: dict[str, set[str]] = field(default_factory=dict)
    _usual: dict[tuple[int, int], float] = field(default_factory=dict)
    _reaches: dict[int, float] = field(default_factory=dict)
    _opened: dict[str, int | None] = field(default_factory=dict)

    def load(self, people: Iterable[str]) -> None:
        """Have at hand what links of these people follow from: what they hold that can link, who else holds it, and what both have."""
        if self.memory.is_at_hand:
            return
        people = [person for person in people if person not in self._near]
        self.memory.fetch([LOG, *(who(person) for person in people)])
        notes = {person: self.memory[who(person)] for person in people}
        self.memory.fetch(key for one in notes.values() for kind in VALUES for key in one.get(kind, ()))
        self.ups({other for one in notes.values() if "up" in one for other in traded_with(one) | self._neighbours(one)})
        self.memory.fetch(who(other) for person in people for other in self._candidates(person))

    def linked(self, person: str) -> dict[str, Link]:
        """Everybody who is linked with this person."""
        found = self._linked.get(person)
        if found is None:
            bar = self.terms["link_at"]
            pairs = ((other, self.pair(person, other)) for other in self._candidates(person))
            found = self._linked[person] = {other: link for other, link in pairs if link.weight >= bar}
        return found

    def _candidates(self, person: str) -> set[str]:
        found = self._near.get(person)
        if found is None:
            found = self._near[person] = self._may_be_linked(person, self.memory[who(person)])
        return found

    def _may_be_linked(self, person: str, notes: Notes) -> set[str]:
        found = set[str]()
        for kind in LINKING:
            found.update(self._few(notes.get(kind, ()), self.terms[f"{kind}_cap"]))
        found.update(other for other, up in self.ups(self._neighbours(notes)).items() if self._may_have_come_with(notes["up"], up))
        dealt = traded_with(notes)
        alike = self._few(notes.get("fingerprint", ()), self.terms["fingerprint_cap"])
        if alike:  # a browser like many others tells only of those who were at one address as well, or dealt with each other
            found |= alike & (self._few(notes.get("ip", ()), HOLDERS) | dealt)
        if dealt:
            found |= dealt & self._few((key for kind in ("ip", "device") for key in notes.get(kind, ())), HOLDERS)
            found |= self.circled(person)
        found.discard(person)
        return found

    def _few(self, keys: Iterable[str], most: float) -> set[str]:
        """Who has one of these values, of those that few have."""
        every = (self.memory[key] for key in keys)
        return {person for holders in every if 2 <= len(holders) <= most and HIDDEN not in holders for person in holders}

    def _neighbours(self, notes: Notes) -> set[str]:
        """Who was seen where somebody was who came lately: others may have come from there at the same time."""
        homes = notes.get("ip", ()) if "up" in notes and notes["last"] - notes["up"] < LATELY else ()
        return self._few(homes, 2 * self.terms["ip_cap"])

    def _may_have_come_with(self, up: int, other: int) -> bool:
        """Whether two who have all their addresses in common would be linked by having been opened so near each other."""
        opened = self.terms["opening_base"] * exp(-abs(up - other) / DAY / self.terms["opening_days"])
        return 1 - (1 - self.terms["ip_base"]) * (1 - opened) >= self.terms["link_at"]

    def circled(self, person: str) -> set[str]:
        """With whom somebody may be linked by nothing but a circle: all that are, and few that are not, found without what others remember."""
        found = self._circled.get(person)
        if found is None:
            found = self._circled[person] = self._may_be_circled(person, self.memory[who(person)])
        return found

    def _may_be_circled(self, person: str, notes: Notes) -> set[str]:
        up, dealt = notes.get("up"), traded_with(notes)
        if up is None or not dealt:
            return set()
        near = {other: other_up for other, other_up in self.ups(dealt).items() if self.came_together(up, other_up)}
        base, bar = self.terms["circle_base"], self.terms["link_at"]
        odd = {other: base * max(self._odd(up, other_up), self._odd(other_up, up)) for other, other_up in near.items()}
        if all(much < bar for much in odd.values()):
            return set()
        inside = self._part_inside(person, notes, near.keys(), near.keys())
        return {other for other, much in odd.items() if much * sqrt(inside) >= bar}

    def ups(self, people: Set[str]) -> dict[str, int]:
        """When accounts were opened, of those of whom that is known."""
        missing = {person: openings(person) for person in people if person not in self._opened}
        self.memory.fetch(set(missing.values()))
        at_hand = self.memory.notes
        self._opened.update((person, at_hand.get(key, NOTHING).get(person)) for person, key in missing.items())
        return {person: up for person in people if (up := self._opened[person]) is not None}

    def came_together(self, up: int | None, other: int | None) -> bool:
        """Whether two were opened at one time: within days in which few others were."""
        if up is None or other is None:
            return False
        gap = abs(up - other)
        return gap <= self._reach(up) * DAY and gap <= self._reach(other) * DAY

    def _reach(self, second: int) -> float:
        """How many days around a moment are one time: the fewer, the more accounts were opened in them."""
        days = self._reaches.get(second // DAY)
        if days is None:
            days = self.terms["circle_days"]
            while days > 2 and self.usual(second, days) > self.terms["circle_part"]:
                days = max(2.0, days * 0.7)
            self._reaches[second // DAY] = days
        return days

    def _odd(self, up: int, other: int) -> float:
        """How little it is by chance that two were opened so near each other; nothing or less where it says nothing."""
        return 1 - self.terms["circle_usual"] * self.usual(up, max(1.0, abs(up - other) / DAY))

    def pair(self, one: str, other: str) -> Link:
        """How these two are linked, however weakly."""
        a, b = (one, other) if one < other else (other, one)
        found = self._found.get((a, b))
        if found is None:
            found = self._found[a, b] = self._weigh(a, b)
        return found

    def _weigh(self, a: str, b: str) -> Link:
        mine, others = self.memory[who(a)], self.memory[who(b)]
        shares, since = [], []
        for kind in VALUES:
            ours, theirs = mine.get(kind), others.get(kind)
            if not ours or not theirs:
                continue
            for key in sorted(ours.keys() & theirs.keys()):
                share = self._value(kind, key, (a, ours), (b, theirs))
                if share is None:
                    continue
                shares.append(share)
                since.append((share.weight, -max(ours[key][0], theirs[key][0])))
        if any(one.kind == "card" for one in shares) and self._together(mine, others):
            left = self.terms["card_at_home"]
            shares = [Share(one.kind, one.value, one.weight * left, one.fanout) if one.kind == "card" else one for one in shares]
        if mine.get("agency") or others.get("agency"):  # whoever registered as one is paid together with others
            shares = [one for one in shares if one.kind != "payout"]
        opened = self._opening(mine, others, shares)
        if opened is not None:
            shares.append(opened)
        circle = self._circle(a, b)
        if circle is not None:
            shares.append(circle)
        elif shares:
            traded = self._trade(a, b)
            if traded is not None:
                shares.append(traded)
        miss = 1.0
        for share in shares:
            miss *= 1 - share.weight
        return Link(a, b, 1 - miss, tuple(sorted(shares, key=lambda one: (-one.weight, one.value))), -max(since)[1] if since else 0)

    def _value(self, kind: str, key: str, one: tuple[str, Notes], other: tuple[str, Notes]) -> Share | None:
        terms, holders = self.terms, self.memory[key]
        if HIDDEN in holders:
            return None
        (a, ours), (b, theirs) = one, other
        mine, others = ours[key], theirs[key]
        fanout, factor = len(holders), 1.0
        if kind == "ip":
            if not Days.near(mine, others, int(terms["near_days"])):
                return None
            # Addresses are lent: who was there before or long after is no neighbour.
            reach = int(terms["fanout_days"])
            start, end = max(mine[0], others[0]) - reach, min(Days.last(mine), Days.last(others)) + reach
            fanout = sum(1 for first, last, *_ in holders.values() if first <= end and last >= start)
        elif kind == "device" and not Days.near(mine, others, int(terms["near_days"])):
            factor = terms["apart"]
        fanout = max(fanout, 2)
        if fanout > terms[f"{kind}_cap"]:
            return None
        weight = terms[f"{kind}_base"] * (fanout - 1) ** -terms[f"{kind}_decay"] * factor
        if EXCLUSIVE[kind]:
            weight *= sqrt(self._part(a, kind, ours, mine) * self._part(b, kind, theirs, others))
        return Share(kind, key.split(":", 1)[1], weight, fanout)

    def _part(self, person: str, kind: str, values: Notes, days: list[int]) -> float:
        """Which part of the days on which this person used values of a kind belongs to one value."""
        total = self._totals.get((person, kind))
        if total is None:
            total = self._totals[person, kind] = sum(bits.bit_count() for _, bits in values.values())
        return days[1].bit_count() / total

    def _together(self, mine: Notes, others: Notes) -> bool:
        """Whether they live, work or sit somewhere together, however many others do, and though one came when the other had left."""
        ours, theirs = mine.get("ip", {}), others.get("ip", {})
        least = self.terms["together_part"]
        count, other_count = (sum(bits.bit_count() for _, bits in values.values()) for values in (ours, theirs))
        return any(
            ours[key][1].bit_count() >= least * count and theirs[key][1].bit_count() >= least * other_count for key in ours.keys() & theirs.keys()
        )

    def _opening(self, mine: Notes, others: Notes, shares: list[Share]) -> Share | None:
        """That two who live at the same addresses, which few others have, opened their accounts at about the same time."""
        if "up" not in mine or "up" not in others:
            return None
        gap = abs(mine["up"] - others["up"]) / DAY
        # The weights of addresses without their fan-out: whoever opens many accounts opens them at home.
        homes = [share for share in shares if share.kind == "ip"]
        much = sum(share.weight * (share.fanout - 1) ** self.terms["ip_decay"] for share in homes) / self.terms["ip_base"]
        odd = max(0.0, 1 - 2 * self.usual(mine["up"], self.terms["opening_days"])) if gap < 10 * self.terms["opening_days"] else 0.0
        weight = self.terms["opening_base"] * exp(-gap / self.terms["opening_days"]) * min(1.0, much) * odd
        return Share("opening", homes[0].value, weight, homes[0].fanout) if weight > 0.01 else None

    def _circle(self, a: str, b: str) -> Share | None:
        """That two dealt with each other who were opened at about one time, and hardly with anybody who was not. One order proves nothing:
        whoever has had one has had it from somebody."""
        mine, others = self.memory[who(a)], self.memory[who(b)]
        if not self.came_together(mine.get("up"), others.get("up")) or not any(b in mine.get(name, ()) for name in TRADES):
            return None
        odd = self._odd(mine["up"], others["up"])
        if odd <= 0:
            return None
        weight = self.terms["circle_base"] * odd * sqrt(self._inside(a) * self._inside(b))
        return Share("circle", f"{a} {b}", weight, 2) if weight > 0.01 else None

    def _inside(self, person: str) -> float:
        """Which part of somebody's orders, bought and sold, is with accounts that were opened at the time of theirs."""
        found = self._circles.get(person)
        if found is None:
            notes = self.memory[who(person)]
            dealt = traded_with(notes)
            near = {other for other, up in self.ups(dealt).items() if self.came_together(notes["up"], up)}
            found = self._circles[person] = self._part_inside(person, notes, near, dealt)
        return found

    def _bought(self, builder: str, notes: Notes, name: str, clients: Set[str]) -> dict[str, int]:
        """How often each of these bought: the builder's own list of orders tells it while it has them all, then each client remembers it."""
        recent = notes.get("orders" if name == "paid" else "earnings", ())
        if len(recent) < RECENT:
            counts = Counter(row[2] for row in recent)
            return {client: max(1, counts[client]) for client in clients}
        self.memory.fetch(map(who, clients))
        return {client: int(self.memory[who(client)].get(f"{name}_to", {}).get(builder, (1,))[0]) for client in clients}

    def _part_inside(self, person: str, notes: Notes, near: Set[str], asked: Set[str]) -> float:
        """The same when it is known who is near. Of clients who are not asked how often they bought, one order counts; one order more than there
        are stands for those that are still to come."""
        inside, number = 0, 1
        for name in ("paid", "earned"):
            rows = [(other, row[0]) for other, row in notes.get(f"{name}_to", {}).items()]
            clients = notes.get(f"{name}_by", {}).keys()
            bought = self._bought(person, notes, name, clients & asked)
            rows += [(other, bought.get(other, 1)) for other in clients]
            number += sum(count for _, count in rows)
            inside += sum(count for other, count in rows if other in near)
            if rows:
                break  # what was paid and what was released are the same orders
        chance = self.usual(notes["up"], self._reach(notes["up"]))  # of dealing with such an account without meaning to
        return max(0.0, inside / number - chance) / max(0.01, 1 - chance)

    def usual(self, second: int, reach: float) -> float:
        """Which part of all accounts was opened within so many days of a moment."""
        key = (second // DAY, int(reach))
        found = self._usual.get(key)
        if found is None:
            found = self._usual[key] = usual(self.memory, second, reach)
        return found

    def together(self, a: str, b: str) -> bool:
        """Whether two people were ever seen at one address, however many others were."""
        return not self.memory[who(a)].get("ip", {}).keys().isdisjoint(self.memory[who(b)].get("ip", {}))

    def _trade(self, a: str, b: str) -> Share | None:
        """That the two trade with each other and hardly with anybody else."""
        best = 0.0
        for client, builder in ((a, b), (b, a)):
            notes, payer = self.memory[who(builder)], self.memory[who(client)]
            for name in ("earned", "paid"):
                amount = notes.get(f"{name}_by", {}).get(client, 0)
                if amount:
                    best = max(best, sqrt(min(1, amount / notes[name]) * min(1, amount / max(payer.get("spent", 0), amount))))
        return Share("trade", f"{a} {b}", self.terms["trade_base"] * best, 2) if best else None


def web_of(memory: Memory, terms: Terms) -> Web:
    """The same for all who look by the same terms, until more is learnt."""
    key = tuple(terms[parameter.name] for parameter in PARAMETERS)
    found: Web | None = memory.derived.get(key)
    if found is None:
        found = memory.derived[key] = Web(memory, terms)
    return found


def weight(memory: Memory, a: str, b: str, terms: Terms | None = None) -> Link:
    """How two people are linked, by what is at hand in a memory (`Web.load` has it there)."""
    return Web(memory, terms or Terms(PARAMETERS)).pair(a, b)
