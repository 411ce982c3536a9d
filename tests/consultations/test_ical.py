"""The invitation, read back by a parser."""

from __future__ import annotations

from typing import Any

from icalendar import Calendar

from consultations import emails, ical
from consultations.actions import cancel_call
from consultations.models import Consultation
from port444.accounts.models import User
from port444.kit import mail
from port444.notifications.models import Notification


def read(data: bytes) -> tuple[Any, Any]:
    book: Any = Calendar.from_ical(data)
    events = [part for part in book.walk() if part.name == "VEVENT"]
    assert len(events) == 1
    return book, events[0]


def test_the_invitation_says_when_where_and_who(scheduled: Consultation, client_user: User) -> None:
    data = ical.calendar(scheduled, client_user)
    book, event = read(data)
    assert (str(book["method"]), str(book["version"]), str(event["status"])) == ("REQUEST", "2.0", "CONFIRMED")
    assert str(event["uid"]) == f"call-{scheduled.pk}@port444.example"
    assert int(event["sequence"]) == 0
    assert (event["dtstart"].dt, event["dtend"].dt) == (scheduled.scheduled_at, scheduled.ends_at)
    assert b"DTSTART:20261124T033000Z" in data
    join = f"http://127.0.0.1:8444/calls/{scheduled.pk}/join/"
    assert str(event["location"]) == join
    assert str(event["description"]).splitlines()[:4] == [
        f"Join: {join}",
        "",
        "Tue 24 Nov 2026, 04:30 to 05:00 in Amsterdam",
        "Tue 24 Nov 2026, 09:00 to 09:30 in Kolkata",
    ]
    assert str(event["organizer"]).startswith("mailto:")
    assert {str(a) for a in event["attendee"]} == {"mailto:jonas@example.com", f"mailto:{scheduled.builder.user_id}@calls.port444.example"}
    assert {str(a.params["cn"]) for a in event["attendee"]} == {"Jonas Vermeer", "Anaya Krishnan"}
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


def test_text_of_people_cannot_add_lines_of_its_own(scheduled: Consultation, client_user: User) -> None:
    scheduled.client_notes = "Hi\r\nATTENDEE:mailto:evil@example.com\nEND:VEVENT"
    _, event = read(ical.calendar(scheduled, client_user))
    assert len(event["attendee"]) == 2
    assert "END:VEVENT" in str(event["description"])


def test_cancelling_withdraws_the_same_event(scheduled: Consultation, client_user: User) -> None:
    call = cancel_call(scheduled.pk, actor=client_user)
    book, event = read(ical.calendar(call, client_user))
    assert (str(book["method"]), str(event["status"]), int(event["sequence"])) == ("CANCEL", "CANCELLED", 1)
    assert str(event["uid"]) == ical.uid(scheduled)


def test_the_mail_carries_the_invitation_of_its_reader(scheduled: Consultation, builder_user: User) -> None:
    told = Notification.objects.get(kind="call_scheduled", user=builder_user)
    files = emails.invitation(told)
    assert [(type(f), f.name, f.mimetype) for f in files] == [(mail.Attachment, "call.ics", "text/calendar; method=REQUEST; charset=utf-8")]
    _, event = read(files[0].content)
    assert "mailto:anaya@example.com" in {str(a) for a in event["attendee"]}


def test_a_mail_about_a_call_that_is_gone_carries_nothing(scheduled: Consultation, builder_user: User) -> None:
    told = Notification.objects.get(kind="call_scheduled", user=builder_user)
    told.context = {}
    assert emails.invitation(told) == []
