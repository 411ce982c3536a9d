"""What the API says about webhooks."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pydantic import Field

from port444.kit.rest import In, Moment, Out, Row, Text

from .models import DeliveryStatus, DisabledWhy, EndpointStatus, WebhookDelivery, WebhookEndpoint
from .queries import Log

ADDRESS = Field(max_length=500, examples=["https://example.com/port444"])
EVENTS = Field(
    min_length=1, max_length=100, description='Names of events, or "*" alone for all of them', examples=[["order.paid", "order.delivered"]]
)


class WebhookIn(In):
    url: Text = ADDRESS
    events: list[Text] = EVENTS
    description: Text = Field("", max_length=120)


class WebhookRow(Row):
    id: UUID
    url: str
    description: str
    events: list[str]
    status: EndpointStatus
    stopped_because: DisabledWhy | None
    failing_since: Moment | None
    secret_made_at: Moment
    former_secret_until: Moment | None = Field(description="Until when the secret before this one signs as well")
    created_at: Moment


class WebhookOut(WebhookRow):
    pass


class NewWebhookOut(WebhookOut):
    secret: str | None = Field(description="What signs; said this once, and null when the call was made before", examples=["whsec_..."])


class WebhooksOut(Out):
    items: list[WebhookRow]
    next: str | None


class DeliveryRow(Row):
    id: UUID
    event_id: UUID
    event: str = Field(examples=["order.paid"])
    status: DeliveryStatus
    attempts: int
    code: int | None = Field(description="Of the last answer")
    error: str
    next_try_at: Moment | None
    created_at: Moment
    settled_at: Moment | None


class WebhookDeliveriesOut(Out):
    items: list[DeliveryRow]
    next: str | None


class TryOut(Out):
    number: int
    at: Moment
    milliseconds: int
    code: int | None
    error: str
    answer: str


class WebhookDeliveryOut(DeliveryRow):
    body: dict[str, Any] = Field(description="What is posted, each time the same")
    tries: list[TryOut]


class ReplayIn(In):
    since: Moment


class ReplayedOut(Out):
    again: int = Field(description="How many are sent again")


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    same = ("id", "url", "description", "events", "status", "failing_since", "created_at")
    return {name: getattr(endpoint, name) for name in same} | {
        "stopped_because": endpoint.disabled_why or None,
        "secret_made_at": endpoint.renewed_at,
        "former_secret_until": endpoint.former_until,
    }


def webhook_row(endpoint: WebhookEndpoint) -> WebhookRow:
    return WebhookRow(**_endpoint(endpoint))


def webhook_out(endpoint: WebhookEndpoint) -> WebhookOut:
    return WebhookOut(**_endpoint(endpoint))


def new_webhook_out(endpoint: WebhookEndpoint, secret: str) -> NewWebhookOut:
    return NewWebhookOut(**_endpoint(endpoint), secret=secret or None)


def _delivery(row: WebhookDelivery) -> dict[str, Any]:
    same = ("id", "event_id", "event", "status", "attempts", "code", "error", "created_at", "settled_at")
    return {name: getattr(row, name) for name in same} | {"next_try_at": row.due_at if row.status == DeliveryStatus.PENDING else None}


def delivery_row(row: WebhookDelivery) -> DeliveryRow:
    return DeliveryRow(**_delivery(row))


def delivery_out(log: Log) -> WebhookDeliveryOut:
    tries = [TryOut.model_validate(one, from_attributes=True) for one in log.attempts]
    return WebhookDeliveryOut(**_delivery(log.delivery), body=json.loads(log.delivery.body), tries=tries)
