"""Plans as staff see them: begun, looked at, asked for, decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from port444.accounts.models import User
from port444.kit.clock import now
from port444.notifications.models import Notification
from support.actions import approve_plan, draft_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind, PlanStatus, SupportAction
from support.roles import who_may
from support.views import plans as pages

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
SUSPEND = {"told": "Your account was used for spam.", "reason": "Ticket 5531"}


def begin(browser: Client, kind: str, **form: Any) -> Any:
    return browser.post(reverse("support:draft", args=[kind]), form)


def page(plan: Plan) -> str:
    return reverse("support:plan", args=[plan.number])


def step(browser: Client, plan: Plan, name: str, **form: Any) -> Any:
    return browser.post(reverse(f"support:{name}_plan", args=[plan.number]), form)


def asked(client_user: User, senior: User) -> Plan:
    """A plan that waits for a second person."""
    User.objects.filter(pk=client_user.pk).update(suspended_at=now(), suspension_reason="Spam was sent")
    plan = draft_plan(PlanKind.REINSTATE, actor=senior, asked={}, reason="It was a mistake", about=About(target_user=client_user))
    return submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)


def test_from_the_form_to_the_act(browse: Browse, security: User, client_user: User) -> None:
    browser = browse(security)
    form = browser.get(reverse("support:draft", args=["user_suspend"]), {"person": str(client_user.pk)})
    assert client_user.email in form.content.decode()
    assert not Plan.objects.exists(), "looking at a form keeps nothing"
    answer = begin(browser, "user_suspend", person=client_user.pk, **SUSPEND)
    plan = Plan.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page(plan))
    seen = browser.get(page(plan))
    assert "Do it now" in seen.content.decode()
    client_user.refresh_from_db()
    assert not client_user.is_suspended
    assert step(browser, plan, "submit", seen=seen.context["sha256"]).status_code == 302
    client_user.refresh_from_db()
    assert (client_user.is_suspended, client_user.suspension_reason) == (True, SUSPEND["told"])
    assert SupportAction.objects.get().reason == "Ticket 5531"
    assert "Do it now" not in browser.get(page(plan)).content.decode()


def test_what_is_typed_wrongly_keeps_nothing(browse: Browse, security: User, client_user: User) -> None:
    browser = browse(security)
    wrong: dict[str, dict[str, Any]] = {
        "nobody": {**SUSPEND, "person": "nobody@example.com"},
        "no person": dict(SUSPEND),
        "NUL": {**SUSPEND, "person": f"{client_user.pk}\x00"},
        "short": {**SUSPEND, "person": client_user.pk, "told": "Spam"},
        "no reason": {"told": SUSPEND["told"], "person": client_user.pk},
        "endless": {**SUSPEND, "person": client_user.pk, "reason": "x" * 601},
    }
    assert {name: begin(browser, "user_suspend", **form).status_code for name, form in wrong.items()} == dict.fromkeys(wrong, 422)
    assert begin(browser, "user_suspend", person=security.pk, **SUSPEND).status_code == 403
    assert begin(browser, "no_such_kind").status_code == 404
    assert not Plan.objects.exists()


def test_the_second_person_decides(browse: Browse, senior: User, security: User, client_user: User) -> None:
    plan = asked(client_user, senior)
    assert plan.status == PlanStatus.REQUESTED
    told = Notification.objects.filter(kind="plan.requested")
    assert set(told.values_list("user", flat=True)) == set(who_may("approve").exclude(pk=senior.pk).values_list("pk", flat=True)) != set()
    assert "Another member of staff has to approve" in browse(senior).get(page(plan)).content.decode()
    assert step(browse(senior), plan, "approve", seen=plan.figures_sha256).status_code == 403
    assert Plan.objects.get().status == PlanStatus.REQUESTED
    browser = browse(security)
    assert "computed again just now: the same" in browser.get(page(plan)).content.decode()
    assert step(browser, plan, "approve", seen="x" * 64).status_code == 409
    assert step(browser, plan, "approve", seen=plan.figures_sha256, note="Fine.").status_code == 302
    plan.refresh_from_db()
    client_user.refresh_from_db()
    assert (plan.status, plan.approver, client_user.is_suspended) == (PlanStatus.EXECUTED, security, False)
    assert Notification.objects.get(kind="plan.decided").user == senior


def test_a_decision_asks_for_a_code(browse: Browse, senior: User, security: User, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = asked(client_user, senior)
    monkeypatch.setattr(pages, "recently_proved", lambda request: False)
    browser = browse(security)
    assert 'name="code"' in browser.get(page(plan)).content.decode()
    for form in ({}, {"code": "000000"}):
        answer = step(browser, plan, "approve", seen=plan.figures_sha256, **form)
        assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (422, True)
    assert Plan.objects.get().status == PlanStatus.REQUESTED


def test_rejected_with_a_reason(browse: Browse, senior: User, security: User, client_user: User) -> None:
    plan = asked(client_user, senior)
    browser = browse(security)
    assert step(browser, plan, "reject", note=" ").status_code == 422
    assert step(browser, plan, "reject", note="Who checked?").status_code == 302
    plan.refresh_from_db()
    assert (plan.status, plan.decision_note) == (PlanStatus.REJECTED, "Who checked?")
    notice = Notification.objects.get(kind="plan.decided")
    assert (notice.user, notice.url) == (senior, page(plan))
    again = browse(senior).get(reverse("support:draft", args=["user_reinstate"]), {"from": plan.number})
    assert "It was a mistake" in again.content.decode()


def test_a_changed_draft_replaces_the_old_one(browse: Browse, security: User, client_user: User) -> None:
    browser = browse(security)
    begin(browser, "user_suspend", person=client_user.pk, **SUSPEND)
    first = Plan.objects.get()
    url = reverse("support:draft", args=["user_suspend"])
    form = browser.get(url, {"from": first.number})
    assert SUSPEND["told"] in form.content.decode()
    browser.post(f"{url}?from={first.number}", {**SUSPEND, "person": client_user.pk, "told": "Another reason, in full."})
    assert [plan.status for plan in Plan.objects.order_by("number")] == [PlanStatus.WITHDRAWN, PlanStatus.DRAFT]


def test_figures_of_now(browse: Browse, senior: User, security: User, client_user: User) -> None:
    plan = asked(client_user, senior)
    User.objects.filter(pk=client_user.pk).update(suspended_at=None, suspension_reason="")
    text = browse(security).get(page(plan)).content.decode()
    assert "comes to something else" in text
    approve_plan(plan.pk, actor=security, seen=plan.figures_sha256)
    assert "cannot be done" in browse(security).get(page(plan)).content.decode()


def test_a_draft_is_its_author_s(browse: Browse, senior: User, security: User, agent: User, client_user: User) -> None:
    begin(browse(security), "user_suspend", person=client_user.pk, **SUSPEND)
    plan = Plan.objects.get()
    for name in ("submit", "withdraw"):
        assert step(browse(senior), plan, name, seen=plan.figures_sha256).status_code == 404
    assert browse(senior).get(page(plan)).status_code == 404
    assert browse(agent).get(reverse("support:draft", args=["user_suspend"])).status_code == 403
    assert browse(client_user).get(page(plan)).status_code == 404
    assert Plan.objects.get().status == PlanStatus.DRAFT


def test_lists(browse: Browse, senior: User, security: User, client_user: User, stranger: User) -> None:
    waiting = asked(client_user, senior)
    begin(browse(security), "user_suspend", person=stranger.pk, **SUSPEND)
    browser, url = browse(security), reverse("support:plans")
    found = {which: [row.number for row, _ in browser.get(url, {"which": which}).context["rows"]] for which in ("waiting", "mine", "all", "x")}
    mine = Plan.objects.get(requester=security).number
    assert found == {"waiting": [waiting.number], "mine": [mine], "all": [mine, waiting.number], "x": [waiting.number]}
    assert [row.number for row, _ in browse(senior).get(url, {"which": "all"}).context["rows"]] == [waiting.number]
    assert [row.number for row, _ in browser.get(url, {"which": "all", "kind": "user_suspend"}).context["rows"]] == [mine]
    assert [row.number for row, _ in browser.get(url, {"which": "all", "status": "requested", "after": "99999"}).context["rows"]] == [waiting.number]
    for bent in ("after=%00", "after=-1", "after=9e9", "kind=%00&status=x", "which=%00"):
        assert browser.get(f"{url}?{bent}").status_code == 200


def test_pages_ask_as_much_for_many_as_for_few(browse: Browse, senior: User, security: User, client_user: User, make_user: Any) -> None:
    browser = browse(security)

    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(url).status_code == 200
        return len(caught)

    plan = asked(client_user, senior)
    url = reverse("support:plans") + "?which=all"
    browser.get(url)
    first, one = queries(url), queries(page(plan))
    for name in ("Ada", "Bea", "Cee"):
        asked(make_user(f"{name} Client"), senior)
    assert (queries(url), queries(page(plan))) == (first, one)


def test_pages_in_pieces(browse: Browse, senior: User, make_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SHOWN", 2)
    numbers = [asked(make_user(f"{name} Client"), senior).number for name in ("Ada", "Bea", "Cee")]
    browser, url = browse(senior), reverse("support:plans")
    first = browser.get(url)
    assert [row.number for row, _ in first.context["rows"]] == numbers[:2]
    assert parse_qs(urlsplit(first.context["more"]).query)["after"] == [str(numbers[1])]
    assert [row.number for row, _ in browser.get(url + first.context["more"]).context["rows"]] == numbers[2:]
