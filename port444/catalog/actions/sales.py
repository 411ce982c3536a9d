"""What was paid, and what is worked out from it: a price point for each builder and size, and how a service compares."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from port444.builders.models import ESTABLISHED_FROM, TOP_FROM, TOP_TENTHS, Level
from port444.catalog.market import PAID, Ask, compare
from port444.catalog.models import Package, PricePoint, PriceSample, Service, ServiceStatus
from port444.kit.money import CENT

LOOKED_AT_EVERY = timedelta(days=1)
LEVEL_LOOKED_AT_EVERY = timedelta(days=7)  # a builder's level changes without a sale

REMAKE = """
UPDATE catalog_pricepoint p SET
  price = made.price, sales = made.sales, due_at = least(made.leaves_at, %(look_again)s),
  level = CASE
    WHEN b.completed_count >= %(top_from)s AND b.rating_count > 0 AND 10 * b.rating_sum >= %(top_tenths)s * b.rating_count THEN %(top)s
    WHEN b.completed_count >= %(established_from)s THEN %(established)s
    ELSE %(new)s END
FROM builders_builder b, catalog_pricepoint own CROSS JOIN LATERAL (
  SELECT count(*) AS sales, min(paid_at) + %(window)s AS leaves_at,
         (percentile_disc(0.5) WITHIN GROUP (ORDER BY s.price) + percentile_disc(0.5) WITHIN GROUP (ORDER BY s.price DESC)) / 2 AS price
    FROM catalog_pricesample s
   WHERE s.builder_id = own.builder_id AND s.category_id = own.category_id AND s.tier = own.tier
) AS made
WHERE own.id = ANY(%(ids)s) AND made.sales > 0 AND p.id = own.id AND b.id = p.builder_id
"""

FORGET_OLD = """
DELETE FROM catalog_pricesample s USING catalog_pricepoint p
 WHERE p.id = ANY(%(ids)s) AND s.builder_id = p.builder_id AND s.category_id = p.category_id AND s.tier = p.tier AND s.paid_at <= %(since)s
"""

FORGET_EMPTY = """
DELETE FROM catalog_pricepoint p WHERE p.id = ANY(%(ids)s) AND NOT EXISTS (
  SELECT FROM catalog_pricesample s WHERE s.builder_id = p.builder_id AND s.category_id = p.category_id AND s.tier = p.tier
)
"""


def note_sale(sale: UUID, *, package_id: UUID, price: Decimal, moment: datetime) -> None:
    """Note that `price` was paid for a package, once for each `sale`; call it in the transaction that notes the payment."""
    package = Package.objects.select_related("service").get(pk=package_id)
    cell = {"category_id": package.service.category_id, "tier": package.tier, "builder_id": package.service.builder_id}
    PriceSample.objects.bulk_create([PriceSample(sale=sale, price=price, paid_at=moment, **cell)], ignore_conflicts=True)


def forget_sale(sale: UUID) -> None:
    """Take a sale out that came to nothing; call it in the transaction that gives the money back."""
    PriceSample.objects.filter(pk=sale).update(is_undone=True, is_counted=False)


@transaction.atomic
def count_sales_batch(moment: datetime, limit: int) -> int:
    """Make the price points of up to `limit` sales due that are new or undone; how many were taken. Five queries, or one for none."""
    news = PriceSample.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(is_counted=False)
    samples = list(news.select_related("builder").order_by("sale")[:limit])
    if not samples:
        return 0
    cells = {(sample.builder_id, sample.category_id, sample.tier): sample.builder.level for sample in samples}
    PriceSample.objects.filter(pk__in=[sample.pk for sample in samples if sample.is_undone]).delete()
    PriceSample.objects.filter(pk__in=[sample.pk for sample in samples if not sample.is_undone]).update(is_counted=True)
    PricePoint.objects.bulk_create(
        # In one order, so that two workers wait for each other and not across.
        [
            PricePoint(builder_id=builder, category_id=category, tier=tier, level=level, due_at=moment)
            for (builder, category, tier), level in sorted(cells.items())
        ],
        update_conflicts=True,
        unique_fields=["builder", "category", "tier"],
        update_fields=["due_at"],
    )
    return len(samples)


@transaction.atomic
def refresh_points_batch(moment: datetime, limit: int) -> int:
    """Make up to `limit` price points that are due; how many were taken. The number of queries does not depend on it."""
    due = PricePoint.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(due_at__lte=moment)
    ids = list(due.order_by("due_at", "id").values_list("pk", flat=True)[:limit])
    if ids:
        window = timedelta(days=settings.MARKET_DAYS)
        values: dict[str, Any] = {
            "ids": ids,
            "since": moment - window,
            "window": window,
            "look_again": moment + LEVEL_LOOKED_AT_EVERY,
            "top_from": TOP_FROM,
            "top_tenths": TOP_TENTHS,
            "established_from": ESTABLISHED_FROM,
            **{level.value: level.value for level in Level},
        }
        with connection.cursor() as cursor:
            for statement in (FORGET_OLD, FORGET_EMPTY, REMAKE):
                cursor.execute(statement, values)
    return len(ids)


@transaction.atomic
def refresh_services_batch(moment: datetime, limit: int) -> int:
    """Note on up to `limit` services that are due how their cheapest package compares with what is paid; how many were taken.

    What is not for sale compares with nothing and is not looked at again until it is.
    """
    due = Service.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(market_due_at__lte=moment)
    services = {service.pk: service for service in due.select_related("builder").defer("description").order_by("market_due_at", "pk")[:limit]}
    if not services:
        return 0
    for service in services.values():
        service.market_min_price = service.market_max_price = service.market_median_price = service.price_percentile = None
        service.market_due_at = moment + LOOKED_AT_EVERY if service.status == ServiceStatus.PUBLISHED else None
    offered = Package.objects.filter(service__in=[pk for pk, service in services.items() if service.market_due_at], is_offered=True)
    cheapest = list(offered.order_by("service_id", "price", "pk").distinct("service_id"))
    asks = [
        Ask(service.category_id, package.tier, service.builder.level, service.builder_id, package.price)
        for package in cheapest
        for service in [services[package.service_id]]
    ]
    for package, comparison in zip(cheapest, compare(asks, PAID), strict=True):
        if comparison.cell is not None:
            cell, service = comparison.cell, services[package.service_id]
            service.market_min_price, service.market_max_price = cell.least, cell.most
            service.market_median_price, service.price_percentile = cell.median.quantize(CENT), cell.percentile
    fields = ["market_min_price", "market_max_price", "market_median_price", "price_percentile", "market_due_at"]
    Service.objects.bulk_update(services.values(), fields)
    return len(services)
