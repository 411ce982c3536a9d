"""How fast operations get through the chain's worker, and what they cost in gas: `./run bench escrow`.

A local chain (anvil), one account that signs, a PostgreSQL that is thrown away, and `manage.py run_chain` as it runs beside the
site. Deals are opened, amended and released; the time counts from when the operations stand in the database until the worker has
booked all of them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bench import report
from scripts import chain, database

if TYPE_CHECKING:
    from port444.payments.escrow import Deal

DEALS = int(os.environ.get("BENCH_DEALS", "300"))
IN_A_ROW = 20  # operations of one deal, which have to wait for each other
LONGEST = 600.0
PRICE, MORE = Decimal("100.00"), Decimal("25.50")


def main() -> int:
    """Print the figures; 1 when an operation was not booked once, or the contract and the books differ."""
    try:
        chain.anvil()
    except chain.ChainFailed as why:
        report.absent("operations through a chain", str(why))
        return 0
    good = True
    for name, options in (("blocks as soon as there is something", ()), ("a block each second", ("--block-time", "1"))):
        with database.thrown_away() as base, chain.running(0, *options) as url:
            settings = {**chain.deploy(url), "PORT444_ENV": "test", "SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "port444.settings"}
            environment = {**os.environ, **settings, **base.addresses}
            migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(migrate, check=True, cwd=database.HOME, env=database.as_owner(environment))
            measure = [sys.executable, "-m", "bench.escrow", "measure", name]
            good &= subprocess.run(measure, check=False, cwd=database.HOME, env=environment).returncode == 0
    return 0 if good else 1


@contextmanager
def worker() -> Iterator[None]:
    """The process that serves the chain."""
    process = subprocess.Popen([sys.executable, "manage.py", "run_chain"], cwd=database.HOME)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def measure(name: str) -> int:
    """One chain, inside its own Django."""
    import django

    django.setup()
    from port444.payments.escrow import current

    print(f"{name}: {DEALS} deals, one signer, {os.cpu_count()} cores")
    report.sized(f"{DEALS} deals, {name}")
    people, escrow = make_people(), current()
    deals = [new_deal(*people) for _ in range(DEALS)]
    one, far = new_deal(*people), soon()
    with worker():
        took("open one deal (with the start of the worker)", [escrow.open(one, PRICE, 1000, f"{one.id}:open", expiry=far)])
        took("open", [escrow.open(deal, PRICE, 1000, f"{deal.id}:open", expiry=far) for deal in deals])
        took("amend", [escrow.amend(deal, MORE, f"{deal.id}:amend") for deal in deals])
        took(f"amend one deal {IN_A_ROW} times", [escrow.amend(one, MORE, f"{one.id}:amend:{n}") for n in range(IN_A_ROW)])
        took("release", [escrow.release(deal, PRICE, f"{deal.id}:release") for deal in deals])
        took("refund", [escrow.refund(deal, MORE, f"{deal.id}:refund") for deal in deals])
    report.figure("deals on which the contract and the books differ", differing([*deals, one]), f"of {DEALS + 1}", limit=0)
    return report.code()


def soon() -> Any:
    from port444.kit.clock import now

    return now() + timedelta(days=90)


def make_people() -> tuple[Any, Any]:
    from port444.accounts.models import User
    from port444.payments import ledger
    from port444.payments.actions import change_payout_address

    client = User.objects.create_user("client@bench.example", name="Cleo Bench")
    builder = User.objects.create_user("builder@bench.example", name="Bea Bench", is_builder=True)
    change_payout_address(chain.account_address(chain.FIRST_PERSON), actor=builder)
    funds = PRICE * 10_000
    ledger.post("bench", "In", [(ledger.EXTERNAL, -funds), (ledger.client(client.pk), funds)])
    return client, builder


def new_deal(client: Any, builder: Any) -> Deal:
    from port444.kit.ids import uuid7
    from port444.payments.escrow import Deal

    return Deal("bench", uuid7(), client.pk, builder.pk)


def took(name: str, operations: list[Any]) -> None:
    """Wait until all are booked; print how long that took and what their gas was."""
    from port444.payments.models import EscrowOperation

    began = time.perf_counter()
    names = [operation.pk for operation in operations]
    waiting = EscrowOperation.objects.filter(pk__in=names).exclude(status="confirmed")
    while left := waiting.count():
        stuck = waiting.filter(status__in=["failed", "needs_review"]).first()
        if stuck is not None or time.perf_counter() - began > LONGEST:
            raise SystemExit(f"{name}: {left} not booked; {stuck and (stuck.status, stuck.reason)}")
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    gas = gas_of(names)
    also = f"{len(names)} in {seconds:.2f} s, gas {statistics.median(gas):,.0f} (from {min(gas):,} to {max(gas):,})"
    report.figure(name, len(names) / seconds, "a second", also=also)


def gas_of(names: list[str]) -> list[int]:
    """What the transactions that carried the operations used."""
    from port444.payments.escrow.chain.client import connect
    from port444.payments.models import EscrowOperation

    hashes = EscrowOperation.objects.filter(pk__in=names).values_list("tx_hash", flat=True)
    receipts = connect().batch([("eth_getTransactionReceipt", [each]) for each in hashes])
    return [int(receipt["gasUsed"], 16) for receipt in receipts]


def differing(deals: list[Deal]) -> int:
    """Of how many the contract holds something else than the books say."""
    from port444.payments import ledger
    from port444.payments.escrow.chain.client import connect
    from port444.payments.escrow.chain.contract import order_key, to_units

    escrow = connect().escrow
    return sum(locked(escrow, order_key(deal.id)) != to_units(ledger.balance("escrow", subject=deal.id)) for deal in deals)


def locked(escrow: Any, order: int) -> int:
    return int(escrow.functions.orders(order).call()[2])


if __name__ == "__main__":
    sys.exit(measure(sys.argv[2]) if sys.argv[1:2] == ["measure"] else main())
