"""What connected calendars say right now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from django.db import transaction

from consultations.calendars import CalendarError
from consultations.calendars.registry import client_of
from consultations.models import CalendarEvent, CalendarLink, Consultation, LinkedCalendar, LinkStatus
from consultations.slots import Span, merged
from port444.builders.models import Builder

from .copies import want_copies
from .grants import keeper

__all__ = ["live_busy", "want_copies", "without"]

log = logging.getLogger(__name__)
SECONDS = 3.0
CROWD = 16
_pool = ThreadPoolExecutor(CROWD, thread_name_prefix="live-busy")


def live_busy(builder: Builder, since: datetime, until: datetime, ignore: Span | None = None) -> list[Span]:
    """What the builder's calendars say now of [since, until), without `ignore` and without our own events.

    Where our own events stand the calls themselves take the time, or did until they were moved or called off a moment ago.

    Talks to the network, so never inside a transaction. All accounts are asked at once and have SECONDS together; one that fails
    or does not answer in time says nothing, and the list that is stored stands. Moments are seconds since the epoch.
    """
    rows = LinkedCalendar.objects.filter(link__builder=builder, link__status=LinkStatus.ACTIVE, is_read=True).select_related("link")
    if not rows.exists():  # nobody to ask, so it may be inside of a transaction: the demo tells its story in one
        return []
    with transaction.atomic(durable=True):
        wanted: dict[CalendarLink, list[str]] = {}
        for row in rows.order_by("link_id"):
            wanted.setdefault(row.link, []).append(row.external_id)
        if not wanted:
            return []
        written = CalendarEvent.objects.filter(calendar__link__builder=builder).values("chain")
        ours = Consultation.objects.filter(builder=builder, chain__in=written, scheduled_at__lt=until, ends_at__gt=since)
        holes = [_span(*times) for times in ours.values_list("scheduled_at", "ends_at")]
    renewed: list[tuple[CalendarLink, dict[str, Any]]] = []
    jobs = [_pool.submit(_ask, link, ids, since, until, renewed) for link, ids in wanted.items()]
    answered, late = wait(jobs, timeout=SECONDS)
    for job in late:
        job.cancel()
    for link, credentials in list(renewed):
        keeper(link)(credentials)
    heard = [span for job in answered for span in job.result()]
    return without(heard, [*holes, *([ignore] if ignore else [])])


def _ask(link: CalendarLink, ids: Sequence[str], since: datetime, until: datetime, renewed: list[Any]) -> list[Span]:
    """Runs in a thread of its own, without the database."""
    try:
        client = client_of(link, lambda credentials: renewed.append((link, credentials)))
        return [_span(start, end) for start, end in client.busy(ids, since, until)]
    except CalendarError as error:
        log.info("%s was not asked: %s", link.provider, error)
    except Exception:
        log.exception("%s answered in a way nobody expected", link.provider)
    return []


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """`spans` less `holes`."""
    found = merged(spans)
    for start, end in holes:
        found = [piece for span in found for piece in ((span[0], min(span[1], start)), (max(span[0], end), span[1])) if piece[0] < piece[1]]
    return found


def _span(start: datetime, end: datetime) -> Span:
    return int(start.timestamp()), int(end.timestamp())
