"""Writing down what is to be sent, in the transaction of the act that it tells of: the two are committed or forgotten together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model

from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.jobs import enqueue
from port444.webhooks.events import API_VERSION, TABLE, body, plain
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint

SEND = "port444.webhooks.jobs.send"


def on_record(event: Event, target: Model, amount: Decimal | None) -> None:
    """Tell those concerned by what has just been recorded, if they listen. One query when nobody does."""
    told = TABLE[event]
    if not isinstance(target, told.thing.model):
        return
    listening = list(WebhookEndpoint.objects.hearing(told.name, told.thing.people(target)).only("pk", "user_id"))
    if listening:
        write(told.name, listening, lambda reader: body(told, target, amount, reader), now())


def write(name: str, endpoints: Iterable[WebhookEndpoint], data: Callable[[UUID], dict[str, Any]], moment: datetime) -> list[WebhookDelivery]:
    """One event for each of `endpoints`, all under one id, each with what its owner may know."""
    event_id = uuid7()
    rows = [
        WebhookDelivery(
            endpoint=endpoint,
            event_id=event_id,
            event=name,
            body=said(event_id, name, data(endpoint.user_id), moment),
            due_at=moment,
            created_at=moment,
        )
        for endpoint in endpoints
    ]
    made = WebhookDelivery.objects.bulk_create(rows)
    enqueue(SEND)
    return made


def said(event_id: UUID, name: str, data: dict[str, Any], moment: datetime) -> str:
    """What is posted, letter by letter."""
    message = {"id": f"evt_{event_id.hex}", "type": name, "api_version": API_VERSION, "created_at": plain(moment), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
