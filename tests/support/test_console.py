"""The door of the console and what stands on every page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import now
from port444.payments.models import ChainDifference
from support.models import SupportAction, Viewing
from support.roles import GROUPS
from support.tabs import TABS
from support.views.frame import console_page

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
Make = Callable[..., User]
OWN = ["support:home", "support:search", "support:audit"]


@pytest.mark.parametrize("page", OWN)
def test_nobody_outside_the_groups_gets_in(browse: Browse, client_user: User, make_user: Make, page: str) -> None:
    assert browse(None).get(reverse(page))["Location"].startswith(reverse("account_login"))
    assert browse(client_user).get(reverse(page)).status_code == 404
    idle = browse(make_user("Nobody Yet", is_staff=True))
    assert idle.get(reverse(page), follow=True).status_code == 403
    assert idle.get(reverse("admin:orders_order_changelist"), follow=True).status_code == 403


WHO = ["agent", "senior", "finance", "security", "auditor"]


@pytest.mark.parametrize("who", WHO)
def test_tabs_are_those_of_the_group_and_open(browse: Browse, request: pytest.FixtureRequest, who: str) -> None:
    user = request.getfixturevalue(who)
    client = browse(user)
    page = client.get(reverse("support:home"))
    assert page.status_code == 200
    allowed = set().union(*(GROUPS[group.name] for group in user.groups.all()))
    shown = [tab for tab, _ in page.context["tabs"]]
    assert shown == [tab for tab in TABS if not tab.permission or tab.permission in allowed]
    for tab in TABS:
        answer = client.get(reverse(tab.url))
        assert answer.status_code == (200 if tab in shown else 403), tab.key
        assert answer.status_code == 403 or "no-store" in answer.headers["Cache-Control"]


def test_a_page_without_its_permission_says_so_and_writes_nothing(browse: Browse, agent: User) -> None:
    answer = browse(agent).get(reverse("support:audit"))
    assert answer.status_code == 403
    assert b"Your group may not do this: read the audit log." in answer.content
    assert not SupportAction.objects.exists()


def test_a_page_names_a_permission_that_there_is() -> None:
    with pytest.raises(LookupError):
        console_page("see_poeple")


def test_a_suspended_member_of_staff_is_out(browse: Browse, senior: User) -> None:
    client = browse(senior)
    User.objects.filter(pk=senior.pk).update(suspended_at=now(), suspension_reason="Left")
    assert client.get(reverse("support:home")).status_code == 403


def test_who_leaves_the_group_is_out_at_once(browse: Browse, senior: User) -> None:
    client = browse(senior)
    assert client.get(reverse("support:home")).status_code == 200
    senior.groups.clear()
    assert client.get(reverse("support:home"), follow=True).status_code == 403


def test_an_open_viewing_stands_on_every_page(browse: Browse, agent: User, client_user: User) -> None:
    moment = now()
    viewing = Viewing(agent=agent, subject=client_user, reason="Cannot pay", reference="P4-1", started_at=moment)
    viewing.agent_session = viewing.agent_auth = "x" * 64
    viewing.expires_at = moment + timedelta(hours=1)
    viewing.save()
    for page in ("support:home", "admin:index", "admin:orders_order_changelist"):
        assert "You are viewing as Jonas Vermeer" in browse(agent).get(reverse(page)).content.decode()
    Viewing.objects.update(started_at=moment - timedelta(hours=2), expires_at=moment - timedelta(hours=1))
    assert "You are viewing as" not in browse(agent).get(reverse("support:home")).content.decode()


def test_records_cannot_be_changed_by_anybody(browse: Browse, staff: User, client_user: User) -> None:
    client = browse(staff)
    change = reverse("admin:accounts_user_change", args=[client_user.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"name": "Somebody else"}).status_code == 403
    assert client.post(reverse("admin:accounts_user_delete", args=[client_user.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:accounts_user_add")).status_code == 403
    client.post(reverse("admin:accounts_user_changelist"), {"action": "delete_selected", "_selected_action": [client_user.pk]})
    client_user.refresh_from_db()
    assert client_user.name == "Jonas Vermeer"


def test_the_queries_of_the_frame_are_fixed(browse: Browse, staff: User, django_assert_num_queries: Any) -> None:
    client = browse(staff)
    client.get(reverse("admin:index"))
    with django_assert_num_queries(6):  # session, user, what they may (two), the numbers beside the tabs, the open viewing
        client.get(reverse("admin:index"))


def test_what_is_done_in_the_records_needs_its_permission(browse: Browse, agent: User, senior: User) -> None:
    row = ChainDifference.objects.create(fingerprint="position:1", kind="position", text="A deal holds less.")
    ask = reverse("admin:payments_chain_difference", args=[row.pk])
    said = {"reason": "It was our drill."}
    assert browse(agent).get(ask).status_code == 403
    assert browse(agent).post(ask, said).status_code == 403
    assert ChainDifference.objects.get().gone_at is None
    assert browse(senior).post(ask, said).status_code == 302
    assert ChainDifference.objects.get().gone_at is not None
    assert SupportAction.objects.get().action_type == "escrow"


def test_incidents_and_the_log_are_records_of_their_own_permission(browse: Browse, agent: User, finance: User) -> None:
    log, incidents = reverse("admin:auditlog_auditlog_changelist"), reverse("admin:auditlog_incidentlog_changelist")
    assert [browse(agent).get(page).status_code for page in (log, incidents)] == [403, 200]
    assert [browse(finance).get(page).status_code for page in (log, incidents)] == [200, 403]
    labels = {model["object_name"] for app in browse(agent).get(reverse("admin:index")).context["app_list"] for model in app["models"]}
    assert "IncidentLog" in labels
    assert "AuditLog" not in labels
