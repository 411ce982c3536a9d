from __future__ import annotations

import base64
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction

from auditlog import cold, jobs, lines, merkle, queries, seals, signing
from auditlog.actions import Behind, Forged, Unreachable, anchor_seals, seal_rows, sealing, verify
from auditlog.models import AuditAnchor, AuditLog, AuditSeal, IncidentLog
from auditlog.signing import Kind
from port444.kit import clock
from scripts import devpg
from tests import copies

from .sealed import another, append, leaves_of, log, seal_all, unsealed

pytestmark = pytest.mark.usefixtures("own_database")


def names() -> list[str]:
    return [name for _, name in seals.anchors(cold.store())]


def assert_chained() -> None:
    """All seals follow each other, are signed, say what their columns say, and every row of the log is under exactly one of them."""
    previous, covered = seals.FIRST, []
    for seq, seal in enumerate(AuditSeal.objects.order_by("seq"), start=1):
        assert (seal.seq, bytes(seal.prev_hash)) == (seq, previous)
        assert json.loads(seal.body).items() >= seals.statement(seal).items()
        previous = seals.hash_of(seal.body)
        assert previous == bytes(seal.hash)
        assert signing.is_signed(Kind.SEAL, seal.body.encode(), seal.key_id, bytes(seal.signature))
        ids = [pk for pk, _ in leaves_of(seal)]
        with transaction.atomic():
            places = [seal.from_xid, seal.from_id, seal.through_xid, seal.through_id, seal.floor_id]
            printed = list(lines.copy_lines("(xid, id) > (%s, %s) AND (xid, id) <= (%s, %s) AND id > %s", places))
        assert [lines.id_of(line) for line in printed] == ids
        assert merkle.root([merkle.leaf(line) for line in printed]) == bytes(seal.root)
        assert seal.rows == len(ids)
        covered += ids
    assert sorted(covered) == sorted(AuditLog.objects.values_list("pk", flat=True))


def test_a_seal_says_what_the_rows_are() -> None:
    ids = log(3)
    (seal,) = seal_all()
    assert (seal.seq, seal.epoch, seal.rows, seal.first_id, seal.last_id) == (1, 1, 3, ids[0], ids[-1])
    moments = AuditLog.objects.order_by("timestamp").values_list("timestamp", flat=True)
    assert (seal.first_at, seal.last_at) == (moments[0], moments[2])
    assert seal.sealed_at > moments[2]
    assert seal.next_xid > seal.through_xid
    log()
    seal_all()
    assert_chained()


def test_a_seal_cannot_be_changed_by_who_serves() -> None:
    log()
    seal_all()
    for attack in ("UPDATE audit_seal SET rows = 0", "DELETE FROM audit_leaves", "TRUNCATE audit_seal CASCADE"):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(attack)


def test_what_commits_late_is_sealed_in_its_place() -> None:
    with another() as late, another() as early:
        first, second = append(late), append(early)
        assert first < second
        early.commit()
        assert [seal.rows for seal in seal_rows()] in ([], [0]), "the horizon is below both while the first still runs"
        late.commit()
    made = seal_all()
    assert [pk for seal in made for pk, _ in leaves_of(seal)] == [first, second]
    assert_chained()


def test_what_is_rolled_back_leaves_no_hole() -> None:
    with another() as gone:
        append(gone)
        kept = log(2)
        gone.rollback()
    assert [pk for seal in seal_all() for pk, _ in leaves_of(seal)] == kept
    assert_chained()


def test_a_long_reading_transaction_delays_nothing() -> None:
    with another() as reader:
        reader.execute("SELECT count(*) FROM audit_log")
        log(2)
        assert sum(seal.rows for seal in seal_all()) == 2


def test_of_two_sealers_one_returns_and_writers_do_not_wait() -> None:
    log()
    with another() as sealer:
        sealer.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LOCK])
        sealer.execute("SELECT pg_current_xact_id()")
        assert seal_rows() == []
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        log()
    assert sum(seal.rows for seal in seal_all()) == 2
    assert_chained()


def test_many_rows_go_under_several_seals(settings: Any) -> None:
    settings.AUDIT_SEAL_ROWS = 4
    ids = [*log(3), *log(6), *log(4)]
    made = seal_all()
    assert max(seal.rows for seal in made) == 4
    assert [pk for seal in made for pk, _ in leaves_of(seal)] == ids
    assert_chained()


def test_a_run_ends_in_time_and_the_next_goes_on(settings: Any) -> None:
    settings.AUDIT_SEAL_ROWS = 1
    log(3)
    while not seal_rows(seconds=0):
        time.sleep(0.05)
    assert [seal.rows for seal in AuditSeal.objects.all()] == [1]
    seal_all()
    assert_chained()


def test_nothing_is_sealed_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    log()
    seal_all()
    assert seal_rows() == []
    monkeypatch.setattr(sealing, "HEARTBEAT", timedelta(0))
    (empty,) = seal_rows()
    assert (empty.rows, empty.first_id, empty.first_at) == (0, None, None)
    assert bytes(empty.root) == merkle.root([])
    log()
    seal_all()
    assert_chained()


def test_eight_writers_while_it_is_sealed(settings: Any) -> None:
    settings.AUDIT_SEAL_ROWS = 50
    stop, failures = threading.Event(), []

    def write(number: int) -> None:
        dice = random.Random(number)
        try:
            with another() as writer:
                for _ in range(40):
                    for _ in range(dice.randint(1, 4)):
                        append(writer)
                        time.sleep(dice.random() / 500)
                    writer.rollback() if dice.random() < 0.1 else writer.commit()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)

    def seal() -> None:
        try:
            while not stop.is_set():
                seal_rows()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in [*writers, *sealers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    assert failures == []
    seal_all()
    assert AuditSeal.objects.count() > 5
    assert_chained()


@pytest.mark.parametrize("how", ["unsigned", "signed over other words"])
def test_nothing_is_built_on_a_seal_that_somebody_else_has_written(how: str) -> None:
    log()
    seal_all()
    anchor_seals()
    (seal,) = AuditSeal.objects.all()
    seal.seq, seal.through_xid, seal.hash = 2, seals.END - 1, bytes(32)
    if how == "unsigned":
        seal.body = seals.body(seal, system="1")
        seal.hash = seals.hash_of(seal.body)
    seal.save(force_insert=True)
    log()
    with pytest.raises(Forged, match="Seal 2"):
        seal_rows()
    with pytest.raises(Forged, match="Seal 2"):
        anchor_seals()
    jobs.seal()
    assert IncidentLog.objects.get().fingerprint == "audit-log:forged"
    assert (AuditSeal.objects.count(), len(names())) == (2, 1)


# Anchors


def test_every_seal_lies_outside_too() -> None:
    log()
    seal_all()
    log()
    seal_all()
    assert anchor_seals() == 2
    assert anchor_seals() == 0
    store = cold.store()
    for (seq, name), seal in zip(seals.anchors(store), AuditSeal.objects.order_by("seq"), strict=True):
        assert name == f"seals/{seal.sealed_at:%Y/%m/%d}/{seq:012d}.json"
        assert AuditAnchor.objects.get(seal=seal).reference == name
        with store.open(name) as file:
            facts = json.load(file)
        assert (facts["body"], facts["hash"]) == (seal.body, bytes(seal.hash).hex())
        assert signing.is_signed(Kind.SEAL, facts["body"].encode(), facts["key_id"], bytes.fromhex(facts["signature"]))


@pytest.mark.parametrize("waiting", [1, 2, 6])
def test_what_is_said_to_lie_outside_is_looked_for_there(waiting: int) -> None:
    """The serving role may add anchors: one, and no seal before it would ever have been sent."""
    log()
    seal_all()
    anchor_seals()
    for _ in range(waiting):
        log()
        seal_all()
    AuditAnchor.objects.create(seal=AuditSeal.objects.latest("seq"), place="cold", reference="nowhere")
    assert anchor_seals() == waiting
    assert len(names()) == AuditAnchor.objects.count() == waiting + 1
    assert IncidentLog.objects.get().fingerprint == "audit-log:anchor"
    assert (anchor_seals(), len(names())) == (0, waiting + 1)


def test_cold_storage_out_of_reach_stops_no_sealing_and_is_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise TimeoutError

    log()
    with monkeypatch.context() as outage:
        outage.setattr(cold.Folder, "put", fail)
        outage.setattr(cold.Folder, "size", fail)
        outage.setattr(cold.Folder, "names", fail)
        for _ in range(2):
            log()
            seal_all()
            with pytest.raises(Unreachable):
                anchor_seals()
        assert not queries.anchoring_is_late()
        with clock.at(clock.now() + timedelta(minutes=20)):
            assert queries.anchoring_is_late()
    assert AuditAnchor.objects.count() == 0
    anchor_seals()
    assert len(names()) == AuditAnchor.objects.count() == AuditSeal.objects.count()
    assert not queries.anchoring_is_late()


def test_cold_storage_that_hangs_stops_no_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    log()
    seal_all()
    done = threading.Event()
    monkeypatch.setattr(cold.Folder, "size", lambda *args: done.wait(60))
    monkeypatch.setattr(sealing, "PATIENCE", 0.1)
    ids = log()
    assert [pk for seal in seal_all() for pk, _ in leaves_of(seal)] == ids
    done.set()


@pytest.mark.parametrize("call", ["put", "size", "names"])
def test_cold_storage_that_hangs_holds_no_run_up(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Or the queue would end the run, try it again, and have nobody left to seal."""
    answered = threading.Event()

    def hang(*args: object) -> None:
        assert answered.wait(20), "the run has waited for it"

    with monkeypatch.context() as outage:
        outage.setattr(cold.Folder, call, hang)
        outage.setattr(sealing, "PATIENCE", 0.1)
        for count in (1, 2):
            log()
            jobs.seal()
            assert AuditSeal.objects.count() == count
    answered.set()
    assert unsealed() == []
    jobs.seal()
    assert len(names()) == AuditAnchor.objects.count() == 2


def test_a_seal_that_another_sealer_makes_meanwhile_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    log()
    seal_all()
    anchor_seals()
    asked: list[str] = []
    size = cold.Folder.size

    def overtaken(store: cold.Folder, name: str) -> int:
        if not asked:
            asked.append(name)
            other = threading.Thread(target=seal_and_anchor)
            other.start()
            other.join()
        return size(store, name)

    def seal_and_anchor() -> None:
        seal_all()
        anchor_seals()
        connection.close()

    log()
    monkeypatch.setattr(cold.Folder, "size", overtaken)
    assert seal_rows() == []
    assert asked[0] in names(), "it was there when it was asked for"
    assert len(names()) == AuditSeal.objects.count() == 2


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_between_seal_and_anchor(own_database: str, settings: Any, point: str) -> None:
    log()
    code = f"""
import os, signal, time, django
django.setup()
from auditlog import cold, jobs
put = cold.Folder.put
def killed(*args):
    {"put(*args)" if point == "after" else "pass"}
    os.kill(os.getpid(), signal.SIGKILL)
cold.Folder.put = killed
for _ in range(200):
    jobs.seal()
    time.sleep(0.1)
"""
    environment = {
        **os.environ,
        "PORT444_ENV": "test",
        "DJANGO_SETTINGS_MODULE": "port444.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": copies.on_database(copies.app_url(), own_database),
        "AUDIT_COLD_URL": settings.AUDIT_COLD_URL,
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=copies.ROOT, env=environment, check=False, timeout=100)
    assert done.returncode == -signal.SIGKILL
    assert (AuditSeal.objects.count(), AuditAnchor.objects.count(), len(names())) == (1, 0, 1 if point == "after" else 0)
    jobs.seal()
    assert len(names()) == AuditAnchor.objects.count() == AuditSeal.objects.count()
    assert not IncidentLog.objects.exists()
    assert_chained()


def test_health_sees_rows_that_wait_and_a_heart_that_stopped() -> None:
    assert not queries.sealing_is_late()
    log()
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert queries.sealing_is_late()
    seal_all()
    with clock.at(clock.now() + timedelta(minutes=65)):
        assert not queries.sealing_is_late()
    with clock.at(clock.now() + timedelta(minutes=71)):
        assert queries.sealing_is_late()


# A database that lost what cold storage knows


def lose(last: int) -> None:
    """Bring the database to what it was at seal `last`, as an old backup would."""
    with another(user="postgres", autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for table in ("audit_log", "audit_leaves", "audit_anchor", "audit_seal"):
            admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        row = admin.execute("SELECT through_xid, through_id FROM audit_seal WHERE seq = %s", [last]).fetchone() or (0, 0)
        admin.execute("DELETE FROM audit_anchor WHERE seal_id > %s", [last])
        admin.execute("DELETE FROM audit_leaves WHERE seal_id > %s", [last])
        admin.execute("DELETE FROM audit_seal WHERE seq > %s", [last])
        admin.execute("DELETE FROM audit_log WHERE (xid, id) > (%s, %s)", row)


def three_seals() -> list[AuditSeal]:
    for _ in range(3):
        log(2)
        seal_all()
    anchor_seals()
    return list(AuditSeal.objects.order_by("seq"))


def test_a_database_behind_its_anchor_is_not_sealed_until_somebody_says_why() -> None:
    old = three_seals()
    lose(1)
    log()
    with pytest.raises(Behind, match=r"ends at seal 1, but seals/.*2\.json"):
        seal_rows()
    jobs.seal()
    jobs.seal()
    incident = IncidentLog.objects.get()
    assert (incident.severity, incident.pattern) == ("critical", "sealing_refused")
    assert "ends at seal 1" in incident.description
    assert AuditSeal.objects.count() == 1

    with pytest.raises(CommandError, match="reason"):
        call_command("audit_new_epoch", "--reason", " ")
    call_command("audit_new_epoch", "--reason", "Backup of Monday restored, decided by Olu")
    seal = AuditSeal.objects.get(seq=4)
    assert bytes(seal.prev_hash) == bytes(old[2].hash)
    lost = json.loads(seal.body)["lost"]
    assert lost == {
        "first": 2,
        "last": 3,
        "after": {"seq": 1, "hash": bytes(old[0].hash).hex()},
        "reason": "Backup of Monday restored, decided by Olu",
    }
    row = AuditLog.objects.get(event_type="audit.loss_acknowledged")
    assert (row.severity, row.metadata) == ("critical", {"seal": 4, "first_lost": 2, "last_lost": 3})
    assert signing.is_signed(Kind.SEAL, seal.body.encode(), seal.key_id, bytes(seal.signature))
    # The way goes on from here.
    seal_all()
    jobs.seal()
    assert unsealed() == []
    assert len(names()) == 3 + AuditAnchor.objects.filter(seal_id__gte=4).count()
    assert queries.last_anchored() == queries.last_seal().seq  # type: ignore[union-attr]  # there are some
    with pytest.raises(CommandError, match="Nothing is lost"):
        call_command("audit_new_epoch", "--reason", "again")
    assert verify(files=True).problems == []


def test_all_seals_removed_are_missed_too() -> None:
    three_seals()
    lose(0)
    with pytest.raises(Behind, match="ends at seal 0"):
        seal_rows()
    call_command("audit_new_epoch", "--reason", "Gone")
    assert json.loads(AuditSeal.objects.get().body)["lost"] == {"first": 1, "last": 3, "after": None, "reason": "Gone"}
    assert verify(files=True).problems == []


def test_seals_made_while_the_anchor_was_out_of_reach_do_not_take_the_place_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    old = three_seals()
    lose(1)

    def fail(*args: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as outage:
        outage.setattr(cold.Folder, "size", fail)
        log()
        seal_all()
    with pytest.raises(Behind, match=r"2\.json"):
        anchor_seals()
    before = names()
    call_command("audit_new_epoch", "--reason", "Backup restored")
    seal = AuditSeal.objects.order_by("seq").last()
    assert seal is not None
    lost = json.loads(seal.body)["lost"]
    assert (seal.seq, lost["first"], lost["last"], lost["after"]["seq"]) == (4, 2, 3, 2)
    assert bytes(seal.prev_hash) == bytes(old[2].hash)
    assert names() == [*before, AuditAnchor.objects.get(seal=seal).reference]
    assert verify(files=True).problems == []


def test_another_log_in_the_same_place_is_found_across_midnight() -> None:
    """The names hold the day, so two logs can write the same seal under two names."""
    log()
    seal_all()
    (seal,) = AuditSeal.objects.all()
    store = cold.store()
    with clock.at(seal.sealed_at + timedelta(days=1)):
        store.put(seals.anchor_name(2, clock.now().date()), io.BytesIO(b"{}"))
        with pytest.raises(Behind):
            seal_rows()


# A database that was moved


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, own_database: str) -> Any:
    """Moves the database into another cluster, by pg_dump and pg_restore; call it to go there."""
    folder = tmp_path_factory.mktemp("pg")
    server = devpg.Server(folder, durable=False)
    before = dict(connection.settings_dict)

    def move() -> None:
        source = connection.get_connection_params()
        dump = [server.binaries / "pg_dump", "-Fc", "-U", "postgres", "-h", source["host"], "-f", folder / "dump", own_database]
        subprocess.run(list(map(str, dump)), check=True)
        os.chmod(folder / "dump", 0o644)
        restore = [server.binaries / "pg_restore", "-U", "postgres", "-h", server.socket_folder, "-d", devpg.DATABASE, folder / "dump"]
        subprocess.run(list(map(str, restore)), check=True)
        connection.close()
        connection.settings_dict.update(HOST=str(server.socket_folder), NAME=devpg.DATABASE, USER="port444_app", PORT="", PASSWORD="")

    with server.running():
        yield move
        connection.close()
        connection.settings_dict.update(before)


def count_on(transactions: int) -> None:
    """Bring the cluster that many transactions ahead."""
    with another(autocommit=True) as ahead:
        ahead.execute(f"DO $$ BEGIN FOR i IN 1..{transactions:d} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")


def test_moved_into_another_cluster_a_new_epoch_begins(elsewhere: Any) -> None:
    count_on(8000)
    log()
    first = seal_all()
    rest = log(2)
    elsewhere()
    early = log(2)  # before the sealer comes by
    assert verify(files=True).problems == [], "though new rows stand where older ones stood by their transactions"
    seal_all()
    late = log()
    seal_all()
    old, new = AuditSeal.objects.filter(epoch=1).order_by("seq"), AuditSeal.objects.filter(epoch=2).order_by("seq")
    assert [pk for pk, _ in leaves_of(old[len(first)])] == rest
    assert (old[len(first)].through_xid, old[len(first)].through_id) == (seals.END, seals.END)
    assert len(old) == len(first) + 1
    assert {seal.floor_id for seal in new} == {rest[-1]}
    assert [pk for seal in new for pk, _ in leaves_of(seal)] == [*early, *late]
    assert queries.system_of(old[len(first)]) == queries.system_of(old[0]) != queries.system_of(new[0])
    anchor_seals()
    assert not IncidentLog.objects.exists()
    assert verify(files=True).problems == []


def test_moved_before_it_was_ever_sealed(elsewhere: Any) -> None:
    count_on(8000)
    rest = log(2)
    elsewhere()
    early = log(2)
    seal_all()
    late = log()
    seal_all()
    old, new = AuditSeal.objects.filter(epoch=1).order_by("seq"), AuditSeal.objects.filter(epoch=2).order_by("seq")
    assert [[pk for seal in of for pk, _ in leaves_of(seal)] for of in (old, new)] == [rest, [*early, *late]]
    anchor_seals()
    assert not IncidentLog.objects.exists()
    assert verify(files=True).problems == []


def test_what_came_along_is_sealed_in_parts(elsewhere: Any, settings: Any) -> None:
    """However much it is, no more than one seal's rows are in memory."""
    count_on(8000)
    log()
    seal_all()
    rest = log(5)
    elsewhere()
    early = log(2)
    settings.AUDIT_SEAL_ROWS = 2
    assert [seal.rows for seal in seal_rows(seconds=0)] == [2]
    assert verify().problems == [], "with the rest to come, and new rows in between"
    seal_all()
    assert [seal.rows for seal in AuditSeal.objects.filter(epoch=1).order_by("seq")] == [1, 2, 2, 1]
    assert [pk for seal in AuditSeal.objects.filter(seq__gt=1).order_by("seq") for pk, _ in leaves_of(seal)] == [*rest, *early]
    anchor_seals()
    assert verify(files=True).problems == []


def test_moved_into_a_cluster_whose_transactions_are_ahead(elsewhere: Any) -> None:
    """What came along unsealed cannot be told by its transaction there, and is sealed with the new rows."""
    log()
    first = seal_all()
    rest = log(2)
    elsewhere()
    count_on(3000)
    early = log(2)
    seal_all()
    sealed = [pk for seal in AuditSeal.objects.filter(seq__gt=len(first)).order_by("seq") for pk, _ in leaves_of(seal)]
    assert sorted(sealed) == [*rest, *early]
    assert unsealed() == []
    assert set(AuditSeal.objects.values_list("epoch", flat=True)) == {1, 2}
    assert verify(files=True).problems == []


def test_moved_into_another_cluster_and_behind_its_anchor(elsewhere: Any) -> None:
    count_on(8000)
    old = three_seals()
    lose(1)
    rest = log()
    elsewhere()
    early = log()
    with pytest.raises(Behind):
        seal_rows()
    call_command("audit_new_epoch", "--reason", "An old dump is all that is left")
    seal_all()
    first, second = AuditSeal.objects.filter(seq__gt=1).order_by("seq")[:2]
    assert (first.seq, first.epoch, second.seq, second.epoch) == (4, 1, 5, 2)
    assert bytes(first.prev_hash) == bytes(old[2].hash)
    assert [pk for pk, _ in leaves_of(first)] == rest
    assert [pk for pk, _ in leaves_of(second)][:1] == early
    assert unsealed() == []
    assert verify(files=True).problems == []


# Keys


def test_a_new_key_is_printed_with_its_public_half(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit_key")
    said = capsys.readouterr().out
    settings.AUDIT_SIGNING_KEY = said.split()[0].removeprefix("AUDIT_SIGNING_KEY=")
    key, signature = signing.sign(Kind.SEAL, b"x")
    public = said.split("public half ")[1].split(",")[0]
    assert key in said
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_PUBLIC_KEYS = "", [public]
    assert signing.is_signed(Kind.SEAL, b"x", key, signature)
    assert not signing.is_signed(Kind.SEAL, b"y", key, signature)


def test_what_was_signed_as_one_thing_is_not_signed_as_another() -> None:
    """However a text came to be signed, it cannot be shown as something else."""
    for kind in Kind:
        key, signature = signing.sign(kind, b"{}")
        assert [other for other in Kind if signing.is_signed(other, b"{}", key, signature)] == [kind]
    assert len({kind.over(b"").partition(b"\n")[0] for kind in Kind}) == len(Kind), "and none begins another"


def test_after_a_change_of_keys_both_are_known(settings: Any) -> None:
    log()
    (before,) = seal_all()
    old = next(iter(signing.public_keys().values())).public_bytes_raw()
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    settings.AUDIT_PUBLIC_KEYS = [base64.b64encode(old).decode()]
    log()
    (after,) = seal_all()
    assert before.key_id != after.key_id == json.loads(after.body)["key_id"]
    assert_chained()
