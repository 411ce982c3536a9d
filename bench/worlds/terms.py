"""What a world is like: how many live how, and which rings there are. Drawn by the seed from ranges that differ from kind to kind.

Worlds for tuning and worlds that are held out share neither kinds nor ranges nor seeds. What was learnt on the first is tried on the others once,
for the report; whoever tunes on a held-out world has none left.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random

Range = tuple[float, float]
FIRST_HELD_OUT = 1000  # seeds from here on belong to held-out worlds


@dataclass(frozen=True)
class Terms:
    """Each number is drawn evenly between two ends, once for a world. Shares are of people, homes or rings."""

    accounts: Range = (4500, 5500)  # of innocents
    days: Range = (90, 90)
    growth: Range = (0.3, 0.45)  # of the accounts were opened within the days
    # Where people sign in
    homes_alone: Range = (0.45, 0.55)  # homes with one account; the others have two to five
    leases: Range = (0.4, 0.6)  # of the homes get another address every few days, which somebody else had before
    shared_lines: Range = (0.1, 0.2)  # of the homes are behind a gateway of their provider, with a hundred others
    six: Range = (0.2, 0.35)  # of the homes have IPv6 too
    offices: Range = (0.25, 0.35)  # of the people also sign in at work
    office_size: Range = (8, 30)
    cafes: Range = (0.1, 0.2)  # of the people go to one of the cafes
    cafe_size: Range = (30, 90)
    dorms: Range = (0.02, 0.05)
    dorm_size: Range = (20, 60)
    studios: Range = (0.03, 0.06)  # of the people, at desks of a co-working space, who buy from each other
    studio_size: Range = (10, 30)
    mobile: Range = (0.2, 0.35)  # of the sign-ins, through a gateway of the carrier
    exits: Range = (150, 250)  # people to one such gateway
    vpn: Range = (0.04, 0.08)  # of the people
    vpn_people: Range = (8, 20)  # to one exit
    travel: Range = (0.03, 0.06)  # of the people were away once
    # Devices
    clears: Range = (0.05, 0.1)  # of the people come with a new device mark each time
    shared_device: Range = (0.08, 0.14)  # of the homes with several accounts have a device for all
    handed_down: Range = (0.005, 0.01)  # of the people use what another used before
    kiosks: Range = (0.005, 0.01)  # of the people sign in at a library's machine, which forgets nobody
    phones: Range = (30, 60)  # kinds of phones that look the same
    # Money
    builders: Range = (0.3, 0.4)
    verified: Range = (0.35, 0.5)  # of the builders, a third of it among clients
    sign_ins: Range = (0.2, 0.3)  # a day and person
    orders: Range = (0.02, 0.035)  # a day and client
    fee: Range = (0.0, 0.0)  # that is taken off what is released
    at_once: Range = (0.08, 0.14)  # of the builders withdraw whatever comes, at once
    scheduled: Range = (0.15, 0.25)  # of the builders withdraw on a day of the week or the month
    impatient: Range = (0.15, 0.25)  # of new builders take their very first money at once
    family_card: Range = (0.12, 0.2)  # of the homes with several accounts
    family_wallet: Range = (0.01, 0.02)
    couples: Range = (0.03, 0.05)  # of these homes bought from each other once
    company_card: Range = (0.08, 0.15)  # of the offices have one card for a few people
    house_builder: Range = (0.2, 0.3)  # of the offices buy from one builder again and again
    agencies: Range = (4, 7)  # registered, one wallet for all members
    partners: Range = (2, 4)  # small firms that nobody registered, one wallet for two or three
    custody: Range = (0.02, 0.04)  # of the builders are paid to the one address of an exchange
    # Who is not innocent
    rings: Range = (34, 40)
    careful: Range = (0.08, 0.14)  # of the rings share nothing
    at_home: Range = (0.04, 0.07)  # share an address and nothing else, as flatmates do
    ring_size: Range = (3, 9)
    ring_verified: Range = (0.1, 0.25)  # of their accounts have a bought identity
    ring_old: Range = (0.1, 0.2)  # of the rings are years old
    thieves: Range = (14, 20)  # who pay themselves with stolen cards, two accounts each
    # How the file is written
    short_ids: bool = False
    whole_history: bool = True  # the sign-ups of those who came before the days are in it


@dataclass(frozen=True)
class World:
    """Terms as they came out for one seed."""

    kind: str
    seed: int
    terms: Terms
    drawn: dict[str, float]

    def __getitem__(self, name: str) -> float:
        return self.drawn[name]


PLAIN = Terms()
TUNING = {
    "plain": PLAIN,
    "crowded": replace(
        PLAIN,
        homes_alone=(0.25, 0.35),
        offices=(0.4, 0.5),
        office_size=(15, 50),
        dorms=(0.06, 0.1),
        studios=(0.08, 0.12),
        shared_device=(0.15, 0.22),
        family_card=(0.2, 0.3),
        short_ids=True,
    ),
    "young": replace(PLAIN, accounts=(2500, 3500), growth=(0.6, 0.75), impatient=(0.3, 0.4), rings=(22, 28), verified=(0.25, 0.35), fee=(0.08, 0.12)),
    "roaming": replace(
        PLAIN, mobile=(0.4, 0.55), exits=(220, 300), six=(0.35, 0.45), shared_lines=(0.22, 0.38), phones=(18, 30), clears=(0.08, 0.12)
    ),
    "wary": replace(
        PLAIN, careful=(0.14, 0.18), ring_size=(3, 6), ring_verified=(0.25, 0.34), ring_old=(0.2, 0.29), vpn=(0.08, 0.12), vpn_people=(15, 24)
    ),
    "cut": replace(PLAIN, days=(65, 80), growth=(0.25, 0.3), at_once=(0.1, 0.16), whole_history=False),
}
HELD_OUT = {
    "dense": replace(
        PLAIN,
        accounts=(5600, 7000),
        homes_alone=(0.15, 0.24),
        leases=(0.65, 0.8),
        offices=(0.52, 0.62),
        office_size=(20, 80),
        cafes=(0.3, 0.45),
        cafe_size=(60, 200),
        dorms=(0.11, 0.15),
        dorm_size=(40, 120),
        studios=(0.13, 0.17),
        shared_device=(0.23, 0.3),
        family_card=(0.31, 0.4),
        couples=(0.06, 0.1),
        company_card=(0.16, 0.25),
    ),
    "small": replace(PLAIN, accounts=(600, 1200), rings=(6, 10), agencies=(1, 2), partners=(1, 1), thieves=(4, 6), ring_size=(3, 6), short_ids=True),
    "mobile": replace(
        PLAIN,
        mobile=(0.6, 0.8),
        exits=(300, 600),
        six=(0.45, 0.6),
        shared_lines=(0.4, 0.55),
        phones=(8, 16),
        clears=(0.12, 0.18),
        orders=(0.01, 0.018),
        sign_ins=(0.12, 0.18),
    ),
    "sly": replace(
        PLAIN,
        rings=(42, 50),
        careful=(0.18, 0.25),
        ring_size=(3, 5),
        ring_verified=(0.35, 0.5),
        ring_old=(0.3, 0.4),
        vpn=(0.12, 0.2),
        vpn_people=(25, 60),
        fee=(0.15, 0.2),
        custody=(0.05, 0.08),
    ),
    "village": replace(
        PLAIN, accounts=(180, 260), rings=(3, 5), agencies=(1, 1), partners=(1, 1), thieves=(2, 4), ring_size=(3, 5), mobile=(0.1, 0.19)
    ),
    "hasty": replace(PLAIN, orders=(0.05, 0.07), impatient=(0.42, 0.5), at_once=(0.17, 0.24), couples=(0.12, 0.2), house_builder=(0.4, 0.5)),
    "excerpt": replace(PLAIN, accounts=(3000, 4200), days=(45, 60), growth=(0.15, 0.25), at_once=(0.16, 0.25), whole_history=False, fee=(0.03, 0.06)),
}


def drawn(kind: str, seed: int) -> World:
    """The world of a kind and a seed; a seed of tuning makes no held-out world, nor the other way."""
    if (kind in HELD_OUT) != (seed >= FIRST_HELD_OUT):
        raise ValueError(f"{kind} and seed {seed}: seeds below {FIRST_HELD_OUT} are for tuning, the others for worlds that are held out")
    terms = HELD_OUT[kind] if kind in HELD_OUT else TUNING[kind]
    random = Random(f"terms {kind} {seed}")
    ranges = {field.name: getattr(terms, field.name) for field in fields(terms)}
    return World(kind, seed, terms, {name: random.uniform(*ends) for name, ends in ranges.items() if isinstance(ends, tuple)})
