"""The room of a call.

`want_room` says inside the transaction of the call what should be there; `make_room` carries it out: it takes the row for a while,
talks to the provider outside of any transaction, and records the answer if nothing has changed meanwhile. Killed in between, the next
run looks for what the lost request made before it asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import calendars, emails, queries
from consultations.meetings import FullToday, MeetingClient, MeetingError, NotAvailable, OpenRoom, RoomWish, TryLater
from consultations.meetings.calcom import CalComRooms
from consultations.meetings.zoom import ZoomClient
from consultations.models import (
    ASK_AFTER,
    CalendarLink,
    CalendarProvider,
    Consultation,
    ConsultationStatus,
    LinkStatus,
    MeetingProvider,
    MeetingRoom,
    RoomStatus,
)
from port444.kit.clock import now
from port444.kit.jobs import enqueue
from port444.notifications.actions import notify

from .grants import keeper

C, R, P = ConsultationStatus, RoomStatus, MeetingProvider
MAKE = "consultations.jobs.make_room"
# Longer than the queue lets a job run: while a worker can still be asking, nobody else takes the row.
LEASE = timedelta(seconds=settings.Q_TIMEOUT + 15)
BACK_OFF = [timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 900, 1800, 3600)]
PATIENCE = 3  # attempts after which the builder's own link stands in
MOST_ATTEMPTS = 200
HELP_NEEDED = timedelta(hours=3)  # between two attempts at what somebody has to mend first
LONGEST_URL = 200


@dataclass(frozen=True, slots=True)
class Errand:
    """What one run is to do, as the row stood when it was taken."""

    room: MeetingRoom
    wish: RoomWish
    wanted: int
    closes: bool
    client: MeetingClient | None
    is_repeat: bool

    @property
    def known(self) -> OpenRoom:
        return OpenRoom(self.room.url, self.room.external_id, self.room.host)


def want_room(consultation: Consultation, moment: datetime) -> None:
    """Say that the call needs a room as it now stands, or none any more. The call's row is locked."""
    room = MeetingRoom.objects.select_for_update(of=("self",), no_key=True).filter(chain=consultation.chain).first()
    if consultation.status == C.SCHEDULED:
        if room is None:
            _first_room(consultation, moment)
        else:
            _follow_call(room, consultation, moment)
    elif consultation.status == C.CANCELLED and room is not None:
        _unwant(room, consultation, moment)


def _first_room(consultation: Consultation, moment: datetime) -> None:
    provider = consultation.meeting_provider
    if provider == P.OWN_LINK or queries.why_not(consultation.builder, provider):
        _stand_in(consultation)
        return
    room = MeetingRoom.objects.create(
        chain=consultation.chain,
        consultation=consultation,
        provider=provider,
        wanted=consultation.ical_sequence,
        next_try_at=moment,
        updated_at=moment,
    )
    place(consultation, provider, "", "")
    enqueue(MAKE, room.pk)


def _follow_call(room: MeetingRoom, consultation: Consultation, moment: datetime) -> None:
    """The room of a chain follows it to a new time. Until that is done, its address stays good."""
    room.consultation, room.wanted, room.updated_at = consultation, consultation.ical_sequence, moment
    fields = ["consultation", "wanted", "updated_at"]
    if room.provider == P.GOOGLE_MEET and room.status == R.READY:
        room.made, room.next_try_at = room.wanted, consultation.ends_at + ASK_AFTER  # it moves with the event
        fields.append("next_try_at")
    if room.status in (R.CLOSED, R.UNWANTED):
        _stand_in(consultation)
    elif room.url:
        place(consultation, room.provider, room.url, room.external_id)
    elif not (consultation.meeting_provider == P.OWN_LINK and consultation.meeting_url):
        place(consultation, room.provider, "", "")
    if room.status in (R.READY, R.FAILED) and room.made != room.wanted:
        if room.status == R.READY:
            room.attempts = 0
        room.move_to(R.WANTED, next_try_at=moment, attempts=room.attempts)
        enqueue(MAKE, room.pk)
    elif room.status == R.WANTED:
        room.next_try_at = _not_while_taken(room, moment)
        fields.append("next_try_at")
        enqueue(MAKE, room.pk)
    room.save(update_fields=[*fields, "made"])


def _unwant(room: MeetingRoom, consultation: Consultation, moment: datetime) -> None:
    """No room any more. One that no request can have made yet needs no request to go."""
    if room.status not in (R.WANTED, R.READY, R.FAILED):
        return
    room.wanted = consultation.ical_sequence
    if room.status == R.FAILED and room.external_id:
        room.move_to(R.WANTED)
    nothing_there = not room.external_id and not room.attempts
    if nothing_there or room.provider == P.GOOGLE_MEET or room.status == R.FAILED:
        room.move_to(R.CLOSED, wanted=room.wanted, updated_at=moment)
        return
    was_wanted = room.status == R.WANTED
    next_try_at = _not_while_taken(room, moment) if was_wanted else moment
    room.move_to(R.UNWANTED, wanted=room.wanted, attempts=room.attempts if was_wanted else 0, next_try_at=next_try_at, updated_at=moment)
    enqueue(MAKE, room.pk)


def _not_while_taken(room: MeetingRoom, moment: datetime) -> datetime:
    """Now, or when the run that may be asking the provider at this moment must be over; it comes back by itself before."""
    return min(room.next_try_at, moment + LEASE) if room.attempts else moment


def make_room(room_id: UUID) -> None:
    """Make, move or close a room as it is wanted now. Does nothing for one that is not due, or in another run's hands."""
    errand = _take(room_id, now())
    if errand is None:
        return
    try:
        made = _carry_out(errand)
    except MeetingError as error:
        _put_off(errand, error)
    else:
        _record(errand, made)


@transaction.atomic
def _take(room_id: UUID, moment: datetime) -> Errand | None:
    rows = MeetingRoom.objects.select_related("consultation__builder__user", "consultation__client")
    rows = rows.select_for_update(of=("self",), no_key=True, skip_locked=True).filter(status__in=[R.WANTED, R.UNWANTED])
    room = rows.filter(pk=room_id, next_try_at__lte=moment).first()
    if room is None:
        return None
    call = room.consultation
    if room.status == R.WANTED and (call.status != C.SCHEDULED or call.ends_at <= moment):
        room.move_to(R.FAILED, last_error="the call was over", updated_at=moment)
        return None
    is_repeat, closes = room.attempts > 0, room.status == R.UNWANTED
    hosts = _reserve_host(room, call) if room.provider == P.ZOOM and not closes else []
    room.attempts += 1
    room.next_try_at = moment + LEASE
    room.save(update_fields=["attempts", "next_try_at", "host"])
    wish = RoomWish(
        chain=room.chain,
        consultation=call.pk,
        title=emails.room_title(call),
        starts_at=call.scheduled_at,
        ends_at=call.ends_at,
        attendee_name=call.client.name,
        attendee_zone=call.client_zone,
    )
    return Errand(room, wish, room.wanted, closes, _client(room, hosts, is_repeat=is_repeat), is_repeat)


def _free_hosts(room: MeetingRoom, call: Consultation) -> list[str]:
    """The hosts who are free, best first; nobody else reads or takes one until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('zoom_hosts'))")
    return queries.free_hosts(call, but=room)


def _reserve_host(room: MeetingRoom, call: Consultation) -> list[str]:
    """The hosts to try, in order. The first is written down before it is asked, so that two rooms of one time do not pick the same."""
    hosts = _free_hosts(room, call)
    if hosts and not room.external_id:
        room.host = hosts[0]
    return hosts


def _client(room: MeetingRoom, hosts: list[str], *, is_repeat: bool) -> MeetingClient | None:
    if room.provider == P.ZOOM:
        others = [host for host in settings.ZOOM_HOSTS if host != room.host]
        return ZoomClient(hosts, [room.host, *others] if is_repeat and room.host else others if is_repeat else [])
    if room.provider == P.CAL_COM:
        link = calendar_link(room.consultation.builder_id, CalendarProvider.CAL_COM)
        if link is not None:
            return CalComRooms(link.credentials, keeper(link), f"call-{room.chain}@{settings.MAIL_DOMAIN}", seek=is_repeat)
    return None


def calendar_link(builder_id: UUID, provider: str) -> CalendarLink | None:
    """The builder's working account at a provider; where several are, the one that calls are written into."""
    links = CalendarLink.objects.filter(builder=builder_id, provider=provider, status=LinkStatus.ACTIVE)
    return links.order_by("-calendars__is_written", "connected_at").first()


def _carry_out(errand: Errand) -> OpenRoom | None:
    """Talk to the provider; None when there is no room any more."""
    if errand.room.provider == P.GOOGLE_MEET:
        raise TryLater("the calendar has not made the room yet", 60)  # whoever writes the event brings it (`room_made`)
    if errand.client is None:
        raise NotAvailable(f"{errand.room.get_provider_display()} is not connected any more")
    known = errand.known
    if errand.closes:
        gone = known if known.external_id else errand.client.find(errand.wish) if errand.is_repeat else None
        if gone is not None:
            errand.client.close(gone)
        return None
    made = errand.client.move(known, errand.wish) if known.external_id else errand.client.open(errand.wish)
    if not made.url.startswith(("https://", "http://")) or len(made.url) > LONGEST_URL:
        raise NotAvailable("the room's address cannot be used")
    return made


def _again(errand: Errand) -> tuple[Consultation, MeetingRoom]:
    """The chain's live call and the room, locked in the order that everybody keeps."""
    chain = errand.room.chain
    call_id = Consultation.objects.exclude(status=C.RESCHEDULED).values_list("pk", flat=True).get(chain=chain)
    call = Consultation.objects.lock(call_id)
    return call, MeetingRoom.objects.select_for_update(of=("self",), no_key=True).get(chain=chain)


@transaction.atomic
def _record(errand: Errand, made: OpenRoom | None) -> None:
    call, room = _again(errand)
    moment = now()
    # Only the first host to try was reserved: where another one took the call, somebody may have been quicker.
    is_alone = made is None or made.host == room.host or made.host in _free_hosts(room, call)
    if made is not None:
        room.url, room.external_id, room.host = made.url, made.external_id, made.host
        room.save(update_fields=["url", "external_id", "host"])
    if room.status == R.UNWANTED and errand.closes:
        room.move_to(R.CLOSED, updated_at=moment, last_error="")
    elif room.status == R.WANTED and made is not None and room.wanted == errand.wanted and is_alone:
        _ready(room, call, moment)
    elif room.status in (R.WANTED, R.UNWANTED):
        room.next_try_at, room.attempts = moment, max(1, room.attempts)  # it changed while the provider was asked
        room.save(update_fields=["next_try_at", "attempts"])
        enqueue(MAKE, room.pk)


def _ready(room: MeetingRoom, call: Consultation, moment: datetime) -> None:
    room.move_to(R.READY, made=room.wanted, attempts=0, last_error="", next_try_at=call.ends_at + ASK_AFTER, updated_at=moment, url=room.url)
    place(call, room.provider, room.url, room.external_id)
    record(Event.CALL_ROOM_MADE, actor=None, target=call, provider=room.provider)


@transaction.atomic
def _put_off(errand: Errand, error: MeetingError) -> None:
    """It did not work: decide when to try again, and what stands in until then."""
    call, room = _again(errand)
    moment = now()
    if room.status not in (R.WANTED, R.UNWANTED):
        return
    room.last_error, room.updated_at = str(error)[:300], moment
    room.next_try_at = _next_try(room, call, error, moment)
    room.save(update_fields=["last_error", "updated_at", "next_try_at"])
    if room.status == R.UNWANTED:
        if isinstance(error, NotAvailable) or room.attempts >= MOST_ATTEMPTS:
            room.move_to(R.FAILED)
        return
    # A room that exists works at any time; only where its host has another call then does it have to be replaced.
    stays_good = bool(room.url) and (isinstance(error, FullToday | TryLater))
    given_up = room.attempts >= MOST_ATTEMPTS or room.next_try_at >= call.ends_at
    if not stays_good and (isinstance(error, NotAvailable) or room.attempts >= PATIENCE or given_up or room.next_try_at >= call.opens_at):
        _stand_in(call)
        _tell_builder(room, call, moment)
    if given_up:
        room.move_to(R.FAILED)


def _next_try(room: MeetingRoom, call: Consultation, error: MeetingError, moment: datetime) -> datetime:
    if isinstance(error, FullToday):
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight + timedelta(minutes=1)
    if isinstance(error, TryLater):
        # Never so long that the call begins meanwhile: it is worth asking up to its last minute.
        patient = min(BACK_OFF[min(room.attempts, len(BACK_OFF)) - 1], max((call.scheduled_at - moment) / 4, timedelta(minutes=1)))
        return moment + max(patient, timedelta(seconds=error.seconds))
    return moment + HELP_NEEDED


def _stand_in(call: Consultation) -> None:
    """The builder's own link is the room, if there is one."""
    place(call, P.OWN_LINK, call.builder.meeting_url, "")


def place(call: Consultation, provider: str, url: str, meeting_id: str) -> None:
    """Write on the call where it takes place. The log hears from whom the room is; who knows its address gets in."""
    was = call.meeting_provider, call.meeting_url, call.meeting_id
    if was == (provider, url, meeting_id):
        return
    call.meeting_provider, call.meeting_url, call.meeting_id = provider, url, meeting_id
    call.save(update_fields=["meeting_provider", "meeting_url", "meeting_id"])
    before = {"provider": was[0], "has_room": bool(was[1])}
    record(Event.CALL_ROOM_CHANGED, actor=None, target=call, before=before, after={"provider": provider, "has_room": bool(url)})


def _tell_builder(room: MeetingRoom, call: Consultation, moment: datetime) -> None:
    """Once for each call, and only where nothing stands in."""
    if call.meeting_url:
        return
    said = emails.room_missing(call, room.get_provider_display())
    notify(
        call.builder.user,
        "call_room_missing",
        title=said.title,
        body=said.body,
        url=reverse("builders:edit"),
        dedupe_key=f"call_room_missing:{room.chain}",
        context={"label": _("Add your link")},
        moment=moment,
    )


@transaction.atomic
def room_made(chain: UUID, room: calendars.Room) -> None:
    """The calendar has made the room of a chain together with its event. Call it outside of your own transaction.

    A call that has settled on another room meanwhile keeps that one.
    """
    call_id = Consultation.objects.exclude(status=C.RESCHEDULED).values_list("pk", flat=True).filter(chain=chain).first()
    call = Consultation.objects.lock(call_id) if call_id is not None else None
    row = MeetingRoom.objects.select_for_update(of=("self",), no_key=True).filter(chain=chain, provider=P.GOOGLE_MEET).first()
    if call is None or row is None or call.status != C.SCHEDULED or len(room.url) > LONGEST_URL:
        return
    if row.status in (R.WANTED, R.FAILED) or (row.status == R.READY and row.url != room.url):
        row.url, row.external_id = room.url, room.external_id
        row.save(update_fields=["url", "external_id"])
        if row.status != R.WANTED:
            row.move_to(R.WANTED)
        _ready(row, call, now())


def settle_on(call: Consultation, moment: datetime) -> None:
    """Somebody goes into the room as it is now: from here on the call takes place there, whatever becomes of another one."""
    room = MeetingRoom.objects.select_for_update(of=("self",), no_key=True).filter(chain=call.chain).first()
    if room is not None and call.meeting_provider == P.OWN_LINK and room.status in (R.WANTED, R.FAILED):
        _unwant(room, call, moment)
