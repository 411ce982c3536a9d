"""When a queue counts as hung."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from scripts import watchdog
from scripts.watchdog import PATIENCE, Watchdog
from tests.copies import app_url, libpq, on_database


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


@pytest.mark.parametrize(
    ("waits", "heartbeat", "own", "hung"),
    [
        (0, 20, 400, False),  # other machines do all there is
        (5, 20, 400, False),
        (90, 20, 400, True),  # work is left lying, and this machine does nothing
        (90, 20, None, True),
        (900, 20, 10, False),  # too much work, and this machine is at it
        (0, 400, 400, True),  # nobody does anything, not even put jobs there
        (0, None, None, True),
    ],
)
def test_a_queue_of_several_seems_hung(waits: float, heartbeat: float | None, own: float | None, hung: bool) -> None:
    assert watchdog.seems_hung(waits, heartbeat, own) is hung


def test_the_command_asks_database_and_file(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", libpq(on_database(app_url(), connection.settings_dict["NAME"])))
    monkeypatch.setenv("PORT444_HEARTBEAT_FILE", str(tmp_path / "heartbeat"))
    assert watchdog.main() == 1
    (tmp_path / "heartbeat").touch()
    assert watchdog.main() == 0
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@/none?host=/nowhere")
    (tmp_path / "heartbeat").unlink()
    assert watchdog.main() == 0  # nothing is restarted for a database that is away
