"""What a person does with the addresses that hear of their events."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit import outbound
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany
from port444.kit.jobs import enqueue
from port444.kit.signed import new_secret
from port444.webhooks.events import NAMES, PING
from port444.webhooks.models import EVERYTHING, DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint

from .telling import SEND, write

MOST = 10  # addresses of one person
BOTH_SIGN = timedelta(hours=24)  # after an exchange of the secret
PINGS = 10  # in a minute, and as many replays by hand
MOST_AGAIN = 500  # deliveries that one press sends again
CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is sent, and where: public names of events, or "*" for all of them, also those to come."""

    url: str
    events: Iterable[str]
    description: str = ""


@transaction.atomic
def add_endpoint(user_id: UUID, *, actor: User, terms: Terms, client_key: UUID) -> tuple[WebhookEndpoint, str]:
    """Have events posted to an address from now on; the endpoint, and the secret that signs, which is not shown again.

    The same `client_key` again gives the endpoint that is there, and no secret. Raises Invalid, and Conflict above `MOST`.
    """
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    known = WebhookEndpoint.objects.filter(user=user, client_key=client_key).first()
    if known is not None:
        return known, ""
    if WebhookEndpoint.objects.visible_to(user).count() >= MOST:
        raise Conflict(_("You have %(most)s webhooks already. Remove one first.") % {"most": MOST}, code="too_many_webhooks")
    secret, moment = new_secret(), now()
    endpoint = WebhookEndpoint.objects.create(
        user=user,
        url=_checked_url(terms.url),
        description=_checked_words(terms.description),
        events=_checked_events(terms.events),
        secret={"current": secret},
        client_key=client_key,
        renewed_at=moment,
        created_at=moment,
    )
    record(Event.WEBHOOK_ADDED, actor=actor, target=endpoint, after=_said(endpoint))
    return endpoint, secret


@transaction.atomic
def change_endpoint(endpoint_id: UUID, *, actor: User, terms: Terms) -> WebhookEndpoint:
    """Send something else, or elsewhere. What waits already goes to the new address. Raises Invalid."""
    endpoint = _lock(endpoint_id, actor)
    before = _said(endpoint)
    endpoint.url = _checked_url(terms.url)
    endpoint.description = _checked_words(terms.description)
    endpoint.events = _checked_events(terms.events)
    after = _said(endpoint)
    if after != before:
        endpoint.save(update_fields=["url", "description", "events"])
        changed = {name for name in after if after[name] != before[name]}
        record(
            Event.WEBHOOK_CHANGED,
            actor=actor,
            target=endpoint,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return endpoint


@transaction.atomic
def rotate_secret(endpoint_id: UUID, *, actor: User) -> tuple[WebhookEndpoint, str]:
    """Make a new secret, which is not shown again. The one before signs as well for a day, so that nothing is refused meanwhile."""
    endpoint = _lock(endpoint_id, actor)
    secret, moment = new_secret(), now()
    endpoint.secret = {"current": secret, "former": endpoint.secret["current"]}
    endpoint.renewed_at, endpoint.former_until = moment, moment + BOTH_SIGN
    endpoint.save(update_fields=["secret", "renewed_at", "former_until"])
    record(Event.WEBHOOK_RENEWED, actor=actor, target=endpoint, former_until=endpoint.former_until)
    return endpoint, secret


@transaction.atomic
def pause_endpoint(endpoint_id: UUID, *, actor: User) -> WebhookEndpoint:
    """Send nothing until further notice; what happens meanwhile is kept, and sent then. Raises WrongState."""
    endpoint = _lock(endpoint_id, actor)
    endpoint.move_to(EndpointStatus.PAUSED)
    record(Event.WEBHOOK_PAUSED, actor=actor, target=endpoint)
    return endpoint


@transaction.atomic
def resume_endpoint(endpoint_id: UUID, *, actor: User) -> WebhookEndpoint:
    """Go on with what waits, after a pause or after we had stopped. Raises WrongState."""
    endpoint = _lock(endpoint_id, actor)
    endpoint.move_to(EndpointStatus.ACTIVE, disabled_at=None, disabled_why="", failing_since=None)
    record(Event.WEBHOOK_RESUMED, actor=actor, target=endpoint)
    enqueue(SEND)
    return endpoint


@transaction.atomic
def remove_endpoint(endpoint_id: UUID, *, actor: User) -> WebhookEndpoint:
    """Send nothing any more. Its secret is gone at once, its log with the next cleaning."""
    endpoint = _lock(endpoint_id, actor)
    endpoint.move_to(EndpointStatus.REMOVED, secret={"current": ""}, former_until=None, disabled_at=None, disabled_why="")
    record(Event.WEBHOOK_REMOVED, actor=actor, target=endpoint)
    return endpoint


@transaction.atomic
def ping_endpoint(endpoint_id: UUID, *, actor: User) -> WebhookDelivery:
    """Send an event that tells of nothing, to see whether it arrives. Raises Conflict when nothing is sent there now, and TooMany."""
    endpoint = _lock(endpoint_id, actor)
    _require_on(endpoint)
    moment = now()
    recent = endpoint.deliveries.filter(event=PING, created_at__gt=moment - timedelta(minutes=1)).count()
    if recent >= PINGS:
        raise TooMany(_("Enough test events for a minute. Try again shortly."))
    (delivery,) = write(PING, [endpoint], lambda reader: {"endpoint_id": str(endpoint.pk)}, moment)
    record(Event.WEBHOOK_PINGED, actor=actor, target=endpoint, delivery=delivery.pk)
    return delivery


@transaction.atomic
def replay_delivery(delivery_id: UUID, *, actor: User) -> WebhookDelivery:
    """Send one event again, under its id, whether or not it had arrived. One that waits goes out now. Raises Conflict and WrongState."""
    found = WebhookDelivery.objects.visible_to(actor).get(pk=delivery_id)
    endpoint = _lock(found.endpoint_id, actor)
    _require_on(endpoint)
    delivery = WebhookDelivery.objects.select_for_update(of=("self",), no_key=True).get(pk=found.pk)
    moment = now()
    if delivery.status == DeliveryStatus.PENDING:
        delivery.due_at, delivery.tries = moment, 0
        delivery.save(update_fields=["due_at", "tries"])
    else:
        if delivery.status == DeliveryStatus.SENDING:
            raise Conflict(_("It is being sent just now."), code="sending")
        delivery.move_to(DeliveryStatus.PENDING, **_anew(moment))
    record(Event.WEBHOOK_REPLAYED, actor=actor, target=endpoint, delivery=delivery.pk)
    enqueue(SEND)
    return delivery


@transaction.atomic
def replay_failed(endpoint_id: UUID, *, actor: User, since: datetime) -> int:
    """Send again what was given up since a moment, the newest `MOST_AGAIN` of it; how many there were. Raises Conflict."""
    endpoint = _lock(endpoint_id, actor)
    _require_on(endpoint)
    failed = endpoint.deliveries.filter(status=DeliveryStatus.FAILED, created_at__gte=since).order_by("-id")
    rows = list(failed.select_for_update(of=("self",), no_key=True)[:MOST_AGAIN])
    anew = _anew(now())
    for row in rows:
        row.turn_to(DeliveryStatus.PENDING, **anew)
    WebhookDelivery.objects.bulk_update(rows, ["status", *anew])
    record(Event.WEBHOOK_REPLAYED, actor=actor, target=endpoint, since=since, deliveries=len(rows))
    if rows:
        enqueue(SEND)
    return len(rows)


def _anew(moment: datetime) -> dict[str, Any]:
    return {"due_at": moment, "tries": 0, "settled_at": None, "claimed_until": None, "error": ""}


def _lock(endpoint_id: UUID, actor: User) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.select_related("user").lock(endpoint_id)
    _require_self(endpoint.user, actor)
    if endpoint.status == EndpointStatus.REMOVED:
        raise Conflict(_("This webhook was removed."), code="webhook_removed")
    return endpoint


def _require_self(user: User, actor: User) -> None:
    if user.pk != actor.pk:
        raise NotAllowed(_("Only the person can do that."))


def _require_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.status != EndpointStatus.ACTIVE:
        raise Conflict(_("Nothing is sent to this webhook at the moment. Have it go on first."), code="webhook_off")


def _checked_url(url: str) -> str:
    if CONTROL.search(url) or len(url) > 500:
        raise Invalid(_("Give a whole address without spaces, of at most 500 characters."), code="url")
    if why_not := outbound.refuses(url):
        raise Invalid(why_not, code="url")
    return url


def _checked_words(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > 120 or "\x00" in text:
        raise Invalid(_("Describe it in at most 120 characters."), code="description")
    return text


def _checked_events(events: Iterable[str]) -> list[str]:
    """In the order of the table, each once; "*" stands for all."""
    chosen = set(events)
    if unknown := chosen - {EVERYTHING, *NAMES}:
        raise Invalid(_("There is no event %(unknown)s.") % {"unknown": sorted(unknown)[0][:60]}, code="events")
    if not chosen:
        raise Invalid(_("Choose at least one event."), code="events")
    return [EVERYTHING] if EVERYTHING in chosen else [name for name in NAMES if name in chosen]


def _said(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {"url": endpoint.url, "description": endpoint.description, "events": endpoint.events}
