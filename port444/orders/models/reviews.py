"""What the two sides of a completed order say about each other, and what support is told about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from auditlog.models import Category, Watched
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.messaging.models import ReportReason

from .orders import Order

USER = settings.AUTH_USER_MODEL
BLIND = timedelta(days=settings.REVIEWS_BLIND_DAYS)
REPLY_OPEN = timedelta(hours=settings.REPLY_HOURS)
REPLY_LENGTH = 1000


def _stars(name: str, *, may_lack: bool = False) -> models.CheckConstraint:
    given = Q(**{f"{name}__gte": 1, f"{name}__lte": 5})
    return models.CheckConstraint(condition=Q(**{f"{name}__isnull": True}) | given if may_lack else given, name=f"review_{name}_in_range")


class ReviewQuerySet(models.QuerySet["Review"]):
    def shown(self, moment: datetime) -> ReviewQuerySet:
        return self.filter(shown_at__lte=moment)

    def public(self, moment: datetime) -> ReviewQuerySet:
        """What everybody may read: what clients say about work."""
        return self.shown(moment).filter(by_client=True)

    def of_client(self, person: Any, moment: datetime) -> ReviewQuerySet:
        """What builders say about a client; for builders who have to do with them."""
        return self.shown(moment).filter(by_client=False, about=person)

    def readable_by(self, user: Any, moment: datetime) -> ReviewQuerySet:
        """One's own words, and of others what is shown: about work to everybody, about clients to the two of the order."""
        sides = Q(about=user) | Q(by_client=True)
        return self.filter(Q(author=user) | (Q(shown_at__lte=moment) & sides))

    def uncounted(self, moment: datetime) -> ReviewQuerySet:
        """Shown by the clock, while nobody was told and no sum has moved yet."""
        return self.filter(counted_at__isnull=True, shown_at__lte=moment)

    def newest_first(self) -> ReviewQuerySet:
        return self.order_by("-shown_at", "-id")


class Review(models.Model):
    """One side's word on a completed order.

    `shown_at` is known as soon as it is written: seven days after the order's end, or at once for both when the second side writes. Whether it
    is shown is asked of the clock. `counted_at` says that the sums of builder and service hold it, which follows within a minute.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    by_client = models.BooleanField()
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    about = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", db_index=False)
    stars = models.PositiveSmallIntegerField()
    as_described = models.PositiveSmallIntegerField(null=True)
    communication = models.PositiveSmallIntegerField(null=True)
    text = models.TextField(max_length=2000, blank=True)
    private_note = models.TextField(max_length=1000, blank=True)  # for the reviewed person alone
    created_at = models.DateTimeField(default=now)
    shown_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True)
    reply = models.TextField(max_length=REPLY_LENGTH, blank=True)  # of the reviewed person, read by whoever reads the review
    replied_at = models.DateTimeField(null=True)

    objects = ReviewQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "order_id by_client builder_id service_id author_id about_id stars as_described communication created_at shown_at counted_at replied_at"
        ),
        personal="text private_note reply",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "by_client"], name="review_once_a_side"),
            _stars("stars"),
            _stars("as_described", may_lack=True),
            _stars("communication", may_lack=True),
            models.CheckConstraint(
                condition=Q(by_client=True) | Q(as_described__isnull=True, communication__isnull=True), name="review_questions_of_client"
            ),
            models.CheckConstraint(condition=~Q(author=F("about")), name="review_of_another"),
            models.CheckConstraint(condition=Q(shown_at__gte=F("created_at")), name="review_shown_after_written"),
            models.CheckConstraint(condition=Q(counted_at__isnull=True) | Q(counted_at__gte=F("shown_at")), name="review_counted_when_shown"),
            models.CheckConstraint(
                condition=Q(reply="", replied_at__isnull=True) | (~Q(reply="") & Q(replied_at__isnull=False, replied_at__gte=F("shown_at"))),
                name="review_reply_after_shown",
            ),
        ]
        indexes = [
            models.Index(fields=["service", "-shown_at", "-id"], condition=Q(by_client=True), name="review_of_service"),
            models.Index(fields=["builder", "-shown_at", "-id"], condition=Q(by_client=True), name="review_of_builder"),
            models.Index(fields=["about", "-shown_at", "-id"], condition=Q(by_client=False), name="review_of_client"),
            models.Index(fields=["shown_at"], condition=Q(counted_at__isnull=True), name="review_to_count"),
        ]

    def __str__(self) -> str:
        return f"{self.stars} stars"

    def is_shown(self, moment: datetime) -> bool:
        return self.shown_at <= moment

    def may_reply(self, moment: datetime) -> bool:
        """Whether the reviewed person may still write or change their reply."""
        return self.is_shown(moment) and (self.replied_at is None or moment < self.replied_at + REPLY_OPEN)


class ReviewReport(models.Model):
    """Somebody's word to support about a review; once for each person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="reports")
    reporter = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=12, choices=ReportReason.choices)
    text = models.TextField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "reporter"], name="review_report_once"),
            models.CheckConstraint(condition=Q(reason__in=ReportReason.values), name="review_report_reason_known"),
        ]
        indexes = [models.Index(fields=["reporter", "-created_at"], name="review_report_of_reporter")]

    def __str__(self) -> str:
        return f"{self.reason} about {self.review_id}"
