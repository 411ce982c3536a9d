"""What people do: come, sign in, order, pay, are paid, and take their money out. Writes the events of a world."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from typing import Any

from .people import HOUR, Crowd, Person, name
from .places import DAY
from .rings import Ring

LEAST = 20  # below, nothing is paid out
FAST = HOUR  # a withdrawal this soon after money came is fast, whatever else it is


@dataclass(order=True, slots=True)
class Row:
    at: float
    event: str
    actor: str
    actor_type: str
    target: str = ""
    target_type: str = ""
    ip: str = ""
    device: str = ""
    amount: str = ""
    meta: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Payout:
    """One withdrawal as it truly was: whose, how long after money came, and what money it was."""

    id: str
    actor: str
    waited: float  # seconds since money came last
    money: str  # stolen, own (round through an account of the same operator) or honest


class Trade:
    """Orders among everybody, then rings among themselves, then what builders do with the money."""

    def __init__(self, crowd: Crowd, rings: list[Ring]) -> None:
        self.crowd, self.rings, self.world = crowd, rings, crowd.world
        self.random, self.end = crowd.random, crowd.days * DAY
        self.rows: list[Row] = []
        self.payouts: list[Payout] = []
        self.dealt: set[tuple[str, str]] = set()  # (client, builder) of one operator
        self.came_in: dict[int, list[tuple[float, Decimal, str]]] = defaultdict(list)  # builder: when, how much, what money
        self.builders = [person for person in crowd.people if person.is_builder]
        self.weights = list(accumulate(builder.popularity for builder in self.builders))
        self.orders = 0
        for person in crowd.people:
            self.arrive(person)
        for person in crowd.people:
            self.buy(person)
        self.couples()
        self.desks()
        self.firms()
        for ring in rings:
            self.deal(ring)
        for builder in self.builders:
            self.withdraw(builder)
        self.rows.sort()

    # Events

    def act(self, person: Person, at: float, event: str, *, target: str = "", kind: str = "", amount: Decimal | None = None, **meta: Any) -> None:
        """What somebody does with a browser in their hands; often they had to sign in for it."""
        random = self.random
        address, device, look = person.session(random, at)
        if event != "sign_up" and random.random() < 0.4:
            self.sign_in(person, max(person.came + 1, at - random.uniform(20, 900)), address, device, look)
        self.rows.append(Row(at, event, person.id, self.type(person), target, kind, address, device, "" if amount is None else str(amount), meta))

    def sign_in(self, person: Person, at: float, address: str, device: str, look: str) -> None:
        self.rows.append(Row(at, "sign_in", person.id, self.type(person), ip=address, device=device, meta={"fingerprint": look}))

    @staticmethod
    def type(person: Person) -> str:
        return "builder" if person.is_builder else "client"

    def arrive(self, person: Person) -> None:
        """Sign up, say where to be paid and how to pay, and come back now and then."""
        random, begun = self.random, max(0.0, person.came)
        self.act(person, person.came, "sign_up", identity_verified=person.verified, registered_agency=person.agency)
        if person.wallet:
            self.act(person, self.soon(person), "payout_address_added", target=person.id, kind="user", address_hash=person.wallet)
        if person.card:
            self.act(person, self.soon(person), "payment_method_added", target=person.id, kind="user", card_fingerprint=person.card)
        until = min(self.end, person.quits)
        expected = person.rate * max(0.0, until - begun) / DAY
        for _ in range(self.poisson(expected)):
            at = self.hour(person, random.uniform(begun, until))
            if at > person.came:
                self.sign_in(person, at, *person.session(random, at))

    def soon(self, person: Person) -> float:
        """Within days of coming, and within the world for who came in it."""
        at = person.came + self.random.expovariate(1 / 3) * DAY + 120
        return min(at, self.end - 1) if person.came >= 0 else min(at, -1.0)

    def hour(self, person: Person, at: float) -> float:
        """At the hours at which this person is up."""
        return min(self.end - 1, at // DAY * DAY + (person.work_hours + abs(self.random.gauss(0, 5))) % 24 * HOUR)

    def poisson(self, expected: float) -> int:
        count, left = 0, self.random.expovariate(1.0)
        while left < expected:
            count, left = count + 1, left + self.random.expovariate(1.0)
        return count

    # Orders

    def order(self, client: Person, builder: Person, at: float, amount: Decimal, done: float, *, stolen: bool = False) -> None:
        """Paid at a time, and released when it is done, most by the client and some by the clock."""
        if at <= client.came + 60 or at <= builder.came + 60 or at >= self.end:
            return
        self.orders += 1
        key = f"o{self.orders}" if self.world.terms.short_ids else name(self.random)
        self.act(client, at, "order_paid", target=key, kind="order", amount=amount, builder_id=builder.id)
        own = client.operator == builder.operator != -1
        if own:
            self.dealt.add((client.id, builder.id))
        if done >= self.end:
            return
        paid = (amount * (1 - Decimal(str(round(self.world["fee"], 3))))).quantize(Decimal("0.01"))
        if self.random.random() < 0.2 and not own:
            self.rows.append(Row(done, "escrow_release", client.id, "client", builder.id, "user", amount=str(paid)))
        else:
            self.act(client, done, "escrow_release", target=builder.id, kind="user", amount=paid)
        self.came_in[builder.number].append((done, paid, "stolen" if stolen else "own" if own else "honest"))

    def price(self, middle: float = 4.4) -> Decimal:
        return Decimal(str(round(min(5000.0, self.random.lognormvariate(middle, 0.9)), 2)))

    def popular(self) -> Person:
        """Some builder, those whom many like more often."""
        return self.builders[bisect(self.weights, self.random.uniform(0, self.weights[-1]), hi=len(self.builders) - 1)]

    def work(self) -> float:
        """How long an order takes; a few are small and done within the hour."""
        return self.random.uniform(0.3, 3) * HOUR if self.random.random() < 0.06 else self.random.lognormvariate(1.5, 0.7) * DAY

    def buy(self, client: Person) -> None:
        random, usual = self.random, list[Person]()
        begun, until = max(0.0, client.came), min(self.end, client.quits)
        for _ in range(self.poisson(client.orders * max(0.0, until - begun) / DAY)):
            at = self.hour(client, random.uniform(begun, until))
            builder = random.choice(usual) if usual and random.random() < 0.4 else self.popular()
            known = min(1.0, (at - builder.came + 5 * DAY) / (60 * DAY))  # nobody orders much from who has just come
            if builder is not client and builder.quits > at and random.random() < known:
                usual.append(builder)
                self.order(client, builder, at, self.price(), at + self.work())

    def couples(self) -> None:
        """Who live together and order from each other, once."""
        homes = defaultdict(list)
        for person in self.crowd.people:
            if person.household >= 0 and person.operator < 0:
                homes[person.household].append(person)
        for home in homes.values():
            builders = [person for person in home if person.is_builder]
            if len(home) > 1 and builders and self.random.random() < self.world["couples"]:
                builder = self.random.choice(builders)
                client = self.random.choice([person for person in home if person is not builder])
                self.once(client, builder)

    def desks(self) -> None:
        """Who sit side by side give each other work."""
        studios = defaultdict(list)
        for person in self.crowd.people:
            if person.studio >= 0:
                studios[person.studio].append(person)
        for group in studios.values():
            builders = [person for person in group if person.is_builder]
            for client in group:
                if builders and self.random.random() < 0.3 and (builder := self.random.choice(builders)) is not client:
                    for _ in range(self.random.randint(1, 3)):
                        self.once(client, builder)

    def firms(self) -> None:
        """The staff of one firm buy from one builder, again and again."""
        offices = defaultdict(list)
        for person in self.crowd.people:
            if person.office >= 0:
                offices[person.office].append(person)
        for group in offices.values():
            if self.random.random() < self.world["house_builder"]:
                builder = self.popular()
                for client in group[: self.random.randint(3, 8)]:
                    for _ in range(self.random.randint(1, 4)):
                        if client is not builder:
                            self.once(client, builder)

    def once(self, client: Person, builder: Person) -> None:
        begun = max(0.0, client.came, builder.came) + HOUR
        if begun < self.end - DAY:
            at = self.hour(client, self.random.uniform(begun, self.end))
            self.order(client, builder, at, self.price(), at + self.work())

    # Rings

    def deal(self, ring: Ring) -> None:
        """What the ring is for. Those that review or cash buy from themselves; all do a little honest work on the side."""
        random = self.random
        for member in ring.clients:
            if ring.purpose == "fill" or random.random() < 0.3:
                member.orders = self.world["orders"]
                self.buy(member)
        if ring.purpose == "fill" or not ring.builders:
            return
        clients = ring.clients or ring.builders
        begun = max(0.0, max(member.came for member in ring.members))
        for _ in range(
            random.randint(len(ring.members), 3 * len(ring.members)) if ring.purpose == "review" else random.randint(2, 2 + len(ring.members))
        ):
            client, builder = random.choice(clients), random.choice(ring.builders)
            if client is builder:
                continue
            if ring.purpose == "review":
                at = random.uniform(begun + HOUR, min(self.end, begun + random.uniform(5, 40) * DAY))
                self.order(client, builder, at, self.price(3.2), at + random.uniform(0.2, 48) * HOUR)
            else:  # a stolen card is used as long as it works: within days of being put in, as a rule
                soon = max(0.0, client.came, builder.came) + random.uniform(0.05, 6) * DAY
                at = soon if random.random() < 0.75 else random.uniform(begun + HOUR, min(self.end, begun + random.uniform(5, 40) * DAY))
                self.order(client, builder, at, self.price(5.6), at + random.uniform(0.1, 20) * HOUR, stolen=True)

    # Money out

    def withdraw(self, builder: Person) -> None:
        """As the builder is used to; stolen money goes at once, most of it."""
        random, balance, first = self.random, Decimal(0), True
        coming = sorted(self.came_in[builder.number])
        if not coming:
            return
        goes: list[tuple[float, float]] = []  # when, and which part of what is there
        threshold = random.choice([50, 100, 250, 500])
        held = Decimal(0)
        for at, amount, money in coming:
            held += amount
            if money == "stolen":
                if random.random() < 0.85:
                    wait = random.uniform(1 / 60, 5 / 6) if random.random() < 0.85 else random.uniform(1, 30)
                    goes.append((at + wait * HOUR, random.choice([1.0, 1.0, 0.9])))
            elif builder.habit == "at_once" or (first and builder.came > -10 * DAY and random.random() < self.world["impatient"]):
                goes.append((at + random.uniform(2, 55) * 60, random.choice([1.0, 1.0, 0.9])))
            elif builder.habit == "threshold" and held > threshold:
                goes.append((at + random.uniform(0, 3) * DAY, 1.0))
                held = Decimal(0)
            elif builder.habit == "seldom" and random.random() < 0.25:
                goes.append((at + random.uniform(0, 10) * DAY, random.uniform(0.3, 1.0)))
            first = False
        if builder.habit == "scheduled":
            step = random.choice([7, 7, 14, 28])
            goes += [((builder.paid_day + n * step) * DAY + builder.work_hours * HOUR, 1.0) for n in range(int(self.crowd.days / step))]
        place, newest, within = 0, 0.0, dict.fromkeys(("stolen", "own"), Decimal(0))
        for at, part in sorted(goes):
            while place < len(coming) and coming[place][0] <= at:
                newest, balance = coming[place][0], balance + coming[place][1]
                if coming[place][2] in within:
                    within[coming[place][2]] += coming[place][1]
                place += 1
            amount = (balance * Decimal(str(round(part, 2)))).quantize(Decimal("0.01"))
            if amount < LEAST or at >= self.end or at <= builder.came:
                continue
            balance -= amount
            key = f"w{len(self.payouts) + 1}" if self.world.terms.short_ids else name(random)
            self.act(builder, at, "withdrawal", target=key, kind="withdrawal", amount=amount)
            self.payouts.append(Payout(key, builder.id, at - newest, next((money for money, left in within.items() if left > 0), "honest")))
            if part > 0.8:
                within = dict.fromkeys(within, Decimal(0))
