"""Credits that staff give and take back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category
from port444.kit import clock
from port444.kit.errors import Conflict, NotAllowed
from port444.notifications.models import Notification
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import Credit, CreditEntry, CreditSource
from support.actions import approve_plan, draft_plan, execute_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind, PlanStatus, SupportAction

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
D = Decimal


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development", "icon": "globe"})[0]


def form(person: User, **more: Any) -> dict[str, Any]:
    said = {"person": person.pk, "amount": "40.00", "label": "Sorry for the late delivery", "scope": "all", "reason": "Ticket 5531"}
    return said | {"last_day": (clock.now() + timedelta(days=30)).date().isoformat()} | more


def given(person: User, amount: str = "40.00", **more: Any) -> Credit:
    return issue_credit(person, Grant(D(amount), CreditSource.ADMIN, "sorry", **more), actor=None)


def begin(browser: Client, kind: PlanKind, said: dict[str, Any]) -> Any:
    return browser.post(reverse("support:draft", args=[kind]), said)


def submit(browser: Client, plan: Plan) -> Any:
    return browser.post(reverse("support:submit_plan", args=[plan.number]), {"seen": plan.figures_sha256})


def void(actor: User, credit: Credit) -> Plan:
    asked = {"credit": str(credit.pk), "told": "It was given twice."}
    return draft_plan(PlanKind.CREDIT_VOID, actor=actor, asked=asked, reason="Ticket 5531", about=About(target_user=credit.user))


def test_a_credit_is_given(browse: Browse, agent: User, client_user: User) -> None:
    browser = browse(agent)
    page = browser.get(reverse("support:draft", args=["credit_issue"]), {"person": str(client_user.pk)}).content.decode()
    assert client_user.email in page
    assert begin(browser, PlanKind.CREDIT, form(client_user, last_day="2027-01-31")).status_code == 302
    plan = Plan.objects.get()
    assert (plan.needs_approval, plan.amount, Credit.objects.exists()) == (False, D(40), False)
    submit(browser, plan)
    credit = Credit.objects.get()
    assert (credit.user, credit.amount, credit.remaining, credit.source, credit.issued_by) == (client_user, D(40), D(40), "admin_issued", agent)
    assert (credit.expires_at, credit.notes) == (datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC), "Ticket 5531")
    assert Notification.objects.get(kind="credit.issued").user == client_user
    action = SupportAction.objects.get()
    assert (action.action_type, action.amount, action.target_user) == ("credit_issue", D(40), client_user)
    submit(browser, plan)
    assert (Credit.objects.count(), Notification.objects.filter(kind="credit.issued").count()) == (1, 1)


def test_a_credit_may_be_for_one_builder_or_one_category(
    browse: Browse, agent: User, client_user: User, builder: Builder, category: Category
) -> None:
    browser = browse(agent)
    for scope, more in (("specific_builder", {"builder": builder.slug}), ("specific_category", {"category": category.slug})):
        assert begin(browser, PlanKind.CREDIT, form(client_user, amount="10.00", scope=scope, **more)).status_code == 302
        submit(browser, Plan.objects.get(number=max(Plan.objects.values_list("number", flat=True))))
    found = {credit.applicable_to: (credit.builder, credit.category) for credit in Credit.objects.all()}
    assert found == {"specific_builder": (builder, None), "specific_category": (None, category)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1e3"},
        {"amount": "5000.01"},
        {"amount": "1.001"},
        {"label": ""},
        {"reason": ""},
        {"scope": "specific_builder"},
        {"scope": "specific_builder", "builder": "nobody"},
        {"scope": "specific_category", "category": "nothing"},
        {"scope": "everything"},
        {"last_day": "2020-01-01"},
        {"last_day": "2199-01-01"},
        {"last_day": "soon"},
    ],
)
def test_what_is_typed_wrongly_keeps_nothing(browse: Browse, agent: User, client_user: User, wrong: dict[str, str]) -> None:
    answer = begin(browse(agent), PlanKind.CREDIT, form(client_user, **wrong))
    assert answer.status_code == 422
    assert (Plan.objects.exists(), Credit.objects.exists()) == (False, False)


def test_more_than_the_limit_waits_for_a_second_person(browse: Browse, agent: User, finance: User, client_user: User) -> None:
    begin(browse(agent), PlanKind.CREDIT, form(client_user, amount="60.00"))
    plan = Plan.objects.get()
    submit(browse(agent), plan)
    plan.refresh_from_db()
    assert (plan.status, Credit.objects.exists()) == (PlanStatus.REQUESTED, False)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.EXECUTED
    assert Credit.objects.get().remaining == D(60)


def test_figures_that_changed_meanwhile_send_it_back(browse: Browse, agent: User, finance: User, client_user: User) -> None:
    begin(browse(agent), PlanKind.CREDIT, form(client_user, amount="60.00"))
    plan = Plan.objects.get()
    submit(browse(agent), plan)
    given(client_user)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    assert execute_plan(plan.pk).status == PlanStatus.DRAFT
    assert Credit.objects.count() == 1


def test_who_cannot_have_a_credit(browse: Browse, agent: User, finance: User, builder_user: User) -> None:
    """Staff and who buys nothing; nobody gives one to themselves."""
    for person in (finance, builder_user):
        assert begin(browse(agent), PlanKind.CREDIT, form(person)).status_code == 302
        plan = Plan.objects.get(target_user=person)
        assert submit(browse(agent), plan).status_code == 409
    assert begin(browse(agent), PlanKind.CREDIT, form(agent)).status_code == 403
    assert not Credit.objects.exists()


def test_others_may_not_give_credits(browse: Browse, auditor: User, client_user: User) -> None:
    assert begin(browse(auditor), PlanKind.CREDIT, form(client_user)).status_code == 403
    with pytest.raises(NotAllowed):
        draft_plan(PlanKind.CREDIT, actor=auditor, asked={}, reason="x", about=About(target_user=client_user))
    assert not Plan.objects.exists()


def test_a_credit_is_taken_back(browse: Browse, agent: User, client_user: User) -> None:
    credit = given(client_user)
    browser = browse(agent)
    link = f"{reverse('support:draft', args=['credit_void'])}?credit={credit.pk}"
    assert link in browser.get(reverse("support:credit", args=[credit.pk])).content.decode()
    assert client_user.name in browser.get(link).content.decode()
    said = {"credit": credit.pk, "told": "It was given twice.", "reason": "Ticket 5531"}
    assert begin(browser, PlanKind.CREDIT_VOID, said).status_code == 302
    plan = Plan.objects.get()
    assert (plan.target_user, plan.amount, plan.needs_approval) == (client_user, D(40), False)
    submit(browser, plan)
    credit.refresh_from_db()
    assert (credit.remaining, list(credit.entries.values_list("step", flat=True))) == (D(0), ["issued", "voided"])
    assert Notification.objects.get(kind="credit.voided").body == "It was given twice."
    assert SupportAction.objects.get().action_type == "credit_void"
    assert link not in browser.get(reverse("support:credit", args=[credit.pk])).content.decode()


@pytest.mark.parametrize("wrong", [{"credit": ""}, {"credit": "x"}, {"credit": "0190e5b6-1111-7000-8000-000000000000"}, {"told": "No"}])
def test_what_is_not_there_is_not_taken_back(browse: Browse, agent: User, client_user: User, wrong: dict[str, str]) -> None:
    said = {"credit": given(client_user).pk, "told": "It was given twice.", "reason": "Ticket 5531"} | wrong
    assert begin(browse(agent), PlanKind.CREDIT_VOID, said).status_code == 422
    assert not Plan.objects.exists()


def test_what_a_client_paid_for_a_call_is_taken_back_by_two(agent: User, client_user: User, builder: Builder) -> None:
    called = issue_credit(client_user, Grant(D(20), CreditSource.CONSULTATION, "call with Anaya", builder_id=builder.pk), actor=None)
    assert void(agent, called).why_approval == "What comes from a call is the client's own money"


def test_a_credit_that_moved_since_is_not_taken_back_unseen(agent: User, finance: User, client_user: User) -> None:
    credit = given(client_user, "90.00")
    plan = void(agent, credit)
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=finance, seen=plan.figures_sha256)
    CreditEntry.objects.create(credit=credit, step="expired", amount=D(1), key="one")
    assert execute_plan(plan.pk).status == PlanStatus.DRAFT
    credit.refresh_from_db()
    assert credit.remaining == D(89)


def test_what_has_ended_or_is_gone_is_not_taken_back(agent: User, client_user: User) -> None:
    credit = given(client_user, expires_at=clock.now() + timedelta(days=1))
    plan = void(agent, credit)
    with clock.at(clock.now() + timedelta(days=2)), pytest.raises(Conflict):
        submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    assert list(credit.entries.values_list("step", flat=True)) == ["issued"]


def test_the_page_of_a_credit(browse: Browse, auditor: User, client_user: User) -> None:
    """The same number of queries however many entries; everything adds up to what was given; whoever may not take it back sees no button."""
    credit, other = given(client_user, "90.00"), given(client_user)
    for number in range(30):
        CreditEntry.objects.create(credit=credit, step="expired", amount=D(1), key=f"x{number}")
    browser, counts = browse(auditor), []
    for one in (credit, other):
        browser.get(reverse("support:credit", args=[one.pk]))
        with CaptureQueriesContext(connection) as queries:
            page = browser.get(reverse("support:credit", args=[one.pk]))
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert page.status_code == 200
    assert page.context["standing"].held == 0
    assert "Take it back" not in page.content.decode()


def test_the_last_day_counts(browse: Browse, agent: User, client_user: User, builder: Builder) -> None:
    begin(browse(agent), PlanKind.CREDIT, form(client_user, last_day="2027-01-31"))
    submit(browse(agent), Plan.objects.get())
    day = datetime.combine(date(2027, 1, 31), datetime.min.time(), UTC)
    for moment, usable in ((day + timedelta(hours=23, minutes=59), True), (day + timedelta(days=1), False)):
        assert Credit.objects.usable(client_user.pk, builder_id=builder.pk, category_id=None, moment=moment).exists() is usable


def test_the_owner_reads_what_became_of_it(client: Client, browse: Browse, agent: User, client_user: User) -> None:
    credit = given(client_user)
    plan = void(agent, credit)
    submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
    client.force_login(client_user)
    page = client.get("/credits/").content.decode()
    assert "Taken back" in page
    assert "It was given twice." in page
