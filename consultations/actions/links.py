"""Accounts at calendar providers: connecting, choosing what they are used for, disconnecting.

Lock order: the builder, then links, calendars and copies by id.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from consultations.calendars import Calendar, CalendarError, Connection, NotConnected, Refused
from consultations.calendars.registry import client_of
from consultations.models import CalendarEvent, CalendarLink, CallSettings, EventStatus, ExternalEvent, LinkedCalendar, LinkStatus, PushChannel
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed
from port444.kit.jobs import enqueue

from .copies import LOST, unwant, want_upcoming
from .grants import break_link, keeper

SYNC, TEND, CLOSE = "consultations.jobs.sync_calendar", "consultations.jobs.tend_channels", "consultations.jobs.close_link"
LIST = "consultations.jobs.list_calendars"
MOST_LINKS, MOST_CALENDARS = 8, 50
FAREWELL = timedelta(hours=1)  # how long a disconnected account is asked to forget us


@transaction.atomic
def connect_calendar(builder_id: UUID, *, actor: Any, provider: str, connection: Connection) -> CalendarLink:
    """Keep a sign-in that has succeeded. The same account again goes on in place, with its calendars and choices."""
    moment = now()
    builder = _lock(builder_id, actor)
    account = connection.account[:254]
    links = {link.pk: link for link in CalendarLink.objects.select_for_update(no_key=True).filter(builder=builder).exclude(status=LinkStatus.OFF)}
    link = next((each for each in links.values() if (each.provider, each.account) == (provider, account)), None)
    again = link is not None
    if link is None:
        if len(links) >= MOST_LINKS:
            raise Invalid(_("You have connected %(most)s accounts. Disconnect one first.") % {"most": MOST_LINKS}, code="too_many_calendars")
        link = CalendarLink(builder=builder, provider=provider, account=account, hook_secret=secrets.token_urlsafe(32))
    credentials = dict(connection.credentials)
    if credentials.get("time_zone") == "":  # the clock of calendars that name none
        credentials["time_zone"] = _clock(builder)
    link.credentials, link.connected_at, link.failed_at, link.last_error = credentials, moment, None, ""
    link.last_ok_at = moment
    link.save()
    if link.status == LinkStatus.BROKEN:
        link.move_to(LinkStatus.ACTIVE)
    _take_over(link, connection.calendars)
    link.calendars.update(failed_at=None, last_error="")
    record(Event.CALENDAR_CONNECTED, actor=actor, target=link, provider=provider, account=account, again=again)
    for calendar in link.calendars.filter(is_read=True):
        _read_soon(calendar, moment)
        enqueue(TEND, calendar.pk)
    want_upcoming(builder, moment)
    return link


def _clock(builder: Builder) -> str:
    zone = CallSettings.objects.filter(builder=builder).values_list("time_zone", flat=True).first()
    return zone or builder.user.time_zone


def _take_over(link: CalendarLink, found: Collection[Calendar]) -> None:
    """Make the rows those of the account. A new calendar is read when it is the builder's own, which is where they may write, or any where
    nobody may; the main one is written when none is yet.
    """
    known = {row.external_id: row for row in link.calendars.select_for_update(no_key=True)}
    is_new = not known
    listed = [each for each in found if len(each.external_id) <= 500][:MOST_CALENDARS]
    all_read_only = not any(each.can_write for each in listed)
    for each in listed:
        row = known.pop(each.external_id, None)
        if row is None:
            row = LinkedCalendar(link=link, external_id=each.external_id, is_read=each.can_write or all_read_only)
        row.name, row.time_zone, row.can_write = each.name[:200] or "Calendar", each.time_zone[:64], each.can_write
        row.is_written = row.is_written and each.can_write
        row.save()
    for gone in known.values():  # not in the account any more
        if gone.copies.exists():
            forget_events(gone)
            gone.is_read = gone.is_written = False
            gone.save()
        else:
            gone.delete()
    writes = LinkedCalendar.objects.filter(link__builder=link.builder_id, is_written=True).exclude(link__status=LinkStatus.OFF)
    if is_new and not writes.exists():
        main = next((each for each in listed if each.is_primary and each.can_write), None) or next((each for each in listed if each.can_write), None)
        if main is not None:
            link.calendars.filter(external_id=main.external_id).update(is_written=True)


def list_calendars(link_id: UUID) -> bool:
    """Look which calendars the account has now, and read them all anew or for the first time; whether the account said so."""
    link = CalendarLink.objects.filter(pk=link_id, status=LinkStatus.ACTIVE).first()
    if link is None:
        return False
    try:
        found = client_of(link, keeper(link)).calendars()
    except NotConnected as error:
        break_link(link, error)
        return False
    except CalendarError:
        found = None  # each calendar says for itself what is wrong
    with transaction.atomic(durable=True):
        moment = now()
        Builder.objects.lock(link.builder_id)
        row = CalendarLink.objects.select_for_update(no_key=True).get(pk=link.pk)
        if row.status != LinkStatus.ACTIVE or row.connected_at != link.connected_at:
            return False
        if found is not None:
            _take_over(row, found)
        for calendar in row.calendars.filter(is_read=True):
            _read_soon(calendar, moment)
    return found is not None


@transaction.atomic
def read_soon(link_id: UUID, *, actor: Any) -> bool:
    """The builder wants an account read at once. However often that is pressed, it waits in the queue once."""
    moment = now()
    link = _lock_link(link_id, actor)
    waiting = link.calendars.filter(queued_at__gt=moment - LOST).exists()
    if link.status != LinkStatus.ACTIVE or waiting:
        return False
    link.calendars.filter(is_read=True).update(queued_at=moment)
    enqueue(LIST, link.pk)
    return True


def forget_events(calendar: LinkedCalendar) -> None:
    """Drop what a calendar said; the next read begins anew."""
    ExternalEvent.objects.filter(calendar=calendar).delete()
    calendar.sync_token, calendar.window_from, calendar.window_to, calendar.synced_at = "", None, None, None


@transaction.atomic
def choose_calendars(builder_id: UUID, *, actor: Any, read: Collection[UUID], written: UUID | None) -> None:
    """Say which calendars block times, and which one shows our calls (None: none)."""
    moment = now()
    builder = _lock(builder_id, actor)
    rows = LinkedCalendar.objects.filter(link__builder=builder).exclude(link__status=LinkStatus.OFF)
    calendars = list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if written is not None and not any(row.pk == written and row.can_write for row in calendars):
        raise Invalid(_("Calls cannot be written into this calendar."), code="not_writable")
    before = _chosen(calendars)
    for row in sorted(calendars, key=lambda row: row.pk == written):  # the old one lets go before the new one takes
        was_read, was_written = row.is_read, row.is_written
        row.is_read, row.is_written = row.pk in read, row.pk == written
        if was_read and not row.is_read:
            forget_events(row)
        if row.is_read and not was_read:
            _read_soon(row, moment)
        if row.is_read != was_read:
            enqueue(TEND, row.pk)
        if (row.is_read, row.is_written) != (was_read, was_written):
            row.save()
        if was_written and not row.is_written:
            for copy in CalendarEvent.objects.select_for_update(no_key=True).filter(calendar=row, consultation__ends_at__gt=moment).order_by("pk"):
                unwant(copy, moment)
    want_upcoming(builder, moment)
    after = _chosen(calendars)
    if before != after:
        record(Event.CALENDAR_CHANGED, actor=actor, target=builder, before=before, after=after)


def _read_soon(calendar: LinkedCalendar, moment: datetime) -> None:
    calendar.next_sync_at = calendar.queued_at = moment
    calendar.save(update_fields=["next_sync_at", "queued_at"])
    enqueue(SYNC, calendar.pk)


def _chosen(calendars: Collection[LinkedCalendar]) -> dict[str, Any]:
    return {"read": sorted(str(row.pk) for row in calendars if row.is_read), "written": [str(row.pk) for row in calendars if row.is_written]}


@transaction.atomic
def disconnect_calendar(link_id: UUID, *, actor: Any, remove_copies: bool) -> CalendarLink:
    """Stop using an account. Its times block nothing from now on; a job tells the provider, and then the credentials are gone."""
    moment = now()
    link = _lock_link(link_id, actor)
    was_active = link.status == LinkStatus.ACTIVE
    link.move_to(LinkStatus.OFF, failed_at=moment, last_error="")
    for calendar in link.calendars.select_for_update(no_key=True).order_by("pk"):
        forget_events(calendar)
        calendar.is_read = calendar.is_written = False
        calendar.save()
    copies = CalendarEvent.objects.select_for_update(of=("self",), no_key=True).filter(calendar__link=link).select_related("consultation")
    for copy in copies.order_by("pk"):
        if remove_copies and copy.consultation.ends_at > moment:
            unwant(copy, moment, quietly=True)
    if was_active:
        enqueue(CLOSE, link.pk)
    else:
        forget_link(link)
    record(Event.CALENDAR_DISCONNECTED, actor=actor, target=link, provider=link.provider, account=link.account, remove_copies=remove_copies)
    return link


def close_link(link_id: UUID) -> bool:
    """Tell the provider of a disconnected account: take back the channels, remove the copies that go. False: it has to be tried again."""
    link = CalendarLink.objects.filter(pk=link_id, status=LinkStatus.OFF).exclude(hook_secret="").first()
    if link is None:
        return True
    channels = list(PushChannel.objects.filter(calendar__link=link).exclude(external_id="").select_related("calendar"))
    copies = list(CalendarEvent.objects.filter(calendar__link=link, status=EventStatus.UNWANTED).exclude(external_id="").select_related("calendar"))
    over = link.failed_at is None or now() >= link.failed_at + FAREWELL
    done, removed = True, list[UUID]()
    if not over:
        try:
            client = client_of(link, keeper(link))
            for channel in channels:
                client.unwatch(channel.calendar.external_id, str(channel.pk), channel.external_id)
            for copy in copies:
                client.remove(copy.calendar.external_id, copy.external_id)
                removed.append(copy.pk)
        except (NotConnected, Refused):
            pass
        except CalendarError:
            done = False
    with transaction.atomic(durable=True):
        for copy in CalendarEvent.objects.select_for_update(no_key=True).filter(pk__in=removed, status=EventStatus.UNWANTED).order_by("pk"):
            copy.move_to(EventStatus.REMOVED, written_hash="", etag="", updated_at=now())
        if done:
            forget_link(CalendarLink.objects.select_for_update(no_key=True).get(pk=link.pk))
    return done


def forget_link(link: CalendarLink) -> None:
    """Nothing is left that could open the account."""
    PushChannel.objects.filter(calendar__link=link).delete()
    link.credentials, link.hook_secret = {}, ""
    link.save(update_fields=["credentials", "hook_secret"])


def _lock(builder_id: UUID, actor: Any) -> Builder:
    builder = Builder.objects.lock(builder_id)
    if builder.user_id != actor.pk:
        raise NotAllowed(_("These are the calendars of somebody else."))
    return builder


def _lock_link(link_id: UUID, actor: Any) -> CalendarLink:
    builder_id = CalendarLink.objects.values_list("builder_id", flat=True).get(pk=link_id)
    _lock(builder_id, actor)
    return CalendarLink.objects.select_for_update(of=("self",), no_key=True).get(pk=link_id)
