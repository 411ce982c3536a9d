"""Who sells: the public profile of a builder."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field

LENGTHS = (15, 30, 60)


class BuilderQuerySet(models.QuerySet["Builder"]):
    def lock(self, pk: Any) -> Builder:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def visible(self) -> BuilderQuerySet:
        """Profiles that the public may see."""
        return self.filter(user__is_active=True, user__suspended_at__isnull=True)


class Builder(models.Model):
    """The builder's side of a user. Locked first by whatever books the builder's time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="builder")
    slug = models.SlugField(max_length=60, unique=True)
    headline = models.CharField(max_length=120)
    about = models.TextField(max_length=3000, blank=True)
    skills = ArrayField(models.CharField(max_length=30), default=list, blank=True, size=15)
    languages = ArrayField(models.CharField(max_length=30), default=list, blank=True, size=8)
    city = models.CharField(max_length=60, blank=True)
    photo = models.FileField(upload_to="photos/", blank=True)

    consultation_enabled = models.BooleanField("offers calls", default=False)
    consultation_15min_price = amount_field(null=True, blank=True)
    consultation_30min_price = amount_field(null=True, blank=True)
    consultation_60min_price = amount_field(null=True, blank=True)
    consultation_calendar_url = models.URLField(blank=True)
    meeting_url = models.URLField("your meeting room", blank=True, help_text="A link that both sides open at the time of the call.")

    is_away = models.BooleanField(default=False)
    away_message = models.CharField(max_length=300, blank=True)
    away_until = models.DateTimeField(null=True, blank=True)
    away_paused_at = models.DateTimeField(null=True, blank=True)

    # Counted by the actions of orders, so that search need not look upward.
    rating_sum = models.PositiveIntegerField(default=0)
    rating_count = models.PositiveIntegerField(default=0)
    completed_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)

    objects = BuilderQuerySet.as_manager()

    class Meta:
        constraints = [
            *(
                models.CheckConstraint(
                    condition=Q(**{f"consultation_{m}min_price__isnull": True}) | Q(**{f"consultation_{m}min_price__gt": 0}),
                    name=f"builder_call_price_{m}_positive",
                )
                for m in LENGTHS
            ),
            models.CheckConstraint(
                condition=Q(consultation_enabled=False)
                | Q(consultation_15min_price__isnull=False)
                | Q(consultation_30min_price__isnull=False)
                | Q(consultation_60min_price__isnull=False),
                name="builder_calls_have_a_price",
            ),
            models.CheckConstraint(condition=Q(rating_sum__lte=5 * F("rating_count")), name="builder_rating_in_range"),
        ]

    def __str__(self) -> str:
        return self.user.name

    def get_absolute_url(self) -> str:
        return reverse("builders:detail", args=[self.slug])

    @property
    def photo_url(self) -> str:
        """The picture's address; it changes with the picture, so that browsers may keep what they have."""
        address = reverse("builders:photo", args=[self.slug])
        return f"{address}?v={self.photo.name[-16:-4]}" if self.photo.name else address

    def call_price(self, minutes: int) -> Decimal | None:
        """The price of a call of `minutes` (15, 30 or 60), None when that length is not offered."""
        return getattr(self, f"consultation_{minutes}min_price") if self.consultation_enabled and minutes in LENGTHS else None

    @property
    def call_prices(self) -> dict[int, Decimal]:
        """The lengths on offer with their prices."""
        return {m: price for m in LENGTHS if (price := self.call_price(m)) is not None}

    @property
    def rating(self) -> Decimal | None:
        """The mean of all stars, to one place; None before the first review."""
        return (Decimal(self.rating_sum) / self.rating_count).quantize(Decimal("0.1")) if self.rating_count else None
