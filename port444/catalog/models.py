"""What is sold: services in categories, each in up to three packages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.urls import reverse

from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.kit.states import StateMachine, known_status


class ServiceStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    PAUSED = "paused", "Paused"


class Tier(models.TextChoices):
    BASIC = "basic", "Basic"
    STANDARD = "standard", "Standard"
    PREMIUM = "premium", "Premium"


class QuestionKind(models.TextChoices):
    TEXT = "text", "Text"
    LONG = "long", "Long text"
    CHOICE = "choice", "Choice"
    FILE = "file", "File"


class Category(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=60)
    icon = models.CharField(max_length=40, default="package")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class ServiceQuerySet(models.QuerySet["Service"]):
    def lock(self, pk: Any) -> Service:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def listed(self) -> ServiceQuerySet:
        """What search shows."""
        return self.filter(
            status=ServiceStatus.PUBLISHED, builder__is_away=False, builder__user__is_active=True, builder__user__suspended_at__isnull=True
        )

    def visible_to(self, user: Any) -> ServiceQuerySet:
        """What a link opens: everything published or paused, and the owner's drafts."""
        public = Q(status__in=[ServiceStatus.PUBLISHED, ServiceStatus.PAUSED], builder__user__suspended_at__isnull=True)
        return self.filter(public | Q(builder__user_id=user.pk) if user.is_authenticated else public)

    def owned_by(self, user: Any) -> ServiceQuerySet:
        return self.filter(builder__user=user)


class Service(StateMachine):
    """An offer of a builder. `questions` are asked after payment: a list of {label, kind, required, options}."""

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
    # Counts the changes: a form that was opened on an older version is refused.
    version = models.PositiveIntegerField(default=1)
    search = SearchVectorField(null=True, editable=False)  # written by a trigger
    published_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = [
            known_status("service_status_known", ServiceStatus),
            models.CheckConstraint(
                condition=Q(status=ServiceStatus.DRAFT) | Q(published_at__isnull=False, from_price__isnull=False, least_days__isnull=False),
                name="service_published_is_complete",
            ),
        ]
        indexes = [
            GinIndex(fields=["search"], name="service_search"),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="service_title_trgm"),
            models.Index(fields=["category", "from_price", "id"], condition=Q(status="published"), name="service_by_price"),
            models.Index(fields=["-order_count", "-id"], condition=Q(status="published"), name="service_by_orders"),
            models.Index(fields=["from_price", "id"], condition=Q(status="published"), name="service_by_any_price"),
            models.Index(fields=["-published_at", "-id"], condition=Q(status="published"), name="service_by_date"),
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
