"""What the API says about services and builders to everybody."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode, urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from pydantic import Field

from port444.builders.models import Builder
from port444.builders.schemas import PieceOut, piece_out
from port444.kit import money
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text

from .actions import MOST_OPTIONS, MOST_QUESTIONS, PackageText, Question, ServiceText
from .market import Cell, Source, Verdict
from .models import Category, Frequency, Package, QuestionKind, SavedSearch, Service, ServiceStatus, Tier
from .queries import Hint


class CategoryOut(Out):
    id: UUID
    slug: str
    name: str
    description: str
    parent_id: UUID | None = Field(description="The category that it is a part of")


class CategoriesOut(Out):
    items: list[CategoryOut]


class MarketOut(Out):
    """What packages of one size cost in a category: the middle half, and the median."""

    tier: Tier
    low: Money
    median: Money
    high: Money
    builders: int = Field(description="How many builders it is drawn from")
    is_paid: bool = Field(description="What clients paid; otherwise what builders ask")


class SearchWordsOut(Out):
    items: list[str]


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
    corrected: str | None = Field(description="What was looked for, since nothing has the words as they stand")


class CategoryDetailOut(CategoryOut):
    parts: list[CategoryOut]
    market: list[MarketOut]
    services: list[ServiceRow] = Field(description="The best")
    url: str


class SearchIn(In):
    """Fields of a search that are set, as in the address of `GET /api/services`."""

    name: Text = Field(min_length=1, max_length=60)
    frequency: Frequency = Field(description="How often mail may tell what is new")
    query: Text = Field("", max_length=500, examples=["q=logo&highest=100"])


class SearchChangeIn(In):
    name: Text = Field(min_length=1, max_length=60)
    frequency: Frequency


class SavedSearchOut(Out):
    id: UUID
    name: str
    frequency: Frequency
    query: str
    news: int | None = Field(description="Services that came since you last looked; more than 200 are not counted")
    seen_at: Moment


class SavedSearchesOut(Out):
    items: list[SavedSearchOut]


class AskedIn(In):
    """What a client is asked after the payment."""

    label: Text = Field(min_length=1, max_length=200, examples=["Which version of Django is it?"])
    kind: QuestionKind = QuestionKind.TEXT
    is_required: bool = True
    options: list[Annotated[Text, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=MOST_OPTIONS, description="Of a choice: two at least, all different"
    )
    help: Text = Field("", max_length=200, description="Stands under the question")


class PackageIn(In):
    """One size of a service."""

    tier: Tier
    name: Text = Field(min_length=1, max_length=60, examples=["One page"])
    price: Amount
    delivery_days: int = Field(ge=1, le=90)
    revisions: int = Field(1, ge=0, le=20)
    deliverables: list[Annotated[Text, Field(min_length=1, max_length=120)]] = Field(default_factory=list, max_length=12)
    is_offered: bool = True


class OwnServiceIn(In):
    """The whole of a service. A draft may lack anything but its title and category."""

    title: Text = Field(min_length=1, max_length=90, examples=["Make slow Django pages fast"])
    category: Text = Field(max_length=60, description="Its slug", examples=["web-development"])
    summary: Text = Field("", max_length=160)
    description: Text = Field("", max_length=6000)
    tags: list[Annotated[Text, Field(min_length=1, max_length=30)]] = Field(default_factory=list, max_length=8)
    offer_floor: Amount | None = Field(None, description="No offer for one of its packages goes below")
    questions: list[AskedIn] = Field(default_factory=list, max_length=MOST_QUESTIONS)
    packages: list[PackageIn] = Field(default_factory=list, max_length=3, description="One of each size at most")

    def offers(self) -> list[PackageText]:
        """The packages, as the actions take them."""
        return [
            {
                "tier": one.tier.value,
                "name": one.name,
                "price": one.price,
                "delivery_days": one.delivery_days,
                "revisions": one.revisions,
                "deliverables": one.deliverables,
                "is_offered": one.is_offered,
            }
            for one in self.packages
        ]

    def words(self, category_id: UUID) -> ServiceText:
        """The rest of it."""
        asked: list[Question] = [
            {"label": one.label, "kind": one.kind.value, "required": one.is_required, "options": one.options, "help": one.help}
            for one in self.questions
        ]
        return {
            "category_id": category_id,
            "title": self.title,
            "summary": self.summary,
            "description": self.description,
            "tags": list(dict.fromkeys(self.tags)),
            "questions": asked,
            "offer_floor": self.offer_floor,
        }


class OwnServiceRow(Out):
    id: UUID
    slug: str
    title: str
    summary: str
    status: ServiceStatus
    category_id: UUID
    from_price: Money | None
    least_days: int | None
    order_count: int
    rating_count: int
    created_at: Moment
    changed_at: Moment | None
    published_at: Moment | None
    url: str


class OwnServicesOut(Out):
    items: list[OwnServiceRow]


class OwnPackageOut(PackageOut):
    is_offered: bool


class OwnServiceOut(OwnServiceRow):
    category: str = Field(description="Its slug")
    description: str
    tags: list[str]
    offer_floor: Money | None
    questions: list[AskedOut]
    packages: list[OwnPackageOut]
    missing: list[str] = Field(description="What it lacks for being published, in words")


class PriceHintOut(Out):
    """How the price of one size compares. Without enough sales there is no comparison."""

    tier: Tier
    price: Money
    kept: Money = Field(description="What the builder receives of it")
    checks: list[str] = Field(description="What to look at once more in the price itself")
    verdict: Verdict | None
    standing: str = Field(examples=["below 83% of them"])
    low: Money | None
    median: Money | None
    high: Money | None
    builders: int = Field(description="How many builders it is drawn from")
    is_paid: bool | None = Field(description="What clients paid; otherwise what builders ask")


class PriceHintsOut(Out):
    items: list[PriceHintOut]


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
    answer_minutes: int | None = Field(description="Median of the first answers to new clients; null while there are too few to say")
    on_time_percent: int | None = Field(description="Of accepted orders; null while there are too few to say")
    member_since: Moment
    portfolio: list[PieceOut]
    call_prices: list[CallPriceOut]
    away_until: Moment | None = Field(description="While they are away")
    away_message: str
    services: list[ServiceRow]
    reviews: list[ReviewedOut] = Field(description="The newest")
    photo_url: str
    url: str


def category_out(category: Category) -> CategoryOut:
    return CategoryOut.model_validate(category, from_attributes=True)


def category_detail_out(
    category: Category, parts: Iterable[Category], market: Iterable[tuple[Tier, Cell]], services: Iterable[Service]
) -> CategoryDetailOut:
    return CategoryDetailOut(
        **category_out(category).model_dump(),
        parts=[category_out(one) for one in parts],
        market=[
            MarketOut(tier=tier, low=c.p25, median=c.median, high=c.p75, builders=c.count, is_paid=c.source != Source.ASKED) for tier, c in market
        ],
        services=[service_row(one) for one in services],
        url=urljoin(settings.SITE_URL, category.get_absolute_url()),
    )


def saved_search_out(row: SavedSearch, news: int | None = None) -> SavedSearchOut:
    return SavedSearchOut(id=row.pk, name=row.name, frequency=Frequency(row.frequency), query=urlencode(row.asked), news=news, seen_at=row.seen_at)


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


def own_service_row(service: Service) -> OwnServiceRow:
    told = {name: getattr(service, name) for name in OwnServiceRow.model_fields if name != "url"}
    return OwnServiceRow(**told, url=urljoin(settings.SITE_URL, service.get_absolute_url()))


def own_service_out(service: Service, missing: list[str]) -> OwnServiceOut:
    """`missing` is what it lacks for being published. Its packages and category must be at hand."""
    return OwnServiceOut(
        **own_service_row(service).model_dump(),
        category=service.category.slug,
        description=service.description,
        tags=service.tags,
        offer_floor=service.offer_floor,
        questions=_asked(service),
        packages=[OwnPackageOut(**package_out(one).model_dump(), is_offered=one.is_offered) for one in service.packages.all()],
        missing=missing,
    )


def price_hint_out(hint: Hint) -> PriceHintOut:
    cell = hint.cell
    return PriceHintOut(
        tier=hint.tier,
        price=hint.price or Decimal(0),
        kept=hint.kept or Decimal(0),
        checks=hint.checks,
        verdict=hint.verdict,
        standing=hint.standing,
        low=cell.p25 if cell else None,
        median=cell.median if cell else None,
        high=cell.p75 if cell else None,
        builders=cell.count if cell else 0,
        is_paid=cell.source != Source.ASKED if cell else None,
    )


def reviews_out(reviews: Iterable[Any]) -> list[ReviewedOut]:
    return [ReviewedOut(id=one.pk, stars=one.stars, text=one.text, author=one.author.name, shown_at=one.shown_at, reply=one.reply) for one in reviews]


def _asked(service: Service) -> list[AskedOut]:
    return [
        AskedOut(label=one["label"], kind=one["kind"], is_required=one["required"], options=one.get("options", []), help=one.get("help", ""))
        for one in service.questions
    ]


def service_out(service: Service, packages: Iterable[Package], reviews: Iterable[Any], moment: Any) -> ServiceOut:
    builder = service.builder
    away = builder.is_away_at(moment)
    return ServiceOut(
        **_service(service),
        description=service.description,
        status=ServiceStatus(service.status),
        category=service.category.slug,
        packages=[package_out(one) for one in packages],
        questions=_asked(service),
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
        answer_minutes=builder.answer_minutes if builder.answers_in else None,
        on_time_percent=builder.on_time_percent,
        member_since=builder.created_at,
        portfolio=[piece_out(one, builder) for one in builder.portfolio.prefetch_related("pictures")],
        call_prices=[CallPriceOut(minutes=minutes, price=price) for minutes, price in builder.call_prices.items()],
        away_until=builder.away_until if away else None,
        away_message=builder.away_message if away else "",
        services=[service_row(one) for one in services],
        reviews=reviews_out(reviews),
        photo_url=urljoin(settings.SITE_URL, reverse("builders:photo", args=[builder.slug])),
        url=urljoin(settings.SITE_URL, builder.get_absolute_url()),
    )
