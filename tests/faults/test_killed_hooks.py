"""A worker dies (SIGKILL) while it sends an event to somebody's program: the event arrives, and what comes twice has one id and one body.

`./run test tests/faults` tries the worst edges, `FAULTS=all ./run test tests/faults` every one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.realsite import Site, running
from tests.webhooks.conftest import Receiver

from .test_killed import ALL, died

pytestmark = pytest.mark.timeout(3600 if ALL else 400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("hooks"), seeded=False, worker=False) as served:
        yield served


def send(site: Site, tag: str, url: str, kill_at: int) -> list[str]:
    """Send to the end, or to the death of the process; gives its steps."""
    return died(site, f"hooks-{tag}-{kill_at}", kill_at, "tests.faults.hooks", tag, url)


def test_an_event_is_never_lost(site: Site) -> None:
    with Receiver() as steady:
        steps = send(site, "steady", steady.url, 0)
        assert len(steady.seen) == 1
    claimed, posted = steps.index("send: before call"), steps.index("send: after call") + 1
    for number in range(1, len(steps) + 1) if ALL else (claimed, posted, posted + 1):
        tag = f"killed{number}"
        with Receiver() as receiver:
            taken = send(site, tag, receiver.url, number)
            before = len(receiver.seen)
            assert before == (number >= posted), taken
            send(site, tag, receiver.url, 0)
            assert len(receiver.seen) == (2 if posted <= number <= posted + 1 else 1), (number, taken)
            assert len({(seen.headers["webhook-id"], seen.body) for seen in receiver.seen}) == 1
        sql = "SELECT d.status FROM webhooks_webhookdelivery d JOIN webhooks_webhookendpoint e ON e.id = d.endpoint_id"
        assert [row["status"] for row in site.rows(f"{sql} JOIN accounts_user u ON u.id = e.user_id WHERE u.email = %s", f"{tag}@fault.example")] == [
            "delivered"
        ]
