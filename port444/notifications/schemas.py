"""What the API says about notifications."""

from __future__ import annotations

from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from pydantic import Field

from port444.kit.rest import Moment, Out, Row

from .models import Notification


class NotificationRow(Row):
    id: UUID
    kind: str = Field(examples=["order.delivered"])
    title: str
    body: str
    url: str = Field(description="The page that it is about")
    created_at: Moment
    read_at: Moment | None


class NotificationsOut(Out):
    items: list[NotificationRow]
    next: str | None


class ReadOut(Out):
    read: int = Field(description="How many were not read before")


def notification_row(notification: Notification) -> NotificationRow:
    told = {name: getattr(notification, name) for name in NotificationRow.model_fields}
    return NotificationRow(**told | {"url": urljoin(settings.SITE_URL, notification.url)})
