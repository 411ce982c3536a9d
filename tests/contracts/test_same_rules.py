"""Three escrows, one set of rules: the ledger, the contract behind its books, and plain sums.

Whatever is asked in whatever order, all three take it or all three refuse it, for the same reason, and hold the same amounts to
the cent. What goes to the contract is what the worker would send: `calls.call_of` of the operation that `Web3Escrow` wrote; and
what comes back is booked as the worker would book it: after its event was recognised, by `books.confirm`.

`./run test` tries some two hundred steps, the same each time; `RULES=all ./run test tests/contracts` three thousand, others each
time, and more mutants.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, note
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from contracts import compile as maker
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.payments import credits, escrow, ledger
from port444.payments.actions import Grant, issue_credit
from port444.payments.escrow import Deal, Lent, books, web3
from port444.payments.escrow.chain import calls, client, signer
from port444.payments.escrow.chain.contract import from_units, order_key
from port444.payments.models import (
    CreditSource,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceStatus,
)
from tests.conftest import assert_books_balance

from .chain import CENT, DAY, GAS, MAX_LIFE, Chain, key
from .model import Plain

ALL = os.environ.get("RULES") == "all"
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(7200 if ALL else 300)]

DEALS = [("ann", "bea"), ("ann", "bea"), ("ann", "ben"), ("abe", "bea")]  # who buys from whom
SHARES = (0, 0, 5, 30, 70)  # percent that credits lend
DAYS = (-1, 30, 90, 400, 900)
WEIGHTS = {
    "open": 2, "amend": 5, "release": 5, "refund": 4, "move": 5, "extend": 2, "hold": 1, "unhold": 2,
    "wait": 1, "again": 2, "withdraw": 3, "pay": 1,
}  # fmt: skip
PURPOSE = "test"
FUNDS = Decimal("9000000.00")

# What the books answer for what the contract answers.
CODES = {
    "exists": {"escrow_open"},
    "no order": {"escrow_empty"},
    "zero": {"amount_zero"},
    "hold": {"escrow_held"},
    "role": {"escrow_held", "escrow_parties"},
    "locked": {"escrow_short"},
    "client": {"escrow_parties"},
    "expiry": {"escrow_expiry"},
    "life": {"escrow_life"},
    "same order": {"escrow_same"},
}


def money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


class InProcess(client.Chain):
    """The worker's view of a chain, without a node."""

    def __init__(self, chain: Chain) -> None:
        self.w3, self.escrow, self.token = chain.w3, chain.escrow, chain.usdc
        self.chain_id = chain.w3.eth.chain_id
        self._operator = chain.operator

    @property
    def operator(self) -> str:
        return self._operator


@dataclass
class Asked:
    """Something that all three took: for asking it again."""

    ledger_key: str
    chain_key: str
    kind: str
    again: Callable[[str, str, int], None]  # asks the books once more: under these keys, with that many cents more
    call: calls.Call


class World:
    """The chain, the people and their deals: twice, once in the ledger and once on the chain."""

    def __init__(self, chain: Chain, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chain = chain
        self.node = InProcess(chain)
        settings.CHAIN_ID, settings.ESCROW_ADDRESS = self.node.chain_id, chain.escrow.address
        settings.USDC_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS, settings.CHAIN_TREASURY_ADDRESS = chain.usdc.address, chain.platform, chain.operator
        self.account = {"ann": chain.client, "abe": chain.other_client, "bea": chain.builder, "ben": chain.other_builder, "platform": chain.platform}
        self.users = {(name, side): self._user(name, side) for name in ("ann", "abe", "bea", "ben") for side in ("ledger", "chain")}
        addresses = {user: self.account[name] for (name, _), user in self.users.items()}
        self.parties: dict[UUID, dict[str, str]] = {}
        monkeypatch.setattr(web3, "parties", lambda deal_id, builder_id: self.parties[deal_id])
        self.addresses = addresses

    def _user(self, name: str, side: str) -> UUID:
        user = User.objects.create(email=f"{name}.{side}@example.com", name=f"{name} {side}")
        if name.startswith("a"):
            ledger.post(f"fund:{name}:{side}", "In", [(ledger.EXTERNAL, -FUNDS), (ledger.client(user.pk), FUNDS)])
        return user.pk

    def deals(self) -> dict[str, list[Deal]]:
        made: dict[str, list[Deal]] = {"ledger": [], "chain": []}
        for side, found in made.items():
            for buyer, seller in DEALS:
                deal = Deal(PURPOSE, uuid7(), self.users[buyer, side], self.users[seller, side])
                self.parties[deal.id] = {"client": self.account[buyer], "builder": self.account[seller]}
                found.append(deal)
        return made


class Rules(RuleBasedStateMachine):
    """What is asked of one escrow is asked of all three."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        self.chain = world.chain
        self.snapshot = self.chain.w3.provider.ethereum_tester.take_snapshot()
        self.savepoint = transaction.savepoint_create()
        self.deals = world.deals()
        self.started = self.moment = self.chain.now
        self.plain = Plain(self.moment)
        self.number = 0
        self.asked: list[Asked] = []
        self.floated = 0

    # ------------------------------------------------------------ the three, asked at once
    def ask(self, kind: str, deal: int, cents: int, *, ruling: bool = False, target: int = -1, expiry: int = 0, lent: tuple[int, int] = (0, 0),
            bps: int = 0, on: bool = False, sub_cent: bool = False) -> None:  # fmt: skip
        """Ask all three; `lent` is what credits lend (prepaid, gift)."""
        self.number += 1
        why = self.plain.why_not(kind, deal, cents, ruling=ruling, target=target, expiry=expiry)
        if sub_cent:
            why.add("cents")
        amount = money(cents) + (Decimal("0.001") if sub_cent else 0)

        def books_of(side: str, op_key: str, *, more: int = 0) -> EscrowOperation:
            backend = escrow.LedgerEscrow() if side == "ledger" else escrow.Web3Escrow()
            one, sum_ = self.deals[side][deal], amount + money(more)
            with clock.at(datetime.fromtimestamp(self.moment, UTC)), transaction.atomic():
                until = datetime.fromtimestamp(expiry, UTC)
                if kind == "open":
                    return backend.open(one, sum_, bps, op_key, expiry=until, lent=Lent(money(lent[0]), money(lent[1])))
                if kind == "amend":
                    return backend.amend(one, sum_, op_key, lent=Lent(money(lent[0]), money(lent[1])))
                if kind == "release":
                    return backend.release(one, sum_, op_key, ruling=ruling)
                if kind == "refund":
                    return backend.refund(one, sum_, op_key, ruling=ruling)
                if kind == "move":
                    return backend.move(one, self.deals[side][target], sum_, op_key, ruling=ruling)
                if kind == "extend":
                    return backend.extend(one, until, op_key)
                return backend.hold(one, on != bool(more), op_key)

        keys = {side: f"{side}:{self.number}" for side in self.deals}
        if why:
            codes = set().union(*(CODES.get(word, set()) for word in why)) | ({"amount_places"} if sub_cent else set())
            for side, op_key in keys.items():
                with pytest.raises((DomainError, ValueError)) as refused:
                    books_of(side, op_key)
                assert not isinstance(refused.value, DomainError) or refused.value.code in codes, (refused.value, why)
                assert not EscrowOperation.objects.filter(op_id=op_key).exists()
            assert self.refusal_of(kind, deal, amount, ruling=ruling, target=target, expiry=expiry, lent=lent, bps=bps, on=on) in why
            return

        done = {}
        for side, op_key in keys.items():
            if sum(lent):
                self.lend(side, deal, lent)
            done[side] = books_of(side, op_key)
        there, here = done["chain"], done["ledger"]
        assert here.status == EscrowStatus.CONFIRMED
        assert there.status == EscrowStatus.QUEUED
        assert (here.prepaid, here.gift) == (there.prepaid, there.gift)
        call = self.carry_out(there)
        prepaid, gift = int(there.prepaid * 100), int(there.gift * 100)
        if kind == "open":
            buyer, seller = DEALS[deal]
            self.plain.open(deal, buyer, seller, cents, sum(lent), bps, expiry)
        elif kind == "amend":
            self.plain.amend(deal, cents, sum(lent))
        elif kind == "release":
            self.plain.release(deal, cents, prepaid)
        elif kind == "refund":
            self.plain.refund(deal, cents, prepaid + gift)
        elif kind == "move":
            self.plain.move(deal, target, cents, prepaid + gift)
        elif kind == "extend":
            self.plain.rows[deal].expiry = expiry
        else:
            self.plain.rows[deal].hold = on

        def again(ledger_key: str, chain_key: str, more: int) -> None:
            books_of("ledger", ledger_key, more=more)
            books_of("chain", chain_key, more=more)

        self.asked.append(Asked(keys["ledger"], keys["chain"], kind, again, call))
        self.compare(deal, target)

    def carry_out(self, operation: EscrowOperation) -> calls.Call:
        """What the worker does with an operation, on a chain that mines at once."""
        call = calls.call_of(self.world.node, operation)
        receipt = self.send(call)
        assert receipt.status == 1, self.refused(call)
        assert calls.proven(self.world.node, operation, call, [as_a_node_writes(log) for log in receipt.logs])
        with clock.at(datetime.fromtimestamp(self.moment, UTC)):
            books.confirm(operation.op_id, tx_hash=receipt.transactionHash.to_0x_hex(), block_number=receipt.blockNumber)
        return call

    def sender(self, role: str) -> str:
        return self.chain.arbiter if role == signer.ARBITER else self.chain.operator

    def send(self, call: calls.Call) -> Any:
        sent = {"from": self.sender(call.role), "to": call.to, "data": call.data, "gas": GAS}
        return self.chain.w3.eth.wait_for_transaction_receipt(self.chain.w3.eth.send_transaction(sent))

    def refused(self, call: calls.Call) -> str:
        return self.chain.refusal(_Raw(self.chain, call.to, call.data), self.sender(call.role))

    def refusal_of(self, kind: str, deal: int, amount: Decimal, *, ruling: bool, target: int, expiry: int, lent: tuple[int, int], bps: int,
                   on: bool) -> str:  # fmt: skip
        """What the contract says to what the books refuse."""
        orders = [order_key(one.id) for one in self.deals["chain"]]
        number, units, op = orders[deal], int(amount.scaleb(6)), key(f"refused {self.number}")
        given = sum(lent) * CENT
        do = self.chain.do
        buyer, seller = (self.world.account[name] for name in DEALS[deal])
        call = {
            "open": lambda: do.createEscrow(number, buyer, seller, units, given, bps, max(expiry, 0), op),
            "amend": lambda: do.amendEscrow(number, units, given, op),
            "release": lambda: do.release(number, units, 0, op),
            "refund": lambda: do.refund(number, units, 0, op),
            "move": lambda: do.moveEscrow(number, orders[target], units, 0, op),
            "extend": lambda: do.extendExpiry(number, max(expiry, 0), op),
            "hold": lambda: do.setHold(number, on, op),
        }[kind]()
        return self.chain.refusal(call, self.chain.arbiter if ruling or kind == "hold" else self.chain.operator)

    def lend(self, side: str, deal: int, lent: tuple[int, int]) -> None:
        """What settling an invoice does with credits, for one that credits pay whole."""
        self.lent_notes = getattr(self, "lent_notes", 0) + 1
        one, whole = self.deals[side][deal], money(sum(lent))
        at = datetime.fromtimestamp(self.moment, UTC)
        invoice = Invoice.objects.create(
            number=f"T-{side}-{self.lent_notes}",
            purpose=PURPOSE,
            subject_id=uuid7(),
            deal_id=one.id,
            payer_id=one.client_id,
            payee_id=one.builder_id,
            status=InvoiceStatus.PAID,
            subtotal=whole,
            credit=whole,
            prepaid=money(lent[0]),
            total=0,
            payer_name="A",
            return_url="/",
            paid_at=at,
        )
        for cents, source in zip(lent, (CreditSource.CONSULTATION, CreditSource.PROMO), strict=True):
            if cents:
                credit = issue_credit(User.objects.get(pk=one.client_id), Grant(money(cents), source, "Credit"), actor=None)
                credits.use(invoice, [(credit, money(cents))], at, None)
        credits.spend(invoice, at)
        ledger.post(f"lent:{invoice.pk}", "Lent", [(ledger.CREDITS, -whole), (ledger.client(one.client_id), whole)])

    # ------------------------------------------------------------ what can happen
    # Hypothesis draws a number a step, and the step is drawn from that: drawn from strategies, half of the amounts would be nothing
    # and half of the rules left out, which takes far more steps than there is time for.
    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """Three of the deals are open from the start, or too little would happen."""
        drawn = Random(seed)
        for deal, days in ((0, 30), (1, 400), (2, 900)):
            self.open(deal, drawn.randint(1, 60_000), drawn.choice(SHARES), drawn.choice((1, 333, 1000)), days)

    @rule(seed=st.integers(0, 2**32))
    def step(self, seed: int) -> None:
        drawn = Random(f"{seed} {self.number}")
        kind = drawn.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        deal = drawn.choices((0, 1, 2, 3), (5, 5, 3, 1))[0]
        row = self.plain.rows.get(deal)
        # Most are near an edge: nothing, a cent, tenths, all, a cent too much.
        part = portion(row.locked if row else 500, drawn.choices(range(-1, 13), (1, 2, 1, *[2] * 8, 1, 3, 2))[0])
        ruling, sub_cent = drawn.random() < 0.4, drawn.random() < 0.04
        note(f"{kind} {deal}, {part} cents{' by a ruling' if ruling else ''}{' and a tenth' if sub_cent else ''}")
        if kind == "open":
            self.open(deal, drawn.randint(0, 60_000), drawn.choice(SHARES), drawn.choice((0, 1, 333, 1000, 3000)), drawn.choice(DAYS))
        elif kind == "amend":
            cents = drawn.choice((0, 1, drawn.randint(1, 500), drawn.randint(1, 40_000)))
            self.ask(kind, deal, cents, lent=lending(cents, drawn.choice(SHARES), row.bps if row else 0), sub_cent=sub_cent)
        elif kind in ("release", "refund"):
            self.ask(kind, deal, part, ruling=ruling, sub_cent=sub_cent)
        elif kind == "move":
            self.ask(kind, deal, part, target=drawn.choice((0, 1, 1, 2, 3)), ruling=ruling)
        elif kind == "extend":
            until = self.moment + drawn.choice(DAYS) * DAY + DAY // 2
            self.ask(kind, deal, 0, expiry=min(until, row.born + MAX_LIFE) if row else until)
        elif kind in ("hold", "unhold"):
            self.ask("hold", deal, 0, on=kind == "hold")
        elif kind == "wait":
            self.wait(drawn.choice((1, 20, 200)))
        elif kind == "again":
            self.ask_again(drawn.choice(self.asked), drawn.choice((0, 0, 1)))
        elif kind == "withdraw":
            self.withdraw(drawn.choice(list(self.world.account)), drawn.choice((0, 3, 5, 11, 11, 12)))
        else:
            self.pay(drawn.randint(1, 10_000))

    def open(self, deal: int, cents: int, share: int, bps: int, days: int) -> None:
        until = min(self.moment + days * DAY + DAY // 2, self.moment + MAX_LIFE)  # the books never ask for more
        self.ask("open", deal, cents, lent=lending(cents, share, bps), bps=bps, expiry=until)

    def wait(self, days: int) -> None:
        self.number += 1
        self.moment += days * DAY
        self.plain.moment = self.moment
        self.chain.travel(self.chain.now + days * DAY)

    def ask_again(self, before: Asked, more: int) -> None:
        """The same once more, or something else under the same key: nothing happens a second time."""
        self.number += 1
        count = EscrowOperation.objects.count()
        if more and before.kind != "extend":  # of an extension the first date counts
            with pytest.raises((ValueError, DomainError)):
                before.again(before.ledger_key, before.chain_key, more)
        else:
            before.again(before.ledger_key, before.chain_key, 0)
        assert EscrowOperation.objects.count() == count
        stands = self.chain.locked, self.chain.owed
        assert self.send(before.call).status == 0  # the worker's transaction, mined twice
        assert (self.chain.locked, self.chain.owed) == stands

    def withdraw(self, who: str, part: int) -> None:
        self.number += 1
        claim = self.plain.claims.get(who, 0)
        cents = portion(claim, part)
        if cents == 0:
            return
        with clock.at(datetime.fromtimestamp(self.moment, UTC)):
            owner = self.world.users.get((who, "chain")) if who.startswith("b") else None
            asked = web3.withdraw("payout", uuid7(), self.world.account[who], money(cents), f"payout:{self.number}", builder_id=owner)
            asked.refresh_from_db()
        if cents > claim:
            assert self.refused(calls.call_of(self.world.node, asked)) == "claimable"
            books.cancel(asked.op_id)
            return
        call = self.carry_out(asked)
        self.plain.withdraw(who, cents)
        assert self.send(call).status == 0
        assert self.chain.balance(self.world.account[who]) == self.plain.taken[who] * CENT

    def pay(self, cents: int) -> None:
        """Out of the float: the pool does not notice."""
        self.number += 1
        with clock.at(datetime.fromtimestamp(self.moment, UTC)):
            asked = web3.pay("refund", uuid7(), self.chain.stranger, money(cents), f"pay:{self.number}")
            asked.refresh_from_db()
        call = self.carry_out(asked)
        assert self.send(call).status == 0
        self.floated += cents
        assert self.chain.balance(self.chain.stranger) == self.floated * CENT

    # ------------------------------------------------------------ what always holds
    def compare(self, *deals: int) -> None:
        """One order stands in all three as it does in the plain sums."""
        for deal in deals:
            row = self.plain.rows.get(deal)
            if row is None:
                continue
            there = self.chain.order(order_key(self.deals["chain"][deal].id))
            assert (there.locked, there.sponsored, there.funded, there.released, there.refunded, there.expiry, there.hold) == (
                row.locked * CENT, row.lent * CENT, row.funded * CENT, row.released * CENT, row.refunded * CENT, row.expiry, row.hold,
            )  # fmt: skip
            for side in ("ledger", "chain"):
                position = escrow.LedgerEscrow().position(self.deals[side][deal])
                assert (position.locked, position.funded, position.released, position.refunded) == tuple(
                    map(money, (row.locked, row.funded, row.released, row.refunded))
                )
                assert (position.held, position.settled, position.expiry) == (row.hold, True, datetime.fromtimestamp(row.expiry, UTC))
                assert money(0) <= position.lent <= money(row.lent)  # the contract would not let more go back
                assert ledger.balance("escrow", subject=self.deals[side][deal].id) == position.locked

    @invariant()
    def totals_agree(self) -> None:
        pool = (self.plain.locked + self.plain.claimed) * CENT
        assert (self.chain.locked, self.chain.owed) == (self.plain.locked * CENT, self.plain.claimed * CENT)
        assert self.chain.balance(self.chain.escrow.address) == pool

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self.check_all()
        finally:
            transaction.savepoint_rollback(self.savepoint)
            self.chain.w3.provider.ethereum_tester.revert_to_snapshot(self.snapshot)

    def check_all(self) -> None:
        """At the end: every account, to the cent; and everybody leaves without the platform."""
        self.compare(*self.plain.rows)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a commit would look at
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert_books_balance()
        for who, account in self.world.account.items():
            assert from_units(self.chain.claimable(account)) == money(self.plain.claims.get(who, 0))
            earned = money(self.plain.claims.get(who, 0) + self.plain.taken.get(who, 0))
            if who.startswith("b"):
                for side in ("ledger", "chain"):
                    assert ledger.balance("earnings", owner=self.world.users[who, side]) == earned
                left = money(self.plain.claims.get(who, 0))
                assert web3.claims(self.world.users[who, "chain"]) == ({account: left} if left else {})
            elif who.startswith("a"):
                mine = [row for row in self.plain.rows.values() if row.client == who]
                for side in ("ledger", "chain"):
                    user = self.world.users[who, side]
                    put_in = sum((one.amount - one.prepaid - one.gift for one in self.operations(user, "open", "amend")), Decimal(0))
                    assert ledger.balance("client", owner=user) == FUNDS - put_in + earned
                assert sum(row.funded for row in mine) == sum(row.locked + row.released + row.refunded for row in mine)
        assert ledger.balance("fees") == 2 * money(self.plain.fees)
        self.leave()

    def operations(self, user: UUID, *kinds: str) -> Any:
        return EscrowOperation.objects.filter(client_id=user, kind__in=[EscrowKind(kind) for kind in kinds], status=EscrowStatus.CONFIRMED)

    def leave(self) -> None:
        """With every expiry past and the platform paused for good, people take out all there is."""
        self.chain.send(self.chain.do.setPaused(True), self.chain.guardian)
        self.chain.travel(self.chain.now + DAY + max(0, self.plain.last_exit - self.moment))
        for deal, row in self.plain.rows.items():
            if row.locked:
                self.chain.send(self.chain.do.reclaim(order_key(self.deals["chain"][deal].id)), self.world.account[row.client])
        for account in self.world.account.values():
            claim = self.chain.claimable(account)
            if claim:
                self.chain.send(self.chain.do.withdrawOwn(claim), account)
        assert (self.chain.locked, self.chain.owed, self.chain.balance(self.chain.escrow.address)) == (0, 0, 0)


@dataclass
class _Raw:
    """A call that is already written down."""

    chain: Chain
    to: str
    data: str

    def call(self, options: dict[str, Any]) -> Any:
        return self.chain.w3.eth.call({**options, "to": self.to, "data": self.data})


def as_a_node_writes(log: Any) -> dict[str, Any]:
    hexes = {name: log[name].to_0x_hex() for name in ("data", "blockHash", "transactionHash")}
    numbers = {name: hex(log[name]) for name in ("blockNumber", "logIndex", "transactionIndex")}
    return {"address": log.address, "topics": [topic.to_0x_hex() for topic in log.topics], **hexes, **numbers}


def portion(whole: int, part: int) -> int:
    """Nothing (-1), one cent, tenths, all, or a cent more than all (12)."""
    return 0 if part < 0 else {0: 1, 11: whole, 12: whole + 1}.get(part, whole * part // 10)


def lending(cents: int, share: int, bps: int) -> tuple[int, int]:
    """What credits lend of an amount: half of it for calls, of which there is never more than the builder earns."""
    lent = cents * share // 100
    prepaid = min(lent // 2, cents - cents * bps // 10_000)
    return prepaid, lent - prepaid


def tried(machine: type[Rules], examples: int, steps: int, *, random: bool, shrink: bool = False) -> None:
    run_state_machine_as_test(
        machine,
        settings=how(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not random,
            database=None,
            phases=tuple(Phase) if shrink else (Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def make_world(chain: Chain, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Callable[..., type[Rules]]:
    """A machine of its own for a contract."""

    def make(contract: dict[str, Any] | None = None) -> type[Rules]:
        world = World(chain.settled(escrow=contract) if contract else chain, settings, monkeypatch)
        return type("RulesHere", (Rules,), {"world": world})

    return make


def test_ledger_contract_and_plain_sums_agree(make_world: Callable[..., type[Rules]]) -> None:
    tried(make_world(), *((60, 50) if ALL else (6, 30)), random=ALL, shrink=ALL)


MUTANTS = {
    "an id can be used again": ("    self.opUsed[opId] = True\n", ""),
    "the fee has parts of a cent": (" // BPS // CENT * CENT", " // BPS"),
    "the operator settles disputes": ("    if self.orders[orderId].hold:\n        self._only(Role.ARBITER)\n    else:\n", "    if True:\n"),
    "a release forgets what was lent": (
        "min(self.orders[orderId].sponsored - sponsored, self.orders[orderId].locked)",
        "self.orders[orderId].sponsored",
    ),
    "moved money is counted twice": ("    self.orders[fromOrder].funded -= amount\n", ""),
    "a refund costs a cent": ("    self._credit(client, amount - sponsorBack)\n", "    self._credit(client, amount - sponsorBack - CENT)\n"),
}


@pytest.mark.parametrize("name", MUTANTS if ALL else ["an id can be used again"])
def test_a_wrong_contract_is_found(make_world: Callable[..., type[Rules]], name: str) -> None:
    text, (right, wrong) = maker.source("OrderEscrow"), MUTANTS[name]
    assert text.count(right) == 1
    mutant = make_world(maker.compiled("OrderEscrow", text.replace(right, wrong)))
    with pytest.raises(AssertionError):
        tried(mutant, 60, 50, random=False)
