"""Sending what was written down.

`send_due` takes a few deliveries, each in a lease; posts them side by side in threads, outside of any transaction and without the
database; and writes down how each one went as soon as it has. A worker that dies in between leaves leases that end, and the next one
posts the same body under the same id again.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import requests
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from requests_hardened.ip_filter import InvalidIPAddress

from auditlog.actions import record
from auditlog.events import Event
from port444.kit import outbound, signed
from port444.kit.clock import now
from port444.kit.jobs import SWEEP_SECONDS, enqueue
from port444.kit.language import speaking_to
from port444.kit.locks import alone
from port444.notifications.actions import notify
from port444.webhooks.models import (
    DeliveryStatus,
    DisabledWhy,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from port444.webhooks.queries import next_due

from .telling import SEND

log = logging.getLogger(__name__)

AT_ONCE = 16  # deliveries of the whole site, by one worker
EACH = 3  # of one endpoint, so that a slow one leaves room for the others
TOTAL = 10.0  # seconds for a whole answer
KEPT = 1024  # bytes of it
# Longer than the queue lets a job run: while a worker can still be sending, nobody else takes the row.
LEASE = timedelta(seconds=settings.Q_TIMEOUT + 15)
# Before the second try and so on, each a fifth shorter or longer by chance: about three days in all, then it is given up.
WAITS = [
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=18),
    timedelta(hours=22),
]
JITTER = 0.2
PATIENCE = timedelta(days=5)  # without one success, after which nothing is sent any more
LIVES = timedelta(days=30)  # of a delivery and its log
FORGOTTEN = 2_000  # at once


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that a thread needs to post a delivery."""

    id: UUID
    endpoint_id: UUID
    at: datetime
    number: int  # of the attempt
    url: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went."""

    at: datetime
    milliseconds: int
    code: int | None = None
    error: str = ""
    text: str = ""

    @property
    def taken(self) -> bool:
        return self.code is not None and 200 <= self.code < 300 and not self.error


def send_due(seconds: float = SWEEP_SECONDS) -> int:
    """Send what is due until nothing is, or for `seconds`; how many were tried. One worker at a time does so for the whole site."""
    tried = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with alone("webhooks") as is_mine:
            sent = _send_until(ends) if is_mine else 0
        tried += sent
        # Whoever has the lock looks once more after giving it back, so that nothing that was committed meanwhile is left.
        if not sent or not next_due(now(), 1, EACH):
            return tried
    enqueue(SEND)
    return tried


def _send_until(ends: float) -> int:
    tried = 0
    running: dict[Future[Answer], Claimed] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        while True:
            free = AT_ONCE - len(running) if time.monotonic() < ends else 0
            for claimed in claim(free) if free else []:
                running[pool.submit(post, claimed)] = claimed
            if not running:
                return tried
            done, __ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
            for future in done:
                settle(running.pop(future), future.result())
                tried += 1


@transaction.atomic(durable=True)
def claim(most: int) -> list[Claimed]:
    """Take up to `most` due deliveries, of each endpoint only as many as may be on their way at once."""
    moment = now()
    due = WebhookDelivery.objects.due(moment).select_related("endpoint").order_by("due_at")
    found = list(due.filter(pk__in=next_due(moment, most, EACH)).select_for_update(of=("self",), no_key=True, skip_locked=True))
    rows = [row for row in found if row.tries <= len(WAITS)]
    for row in found:
        if row.tries > len(WAITS):
            row.move_to(DeliveryStatus.FAILED, settled_at=moment, claimed_until=None, error="Every try was cut off.")
    for row in rows:
        row.turn_to(DeliveryStatus.SENDING, claimed_until=moment + LEASE, tries=row.tries + 1, attempts=row.attempts + 1)
    WebhookDelivery.objects.bulk_update(rows, ["status", "claimed_until", "tries", "attempts"])
    return [_ready(row, moment) for row in rows]


def _ready(row: WebhookDelivery, moment: datetime) -> Claimed:
    body = row.body.encode()
    signatures = signed.headers(row.message_id, int(moment.timestamp()), body, row.endpoint.secrets_at(moment))
    return Claimed(row.pk, row.endpoint_id, moment, row.attempts, row.endpoint.url, body, {"Content-Type": "application/json", **signatures})


def post(claimed: Claimed) -> Answer:
    """Post one delivery. No redirect is followed, and no address inside of our own network is spoken to, whatever its name says."""
    begun = time.monotonic()
    try:
        session = outbound.session(guarded=True, total=TOTAL, keep=KEPT)
        with session, session.post(claimed.url, data=claimed.body, headers={**claimed.headers, "Accept-Encoding": "identity"}) as answer:
            code, text = answer.status_code, answer.content.decode("utf-8", "replace").replace("\x00", "\ufffd")
    except requests.RequestException as failure:
        return Answer(claimed.at, _since(begun), error=_words(failure))
    except Exception:
        log.exception("webhook delivery %s", claimed.id)
        return Answer(claimed.at, _since(begun), error="It could not be sent.")
    redirects = 300 <= code < 400
    error = "" if 200 <= code < 300 else "It answered with a redirect, which is not followed." if redirects else f"It answered {code}."
    return Answer(claimed.at, _since(begun), code, error, text)


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)


def _words(failure: requests.RequestException) -> str:
    """What went wrong. What the failure itself says may name addresses of our network."""
    if isinstance(failure, InvalidIPAddress):
        return "The name leads into a private network."
    if isinstance(failure, requests.exceptions.Timeout):
        return f"There was no whole answer within {TOTAL:.0f} seconds."
    if isinstance(failure, requests.exceptions.SSLError):
        return "The certificate, or the way it is encrypted, was not accepted."
    if isinstance(failure, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "The address cannot be used."
    return "There was no connection, or it broke off."


@transaction.atomic(durable=True)
def settle(claimed: Claimed, answer: Answer) -> None:
    """Write down how a try went, and what follows.

    What was taken is delivered, even if the lease had run out and somebody else has the row by now; a failure counts only for the
    holder of the last attempt.
    """
    moment = now()
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).select_related("user").filter(pk=claimed.endpoint_id).first()
    row = WebhookDelivery.objects.select_for_update(of=("self",), no_key=True).filter(pk=claimed.id).first()
    if endpoint is None or row is None or endpoint.status == EndpointStatus.REMOVED:
        return
    said = {"code": answer.code, "error": answer.error}
    WebhookAttempt.objects.create(delivery=row, number=claimed.number, at=answer.at, milliseconds=answer.milliseconds, answer=answer.text, **said)
    is_holder = row.status == DeliveryStatus.SENDING and row.attempts == claimed.number
    if answer.taken:
        if row.status != DeliveryStatus.DELIVERED:
            row.move_to(DeliveryStatus.DELIVERED, settled_at=moment, claimed_until=None, **said)
        _works(endpoint)
        return
    if is_holder and row.tries > len(WAITS):
        row.move_to(DeliveryStatus.FAILED, settled_at=moment, claimed_until=None, **said)
    elif is_holder:
        row.move_to(DeliveryStatus.PENDING, due_at=moment + wait_after(row.tries), claimed_until=None, **said)
    _fails(endpoint, answer, moment, given_up=row.status == DeliveryStatus.FAILED)


def wait_after(tries: int) -> timedelta:
    """How long after so many tries in vain."""
    spread = JITTER * (2 * secrets.randbelow(10_001) / 10_000 - 1)
    return WAITS[min(tries, len(WAITS)) - 1] * (1 + spread)


def _works(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is not None:
        endpoint.failing_since = None
        endpoint.save(update_fields=["failing_since"])


def _fails(endpoint: WebhookEndpoint, answer: Answer, moment: datetime, *, given_up: bool) -> None:
    """Note since when nothing arrives, and stop in the end. Its owner is told, once for each time that it fails for long."""
    if endpoint.failing_since is None:
        endpoint.failing_since = moment
        endpoint.save(update_fields=["failing_since"])
    if endpoint.status == EndpointStatus.ACTIVE and (answer.code == 410 or moment - endpoint.failing_since >= PATIENCE):
        why = DisabledWhy.GONE if answer.code == 410 else DisabledWhy.FAILING
        endpoint.move_to(EndpointStatus.DISABLED, disabled_at=moment, disabled_why=why)
        record(Event.WEBHOOK_DISABLED, actor=None, target=endpoint, why=why.value)
        with speaking_to(endpoint.user):
            _tell(endpoint, "webhook.disabled", _("Your webhook was stopped"), endpoint.stopped_words)
    elif given_up:
        with speaking_to(endpoint.user):
            words = _("An event was given up after three days of trying. Its log says why.")
            _tell(endpoint, "webhook.failing", _("Your webhook does not answer"), words)


def _tell(endpoint: WebhookEndpoint, kind: str, title: str, body: str) -> None:
    assert endpoint.failing_since is not None
    notify(
        endpoint.user,
        kind,
        title=f"{title}: {endpoint}"[:200],
        body=body,
        url=endpoint.get_absolute_url(),
        dedupe_key=f"{kind}:{endpoint.pk}:{endpoint.failing_since:%Y%m%d%H%M%S}",
        context={"label": gettext_lazy("Look at it")},
    )


@transaction.atomic
def forget_batch(moment: datetime, size: int = FORGOTTEN) -> int:
    """Remove deliveries that are older than `LIVES`, and all of addresses that were removed; how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=moment - LIVES).order_by("created_at").values_list("pk", flat=True)[:size]
    gone = WebhookDelivery.objects.filter(endpoint__status=EndpointStatus.REMOVED).values_list("pk", flat=True)[:size]
    rows = list(old) or list(gone)
    WebhookDelivery.objects.filter(pk__in=rows).delete()
    if not rows:
        WebhookEndpoint.objects.filter(status=EndpointStatus.REMOVED).delete()
    return len(rows)
