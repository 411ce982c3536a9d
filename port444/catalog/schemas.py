"""What the API says about services and builders to everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from pydantic import Field

from port444.builders.models import Builder
from port444.kit import money
from port444.kit.rest import Moment, Money, Out, Row

from .models import Category, Package, Service, ServiceStatus, Tier


class CategoryOut(Out):
    id: UUID
    slug: str
    name: str


class CategoriesOut(Out):
    items: list[CategoryOut]


class SellerOut(Out):
    """A builder, as they stand beside what they sell."""

    id: UUID
    slug: str
    name: str


class ServiceRow(Row):
    id: UUID
    slug: str
    title: str
    summary: str
    builder: SellerOut
    category_id: UUID
    from_price: Money | None
    least_days: int | None
    rating: str | None = Field(description="The mean of all stars", examples=["4.8"])
    rating_count: int
    order_count: int
    tags: list[str]
    url: str


class PackageOut(Out):
    id: UUID
    tier: Tier
    name: str
    price: Money
    client_fee: Money
    total: Money = Field(description="What a client pays, before credits")
    delivery_days: int
    revisions: int
    deliverables: list[str]


class AskedOut(Out):
    label: str
    kind: str
    is_required: bool
    options: list[str]
    help: str


class ReviewedOut(Out):
    id: UUID
    stars: int
    text: str
    author: str
    shown_at: Moment
    reply: str = Field(description="Of the builder")


class ServiceOut(ServiceRow):
    description: str
    status: ServiceStatus
    category: str = Field(description="Its slug")
    packages: list[PackageOut]
    questions: list[AskedOut] = Field(description="What is asked after the payment")
    reviews: list[ReviewedOut] = Field(description="The newest")
    takes_orders: bool = Field(description="Whether it can be ordered now")
    back_at: Moment | None = Field(description="Until when its builder is away")


class ServicesOut(Out):
    items: list[ServiceRow]
    next: str | None
    count: int = Field(description="How many fit; more than 200 are not counted")
    is_near: bool = Field(description="Nothing has all of the words; these come close")


class CallPriceOut(Out):
    minutes: int
    price: Money


class BuilderOut(Out):
    id: UUID
    user_id: UUID
    slug: str
    name: str
    headline: str
    about: str
    skills: list[str]
    languages: list[str]
    city: str
    time_zone: str = Field(examples=["Asia/Kolkata"])
    rating: str | None
    rating_count: int
    completed_count: int
    call_prices: list[CallPriceOut]
    away_until: Moment | None = Field(description="While they are away")
    away_message: str
    services: list[ServiceRow]
    reviews: list[ReviewedOut] = Field(description="The newest")
    photo_url: str
    url: str


def category_out(category: Category) -> CategoryOut:
    return CategoryOut.model_validate(category, from_attributes=True)


def _rating(row: Any) -> str | None:
    return str(row.rating) if row.rating is not None else None


def _service(service: Service) -> dict[str, Any]:
    own = ("builder", "rating", "url")
    told = {name: getattr(service, name) for name in ServiceRow.model_fields if name not in own}
    builder = service.builder
    return told | {
        "builder": SellerOut(id=builder.pk, slug=builder.slug, name=builder.user.name),
        "rating": _rating(service),
        "url": urljoin(settings.SITE_URL, service.get_absolute_url()),
    }


def service_row(service: Service) -> ServiceRow:
    """Its builder must be at hand."""
    return ServiceRow(**_service(service))


def package_out(package: Package) -> PackageOut:
    fee = money.fee(package.price, settings.CLIENT_FEE_BPS)
    own = ("client_fee", "total")
    told = {name: getattr(package, name) for name in PackageOut.model_fields if name not in own}
    return PackageOut(**told, client_fee=fee, total=package.price + fee)


def reviews_out(reviews: Iterable[Any]) -> list[ReviewedOut]:
    return [ReviewedOut(id=one.pk, stars=one.stars, text=one.text, author=one.author.name, shown_at=one.shown_at, reply=one.reply) for one in reviews]


def service_out(service: Service, packages: Iterable[Package], reviews: Iterable[Any], moment: Any) -> ServiceOut:
    builder = service.builder
    away = builder.is_away_at(moment)
    questions = [
        AskedOut(label=one["label"], kind=one["kind"], is_required=one["required"], options=one.get("options", []), help=one.get("help", ""))
        for one in service.questions
    ]
    return ServiceOut(
        **_service(service),
        description=service.description,
        status=ServiceStatus(service.status),
        category=service.category.slug,
        packages=[package_out(one) for one in packages],
        questions=questions,
        reviews=reviews_out(reviews),
        takes_orders=service.status == ServiceStatus.PUBLISHED and not (away and builder.away_stops_orders),
        back_at=builder.away_until if away else None,
    )


def builder_out(builder: Builder, services: Iterable[Service], reviews: Iterable[Any], moment: Any) -> BuilderOut:
    away = builder.is_away_at(moment)
    plain = ("id", "user_id", "slug", "headline", "about", "skills", "languages", "city", "rating_count", "completed_count")
    return BuilderOut(
        **{name: getattr(builder, name) for name in plain},
        name=builder.user.name,
        time_zone=builder.user.time_zone,
        rating=_rating(builder),
        call_prices=[CallPriceOut(minutes=minutes, price=price) for minutes, price in builder.call_prices.items()],
        away_until=builder.away_until if away else None,
        away_message=builder.away_message if away else "",
        services=[service_row(one) for one in services],
        reviews=reviews_out(reviews),
        photo_url=urljoin(settings.SITE_URL, reverse("builders:photo", args=[builder.slug])),
        url=urljoin(settings.SITE_URL, builder.get_absolute_url()),
    )
