"""Connected calendars."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from consultations import queries
from consultations.models import CalendarEvent, CalendarProvider, EventStatus, LinkedCalendar, LinkStatus
from port444.kit.rest import In, Moment, Out


class LinkedCalendarOut(Out):
    id: UUID
    name: str
    time_zone: str
    is_read: bool = Field(description="Its busy times are not offered")
    is_written: bool = Field(description="Our calls are written into it")
    can_write: bool
    read_at: Moment | None = Field(description="How old the list of its busy times is")
    is_stale: bool = Field(description="Older than a day, so that no times are offered at all")
    failing_since: Moment | None
    last_error: str


class CalendarAccountOut(Out):
    id: UUID
    provider: CalendarProvider
    account: str
    status: LinkStatus
    connected_at: Moment
    failing_since: Moment | None
    last_error: str
    calendars: list[LinkedCalendarOut]


class CalendarProviderOut(Out):
    provider: CalendarProvider
    name: str
    is_set_up: bool = Field(description="On this site; connecting happens on its page, where you sign in there")


class CopyOut(Out):
    id: UUID
    consultation_id: UUID
    calendar_id: UUID
    status: EventStatus
    attempts: int
    last_error: str


class CalendarsOut(Out):
    accounts: list[CalendarAccountOut]
    providers: list[CalendarProviderOut]
    waiting: list[CopyOut] = Field(description="Calls that do not stand in the calendar as they should, the next 20")


class ChooseIn(In):
    read: list[UUID] = Field(max_length=200, description="Calendars whose busy times are not offered")
    written: UUID | None = Field(None, description="The one into which our calls are written; null for none")


class DisconnectIn(In):
    remove_copies: bool = Field(False, description="Take our calls that are still to come out of the calendar")


class FeedOut(Out):
    url: str | None = Field(description="A private address for calendar programs; null before you made one. Whoever has it reads your calls")
    read_at: Moment | None


def _calendar(row: LinkedCalendar, found: queries.Connections) -> LinkedCalendarOut:
    return LinkedCalendarOut(
        id=row.pk,
        name=row.name,
        time_zone=row.time_zone,
        is_read=row.is_read,
        is_written=row.is_written,
        can_write=row.can_write,
        read_at=row.synced_at,
        is_stale=row in found.stale,
        failing_since=row.failed_at,
        last_error=row.last_error,
    )


def copy_out(copy: CalendarEvent) -> CopyOut:
    return CopyOut(
        id=copy.pk,
        consultation_id=copy.consultation_id,
        calendar_id=copy.calendar_id,
        status=EventStatus(copy.status),
        attempts=copy.attempts,
        last_error=copy.last_error,
    )


def calendars_out(found: queries.Connections) -> CalendarsOut:
    return CalendarsOut(
        accounts=[
            CalendarAccountOut(
                id=account.link.pk,
                provider=account.provider.key,
                account=account.link.account,
                status=LinkStatus(account.link.status),
                connected_at=account.link.connected_at,
                failing_since=account.link.failed_at,
                last_error=account.link.last_error,
                calendars=[_calendar(row, found) for row in account.calendars],
            )
            for account in found.accounts
        ],
        providers=[CalendarProviderOut(provider=one.key, name=one.label, is_set_up=one.is_set_up) for one in found.providers],
        waiting=[copy_out(copy) for copy in found.waiting],
    )
