"""`migrate` beside somebody who holds a table."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.commands import migrate as stock
from django.db import OperationalError, connection, transaction

from port444.kit.management.commands import migrate
from tests import power

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, and a migration that needs a table for itself."""
    monkeypatch.setattr(migrate, "PAUSE", 0.05)
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(stock.Command, "handle", lambda self, *args, **options: take())


def take() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        assert cursor.fetchone() == ("100ms",)
        cursor.execute("LOCK TABLE django_q_schedule")


@pytest.fixture
def owner() -> Any:
    """Tables are locked by their owner."""
    with power.as_superuser(connection.settings_dict["NAME"]) as session:
        session.execute("GRANT TRUNCATE ON django_q_schedule TO port444_app")
        yield session
        session.execute("REVOKE TRUNCATE ON django_q_schedule FROM port444_app")


def test_it_lets_the_others_go_on_and_tries_again(owner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    owner.execute("BEGIN")
    owner.execute("LOCK TABLE django_q_schedule")
    timer = threading.Timer(0.3, owner.execute, ["COMMIT"])
    timer.start()
    call_command("migrate")
    timer.join()
    assert "A table is in use: canceling statement due to lock timeout" in capsys.readouterr().err


def test_it_gives_up_in_the_end(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "TRIES", 2)
    owner.execute("BEGIN")
    owner.execute("LOCK TABLE django_q_schedule")
    with pytest.raises(OperationalError, match="lock timeout"):
        call_command("migrate")
    owner.execute("ROLLBACK")
