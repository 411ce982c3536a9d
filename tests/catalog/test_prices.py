"""What was paid, and what the sweeps make of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from port444.builders.models import Builder
from port444.catalog import jobs
from port444.catalog.actions import (
    change_service,
    count_sales_batch,
    forget_sale,
    note_sale,
    pause_service,
    refresh_points_batch,
    refresh_services_batch,
)
from port444.catalog.models import Category, Package, PricePoint, PriceSample, Service
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from tests.catalog.conftest import package

DAY = timedelta(days=1)
Crowd = Callable[..., list[Builder]]


@pytest.fixture
def basic(service: Service) -> Package:
    return service.packages.get(tier="basic")


def sell(basic: Package, price: str, moment: datetime) -> Any:
    sale = uuid7()
    note_sale(sale, package_id=basic.pk, price=Decimal(price), moment=moment)
    return sale


def points(moment: datetime) -> int:
    count_sales_batch(moment, 200)
    assert count_sales_batch(moment, 200) == 0
    taken = refresh_points_batch(moment, 200)
    assert refresh_points_batch(moment, 200) == 0  # nothing is due twice
    return taken


def test_a_sale_counts_once_and_makes_a_point_due(basic: Package, builder: Builder, category: Category) -> None:
    moment = now()
    sale = sell(basic, "60.00", moment)
    note_sale(sale, package_id=basic.pk, price=Decimal("99.00"), moment=moment + DAY)
    sample = PriceSample.objects.get()
    assert (sample.sale, sample.price, sample.builder_id, sample.category_id, sample.tier) == (
        sale,
        Decimal("60.00"),
        builder.pk,
        category.pk,
        "basic",
    )
    assert not PricePoint.objects.exists()
    assert count_sales_batch(moment, 200) == 1
    point = PricePoint.objects.get()
    assert (point.price, point.sales) == (None, 0)  # not made yet, so it counts nowhere
    assert points(moment + DAY) == 1
    point.refresh_from_db()
    assert (point.price, point.sales, point.level) == (Decimal("60.00"), 1, "new")


@pytest.mark.parametrize(
    ("paid", "median"),
    [(["60"], "60.00"), (["60", "80"], "70.00"), (["60", "80", "500"], "80.00"), (["10", "20", "20", "90"], "20.00"), (["10.01", "10.02"], "10.02")],
)
def test_a_builder_has_one_voice_the_median_of_the_sales(basic: Package, paid: list[str], median: str) -> None:
    moment = now()
    for price in paid:
        sell(basic, price, moment)
    assert points(moment) == 1
    point = PricePoint.objects.get()
    assert (point.price, point.sales) == (Decimal(median), len(paid))


def test_what_is_older_than_the_window_leaves_it(basic: Package, settings: Any) -> None:
    moment, window = now(), timedelta(days=settings.MARKET_DAYS)
    sell(basic, "60", moment - window + 3 * DAY)
    sell(basic, "100", moment - DAY)
    points(moment)
    point = PricePoint.objects.get()
    assert (point.price, point.sales, point.due_at) == (Decimal("80.00"), 2, moment + 3 * DAY)
    assert refresh_points_batch(moment + 3 * DAY - timedelta(seconds=1), 200) == 0
    assert points(moment + 3 * DAY) == 1
    point.refresh_from_db()
    assert (point.price, point.sales) == (Decimal("100.00"), 1)
    assert PriceSample.objects.get().price == Decimal("100.00")
    points(moment + window)
    assert not PricePoint.objects.exists()
    assert not PriceSample.objects.exists()


def test_a_sale_that_came_to_nothing_is_forgotten(basic: Package) -> None:
    moment = now()
    first, second = sell(basic, "60", moment), sell(basic, "100", moment)
    points(moment)
    forget_sale(second)
    forget_sale(second)
    forget_sale(uuid7())
    points(moment + DAY)
    assert PricePoint.objects.get().price == Decimal("60.00")
    forget_sale(first)
    points(moment + 2 * DAY)
    assert not PricePoint.objects.exists()
    sell(basic, "70", moment + 3 * DAY)
    points(moment + 3 * DAY)
    assert PricePoint.objects.get().price == Decimal("70.00")


@pytest.mark.parametrize(("completed", "stars", "reviews"), [(0, 0, 0), (4, 20, 4), (5, 0, 0), (50, 0, 0), (50, 47, 10), (50, 46, 10), (49, 50, 10)])
def test_a_point_takes_the_level_of_its_builder(basic: Package, builder: Builder, completed: int, stars: int, reviews: int) -> None:
    moment = now()
    sell(basic, "60", moment)
    Builder.objects.filter(pk=builder.pk).update(completed_count=completed, rating_sum=stars, rating_count=reviews)
    builder.refresh_from_db()
    points(moment)
    point = PricePoint.objects.get()
    assert point.level == builder.level
    assert point.due_at == moment + 7 * DAY  # a level changes without a sale


def test_points_are_made_in_a_constant_number_of_queries(
    crowd: Crowd, make_service: Callable[..., Service], django_assert_num_queries: Any, category: Category
) -> None:
    moment = now()
    crowd([str(n) for n in range(1, 31)])
    samples = [
        PriceSample(sale=uuid7(), category=category, tier="basic", builder_id=builder_id, price=5, paid_at=moment)
        for builder_id in PricePoint.objects.values_list("builder_id", flat=True)
    ]
    PriceSample.objects.bulk_create(samples)
    for limit in (3, 27):
        with transaction.atomic(), django_assert_num_queries(6):  # four statements and a savepoint
            assert refresh_points_batch(moment + DAY, limit) == limit
    assert PricePoint.objects.filter(price=5, sales=1).count() == 30
    with transaction.atomic(), django_assert_num_queries(3):
        assert refresh_points_batch(moment + DAY, 200) == 0


def test_a_service_carries_how_its_cheapest_package_compares(service: Service, crowd: Crowd) -> None:
    crowd([*(str(n) for n in range(41, 61)), "1000"])  # and this one asks 60
    moment = now()
    assert refresh_services_batch(moment, 200) == 1
    service.refresh_from_db()
    assert (service.market_min_price, service.market_max_price, service.market_median_price) == (Decimal(41), Decimal(1000), Decimal(51))
    assert (service.price_percentile, service.market_due_at) == (93, moment + DAY)  # 19 below and 1 equal, of 21
    assert refresh_services_batch(moment + DAY - timedelta(seconds=1), 200) == 0
    with at(moment + timedelta(hours=1)):
        change_service(service.pk, actor=service.builder.user, packages=[package(price="45.00")])
    assert refresh_services_batch(moment + timedelta(hours=1), 200) == 1
    service.refresh_from_db()
    assert service.price_percentile == 21  # 4 below and 1 equal
    PricePoint.objects.filter(price__lte=42).delete()
    refresh_services_batch(moment + 2 * DAY, 200)
    nothing = {"market_min_price": None, "market_max_price": None, "market_median_price": None, "price_percentile": None}
    assert Service.objects.filter(pk=service.pk, **nothing).exists()


def test_what_is_not_for_sale_is_looked_at_once(service: Service, make_service: Callable[..., Service], crowd: Crowd) -> None:
    crowd([str(n) for n in range(41, 62)])
    draft = make_service("A draft", publish=False)
    jobs.refresh_services()
    service.refresh_from_db()
    assert service.price_percentile is not None
    pause_service(service.pk, actor=service.builder.user)
    jobs.refresh_services()
    for row in (service, draft):
        row.refresh_from_db()
        assert (row.price_percentile, row.market_median_price, row.market_due_at) == (None, None, None)
    assert jobs.refresh_services() == 0


def test_services_are_compared_in_a_constant_number_of_queries(
    make_service: Callable[..., Service], crowd: Crowd, django_assert_num_queries: Any, category: Category
) -> None:
    crowd([str(n) for n in range(1, 31)])
    moment = now()
    for number in range(12):
        make_service(f"Service {number}", packages=[package(), package("standard", "90.00")])
    for limit in (2, 10):
        with transaction.atomic(), django_assert_num_queries(6):  # claim, packages, cells, write, and a savepoint
            assert refresh_services_batch(moment + DAY, limit) == limit
    assert Service.objects.filter(price_percentile=100).count() == 12


def test_a_sweep_takes_batch_after_batch(basic: Package, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, category: Category) -> None:
    monkeypatch.setattr(jobs, "BATCH", 4)
    crowd([str(n) for n in range(1, 10)])  # without sales, so that the points go
    assert jobs.refresh_points() == 9
    assert not PricePoint.objects.exists()
