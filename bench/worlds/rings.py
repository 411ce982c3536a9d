"""Those who are one, or one crew, behind many accounts; and thieves who pay themselves with stolen cards.

A ring is made of what its accounts share and of what it is for. The kinds of sharing are drawn evenly, so that a detector does not look good for
finding what is easy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from .people import Crowd, Device, Person, name
from .places import DAY

# What the accounts of a ring share. A proxy is an address at somebody's home that is rented: another one for each account.
SHARING = {
    "careless": ("home", "device", "wallet", "card"),  # one browser at home, and little else is changed
    "one address": ("home",),  # clean devices, wallets and cards, but at home: what flatmates share, too
    "one wallet": ("wallet",),  # proxies and devices of their own
    "vpn, one wallet": ("vpn", "wallet"),
    "one device": ("device",),  # one browser behind proxies
    "vpn, one device": ("vpn", "device"),
    "one card": ("card",),
    "chain": ("chain",),  # the first two share a device, the next a wallet, the next a card
    "slow": ("wallet", "slow"),  # opened over months, seldom seen
    "nothing": (),
}
PURPOSES = ("fill", "review", "cash")  # sell to outsiders; buy from each other for reviews; pay themselves and take the money out


@dataclass
class Ring:
    """One operator. Who has two accounts only is told apart, because no rule about three can find them."""

    number: int
    sharing: str
    purpose: str
    members: list[Person] = field(default_factory=list)

    @property
    def shares(self) -> bool:
        """Something that tells one person from people who live together."""
        return self.sharing not in ("nothing", "one address", "pair")

    @property
    def builders(self) -> list[Person]:
        return [member for member in self.members if member.is_builder]

    @property
    def clients(self) -> list[Person]:
        return [member for member in self.members if not member.is_builder]


def plant(crowd: Crowd) -> list[Ring]:
    """Add rings and thieves to a crowd."""
    random, world = crowd.random, crowd.world
    number = round(world["rings"])
    hidden = ["nothing"] * round(number * world["careful"]) + ["one address"] * max(1, round(number * world["at_home"]))
    kinds = [kind for kind in SHARING if kind not in hidden and kind not in ("nothing", "one address")]
    random.shuffle(kinds)
    rings = []
    for n in range(number):
        sharing = hidden[n] if n < len(hidden) else kinds[n % len(kinds)]
        purpose = random.choices(PURPOSES, [0.4, 0.3, 0.3])[0]
        if sharing == "one card":
            purpose = random.choice(["review", "cash"])  # who only sells has no card
        rings.append(_ring(crowd, n, sharing, purpose))
    for n in range(number, number + round(world["thieves"])):
        rings.append(_thief(crowd, n))
    return rings


def _ring(crowd: Crowd, number: int, sharing: str, purpose: str) -> Ring:
    random, world = crowd.random, crowd.world
    ring, traits = Ring(number, sharing, purpose), SHARING[sharing]
    size = max(3, min(9, int(random.triangular(world.terms.ring_size[0], world.terms.ring_size[1] + 1, world.terms.ring_size[0] + 1))))
    old = random.random() < world["ring_old"]
    begun = -random.uniform(120, 500) if old else random.uniform(-20, crowd.days * 0.75)
    spread = random.uniform(30, 90) if "slow" in traits else random.choice([0.3, 1, 3, 10, 25])
    sellers = size if purpose == "fill" else max(1, size // 3) if purpose == "cash" else max(1, size // 2)
    if "wallet" in traits and "home" not in traits:
        sellers = size  # all are paid to it; where they buy from each other, builders buy
    if "card" in traits and "home" not in traits:
        sellers = 1
    odd = size - 1 if random.random() < 0.4 else -1  # one who does not share what the others do
    home, vpn = crowd.line(), random.choice(crowd.vpns)
    device, wallets, card = crowd.machine(), [name(random), name(random)], name(random)
    for n in range(size):
        member = _account(crowd, ring, builder=n < sellers, came=_when(random, crowd, begun, spread))
        _dress(crowd, member, n, () if n == odd and size > 3 else traits, device, wallets, card)
        member.home = home if "home" in traits else crowd.line()
        member.carrier, member.mobile, member.vpn = None, 0.0, vpn if "vpn" in traits else None
        member.rate = 0.06 if "slow" in traits else random.uniform(0.15, 0.6)
    return ring


def _when(random: Random, crowd: Crowd, begun: float, spread: float) -> float:
    return min(begun + random.uniform(0, spread), crowd.days - 2) * DAY


def _account(crowd: Crowd, ring: Ring, *, builder: bool, came: float) -> Person:
    random = crowd.random
    member = crowd.person(crowd.line(), builder=builder)
    member.came, member.operator, member.places, member.clears = came, ring.number, [], False
    member.verified = random.random() < crowd.world["ring_verified"]
    member.wallet, member.card = name(random) if builder else "", name(random)
    member.quits, member.orders, member.habit = float("inf"), 0.0, random.choice(["at_once", "threshold", "seldom"])
    member.popularity = random.uniform(1.0, 4.0)
    ring.members.append(member)
    return member


def _dress(crowd: Crowd, member: Person, n: int, traits: tuple[str, ...], device: Device, wallets: list[str], card: str) -> None:
    """What is the same as for the others."""
    random = crowd.random
    if "device" in traits:
        member.device = device
        member.clears = n == 1 and random.random() < 0.3  # a private window
    if "wallet" in traits and member.is_builder:
        member.wallet = wallets[0] if n < 2 or random.random() < 0.85 else wallets[1]
    if "card" in traits and not member.is_builder:
        member.card = card
    if "chain" in traits:
        _link(crowd, member, n)


def _link(crowd: Crowd, member: Person, n: int) -> None:
    """Member n shares one thing with member n - 1, another with n + 1."""
    if not n:
        return
    before = crowd.people[-2]
    if member.is_builder and before.is_builder and n % 2 == 0:
        member.wallet = before.wallet
    elif not member.is_builder and not before.is_builder and n % 2 == 0:
        member.card = before.card
    else:
        member.device = before.device


def _thief(crowd: Crowd, number: int) -> Ring:
    """A client with a stolen card and a builder who is paid by it; one in three forgets to change the device or the address."""
    random = crowd.random
    ring = Ring(number, "pair", "cash")
    begun = random.uniform(-40, crowd.days * 0.85)
    for builder in (True, False):
        member = _account(crowd, ring, builder=builder, came=_when(random, crowd, begun, 4))
        if not builder and random.random() < 0.25:
            member.came = -random.uniform(60, 600) * DAY  # an account that was bought
    slip, (first, second) = random.random(), ring.members
    if slip < 0.2:
        second.device = first.device
    elif slip < 0.35:
        second.home = first.home
    return ring
