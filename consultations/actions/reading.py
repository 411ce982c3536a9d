"""Reading connected calendars: what is busy there, and what somebody did outside to our own events.

The network comes first; then one transaction applies what was read and saves the token with it, so that a crash can lose neither
without the other. It applies only onto the state that it was read from: of two reads at once the later one is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from consultations import emails
from consultations.calendars import CalendarError, Changes, Gone, Limited, NotConnected, Refused, Unreachable
from consultations.calendars import Event as Outside
from consultations.calendars.registry import client_of, provider_of
from consultations.models import (
    CalendarEvent,
    CalendarLink,
    CallSettings,
    Consultation,
    ConsultationStatus,
    EventStatus,
    ExternalEvent,
    LinkedCalendar,
    LinkStatus,
    ProposalKind,
)
from consultations.queries import STALE
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.jobs import enqueue
from port444.notifications.actions import notify

from .copies import times_hash, want_copies
from .grants import break_link, keeper, plain
from .proposals import propose_from_calendar

log = logging.getLogger(__name__)

SYNC = "consultations.jobs.sync_calendar"
LEASE = timedelta(seconds=settings.Q_TIMEOUT + 15)
DAY = timedelta(days=1)
SLACK = timedelta(hours=2)  # a call that starts at the horizon ends after it
SOONEST, LATEST = timedelta(minutes=1), timedelta(minutes=15)
REFUSED_AGAIN = timedelta(hours=1)
LOST = timedelta(minutes=5)  # a read that has not begun by then is queued again
C = ConsultationStatus


@dataclass(frozen=True, slots=True)
class Plan:
    """A read that is about to happen: from where, over which window, and what our copies looked like before it."""

    calendar: LinkedCalendar
    link: CalendarLink
    since: datetime
    until: datetime
    token: str
    copies: Mapping[UUID, tuple[str, int, datetime]]

    @property
    def builder_id(self) -> UUID:
        return self.link.builder_id


def sync_calendar(calendar_id: UUID) -> bool:
    """Read one calendar and apply what it says; whether it was applied."""
    plan = _begin(calendar_id)
    if plan is None:
        return False
    try:
        changes = _read(plan)
    except CalendarError as error:
        _failed(plan, error)
        return False
    except Exception:
        _failed(plan, Unreachable("an answer that nobody expected"))
        raise
    return _apply(plan, changes)


@transaction.atomic(durable=True)
def _begin(calendar_id: UUID) -> Plan | None:
    moment = now()
    rows = LinkedCalendar.objects.select_for_update(of=("self",), no_key=True).select_related("link")
    calendar = rows.filter(pk=calendar_id, is_read=True, link__status=LinkStatus.ACTIVE).first()
    if calendar is None:
        return None
    calendar.next_sync_at, calendar.queued_at = moment + LEASE, None
    calendar.save(update_fields=["next_sync_at", "queued_at"])
    horizon = CallSettings.objects.filter(builder=calendar.link.builder_id).values_list("horizon_days", flat=True).first()
    reach = moment + timedelta(days=horizon or settings.CALL_HORIZON_DAYS)
    copies = {row.pk: _state(row) for row in calendar.copies.exclude(status=EventStatus.REMOVED)}
    token = calendar.sync_token if calendar.window_to and calendar.window_to >= reach + SLACK else ""
    if token and calendar.window_from and calendar.window_to:
        since, until = calendar.window_from, calendar.window_to
    else:  # nothing to go on from, or the window's end has come too near: everything anew, a day further
        since, until = moment - DAY, reach + DAY + SLACK
    return Plan(calendar, calendar.link, since, until, token, copies)


def _state(copy: CalendarEvent) -> tuple[str, int, datetime]:
    return copy.status, copy.wanted, copy.updated_at


def _read(plan: Plan) -> Changes:
    client = client_of(plan.link, keeper(plan.link))
    try:
        changes = client.changes(plan.calendar.external_id, plan.token, plan.since, plan.until)
    except Gone:
        if not plan.token:
            raise Unreachable("a new read was refused as too old") from None
        changes = client.changes(plan.calendar.external_id, "", plan.since, plan.until)
    return changes


@transaction.atomic(durable=True)
def _apply(plan: Plan, changes: Changes) -> bool:
    moment = now()
    builder = Builder.objects.lock(plan.builder_id)  # nobody books while the busy list changes under them
    rows = LinkedCalendar.objects.select_for_update(of=("self",), no_key=True).select_related("link")
    calendar = rows.get(pk=plan.calendar.pk)
    read_from = (plan.calendar.sync_token, plan.calendar.synced_at, plan.calendar.window_to)
    usable = calendar.is_read and calendar.link.status != LinkStatus.OFF and calendar.link.connected_at == plan.link.connected_at
    if not usable or (calendar.sync_token, calendar.synced_at, calendar.window_to) != read_from:
        return False
    ours, theirs = _sort_out(builder, calendar, changes.events)
    news = _store(builder, calendar, theirs, changes, plan)
    _look_after_copies(calendar, ours, changes, plan, moment)
    if calendar.synced_at is not None:
        _warn_of_conflicts(builder, news, moment)
    if changes.is_full:
        calendar.window_from, calendar.window_to = plan.since, plan.until
    calendar.sync_token, calendar.synced_at, calendar.failed_at, calendar.last_error = changes.token, moment, None, ""
    calendar.next_sync_at = moment + provider_of(calendar.link.provider).poll
    calendar.save()
    CalendarLink.objects.filter(pk=calendar.link_id, status=LinkStatus.ACTIVE).update(last_ok_at=moment, failed_at=None, last_error="")
    return True


def _sort_out(builder: Builder, calendar: LinkedCalendar, events: Sequence[Outside]) -> tuple[list[tuple[CalendarEvent, Outside]], list[Outside]]:
    """Our own events with their copies, and everybody else's. What carries the chain of a call of this builder is never foreign."""
    named = [event.chain for event in events if event.chain]
    ids = {event.external_id for event in events}
    copies = list(calendar.copies.filter(chain__in=named)) + list(calendar.copies.filter(external_id__in=ids).exclude(external_id=""))
    by_chain, by_id = {copy.chain: copy for copy in copies}, {copy.external_id: copy for copy in copies if copy.external_id}
    calls = set(Consultation.objects.filter(builder=builder, chain__in=named).values_list("chain", flat=True)) if named else set()
    ours, theirs = [], []
    for event in events:
        copy = by_id.get(event.external_id) or (by_chain.get(event.chain) if event.chain else None)
        if copy is not None and copy.external_id in ("", event.external_id):
            ours.append((copy, event))
        elif event.chain not in calls:
            theirs.append(event)
        else:  # a copy of a copy, or one that an earlier connection left: the call itself takes the time
            theirs.append(Outside(event.external_id, is_gone=True))
    return ours, theirs


def _store(builder: Builder, calendar: LinkedCalendar, events: Sequence[Outside], changes: Changes, plan: Plan) -> list[ExternalEvent]:
    """Write what is busy; gives the events that block time which they did not block before."""
    kept = {event.external_id: event for event in events if not event.is_gone and _lies_in(event, plan)}
    stored = ExternalEvent.objects.filter(calendar=calendar)
    if changes.is_full:
        stored.exclude(external_id__in=kept).delete()
    else:
        stored.filter(external_id__in=[event.external_id for event in events if event.external_id not in kept]).delete()
    known = {row.external_id: row for row in stored.filter(external_id__in=kept)}
    fresh, news = [], []
    for event in kept.values():
        row, was = ExternalEvent(calendar=calendar, builder=builder, external_id=event.external_id), known.get(event.external_id)
        assert event.starts_at is not None  # _lies_in
        assert event.ends_at is not None
        row.starts_at, row.ends_at, row.is_busy, row.is_all_day = event.starts_at, event.ends_at, event.is_busy, event.is_all_day
        if was is not None and _facts(was) == _facts(row):
            continue
        fresh.append(row)
        if row.is_busy and (was is None or not was.is_busy or (row.starts_at, row.ends_at) != (was.starts_at, was.ends_at)):
            news.append(row)
    ExternalEvent.objects.bulk_create(
        fresh,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["calendar", "external_id"],
        update_fields=["starts_at", "ends_at", "is_busy", "is_all_day"],
    )
    return news


def _facts(row: ExternalEvent) -> tuple[object, ...]:
    return row.starts_at, row.ends_at, row.is_busy, row.is_all_day


def _lies_in(event: Outside, plan: Plan) -> bool:
    if event.starts_at is None or event.ends_at is None or len(event.external_id) > 1100:
        return False
    return event.starts_at <= event.ends_at and event.starts_at < plan.until and event.ends_at > plan.since


def _look_after_copies(
    calendar: LinkedCalendar, ours: Sequence[tuple[CalendarEvent, Outside]], changes: Changes, plan: Plan, moment: datetime
) -> None:
    """Moved or deleted outside becomes a proposal; our own writes, coming back, are nothing.

    Only a copy that has not changed since before the read is judged: what is read may be older than what was written meanwhile.
    What is skipped for that reason is not lost, because the call's own time is about to be written over it.
    """
    seen = {copy.pk: event for copy, event in ours}
    missing: Collection[UUID] = ()
    if changes.is_full:
        there = calendar.copies.filter(status=EventStatus.WRITTEN, consultation__scheduled_at__lt=plan.until, consultation__ends_at__gt=plan.since)
        missing = set(there.values_list("pk", flat=True)) - set(seen)
    if not seen and not missing:
        return
    rows = CalendarEvent.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=[*seen, *missing], status=EventStatus.WRITTEN)
    for copy in rows.order_by("pk"):
        if plan.copies.get(copy.pk) != _state(copy) or copy.written_hash in ("", CalendarEvent.MAYBE):
            continue
        event = seen.get(copy.pk)
        if event is None or event.is_gone:
            copy.etag, copy.written_hash = "", ""
            copy.save(update_fields=["etag", "written_hash"])
            _came_back(copy, None, moment)
            continue
        if event.etag and event.etag == copy.etag:
            continue
        as_it_was = times_hash(event.starts_at, event.ends_at) == copy.written_hash
        copy.etag, copy.written_hash = event.etag[:200], times_hash(event.starts_at, event.ends_at)
        copy.save(update_fields=["etag", "written_hash"])
        if not as_it_was:
            _came_back(copy, event, moment)


def _came_back(copy: CalendarEvent, event: Outside | None, moment: datetime) -> None:
    """The builder did something to our event outside. A new time is proposed; anything else that cannot be is put right again."""
    call = Consultation.objects.select_related("builder__user", "client").get(pk=copy.consultation_id)
    if call.status != C.SCHEDULED or call.scheduled_at <= moment:
        return
    if event is None:
        propose_from_calendar(call.pk, kind=ProposalKind.CANCEL, moment=moment)
        return
    can_start = event.starts_at is not None and event.starts_at > moment and not event.is_all_day
    if can_start:  # the call's own time again takes a proposal back
        propose_from_calendar(call.pk, kind=ProposalKind.MOVE, starts_at=event.starts_at, moment=moment)
    if not can_start or (event.starts_at == call.scheduled_at and event.ends_at != call.ends_at):
        want_copies(call, moment)


def _warn_of_conflicts(builder: Builder, news: Sequence[ExternalEvent], moment: datetime) -> None:
    """Something new lies over a call that is booked: the builder hears of it once for each call."""
    if not news:
        return
    first, last = min(row.starts_at for row in news), max(row.ends_at for row in news)
    calls = Consultation.objects.filter(builder=builder, status=C.SCHEDULED, scheduled_at__gt=moment, scheduled_at__lt=last, ends_at__gt=first)
    for call in calls.select_related("client", "builder__user").order_by("pk"):
        event = next((row for row in news if row.starts_at < call.ends_at and row.ends_at > call.scheduled_at), None)
        if event is None:
            continue
        said = emails.calendar_conflict(call, event.calendar.name)
        notify(
            builder.user,
            "calendar_conflict",
            title=said.title,
            body=said.body,
            url=call.url,
            dedupe_key=f"calendar_conflict:{call.pk}",
            context={"label": _("Open the call")},
            moment=moment,
        )


def _failed(plan: Plan, error: CalendarError) -> None:
    with transaction.atomic(durable=True):
        if isinstance(error, NotConnected):
            break_link(plan.link, error)
        moment = now()
        calendar = LinkedCalendar.objects.select_for_update(no_key=True).get(pk=plan.calendar.pk)
        calendar.failed_at = calendar.failed_at or moment
        calendar.last_error = plain(plan.link, error)
        calendar.next_sync_at = moment + _wait(error, moment - calendar.failed_at)
        calendar.save(update_fields=["failed_at", "last_error", "next_sync_at"])
        CalendarLink.objects.filter(pk=plan.link.pk, status=LinkStatus.ACTIVE).update(failed_at=Coalesce("failed_at", moment))


def _wait(error: CalendarError, failing: timedelta) -> timedelta:
    """As told; else as long again as it has been failing, within bounds."""
    if isinstance(error, Limited):
        return min(max(timedelta(seconds=error.seconds), SOONEST), DAY)
    if isinstance(error, Refused):
        return REFUSED_AGAIN
    return min(max(failing, SOONEST), LATEST)


@transaction.atomic
def nudge_calendar(calendar_id: UUID) -> bool:
    """Somebody says that the calendar has changed: read it soon. However often it is said, one read waits in the queue."""
    moment = now()
    rows = LinkedCalendar.objects.filter(pk=calendar_id, is_read=True, link__status=LinkStatus.ACTIVE).exclude(queued_at__gt=moment - LOST)
    if not rows.update(queued_at=moment):
        return False
    enqueue(SYNC, calendar_id)
    return True


def due_calendars(limit: int) -> list[UUID]:
    """Whose time to be read has come."""
    rows = LinkedCalendar.objects.filter(is_read=True, next_sync_at__lte=now(), link__status=LinkStatus.ACTIVE)
    return list(rows.order_by("next_sync_at").values_list("pk", flat=True)[:limit])


@transaction.atomic
def warn_stale(calendar_id: UUID) -> None:
    """Clients see no times any more, because a calendar could not be read for too long: the builder hears of it once."""
    moment = now()
    rows = LinkedCalendar.objects.select_for_update(of=("self",), no_key=True).select_related("link__builder__user")
    calendar = rows.get(pk=calendar_id)
    read_at = calendar.synced_at or calendar.link.connected_at
    if not calendar.is_read or calendar.link.status == LinkStatus.OFF or read_at > moment - STALE:
        return
    said = emails.calendar_stale(calendar, read_at)
    notify(
        calendar.link.builder.user,
        "calendar_stale",
        title=said.title,
        body=said.body,
        url=reverse("consultations:calendars"),
        dedupe_key=f"calendar_stale:{calendar.link_id}:{read_at.date()}",
        context={"label": _("Look at your calendars")},
        moment=moment,
    )
