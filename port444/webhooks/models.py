"""Where people want to hear of their own events, what is to be sent there, and how each try went."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.sealed import SealedField
from port444.kit.states import StateMachine, known_status, meet


class SecretField(SealedField):
    """`{"current": "whsec_...", "former": "whsec_..."}`; the former one is there for a day after an exchange."""

    purpose = "webhook"


class EndpointStatus(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("state of a webhook", "On")
    PAUSED = "paused", _("Paused")
    DISABLED = "disabled", _("Stopped by us")
    REMOVED = "removed", _("Removed")


class DisabledWhy(models.TextChoices):
    GONE = "gone", _("It answered 410: gone for good")
    FAILING = "failing", _("It did not take anything for days")


E = EndpointStatus


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def visible_to(self, user: Any) -> WebhookEndpointQuerySet:
        return self.exclude(status=E.REMOVED).filter(user=user)

    def lock(self, pk: Any) -> WebhookEndpoint:
        return meet(self.select_for_update(of=("self",), no_key=True).get(pk=pk))

    def hearing(self, event: str, people: list[Any]) -> WebhookEndpointQuerySet:
        """Those of `people` (ids, or queries of one) that want `event`. What is paused hears of it later; who is suspended does not."""
        theirs = reduce(or_, (Q(user_id=one) for one in people))
        wanting = self.filter(theirs, events__overlap=[event, EVERYTHING], status__in=[E.ACTIVE, E.PAUSED])
        return wanting.filter(user__is_active=True, user__suspended_at__isnull=True)


EVERYTHING = "*"


class WebhookEndpoint(StateMachine):
    """An address of a person to which port444 posts what happens to them."""

    called = _("webhook endpoint")
    NEXT = {
        E.ACTIVE: frozenset({E.PAUSED, E.DISABLED, E.REMOVED}),
        E.PAUSED: frozenset({E.ACTIVE, E.REMOVED}),
        E.DISABLED: frozenset({E.ACTIVE, E.REMOVED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=120, blank=True)
    events = ArrayField(models.CharField(max_length=40))
    secret = SecretField()
    renewed_at = models.DateTimeField(default=now)
    former_until = models.DateTimeField(null=True)  # until when the former secret signs as well
    status = models.CharField(max_length=8, choices=E.choices, default=E.ACTIVE)
    disabled_why = models.CharField(max_length=7, choices=DisabledWhy.choices, blank=True)
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)  # since when no try has succeeded
    client_key = models.UUIDField(default=uuid7)  # of the form, so that pressing twice adds one
    created_at = models.DateTimeField(default=now)

    objects = WebhookEndpointQuerySet.as_manager()

    audited = Watched(
        Category.SECURITY,
        kept="user_id events renewed_at former_until status disabled_why disabled_at client_key created_at",
        personal="url description",
        hidden="secret",
        ignored="failing_since",
    )

    class Meta:
        default_permissions = ()
        ordering = ["created_at", "id"]
        constraints = [
            known_status("webhook_endpoint_status_known", E),
            models.UniqueConstraint(fields=["user", "client_key"], name="webhook_endpoint_once"),
            models.CheckConstraint(condition=Q(events__len__gt=0), name="webhook_endpoint_hears_something"),
            models.CheckConstraint(condition=Q(disabled_why__in=["", *DisabledWhy.values]), name="webhook_endpoint_why_known"),
            models.CheckConstraint(
                condition=Q(status="disabled", disabled_at__isnull=False) | (~Q(status="disabled") & Q(disabled_at__isnull=True, disabled_why="")),
                name="webhook_endpoint_disabled_has_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url

    def get_absolute_url(self) -> str:
        return reverse("webhooks:detail", args=[self.pk])

    @property
    def hears_all(self) -> bool:
        return self.events == [EVERYTHING]

    @property
    def stopped_words(self) -> str:
        why = DisabledWhy(self.disabled_why).label if self.disabled_why else ""
        return gettext("%(why)s. What happens now is not sent there until you have it go on.") % {"why": why}

    def secrets_at(self, moment: datetime) -> list[str]:
        """What signs at `moment`, the newest first."""
        former = [self.secret["former"]] if self.former_until and self.former_until > moment and "former" in self.secret else []
        return [self.secret["current"], *former]


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", _("Waiting")
    SENDING = "sending", _("Being sent")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Given up")


D = DeliveryStatus


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, user: Any) -> WebhookDeliveryQuerySet:
        return self.filter(endpoint__user=user).exclude(endpoint__status=E.REMOVED)

    def due(self, moment: datetime) -> WebhookDeliveryQuerySet:
        """Waiting and due, or claimed by a worker that has died since, for an address that may be asked."""
        free = Q(status=D.PENDING) | Q(status=D.SENDING, claimed_until__lte=moment)
        asked = self.filter(endpoint__status=E.ACTIVE, endpoint__user__suspended_at__isnull=True, endpoint__user__is_active=True)
        return asked.filter(free, due_at__lte=moment)


class WebhookDelivery(StateMachine):
    """One event on its way to one address. The body never changes, so that each try posts the same under the same id."""

    NEXT = {
        D.PENDING: frozenset({D.SENDING, D.DELIVERED, D.FAILED}),
        D.SENDING: frozenset({D.SENDING, D.PENDING, D.DELIVERED, D.FAILED}),
        D.DELIVERED: frozenset({D.PENDING}),
        D.FAILED: frozenset({D.PENDING, D.DELIVERED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event_id = models.UUIDField()
    event = models.CharField(max_length=40)
    body = models.TextField()
    status = models.CharField(max_length=9, choices=D.choices, default=D.PENDING)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)  # since it was last begun, which the waits are counted by
    attempts = models.PositiveIntegerField(default=0)  # in all
    code = models.PositiveSmallIntegerField(null=True)  # of the last answer
    error = models.CharField(max_length=200, blank=True)  # why there was none, or it was not taken
    created_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        default_permissions = ()
        constraints = [
            known_status("webhook_delivery_status_known", D),
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=["delivered", "failed"], settled_at__isnull=False)
                | (~Q(status__in=["delivered", "failed"]) & Q(settled_at__isnull=True)),
                name="webhook_delivery_settled_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at"], condition=Q(status__in=["pending", "sending"]), name="webhook_delivery_open"),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_log"),
            models.Index(fields=["endpoint", "-id"], condition=Q(status="failed"), name="webhook_delivery_failed"),
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.status}"

    @property
    def message_id(self) -> str:
        """What receivers know it by: the same for every try, and for every address that hears of the event."""
        return f"evt_{self.event_id.hex}"


class WebhookAttempt(models.Model):
    """How one try went. Written once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tried")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=now)
    milliseconds = models.PositiveIntegerField()
    code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    answer = models.TextField(blank=True)  # its first kilobyte

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")]

    def __str__(self) -> str:
        return f"{self.number}: {self.code or self.error}"
