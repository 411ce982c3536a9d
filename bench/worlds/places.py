"""Where people sign in from: addresses that tell little, because most are shared, lent or change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

DAY = 86400.0


def public_addresses() -> Iterator[str]:
    """IPv4 addresses as they are given out to networks: never a private one, and never twice."""
    for n in count():
        first, second, third, fourth = 20 + n // 65536 // 256 % 60, n // 65536 % 256, n // 256 % 256, n % 256
        yield f"{first}.{second}.{third}.{fourth}"


@dataclass
class Provider:
    """Lends the addresses of its pool to lines, and after some days to other lines."""

    pool: list[str]
    lease: float  # days; 0 never changes
    lines: int = 0

    def address(self, line: int, at: float) -> str:
        if not self.lease:
            return self.pool[line % len(self.pool)]
        return self.pool[(line + 7 * int(at / DAY / self.lease)) % len(self.pool)]


@dataclass
class Home:
    """A line into a home; some have IPv6 beside it, and some share their address with a hundred others."""

    provider: Provider
    line: int
    prefix: str = ""  # of IPv6
    crowd: list[str] = field(default_factory=list)  # the gateway of a provider that has too few addresses

    def address(self, random: Random, at: float) -> str:
        if self.prefix and random.random() < 0.6:
            turn = int(at / DAY / 30) % 4096 if self.provider.lease else 0
            return ":".join([self.prefix, f"{turn:x}", *(f"{random.getrandbits(16):x}" for _ in range(4))])
        if self.crowd:
            return self.crowd[0] if random.random() < 0.9 else random.choice(self.crowd)
        return self.provider.address(self.line, at)


@dataclass
class Spot:
    """An office, a cafe, a dorm, a hotel: one address for everybody who is there."""

    name: str
    addresses: list[str]

    def address(self, random: Random, at: float) -> str:
        return self.addresses[0] if len(self.addresses) == 1 else random.choice(self.addresses)


@dataclass
class Gateways:
    """The exits of a mobile carrier or a VPN: everybody comes out of a few of them, and now and then of any."""

    exits: list[str]
    usual: float  # how often it is one of the usual ones

    def address_of(self, person: int, random: Random) -> str:
        if random.random() < self.usual:
            return self.exits[(person * 7919 + random.randrange(3)) % len(self.exits)]
        return random.choice(self.exits)


class Network:
    """Gives out what the world needs, each address once."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.addresses = public_addresses()
        self.prefixes = count(0x2000)

    def some(self, number: int) -> list[str]:
        return [next(self.addresses) for _ in range(max(1, number))]

    def spot(self, name: str) -> Spot:
        return Spot(name, self.some(1))

    def prefix(self) -> str:
        n = next(self.prefixes)
        return f"2a0{n >> 16 & 0xF:x}:{n & 0xFFFF:x}:{self.random.getrandbits(16):x}"
