"""Run inside the site by `manage.py shell`: people for the fault tests, and a booking up to the press on "Approve"."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from uuid import uuid5
from zoneinfo import ZoneInfo

from consultations import queries as times
from consultations.actions import connect_calendar, hold_slot
from consultations.calendars import Calendar, Connection
from consultations.models import Consultation, LinkedCalendar
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.demo import cast
from port444.demo.cast import Buyer
from port444.demo.people import People
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.jobs import enqueue
from port444.payments.actions import answer_wallet, reach_provider, start_payment
from port444.payments.providers.sandbox import Decision


def noon_zone() -> str:
    """A zone in which it is about noon, so that nobody's quiet hours hold a mail."""
    ahead = 12 - now().astimezone(ZoneInfo("UTC")).hour
    return f"Etc/GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}" if ahead else "Etc/GMT"


def prepare(calendar: str) -> None:
    """A builder who takes calls, and whose Google account stands in `calendar`, a Connection as JSON."""
    seller = cast.SELLERS[0]
    builder = People(now() - timedelta(minutes=1)).seller(seller, 30)
    builder.user.time_zone = noon_zone()
    builder.user.save(update_fields=["time_zone"])
    facts = json.loads(calendar)
    found = Connection(facts["account"], facts["credentials"], [Calendar(**each) for each in facts["calendars"]])
    connect_calendar(builder.pk, actor=builder.user, provider="google", connection=found)


def newcomer(name: str) -> User:
    """The client of that name, who is new the first time."""
    address = f"{name.lower()}@fault.example"
    known = User.objects.filter(email=address).first()
    return known or People(now()).buyer(Buyer(name, noon_zone(), address), 0)


def approve(client: User) -> None:
    """A client books a free time more than a day ahead and approves the payment in the test wallet; the rest is the worker's.

    The same client again does what somebody does whose press seemed to be lost: it goes on with the time that is held, and with
    the payment that has begun.
    """
    moment = now()
    builder = times.for_booking().get(pk=Builder.objects.get().pk)
    held = Consultation.objects.filter(client=client).first()
    starts = times.open_starts(builder, client_id=client.pk, minutes=30, moment=moment)
    start = held.scheduled_at if held else next(start for start in starts if start > moment + timedelta(hours=30))
    key = uuid5(client.pk, "call")  # of the form, which the browser sends again
    call = hold_slot(builder.pk, actor=client, minutes=30, starts_at=start, client_zone=client.time_zone, client_key=key)
    assert call.invoice is not None
    with suppress(Conflict):  # what a page says to a press that had arrived after all
        payment = reach_provider(start_payment(call.invoice.pk, actor=client).pk)
        answer_wallet(payment.pk, actor=client, decision=Decision.APPROVE)


def read_calendars() -> None:
    """Queue what a push would queue."""
    for pk in LinkedCalendar.objects.values_list("pk", flat=True):
        enqueue("consultations.jobs.sync_calendar", pk)
