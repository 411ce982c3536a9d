"""A short day under faults, with a fixed seed: nothing is lost, nothing is done twice. And the suite can fail: what is broken on purpose in the
end is named.

`./run chaos` is the long one (docs/chaos.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaos import report
from chaos.run import Session, Terms, lived
from scripts import chain

pytestmark = pytest.mark.timeout(1200)  # a busy machine migrates for minutes

SECONDS, SEED = 20, 444
# What somebody with all rights over the database could do, and the invariant that names it.
HARM = {
    "each entry of the ledger sums to zero": "DELETE FROM payments_posting WHERE id = (SELECT id FROM payments_posting ORDER BY id DESC LIMIT 1)",
    "messages that were confirmed are there, word for word": "UPDATE messaging_message SET body = 'Nothing.' WHERE id = '{message}'",
    "orders as far as they were confirmed": "DELETE FROM orders_order WHERE id = '{order}'",
    "each mail that counts as sent has arrived": (
        "UPDATE notifications_delivery SET id = gen_random_uuid() WHERE id ="
        " (SELECT id FROM notifications_delivery WHERE channel = 'email' AND status = 'sent' LIMIT 1)"
    ),
    "seals verify, with all that lies in cold storage": "UPDATE {log} SET description = 'Another one.' WHERE id = (SELECT min(id) FROM {log})",
}
TWICE = "builders' wallets hold just what was withdrawn: nothing was sent twice"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with lived(Terms.short(SECONDS, SEED, tmp_path_factory.mktemp("chaos") / "run")) as session:
        yield session


def broken(invariants: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {one["name"]: one["wrong"] for one in invariants if one["broken"]}


def test_nothing_is_lost_and_what_is_broken_on_purpose_is_named(session: Session) -> None:
    done = session.tell()
    assert broken(done["invariants"]) == {}, report.markdown(done)
    kinds = {fault["kind"] for fault in done["faults"]}
    assert len(kinds) >= 8, kinds
    assert done["scenes"], done["given_up"]
    harm(session)
    found = broken(session.look())
    assert {*HARM, TWICE} - set(found) == set()


def harm(session: Session) -> None:
    """Rows changed and removed past all rules, and money that was sent once more."""
    kept = {one["kind"]: one["id"] for one in session.day.promises}
    with session.site.postgres.connect("port444") as connection:
        ((log,),) = connection.execute("SELECT tableoid::regclass::text FROM audit_log ORDER BY id LIMIT 1").fetchall()
        for sql in HARM.values():
            said = sql.format(message=kept["message"], order=kept["order"], log=log)
            table = said.split()[2 if said.startswith("DELETE") else 1]
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
            connection.execute(said.encode())
    builder = session.people["builders"][0]["address"]
    chain.fund(session.site.chain_url, session.inside["USDC_ADDRESS"], builder, 25 * 10**6)
