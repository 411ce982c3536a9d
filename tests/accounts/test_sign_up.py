from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import mail
from django.test import Client
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts import jobs
from port444.accounts.models import QueuedMail, User

FORM = {"name": "Mira Okafor", "email": "Mira@Example.com", "password1": "correct horse battery", "role": "work", "time_zone": "Africa/Lagos"}


def link(text: str, path: str) -> str:
    found = re.search(rf"{settings.SITE_URL}({path}\S+)", text)
    assert found
    return found[1]


def deliver() -> Any:
    """Do what the queue does with the last mail about an account."""
    jobs.send_mail(str(QueuedMail.objects.latest("created_at").pk))
    return mail.outbox[-1]


def test_signs_up_confirms_and_signs_in(client: Client, db: None) -> None:
    answer = client.post("/account/signup/", FORM)
    assert answer.status_code == 302
    user = User.objects.get()
    assert (user.name, user.email, user.time_zone) == ("Mira Okafor", "mira@example.com", "Africa/Lagos")
    assert (user.is_builder, user.is_client) == (True, False)
    assert mail.outbox == []  # nothing is sent in the request
    message = deliver()
    assert message.to == ["mira@example.com"]

    client.post("/account/login/", {"login": user.email, "password": FORM["password1"]})
    assert "_auth_user_id" not in client.session  # not before the address is confirmed

    path = link(message.body, "/account/confirm-email/")
    assert client.get(path).status_code == 200
    assert not EmailAddress.objects.get().verified  # a mail scanner opens links
    client.post(path)
    assert EmailAddress.objects.get().verified
    client.post("/account/login/", {"login": user.email, "password": FORM["password1"]})
    assert client.session["_auth_user_id"] == str(user.pk)
    assert [row.event_type for row in AuditLog.objects.events().order_by("id")] == ["user.signed_up", "auth.email_changed", "auth.login"]
    assert user.devices.count() == 1


@pytest.mark.parametrize(("role", "is_client", "is_builder"), [("hire", True, False), ("work", False, True), ("both", True, True)])
def test_role_opens_the_sides(client: Client, db: None, role: str, is_client: bool, is_builder: bool) -> None:
    client.post("/account/signup/", {**FORM, "role": role})
    user = User.objects.get()
    assert (user.is_client, user.is_builder) == (is_client, is_builder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "http://spam.example"), ("name", " "), ("role", "admin"), ("time_zone", "Mars/Base"), ("password1", "short"), ("email", "nobody")],
)
def test_bad_input_makes_no_account(client: Client, db: None, field: str, value: str) -> None:
    answer = client.post("/account/signup/", {**FORM, field: value})
    assert answer.context["form"].errors[field]
    assert not User.objects.exists()
    assert not QueuedMail.objects.exists()
    assert not OrmQ.objects.exists()


def test_taken_address_looks_the_same_and_tells_its_owner(client: Client, client_user: User) -> None:
    EmailAddress.objects.create(user=client_user, email=client_user.email, verified=True, primary=True)
    taken = client.post("/account/signup/", {**FORM, "email": client_user.email.upper()})
    fresh = Client().post("/account/signup/", FORM)
    assert (taken.status_code, taken["Location"]) == (fresh.status_code, fresh["Location"])
    assert User.objects.filter(email=client_user.email).count() == 1
    assert "already" in QueuedMail.objects.get(to=client_user.email).text


def test_password_reset_ends_all_sessions(client: Client, client_user: User) -> None:
    EmailAddress.objects.create(user=client_user, email=client_user.email, verified=True, primary=True)
    thief = Client()
    thief.force_login(client_user)
    client.post("/account/password/reset/", {"email": client_user.email})
    path = link(deliver().body, "/account/password/reset/key/")
    form = client.get(path, follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": "another horse battery", "password2": "another horse battery"})
    client_user.refresh_from_db()
    assert client_user.check_password("another horse battery")
    assert thief.get("/settings/").status_code == 302
    assert AuditLog.objects.filter(event_type="auth.password_changed", actor_id=client_user.pk).count() == 1


def test_rate_limit_after_wrong_passwords(client: Client, client_user: User) -> None:
    for _ in range(5):
        client.post("/account/login/", {"login": client_user.email, "password": "wrong"})
    answer = client.post("/account/login/", {"login": client_user.email, "password": "correct horse battery"})
    assert "Too many" in answer.content.decode()
    assert "_auth_user_id" not in client.session
    failed = AuditLog.objects.filter(event_type="auth.login_failed")
    assert [row.metadata["why"] for row in failed.order_by("pk")] == ["password"] * 5 + ["too many tries"]
    assert {row.target_id for row in failed} == {client_user.pk}


def test_failed_login_of_nobody_is_recorded(client: Client, db: None) -> None:
    client.post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})
    row = AuditLog.objects.events().get()
    assert (row.event_type, row.target_id, row.actor_id) == ("auth.login_failed", None, None)
    assert row.metadata == {"email": "nobody@example.com", "why": "password"}


@pytest.mark.parametrize(("who", "page"), [("client_user", "/"), ("builder_user", "/today/")])
def test_signing_in_leads_to_where_the_person_works(client: Client, request: pytest.FixtureRequest, who: str, page: str) -> None:
    user = request.getfixturevalue(who)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    answer = client.post("/account/login/", {"login": user.email, "password": "correct horse battery"})
    assert answer["Location"] == page
