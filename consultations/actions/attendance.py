"""Who came: our own join page, and what meeting providers saw. Evidence only; what follows from it is said elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import queries
from consultations.calendars import CalendarError, Unreachable, registry
from consultations.meetings import MeetingError, OpenRoom, Presence, TryLater
from consultations.meetings.zoom import ZoomClient
from consultations.models import (
    ASK_AFTER,
    Attendance,
    CalendarProvider,
    Consultation,
    ConsultationStatus,
    MeetingProvider,
    MeetingRoom,
    Party,
    RoomStatus,
    Source,
)
from port444.kit.clock import now
from port444.kit.errors import Conflict

from .grants import keeper
from .meetings import calendar_link, settle_on

C = ConsultationStatus
JOINABLE = (C.SCHEDULED, C.COMPLETED)
ONE_VISIT = timedelta(minutes=2)  # two sightings this close are one
ASK_AGAIN = timedelta(minutes=20)
ASK_UNTIL = timedelta(hours=2)
LEASE = timedelta(minutes=2)
EARLY = timedelta(hours=1)  # a presence longer before the start belongs to something else
SOURCES = {MeetingProvider.ZOOM: Source.ZOOM, MeetingProvider.GOOGLE_MEET: Source.GOOGLE_MEET}


@transaction.atomic
def join_call(consultation_id: UUID, *, actor: Any) -> str:
    """Note that `actor` goes into the room, and say where it is. Raises Conflict while there is none or it is not open."""
    call = Consultation.objects.lock(consultation_id)
    call.require_party(actor)
    moment = now()
    if call.status not in JOINABLE:
        raise Conflict(_("This call is %(status)s.") % {"status": call.status_words()}, code="not_scheduled")
    if call.opens_at > moment:
        raise Conflict(_("The room is not open yet. Come back shortly before the call."), code="too_early")
    if queries.joinable_until(call) <= moment:
        raise Conflict(_("This call is over and its room is closed."), code="over")
    room = queries.room_url(call)
    if not room:
        raise Conflict(_("The room of this call is not there yet. Write to each other in the conversation."), code="no_room")
    if call.meeting_url != room:
        call.meeting_url = room
        call.save(update_fields=["meeting_url"])
    settle_on(call, moment)
    party = Party.CLIENT if actor.pk == call.client_id else Party.BUILDER
    visits = Attendance.objects.filter(consultation=call, party=party, source=Source.JOIN, joined_at__gt=moment - ONE_VISIT)
    if not visits.exists():
        Attendance.objects.create(consultation=call, party=party, source=Source.JOIN, joined_at=moment)
        record(Event.CALL_JOINED, actor=actor, target=call, party=party)
    return room


def host_url(consultation_id: UUID, *, actor: Any) -> str:
    """The address by which the builder starts the room as its host, asked for now; empty where there is none.

    It opens the room to whoever holds it, so it is written nowhere. Talks to the provider. Raises MeetingError.
    """
    call = Consultation.objects.select_related("builder").get(pk=consultation_id)
    call.require_builder(actor)
    room = MeetingRoom.objects.filter(chain=call.chain, provider=MeetingProvider.ZOOM, external_id=call.meeting_id).exclude(external_id="").first()
    if room is None or call.meeting_provider != MeetingProvider.ZOOM:
        return ""
    return ZoomClient().host_url(OpenRoom(room.url, room.external_id, room.host))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a provider says of somebody's coming or going. A meeting is named by its number there."""

    meeting_id: str
    session: str
    name: str
    email: str
    is_host: bool
    joined_at: datetime | None
    left_at: datetime | None


@transaction.atomic
def note_zoom_sighting(sighting: Sighting) -> bool:
    """Write down what Zoom has just seen; whether it was of a call and told us who. Again, or in the wrong order, is harmless."""
    room = MeetingRoom.objects.filter(provider=MeetingProvider.ZOOM, external_id=sighting.meeting_id).first()
    seen_at = sighting.joined_at or sighting.left_at
    if room is None or seen_at is None:
        return False
    call = Consultation.objects.lock(room.consultation_id)
    party = Party.BUILDER if sighting.is_host else party_of(call, sighting.name, sighting.email, host=room.host)
    if party is None or not _belongs(call, seen_at):
        return False
    _note(call, party, Source.ZOOM, sighting.session, sighting.joined_at, sighting.left_at)
    return True


def party_of(call: Consultation, name: str, email: str, *, host: str = "") -> Party | None:
    """Which side this is, by address and else by name; None when neither tells."""
    client, builder = call.client, call.builder.user
    address = email.strip().casefold()
    if address and address in (builder.email.casefold(), host.casefold()):
        return Party.BUILDER
    if address and address == client.email.casefold():
        return Party.CLIENT
    words = " ".join(name.split()).casefold()
    matches = [
        party
        for party, user in ((Party.CLIENT, client), (Party.BUILDER, builder))
        if words and words in (user.name.casefold(), user.first_name.casefold())
    ]
    return matches[0] if len(matches) == 1 else None


def _belongs(call: Consultation, moment: datetime) -> bool:
    """Evidence is taken of calls that were to take place, around their time."""
    return call.status in (C.SCHEDULED, C.COMPLETED, C.NO_SHOW) and call.scheduled_at - EARLY <= moment <= call.ends_at + ASK_UNTIL


def _note(call: Consultation, party: Party, source: Source, session: str, joined_at: datetime | None, left_at: datetime | None) -> None:
    """One row for a session: the earliest coming and the latest going that were told of it. The call is locked."""
    start = joined_at or left_at
    assert start is not None  # the callers' own check
    row, created = Attendance.objects.get_or_create(
        consultation=call, source=source, external_id=session[:200], defaults={"party": party, "joined_at": start, "left_at": left_at}
    )
    before = row.joined_at, row.left_at
    if not created:
        row.joined_at = min(row.joined_at, start)
        row.left_at = max((each for each in (row.left_at, left_at) if each is not None), default=None)
        if before == (row.joined_at, row.left_at):
            return
        row.save(update_fields=["joined_at", "left_at"])
    said = {"party": party, "source": source, "joined_at": row.joined_at, "left_at": row.left_at}
    record(Event.CALL_PRESENCE_NOTED, actor=None, target=call, after=said, again=not created)


@transaction.atomic
def note_marked_absent(consultation_id: UUID, booking: str, absent: Collection[Party]) -> None:
    """What the builder has marked at Cal.com after the start: whoever is not marked there, when somebody is, was there.

    It is the builder's word: it can only bring up the question, never answer it. A mark that is taken back takes its row with it.
    """
    call = Consultation.objects.lock(consultation_id)
    there = set(Party) - set(absent) if absent else set()
    gone, _ = Attendance.objects.filter(consultation=call, source=Source.CAL_COM).exclude(party__in=there).delete()
    if gone:
        record(Event.CALL_PRESENCE_NOTED, actor=None, target=call, source=Source.CAL_COM, taken_back=gone)
    for party in there:
        _note(call, party, Source.CAL_COM, f"{booking}/{party}", call.scheduled_at, call.ends_at)


def ask_presence(room_id: UUID) -> None:
    """After the call: ask the provider who was there, and let the room go. Does nothing for one that is not due."""
    moment = now()
    room = _take(room_id, moment)
    if room is None:
        return
    try:
        seen, host = _presence(room)
    except (MeetingError, CalendarError) as error:
        later = isinstance(error, TryLater | Unreachable)
        _presence_noted(room, [], "", error=str(error), come_back=later)
    else:
        _presence_noted(room, seen, host, come_back=not seen and room.provider in SOURCES)


@transaction.atomic
def _take(room_id: UUID, moment: datetime) -> MeetingRoom | None:
    rows = MeetingRoom.objects.select_related("consultation__builder").select_for_update(of=("self",), no_key=True, skip_locked=True)
    room = rows.filter(pk=room_id, status=RoomStatus.READY, next_try_at__lte=moment, consultation__ends_at__lte=moment - ASK_AFTER).first()
    if room is not None:
        room.next_try_at = moment + LEASE
        room.save(update_fields=["next_try_at"])
    return room


def _presence(room: MeetingRoom) -> tuple[Sequence[Presence], str]:
    """Who was there, and the address in whose name the room was."""
    call = room.consultation
    if room.provider == MeetingProvider.ZOOM:
        return ZoomClient().presence(OpenRoom(room.url, room.external_id, room.host)), room.host
    link = calendar_link(call.builder_id, CalendarProvider.GOOGLE) if room.provider == MeetingProvider.GOOGLE_MEET else None
    if link is None:
        return [], ""
    room.host = link.account  # the one person whom Meet names by an address
    google = registry.module_of(CalendarProvider.GOOGLE)
    since, until = call.scheduled_at - EARLY, call.ends_at + ASK_UNTIL
    return google.meet_presence(link.credentials, keeper(link), room.external_id, since, until), link.account


@transaction.atomic
def _presence_noted(room: MeetingRoom, seen: Sequence[Presence], host: str, *, error: str = "", come_back: bool) -> None:
    """Write it down once: a session that the provider has told of as it happened is the same visit, by its time."""
    moment = now()
    call = Consultation.objects.lock(room.consultation_id)
    fresh = MeetingRoom.objects.select_for_update(of=("self",), no_key=True).get(pk=room.pk)
    source = SOURCES.get(MeetingProvider(room.provider))
    for each in seen:
        party = party_of(call, each.name, each.email, host=host)
        if source is None or party is None or not _belongs(call, each.joined_at):
            continue
        known = Attendance.objects.filter(
            consultation=call, party=party, source=source, joined_at__range=(each.joined_at - ONE_VISIT, each.joined_at + ONE_VISIT)
        ).first()
        _note(call, party, source, known.external_id if known is not None else each.external_id, each.joined_at, each.left_at)
    if fresh.status != RoomStatus.READY:
        return
    fresh.last_error = error[:300]
    fresh.next_try_at = moment + ASK_AGAIN
    fresh.save(update_fields=["last_error", "next_try_at"])
    if not come_back or moment >= call.ends_at + ASK_UNTIL:
        fresh.move_to(RoomStatus.CLOSED, updated_at=moment)
