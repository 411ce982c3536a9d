"""What is sold: services in categories, each in up to three packages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchQueryField, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category as LogCategory
from auditlog.models import Watched
from port444.builders.models import Builder, Level, away_at
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.kit.states import StateMachine, known_status, meet


class ServiceStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    PAUSED = "paused", _("Paused")


class Tier(models.TextChoices):
    BASIC = "basic", _("Basic")
    STANDARD = "standard", _("Standard")
    PREMIUM = "premium", _("Premium")


class QuestionKind(models.TextChoices):
    TEXT = "text", _("Text")
    LONG = "long", _("Long text")
    CHOICE = "choice", _("One choice")
    CHOICES = "choices", _("Several choices")
    FILE = "file", _("File")
    DATE = "date", _("Date")
    LINK = "link", _("Link")


CHOOSING = (QuestionKind.CHOICE, QuestionKind.CHOICES)  # these have options


class Category(models.Model):
    """A part of the market, or a part of one: categories have at most one above them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True, blank=True)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True)
    icon = models.CharField(max_length=40, default="package")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:category", args=[self.slug])


class ServiceQuerySet(models.QuerySet["Service"]):
    def lock(self, pk: Any) -> Service:
        return meet(self.select_for_update(of=("self",), no_key=True).get(pk=pk))

    def listed(self) -> ServiceQuerySet:
        """What search shows."""
        present = self.filter(status=ServiceStatus.PUBLISHED, builder__user__is_active=True, builder__user__suspended_at__isnull=True)
        return present.filter(Q(builder__away_from__isnull=True) | Q(builder__away_stops_orders=False) | ~away_at(now(), "builder__"))

    def visible_to(self, user: Any) -> ServiceQuerySet:
        """What a link opens: everything published or paused, and the owner's drafts."""
        public = Q(status__in=[ServiceStatus.PUBLISHED, ServiceStatus.PAUSED], builder__user__suspended_at__isnull=True)
        return self.filter(public | Q(builder__user_id=user.pk) if user.is_authenticated else public)

    def owned_by(self, user: Any) -> ServiceQuerySet:
        return self.filter(builder__user=user)


class Service(StateMachine):
    """An offer of a builder. `questions` are asked after payment: a list of {label, kind, required, options, help}."""

    NEXT = {
        ServiceStatus.DRAFT: frozenset({ServiceStatus.PUBLISHED}),
        ServiceStatus.PUBLISHED: frozenset({ServiceStatus.PAUSED}),
        ServiceStatus.PAUSED: frozenset({ServiceStatus.PUBLISHED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="services")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="services")
    title = models.CharField(max_length=90)
    slug = models.SlugField(max_length=110, unique=True)
    summary = models.CharField(max_length=160, blank=True)
    description = models.TextField(max_length=6000, blank=True)
    tags = ArrayField(models.CharField(max_length=30), default=list, blank=True, size=8)
    questions = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=10, choices=ServiceStatus.choices, default=ServiceStatus.DRAFT)
    # Kept by the actions from the packages, so that search sorts and filters on its own table.
    from_price = amount_field(null=True, blank=True)
    least_days = models.PositiveSmallIntegerField(null=True, blank=True)
    order_count = models.PositiveIntegerField(default=0)
    rating_sum = models.PositiveIntegerField(default=0)
    rating_count = models.PositiveIntegerField(default=0)
    # No offer for one of its packages goes below; None: no limit.
    offer_floor = amount_field(null=True, blank=True)
    hints_hidden = models.BooleanField(default=False)  # the builder does not want to see how prices compare
    # How the first package compares, refreshed by a job; all None while there are too few to compare with.
    market_min_price = amount_field(null=True, editable=False)
    market_max_price = amount_field(null=True, editable=False)
    market_median_price = amount_field(null=True, editable=False)
    price_percentile = models.PositiveSmallIntegerField(null=True, editable=False)
    market_due_at = models.DateTimeField(null=True, editable=False, default=now)  # when to look again; None for what is not for sale
    # Counts the changes: a form that was opened on an older version is refused.
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(null=True, editable=False)  # when the words or packages last changed; None: not since they were written
    published_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)

    objects = ServiceQuerySet.as_manager()

    audited = Watched(
        LogCategory.USER_ACTION,
        kept=(
            "builder_id category_id title slug summary description tags questions status from_price least_days order_count "
            "rating_sum rating_count offer_floor hints_hidden published_at paused_at created_at"
        ),
        ignored="market_min_price market_max_price market_median_price price_percentile market_due_at version changed_at",
    )

    class Meta:
        constraints = [
            known_status("service_status_known", ServiceStatus),
            models.CheckConstraint(
                condition=Q(status=ServiceStatus.DRAFT) | Q(published_at__isnull=False, from_price__isnull=False, least_days__isnull=False),
                name="service_published_is_complete",
            ),
            models.CheckConstraint(condition=Q(offer_floor__isnull=True) | Q(offer_floor__gt=0), name="service_floor_positive"),
            models.CheckConstraint(condition=Q(price_percentile__isnull=True) | Q(price_percentile__lte=100), name="service_percentile_in_range"),
        ]
        indexes = [
            models.Index(fields=["market_due_at", "id"], condition=Q(market_due_at__isnull=False), name="service_market_due"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="service_title_trgm"),  # for the console
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("catalog:service", args=[self.slug])

    @property
    def rating(self) -> Decimal | None:
        """The mean of all stars, to one place; None before the first review."""
        return (Decimal(self.rating_sum) / self.rating_count).quantize(Decimal("0.1")) if self.rating_count else None


class Package(models.Model):
    """One of a service's up to three sizes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="packages")
    tier = models.CharField(max_length=10, choices=Tier.choices)
    name = models.CharField(max_length=60)
    price = amount_field()
    delivery_days = models.PositiveSmallIntegerField()
    revisions = models.PositiveSmallIntegerField()
    deliverables = ArrayField(models.CharField(max_length=120), default=list, blank=True, size=12)
    is_offered = models.BooleanField(default=True)

    audited = Watched(
        LogCategory.USER_ACTION,
        kept="service_id tier name price delivery_days revisions deliverables is_offered",
        amount="price",
    )

    class Meta:
        ordering = ["price"]
        constraints = [
            models.UniqueConstraint(fields=["service", "tier"], name="package_tier_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="package_price_positive"),
            models.CheckConstraint(condition=Q(delivery_days__gte=1, delivery_days__lte=90), name="package_days_in_range"),
            models.CheckConstraint(condition=Q(revisions__lte=20), name="package_revisions_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.get_tier_display()}: {self.name}"


class Listing(models.Model):
    """What search reads: one narrow row for each service that is for sale, so that no search reads a description or asks who sells it.

    Triggers write it together with the service, its builder and the person (see the migration); `quality` is made again when it is due.
    Of the three sets of words each holds the one before: those of the title; with tags, category and the builder's name; and all.
    """

    service = models.OneToOneField(Service, on_delete=models.CASCADE, primary_key=True, related_name="listing")
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="+")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", db_index=False)
    section = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", db_index=False)  # the category above, or the same
    title_words = SearchVectorField()
    head_words = SearchVectorField()
    all_words = SearchVectorField()
    from_price = amount_field()
    least_days = models.PositiveSmallIntegerField()
    order_count = models.PositiveIntegerField()
    rating_tenths = models.PositiveSmallIntegerField(null=True)
    level = models.CharField(max_length=12, choices=Level.choices)
    languages = ArrayField(models.CharField(max_length=30))
    takes_calls = models.BooleanField()
    # While the builder takes no orders.
    away_from = models.DateTimeField(null=True)
    away_until = models.DateTimeField(null=True)
    published_at = models.DateTimeField()
    quality = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()  # when quality, level and stars are looked at again

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(quality__gte=400, quality__lte=1000), name="listing_quality_in_range")]
        indexes = [
            GinIndex(fields=["title_words"], name="listing_title"),
            GinIndex(fields=["head_words"], name="listing_head"),
            GinIndex(fields=["all_words"], name="listing_all"),
            models.Index(fields=["-quality", "-service"], name="listing_best"),
            models.Index(fields=["section", "-quality", "-service"], name="listing_best_of_section"),
            models.Index(fields=["category", "-quality", "-service"], name="listing_best_of_category"),
            models.Index(fields=["from_price", "service"], name="listing_by_price"),
            models.Index(fields=["section", "from_price", "service"], name="listing_price_of_section"),
            models.Index(fields=["-order_count", "-service"], name="listing_by_orders"),
            models.Index(fields=["-published_at", "-service"], name="listing_by_date"),
            models.Index(fields=["due_at", "service"], name="listing_due"),
        ]

    def __str__(self) -> str:
        return str(self.service_id)


class Term(models.Model):
    """A word of some listing as it is written there: what a typo is compared with, and what completes a word that is being typed."""

    word = models.CharField(max_length=30, primary_key=True)
    seen_at = models.DateTimeField(default=now)  # when a listing was last known to have it

    class Meta:
        indexes = [
            GinIndex(OpClass(F("word"), name="gin_trgm_ops"), name="term_trgm"),
            models.Index(fields=["seen_at", "word"], name="term_seen"),
        ]

    def __str__(self) -> str:
        return self.word


class Synonym(models.Model):
    """Two ways to say one thing, in one category or in all. Whoever searches for one finds the other as well, below it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    word = models.CharField(max_length=40)
    means = models.CharField(max_length=40)
    # What the search compares with; written by a trigger.
    word_query = SearchQueryField(editable=False, null=True)
    means_query = SearchQueryField(editable=False, null=True)
    created_at = models.DateTimeField(default=now)

    audited = Watched(LogCategory.ADMINISTRATIVE, kept="category_id word means created_at", ignored="word_query means_query")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "means", "category"], nulls_distinct=False, name="synonym_once"),
            models.CheckConstraint(condition=~Q(word=F("means")), name="synonym_of_another"),
        ]

    def __str__(self) -> str:
        return f"{self.word} ~ {self.means}"


class Frequency(models.TextChoices):
    """How often mail may tell what a saved search has found."""

    DAILY = "daily", _("At once, at most once a day")
    WEEKLY = "weekly", _("Once a week")
    NEVER = "never", _("Never")


class SavedSearch(models.Model):
    """A search that somebody comes back to. `asked` holds the fields of the search form that it sets; `told_until` is the moment up to which
    services were looked through for mail, `due_at` when that is done again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_searches")
    name = models.CharField(max_length=60)
    asked = models.JSONField(default=dict)
    frequency = models.CharField(max_length=6, choices=Frequency.choices)
    seen_at = models.DateTimeField(default=now)
    told_until = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    audited = Watched(LogCategory.USER_ACTION, kept="user_id name asked frequency created_at", ignored="seen_at told_until due_at")

    class Meta:
        verbose_name_plural = "saved searches"
        constraints = [
            models.UniqueConstraint(fields=["user", "asked"], name="saved_search_once"),
            models.CheckConstraint(condition=Q(frequency__in=Frequency.values), name="saved_search_frequency_known"),
            models.CheckConstraint(
                condition=Q(frequency="never", due_at__isnull=True) | (~Q(frequency="never") & Q(due_at__isnull=False)), name="saved_search_due"
            ),
        ]
        indexes = [models.Index(fields=["due_at", "user"], condition=Q(due_at__isnull=False), name="saved_search_to_tell")]

    def __str__(self) -> str:
        return self.name


class PriceSample(models.Model):
    """A price that was paid for a package, noted when the money came. `sale` names the order, so that each counts once.

    Whoever moves money writes this row alone, which nobody else waits for; a job finds what is not counted yet, or was undone since.
    """

    sale = models.UUIDField(primary_key=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", db_index=False)
    tier = models.CharField(max_length=10, choices=Tier.choices)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="+", db_index=False)
    price = amount_field()
    paid_at = models.DateTimeField()
    is_counted = models.BooleanField(default=False)
    is_undone = models.BooleanField(default=False)  # the money went back

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(price__gt=0), name="price_sample_positive")]
        indexes = [
            models.Index(fields=["builder", "category", "tier", "paid_at"], name="price_sample_of_builder"),
            models.Index(fields=["sale"], condition=Q(is_counted=False), name="price_sample_to_count"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} {self.price}"


class PricePoint(models.Model):
    """What one builder was paid for one size in one category, as the median of the last 180 days: one voice a builder.

    `due_at` is when it has to be made again: once a sale was counted, when its oldest sale leaves the window, and every week for the
    builder's level. Without a sale in the window the row is deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", db_index=False)
    tier = models.CharField(max_length=10, choices=Tier.choices)
    level = models.CharField(max_length=12, choices=Level.choices)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="+", db_index=False)
    price = amount_field(null=True)  # None until it is made
    sales = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["builder", "category", "tier"], name="price_point_once"),
            models.CheckConstraint(condition=Q(price__isnull=True) | Q(price__gt=0), name="price_point_positive"),
        ]
        indexes = [
            models.Index(fields=["category", "tier", "price"], condition=Q(price__isnull=False), name="price_point_of_tier"),
            models.Index(fields=["category", "tier", "level", "price"], condition=Q(price__isnull=False), name="price_point_of_level"),
            models.Index(fields=["due_at", "id"], name="price_point_due"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} {self.price}"


class Visit(models.Model):
    """Somebody looked at a service today. Who is a number made with a key of the day, so that nobody is known again tomorrow; a job counts
    the rows into ServiceDay once their day is over, and deletes them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    visitor = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["service", "day", "visitor"], name="visit_once_a_day")]
        indexes = [models.Index(fields=["day", "id"], name="visit_to_count")]

    def __str__(self) -> str:
        return f"{self.service_id} on {self.day}"


class ServiceDay(models.Model):
    """How many people looked at a service on a day that is over (UTC)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    visitors = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "day"], name="service_day_once"),
            models.CheckConstraint(condition=Q(visitors__gt=0), name="service_day_has_visitors"),
        ]

    def __str__(self) -> str:
        return f"{self.visitors} on {self.day}"
