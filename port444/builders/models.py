"""Who sells: the public profile of a builder."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field

LENGTHS = (15, 30, 60)


class Level(models.TextChoices):
    """How much a builder has done here; prices are compared within a level."""

    NEW = "new", _("New")
    ESTABLISHED = "established", _("Established")
    TOP = "top", _("Top")


# From how many completed orders, and with what mean of stars (in tenths).
ESTABLISHED_FROM, TOP_FROM, TOP_TENTHS = 5, 50, 47
LEAST_TOLD = 3  # first answers, or orders with a date, before anything is said about them


def away_at(moment: datetime, prefix: str = "") -> Q:
    """Builders who are away at `moment`; `prefix` leads to the builder, e.g. "builder__"."""
    return Q(**{f"{prefix}away_from__lte": moment, f"{prefix}away_until__gt": moment})


# What the app of away mode writes.
AWAY_FIELDS = ["away_from", "away_until", "away_message", "away_paused_at", "away_stops_orders", "away_stops_calls", "away_stops_clock"]


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
    meeting_url = models.URLField("your meeting room", blank=True, help_text=_("A link that both sides open at the time of the call."))

    # The span of being away that is planned or runs, written by the app of away mode. Nothing is switched on or off: who asks, asks the
    # clock. `away_paused_at` is when the span was first saved, and names it.
    away_from = models.DateTimeField(null=True, blank=True)
    away_until = models.DateTimeField(null=True, blank=True)
    away_message = models.CharField(max_length=300, blank=True)
    away_paused_at = models.DateTimeField(null=True, blank=True)
    away_stops_orders = models.BooleanField(default=True)
    away_stops_calls = models.BooleanField(default=True)
    away_stops_clock = models.BooleanField(default=True)

    # Counted by the actions of orders, so that search need not look upward.
    rating_sum = models.PositiveIntegerField(default=0)
    rating_count = models.PositiveIntegerField(default=0)
    completed_count = models.PositiveIntegerField(default=0)
    # The median of the first answers to new clients within 90 days, without the time away; written by a sweep of messaging.
    answer_minutes = models.PositiveIntegerField(null=True, editable=False)
    answer_count = models.PositiveIntegerField(default=0, editable=False)
    # Of accepted orders those that were delivered by their date, and all of which that can be said.
    on_time_count = models.PositiveIntegerField(default=0, editable=False)
    timed_count = models.PositiveIntegerField(default=0, editable=False)
    changed_at = models.DateTimeField(null=True, editable=False)  # when the profile last changed; None: not since it was opened
    created_at = models.DateTimeField(default=now)

    objects = BuilderQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "user_id slug headline about skills languages city photo consultation_enabled consultation_15min_price "
            "consultation_30min_price consultation_60min_price away_from away_until away_message away_paused_at "
            "away_stops_orders away_stops_calls away_stops_clock rating_sum rating_count completed_count created_at"
        ),
        ignored="answer_minutes answer_count on_time_count timed_count changed_at",
        personal="consultation_calendar_url meeting_url",
    )

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
            models.CheckConstraint(condition=Q(on_time_count__lte=F("timed_count")), name="builder_on_time_in_range"),
            models.CheckConstraint(
                condition=Q(away_from__isnull=True, away_until__isnull=True, away_paused_at__isnull=True)
                | Q(away_from__isnull=False, away_until__isnull=False, away_paused_at__isnull=False, away_from__lt=F("away_until")),
                name="builder_away_has_both_ends",
            ),
        ]
        indexes = [models.Index(fields=["away_until"], condition=Q(away_until__isnull=False), name="builder_away")]

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
    def is_away(self) -> bool:
        return self.is_away_at(now())

    def is_away_at(self, moment: datetime) -> bool:
        return self.away_from is not None and self.away_until is not None and self.away_from <= moment < self.away_until

    @property
    def away_last(self) -> datetime | None:
        """The last moment away: its date is the last day away, while the date of `away_until` is the day of the return."""
        return self.away_until - timedelta(microseconds=1) if self.away_until else None

    @property
    def takes_orders(self) -> bool:
        return not (self.away_stops_orders and self.is_away)

    def time_away(self, begun: datetime, due: datetime) -> timedelta:
        """By how much work that began at `begun` and would be due at `due` is due later, because the clock stands while the builder
        is away. What is due before that begins is not touched."""
        if not self.away_stops_clock or self.away_from is None or self.away_until is None:
            return timedelta(0)
        stands_from = max(begun, self.away_from)
        return self.away_until - stands_from if stands_from < min(due, self.away_until) else timedelta(0)

    def away_before(self, due: datetime, moment: datetime) -> timedelta:
        """By how much being away, from `moment` on, has moved a due date to `due`. A date before the end was not moved."""
        if not self.away_stops_clock or self.away_from is None or self.away_until is None or not moment < self.away_until < due:
            return timedelta(0)
        return self.away_until - max(moment, self.away_from)

    @property
    def level(self) -> Level:
        if self.completed_count >= TOP_FROM and self.rating_count and 10 * self.rating_sum >= TOP_TENTHS * self.rating_count:
            return Level.TOP
        return Level.ESTABLISHED if self.completed_count >= ESTABLISHED_FROM else Level.NEW

    @property
    def answers_in(self) -> str:
        """How soon new clients hear from the builder, in words; empty while there are too few to say."""
        if self.answer_minutes is None or self.answer_count < LEAST_TOLD:
            return ""
        if self.answer_minutes < 55:
            count = max(1, self.answer_minutes)
            return ngettext("about %(count)s minute", "about %(count)s minutes", count) % {"count": count}
        if self.answer_minutes < 36 * 60:
            count = round(self.answer_minutes / 60)
            return ngettext("about %(count)s hour", "about %(count)s hours", count) % {"count": count}
        count = round(self.answer_minutes / (24 * 60))
        return ngettext("about %(count)s day", "about %(count)s days", count) % {"count": count}

    @property
    def on_time_percent(self) -> int | None:
        """How many of a hundred accepted orders came by their date, rounded down; None while there are too few to say."""
        return 100 * self.on_time_count // self.timed_count if self.timed_count >= LEAST_TOLD else None

    @property
    def rating(self) -> Decimal | None:
        """The mean of all stars, to one place; None before the first review."""
        return (Decimal(self.rating_sum) / self.rating_count).quantize(Decimal("0.1")) if self.rating_count else None


class PortfolioPiece(models.Model):
    """Something that a builder has made and shows; in the order of `position`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="portfolio")
    title = models.CharField(max_length=90)
    words = models.TextField(max_length=1000, blank=True)
    link = models.URLField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=now)

    audited = Watched(Category.USER_ACTION, kept="builder_id title words link position created_at")

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.title


class PortfolioPicture(models.Model):
    """A picture of a piece, drawn anew when it was sent: no metadata and nothing hidden. Served while the profile is public."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    piece = models.ForeignKey(PortfolioPiece, on_delete=models.CASCADE, related_name="pictures")
    file = models.FileField(upload_to="portfolio/")
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()

    audited = Watched(Category.USER_ACTION, kept="piece_id file width height")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.pk)
