"""Detectors in the console: how often they were right, other numbers for them, and accounts that are looked at by lot."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from django_q.models import OrmQ

from auditlog.actions import casework
from auditlog.detectors.registry import DETECTORS
from auditlog.models import AuditLog, DetectorVersion, IncidentLog, Suppression, Verdict
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import at, now
from support.actions import sample_accounts
from support.models import ActionType, SupportAction
from support.terms import Term, term_of

from .test_incident_pages import opened, words

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
DETECTOR = DETECTORS[0]
PAGE = reverse("support:detector", args=[DETECTOR.name])
LIST_QUERIES, PAGE_QUERIES = 10, 13


def form(**changes: Any) -> dict[str, Any]:
    return {**{one.name: f"{one.value:g}" for one in DETECTOR.parameters}, "reason": "Fewer of them.", **changes}


def test_how_often_a_detector_was_right_by_month(browse: Browse, senior: User) -> None:
    moment = now()
    for n, verdict in enumerate((Verdict.CONFIRMED, Verdict.CONFIRMED, Verdict.INCONCLUSIVE)):
        with at(moment - timedelta(days=62)):
            casework.resolve(opened(f"old{n}").pk, actor=senior, verdict=verdict, reason="Seen.")
    casework.mark_false_positive(opened("new").pk, actor=senior, reason="A couple.")
    Suppression.objects.update(hits=7)
    opened("waits")
    page = browse(senior).get(reverse("support:detectors"))
    card = next(one for one in page.context["cards"] if one.name == DETECTOR.name)
    assert (card.right, card.closed, card.percent, card.waiting, card.weak, card.quiet, card.quiet_hits) == (2, 4, 50, 1, 0, 1, 7)
    assert [(month.right, month.closed) for month in card.months if month.closed] == [(2, 3), (0, 1)]
    assert "50 %" in words(page)
    assert "style=" not in words(page).split("<main", 1)[1]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: one.name)
def test_numbers_are_told_in_words_with_their_bounds(browse: Browse, senior: User, auditor: User, detector: Any) -> None:
    """Who may change nothing reads what it works with; nobody reads names of the code."""
    for reader in (senior, auditor):
        page = words(browse(reader).get(reverse("support:detector", args=[detector.name])))
        shown = re.sub(r"<[^>]+>", " ", page)
        assert not [one.name for one in detector.parameters if "_" in one.name and one.name in shown]
        for one in detector.parameters:
            assert escape(term_of(one.name).label) in page
            assert escape(one.help) in page
            assert f"{one.least:g} to {one.most:g}, usually {one.value:g}" in page


def test_every_number_has_words_of_its_own() -> None:
    for detector in DETECTORS:
        labels = [term_of(one.name).label for one in detector.parameters]
        assert [label for label in labels if "_" in label] == []
        assert len(set(labels)) == len(labels), detector.name
    assert term_of("never_seen_days") == Term("Never seen days", "days")


def test_pages_ask_as_much_however_much_was_closed(browse: Browse, senior: User, django_assert_num_queries: Any) -> None:
    client = browse(senior)
    client.post(reverse("support:draft_detector", args=[DETECTOR.name]), form())
    client.get(PAGE)
    for _ in range(2):
        with django_assert_num_queries(LIST_QUERIES):
            client.get(reverse("support:detectors"))
        with django_assert_num_queries(PAGE_QUERIES):
            client.get(PAGE)
        for n in range(3):
            casework.resolve(opened(f"i{n}").pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
        client.post(reverse("support:draft_detector", args=[DETECTOR.name]), form())


def test_other_numbers_are_drafted_tried_and_put_into_force_by_another(browse: Browse, senior: User, security: User) -> None:
    parameter = DETECTOR.parameters[0]
    first, second = browse(senior), browse(security)
    first.post(reverse("support:draft_detector", args=[DETECTOR.name]), form(**{parameter.name: f"{parameter.most:g}"}))
    version = DetectorVersion.objects.get()
    assert (version.parameters, version.made_by) == ({parameter.name: parameter.most}, senior.pk)
    activate = reverse("support:activate_detector", args=[version.pk])
    assert second.post(activate).status_code == 409
    assert "Try it on the last 30 days" in words(first.get(PAGE))
    first.post(reverse("support:try_detector", args=[version.pk]))
    assert OrmQ.objects.count() == 1
    figures = {"in_force": {"alerts": 30, "right": 9}, "tried": {"alerts": 12, "right": 9}}
    DetectorVersion.objects.update(backtest=figures, backtested_at=now())
    assert "Alerts" in words(first.get(PAGE))
    assert "Put into force" not in words(first.get(PAGE))
    assert first.post(activate).status_code == 403
    assert second.post(activate).status_code == 302
    version.refresh_from_db()
    assert version.activated_by == security.pk
    assert f'value="{parameter.most:g}"' in words(second.get(PAGE))
    assert list(SupportAction.objects.order_by("number").values_list("action_type", flat=True)) == [ActionType.DETECTOR] * 3
    assert {"detector.drafted", "detector.tried", "detector.activated"} <= set(AuditLog.objects.values_list("event_type", flat=True))
    assert second.post(activate).status_code == 409


@pytest.mark.parametrize(
    "wrong", [{"reason": " "}, {DETECTOR.parameters[0].name: "x"}, {DETECTOR.parameters[0].name: "1e9"}, {DETECTOR.parameters[0].name: "nan"}]
)
def test_what_cannot_be_drafted(browse: Browse, senior: User, wrong: dict[str, str]) -> None:
    assert browse(senior).post(reverse("support:draft_detector", args=[DETECTOR.name]), form(**wrong)).status_code == 422
    assert not DetectorVersion.objects.exists()
    assert not SupportAction.objects.exists()


def test_who_may_change_detectors(browse: Browse, agent: User, auditor: User) -> None:
    for one in (agent, auditor):
        client = browse(one)
        assert "Keep as a draft" not in words(client.get(PAGE))
        assert client.post(reverse("support:draft_detector", args=[DETECTOR.name]), form()).status_code == 403
    assert browse(agent).get(reverse("support:detector", args=["nothing"])).status_code == 404


# By lot


def builders(make_user: Callable[..., User], count: int) -> list[User]:
    people = [make_user(f"Person{n} New", is_builder=True) for n in range(count)]
    for n, one in enumerate(people):
        Builder.objects.create(user=one, slug=f"person-{n}", headline="New here")
    return people


def test_a_few_new_builders_are_looked_at_by_lot(make_user: Callable[..., User]) -> None:
    people = builders(make_user, 3)
    opened("known", people[:1])
    assert sample_accounts(now()) == 1
    drawn = IncidentLog.objects.get(pattern="sample")
    assert drawn.user_id in {one.pk for one in people[1:]}
    assert (drawn.severity, drawn.confidence, drawn.status) == ("low", 0, "open")
    assert sample_accounts(now()) == 0  # once a day, however often the clock strikes
    with at(now() + timedelta(days=2)):
        assert sample_accounts(now()) == 0  # nobody is new


def test_two_in_a_hundred_and_twenty_at_most(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch) -> None:
    builders(make_user, 6)
    monkeypatch.setattr("support.actions.sampling.PART", 0.5)
    assert sample_accounts(now()) == 3
    monkeypatch.setattr("support.actions.sampling.PART", 1.0)
    monkeypatch.setattr("support.actions.sampling.MOST", 4)
    assert sample_accounts(now()) == 1
    assert IncidentLog.objects.filter(pattern="sample").values("user_id").distinct().count() == 4


def test_whoever_was_ever_found_is_not_drawn(make_user: Callable[..., User], senior: User) -> None:
    (one,) = builders(make_user, 1)
    incident = opened("known", [senior, one])
    casework.resolve(incident.pk, actor=make_user("Boss B", is_staff=True), verdict=Verdict.CONFIRMED, reason="Seen.")
    assert sample_accounts(now()) == 0
