"""A deal on a chain of its own, and everything with which a test can do harm to it."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from django.conf import settings
from django.db import connection

from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments import ledger
from port444.payments.escrow import Deal, current
from port444.payments.escrow.chain import engine
from port444.payments.escrow.chain.client import Chain
from port444.payments.escrow.chain.contract import order_key, to_units
from port444.payments.models import EscrowAttempt, EscrowOperation, EscrowStatus, JournalEntry
from scripts import chain as local

X = Decimal("25.50")  # what every amendment of the tests adds
FIRST = Decimal("500.00")
ENDED = {EscrowStatus.CONFIRMED, EscrowStatus.FAILED, EscrowStatus.NEEDS_REVIEW, EscrowStatus.CANCELLED}


class Crash(BaseException):
    """The process ends here."""


class NoNetworkInside(Chain):
    """Refuses to ask the node while the worker has a transaction of the database open: its locks would be held for as long as the
    network likes. Some tests run inside a transaction of their own, which does not count."""

    def __init__(self, *arguments: Any) -> None:
        self.depth = depth()
        super().__init__(*arguments)

    def batch(self, requests: Any) -> list[Any]:
        assert depth() <= self.depth, "the network inside a transaction of the database"
        return super().batch(requests)


def depth() -> int:
    """How many transactions and savepoints of the database are open here."""
    return len(connection.savepoint_ids) + connection.in_atomic_block


class Rig:
    """One deal that is open with 500.00, a worker, and the node."""

    def __init__(self, url: str, client: User, builder: User) -> None:
        self.url, self.client, self.builder = url, client, builder
        self.chain = self.restart()
        self.w3, self.escrow, self.token = self.chain.w3, self.chain.escrow, self.chain.token
        self.operator: str = self.chain.operator
        self.admin: str = local.account_address(local.ADMIN)
        self.entries = 0

    def open(self, confirmations: int = 2) -> None:
        settings.CHAIN_CONFIRMATIONS = confirmations
        self.pay_in(Decimal("100000.00"))
        self.deal = self.new_deal()
        self.base = self.locked()

    def new_deal(self, amount: Decimal = FIRST) -> Deal:
        deal = Deal("test", uuid7(), self.client.pk, self.builder.pk)
        opening = current().open(deal, amount, 1000, f"{deal.id}:open", expiry=now() + timedelta(days=90))
        assert self.settle(opening.op_id) == EscrowStatus.CONFIRMED, self.get(opening.op_id).reason
        return deal

    def pay_in(self, amount: Decimal) -> None:
        self.entries += 1
        ledger.post(f"fund:{self.client.pk}:{self.entries}", "In", [(ledger.EXTERNAL, -amount), (ledger.client(self.client.pk), amount)])

    # The worker

    def restart(self, url: str = "") -> NoNetworkInside:
        """A new process: nothing is remembered but what the database holds."""
        self.chain = NoNetworkInside(url or self.url, settings.CHAIN_ID, settings.ESCROW_ADDRESS, settings.USDC_ADDRESS)
        return self.chain

    def amend(self, key: str, amount: Decimal = X) -> str:
        return current().amend(self.deal, amount, key).op_id

    def get(self, op_id: str) -> EscrowOperation:
        return EscrowOperation.objects.get(pk=op_id)

    def attempts(self, op_id: str) -> list[EscrowAttempt]:
        return list(EscrowAttempt.objects.filter(operation=op_id).order_by("nonce", "max_fee"))

    def step(self, op_id: str, later: int = 0) -> str:
        """One go, `later` seconds from now; whatever waits for another try is due."""
        EscrowOperation.objects.filter(pk=op_id).update(next_try_at=now() - timedelta(seconds=1))
        with clock.at(now() + timedelta(seconds=later)):
            engine.step(self.chain, op_id)
        return str(self.get(op_id).status)

    def settle(self, op_id: str, tries: int = 60) -> str:
        for _ in range(tries):
            if self.step(op_id) in ENDED:
                break
            self.mine()
        return str(self.get(op_id).status)

    def settle_all(self, tries: int = 120) -> None:
        for _ in range(tries):
            EscrowOperation.objects.open().update(next_try_at=now() - timedelta(seconds=1))
            engine.tick(self.chain)
            if not EscrowOperation.objects.open().exclude(status=EscrowStatus.NEEDS_REVIEW).exists():
                break
            self.mine()

    @contextmanager
    def crashing(self, point: str, monkeypatch: Any) -> Iterator[None]:
        """The process ends when it reaches `point`, and another starts."""

        def reached(here: str) -> None:
            if here == point:
                raise Crash(here)

        monkeypatch.setattr(engine, "reached", reached)
        try:
            yield
        except Crash:
            pass
        else:
            raise AssertionError(f"the worker never came to {point!r}")
        finally:
            monkeypatch.setattr(engine, "reached", lambda here: None)
            self.restart()

    # The node

    def rpc(self, method: str, *params: Any) -> Any:
        return local.ask(self.url, method, *params)

    def rpc_time(self) -> int:
        """The clock of the chain, in seconds since 1970."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    @contextmanager
    def no_mining(self) -> Iterator[None]:
        self.rpc("evm_setAutomine", False)
        try:
            yield
        finally:
            self.rpc("evm_setAutomine", True)

    def send(self, call: Any, sender: str = "", **options: Any) -> Any:
        """A call from an account of the node, in a block."""
        sent = call.transact({"from": sender or self.admin, **options})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, timeout=20, poll_latency=0.005)
        assert receipt.status == 1
        return receipt

    def receipt(self, tx_hash: str) -> Any:
        return self.rpc("eth_getTransactionReceipt", tx_hash)

    def allow(self, units: int = 2**255) -> None:
        self.send(self.token.functions.approve(self.escrow.address, units), self.operator)

    def nonce(self) -> int:
        return int(self.w3.eth.get_transaction_count(self.operator))

    def locked(self, deal: Deal | None = None) -> int:
        return int(self.escrow.functions.orders(order_key((deal or self.deal).id)).call()[2])

    # What has to be true

    def check(self, op_id: str, *, times: int = 1, attempts: int | None = 1, status: str = EscrowStatus.CONFIRMED) -> EscrowOperation:
        """The chain was moved so many times by what is asked, the books once if at all, and the pool holds what it owes."""
        op = self.get(op_id)
        assert op.status == status, (op.status, op.reason)
        locked = self.locked()
        assert locked - self.base == times * to_units(op.amount)
        self.base = locked
        booked = JournalEntry.objects.filter(key=f"escrow:{op_id}").count()
        assert booked == (1 if op.applied_at else 0)
        assert bool(op.applied_at) == (status == EscrowStatus.CONFIRMED)
        if attempts is not None:
            assert len(self.attempts(op_id)) == attempts
        pool = self.token.functions.balanceOf(self.escrow.address).call()
        assert pool == self.escrow.functions.totalLocked().call() + self.escrow.functions.totalClaimable().call()
        return op

    def by_hand(self, op_id: str, nonce: int, tip: int = 10**9) -> str:
        """What another worker with the same key and a database of its own would send for an operation."""
        op = self.get(op_id)
        data = self.escrow.encode_abi("amendEscrow", [order_key(op.subject_id), to_units(op.amount), 0, bytes.fromhex(op.key[2:])])
        transaction = {
            "type": 2,
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "to": self.escrow.address,
            "value": 0,
            "data": data,
            "gas": 500_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": tip,
        }
        signed = self.chain.signer("operator").sign(transaction)
        self.rpc("eth_sendRawTransaction", "0x" + signed.raw.hex())
        return signed.hash


Twist = Callable[[bytes, Callable[[bytes], bytes]], bytes | None]


@contextmanager
def proxy(url: str, twist: Twist) -> Iterator[str]:
    """A node between: `twist(body, forward)` answers a request, or gives None and the connection breaks without an answer."""

    def forward(body: bytes) -> bytes:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            said: bytes = answer.read()
            return said

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = twist(body, forward)
            if said is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
