"""The rules of escrow in plain Python: sums of cents, and the words for what is not allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

from .chain import HOLD_GRACE, MAX_LIFE

BPS = 10_000
MOST_BPS = 3_000


@dataclass
class Row:
    """One order, in cents."""

    client: str
    builder: str
    bps: int
    expiry: int
    born: int
    locked: int = 0
    lent: int = 0
    funded: int = 0
    released: int = 0
    refunded: int = 0
    hold: bool = False


@dataclass
class Plain:
    """What is locked for whom, and what each may take out. `moment` counts seconds."""

    moment: int
    platform: str = "platform"
    rows: dict[int, Row] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    fees: int = 0

    # Why not: all the reasons there are, in the words of the contract. Nothing when it is allowed.
    def why_not(self, kind: str, order: int, amount: int, *, ruling: bool = False, target: int = -1, expiry: int = 0) -> set[str]:
        row = self.rows.get(order)
        why = set()
        if kind == "open":
            if row is not None:
                why.add("exists")
            if expiry <= self.moment:
                why.add("expiry")
            return why
        if row is None:
            why.add("no order")
        if kind == "extend":
            if row is not None:
                why |= {"role"} if row.hold else set()
                why |= {"expiry"} if expiry <= row.expiry else set()
                why |= {"life"} if expiry > row.born + MAX_LIFE else set()
            return why
        if kind == "hold":
            return why
        if amount == 0:
            why.add("zero")
        if kind == "amend":
            return why | ({"hold"} if row is not None and row.hold else set())
        if row is not None:
            why |= {"role"} if row.hold and not ruling else set()
            why |= {"locked"} if amount > row.locked else set()
        if kind == "move":
            why |= self._why_not_there(row, order, target, ruling)
        return why

    def _why_not_there(self, row: Row | None, order: int, target: int, ruling: bool) -> set[str]:
        there = self.rows.get(target)
        if order == target:
            return {"same order"}
        if row is None or there is None:
            return {"no order"}
        why = set()
        if there.hold and not ruling:
            why.add("role")
        if there.client != row.client:
            why.add("client")
        if there.builder != row.builder and not ruling:
            why.add("role")
        if there.expiry > row.born + MAX_LIFE:
            why.add("life")
        return why

    def open(self, order: int, client: str, builder: str, amount: int, lent: int, bps: int, expiry: int) -> None:
        self.rows[order] = Row(client, builder, bps, expiry, self.moment)
        self.amend(order, amount, lent)

    def amend(self, order: int, amount: int, lent: int) -> None:
        row = self.rows[order]
        row.locked += amount
        row.funded += amount
        row.lent += lent

    def _unlock(self, row: Row, amount: int, back: int) -> None:
        assert 0 <= back <= min(row.lent, amount), "no more goes back than was lent"
        row.locked -= amount
        row.lent = min(row.lent - back, row.locked)

    def release(self, order: int, amount: int, back: int) -> None:
        row = self.rows[order]
        self._unlock(row, amount, back)
        row.released += amount
        fee = amount * row.bps // BPS
        assert amount - fee - back >= 0
        self.fees += fee
        self._credit(row.builder, amount - fee - back)
        self._credit(self.platform, fee + back)

    def refund(self, order: int, amount: int, back: int) -> None:
        row = self.rows[order]
        self._unlock(row, amount, back)
        row.refunded += amount
        self._credit(row.client, amount - back)
        self._credit(self.platform, back)

    def move(self, order: int, target: int, amount: int, lent: int) -> None:
        row, there = self.rows[order], self.rows[target]
        self._unlock(row, amount, lent)
        row.funded -= amount
        self.amend(target, amount, lent)
        there.born = min(row.born, there.born)

    def withdraw(self, account: str, amount: int) -> None:
        self.claims[account] -= amount
        self.taken[account] = self.taken.get(account, 0) + amount

    def _credit(self, account: str, amount: int) -> None:
        self.claims[account] = self.claims.get(account, 0) + amount

    @property
    def locked(self) -> int:
        return sum(row.locked for row in self.rows.values())

    @property
    def claimed(self) -> int:
        return sum(self.claims.values())

    @property
    def last_exit(self) -> int:
        """From then on every client can reclaim."""
        return max((row.expiry + (HOLD_GRACE if row.hold else 0) for row in self.rows.values()), default=self.moment)
