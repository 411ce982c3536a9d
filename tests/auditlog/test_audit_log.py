from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from auditlog.actions import Finding, open_incident, record
from auditlog.events import Event
from auditlog.models import AuditLog, IncidentLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit import context


def test_record_keeps_who_what_and_where(client_user: User) -> None:
    with context.use(ip_address="203.0.113.9", user_agent="Browser"):
        pk = record(Event.PROFILE_CHANGED, actor=client_user, target=client_user, before={"name": "A"}, after={"name": "B"}, why="typo")
    row = AuditLog.objects.get(pk=pk)
    assert (row.actor_id, row.actor_email, row.actor_type) == (client_user.pk, client_user.email, "user")
    assert (row.target_type, row.target_id) == ("user", client_user.pk)
    assert (row.before_state, row.after_state, row.metadata) == ({"name": "A"}, {"name": "B"}, {"why": "typo"})
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
