"""Reminders: when they are due, who gets them, and that nothing is told twice, late, or about a call that has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django_q.models import OrmQ

from consultations import emails
from consultations.actions import cancel_call, send_reminder, set_availability
from consultations.actions.availability import Terms
from consultations.actions.reminders import plan_reminders
from consultations.jobs import send_reminders
from consultations.models import Consultation, Reminder, ReminderKind
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock, jobs
from port444.kit.errors import WrongState
from port444.notifications import actions as notifications
from port444.notifications import emails as mails
from port444.notifications.models import Delivery, Notification, Preference
from port444.payments.actions import pay_with_test_wallet

from .conftest import PRICES, TUESDAY_NINE, counts

Hold = Callable[..., Consultation]
DAY, HOUR = ReminderKind.DAY, ReminderKind.HOUR
AROUND_THE_CLOCK = [Window(day, 0, 1440) for day in range(7)]


def book(hold: Hold, client: User, starts_at: datetime) -> Consultation:
    call = hold(starts_at=starts_at)
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client)
    call.refresh_from_db()
    return call


def states(call: Consultation) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for reminder in Reminder.objects.filter(consultation=call):
        found.setdefault(reminder.kind, set()).add(reminder.status)
    return found


@pytest.fixture
def always_open(open_builder: Builder) -> Builder:
    set_availability(
        open_builder.pk, actor=open_builder.user, enabled=True, prices=PRICES, windows=AROUND_THE_CLOCK, terms=Terms("Asia/Kolkata", 0, 60, 0)
    )
    return open_builder


def test_both_people_get_both(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    planned = Reminder.objects.filter(consultation=scheduled).values_list("recipient", "kind", "due_at", "status")
    assert set(planned) == {
        (person.pk, kind, TUESDAY_NINE - timedelta(hours=hours), "due")
        for person in (client_user, builder_user)
        for kind, hours in ((DAY, 24), (HOUR, 1))
    }
    with clock.at(TUESDAY_NINE - timedelta(hours=24)):
        assert send_reminders() == 2
        assert send_reminders() == 0
    with clock.at(TUESDAY_NINE - timedelta(hours=1)):
        assert send_reminders() == 2
        assert send_reminders() == 0
    told = Notification.objects.filter(kind__startswith="call_reminder")
    assert {(n.user_id, n.kind) for n in told} == {
        (person.pk, kind) for person in (client_user, builder_user) for kind in ("call_reminder_24h", "call_reminder_1h")
    }
    assert states(scheduled) == {DAY: {"sent"}, HOUR: {"sent"}}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Amsterdam", (2027, 3, 28)),  # clocks went forward in the night
        ("America/New_York", (2027, 11, 7)),  # and back
        ("Australia/Lord_Howe", (2027, 4, 4)),  # by half an hour
    ],
)
def test_a_day_is_24_hours_whatever_the_clocks_do(always_open: Builder, hold: Hold, client_user: User, zone: str, day: tuple[int, int, int]) -> None:
    at = datetime(*day, 9, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    with clock.at(at - timedelta(days=3)):
        call = book(hold, client_user, at)
    assert set(Reminder.objects.filter(consultation=call).values_list("kind", "due_at")) == {
        (DAY, at - timedelta(seconds=86400)),
        (HOUR, at - timedelta(seconds=3600)),
    }


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(minutes=30), {DAY: {"skipped_late"}, HOUR: {"skipped_late"}}),
        (timedelta(hours=1), {DAY: {"skipped_late"}, HOUR: {"skipped_late"}}),
        (timedelta(hours=5), {DAY: {"skipped_late"}, HOUR: {"due"}}),
        (timedelta(hours=24), {DAY: {"skipped_late"}, HOUR: {"due"}}),
        (timedelta(hours=24, minutes=30), {DAY: {"due"}, HOUR: {"due"}}),
    ],
)
def test_what_is_past_at_booking_is_not_sent(
    always_open: Builder, hold: Hold, client_user: User, ahead: timedelta, expected: dict[str, set[str]]
) -> None:
    with clock.at(TUESDAY_NINE - ahead):
        call = book(hold, client_user, TUESDAY_NINE)
        assert states(call) == expected
        assert send_reminders() == 0
    assert not Notification.objects.filter(kind__startswith="call_reminder").exists()


def test_planning_again_changes_nothing(scheduled: Consultation) -> None:
    before = list(Reminder.objects.values_list("pk", "status", "due_at").order_by("pk"))
    plan_reminders(scheduled, clock.now())
    assert list(Reminder.objects.values_list("pk", "status", "due_at").order_by("pk")) == before


@pytest.mark.parametrize(
    ("kind", "before_start", "told"),
    [
        (DAY, timedelta(hours=3, seconds=1), True),
        (DAY, timedelta(hours=3), False),
        (HOUR, timedelta(seconds=1), True),
        (HOUR, timedelta(0), False),
        (HOUR, timedelta(hours=-5), False),
    ],
)
def test_a_late_sweep_sends_what_is_still_worth_it(scheduled: Consultation, kind: str, before_start: timedelta, told: bool) -> None:
    with clock.at(scheduled.scheduled_at - before_start):
        send_reminders()
    assert states(scheduled)[kind] == ({"sent"} if told else {"skipped_late"})
    assert Notification.objects.filter(kind=f"call_reminder_{kind}").count() == (2 if told else 0)


def test_a_cancelled_call_reminds_nobody(scheduled: Consultation, client_user: User) -> None:
    cancel_call(scheduled.pk, actor=client_user)
    with clock.at(scheduled.scheduled_at - timedelta(minutes=30)):
        assert send_reminders() == 4
    assert states(scheduled) == {DAY: {"skipped_gone"}, HOUR: {"skipped_gone"}}
    assert not Notification.objects.filter(kind__startswith="call_reminder").exists()


def test_a_moved_call_reminds_of_its_new_time_only(scheduled: Consultation) -> None:
    old, moment = scheduled, clock.now()
    later = old.scheduled_at + timedelta(days=1)
    old.move_to("rescheduled", rescheduled_at=moment)
    new = Consultation.objects.get(pk=old.pk)
    new.pk = new.client_key = uuid4()
    new.status, new.rescheduled_at, new.rescheduled_from, new.move_count = "scheduled", None, old, 1
    new.scheduled_at, new.ends_at = later, later + timedelta(minutes=old.duration)
    new.save(force_insert=True)
    plan_reminders(new, moment)
    with clock.at(old.scheduled_at):
        send_reminders()
    assert states(old) == {DAY: {"skipped_gone"}, HOUR: {"skipped_gone"}}
    assert states(new) == {DAY: {"sent"}, HOUR: {"due"}}
    assert {n.context["consultation"] for n in Notification.objects.filter(kind="call_reminder_24h")} == {str(new.pk)}


def test_a_reminder_that_is_settled_or_not_due_is_refused(scheduled: Consultation) -> None:
    reminder = Reminder.objects.filter(consultation=scheduled, kind=HOUR).first()
    assert reminder is not None
    before = counts()
    with pytest.raises(WrongState):
        send_reminder(reminder.pk)
    assert counts() == before
    with clock.at(reminder.due_at):
        send_reminder(reminder.pk)
        after = counts()
        with pytest.raises(WrongState):
            send_reminder(reminder.pk)
        assert counts() == after


def test_death_between_telling_and_marking_leaves_nothing_told(scheduled: Consultation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail hangs on the notification, and that is written with the mark or not at all."""
    original = Reminder.move_to

    def dies(self: Reminder, status: str, **stamps: object) -> None:
        raise MemoryError("the power goes")

    queued = OrmQ.objects.count()
    with clock.at(scheduled.scheduled_at - timedelta(hours=24)):
        monkeypatch.setattr(Reminder, "move_to", dies)
        assert send_reminders() == 0
        assert not Notification.objects.filter(kind__startswith="call_reminder").exists()
        assert (states(scheduled)[DAY], OrmQ.objects.count()) == ({"due"}, queued)
        monkeypatch.setattr(Reminder, "move_to", original)
        assert send_reminders() == 2
    assert Notification.objects.filter(kind="call_reminder_24h").count() == 2


def test_one_bad_row_stops_nobody(scheduled: Consultation, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    original = emails.reminder

    def spoiled(call: Consultation, reader: User, kind: ReminderKind) -> emails.Words:
        if reader.pk == client_user.pk:
            raise RuntimeError("no words")
        return original(call, reader, kind)

    monkeypatch.setattr(emails, "reminder", spoiled)
    monkeypatch.setattr("consultations.jobs.reminders.BATCH", 1)
    with clock.at(scheduled.scheduled_at - timedelta(hours=24)):
        assert send_reminders() == 1
    assert states(scheduled)[DAY] == {"due", "sent"}


def test_words_are_on_the_readers_clock(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    with clock.at(scheduled.scheduled_at - timedelta(hours=1)):
        send_reminders()
        told = {n.user_id: n for n in Notification.objects.filter(kind="call_reminder_1h")}
        assert told[client_user.pk].title == "Soon: your call with Anaya, Tue 24 Nov, 04:30 (Amsterdam)"
        assert told[builder_user.pk].title == "Soon: your call with Jonas, Tue 24 Nov, 09:00 (Kolkata)"
        letter = mails.compose(Delivery.objects.get(notification=told[client_user.pk], channel="email"))
    for address in ("/join/", "/move/", "/#cancel"):
        assert f"/calls/{scheduled.pk}{address}" in letter.text
        assert letter.html is not None
        assert f"/calls/{scheduled.pk}{address}" in letter.html


def test_a_text_message_goes_to_those_who_asked_even_at_night(scheduled: Consultation, client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(phone="+31 6 1234 5678")
    Preference.objects.create(user=client_user, group="calls", channel="sms", enabled=True)
    with clock.at(scheduled.scheduled_at - timedelta(hours=1)) as moment:  # 03:30 in Amsterdam
        send_reminders()
        sms = Delivery.objects.get(channel="sms")
    assert (sms.notification.kind, sms.due_at) == ("call_reminder_1h", moment)
    assert sms.notification.user == client_user


def test_a_mail_that_waited_too_long_is_dropped(scheduled: Consultation, client_user: User) -> None:
    with clock.at(scheduled.scheduled_at - timedelta(hours=1)):
        send_reminders()
    delivery = Delivery.objects.filter(notification__kind="call_reminder_1h", notification__user=client_user).get()
    with clock.at(scheduled.scheduled_at + timedelta(minutes=1)):
        assert notifications._claim.__wrapped__(delivery.pk) is None  # type: ignore[attr-defined]  # without its durable transaction
    delivery.refresh_from_db()
    assert delivery.status == "skipped"


def test_a_sweep_that_comes_late_rings_a_bell(scheduled: Consultation, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def is_late() -> bool:
        return "reminders of calls" in client.get("/readyz").json()["late"]

    jobs.heartbeat()
    with clock.at(scheduled.scheduled_at - timedelta(hours=24) + timedelta(minutes=2, seconds=-1)):
        assert not is_late()
    with clock.at(scheduled.scheduled_at - timedelta(hours=24) + timedelta(minutes=2, seconds=1)), caplog.at_level(logging.ERROR):
        jobs.heartbeat()
        assert is_late()
        send_reminders()
        assert not is_late()
    assert "reminders of calls are late" in caplog.text
