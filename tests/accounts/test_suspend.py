from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts import actions
from port444.accounts.models import QueuedMail, Session, User
from port444.kit.errors import Invalid, NotAllowed, WrongState

REASON = "Payment disputes on four orders."


def test_suspended_person_is_out_at_the_next_request_and_told_why(client: Client, client_user: User, staff: User) -> None:
    client.force_login(client_user)
    assert client.get("/settings/").status_code == 200
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    assert not Session.objects.filter(user=client_user).exists()
    refused = client.post("/settings/", {"name": "Changed", "time_zone": "UTC", "language": "en", "theme": "dark"})
    assert refused.status_code == 403
    assert REASON in refused.content.decode()
    client_user.refresh_from_db()
    assert client_user.name == "Jonas Vermeer"
    assert "/account/login/" in client.get("/settings/")["Location"]  # signed out for good


def test_session_that_came_back_is_refused_as_well(client: Client, client_user: User, staff: User) -> None:
    """A request that runs during the suspension writes its session once more."""
    client.force_login(client_user)
    before = Session.objects.get()
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    before.save()
    refused = client.get("/settings/")
    assert refused.status_code == 403
    assert REASON in refused.content.decode()
    assert not Session.objects.filter(user=client_user).exists()


def test_fragment_leads_to_the_page_that_says_why(client: Client, client_user: User, staff: User) -> None:
    client.force_login(client_user)
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    fragment = client.get("/settings/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (403, "/")
    assert REASON in client.get("/").content.decode()


def test_told_why_when_signing_in(client: Client, client_user: User, staff: User) -> None:
    EmailAddress.objects.create(user=client_user, email=client_user.email, verified=True, primary=True)
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    wrong = client.post("/account/login/", {"login": client_user.email, "password": "wrong"})
    assert REASON not in wrong.content.decode()
    right = client.post("/account/login/", {"login": client_user.email, "password": "correct horse battery"})
    assert right.status_code == 403
    assert REASON in right.content.decode()
    assert "_auth_user_id" not in client.session
    assert AuditLog.objects.filter(event_type="auth.login_failed", metadata__why="suspended").count() == 1


def test_recorded_and_told_by_mail(client_user: User, staff: User) -> None:
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    row = AuditLog.objects.events().get()
    assert (row.event_type, row.actor_id, row.target_id, row.description) == ("user.suspended", staff.pk, client_user.pk, REASON)
    assert REASON in QueuedMail.objects.get(to=client_user.email).text


@pytest.mark.parametrize("reason", ["", "  short  ", "x" * 301])
def test_needs_a_reason(client_user: User, staff: User, reason: str) -> None:
    with pytest.raises(Invalid):
        actions.suspend(client_user.pk, actor=staff, reason=reason)
    nothing_happened(client_user)


@pytest.mark.parametrize("who", ["self", "other"])
def test_staff_only(client_user: User, stranger: User, who: str) -> None:
    with pytest.raises(NotAllowed):
        actions.suspend(client_user.pk, actor=stranger if who == "other" else client_user, reason=REASON)
    nothing_happened(client_user)


def test_staff_cannot_suspend_themselves(staff: User) -> None:
    with pytest.raises(NotAllowed):
        actions.suspend(staff.pk, actor=staff, reason=REASON)
    nothing_happened(staff)


def test_twice_is_refused(client_user: User, staff: User) -> None:
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    with pytest.raises(WrongState):
        actions.suspend(client_user.pk, actor=staff, reason=REASON)
    assert AuditLog.objects.events().count() == 1


def test_reinstated_person_signs_in_again(client: Client, client_user: User, staff: User) -> None:
    client.force_login(client_user)
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    actions.reinstate(client_user.pk, actor=staff, reason="Settled with the payer.")
    assert client.get("/account/login/").status_code == 200  # the mark in the old session means nothing any more
    client.force_login(client_user)
    assert client.get("/settings/").status_code == 200
    row = AuditLog.objects.filter(event_type="user.reinstated").get()
    assert (row.before_state or {})["suspension_reason"] == REASON
    assert row.after_state == {"suspended_at": None, "suspension_reason": ""}
    with pytest.raises(WrongState):
        actions.reinstate(client_user.pk, actor=staff)


def test_others_stay_signed_in(client: Client, client_user: User, stranger: User, make_user: Callable[..., User], staff: User) -> None:
    client.force_login(stranger)
    actions.suspend(client_user.pk, actor=staff, reason=REASON)
    assert client.get("/settings/").status_code == 200


def nothing_happened(user: User) -> None:
    user.refresh_from_db()
    assert not user.is_suspended
    assert not AuditLog.objects.events().exists()
    assert not QueuedMail.objects.exists()
    assert not OrmQ.objects.exists()
