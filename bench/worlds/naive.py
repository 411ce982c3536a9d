"""The rules that anybody would write first, to be measured beside the detectors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from .judging import Found
from .places import DAY
from .trade import FAST, Row

WEEK = 7 * DAY
MANY = 3


def shared_address(rows: list[Row], *, most: int | None = None) -> list[Found]:
    """Three accounts or more on one address within seven days, one incident an address: everybody who was there in such a week."""
    seen: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in rows:
        if row.event == "sign_in" and row.ip:
            seen[row.ip].append((row.at, row.actor))
    found = []
    for visits in seen.values():
        members: set[str] = set()
        for week in _weeks(visits):
            if len(week) >= MANY and (most is None or len(week) <= most):
                members |= week
        if members:
            found.append(Found(frozenset(members)))
    return found


def _weeks(visits: list[tuple[float, str]]) -> Iterator[set[str]]:
    """Who was there in the week before each visit."""
    first, here = 0, defaultdict[str, int](int)
    for at, who in visits:
        here[who] += 1
        while visits[first][0] < at - WEEK:
            here[visits[first][1]] -= 1
            if not here[visits[first][1]]:
                del here[visits[first][1]]
            first += 1
        yield set(here)


def few_on_address(rows: list[Row]) -> list[Found]:
    return shared_address(rows, most=10)


def any_value(rows: list[Row]) -> list[Found]:
    """Whoever shares anything is one."""
    return _components((value, row.actor) for row in rows for value in _values(row))


def strong_values(rows: list[Row]) -> list[Found]:
    """Whoever shares a device mark, a wallet or a card is one."""
    return _components((value, row.actor) for row in rows for value in _values(row) if value[0] not in ("address", "print"))


def _values(row: Row) -> Iterator[tuple[str, str]]:
    if row.event == "sign_in":
        yield "address", ip_address(row.ip).exploded[:19] if ":" in row.ip else row.ip
        yield "device", row.device
        yield "print", row.meta["fingerprint"]
    elif row.event == "payout_address_added":
        yield "wallet", row.meta["address_hash"]
    elif row.event == "payment_method_added":
        yield "card", row.meta["card_fingerprint"]


def _components(seen: Iterable[tuple[tuple[str, str], str]]) -> list[Found]:
    """Accounts that hang together over values, when there are three or more."""
    parent: dict[object, object] = {}

    def root(thing: object) -> object:
        while (above := parent.setdefault(thing, thing)) != thing:
            parent[thing] = thing = parent[above]
        return thing

    accounts = set()
    for value, account in seen:
        accounts.add(account)
        parent[root(value)] = root(account)
    together = defaultdict(set)
    for account in accounts:
        together[root(account)].add(account)
    return [Found(frozenset(members)) for members in together.values() if len(members) >= MANY]


def joined_orders(rows: list[Row]) -> list[str]:
    """The withdrawal joined with each order of the builder before it, when any money of theirs came within the hour: as many rows as orders."""
    return [key for key, orders in _withdrawals(rows) for _ in range(orders)]


def money_within_hour(rows: list[Row]) -> list[str]:
    """A withdrawal with any money that came within the hour before, once."""
    return [key for key, _ in _withdrawals(rows)]


def _withdrawals(rows: list[Row]) -> Iterator[tuple[str, int]]:
    came: dict[str, float] = {}
    orders: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.event == "order_paid":
            orders[row.meta["builder_id"]] += 1
        elif row.event == "escrow_release":
            came[row.target] = row.at
        elif row.event == "withdrawal" and row.at - came.get(row.actor, float("-inf")) <= FAST:
            yield row.target, orders[row.actor]


def dealt_at_one_address(rows: list[Row]) -> list[frozenset[str]]:
    """Client and builder who were ever seen at one address, once a pair."""
    seen: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.ip:
            seen[row.actor].add(row.ip)
    pairs = {(row.actor, row.meta["builder_id"]) for row in rows if row.event == "order_paid"}
    return sorted({frozenset(pair) for pair in pairs if seen[pair[0]] & seen[pair[1]]}, key=sorted)


# Of what is wrong in other ways: a day's or a month's count, as anybody would write it first


def grown_orders(rows: list[Row]) -> list[frozenset[str]]:
    """Orders to which more was added than they cost."""
    added: dict[str, float] = defaultdict(float)
    about: dict[str, Row] = {}
    for row in rows:
        if row.event == "amendment_completed":
            added[row.meta["order"]] += float(row.amount)
            about[row.meta["order"]] = row
    over = [about[order] for order, much in added.items() if much > float(about[order].meta["original_amount"])]
    return [frozenset((row.meta["client"], row.meta["builder"])) for row in over]


def twice_wrong(rows: list[Row]) -> list[frozenset[str]]:
    """Clients with two disputes or refunds."""
    count = Counter(row.meta["client_id"] for row in rows if row.event in ("dispute_opened", "refund"))
    return [frozenset([who]) for who, times in count.items() if times > 1]


def five_failures(rows: list[Row]) -> list[frozenset[str]]:
    """Five failed sign-ins from one address within the hour."""
    tried: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row in rows:
        if row.event == "sign_in_failed":
            tried[row.ip, int(row.at // 3600)].append(row.target)
    return [frozenset(people) for people in tried.values() if len(people) >= 5]


def changed_and_withdrawn(rows: list[Row]) -> list[frozenset[str]]:
    """A withdrawal within three days after the password or the payout address was changed."""
    changed: dict[str, float] = {}
    found = []
    for row in rows:
        if row.event in ("password_changed", "second_factor_changed", "payout_address_added"):
            changed[row.actor] = row.at
        elif row.event == "withdrawal" and row.at - changed.get(row.actor, float("-inf")) < 3 * DAY:
            found.append(frozenset([row.actor]))
    return found


def busy_agents(rows: list[Row]) -> list[frozenset[str]]:
    """Twice as much of anything in a day as agents do on average."""
    done = Counter((row.actor, row.event, int(row.at // DAY)) for row in rows if row.actor_type == "admin")
    events = {event for _, event, _ in done}
    usual = {event: sum(n for (_, one, _), n in done.items() if one == event) / sum(one == event for _, one, _ in done) for event in events}
    return [frozenset([agent]) for agent, day in sorted({(agent, day) for (agent, event, day), n in done.items() if n > 2 * usual[event]})]


def refused_thrice(rows: list[Row]) -> list[frozenset[str]]:
    """Three refused payments of one person in a day."""
    count = Counter((row.actor, int(row.at // DAY)) for row in rows if row.event == "payment_failed")
    return [frozenset([who]) for (who, _), times in count.items() if times >= 3]


def one_wallet(rows: list[Row]) -> list[frozenset[str]]:
    """Two accounts and more at one payout address."""
    people: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.event == "payout_address_added":
            people[row.meta["address_hash"]].add(row.actor)
    return [frozenset(some) for some in people.values() if len(some) > 1]


DEEDS: dict[str, Callable[[list[Row]], list[frozenset[str]]]] = {
    "amendment_abuse": grown_orders,
    "refunds_and_disputes": twice_wrong,
    "sign_in_bursts": five_failures,
    "account_takeover": changed_and_withdrawn,
    "staff_misuse": busy_agents,
    "card_testing": refused_thrice,
    "payout_fan_in": one_wallet,
}
GROUPS: dict[str, Callable[[list[Row]], list[Found]]] = {
    "naive: 3+ accounts, an address, 7 days": shared_address,
    "naive, at most 10 of them": few_on_address,
    "any shared value": any_value,
    "device, wallet or card, unweighted": strong_values,
}
WITHDRAWALS: dict[str, Callable[[list[Row]], list[str]]] = {
    "naive: joined with orders": joined_orders,
    "naive: money within the hour": money_within_hour,
}
