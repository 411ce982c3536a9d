"""What pages and the API show of webhooks, and what is to be sent next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.metrics import Reading

from .models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint

PAGE = 25
LATE = timedelta(minutes=15)

# The endpoints for which something waits are found by leaps through the index, not by reading all that waits for them.
NEXT = """
WITH RECURSIVE waiting AS (
  (SELECT endpoint_id FROM webhooks_webhookdelivery WHERE status IN ('pending', 'sending') ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhooks_webhookdelivery d WHERE d.status IN ('pending', 'sending') AND d.endpoint_id > w.endpoint_id
          ORDER BY d.endpoint_id LIMIT 1)
  FROM waiting w WHERE w.endpoint_id IS NOT NULL
)
SELECT due.id FROM waiting w
JOIN webhooks_webhookendpoint e ON e.id = w.endpoint_id AND e.status = 'active'
JOIN accounts_user u ON u.id = e.user_id AND u.is_active AND u.suspended_at IS NULL
CROSS JOIN LATERAL (
  SELECT count(*) AS flying FROM webhooks_webhookdelivery d WHERE d.endpoint_id = e.id AND d.status = 'sending' AND d.claimed_until > %(moment)s
) busy
CROSS JOIN LATERAL (
  SELECT d.id, d.due_at, row_number() OVER (ORDER BY d.due_at) + busy.flying AS place FROM webhooks_webhookdelivery d
  WHERE d.endpoint_id = e.id AND d.due_at <= %(moment)s AND (d.status = 'pending' OR d.status = 'sending' AND d.claimed_until <= %(moment)s)
  ORDER BY d.due_at LIMIT greatest(%(each)s - busy.flying, 0)
) due
ORDER BY due.place, due.due_at LIMIT %(most)s
"""


def next_due(moment: datetime, most: int, each: int) -> list[UUID]:
    """Up to `most` deliveries to send now, in turns: the first of every endpoint before the second of one, and of each endpoint no more than
    `each` together with those that are on their way."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT, {"moment": moment, "each": each, "most": most})
        return [row[0] for row in cursor.fetchall()]


def sending_is_late() -> bool:
    """Whether something that is due has waited far longer than a turn takes."""
    due = WebhookDelivery.objects.due(now() - LATE)
    return due.exists()


def readings() -> Iterator[Reading]:
    """For the metrics: what is due for people's own programs."""
    moment = now()
    waiting = WebhookDelivery.objects.due(moment).aggregate(count=Count("pk"), oldest=Min("due_at"))
    yield Reading("port444_webhooks_waiting", waiting["count"], "Events that are due for people's own programs")
    age = (moment - (waiting["oldest"] or moment)).total_seconds()
    yield Reading("port444_webhooks_age_seconds", age, "Seconds for which the oldest of them is due")


def endpoints_of(user: Any) -> list[Any]:
    """The addresses of a person, each with whether something waits for it (`waiting`) or was given up (`failed`)."""
    own = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"))
    found = {
        "waiting": Exists(own.filter(status__in=[DeliveryStatus.PENDING, DeliveryStatus.SENDING])),
        "failed": Exists(own.filter(status=DeliveryStatus.FAILED)),
    }
    return list(WebhookEndpoint.objects.visible_to(user).annotate(**found).order_by("created_at", "id"))


def endpoint_of(user: Any, endpoint_id: UUID) -> WebhookEndpoint:
    """One address of a person. Raises WebhookEndpoint.DoesNotExist for one of somebody else."""
    return WebhookEndpoint.objects.visible_to(user).get(pk=endpoint_id)


SHOWS: dict[str, tuple[Any, list[str]]] = {
    "": (_("All"), []),
    "delivered": (_("Delivered"), [DeliveryStatus.DELIVERED]),
    "waiting": (_("Waiting"), [DeliveryStatus.PENDING, DeliveryStatus.SENDING]),
    "failed": (_("Given up"), [DeliveryStatus.FAILED]),
}


def deliveries_of(
    endpoint: WebhookEndpoint, *, show: str = "", before: UUID | None = None, limit: int = PAGE
) -> tuple[list[WebhookDelivery], UUID | None]:
    """The log of an address, newest first, and the key of the next page."""
    rows = endpoint.deliveries.defer("body").order_by("-id")
    if SHOWS[show][1]:
        rows = rows.filter(status__in=SHOWS[show][1])
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class Log:
    """One delivery with each of its tries, newest first."""

    delivery: WebhookDelivery
    attempts: Sequence[WebhookAttempt]


MOST_SHOWN = 50


def log_of(delivery: WebhookDelivery) -> Log:
    return Log(delivery, list(_tries(delivery)[:MOST_SHOWN]))


def _tries(delivery: WebhookDelivery) -> QuerySet[WebhookAttempt]:
    return WebhookAttempt.objects.filter(delivery=delivery).order_by("-number")
