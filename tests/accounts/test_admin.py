from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts import actions
from port444.accounts.emails import Letter
from port444.accounts.models import User
from port444.kit import console
from port444.kit.errors import NotAllowed

REASON = "Payment disputes on four orders."


@pytest.fixture
def console_client(client: Client, staff: User, settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    return client


def test_every_list_opens_and_changes_nothing(console_client: Client) -> None:
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert console_client.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert console_client.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200, name
        assert console_client.get(reverse(f"{name}_add")).status_code == 403, name


def test_only_read_only_pages_are_in_the_console() -> None:
    assert {User, AuditLog} <= set(admin.site._registry)
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, console.ReadOnlyAdmin)] == []


def test_closing_and_opening_an_account_are_plans(console_client: Client, client_user: User, staff: User) -> None:
    """Opening one takes two people: nothing in the records does it."""
    record_of = reverse("admin:accounts_user_change", args=[client_user.pk])
    page = console_client.get(record_of).content.decode()
    assert f"{reverse('support:draft', args=['user_suspend'])}?person={client_user.pk}" in page
    assert client_user.password not in page
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    page = console_client.get(record_of).content.decode()
    assert f"{reverse('support:draft', args=['user_reinstate'])}?person={client_user.pk}" in page
    for verb in ("suspend", "reinstate"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:accounts_user_{verb}", args=[client_user.pk])
        assert console_client.post(f"/console/accounts/user/{client_user.pk}/{verb}/", {"reason": REASON}).status_code in (302, 404)
    client_user.refresh_from_db()
    assert client_user.is_suspended


def test_nobody_opens_their_own_account(staff: User, senior: User) -> None:
    actions.suspend(staff.pk, actor=senior, reason=REASON)
    with pytest.raises(NotAllowed):
        actions.reinstate(staff.pk, actor=staff)
    User.objects.filter(pk=staff.pk).update(is_active=True)
    loaded = User.objects.get(pk=staff.pk)
    loaded.suspended_at = None  # whatever a stale object says of its actor
    with pytest.raises(NotAllowed) as refusal:
        actions.reinstate(staff.pk, actor=loaded)
    assert refusal.value.code == "own_case"
    assert User.objects.get(pk=staff.pk).is_suspended
    assert not AuditLog.objects.filter(event_type="user.reinstated").exists()


def test_words_of_a_queued_mail_are_not_shown(console_client: Client) -> None:
    queued = actions.queue_mail(Letter("mira@example.com", "Confirm", "https://port444.example/secret-link", "<p>secret-link</p>"))
    page = console_client.get(reverse("admin:accounts_queuedmail_change", args=[queued.pk])).content.decode()
    assert "mira@example.com" in page
    assert "secret-link" not in page


@pytest.mark.parametrize("by", ["email", "person", "target", "nobody"])
def test_log_is_found_by_whole_ids_and_emails(console_client: Client, client_user: User, stranger: User, by: str) -> None:
    record(Event.LOGIN, actor=client_user, target=client_user)
    record(Event.LOGIN, actor=stranger, target=stranger)
    record(Event.USER_SUSPENDED, actor=None, target=client_user)
    term = {"email": client_user.email, "person": str(client_user.pk), "target": str(client_user.pk), "nobody": "no@example.com"}[by]
    found = console_client.get(reverse("admin:auditlog_auditlog_changelist"), {"q": term}).context["cl"].result_count
    assert found == {"email": 1, "person": 3, "target": 3, "nobody": 0}[by]


def test_reading_the_log_is_recorded_here_too(console_client: Client, staff: User, client_user: User) -> None:
    row = record(Event.LOGIN, actor=client_user, target=client_user)
    page = console_client.get(reverse("admin:auditlog_auditlog_changelist"), {"q": client_user.email})
    assert not page.context["cl"].has_filters, "which would read all of a long log"
    console_client.get(reverse("admin:auditlog_auditlog_change", args=[row]))
    read = AuditLog.objects.filter(event_type="audit.read").order_by("id")
    assert [(one.actor_id, one.actor_type) for one in read] == [(staff.pk, "admin")] * 2
    assert [one.metadata["asked"]["query"] for one in read] == [f"q={client_user.email.replace('@', '%40')}", ""]


def test_long_lists_are_not_counted_to_the_end(client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "MOST_ROWS", 3)
    for _ in range(5):
        record(Event.LOGIN, actor=client_user, target=client_user)
    assert console.CappedPaginator(AuditLog.objects.events().order_by("-timestamp"), 2).count == 3


def test_signing_out_of_the_console_is_recorded(console_client: Client, staff: User) -> None:
    assert console_client.get("/console/logout/").status_code == 405
    console_client.post("/console/logout/")
    assert "_auth_user_id" not in console_client.session
    assert AuditLog.objects.events().get().event_type == "auth.logout"
