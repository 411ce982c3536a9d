"""Anything in any order: crashes, lost transactions, reorganisations, jumps of the fee, strangers with our key, nodes that lie.

`./run test tests/chain` plays one game, `FAULTS=all ./run test tests/chain/test_chaos.py` many; the number of a game that fails is
in the name of its test, and it plays the same again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from port444.kit.clock import now
from port444.payments.escrow import Deal, current
from port444.payments.escrow.chain import engine
from port444.payments.escrow.chain.client import Unreachable
from port444.payments.escrow.chain.contract import order_key, to_units
from port444.payments.models import ChainSigner, EscrowOperation, EscrowStatus, JournalEntry
from tests.conftest import assert_books_balance

from .rig import Crash, Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

ALL = os.environ.get("FAULTS") == "all"
GAMES = range(int(os.environ.get("GAMES", "12")) if ALL else 1)
TURNS = 120 if ALL else 40
POINTS = ["preflighted", "signed", "sending", "sent", "recorded", "mined", "confirming", "confirmed"]
S = EscrowStatus


class Game:
    def __init__(self, rig: Rig, number: int, monkeypatch: Any) -> None:
        self.rig, self.monkeypatch, self.chance = rig, monkeypatch, random.Random(number)
        self.deals: list[Deal] = [rig.deal, rig.new_deal(Decimal("300.00")), rig.new_deal(Decimal("200.00"))]
        self.asked = 0
        self.mining = True
        self.later = 0

    def play(self, turns: int) -> None:
        moves: list[Callable[[], None]] = [
            *[self.ask] * 4,
            *[self.work] * 8,
            *[self.mine] * 3,
            self.crash,
            self.crash,
            self.drop,
            self.reorganise,
            self.jump,
            self.stranger,
            self.lose_nonce,
            self.stop_mining,
            self.break_node,
            self.close_and_open,
            self.restart,
        ]
        for _ in range(turns):
            self.chance.choice(moves)()

    def ask(self) -> None:
        deal = self.chance.choice(self.deals)
        self.asked += 1
        key, cents = f"op:{self.asked}", Decimal(self.chance.randrange(1, 2000)) / 100
        escrow = current()
        if self.chance.random() < 0.5:
            escrow.amend(deal, cents, key)
        elif escrow.position(deal).locked > cents:
            self.chance.choice([escrow.release, escrow.refund])(deal, cents, key)

    def work(self) -> None:
        EscrowOperation.objects.open().update(next_try_at=now())
        engine.tick(self.rig.chain)

    def mine(self) -> None:
        self.rig.mine(self.chance.randrange(1, 4))

    def crash(self) -> None:
        point = self.chance.choice(POINTS)
        passes = self.chance.randrange(3)

        def reached(here: str) -> None:
            nonlocal passes
            if here == point:
                passes -= 1
                if passes < 0:
                    raise Crash(here)

        self.monkeypatch.setattr(engine, "reached", reached)
        try:
            self.work()
        except Crash:
            self.rig.restart()
        finally:
            self.monkeypatch.setattr(engine, "reached", lambda here: None)

    def restart(self) -> None:
        self.rig.restart()

    def drop(self) -> None:
        flying = EscrowOperation.objects.filter(status__in=[S.SIGNED, S.SENT]).first()
        if flying is not None and (attempt := flying.attempts.order_by("-nonce", "-max_fee").first()) is not None:
            self.rig.rpc("anvil_dropTransaction", attempt.tx_hash)

    def reorganise(self) -> None:
        self.rig.mine()
        self.rig.rpc("anvil_reorg", self.chance.randrange(1, 7), [])

    def jump(self) -> None:
        """Time passes without a block: everything that is on its way is stuck."""
        with self.rig.no_mining():
            for op_id in EscrowOperation.objects.filter(status=S.SENT).values_list("pk", flat=True)[:3]:
                self.rig.step(op_id, later=60)
        self.resume()

    def stranger(self) -> None:
        """Someone else uses the operator's key."""
        self.rig.w3.eth.send_transaction({"from": self.rig.operator, "to": self.rig.operator, "value": 0, "gas": 21_000})

    def lose_nonce(self) -> None:
        ChainSigner.objects.update(next_nonce=F("next_nonce") + 1)

    def stop_mining(self) -> None:
        self.mining = not self.mining
        self.resume()

    def resume(self) -> None:
        self.rig.rpc("evm_setAutomine", self.mining)

    def break_node(self) -> None:
        """Transactions arrive, and the answers do not."""
        chain, true = self.rig.chain, type(self.rig.chain).batch
        with self.instead(chain, lambda requests: true(chain, requests)), suppress(Unreachable):
            self.work()

    @contextmanager
    def instead(self, chain: Any, ask: Callable[[Any], list[Any]]) -> Iterator[None]:
        def batch(requests: Any) -> list[Any]:
            answers = ask(requests)
            if any(method == "eth_sendRawTransaction" for method, _ in requests) or self.chance.random() < 0.1:
                raise Unreachable("cut off")
            return answers

        self.monkeypatch.setattr(chain, "batch", batch)
        try:
            yield
        finally:
            self.monkeypatch.delattr(chain, "batch")

    def close_and_open(self) -> None:
        """The token is paused for a round."""
        tokens = self.rig.token.functions
        for paused in (True, False):
            tokens.setPaused(paused).transact({"from": self.rig.admin, "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**11, "gas": 100_000})
            self.rig.mine()
            if paused:
                self.work()

    def end(self) -> None:
        self.mining = True
        self.resume()
        self.rig.restart()
        for _ in range(60):
            self.rig.mine()
            self.work()
            waiting = EscrowOperation.objects.open()
            if not waiting.exists() and self.all_there():
                break

    def all_there(self) -> bool:
        return all(self.units(deal) == to_units(current().position(deal).locked) for deal in self.deals)

    def units(self, deal: Deal) -> int:
        return int(self.rig.escrow.functions.orders(order_key(deal.id)).call()[2])


@pytest.mark.parametrize("number", GAMES)
def test_whatever_happens_everything_is_done_once(rig: Rig, number: int, monkeypatch: Any) -> None:
    game = Game(rig, number, monkeypatch)
    game.play(TURNS)
    game.end()
    assert game.asked
    states = list(EscrowOperation.objects.exclude(status=S.CONFIRMED).values_list("op_id", "status", "reason"))
    assert states == []
    for deal in game.deals:
        position = current().position(deal)
        locked, _, funded, released, refunded = rig.escrow.functions.orders(order_key(deal.id)).call()[2:7]
        assert [locked, funded, released, refunded] == [
            to_units(each) for each in (position.locked, position.funded, position.released, position.refunded)
        ]
    booked = JournalEntry.objects.filter(key__startswith="escrow:").count()
    assert booked == EscrowOperation.objects.count()
    pool = rig.token.functions.balanceOf(rig.escrow.address).call()
    assert pool == rig.escrow.functions.totalLocked().call() + rig.escrow.functions.totalClaimable().call()
    assert_books_balance()
