"""Worlds for what is wrong in other ways: grown orders, refunds, guessed passwords, taken accounts, dishonest staff, cards tried out, money that
comes together at one address. Each is planted beside innocents who do nearly the same, in a marketplace where everybody else does their work.

As everywhere in these worlds, nothing here knows how detectors work; what is planted is what was done, whether or not it can be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from random import Random

from .making import Made
from .people import HOUR, Crowd, Person, name
from .places import DAY
from .rings import plant
from .terms import FIRST_HELD_OUT, PLAIN, Range, Terms, World
from .trade import Row, Trade
from .truth import Truth

MINUTE = 60.0
BASE = replace(PLAIN, accounts=(1100, 1400), rings=(2, 3), thieves=(1, 2), agencies=(2, 3), partners=(1, 1))


@dataclass(frozen=True)
class Deeds:
    """How much is planted of each kind, how many innocents look like it, and how far the guilty go."""

    base: Terms = BASE
    planted: Range = (8, 12)  # of each kind
    alike: Range = (16, 24)  # innocents who do nearly the same, of each kind
    force: Range = (1.3, 1.7)  # how many times what an honest one would do
    agents: Range = (14, 18)
    views: Range = (2, 4)  # people whom an agent looks at in a day
    bad_luck: Range = (0.02, 0.04)  # of all orders end in a dispute or a refund
    mistyped: Range = (0.02, 0.05)  # of all sign-ins come after a failed one


TUNING = {
    "calm": Deeds(),
    "hectic": Deeds(base=replace(BASE, growth=(0.5, 0.6), offices=(0.4, 0.5)), views=(4, 6), bad_luck=(0.04, 0.06), mistyped=(0.06, 0.1)),
}
HELD_OUT = {
    "grand": Deeds(base=replace(BASE, accounts=(2200, 2800), mobile=(0.5, 0.7), exits=(300, 500)), alike=(40, 60), agents=(24, 32), force=(1.8, 2.6)),
    "rough": Deeds(
        base=replace(BASE, accounts=(700, 900), cafes=(0.3, 0.4)), alike=(26, 36), force=(1.1, 1.25), views=(6.2, 7), bad_luck=(0.065, 0.08)
    ),
}
KINDS = ("amendment_abuse", "refunds_and_disputes", "sign_in_bursts", "account_takeover", "staff_misuse", "card_testing", "payout_fan_in")


@dataclass
class Planted:
    """What was done, and to or by whom. Nobody is in two of them."""

    cases: dict[str, list[frozenset[str]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    alike: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))


def make(kind: str, seed: int) -> tuple[Made, Planted]:
    """The same world each time for a kind and a seed."""
    if (kind in HELD_OUT) != (seed >= FIRST_HELD_OUT):
        raise ValueError(f"{kind} and seed {seed}: seeds below {FIRST_HELD_OUT} are for tuning, the others for worlds that are held out")
    deeds = (HELD_OUT if kind in HELD_OUT else TUNING)[kind]
    random = Random(f"deeds {kind} {seed}")
    numbers = {one.name: random.uniform(*ends) for one in fields(deeds.base) if isinstance(ends := getattr(deeds.base, one.name), tuple)}
    numbers |= {one.name: random.uniform(*getattr(deeds, one.name)) for one in fields(deeds) if one.name != "base"}
    world = World(kind, seed, deeds.base, numbers)
    crowd = Crowd(world, Random(f"{kind} {seed}"), round(world["days"]))
    trade = Trade(crowd, plant(crowd))
    happened = Misdeeds(trade)
    trade.rows.sort()
    truth = Truth(f"{kind} {seed}", len(crowd.people), len(trade.rows), [], [], [], [], [], [])
    return Made(world, trade.rows, truth), happened.planted


class Misdeeds:
    """Adds them to a trade. The people of each are made for it, so that what is told of somebody is told of one thing."""

    def __init__(self, trade: Trade) -> None:
        self.trade, self.crowd, self.random, self.rows = trade, trade.crowd, trade.random, trade.rows
        self.world, self.days, self.end = trade.world, trade.crowd.days, trade.end
        self.force = self.world["force"]
        self.planted = Planted()
        self.old = [one for one in self.crowd.people if one.operator < 0 and one.came < -40 * DAY and one.quits > self.end and not one.clears]
        self.random.shuffle(self.old)
        self.everyday()
        for kind in KINDS:
            for _ in range(round(self.world["planted"])):
                self.planted.cases[kind].append(frozenset(getattr(self, kind)()))
            for _ in range(round(self.world["alike"])):
                getattr(self, f"honest_{kind}")()
                self.planted.alike[kind] += 1

    # Whom it happens to

    def comes(self, days: float, *, builder: bool = False, like: Person | None = None) -> Person:
        """Somebody new in the world, that many days after its beginning (before it when negative)."""
        made = self.crowd.person(like.home if like else self.crowd.line(), builder=builder)
        made.came, made.orders, made.clears, made.vpn, made.quits = days * DAY, 0.0, False, None, float("inf")
        made.card = made.card or name(self.random)
        if like:
            made.device, made.phone = like.device, like.phone
        self.trade.arrive(made)
        return made

    def row(self, person: Person, at: float, event: str, target: str = "", kind: str = "", amount: float | None = None, **meta: object) -> None:
        money = None if amount is None else Decimal(str(round(amount, 2)))
        self.trade.act(person, min(at, self.end - 1), event, target=target, kind=kind, amount=money, **meta)

    def note(self, at: float, event: str, target: str = "", kind: str = "", **meta: object) -> None:
        """What the system writes down."""
        self.rows.append(Row(min(at, self.end - 1), event, "", "system", target, kind, meta=dict(meta)))

    def times(self, low: float, high: float) -> int:
        """A number beyond what is usual."""
        return max(1, round(self.random.uniform(low, high) * self.force))

    def buys(self, client: Person, builder: Person, at: float, amount: float, *, done: float | None = None) -> str:
        key = name(self.random)
        self.row(client, at, "order_paid", key, "order", amount, builder_id=builder.id)
        if done is not None and done < self.end:
            taken = round(done - at)
            self.row(client, done, "order_completed", key, "order", amount, client_id=client.id, builder_id=builder.id, seconds_since_accept=taken)
        return key

    # What happens to everybody

    def everyday(self) -> None:
        random, failed, completed = self.random, list[Row](), list[Row]()
        for row in self.rows:
            if row.event == "sign_in" and random.random() < self.world["mistyped"]:
                for n in range(random.choices([1, 2, 4], [0.75, 0.2, 0.05])[0]):
                    failed.append(Row(row.at - 8 * (n + 1), "sign_in_failed", "", "system", row.actor, "user", ip=row.ip, device=row.device))
            elif row.event == "order_paid" and row.at + 6 * DAY < self.end:
                both = {"client_id": row.actor, "builder_id": row.meta["builder_id"]}
                done = row.at + random.uniform(1, 5) * DAY
                if random.random() < self.world["bad_luck"]:
                    if random.random() < 0.5:
                        completed.append(Row(done, "dispute_opened", row.actor, "user", row.target, "order", amount=row.amount, meta=both))
                    else:
                        meta = {**both, "before_work": random.random() < 0.4}
                        completed.append(Row(done, "refund", "", "system", row.target, "order", amount=row.amount, meta=meta))
                else:
                    meta = {**both, "seconds_since_accept": round(done - row.at)}
                    completed.append(Row(done, "order_completed", row.actor, "user", row.target, "order", amount=row.amount, meta=meta))
        self.rows += failed + completed

    # Orders that grow

    def grows(
        self, client: Person, builder: Person, at: float, first: float, added: list[float], pause: float, answer: float, staff: str = ""
    ) -> None:
        order = self.buys(client, builder, at, first)
        for n, more in enumerate(added):
            meta = {"order": order, "client": client.id, "builder": builder.id, "original_amount": f"{first:.2f}", "seconds_to_answer": round(answer)}
            when = at + HOUR + n * pause
            if staff:
                self.rows.append(Row(when, "amendment_completed", staff, "admin", name(self.random), "amendment", amount=f"{more:.2f}", meta=meta))
            else:
                self.row(client, when, "amendment_completed", name(self.random), "amendment", more, **meta)

    def amendment_abuse(self) -> list[str]:
        """A new client, a stolen card, and an order that grows many times over within hours."""
        random = self.random
        begun = random.uniform(2, self.days - 20)
        client = self.comes(begun)
        builder = self.comes(begun - random.uniform(0, 60), builder=True, like=client if random.random() < 0.3 else None)
        first = random.uniform(25, 120)
        parts = random.randint(1, 4)
        total = first * random.uniform(2.8, 5) * self.force
        at = client.came + random.uniform(0.5, 9) * DAY
        self.grows(client, builder, at, first, [total / parts] * parts, random.uniform(0.3, 5) * HOUR, random.choice([30, 120, 240, 3000]))
        return [client.id, builder.id]

    def honest_amendment_abuse(self) -> None:
        """Old clients whose project grew, new ones who add a little or take their time, and what staff put in force."""
        random, first = self.random, self.random.uniform(40, 300)
        builder = self.comes(random.uniform(-200, 5), builder=True)
        story = random.randrange(5)
        if story == 0:
            client = self.comes(-random.uniform(100, 300))
            for n in range(random.randint(4, 7)):
                self.buys(client, builder if n % 2 else self.old[n], (2 + 4 * n) * DAY, 80, done=(4 + 4 * n) * DAY)
            self.grows(client, builder, 45 * DAY, first, [first * random.uniform(2, 6)], HOUR, 4000)
        elif story == 1:
            client = self.comes(random.uniform(3, 50))
            self.grows(client, builder, client.came + 3 * DAY, first, [first * random.uniform(0.2, 1.1)] * 2, 2 * HOUR, 900)
        elif story == 2:
            client = self.comes(random.uniform(3, 20))
            self.grows(client, builder, client.came + 5 * DAY, first, [first * random.uniform(0.5, 0.9)] * 6, random.uniform(1.5, 5) * DAY, 5000)
        elif story == 3:
            client = self.comes(-random.uniform(100, 300))
            self.buys(client, builder, 5 * DAY, 100, done=9 * DAY)
            self.grows(client, builder, 30 * DAY, first, [first * random.uniform(2, 4)], HOUR, 200)
        else:
            client = self.comes(random.uniform(3, 40))
            self.grows(client, builder, client.came + 4 * DAY, first, [first * random.uniform(3, 5)], HOUR, 600, staff="agent 1")

    # Orders that go wrong

    def wrong(self, client: Person, builder: Person, order: str, at: float, amount: float, **meta: object) -> None:
        both = {"client_id": client.id, "builder_id": builder.id}
        if self.random.random() < 0.5 and not meta:
            self.row(client, at, "dispute_opened", order, "order", amount, **both)
        else:
            self.rows.append(Row(min(at, self.end - 1), "refund", "", "system", order, "order", amount=f"{amount:.2f}", meta={**both, **meta}))

    def has_orders(self, clients: list[Person], number: int, bad: int, begun: float, every: float, **meta: object) -> None:
        going = set(self.random.sample(range(number), bad))
        for n in range(number):
            client, builder = clients[n % len(clients)], self.old[self.random.randrange(len(self.old))]
            at, amount = (begun + n * every) * DAY, self.random.uniform(20, 200)
            order = self.buys(client, builder, at, amount, done=None if n in going else at + 2 * DAY)
            if n in going:
                self.wrong(client, builder, order, at + self.random.uniform(0.5, 3) * DAY, amount, **meta)

    def refunds_and_disputes(self) -> list[str]:
        """Who has the work and the money back: often, or several times within a week, or with three accounts and one card."""
        random, story = self.random, self.random.randrange(3)
        if story == 0:
            client = self.comes(-random.uniform(-5, 100))
            number = random.randint(9, 18)
            self.has_orders([client], number, min(number, round(number * random.uniform(0.35, 0.5) * self.force)), 6, 70 / number)
            return [client.id]
        if story == 1:
            client = self.comes(random.uniform(0, 60))
            bad = self.times(3, 4)
            self.has_orders([client], bad + 1, bad, client.came / DAY + 1, 3.5 / bad)
            return [client.id]
        three = [self.comes(random.uniform(0, 20)) for _ in range(3)]
        card = name(random)
        for one in three:
            self.row(one, one.came + HOUR, "payment_method_added", one.id, "user", card_fingerprint=card)
        self.has_orders(three, 12, min(12, round(12 * random.uniform(0.4, 0.6) * self.force)), 22, 4)
        return [one.id for one in three]

    def honest_refunds_and_disputes(self) -> None:
        """Bad luck, called off before work began, and who buys so much that something has to go wrong."""
        random, story = self.random, self.random.randrange(4)
        client = self.comes(-random.uniform(10, 300))
        if story == 0:
            self.has_orders([client], random.randint(4, 9), random.randint(1, 2), 5, 8)
        elif story == 1:
            self.has_orders([client], 8, random.randint(3, 5), 5, 5, before_work=True)
        elif story == 2:
            self.has_orders([client], random.randint(40, 60), random.randint(4, 7), 3, 1.3)
        else:
            self.has_orders([client], 2, 2, random.uniform(5, 60), 4)

    # Passwords that are guessed

    def fails(self, who: str, at: float, ip: str, device: str = "") -> None:
        self.rows.append(Row(min(at, self.end - 1), "sign_in_failed", "", "system", who, "user", ip=ip, device=device))

    def sign_in_bursts(self) -> list[str]:
        """A list of passwords tried on many accounts, one account tried again and again, or bought accounts that open in one browser."""
        random, story = self.random, self.random.randrange(3)
        (place,) = self.crowd.network.some(1)
        at = random.uniform(5, self.days - 2) * DAY
        if story == 0:
            tried = random.sample(self.old, min(len(self.old), self.times(22, 40)))
            for one in tried:
                self.fails(one.id, at + random.uniform(0, 25) * MINUTE, place)
            return [one.id for one in tried]
        if story == 1:
            victim = self.comes(-random.uniform(50, 200))
            for _ in range(self.times(11, 40)):
                self.fails(victim.id, at + random.uniform(0, 9) * MINUTE, place)
            return [victim.id]
        browser, bought = self.crowd.machine(), [self.comes(-random.uniform(50, 300)) for _ in range(self.times(5, 6))]
        for one in bought:
            self.trade.sign_in(one, (at // DAY) * DAY + random.uniform(8, 22) * HOUR, place, browser.mark, browser.print(at))
        return [one.id for one in bought]

    def honest_sign_in_bursts(self) -> None:
        """Forgotten passwords, an office whose password keeper is down, a course where everybody opens an account at one machine."""
        random, story = self.random, self.random.randrange(4)
        at = random.uniform(5, self.days - 2) * DAY
        if story < 2:
            one = self.old[random.randrange(len(self.old))]
            address, device, look = one.session(random, at)
            for n in range(random.randint(4, 9) if story else random.randint(9, 13)):
                self.fails(one.id, at - 20 * (n + 1), address, device)
            self.trade.sign_in(one, at, address, device, look)
        elif story == 2:
            (place,) = self.crowd.network.some(1)
            for one in random.sample(self.old, random.randint(26, 34)):
                for day in (3, 2, 1):
                    self.trade.sign_in(one, max(0.0, at - day * DAY), place, one.device.mark, one.device.print(at))
                self.fails(one.id, at + random.uniform(0, 20) * MINUTE, place, one.device.mark)
                self.trade.sign_in(one, at + HOUR, place, one.device.mark, one.device.print(at))
        else:
            first = self.comes(at / DAY)
            for _ in range(random.randint(4, 6)):
                self.comes(at / DAY + random.uniform(0, 0.1), like=first)

    # Accounts that are taken

    def seen(self, one: Person, at: float, country: str) -> None:
        """Somebody at home, so that the account has habits."""
        for day in (30, 21, 13, 6, 4):
            when = at - day * DAY
            if when > 0:
                self.row(one, when, "sign_in", country=country, fingerprint=one.device.print(when))

    def elsewhere(self, one: Person, *, device: bool = True) -> Person:
        """The same account in other hands: another line, and another device unless only the line is."""
        home = self.crowd.network.spot("elsewhere")
        home.addresses = [".".join(str(self.random.randrange(81, 98)) if not n else str(self.random.randrange(1, 250)) for n in range(4))]
        machine = self.crowd.machine() if device else one.device
        away = replace(one, home=home, device=machine, phone=machine, places=[], away=None, vpn=None)
        away.mobile, away.family_device, away.old_device = 0.0, None, None
        return away

    def account_takeover(self) -> list[str]:
        """From a strange browser far away: the password or the payout address is changed, and the money leaves. Or nobody travels so fast."""
        random, at = self.random, self.random.uniform(35, self.days - 4) * DAY
        victim = self.comes(-random.uniform(60, 300), builder=True)
        victim.mobile, victim.family_device = 0.0, None
        self.seen(victim, at, "DE")
        thief = self.elsewhere(victim)
        if random.random() < 0.35:
            self.row(victim, at - random.uniform(10, 60) * MINUTE, "sign_in", country="DE", fingerprint=victim.device.print(at))
            self.trade.sign_in(thief, at, *thief.session(random, at))
            self.rows[-1].meta["country"] = random.choice(["BR", "VN", "US"])
            return [victim.id]
        self.buys(self.comes(-100), victim, at - 8 * DAY, 300)
        self.row(self.comes(-100), at - 3 * DAY, "escrow_release", victim.id, "user", 300)
        self.row(thief, at, "sign_in", country="DE", fingerprint=thief.device.print(at))
        if random.random() < 0.6:
            self.row(thief, at + 10 * MINUTE, random.choice(["password_changed", "second_factor_changed"]), victim.id, "user")
        self.row(thief, at + 20 * MINUTE, "payout_address_added", victim.id, "user", address_hash=name(random))
        self.row(
            thief, at + random.uniform(0.5, 60) * HOUR, "withdrawal", name(random), "withdrawal", random.uniform(240, 300), balance_before="300.00"
        )
        return [victim.id]

    def honest_account_takeover(self) -> None:
        """A new computer, a new payout address, a new password, a journey: one at a time, as honest people do."""
        random, story, at = self.random, self.random.randrange(4), self.random.uniform(35, self.days - 4) * DAY
        one = self.comes(-random.uniform(60, 300), builder=True)
        one.mobile, one.family_device = 0.0, None
        self.seen(one, at, "DE")
        self.row(self.comes(-100), at - 3 * DAY, "escrow_release", one.id, "user", 300)
        other = one
        if story == 0:  # a new computer at home
            other = replace(one, device=(machine := self.crowd.machine()), phone=machine)
            self.row(other, at, "sign_in", country="DE", fingerprint=machine.print(at))
        elif story == 1:
            self.row(one, at, "payout_address_added", one.id, "user", address_hash=name(random))
            self.row(one, at + HOUR, "password_changed", one.id, "user")
        elif story == 2:  # with the computer on a journey
            other = self.elsewhere(one, device=False)
            self.row(one, at - HOUR, "sign_in", country="DE", fingerprint=one.device.print(at))
            self.row(other, at, "sign_in", country="FR", fingerprint=one.device.print(at))
        else:  # a new phone on the line of its carrier, just after having been at home
            self.row(one, at - 40 * MINUTE, "sign_in", country="DE", fingerprint=one.device.print(at))
            self.row(self.elsewhere(one), at, "sign_in", country="DE", fingerprint=name(random)[:12])
        self.row(other, at + 4 * HOUR, "withdrawal", name(random), "withdrawal", 280, balance_before="300.00")

    # Staff

    def works(self, agent: str, hour: float) -> Random:
        """Two months of an agent's honest days."""
        random = self.random
        device = f"desk of {agent}"
        for day in range(int(self.days)):
            if day % 7 > 4:
                continue
            for _ in range(max(0, round(random.gauss(self.world["views"], 1.2)))):
                self.does(agent, device, day, hour, "viewing_started", about=name(random))
            for _ in range(random.choice([0, 0, 1, 1, 2])):
                self.does(agent, device, day, hour, "credit_issued", amount=random.uniform(5, 44), user=name(random))
            for _ in range(random.randint(1, 8)):
                status = "false_positive" if random.random() < 0.5 else "resolved"
                self.does(agent, device, day, hour, "incident_closed", status=status, people=[name(random)])
            for _ in range(random.choice([0, 1, 2])):
                self.does(agent, device, day, hour, "plan_approved", requester=f"agent {random.randrange(8)}")
        return random

    def does(
        self, agent: str, device: str, day: float, hour: float, event: str, *, amount: float | None = None, target: str = "", **meta: object
    ) -> None:
        at = min(self.end - 1, day * DAY + (hour + self.random.uniform(0, 8)) * HOUR)
        money = "" if amount is None else f"{amount:.2f}"
        self.rows.append(Row(at, event, agent, "admin", target or name(self.random), "", device=device, amount=money, meta=dict(meta)))

    def agent(self) -> tuple[str, float, int]:
        agent, hour = f"agent {name(self.random)[:8]}", self.random.uniform(6, 11)
        self.works(agent, hour)
        return agent, hour, self.random.randrange(40, int(self.days) - 2) // 7 * 7 + self.random.randrange(5)

    def staff_misuse(self) -> list[str]:
        random, story = self.random, self.random.randrange(6)
        agent, hour, day = self.agent()
        device, friend = f"desk of {agent}", name(random)
        if story == 0:
            for _ in range(self.times(max(11, 2 * self.world["views"]), 20)):
                self.does(agent, device, day, hour, "viewing_started", about=name(random))
        elif story == 1:
            for n in range(self.times(4, 6)):
                self.does(agent, device, day + n % 4, hour, "viewing_started", about=friend)
        elif story == 2:
            for _ in range(self.times(12, 18)):
                self.does(agent, device, day, hour, "credit_issued", amount=random.uniform(40, 44), user=name(random))
        elif story == 3:
            for _ in range(self.times(3, 5)):
                self.does(agent, device, day, hour, "credit_issued", amount=random.uniform(46, 50), user=name(random))
        elif story == 4:
            self.rows.append(Row(day * DAY - 9 * HOUR, "sign_in", friend, "user", device=device, meta={"fingerprint": "f"}))
            self.does(agent, device, day, hour, "credit_issued", amount=random.uniform(20, 44), user=friend)
        else:
            for _ in range(self.times(20, 40)):
                self.does(agent, device, day, hour, "incident_closed", status="false_positive", people=[name(random)])
        return [agent]

    def honest_staff_misuse(self) -> None:
        """A busy day, a backlog, a small gift to many after something broke, a person who needs help three times."""
        random, story = self.random, self.random.randrange(4)
        agent, hour, day = self.agent()
        device = f"desk of {agent}"
        if story == 0:
            for _ in range(2):
                self.does(agent, device, day, hour, "viewing_started", about=name(random))
        elif story == 1:
            for _ in range(random.randint(6, 10)):
                self.does(agent, device, day, hour, "incident_closed", status="false_positive", people=[name(random)])
        elif story == 2:
            for _ in range(random.randint(15, 25)):
                self.does(agent, device, day, hour, "credit_issued", amount=10, user=name(random))
        else:
            helped = name(random)
            for n in range(3):
                self.does(agent, device, day + n % 2, hour, "viewing_started", about=helped)

    # Cards

    def refused(self, person: Person, at: float, card: str) -> None:
        self.row(person, at, "payment_failed", name(self.random), "payment", self.random.uniform(1, 60), payer=person.id, card_fingerprint=card)

    def card_testing(self) -> list[str]:
        """Numbers from a list, one after the other: by one account, or by a few in one browser."""
        random = self.random
        first = self.comes(random.uniform(1, self.days - 6))
        crew = [first] + ([self.comes(first.came / DAY + 0.01, like=first) for _ in range(2)] if random.random() < 0.4 else [])
        at = max(one.came for one in crew) + random.uniform(1, 60) * HOUR
        for n in range(self.times(6, 12)):
            self.refused(crew[n % len(crew)], at + n * random.uniform(0.5, 3) * MINUTE, name(random))
        return [one.id for one in crew]

    def honest_card_testing(self) -> None:
        """A card that does not work, again and again; then the other one. A couple, each with their own."""
        random = self.random
        client = self.comes(-random.uniform(-40, 200))
        at = random.uniform(45, self.days - 3) * DAY
        cards = [client.card, name(random)][: random.randint(1, 2)]
        for n in range(random.randint(2, 5)):
            self.refused(client, at + n * random.uniform(1, 9) * MINUTE, cards[n % len(cards)])
        if random.random() < 0.3:
            self.refused(self.comes(-60, like=client), at + 20 * MINUTE, name(random))

    # Payout addresses

    def payout_fan_in(self) -> list[str]:
        """Mules: new accounts that are all paid to one address; or the address of somebody who was thrown out, with a new name."""
        random, wallet = self.random, name(self.random)
        if random.random() < 0.4:
            thrown = self.comes(-random.uniform(20, 200), builder=True)
            self.row(thrown, max(thrown.came + DAY, 0.0), "payout_address_added", thrown.id, "user", address_hash=wallet)
            out = random.uniform(10, 40)
            self.note(out * DAY, "suspended", thrown.id, "user")
            again = self.comes(out + random.uniform(1, 20), builder=True)
            self.row(again, again.came + DAY, "payout_address_added", again.id, "user", address_hash=wallet)
            return [thrown.id, again.id]
        begun = random.uniform(2, self.days - 25)
        mules = [self.comes(begun + random.uniform(0, 14), builder=True) for _ in range(self.times(3.5, 6))]
        for one in mules:
            self.row(one, one.came + random.uniform(1, 60) * HOUR, "payout_address_added", one.id, "user", address_hash=wallet)
        return [one.id for one in mules]

    def honest_payout_fan_in(self) -> None:
        """Partners who come one after the other, a couple, an exchange that has been there for long, and who was suspended by mistake."""
        random, wallet, story = self.random, name(self.random), self.random.randrange(4)
        if story == 0:
            people = [self.comes(-300 + n * random.uniform(70, 110), builder=True) for n in range(4)]
        elif story == 1:
            people = [self.comes(random.uniform(0, 60), builder=True) for _ in range(2)]
        elif story == 2:
            people = [self.comes(random.uniform(-240, 80), builder=True) for _ in range(random.randint(16, 24))]
        else:
            people = [self.comes(-100 + n, builder=True) for n in range(2)]
            self.note(20 * DAY, "suspended", people[0].id, "user")
            self.note(21 * DAY, "reinstated", people[0].id, "user")
        for one in people:
            self.row(one, one.came + random.uniform(1, 60) * HOUR, "payout_address_added", one.id, "user", address_hash=wallet)
