"""A worker dies (SIGKILL) between any two steps of the sweeps that tell people: afterwards everybody has been told once.

`./run test tests/faults` tries a few edges, `FAULTS=all ./run test tests/faults` every one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.realsite import Site, running

from .test_killed import ALL, chosen, died

pytestmark = pytest.mark.timeout(3600 if ALL else 400)
REVIEWED = "order.reviews_shown"
TOLD = {
    "client0": ["away.returned", "order.nudge_answers", REVIEWED],
    "praised": [REVIEWED],
    "back": ["away.back"],
    "near": ["away.near"],
    "seller": [],
    "talker": [],
}
MAILS = sum(len(kinds) for kinds in TOLD.values())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("sweeps"), seeded=False, worker=False) as served:
        yield served


def tick(site: Site, tag: str, kill_at: int) -> list[str]:
    """Run the sweeps to the end, or to the death of the process; gives its steps."""
    return died(site, f"tick-{tag}-{kill_at}", kill_at, "tests.faults.tick", tag)


def check_once(site: Site, tag: str) -> None:
    """Every notification and every mail is there once, one hint, and nothing waits."""
    which = "n.kind LIKE 'order.nudge%%' OR n.kind LIKE 'away.%%' OR n.kind = 'order.reviews_shown'"
    ours = f"JOIN accounts_user u ON u.id = n.user_id WHERE u.email LIKE %s AND ({which})"
    told = site.rows(f"SELECT split_part(u.email, '-', 1) AS who, n.kind FROM notifications_notification n {ours}", f"%-{tag}@%")
    assert sorted((row["who"], row["kind"]) for row in told) == sorted((who, kind) for who, kinds in TOLD.items() for kind in kinds)
    sent = f"SELECT d.status FROM notifications_delivery d JOIN notifications_notification n ON n.id = d.notification_id {ours}"
    assert [row["status"] for row in site.rows(sent, f"%-{tag}@%")] == ["sent"] * MAILS
    for who, kinds in TOLD.items():
        subjects = Counter(str(mail["Subject"]) for mail in site.mails(f"{who}-{tag}@fault.example"))
        assert list(subjects.values()) == [1] * len(kinds), (who, subjects)
    hints = "SELECT count(*) FROM orders_suggestion s JOIN builders_builder b ON b.id = s.builder_id WHERE b.slug = %s"
    assert site.value(hints, f"talker-{tag}") == 1
    rated = "SELECT rating_sum * 10 + rating_count FROM builders_builder WHERE slug = %s"
    assert site.value(rated, f"praised-{tag}") == 41
    undone = (
        "SELECT (SELECT count(*) FROM messaging_conversation WHERE rests_at <= now()) + (SELECT count(*) FROM away_returnalert WHERE told_at IS NULL)"
        " + (SELECT count(*) FROM orders_nudge WHERE status = 'planned' AND due_at <= now()) + (SELECT count(*) FROM catalog_pricepoint"
        " WHERE due_at <= now()) + (SELECT count(*) FROM catalog_service WHERE market_due_at <= now())"
    )
    assert site.value(undone) == 0


def test_sweeps(site: Site) -> None:
    steps = tick(site, "steady", 0)
    check_once(site, "steady")
    assert Counter(step.split(": ")[1] for step in steps)["after mail"] == MAILS, steps
    told_before_commit, mailed_unnoted = 1, steps.index("tick: after mail") + 1
    for number in chosen(steps, 0) if ALL else (told_before_commit, told_before_commit + 1, mailed_unnoted):
        tag = f"killed{number}"
        taken = tick(site, tag, number)
        print(f"killed at step {number} of {len(steps)}: {taken[-1]}")
        tick(site, tag, 0)
        check_once(site, tag)
