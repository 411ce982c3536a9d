from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import (
    MOST_SERVICES,
    change_service,
    count_order,
    count_review,
    create_service,
    pause_service,
    publish_service,
    set_packages,
)
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.catalog.queries import Search, find_services
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, words
from tests.catalog.conftest import package

Make = Callable[..., Service]


def question(**fields: Any) -> dict[str, Any]:
    return {"label": "Which?", "kind": "text", "required": True, "options": [], **fields}


def test_a_draft_needs_a_title_and_a_category_alone(builder: Builder, category: Category) -> None:
    service = create_service(builder.pk, actor=builder.user, category_id=category.pk, title="Draw a logo")
    service.refresh_from_db()
    assert (service.status, service.slug, service.from_price) == ("draft", "draw-a-logo", None)
    assert (AuditLog.objects.get(event_type="service.changed").after_state or {})["title"] == "Draw a logo"


def test_equal_titles_get_different_addresses(make_service: Make) -> None:
    assert make_service("Draw a logo").slug != make_service("Draw a logo").slug
    assert make_service("山").slug == "service"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "x" * 91},
        {"summary": "x" * 161},
        {"tags": ["x" * 31]},
        {"tags": [str(i) for i in range(9)]},
        {"category_id": "01980000-0000-7000-8000-000000000000"},
        {"questions": [question(label="")]},
        {"questions": [question(kind="riddle")]},
        {"questions": [question(kind="choice", options=["one"])]},
        {"questions": [question(kind="choice", options=["one", "one"])]},
        {"questions": [question()] * 9},
        {"packages": [package(price="0")]},
        {"packages": [package(price="-1")]},
        {"packages": [package(price="1.005")]},
        {"packages": [package(delivery_days=0)]},
        {"packages": [package(delivery_days=91)]},
        {"packages": [package(revisions=21)]},
        {"packages": [package("huge")]},
        {"packages": [package(), package()]},
        {"packages": [package(deliverables=["x" * 121])]},
    ],
)
def test_what_does_not_fit_writes_nothing(builder: Builder, category: Category, service: Service, wrong: dict[str, Any]) -> None:
    before = AuditLog.objects.events().count()
    text: dict[str, Any] = {"category_id": category.pk, "title": "Other", **wrong}
    with pytest.raises(Invalid), words(), transaction.atomic():
        create_service(builder.pk, actor=builder.user, **text)
    with pytest.raises(Invalid), words(), transaction.atomic():
        change_service(service.pk, actor=builder.user, **text)
    service.refresh_from_db()
    assert (service.title, service.version, service.from_price) == ("Make slow Django pages fast", 1, Decimal("60.00"))
    assert Service.objects.count() == Package.objects.count() == 1
    assert AuditLog.objects.events().count() == before


def test_a_builder_has_a_bounded_number_of_services(builder: Builder, category: Category) -> None:
    Service.objects.bulk_create(Service(builder=builder, category=category, title="S", slug=f"s-{i}") for i in range(MOST_SERVICES))
    with pytest.raises(Invalid, match="at most 50"):
        create_service(builder.pk, actor=builder.user, category_id=category.pk, title="One more")
    assert Service.objects.count() == MOST_SERVICES


def test_strangers_change_nothing(service: Service, stranger: User, category: Category) -> None:
    before = AuditLog.objects.events().count()
    for act in (publish_service, pause_service):
        with pytest.raises(NotAllowed):
            act(service.pk, actor=stranger)
    with pytest.raises(NotAllowed):
        change_service(service.pk, actor=stranger, title="Mine")
    with pytest.raises(NotAllowed):
        create_service(service.builder_id, actor=stranger, category_id=category.pk, title="Mine")
    service.refresh_from_db()
    assert (service.title, service.status) == ("Make slow Django pages fast", "published")
    assert AuditLog.objects.events().count() == before


def test_a_change_counts_and_is_kept(service: Service) -> None:
    change_service(service.pk, actor=service.builder.user, version=1, title="Make any page fast", packages=[package(price="45.00")])
    service.refresh_from_db()
    assert (service.title, service.version, service.from_price) == ("Make any page fast", 2, Decimal("45.00"))
    assert service.slug == "make-slow-django-pages-fast"  # links to a published service keep working
    row = AuditLog.objects.filter(event_type="service.changed").first()
    assert row is not None
    assert row.before_state
    assert row.after_state
    assert row.before_state["title"] == "Make slow Django pages fast"
    assert (row.before_state["packages"]["basic"]["price"], row.after_state["packages"]["basic"]["price"]) == ("60.00", "45.00")


def test_saving_what_is_there_changes_nothing(service: Service) -> None:
    before = AuditLog.objects.events().count()
    change_service(service.pk, actor=service.builder.user, version=1, title=service.title, packages=[package()])
    service.refresh_from_db()
    assert service.version == 1
    assert AuditLog.objects.events().count() == before


def test_a_change_on_an_older_version_is_refused(service: Service) -> None:
    change_service(service.pk, actor=service.builder.user, version=1, title="First")
    with pytest.raises(Conflict, match="changed elsewhere"):
        change_service(service.pk, actor=service.builder.user, version=1, title="Second")
    service.refresh_from_db()
    assert (service.title, service.version) == ("First", 2)


def test_packages_are_taken_off_and_come_back_as_the_same_row(service: Service) -> None:
    basic = service.packages.get()
    user = service.builder.user
    set_packages(service.pk, actor=user, packages=[package("premium", "400.00", delivery_days=9)])
    service.refresh_from_db()
    basic.refresh_from_db()
    assert not basic.is_offered
    assert (service.from_price, service.least_days) == (Decimal("400.00"), 9)
    set_packages(service.pk, actor=user, packages=[package("basic", "50.00"), package("premium", "400.00", is_offered=False)])
    service.refresh_from_db()
    assert service.packages.get(tier="basic").pk == basic.pk
    assert (service.from_price, service.least_days) == (Decimal("50.00"), 2)


@pytest.mark.parametrize("packages", [[], [package(is_offered=False)]])
def test_a_published_service_keeps_a_package(service: Service, packages: Any) -> None:
    with pytest.raises(Invalid, match="at least one package"):
        set_packages(service.pk, actor=service.builder.user, packages=packages)
    assert service.packages.get().is_offered
    with pytest.raises(Invalid, match="at least one package"), words(), transaction.atomic():
        Service.objects.update(from_price=None)


def test_a_published_service_keeps_its_words(service: Service) -> None:
    with pytest.raises(Invalid, match="summary"):
        change_service(service.pk, actor=service.builder.user, summary="")
    service.refresh_from_db()
    assert service.summary


def test_publishing_pausing_and_coming_back(make_service: Make) -> None:
    service = make_service(publish=False)
    user = service.builder.user
    with pytest.raises(WrongState):
        pause_service(service.pk, actor=user)
    first = publish_service(service.pk, actor=user)
    assert (first.status, first.paused_at) == (ServiceStatus.PUBLISHED, None)
    with pytest.raises(WrongState):
        publish_service(service.pk, actor=user)
    assert pause_service(service.pk, actor=user).paused_at is not None
    with pytest.raises(WrongState):
        pause_service(service.pk, actor=user)
    assert publish_service(service.pk, actor=user).published_at == first.published_at
    assert [row.event_type for row in AuditLog.objects.events().order_by("id")][1:] == ["service.published", "service.paused", "service.published"]


def test_publishing_says_all_that_is_missing(builder: Builder, category: Category) -> None:
    service = create_service(builder.pk, actor=builder.user, category_id=category.pk, title="Draw a logo")
    with pytest.raises(Invalid) as refusal:
        publish_service(service.pk, actor=builder.user)
    for word in ("summary", "description", "package"):
        assert word in refusal.value.message
    service.refresh_from_db()
    assert service.status == "draft"
    assert AuditLog.objects.events().count() == 1


def test_the_database_keeps_packages_in_range(service: Service) -> None:
    for wrong in ({"price": 0}, {"delivery_days": 0}, {"revisions": 21}):
        with pytest.raises(Invalid), words(), transaction.atomic():
            Package.objects.update(**wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Service.objects.update(status="gone")


def test_orders_and_reviews_are_counted(service: Service) -> None:
    count_order(service.pk)
    count_review(service.pk, 5)
    count_review(service.pk, 4)
    service.refresh_from_db()
    assert (service.order_count, service.rating, service.rating_count) == (1, Decimal("4.5"), 2)


def test_the_search_follows_the_words(service: Service) -> None:
    change_service(service.pk, actor=service.builder.user, title="Repair a boat")
    assert [found.pk for found in find_services(Search(words="boat")).services] == [service.pk]
    assert find_services(Search(words="django")).services == []
    assert now() >= service.created_at
