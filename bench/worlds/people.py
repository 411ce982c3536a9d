"""The innocent: where they live and work, what they hold in their hands, how they pay and are paid.

Many are hard to tell from a ring: families with one card and one device, flatmates who all sell, dorms, desks side by side, members of an agency with
one wallet, who changed phones with a friend, whoever is paid to the address of an exchange.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from .places import DAY, Gateways, Home, Network, Provider, Spot
from .terms import World

HOUR = 3600.0


class Place(Protocol):
    """Gives the address under which somebody there comes."""

    def address(self, random: Random, at: float) -> str: ...


@dataclass
class Device:
    """What keeps a mark of ours, and a print that changes with each version of the browser."""

    mark: str
    model: str
    shift: int  # days by which its versions come before those of others

    def print(self, at: float) -> str:
        return f"{self.model}.{int((at / DAY + self.shift) // 35)}"


@dataclass
class Person:
    """One account. `at` of every kind is in seconds from the first day of the world; before that is negative."""

    number: int
    id: str
    came: float
    is_builder: bool
    verified: bool
    home: Place
    device: Device
    phone: Device
    rate: float  # sign-ins a day
    agency: bool = False
    places: list[tuple[Place, float]] = field(default_factory=list)  # elsewhere, with how often
    mobile: float = 0.0
    carrier: Gateways | None = None
    vpn: Gateways | None = None
    family_device: Device | None = None
    old_device: tuple[Device, float] | None = None  # what they had, and until when
    away: tuple[Place, float, float] | None = None  # a journey
    clears: bool = False
    wallet: str = ""
    card: str = ""
    habit: str = "seldom"
    paid_day: int = 0
    popularity: float = 1.0
    orders: float = 0.0  # a day
    quits: float = math.inf
    household: int = -1
    office: int = -1
    studio: int = -1
    operator: int = -1  # of the ring; nobody else has one
    work_hours: int = 9

    def session(self, random: Random, at: float) -> tuple[str, str, str]:
        """Address, mark of the device and its print, as somebody who acts at this time would come."""
        on_phone = random.random() < self.mobile
        device = self.phone if on_phone else self.device
        if self.old_device and at < self.old_device[1]:
            device = self.old_device[0]
        if self.family_device and random.random() < 0.3:
            device, on_phone = self.family_device, False
        place: Place = self.home
        for other, often in self.places:
            if random.random() < often:
                place = other
                break
        if self.away and self.away[1] <= at < self.away[2]:
            place = self.away[0]
        if self.vpn and random.random() < 0.7:
            address = self.vpn.address_of(self.number, random)
        elif on_phone and self.carrier and random.random() < 0.7:
            address = self.carrier.address_of(self.number, random)
        else:
            address = place.address(random, at)
        return address, name(random) if self.clears else device.mark, device.print(at)


def name(random: Random) -> str:
    """An identifier of the form that the application gives."""
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Crowd:
    """Everybody who is innocent, with what surrounds them."""

    def __init__(self, world: World, random: Random, days: float) -> None:
        self.world, self.random, self.days = world, random, days
        self.network = Network(random)
        self.people: list[Person] = []
        self.models = [name(random)[:12] for _ in range(round(world["phones"]))]
        number = round(world["accounts"])
        leases = [random.choice([1, 3, 7, 14, 30]) if n < 8 * world["leases"] else 0 for n in range(8)]
        self.providers = [Provider(self.network.some(int(number * 0.6)), lease) for lease in leases]
        self.narrow = [self.network.some(4) for _ in range(max(1, round(number * world["shared_lines"] / 110)))]
        self.carriers = [Gateways(self.network.some(round(number / 4 / world["exits"])), 0.85) for _ in range(4)]
        self.vpns = [Gateways(self.network.some(round(number * world["vpn"] / 3 / world["vpn_people"])), 0.5) for _ in range(3)]
        self.exchange = name(random)  # the address to which an exchange has all its customers paid
        self.settle(number)
        self.gather("offices", "office_size", self.to_office)
        self.gather("cafes", "cafe_size", self.to_cafe)
        self.gather("dorms", "dorm_size", self.to_dorm)
        self.gather("studios", "studio_size", self.to_studio)
        self.travel()
        self.pass_on()
        self.pool_money()

    def chance(self, what: str) -> bool:
        return self.random.random() < self.world[what]

    def machine(self, *, phone: bool = False) -> Device:
        """Phones of a kind look the same; a computer is its own kind as often as not."""
        common = phone or self.random.random() < 0.4
        model = self.models[min(int(self.random.paretovariate(0.9)) - 1, len(self.models) - 1)] if common else name(self.random)[:12]
        return Device(name(self.random), model, 0 if phone else self.random.randrange(35))

    def line(self) -> Home:
        provider = self.random.choice(self.providers)
        provider.lines += 1
        crowd = self.random.choice(self.narrow) if self.chance("shared_lines") else []
        return Home(provider, provider.lines, self.network.prefix() if self.chance("six") else "", crowd[:] if crowd else [])

    def came(self, growth: float) -> float:
        if self.random.random() < growth:
            return self.random.uniform(0, self.days) * DAY
        return -min(900.0, self.random.expovariate(1 / 260)) * DAY

    def identity(self) -> str:
        return f"u{len(self.people) + 1}" if self.world.terms.short_ids else name(self.random)

    def person(self, home: Place, *, growth: float | None = None, builder: bool | None = None) -> Person:
        random, world = self.random, self.world
        is_builder = self.chance("builders") if builder is None else builder
        made = Person(
            number=len(self.people),
            id=self.identity(),
            came=self.came(world["growth"] if growth is None else growth),
            is_builder=is_builder,
            verified=random.random() < world["verified"] * (1 if is_builder else 0.33),
            home=home,
            device=self.machine(),
            phone=self.machine(phone=True),
            rate=world["sign_ins"] * random.lognormvariate(-0.3, 0.8),
            mobile=min(0.95, world["mobile"] * random.uniform(0.3, 1.7)),
            carrier=random.choice(self.carriers),
            vpn=random.choice(self.vpns) if self.chance("vpn") else None,
            clears=self.chance("clears"),
            orders=0.0 if is_builder and random.random() < 0.7 else world["orders"] * random.lognormvariate(-0.5, 1.0),
            popularity=min(12.0, random.paretovariate(1.3)),
            work_hours=random.randrange(6, 13),
        )
        if random.random() < 0.25:  # looks once and does not come back
            made.quits = made.came + random.uniform(0, 20) * DAY
        if is_builder:
            made.wallet = name(random)
            draw = random.random()
            made.habit = (
                "at_once"
                if draw < world["at_once"]
                else "scheduled"
                if draw < world["at_once"] + world["scheduled"]
                else random.choice(["threshold", "seldom", "seldom"])
            )
            made.paid_day = random.randrange(7)
            if random.random() < world["custody"]:
                made.wallet = self.exchange
        if made.orders:
            made.card = name(random)
        self.people.append(made)
        return made

    def settle(self, number: int) -> None:
        """Homes of one, two, and up to five accounts; the latter are couples, families, and flatmates who all sell."""
        random, household = self.random, 0
        while len(self.people) < number:
            home, household = self.line(), household + 1
            if self.chance("homes_alone"):
                self.person(home).household = household
                continue
            flat = random.random() < 0.15
            size = random.choices([2, 3, 4, 5], [0.6, 0.23, 0.12, 0.05] if not flat else [0.2, 0.4, 0.3, 0.1])[0]
            members = [self.person(home, growth=0.7 if flat else None, builder=True if flat else None) for _ in range(size)]
            for member in members:
                member.household = household
            if flat:
                continue
            if self.chance("shared_device"):
                shared = self.machine()
                for member in members:
                    member.family_device = shared
            if self.chance("family_card"):  # a couple's, as a rule; now and then the children's too
                card = name(random)
                for member in members if random.random() < 0.2 else members[:2]:
                    member.card = member.card and card
            if self.chance("family_wallet"):
                wallet = name(random)
                for member in members[:2]:
                    member.wallet = member.wallet and wallet

    def gather(self, share: str, size: str, arrive: Callable[[Spot, list[Person], int], None]) -> None:
        """Take that share of the people, at random, to places of that size."""
        random = self.random
        chosen = random.sample(self.people, round(self.world[share] * len(self.people)))
        place = 0
        while chosen:
            take = max(2, round(random.uniform(0.5, 1.5) * self.world[size]))
            group, chosen, place = chosen[:take], chosen[take:], place + 1
            if len(group) > 1:
                arrive(self.network.spot(f"{share} {place}"), group, place)

    def to_office(self, spot: Spot, group: list[Person], place: int) -> None:
        for person in group:
            person.office = place
            person.places.append((spot, self.random.uniform(0.3, 0.7)))
        if self.chance("company_card"):
            card = name(self.random)
            for person in group[: self.random.randint(2, 5)]:
                person.card, person.orders = card, max(person.orders, self.world["orders"])

    def to_cafe(self, spot: Spot, group: list[Person], place: int) -> None:
        for person in group:
            person.places.append((spot, self.random.uniform(0.03, 0.25)))

    def to_dorm(self, spot: Spot, group: list[Person], place: int) -> None:
        """They live there, and came to the site when a friend told them."""
        told = self.random.uniform(0, self.days * 0.8) * DAY
        for person in group:
            person.home, person.household = spot, -1
            if person.came > 0:
                person.came = min(self.days * DAY - 1, told + self.random.expovariate(1 / 12) * DAY)
                person.quits = math.inf

    def to_studio(self, spot: Spot, group: list[Person], place: int) -> None:
        for person in group:
            person.studio = place
            person.places.append((spot, self.random.uniform(0.3, 0.8)))

    def travel(self) -> None:
        hotels = [self.network.spot(f"hotel {n}") for n in range(12)]
        for person in self.random.sample(self.people, round(self.world["travel"] * len(self.people))):
            begun = self.random.uniform(0, self.days - 10) * DAY
            person.away = (self.random.choice(hotels), begun, begun + self.random.uniform(2, 14) * DAY)

    def pass_on(self) -> None:
        """Devices that another had before, and machines of a library at which everybody sits down."""
        random, number = self.random, len(self.people)
        for person in random.sample(self.people, round(self.world["handed_down"] * number)):
            other = random.choice(self.people)
            if other is not person and other.old_device is None:
                other.old_device = (person.device, random.uniform(0.2, 0.8) * self.days * DAY)
                person.came = max(person.came, other.old_device[1])  # who has it now came to the site with it
        library = self.network.spot("library")
        machines = [self.machine() for _ in range(max(1, round(number * self.world["kiosks"] / 12)))]
        for person in random.sample(self.people, round(self.world["kiosks"] * number)):
            person.places.insert(0, (library, 0.4))
            person.family_device = random.choice(machines)

    def pool_money(self) -> None:
        """Agencies that are registered, and partners whom nobody registered; both are paid to one wallet."""
        random = self.random
        builders = [person for person in self.people if person.is_builder and person.wallet != self.exchange]
        random.shuffle(builders)
        for _ in range(round(self.world["agencies"])):
            wallet, office = name(random), self.network.spot("agency")
            members = [builders.pop() for _ in range(min(len(builders), random.randint(5, 12)))]
            for member in members:
                member.wallet, member.agency, member.verified = wallet, True, member.verified or random.random() < 0.5
                member.places.append((office, 0.5))
        for _ in range(round(self.world["partners"])):
            wallet = name(random)
            for member in [builders.pop() for _ in range(min(len(builders), random.randint(2, 3)))]:
                member.wallet = wallet
