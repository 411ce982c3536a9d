"""When a queue counts as hung."""

from pathlib import Path

import pytest
from django.conf import settings

from scripts import watchdog
from scripts.watchdog import PATIENCE, Watchdog


@pytest.fixture
def dog() -> Watchdog:
    """A queue started at second 1000, with an old heartbeat and two rows waiting."""
    dog = Watchdog()
    dog.look(990.0, 5.0, frozenset({1, 2}))
    dog.began(1000.0)
    return dog


def test_fresh_queue_gets_time_to_start(dog: Watchdog) -> None:
    dog.look(1000 + PATIENCE, 5.0, frozenset({1, 2}))
    assert not dog.is_hung(1000 + PATIENCE)


def test_no_sign_of_life_is_a_hang(dog: Watchdog) -> None:
    dog.look(1100.0, 5.0, frozenset({1, 2, 3}))
    assert dog.is_hung(1001 + PATIENCE)


def test_heartbeat_is_a_sign_of_life(dog: Watchdog) -> None:
    dog.look(1100.0, 6.0, frozenset({1, 2}))
    assert not dog.is_hung(1001 + PATIENCE)
    assert dog.is_hung(1101 + PATIENCE)


def test_row_that_leaves_is_a_sign_of_life(dog: Watchdog) -> None:
    dog.look(1100.0, 5.0, frozenset({2, 3, 4}))
    assert not dog.is_hung(1001 + PATIENCE)


def test_idle_queue_without_heartbeat_is_a_hang(dog: Watchdog) -> None:
    dog.look(1010.0, None, frozenset())
    dog.look(1100.0, None, frozenset())
    assert dog.is_hung(1011 + PATIENCE)


def test_unreachable_database_is_no_sign_of_life(dog: Watchdog) -> None:
    dog.look(1100.0, 5.0, None)
    assert dog.is_hung(1001 + PATIENCE)
    dog.look(1120.0, 5.0, frozenset({2}))
    assert not dog.is_hung(1001 + PATIENCE)


def test_restart_begins_anew(dog: Watchdog) -> None:
    dog.began(2000.0)
    assert not dog.is_hung(2000 + PATIENCE)
    assert dog.is_hung(2001 + PATIENCE)


def test_missing_heartbeat_file(tmp_path: Path) -> None:
    assert watchdog.read_beat(tmp_path / "heartbeat") is None
    (tmp_path / "heartbeat").touch()
    assert watchdog.read_beat(tmp_path / "heartbeat") is not None


def test_unreachable_queue() -> None:
    assert watchdog.read_queue("postgres://nobody@/none?host=/nonexistent") is None


def test_patience_outlasts_what_a_healthy_queue_may_take() -> None:
    # One job on every worker for its whole time, then a heartbeat that has just missed its minute and the scheduler.
    assert settings.Q_CLUSTER["timeout"] + 60 + 30 <= PATIENCE
    assert settings.SCHEDULES["port444.kit.jobs.heartbeat"] == "* * * * *"
