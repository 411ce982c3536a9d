"""Telling people: in the app, by e-mail, by SMS; each message once."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", "SMS"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: Any) -> NotificationQuerySet:
        return self.filter(user=user)

    def unread(self) -> NotificationQuerySet:
        return self.filter(read_at__isnull=True)


class Notification(models.Model):
    """One thing told to one person; the in-app message, and the parent of its deliveries.

    `dedupe_key` makes telling the same person twice impossible, whoever asks again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=300)
    context = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    dedupe_key = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "dedupe_key"], name="notification_told_once")]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="notification_of_user"),
            models.Index(fields=["user", "-id"], condition=Q(read_at__isnull=True), name="notification_newest_unread"),
        ]

    def __str__(self) -> str:
        return self.title


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, moment: datetime) -> DeliveryQuerySet:
        """Waiting and due, or claimed by a worker that has died since. What was claimed was due, so that one index finds both."""
        free = Q(status=DeliveryStatus.PENDING) | Q(status=DeliveryStatus.SENDING, claimed_until__lte=moment)
        return self.filter(free, due_at__lte=moment)


class Delivery(StateMachine):
    """One notification on its way by one channel. `id` is the Message-ID and the provider's idempotency key."""

    NEXT = {
        DeliveryStatus.PENDING: frozenset({DeliveryStatus.SENDING, DeliveryStatus.SENT, DeliveryStatus.SKIPPED}),
        DeliveryStatus.SENDING: frozenset(DeliveryStatus),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address = models.CharField(max_length=254)
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        constraints = [
            known_status("delivery_status_known", DeliveryStatus),
            models.UniqueConstraint(fields=["notification", "channel"], name="delivery_once_per_channel"),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False) | (~Q(status="sent") & Q(sent_at__isnull=True)), name="delivery_sent_has_moment"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(status__in=["pending", "sending"]), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.channel} {self.status}"


class Preference(models.Model):
    """What a person chose for one kind and channel, where it differs from the default."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_preferences")
    group = models.CharField(max_length=30)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    enabled = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "group", "channel"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.group} by {self.channel}: {self.enabled}"


class QuietHours(models.Model):
    """When a person is not to be disturbed, on the wall clock of their own zone. No row means 21:00 to 08:00."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="quiet_hours")
    enabled = models.BooleanField(default=True)
    starts = models.TimeField(default=time(21))
    ends = models.TimeField(default=time(8))

    class Meta:
        verbose_name_plural = "quiet hours"

    def __str__(self) -> str:
        return f"{self.starts:%H:%M} to {self.ends:%H:%M}"
