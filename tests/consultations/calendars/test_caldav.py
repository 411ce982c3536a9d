"""The CalDAV client against a real Radicale: what is read, what is written, and what happens in the calendar meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from icalendar import Calendar as Book

from consultations import ical
from consultations.calendars import Booking, Conflicting, Event, Gone, NotConnected, Refused, Written, caldav
from tests.fakes.radicale import PASSWORD, Person, Radicale

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
UNTIL = datetime(2026, 12, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with Radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@dataclass
class Desk:
    """A builder's calendar, seen by the builder and by us."""

    person: Person
    calendar: str
    client: caldav.CalDAV

    def events(self) -> list[Event]:
        return list(self.client.changes(self.calendar, "", SINCE, UNTIL).events)

    def times(self) -> list[str]:
        """The starts of what blocks, as day and hour in UTC."""
        return [f"{event.starts_at:%d %H:%M}" for event in sorted(self.events(), key=lambda e: str(e.starts_at)) if event.is_busy]


@pytest.fixture
def desk(radicale: Radicale, settings: Any) -> Desk:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    person = radicale.person()
    person.make("work", "Asia/Kolkata")
    connection = caldav.connect(radicale.url, person.name, PASSWORD)
    return Desk(person, connection.calendars[0].external_id, caldav.client(connection.credentials))


def booking(**changes: Any) -> Booking:
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    made = Booking(uuid4(), uuid4(), 0, start, start + HOUR, "Call with Jonas", "Join: x", "https://port444.example/calls/1/join/", "Jonas Vermeer")
    return replace(made, **changes)


# Connecting


def test_an_address_a_name_and_a_password_find_the_calendars(radicale: Radicale, settings: Any) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    person = radicale.person()
    for name, zone in (("work", "W. Europe Standard Time"), ("home", "")):
        person.make(name, zone)
    for typed in (radicale.url, f"{radicale.url}/", f"{radicale.url}/{person.name}/", f"{radicale.url}/{person.name}/work/"):
        connection = caldav.connect(typed, person.name, PASSWORD)
        assert connection.account == person.name
        assert {(c.name, c.time_zone, c.can_write) for c in connection.calendars} == {("Work", "Europe/Berlin", True), ("Home", "", True)}
        assert sum(c.is_primary for c in connection.calendars) == 1
        assert caldav.client(connection.credentials).calendars() == connection.calendars


def test_a_name_that_is_no_address_says_where_it_is_from(radicale: Radicale, settings: Any) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    person = radicale.person(f"anaya{uuid4().hex[:6]}")
    person.make()
    assert caldav.connect(radicale.url, person.name, PASSWORD).account == f"{person.name} at 127.0.0.1"


def test_wrong_password_is_told_apart(radicale: Radicale, settings: Any) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    with pytest.raises(NotConnected):
        caldav.connect(radicale.url, radicale.person().name, "wrong")


def test_password_that_stopped_working_is_told_on_every_call(desk: Desk) -> None:
    client = caldav.client({**_credentials(desk), "password": "changed since"})
    calls = (
        client.calendars,
        lambda: client.busy([desk.calendar], SINCE, UNTIL),
        lambda: client.changes(desk.calendar, "", SINCE, UNTIL),
        lambda: client.write(desk.calendar, booking(), None),
        lambda: client.fetch(desk.calendar, "a.ics"),
        lambda: client.remove(desk.calendar, "a.ics"),
    )
    for call in calls:
        with pytest.raises(NotConnected):
            call()
    assert desk.person.names(desk.calendar) == []


def _credentials(desk: Desk) -> Mapping[str, Any]:
    return {"url": desk.client.server.start, "name": desk.person.name, "password": PASSWORD, "home": desk.client.home, "addresses": []}


# Reading


def test_a_series_is_read_as_its_instances(desk: Desk) -> None:
    desk.person.put(
        desk.calendar,
        "s.ics",
        "DTSTART;TZID=Europe/Berlin:20261124T090000\nDTEND;TZID=Europe/Berlin:20261124T100000\nRRULE:FREQ=DAILY;COUNT=4\n"
        "EXDATE;TZID=Europe/Berlin:20261125T090000\nRDATE;TZID=Europe/Berlin:20261201T110000\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:s.ics\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20261126T090000\n"
        "DTSTART;TZID=Europe/Berlin:20261126T150000\nDTEND;TZID=Europe/Berlin:20261126T170000",
    )
    found = {event.external_id: (event.starts_at, event.ends_at) for event in desk.events()}
    assert found == {
        "s.ics#20261124T080000Z": (datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 9, tzinfo=UTC)),
        "s.ics#20261126T080000Z": (datetime(2026, 11, 26, 14, tzinfo=UTC), datetime(2026, 11, 26, 16, tzinfo=UTC)),
        "s.ics#20261127T080000Z": (datetime(2026, 11, 27, 8, tzinfo=UTC), datetime(2026, 11, 27, 9, tzinfo=UTC)),
        "s.ics#20261201T100000Z": (datetime(2026, 12, 1, 10, tzinfo=UTC), datetime(2026, 12, 1, 11, tzinfo=UTC)),
    }


def test_all_day_is_the_day_of_the_calendar(desk: Desk) -> None:
    desk.person.put(desk.calendar, "d.ics", "DTSTART;VALUE=DATE:20261125\nDTEND;VALUE=DATE:20261127")
    (event,) = desk.events()
    assert event.is_all_day
    assert (event.starts_at, event.ends_at) == (datetime(2026, 11, 24, 18, 30, tzinfo=UTC), datetime(2026, 11, 26, 18, 30, tzinfo=UTC))


def test_calendar_without_a_zone_keeps_the_builders(desk: Desk) -> None:
    plain = desk.person.make("plain")
    desk.person.put(plain, "d.ics", "DTSTART:20261125T090000\nDTEND:20261125T100000")
    client = caldav.client({**_credentials(desk), "time_zone": "Asia/Tokyo"})
    (event,) = client.changes(plain, "", SINCE, UNTIL).events
    assert event.starts_at == datetime(2026, 11, 25, 0, tzinfo=UTC)


def test_free_time_is_named_and_does_not_block(desk: Desk) -> None:
    times = "DTSTART:20261124T{0:02}0000Z\nDTEND:20261124T{0:02}3000Z\n"
    me = f"ATTENDEE;PARTSTAT=DECLINED:mailto:{desk.person.name.upper()}"
    for hour, line in enumerate(
        ["TRANSP:TRANSPARENT", me, "X-MICROSOFT-CDO-BUSYSTATUS:FREE", "STATUS:CANCELLED", "STATUS:TENTATIVE", "TRANSP:OPAQUE"]
    ):
        desk.person.put(desk.calendar, f"{hour}.ics", times.format(hour) + line)
    assert {event.external_id: event.is_busy for event in desk.events()} == {
        "0.ics": False,
        "1.ics": False,
        "2.ics": False,
        "4.ics": True,
        "5.ics": True,
    }
    assert desk.times() == ["24 04:00", "24 05:00"]


def test_busy_is_merged_and_cut_to_what_was_asked(desk: Desk) -> None:
    for name, start, end in (("a", "0900", "1000"), ("b", "0930", "1100"), ("c", "1100", "1130"), ("d", "1500", "1600")):
        desk.person.put(desk.calendar, f"{name}.ics", f"DTSTART:20261124T{start}00Z\nDTEND:20261124T{end}00Z")
    other = desk.person.make("other")
    desk.person.put(other, "e.ics", "DTSTART:20261124T100000Z\nDTEND:20261124T120000Z")
    since = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
    assert desk.client.busy([desk.calendar, other], since, since + timedelta(hours=3)) == [(since, datetime(2026, 11, 24, 12, tzinfo=UTC))]
    assert desk.client.busy([other], since + timedelta(days=1), UNTIL) == []


def test_what_cannot_be_read_is_passed_over_and_counted(desk: Desk) -> None:
    desk.person.put(desk.calendar, "good.ics", "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z")
    every_minute = ",".join(str(minute) for minute in range(60))
    desk.person.put(desk.calendar, "wild.ics", f"DTSTART:20261124T000000Z\nRRULE:FREQ=DAILY;COUNT=200;BYHOUR=1,2,3;BYMINUTE={every_minute}")
    assert desk.times() == ["24 09:00"]
    assert desk.client.passed_over == 1


# What changed


def test_nothing_is_said_while_nothing_changes(desk: Desk) -> None:
    desk.person.put(desk.calendar, "a.ics", "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z\nRRULE:FREQ=DAILY;COUNT=3")
    first = desk.client.changes(desk.calendar, "", SINCE, UNTIL)
    assert (len(first.events), first.is_full) == (3, True)
    again = desk.client.changes(desk.calendar, first.token, SINCE, UNTIL)
    assert (list(again.events), again.is_full) == ([], False)


def test_instances_that_vanish_are_not_on_the_full_list(desk: Desk) -> None:
    event = "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z\nRRULE:FREQ=DAILY;COUNT={}"
    desk.person.put(desk.calendar, "a.ics", event.format(3))
    desk.person.put(desk.calendar, "b.ics", "DTSTART:20261130T090000Z\nDTEND:20261130T100000Z")
    token = desk.client.changes(desk.calendar, "", SINCE, UNTIL).token
    desk.person.put(desk.calendar, "a.ics", event.format(1))
    shorter = desk.client.changes(desk.calendar, token, SINCE, UNTIL)
    assert shorter.is_full
    assert {event.external_id for event in shorter.events} == {"a.ics#20261124T090000Z", "b.ics"}
    desk.person.delete(desk.calendar, "a.ics")
    without = desk.client.changes(desk.calendar, shorter.token, SINCE, UNTIL)
    assert without.is_full
    assert [event.external_id for event in without.events] == ["b.ics"]


def test_a_change_outside_the_window_is_none(desk: Desk) -> None:
    desk.person.put(desk.calendar, "a.ics", "DTSTART:20261124T090000Z\nDTEND:20261124T100000Z")
    token = desk.client.changes(desk.calendar, "", SINCE, UNTIL).token
    desk.person.put(desk.calendar, "later.ics", "DTSTART:20280124T090000Z\nDTEND:20280124T100000Z")
    changes = desk.client.changes(desk.calendar, token, SINCE, UNTIL)
    assert (list(changes.events), changes.is_full, changes.token == token) == ([], False, False)


def test_another_window_is_read_in_full(desk: Desk) -> None:
    desk.person.put(desk.calendar, "a.ics", "DTSTART:20261224T090000Z\nDTEND:20261224T100000Z")
    token = desk.client.changes(desk.calendar, "", SINCE, UNTIL).token
    changes = desk.client.changes(desk.calendar, token, SINCE, UNTIL + timedelta(days=3))
    assert changes.is_full
    assert [event.external_id for event in changes.events] == ["a.ics"]


def test_token_that_the_server_does_not_know_is_gone(desk: Desk) -> None:
    token = desk.client.changes(desk.calendar, "", SINCE, UNTIL).token
    for bad in (token.replace("/ns/sync/", "/ns/sync/0000"), "not ours", '{"sync": "x"}', "[]"):
        with pytest.raises(Gone):
            desk.client.changes(desk.calendar, bad, SINCE, UNTIL)


def test_calendar_that_was_deleted_is_refused(desk: Desk) -> None:
    desk.person.delete(desk.calendar, "")
    with pytest.raises(Refused):
        desk.client.changes(desk.calendar, "", SINCE, UNTIL)


# Writing


def test_a_call_is_written_once(desk: Desk) -> None:
    call = booking()
    first = desk.client.write(desk.calendar, call, None)
    second = desk.client.write(desk.calendar, call, None)
    assert desk.person.names(desk.calendar) == [f"{call.chain}.ics"]
    assert first.external_id == second.external_id == f"{call.chain}.ics"
    (event,) = desk.events()
    assert (event.chain, event.external_id, event.etag) == (call.chain, first.external_id, second.etag)
    assert (event.starts_at, event.ends_at, event.is_busy) == (call.starts_at, call.ends_at, True)


def test_the_entry_mails_nobody_and_has_the_uid_of_the_invitation(desk: Desk) -> None:
    call = booking(sequence=2)
    desk.client.write(desk.calendar, call, None)
    book: Any = Book.from_ical(desk.person.get(desk.calendar, f"{call.chain}.ics"))
    (event,) = book.walk("VEVENT")
    assert "METHOD" not in book
    assert (str(event["uid"]), int(event["sequence"])) == (f"call-{call.chain}@port444.example", 2)
    assert ical.chain_of(str(event["uid"])) == call.chain
    for person in (event["organizer"], event["attendee"]):
        assert person.params["schedule-agent"] == "CLIENT"
    assert str(event["organizer"]) == f"mailto:{desk.person.name}"
    assert str(event["location"]) == call.location


def test_a_moved_call_moves_its_entry(desk: Desk) -> None:
    call = booking()
    written = desk.client.write(desk.calendar, call, None)
    later = replace(call, sequence=1, starts_at=call.starts_at + HOUR, ends_at=call.ends_at + HOUR)
    moved = desk.client.write(desk.calendar, later, written)
    assert moved.etag != written.etag
    assert desk.times() == ["24 10:00"]
    assert desk.client.fetch(desk.calendar, moved.external_id) == moved


def test_an_entry_that_was_moved_outside_is_not_written_over(desk: Desk) -> None:
    call = booking()
    written = desk.client.write(desk.calendar, call, None)
    text = desk.person.get(desk.calendar, written.external_id).replace("T100000Z", "T140000Z").replace("T090000Z", "T130000Z")
    desk.person.store(desk.calendar, written.external_id, text)
    with pytest.raises(Conflicting):
        desk.client.write(desk.calendar, replace(call, sequence=1), written)
    (outside,) = desk.events()
    assert (outside.chain, outside.starts_at) == (call.chain, datetime(2026, 11, 24, 13, tzinfo=UTC))
    assert outside.etag != written.etag
    known = replace(written, etag=outside.etag)  # seen, and decided otherwise
    assert desk.client.write(desk.calendar, replace(call, sequence=1), known).etag != outside.etag
    assert desk.times() == ["24 09:00"]


def test_an_entry_that_was_deleted_outside_is_missed_and_can_be_made_again(desk: Desk) -> None:
    call = booking()
    written = desk.client.write(desk.calendar, call, None)
    token = desk.client.changes(desk.calendar, "", SINCE, UNTIL).token
    desk.person.delete(desk.calendar, written.external_id)
    gone = desk.client.changes(desk.calendar, token, SINCE, UNTIL)
    assert (list(gone.events), gone.is_full) == ([], True)
    with pytest.raises(Refused):
        desk.client.fetch(desk.calendar, written.external_id)
    assert desk.person.names(desk.calendar) == []
    for known in (written, Written(written.external_id)):
        again = desk.client.write(desk.calendar, call, known)
        assert again.external_id == written.external_id
        assert desk.times() == ["24 09:00"]
        desk.client.remove(desk.calendar, again.external_id)


def test_an_entry_that_somebody_repeats_is_still_ours(desk: Desk) -> None:
    call = booking()
    written = desk.client.write(desk.calendar, call, None)
    text = desk.person.get(desk.calendar, written.external_id).replace("STATUS:", "RRULE:FREQ=DAILY;COUNT=2\nSTATUS:")
    desk.person.store(desk.calendar, written.external_id, text)
    first, second = desk.events()
    assert (first.external_id, first.starts_at, first.chain) == (written.external_id, call.starts_at, call.chain)
    assert second.external_id == f"{written.external_id}#20261125T090000Z"


def test_an_entry_that_cannot_be_read_is_not_taken_for_deleted(desk: Desk) -> None:
    call = booking()
    written = desk.client.write(desk.calendar, call, None)
    text = desk.person.get(desk.calendar, written.external_id)
    desk.person.store(desk.calendar, written.external_id, text.replace("STATUS:", f"X-FILE:{'x' * 600_000}\nSTATUS:"))
    (event,) = desk.events()
    assert (event.external_id, event.chain, event.starts_at, event.is_gone) == (written.external_id, call.chain, None, False)
    assert desk.client.passed_over == 1


def test_an_invitation_taken_over_from_the_mail_is_the_same_event(desk: Desk) -> None:
    call = booking()
    desk.person.put(desk.calendar, "from-mail.ics", f"UID:{ical.uid_of(call.chain)}\nDTSTART:20261124T090000Z\nDTEND:20261124T093000Z")
    written = desk.client.write(desk.calendar, call, None)
    assert written.external_id == "from-mail.ics"
    assert desk.person.names(desk.calendar) == ["from-mail.ics"]
    assert [event.ends_at for event in desk.events()] == [call.ends_at]


def test_removing_twice_is_fine(desk: Desk) -> None:
    written = desk.client.write(desk.calendar, booking(), None)
    desk.client.remove(desk.calendar, written.external_id)
    desk.client.remove(desk.calendar, written.external_id)
    assert desk.person.names(desk.calendar) == []


def test_there_is_nothing_to_watch(desk: Desk) -> None:
    assert desk.client.watch(desk.calendar, "channel", "secret", "https://port444.example/hooks/") is None
    desk.client.unwatch(desk.calendar, "channel", "")
    assert desk.events() == []


def test_somebody_elses_uid_is_no_call_of_ours() -> None:
    chain = uuid4()
    for uid in (
        f"call-{chain}@elsewhere.example",
        f"{chain}@port444.example",
        f"call-{str(chain).upper()}@port444.example",
        "call-x@port444.example",
        "",
    ):
        assert ical.chain_of(uid) is None
    assert ical.chain_of(ical.uid_of(chain)) == chain
