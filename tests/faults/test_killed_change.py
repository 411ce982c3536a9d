"""Processes die (SIGKILL) between any two steps of a change of an order: approved, paid, into escrow on a chain, in force.

The site, its queue, the chain's worker and the chain are real processes. Afterwards the change is in force once, paid once and
funded once in the contract, whatever died. `FAULTS=all ./run test tests/faults` tries every edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from scripts import chain as local
from tests.realsite import Site, running, wait_until

from .change import BUILDER, MORE, PRICE
from .test_killed import ALL, RETRY, chosen, died, in_site, marks, worker

PAID = "deliver_wallet_answer,settle_invoice"
QUEUE = {"Q_TIMEOUT": "3", "Q_RETRY": str(RETRY), "Q_WORKERS": "1"}
pytestmark = pytest.mark.timeout(3600 if ALL else 400)


@dataclass
class Harbour:
    site: Site
    node: str
    escrow: Any

    def press(self, name: str, kill_at: int) -> list[str]:
        """The client approves and pays, to the end or to the death of the process."""
        return died(self.site, f"change-{name}-{kill_at}", kill_at, "tests.faults.press", name, "change")

    def carry_to_the_chain(self, mark: str, kill_at: int) -> list[str]:
        """Let the chain's worker finish, or die."""
        fork = self.site.fork("tests.faults.chain_worker", **marks(self.site, mark, kill_at))
        killed = self.site.folder / f"{mark}.killed"
        try:
            wait_until(lambda: killed.exists() or not self.open(), 90, "the chain's worker neither died nor finished")
        finally:
            fork.kill()
        return (self.site.folder / f"{mark}.steps").read_text().splitlines()

    def open(self) -> int:
        return int(self.site.value("SELECT count(*) FROM payments_escrowoperation WHERE status NOT IN ('confirmed', 'failed', 'cancelled')"))

    def ready(self, name: str) -> None:
        """An order in work, in escrow on the chain, with a change that waits for the client."""
        in_site(self.site, f"from tests.faults.change import order; order({name!r})")
        self.carry_to_the_chain(f"ready-{name}", 0)
        in_site(self.site, f"from tests.faults.change import propose; propose({name!r})")

    def finish(self, name: str) -> None:
        """Start everything as an operator would and play the sweeps of every minute."""
        in_site(self.site, "from port444.payments import jobs; jobs.reconcile()")
        queue = self.site.fork("django", "qcluster")
        try:
            wait_until(self.site.idle, 60, "the queue is not empty after the restart")
        finally:
            queue.kill()
        self.carry_to_the_chain(f"finish-chain-{name}", 0)

    def check_once(self, name: str) -> None:
        site = self.site
        order = site.rows(
            "SELECT o.id, o.price, o.client_id, a.status, a.funding FROM orders_order o JOIN accounts_user u ON u.id = o.client_id"
            " JOIN amendments_amendment a ON a.order_id = o.id WHERE u.email = %s",
            f"{name.lower()}@fault.example",
        )
        assert [(row["status"], row["price"]) for row in order] == [("completed", PRICE + MORE)]
        row = order[0]
        funded = site.rows("SELECT op_id, status FROM payments_escrowoperation WHERE subject_id = %s AND kind = 'amend'", row["id"])
        assert funded == [{"op_id": row["funding"], "status": "confirmed"}]
        assert self.locked(row["id"]) == PRICE + MORE
        assert site.value("SELECT balance FROM payments_ledgeraccount WHERE kind = 'escrow' AND subject_id = %s", row["id"]) == PRICE + MORE
        assert site.value("SELECT balance FROM payments_ledgeraccount WHERE kind = 'client' AND owner_id = %s", row["client_id"]) == 0
        charged = (
            "SELECT count(*) FROM payments_payment p JOIN payments_invoice i ON i.id = p.invoice_id"
            " WHERE i.payer_id = %s AND i.purpose = 'amendment' AND p.status = 'succeeded'"
        )
        assert site.value(charged, row["client_id"]) == 1
        told = "SELECT count(*) FROM notifications_notification n JOIN accounts_user u ON u.id = n.user_id WHERE u.email = %s AND n.kind = %s"
        completed = "SELECT count(*) FROM notifications_notification WHERE user_id = %s AND kind = 'amendment.completed'"
        assert site.value(completed, row["client_id"]) == 1
        assert site.value(told, BUILDER, "amendment.completed") == site.value("SELECT count(*) FROM amendments_amendment WHERE status = 'completed'")

    def locked(self, order_id: Any) -> Decimal:
        return Decimal(self.escrow.functions.orders(order_id.int).call()[2]).scaleb(-6)


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    with local.running() as node:
        deployed = local.deploy(node)
        escrow = local.connected(node).eth.contract(deployed["ESCROW_ADDRESS"], abi=local.artifact("OrderEscrow")["abi"])
        folder = tmp_path_factory.mktemp("faults-chain")
        with running(folder, seeded=False, worker=False, **QUEUE, **deployed, PAYMENT_PROVIDERS="sandbox") as site:
            in_site(site, "from tests.faults.change import prepare; prepare()")
            yield Harbour(site, node, escrow)


def test_a_change_is_funded_once(harbour: Harbour) -> None:
    """Nobody dies first, to learn the steps; then each dies once, at one of them."""
    harbour.ready("Steady")
    pressing = harbour.press("Steady", 0)
    paying = worker(harbour.site, "steady", PAID, 0)
    carrying = harbour.carry_to_the_chain("steady-chain", 0)
    harbour.check_once("Steady")
    assert {"press: after commit", "settle_invoice: before commit", "chain: after commit", "chain: after call"} <= {*pressing, *paying, *carrying}

    def dies(what: str, steps: list[str], kill: Callable[[str, int], list[str]]) -> None:
        for number in chosen(steps, 1):
            name = f"{what.title()}{number}"
            harbour.ready(name)
            if what != "press":
                harbour.press(name, 0)
            if what == "chain":
                worker(harbour.site, name, PAID, 0)
            taken = kill(name, number)
            print(f"{what} killed at step {number} of {len(steps)}: {taken[-1]}")
            if what == "press":
                harbour.press(name, 0)
            harbour.finish(name)
            harbour.check_once(name)

    dies("press", pressing, harbour.press)
    dies("queue", paying, lambda name, number: worker(harbour.site, f"{name}-killed", PAID, number))
    dies("chain", carrying, lambda name, number: harbour.carry_to_the_chain(f"{name}-killed", number))
