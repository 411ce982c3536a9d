"""Runs over the log: nothing twice, nothing lost, whatever commits late, runs beside or is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections

from auditlog.actions import Taken, detecting, forget_sightings, run_detectors
from auditlog.actions.detecting import Ran
from auditlog.detectors.cases import news
from auditlog.detectors.facts import Fact
from auditlog.detectors.rows import Stored
from auditlog.detectors.suspicions import Suspicion
from auditlog.models import LIVE, DetectorMark, DetectorMemory, DetectorVersion, IncidentLog, IncidentStatus, Suppression
from port444.kit.clock import now
from tests import copies
from tests.power import as_superuser

from .happenings import happened, id_of, lives, ordered, pays, put, withdraws

pytestmark = pytest.mark.usefixtures("own_database")


@pytest.fixture
def owner(own_database: str) -> Iterator[psycopg.Connection[Any]]:
    with as_superuser(own_database) as session:
        yield session


@pytest.fixture
def since() -> datetime:
    """There is room for the coming months, and none for those before the database was made."""
    return now().replace(microsecond=0)


def ring(name: str, size: int = 3, *, device: str = "", days: int = 8) -> list[Fact]:
    return [
        one for n in range(size) for one in lives(f"{name}{n}", ip=f"8.{ord(name[0])}.{n}.1", device=device or f"device {name}", days=range(1, days))
    ]


def world() -> list[Fact]:
    """Two rings, a household, and a withdrawal of fresh money."""
    people = [one for n in range(4) for one in lives(f"home{n}", ip="9.9.9.9", device=f"own {n}", days=range(1, 20))]
    money = [*pays("y1", "x1", 6, 400), withdraws("x1", 6.01, 400, "w1")]
    return ordered([*ring("a", 4), *ring("b", 3), *people, *lives("x1", days=(1, 2)), *lives("y1", days=(1, 2)), *money])


def suspicion(fingerprint: str, confidence: int) -> Suspicion:
    empty: dict[str, Any] = {"people": [], "reasons": [], "evidence": {}}
    words: dict[str, Any] = {
        "description": "Taken over.",
        "detector": "account_takeover",
        "pattern": "chain",
        "severity": "high",
        "incident_type": "fraud_attempt",
    }
    return Suspicion(fingerprint=fingerprint, confidence=confidence, **words, **empty)


def write(session: psycopg.Connection[Any], facts: list[Fact], since: datetime, together: int = 10) -> None:
    for start in range(0, len(facts), together):
        with session.transaction():
            put(session, facts[start : start + together], since=since)


def run(**options: Any) -> Ran:
    """Run until the log is read to its end; the horizon may be held by who has just left."""
    ran, ends = run_detectors(**options), time.monotonic() + 60
    while waiting():
        assert time.monotonic() < ends, "rows stay unread"
        time.sleep(0.02)
        more = run_detectors(**options)
        ran.rows += more.rows
        for taken, count in more.taken.items():
            ran.taken[taken] = ran.taken.get(taken, 0) + count
    return ran


def waiting() -> bool:
    mark = DetectorMark.objects.filter(name=detecting.MARK).first()
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM audit_log WHERE (xid, id) > (%s, %s))", [mark.xid, mark.row_id] if mark else [0, 0])
        return bool(cursor.fetchone()[0])


def people_of(pattern: str = "linked_accounts") -> set[frozenset[Any]]:
    return {frozenset(one.people) for one in IncidentLog.objects.filter(pattern=pattern, status__in=LIVE)}


def cases() -> list[tuple[Any, ...]]:
    return sorted((one.pattern, one.severity, tuple(sorted(map(str, one.people))), str(one.withdrawal_id)) for one in IncidentLog.objects.live())


def ids(*names: str) -> frozenset[Any]:
    return frozenset(id_of(name) for name in names)


EXPECTED = {ids("a0", "a1", "a2", "a3"), ids("b0", "b1", "b2")}


def test_a_run_opens_what_there_is(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)
    ran = run()
    assert people_of() == EXPECTED
    (money,) = IncidentLog.objects.filter(pattern="fresh_earnings")
    assert (money.user_id, money.withdrawal_id, money.related_users) == (id_of("x1"), id_of("w1"), [])
    assert money.reasons
    assert sum(reason["points"] for reason in money.reasons) == money.confidence
    assert ran.rows == len(world())
    (weak,) = IncidentLog.objects.filter(pattern="shared_address")
    assert (weak.severity, weak.fingerprint, weak.ip_addresses) == ("low", "shared_ip:9.9.9.9", ["9.9.9.9"])


def test_a_second_run_opens_nothing(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)
    run()
    before = list(IncidentLog.objects.order_by("pk").values())
    again = run()
    assert (again.rows, again.taken) == (0, {})
    assert list(IncidentLog.objects.order_by("pk").values()) == before


def test_a_log_that_is_read_again_opens_nothing(owner: psycopg.Connection[Any], since: datetime) -> None:
    """All that was remembered is lost, and the log is read anew: the same cases."""
    write(owner, world(), since)
    run()
    before = cases()
    DetectorMark.objects.all().delete()
    DetectorMemory.objects.all().delete()
    ran = run()
    assert ran.opened == 0
    assert cases() == before


@pytest.mark.parametrize("slices", [1, 24])
def test_slices_lead_to_the_same(owner: psycopg.Connection[Any], since: datetime, slices: int) -> None:
    facts = world()
    step = -(-len(facts) // slices)
    for start in range(0, len(facts), step):
        write(owner, facts[start : start + step], since)
        run()
    assert people_of() == EXPECTED
    assert {one.withdrawal_id for one in IncidentLog.objects.filter(pattern="fresh_earnings")} == {id_of("w1")}
    assert IncidentLog.objects.live().count() == IncidentLog.objects.live().values("fingerprint").distinct().count() == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_in_any_order_lead_to_the_same(owner: psycopg.Connection[Any], since: datetime, seed: int) -> None:
    facts = world()
    random.Random(seed).shuffle(facts)
    for start in range(0, len(facts), 15):
        write(owner, facts[start : start + 15], since)
        run(limit=7)
    assert people_of() == EXPECTED
    assert {one.withdrawal_id for one in IncidentLog.objects.filter(pattern="fresh_earnings")} == {id_of("w1")}


def test_what_commits_late_is_not_lost(owner: psycopg.Connection[Any], own_database: str, since: datetime) -> None:
    """A transaction took its numbers first and is still open while others commit and a run passes."""
    late, early = ring("a", 3), ring("b", 3)
    with as_superuser(own_database) as slow:
        slow.autocommit = False
        put(slow, late, since=since)
        write(owner, early, since)
        run_detectors()
        assert people_of() == set(), "the horizon is below what is still open"
        slow.commit()
    run()
    assert people_of() == {ids("a0", "a1", "a2"), ids("b0", "b1", "b2")}


def test_of_two_runs_at_once_one_does_it(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [detecting.LOCK])
        assert run_detectors().busy
        assert not IncidentLog.objects.exists()
    run()
    assert people_of() == EXPECTED


def test_many_runs_at_once_open_each_case_once(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)

    def work() -> None:
        try:
            for _ in range(20):
                run_detectors(limit=20)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run()
    assert people_of() == EXPECTED
    assert DetectorMark.objects.get(name=detecting.MARK).rows == len(world())
    assert IncidentLog.objects.count() == 4


def test_a_run_that_is_killed_between_its_steps_loses_and_doubles_nothing(owner: psycopg.Connection[Any], since: datetime, own_database: str) -> None:
    write(owner, world(), since)
    script = (
        "import os, signal, django; django.setup()\n"
        "from auditlog.actions import detecting\n"
        "kept, seen = detecting._take, []\n"
        "def taking(*words):\n"
        "    seen.append(kept(*words))\n"
        "    if len(seen) == int(os.environ['AFTER']): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return seen[-1]\n"
        "detecting._take = taking\n"
        "while True: detecting.run_detectors(limit=30)\n"
    )
    url = copies.on_database(copies.app_url(), own_database)
    for after in ("1", "2", "2"):
        environment = {**os.environ, "DATABASE_URL": url, "AFTER": after, "DJANGO_SETTINGS_MODULE": "port444.settings", "PORT444_ENV": "test"}
        done = subprocess.Popen([sys.executable, "-c", script], env=environment)
        try:
            done.wait(timeout=60)
        except subprocess.TimeoutExpired:
            done.kill()
            done.wait()
            break
        assert done.returncode == -signal.SIGKILL
    run(limit=30)
    assert people_of() == EXPECTED
    assert DetectorMark.objects.get(name=detecting.MARK).rows == len(world())
    assert IncidentLog.objects.count() == 4


def test_a_dry_run_writes_nothing(owner: psycopg.Connection[Any], since: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    write(owner, world(), since)
    while "nothing found" in (said := dry(capsys)):
        time.sleep(0.02)
    assert "4 opened. Nothing of it was written." in said
    assert not IncidentLog.objects.exists()
    assert not DetectorMemory.objects.exists()


def dry(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("detect", "--dry-run")
    return capsys.readouterr().out


def test_a_look_back_writes_nothing_and_finds_the_same(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)
    found = detecting.look_back(since - timedelta(days=1), since + timedelta(days=60))
    assert {frozenset(one.people) for one in found if one.pattern == "linked_accounts"} == {frozenset(map(str, people)) for people in EXPECTED}
    assert not IncidentLog.objects.exists()


def false_positive(incident: IncidentLog) -> None:
    moment = now()
    incident.move_to(IncidentStatus.FALSE_POSITIVE, resolved_at=moment)
    Suppression.objects.create(
        fingerprint=incident.fingerprint,
        incident=incident,
        reason="A family",
        ceiling={"people": sorted(map(str, incident.people)), "kinds": ["device", "fingerprint", "ip"]},
        made_by=id_of("agent"),
        made_at=moment,
        expires_at=moment + timedelta(days=90),
    )


def test_what_was_found_harmless_stays_quiet_until_somebody_joins(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, ring("a", 3), since)
    run()
    (incident,) = IncidentLog.objects.filter(pattern="linked_accounts")
    false_positive(incident)
    write(owner, [happened(20, "sign_in", "a1", ip="8.97.1.1", device="device a")], since)
    assert run().taken == {Taken.SUPPRESSED: 1}
    assert people_of() == set()
    assert Suppression.objects.get().hits == 1
    write(owner, [happened(21, "sign_up", "a9", ip="8.8.9.9", device="device a")], since)
    assert run().opened == 1
    (again,) = IncidentLog.objects.filter(pattern="linked_accounts", status__in=LIVE)
    assert frozenset(again.people) == ids("a0", "a1", "a2", "a9")
    assert (again.fingerprint, again.previous) == (incident.fingerprint, incident)


def test_whoever_joins_a_group_joins_its_case(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, ring("b", 3), since)
    run()
    write(owner, lives("a0", since=9, device="device b", days=(1, 2, 3)), since)
    run()
    (one,) = IncidentLog.objects.filter(pattern="linked_accounts")
    assert frozenset(one.people) == ids("a0", "b0", "b1", "b2")
    assert one.hits == 2


def test_two_groups_that_turn_out_to_be_one_are_one_case(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, [*ring("a", 3), *ring("b", 3)], since)
    run()
    assert len(people_of()) == 2
    write(owner, [happened(9 + n, "payout_address_added", name, address_hash="joint") for n, name in enumerate(("a0", "b0"))], since)
    run()
    assert people_of() == {ids("a0", "a1", "a2", "b0", "b1", "b2")}
    (merged,) = IncidentLog.objects.filter(merged_into__isnull=False)
    assert merged.status == IncidentStatus.RESOLVED
    assert merged.merged_into == IncidentLog.objects.get(pattern="linked_accounts", status__in=LIVE)
    assert run().taken == {}


def test_an_active_version_is_what_counts(owner: psycopg.Connection[Any], since: datetime) -> None:
    """Nothing else changed: with another bar nobody is told."""
    moment = now()
    DetectorVersion.objects.create(
        detector="multi_accounting",
        number=4,
        parameters={"alert_at": 100},
        made_by=id_of("agent"),
        backtested_at=moment,
        activated_at=moment,
        activated_by=id_of("another"),
    )
    write(owner, ring("a", 3, days=5), since)
    run()
    (one,) = IncidentLog.objects.filter(pattern="linked_accounts")
    assert (one.severity, one.detector, one.detector_version) == ("low", "multi_accounting", 4)


def test_sightings_are_forgotten_and_the_rest_is_not(owner: psycopg.Connection[Any], since: datetime) -> None:
    write(owner, world(), since)
    run()
    forget_sightings(since + timedelta(days=40))
    keys = set(DetectorMemory.objects.values_list("key", flat=True))
    assert not [key for key in keys if key.startswith(("ip:", "device:"))]
    notes = DetectorMemory.objects.get(key=f"who:{id_of('x1')}").data
    assert notes["earned"] == 400_000_000
    assert "ip" not in notes


def test_what_conclusions_rest_on_is_never_forgotten(owner: psycopg.Connection[Any], since: datetime) -> None:
    """A suspension, the browsers of an account that slept, who holds a wallet, what was said: all old, and all needed when somebody acts again."""
    write(owner, world(), since)
    run()
    known = set(DetectorMemory.objects.values_list("key", flat=True))
    assert {key.partition(":")[0] for key in known} <= {*detecting.PASSING, *detecting.LASTING}, "a new kind of key is in one of both"
    rows: dict[str, dict[str, Any]] = {
        "standing:a": {"out": 5},
        "payout:4be1": {"a": [1, 2]},
        "card:77": {"a": [1, 2]},
        "life:a": {"devices": {"d": [1, 2]}, "ins": [[1, "8.8", "d", "", ""]]},
        "deals:a": {"b": {}},
        "case:ato:a:1": {"confidence": 90, "count": 2},
        "told:ip:8.8.8.8": {"accounts": 3},
        "told:ip:9.9.9.9": {"accounts": 3},
    }
    old = since - timedelta(days=200)
    DetectorMemory.objects.all().delete()
    DetectorMemory.objects.bulk_create(DetectorMemory(key=key, data=data, seen_at=old) for key, data in rows.items())
    DetectorMemory.objects.bulk_create(DetectorMemory(key=f"{kind}:x", data={}, seen_at=old) for kind in detecting.PASSING)
    DetectorMemory.objects.create(key="ip:8.8.8.8", data={"a": [1, 2]}, seen_at=since)
    forget_sightings(since - timedelta(days=180))
    left = {row.key: row.data for row in DetectorMemory.objects.all()}
    del rows["told:ip:9.9.9.9"], rows["life:a"]["ins"]
    assert left == {**rows, "ip:8.8.8.8": {"a": [1, 2]}}


def test_a_case_that_was_said_is_not_said_again_after_half_a_year(owner: psycopg.Connection[Any], since: datetime) -> None:
    """The account is active, so its old withdrawals are still remembered, and are judged with each new one."""
    moment = since + timedelta(days=10)
    case = DetectorMemory(key="case:ato:a:1", data={"confidence": 90, "count": 2}, seen_at=moment)
    case.save()
    forget_sightings(moment + timedelta(days=181))
    assert news([(suspicion("ato:a:1", 90), 2)], Stored()) == []
