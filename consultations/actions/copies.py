"""Our copies of calls in the builder's calendar: what should stand there, and the outbox that brings it there.

A job leases one copy, talks to the provider outside of any transaction, and records the answer if the copy still wants the same.
Killed anywhere in between it runs again: ids outside are made from the chain, so that one event comes of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consultations import emails, queries
from consultations.calendars import Booking, CalendarClient, CalendarError, Conflicting, Limited, NotConnected, Refused, Written
from consultations.calendars.registry import client_of
from consultations.models import (
    CalendarEvent,
    CalendarProvider,
    Consultation,
    ConsultationStatus,
    EventStatus,
    LinkedCalendar,
    LinkStatus,
    MeetingProvider,
)
from consultations.models.words import CUT_OFF
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import NotAllowed, WrongState
from port444.kit.jobs import enqueue
from port444.kit.language import speaking_to
from port444.notifications.actions import notify

from .grants import break_link, keeper, plain
from .meetings import room_made

WRITE = "consultations.jobs.write_copy"
OUTBOX = [EventStatus.WANTED, EventStatus.UNWANTED]
LEASE = timedelta(seconds=settings.Q_TIMEOUT + 15)  # longer than the queue lets a job run
BACK_OFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60)]
MOST_ATTEMPTS = 12
MOST_WAIT = timedelta(hours=24)
LOST = timedelta(minutes=5)  # a job that has not begun by then is queued again
ROOM_WAIT = timedelta(minutes=1)


def want_copies(consultation: Consultation, moment: datetime) -> None:
    """Say that the builder's calendar should show the call as it now stands, or not at all. Called in the transaction of the change.

    Saying it again for a scheduled call writes it anew, also over a change made outside. A call that took place stays where it is.
    """
    if consultation.status == ConsultationStatus.SCHEDULED:
        calendars = LinkedCalendar.objects.filter(link__builder=consultation.builder_id, is_written=True).exclude(link__status=LinkStatus.OFF)
        for calendar in calendars.select_related("link"):
            _want(calendar, consultation, moment)
    elif consultation.status == ConsultationStatus.CANCELLED:
        copies = CalendarEvent.objects.filter(chain=consultation.chain).exclude(calendar__link__status=LinkStatus.OFF)
        for copy in copies.select_for_update(of=("self",), no_key=True).order_by("pk"):
            copy.consultation = consultation
            unwant(copy, moment)


def want_upcoming(builder: Builder, moment: datetime) -> None:
    """Every call that is ahead and has no copy yet in the calendar that is written now gets one, and what had failed is tried again."""
    calls = Consultation.objects.filter(builder=builder, status=ConsultationStatus.SCHEDULED, ends_at__gt=moment)
    calendars = LinkedCalendar.objects.filter(link__builder=builder, is_written=True).exclude(link__status=LinkStatus.OFF).select_related("link")
    for calendar in calendars:
        there = {copy.chain: copy.status for copy in calendar.copies.filter(consultation__ends_at__gt=moment)}
        for call in calls.order_by("pk"):
            if there.get(call.chain) != EventStatus.WRITTEN:
                _want(calendar, call, moment)


def _want(calendar: LinkedCalendar, call: Consultation, moment: datetime) -> None:
    copy = CalendarEvent.objects.select_for_update(no_key=True).filter(calendar=calendar, chain=call.chain).first()
    if copy is None:
        copy = CalendarEvent.objects.create(calendar=calendar, chain=call.chain, consultation=call, next_try_at=moment, updated_at=moment)
    copy.consultation = call
    _put(copy, EventStatus.WANTED, moment)
    if calendar.link.status == LinkStatus.ACTIVE:
        _queue(copy, moment)


def unwant(copy: CalendarEvent, moment: datetime, *, quietly: bool = False) -> None:
    """Say that a locked copy should go. `quietly`: whoever calls sees to it."""
    if copy.status in (EventStatus.REMOVED, EventStatus.UNWANTED):
        return
    if copy.written_hash == "" and copy.lease_until is None:  # nothing stands there, and nobody is about to write it
        if copy.status != EventStatus.UNWANTED:
            copy.move_to(EventStatus.UNWANTED)
        copy.move_to(EventStatus.REMOVED, last_error="", updated_at=moment)
        return
    _put(copy, EventStatus.UNWANTED, moment)
    if not quietly:
        _queue(copy, moment)


def _put(copy: CalendarEvent, status: str, moment: datetime) -> None:
    """Into the outbox, to be tried at once, whether it is there already or not."""
    copy.wanted, copy.attempts, copy.last_error = copy.consultation.ical_sequence, 0, ""
    copy.next_try_at = copy.updated_at = moment
    copy.save()
    if copy.status != status:
        copy.move_to(status)


def _queue(copy: CalendarEvent, moment: datetime) -> None:
    CalendarEvent.objects.filter(pk=copy.pk).update(queued_at=moment)
    enqueue(WRITE, copy.pk)


@transaction.atomic
def queue_copies(limit: int) -> int:
    """Queue what is due and does not wait in the queue already; a job that got lost there is replaced."""
    moment = now()
    rows = CalendarEvent.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    rows = rows.filter(status__in=OUTBOX, next_try_at__lte=moment, calendar__link__status=LinkStatus.ACTIVE)
    rows = rows.exclude(lease_until__gt=moment).exclude(queued_at__gt=moment - LOST)
    due = list(rows.order_by("next_try_at")[:limit])
    for copy in due:
        _queue(copy, moment)
    return len(due)


@transaction.atomic
def retry_copy(copy_id: UUID, *, actor: Any) -> CalendarEvent:
    """The builder asks for another attempt at once."""
    moment = now()
    row = CalendarEvent.objects.select_related("consultation").get(pk=copy_id)
    call = Consultation.objects.lock(row.consultation_id)
    call.require_builder(actor)
    copy = CalendarEvent.objects.select_for_update(of=("self",), no_key=True).select_related("calendar__link", "consultation").get(pk=copy_id)
    if copy.status not in (*OUTBOX, EventStatus.FAILED):
        raise WrongState(_("Your calendar shows this call as it stands."))
    if copy.calendar.link.status != LinkStatus.ACTIVE:
        raise NotAllowed(_("Connect this calendar again first."), code="not_connected")
    stays = call.status != ConsultationStatus.CANCELLED and (copy.calendar.is_written or call.status != ConsultationStatus.SCHEDULED)
    _put(copy, EventStatus.WANTED if stays else EventStatus.UNWANTED, moment)
    _queue(copy, moment)
    return copy


@dataclass(frozen=True, slots=True)
class Task:
    """A leased copy as it was when the job took it."""

    copy: CalendarEvent
    status: str
    wanted: int
    moment: datetime


def write_copy(copy_id: UUID) -> bool:
    """Bring one copy to where it should be; whether it is there now."""
    task = _lease(copy_id)
    if task is None:
        return False
    copy = task.copy
    link = copy.calendar.link
    try:
        client = client_of(link, keeper(link))
        if task.status == EventStatus.WANTED:
            with speaking_to(copy.consultation.builder.user):  # what stands in the event beside the booking's own words
                written = client.write(copy.calendar.external_id, booking_of(copy), _known(copy))
            return _written(task, written)
        _remove(client, copy)
        return _removed(task)
    except Conflicting:
        return _look_again(task)
    except CalendarError as error:
        _failed(task, error)
        return False


@transaction.atomic(durable=True)
def _lease(copy_id: UUID) -> Task | None:
    moment = now()
    rows = CalendarEvent.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    copy = rows.select_related("calendar__link", "consultation__client", "consultation__builder__user").filter(pk=copy_id, status__in=OUTBOX).first()
    if copy is None or copy.next_try_at > moment or (copy.lease_until and copy.lease_until > moment):
        return None
    if copy.calendar.link.status != LinkStatus.ACTIVE:
        return None
    copy.lease_until, copy.attempts, copy.queued_at = moment + LEASE, copy.attempts + 1, None
    if copy.attempts > MOST_ATTEMPTS:  # the job that had the last one died
        _give_up(copy, CUT_OFF, moment)
        return None
    if copy.status == EventStatus.WANTED and copy.written_hash == "":
        copy.written_hash = CalendarEvent.MAYBE
    copy.save(update_fields=["lease_until", "attempts", "written_hash", "queued_at"])
    return Task(copy, copy.status, copy.wanted, moment)


def booking_of(copy: CalendarEvent) -> Booking:
    """The call as it should stand in the builder's calendar."""
    call = copy.consultation
    said = emails.calendar_copy(call)
    return Booking(
        chain=call.chain,
        consultation=call.pk,
        sequence=copy.wanted,
        starts_at=call.scheduled_at,
        ends_at=call.ends_at,
        title=said.title,
        description=said.body,
        location=emails.join_address(call),
        attendee_name=call.client.name,
        attendee_zone=call.client_zone,
        wants_room=copy.calendar.link.provider == CalendarProvider.GOOGLE and _wants_meet(call),
    )


def _wants_meet(call: Consultation) -> bool:
    """Also while the builder's own link stands in for a room that has not come yet."""
    return call.meeting_provider == MeetingProvider.GOOGLE_MEET or queries.wants_meet(call.chain)


def times_hash(starts_at: datetime | None, ends_at: datetime | None) -> str:
    """Names the times of an event, so that our own writes are known again."""
    stamps = [str(int(moment.timestamp())) if moment else "" for moment in (starts_at, ends_at)]
    return hashlib.sha256("|".join(stamps).encode()).hexdigest()


def _known(copy: CalendarEvent) -> Written | None:
    return Written(copy.external_id, copy.etag) if copy.external_id and copy.written_hash not in ("", CalendarEvent.MAYBE) else None


def _remove(client: CalendarClient, copy: CalendarEvent) -> None:
    calendar_id, external_id = copy.calendar.external_id, copy.external_id
    if not external_id and copy.written_hash == CalendarEvent.MAYBE:
        # A job died while it wrote the event for the first time. Writing finds the event or makes it; either way it has a name then.
        external_id = client.write(calendar_id, booking_of(copy), None).external_id
    if external_id:
        client.remove(calendar_id, external_id)


def _locked(task: Task) -> tuple[CalendarEvent, bool]:
    """The copy under lock, and whether it still wants what the job did."""
    copy = CalendarEvent.objects.select_for_update(of=("self",), no_key=True).get(pk=task.copy.pk)
    return copy, (copy.status, copy.wanted, copy.updated_at) == (task.status, task.wanted, task.copy.updated_at)


@transaction.atomic(durable=True)
def _written(task: Task, written: Written) -> bool:
    call = task.copy.consultation
    moment = now()
    if written.room is not None:
        room_made(call.chain, written.room)  # locks the call, so it comes before the copy
    copy, same = _locked(task)
    copy.external_id, copy.etag = written.external_id[:500], written.etag[:200]
    copy.written_hash, copy.lease_until = times_hash(call.scheduled_at, call.ends_at), None
    copy.save(update_fields=["external_id", "etag", "written_hash", "lease_until"])
    if not same:  # it wants something else by now, and knows what stands there
        _again(copy)
        return False
    copy.move_to(EventStatus.WRITTEN, written=task.wanted, attempts=0, last_error="", updated_at=moment, next_try_at=moment + ROOM_WAIT)
    return True


@transaction.atomic(durable=True)
def _removed(task: Task) -> bool:
    copy, same = _locked(task)
    copy.etag, copy.written_hash, copy.lease_until = "", "", None
    copy.save(update_fields=["etag", "written_hash", "lease_until"])
    if not same:
        _again(copy)
        return False
    copy.move_to(EventStatus.REMOVED, attempts=0, last_error="", updated_at=now())
    return True


def _look_again(task: Task) -> bool:
    """The event was changed outside since. What the call says goes: learn the event's present name and write once more."""
    copy = task.copy
    link = copy.calendar.link
    try:
        current = client_of(link, keeper(link)).fetch(copy.calendar.external_id, copy.external_id)
    except CalendarError as error:
        _failed(task, error)
        return False
    with transaction.atomic(durable=True):
        row, _ = _locked(task)
        row.etag, row.lease_until = current.etag[:200], None
        row.save(update_fields=["etag", "lease_until"])
        _again(row)
    return False


def _again(copy: CalendarEvent) -> None:
    if copy.status in OUTBOX:
        _queue(copy, now())


def _failed(task: Task, error: CalendarError) -> None:
    link = task.copy.calendar.link
    with transaction.atomic(durable=True):
        if isinstance(error, NotConnected):
            break_link(link, error)
        moment = now()
        copy, same = _locked(task)
        copy.lease_until = None
        copy.save(update_fields=["lease_until"])
        if not same:
            _again(copy)
            return
        copy.last_error = plain(link, error)
        if isinstance(error, Limited):
            copy.next_try_at = moment + min(timedelta(seconds=max(error.seconds, 1)), MOST_WAIT)
            copy.attempts -= 1  # it was not refused, it was not heard
        elif isinstance(error, Refused) or copy.attempts >= MOST_ATTEMPTS:
            _give_up(copy, copy.last_error, moment)
            return
        elif not isinstance(error, NotConnected):
            copy.next_try_at = moment + BACK_OFF[min(copy.attempts, len(BACK_OFF)) - 1]
        copy.save(update_fields=["last_error", "next_try_at", "attempts"])


def _give_up(copy: CalendarEvent, error: str, moment: datetime) -> None:
    """Say so, where a person would look for it: on the page of the calendars and under the bell."""
    call = Consultation.objects.select_related("builder__user", "client").get(pk=copy.consultation_id)
    gone = copy.status == EventStatus.UNWANTED
    copy.move_to(EventStatus.FAILED, last_error=error, lease_until=None, updated_at=moment)
    said = emails.copy_failed(call, copy, gone=gone)
    notify(
        call.builder.user,
        "calendar_copy_failed",
        title=said.title,
        body=said.body,
        url=reverse("consultations:calendars"),
        dedupe_key=f"calendar_copy_failed:{copy.pk}:{copy.wanted}",
        context={"label": gettext_lazy("Look at your calendars")},
        moment=moment,
    )


def fetch_room(copy_id: UUID) -> bool:
    """Ask again for a room that the provider was still making when the event was written; whether it is there."""
    with transaction.atomic(durable=True):
        moment = now()
        rows = CalendarEvent.objects.select_for_update(of=("self",), no_key=True, skip_locked=True).select_related("calendar__link")
        copy = rows.filter(pk=copy_id, status=EventStatus.WRITTEN, next_try_at__lte=moment, calendar__link__status=LinkStatus.ACTIVE).first()
        if copy is None:
            return False
        copy.attempts = min(copy.attempts + 1, MOST_ATTEMPTS)
        copy.next_try_at = moment + BACK_OFF[min(copy.attempts, len(BACK_OFF)) - 1]
        copy.save(update_fields=["attempts", "next_try_at"])
    link = copy.calendar.link
    try:
        found = client_of(link, keeper(link)).fetch(copy.calendar.external_id, copy.external_id)
    except NotConnected as error:
        break_link(link, error)
        return False
    except CalendarError:
        return False
    if found.room is None:
        return False
    room_made(copy.chain, found.room)
    return True
