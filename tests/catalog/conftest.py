from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from typing import Any, cast

import pytest

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import PackageText, create_service, publish_service
from port444.catalog.models import Category, PricePoint, Service


def package(tier: str = "basic", price: str = "60.00", **fields: Any) -> PackageText:
    text: PackageText = {
        "tier": tier,
        "name": "One slow page",
        "price": Decimal(price),
        "delivery_days": 2,
        "revisions": 1,
        "deliverables": ["Profile of one page", "Patch as a branch"],
    }
    return cast(PackageText, {**text, **fields})


@pytest.fixture
def category(db: None) -> Category:
    row, _ = Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development", "icon": "globe"})
    return row


@pytest.fixture
def make_service(builder: Builder, category: Category) -> Callable[..., Service]:
    """A published service of the builder in the cast, or of `by`."""

    def make(title: str = "Make slow Django pages fast", *, by: Builder | None = None, publish: bool = True, **fields: Any) -> Service:
        owner = by or builder
        packages = fields.pop("packages", None)
        text: dict[str, Any] = {
            "category_id": category.pk,
            "title": title,
            "summary": "Profile, patch with tests, timings before and after.",
            "description": "I measure first.",
            "tags": ["profiling"],
            "questions": [{"label": "Which page is slow?", "kind": "text", "required": True, "options": []}],
            **fields,
        }
        service = create_service(owner.pk, actor=owner.user, packages=[package()] if packages is None else packages, **text)
        return publish_service(service.pk, actor=owner.user) if publish else service

    return make


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    return make_service()


@pytest.fixture
def crowd(category: Category) -> Callable[..., list[Builder]]:
    """Builders who were paid these prices for the basic size in the category; None: who sold nothing."""
    numbers = count(1)

    def make(prices: Sequence[str | None], *, level: str = "new", tier: str = "basic") -> list[Builder]:
        names = [f"seller-{next(numbers)}" for _ in prices]
        users = User.objects.bulk_create(User(email=f"{name}@example.com", name=name, password="!", is_builder=True) for name in names)
        builders = Builder.objects.bulk_create(Builder(user=user, slug=user.name, headline="Somebody else") for user in users)
        cell = {"category": category, "tier": tier, "level": level, "sales": 0}  # so that of few none has too many
        PricePoint.objects.bulk_create(
            PricePoint(builder=builder, price=Decimal(price), due_at=builder.created_at, **cell)
            for builder, price in zip(builders, prices, strict=True)
            if price is not None
        )
        return builders

    return make
