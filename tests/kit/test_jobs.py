from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django_q.models import OrmQ, Schedule

from port444.kit import clock, health, jobs
from port444.kit.errors import Conflict

BEAT = "port444.kit.jobs.heartbeat"


def test_queued_with_the_transaction(db: None) -> None:
    with transaction.atomic():
        jobs.enqueue(BEAT, uuid4())
        transaction.set_rollback(True)
    assert not OrmQ.objects.exists()
    key = uuid4()
    jobs.enqueue(BEAT, key, 7, "text")
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == (BEAT, (str(key), 7, "text"))


def test_sweep_passes_over_what_fails(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def act(pk: int) -> None:
        seen.append(pk)
        if pk == 2:
            raise Conflict("Somebody was first.")
        if pk == 3:
            raise RuntimeError("poison")

    with caplog.at_level(logging.ERROR):
        assert jobs.each(act, [1, 2, 3, 4]) == 2
    assert seen == [1, 2, 3, 4]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "poison" in caplog.text


def test_schedules_are_made_changed_and_removed(db: None) -> None:
    jobs.sync_schedules({BEAT: "* * * * *", "port444.accounts.jobs.forget": "0 3 * * *"})
    assert dict(Schedule.objects.values_list("func", "cron")) == {BEAT: "* * * * *", "port444.accounts.jobs.forget": "0 3 * * *"}
    kept = Schedule.objects.get(name=BEAT)
    jobs.sync_schedules({BEAT: "*/5 * * * *"})
    assert Schedule.objects.get().pk == kept.pk
    assert Schedule.objects.get().cron == "*/5 * * * *"


def test_unchanged_schedule_keeps_its_turn(db: None) -> None:
    jobs.sync_schedules({BEAT: "* * * * *"})
    turn = Schedule.objects.get().next_run
    jobs.sync_schedules({BEAT: "* * * * *"})
    assert Schedule.objects.get().next_run == turn


@pytest.mark.parametrize("path", ["port444.kit.jobs.nothing", "nowhere.at.all"])
def test_unknown_path_writes_nothing(db: None, path: str) -> None:
    with pytest.raises(ImportError):
        jobs.sync_schedules({BEAT: "* * * * *", path: "* * * * *"})
    assert not Schedule.objects.exists()


def test_command_writes_the_schedules_of_the_settings(db: None, settings: object, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sync_schedules")
    assert Schedule.objects.filter(func=BEAT).exists()
    assert f"{Schedule.objects.count()} schedules" in capsys.readouterr().out


def test_heartbeat_has_an_age(db: None) -> None:
    assert jobs.heartbeat_age() is None
    jobs.heartbeat()
    with clock.at(clock.now() + timedelta(seconds=90)):
        assert 89 < (jobs.heartbeat_age() or 0) < 92


def test_up_and_ready(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_watches", {"mail": lambda: False})  # what other tests have left in the log is not sealed
    jobs.heartbeat()
    assert client.get("/healthz").content == b"ok\n"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "database": True, "migrations": True, "queue": True, "late": []})


@pytest.mark.parametrize("ago", [None, 200])
def test_not_ready_when_the_queue_is_silent(client: Client, db: None, ago: int | None) -> None:
    if ago is not None:
        with clock.at(clock.now() - timedelta(seconds=ago)):
            jobs.heartbeat()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["queue"]) == (503, False, False)
    assert client.get("/healthz").status_code == 200  # the process itself is fine: it must not be killed for this


def test_not_ready_when_migrations_wait(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.heartbeat()
    monkeypatch.setattr("django.db.migrations.executor.MigrationExecutor.migration_plan", lambda self, targets: ["0001"])
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, False)


def test_looking_changes_nothing(client: Client, db: None) -> None:
    assert client.post("/healthz").status_code == 405
    assert client.post("/readyz").status_code == 405


def test_a_run_ends_in_time_and_leaves_the_rest() -> None:
    assert list(jobs.in_time([1, 2, 3], seconds=60)) == [1, 2, 3]
    assert list(jobs.in_time([1, 2, 3], seconds=0)) == []


@pytest.mark.parametrize(("waiting", "calls"), [(0, 1), (3, 1), (10, 2), (25, 3)])
def test_batches_follow_each_other_until_one_is_not_full(waiting: int, calls: int) -> None:
    left, sizes = [waiting], list[int]()

    def batch(_: datetime, size: int) -> int:
        taken = min(size, left[0])
        left[0] -= taken
        sizes.append(taken)
        return taken

    assert (jobs.drain(batch, 10), left, len(sizes)) == (waiting, [0], calls)


def test_batches_end_when_the_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SWEEP_SECONDS", 0)
    assert jobs.drain(lambda _, size: size, 10) == 0
