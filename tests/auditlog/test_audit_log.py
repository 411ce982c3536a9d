from __future__ import annotations

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from auditlog import jobs, roles
from auditlog.actions import Finding, ensure_partitions, open_incident, record
from auditlog.events import Event
from auditlog.models import AuditExport, AuditLog, IncidentLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit import context

from .sealed import another, append


def test_record_keeps_who_what_and_where(client_user: User) -> None:
    with context.use(ip_address="203.0.113.9", user_agent="Browser"):
        pk = record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, before={"language": "A"}, after={"language": "B"}, why="typo")
    row = AuditLog.objects.get(pk=pk)
    assert (row.actor_id, row.actor_email, row.actor_type) == (client_user.pk, client_user.email, "user")
    assert (row.target_type, row.target_id) == ("user", client_user.pk)
    assert (row.before_state, row.after_state, row.metadata) == ({"language": "A"}, {"language": "B"}, {"why": "typo"})
    assert (row.ip_address, row.user_agent) == ("203.0.113.9", "Browser")


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit_log SET description = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log (timestamp, event_type, event_category, severity, actor_type, target_type, action) "
        "VALUES ('2020-01-01', 'x', 'financial', 'info', 'system', 'x', 'x')",
        "ALTER TABLE audit_log DISABLE TRIGGER no_change",
        "DROP TABLE audit_log",
        "SET session_replication_role = replica",
    ],
)
def test_serving_role_cannot_touch_the_log(client_user: User, attack: str) -> None:
    pk = record(Event.LOGIN, actor=client_user, target=client_user)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)
    assert AuditLog.objects.filter(pk=pk, event_type="auth.login").exists()


def test_one_live_incident_for_a_fingerprint(client_user: User) -> None:
    def finding(confidence: int) -> Finding:
        return Finding("fast:1", IncidentType.FAST_WITHDRAWAL, IncidentSeverity.MEDIUM, confidence, "Fast", user_id=client_user.pk)

    first, second = open_incident(finding(60)), open_incident(finding(70))
    assert first.pk == second.pk
    assert IncidentLog.objects.get().confidence == 70


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_log'::regclass")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.usefixtures("db")
def test_the_log_has_room_ahead_and_new_room_is_as_closed_as_the_old() -> None:
    """Without a partition for its month every audited action would fail, so the daily job must be there and must work."""
    assert "auditlog.jobs.partitions" in settings.SCHEDULES
    before = partitions()
    assert len(before) >= 4
    jobs.partitions()
    assert partitions() == before, "the migration makes what the job keeps"
    ensure_partitions(6)
    made = sorted(partitions() - before)
    assert len(made) == 3
    for attack in (f"TRUNCATE {made[0]}", f"DELETE FROM {made[0]}", f"UPDATE {made[0]} SET action = ''", f"INSERT INTO {made[0]} DEFAULT VALUES"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attack)


def test_room_is_made_beside_a_backup_and_a_writer(client_user: User) -> None:
    """Waiting for either, it would make every action wait."""
    with another(user="port444_app") as writer, another(user="port444_owner") as backup:
        backup.execute("LOCK TABLE audit_log IN ACCESS SHARE MODE")
        append(writer)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            cursor.execute("SELECT audit_ensure_partitions(11)")
        append(writer)
        looked_at = dict(roles.examine())
        faults = [*looked_at["Rights on tables"], *looked_at["Triggers that refuse changes"], *looked_at["Partitions"]]
        assert [fault for fault in faults if "audit_log" in fault] == []
        writer.rollback()


def test_export_is_told_from_the_ledger_of_exports(client_user: User) -> None:
    pk = record(Event.LOGIN, actor=client_user, target=client_user)
    row = AuditLog.objects.get(pk=pk)
    exported = AuditLog.objects.with_export().filter(pk=pk)
    assert [(r.__dict__["exported_to_cold_storage"], r.__dict__["exported_at"]) for r in exported] == [(False, None)]
    ranges = {"from_xid": row.xid, "through_xid": row.xid, "first_id": pk, "last_id": pk, "rows": 1, "data_bytes": 1}
    export = AuditExport.objects.create(first_seal=1, last_seal=1, **ranges)
    assert [(r.__dict__["exported_to_cold_storage"], r.__dict__["exported_at"]) for r in exported.all()] == [(True, export.exported_at)]
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditExport.objects.update(rows=2)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditExport.objects.create(first_seal=1, last_seal=3, **ranges)
