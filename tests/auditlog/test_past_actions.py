"""Rows that were changed past the actions are found, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.db import connection, transaction

from auditlog import jobs
from auditlog.actions import look_past_actions, record, witnessing
from auditlog.events import Event
from auditlog.models import AuditCheck, AuditLog, CheckKind, IncidentLog
from port444.accounts.actions import change_profile
from port444.accounts.models import User
from port444.kit import clock, context
from port444.kit.ids import uuid7

from .sealed import another, seal_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def looked_at(client_user: User) -> None:
    """What the tests' own beginnings and other tests have left."""
    settle()


def settle() -> None:
    seal_all()
    with clock.at(clock.now() + timedelta(minutes=3)):
        while look_past_actions():
            pass


def reported() -> tuple[int, int]:
    return IncidentLog.objects.count(), AuditLog.objects.filter(event_type="audit.unexplained_change").count()


def told_of() -> IncidentLog:
    """What the last finding was added to: an incident that other tests have left open, perhaps."""
    found = AuditLog.objects.filter(event_type="audit.unexplained_change").latest("id")
    return IncidentLog.objects.get(pk__in=[found.target_id])


def find() -> list[tuple[list[str], str, int]]:
    seal_all()
    with clock.at(clock.now() + timedelta(minutes=3)):
        return [(one.models, one.actor, one.changes) for one in look_past_actions()]


def test_a_change_at_a_prompt_becomes_an_incident(client_user: User) -> None:
    assert "auditlog.jobs.witness" in site.SCHEDULES
    with another(user="port444_owner", autocommit=True) as owner:
        owner.execute("SET application_name = 'psql'")
        owner.execute("UPDATE accounts_user SET is_staff = true WHERE id = %s", [client_user.pk])
    assert find() == [(["user"], "db:port444_owner/psql", 1)]
    incident = told_of()
    assert (incident.severity, incident.status, incident.pattern) == ("critical", "open", "past_the_actions")
    assert "1 changes of user by db:port444_owner/psql" in incident.description
    event = AuditLog.objects.filter(event_type="audit.unexplained_change").latest("id")
    row = AuditLog.objects.filter(event_type="row.updated", target_id=client_user.pk).latest("id")
    assert (event.target_id, event.metadata["found"]["xid"], event.metadata["found"]["first_id"]) == (incident.pk, row.xid, row.pk)
    check = AuditCheck.objects.filter(kind=CheckKind.ACTIONS).latest("checked_at")
    assert (check.ok, len(check.problems)) == (False, 1)
    assert find() == [], "and once"


def test_every_further_one_renews_the_incident(client_user: User) -> None:
    for reason in ("first", "second"):
        User.objects.filter(pk=client_user.pk).update(suspended_at=clock.now(), suspension_reason=reason)
        assert len(find()) == 1
    assert IncidentLog.objects.filter(fingerprint="audit-log:unexplained:unknown:db:port444_app/port444:user").count() == 1


def by_action(user: User) -> None:
    change_profile(user.pk, actor=user, changes={"name": "Another"})


def in_one_transaction(user: User) -> None:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(language="nl")
        record(Event.PROFILE_CHANGED, actor=user, target=user)


def in_one_request(user: User) -> None:
    with context.use(source="web", request_id=uuid7()):
        User.objects.filter(pk=user.pk).update(language="nl")
        with transaction.atomic():
            record(Event.PROFILE_CHANGED, actor=user, target=user)


def without_effect(user: User) -> None:
    User.objects.filter(pk=user.pk).update(language=user.language, theme="dark")


@pytest.mark.parametrize("write", [by_action, in_one_transaction, in_one_request, without_effect])
def test_what_an_event_tells_of_is_no_incident(client_user: User, write: Callable[[User], None]) -> None:
    before = reported()
    write(client_user)
    assert find() == []
    assert reported() == before


def test_an_event_of_another_transaction_tells_nothing(client_user: User) -> None:
    by_action(client_user)
    with context.use(source="web", actor_type="user", actor_id=client_user.pk, actor_email=client_user.email, request_id=uuid7()):
        User.objects.filter(pk=client_user.pk).update(is_staff=True)
    in_one_request(client_user)
    assert find() == [(["user"], client_user.email, 1)]
    assert told_of().severity == "medium", "an action of ours that does not record"


def test_none_is_hidden_behind_many(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever floods the finder with small changes does not get a large one past it."""
    monkeypatch.setattr(witnessing, "MOST_FOUND", 3)
    for number in range(5):
        User.objects.filter(pk=client_user.pk).update(name=f"Another {number}")
        if number % 2:
            seal_all()
    seen = 0
    while found := find():
        seen += len(found)
    assert seen == 5


def test_the_event_of_a_request_may_be_in_the_copy_or_not_yet(client_user: User) -> None:
    in_one_request(client_user)
    seal_all()
    jobs.index()
    in_one_request(client_user)
    assert find() == []


@pytest.mark.usefixtures("db")
def test_requests_are_looked_up_where_there_is_an_index_for_them() -> None:
    """Which index a nearly empty table is read by is the planner's mood, so this holds the index to the question."""
    first = witnessing.TOLD.partition("UNION")[0]
    assert "FROM audit_find" in first
    assert "WHERE request_id = ANY" in first
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'audit_find'")
        assert any("(request_id, " in definition for (definition,) in cursor.fetchall())


def test_what_has_just_been_sealed_waits(client_user: User) -> None:
    """Of a request that is still under way the event may be to come."""
    before = reported()
    User.objects.filter(pk=client_user.pk).update(is_staff=True)
    seal_all()
    jobs.witness()
    assert reported() == before
    assert len(find()) == 1


def test_of_two_who_look_one_does(client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(is_staff=True)
    seal_all()
    with another(user="port444_app") as other, clock.at(clock.now() + timedelta(minutes=3)):
        other.execute("SELECT pg_advisory_xact_lock(%s)", [0x7769746E])
        assert look_past_actions() == []
    assert len(find()) == 1


@pytest.mark.parametrize("name", ["password", "api_key", "hook_secret", "access-token", "Session_Key"])
def test_what_is_called_like_a_secret_is_refused_and_left_out(client_user: User, settings: Any, name: str) -> None:
    facts: list[dict[str, Any]] = [{"before": {name: "x7y8"}}, {"after": {"deep": [{name: "x7y8"}]}}, {"facts": {name: "x7y8"}}]
    for fact in facts:
        with pytest.raises(ValueError, match="called like a secret"), transaction.atomic():
            record(Event.LOGIN, actor=client_user, target=client_user, **fact)
        settings.ENVIRONMENT = "production"
        with transaction.atomic():
            pk = record(Event.LOGIN, actor=client_user, target=client_user, **fact)
        settings.ENVIRONMENT = "test"
        with connection.cursor() as cursor:
            cursor.execute("SELECT l::text FROM audit_log l WHERE id = %s", [pk])
            line = cursor.fetchone()[0]
        assert "x7y8" not in line
        assert "[secret]" in line


def test_personal_values_are_left_out_of_events(client_user: User) -> None:
    change_profile(client_user.pk, actor=client_user, changes={"name": "Another", "phone": "+31201234567", "language": "en", "time_zone": "UTC"})
    event = AuditLog.objects.filter(event_type="user.profile_changed").latest("id")
    assert event.before_state == {"name": "[personal]", "phone": "", "time_zone": "Europe/Amsterdam"}
    assert event.after_state == {"name": "[personal]", "phone": "[personal]", "time_zone": "UTC"}
