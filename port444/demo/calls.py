"""Calls of the demo: each is a scene, from booking it to how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from consultations import actions as calls
from consultations import queries as times
from consultations.models import Consultation, Reminder, ReminderStatus
from port444.accounts.models import User
from port444.builders.models import LENGTHS, Builder
from port444.kit.ids import uuid7
from port444.payments.actions import pay_with_test_wallet

from .money import send_refunds
from .stage import DAY, HOUR, Stage, Steps

type Ending = Callable[[Consultation, datetime], Steps[object]]


def scenes(stages: Iterator[Stage], sellers: Sequence[Builder], buyers: Sequence[User]) -> Iterator[Steps[object]]:
    takers = list(Builder.objects.filter(pk__in=[seller.pk for seller in sellers], consultation_enabled=True).select_related("user").order_by("pk"))
    for number, (days, ending) in enumerate(ENDINGS):
        builder = takers[0] if number % 2 == 0 else takers[number % len(takers)]
        client = buyers[0] if number % 3 == 0 else buyers[number % len(buyers)]
        yield call(next(stages), client, builder, LENGTHS[number % 3], days, ending)
    # What calls can come to, between the demo client and the demo builder; the other two ends are better seen with others.
    yield call(next(stages), buyers[0], takers[1], LENGTHS[1], -11, no_show)
    yield call(next(stages), buyers[1], takers[0], LENGTHS[1], -3, disputed)
    yield call(next(stages), buyers[0], takers[0], LENGTHS[1], 7, moved)
    yield call(next(stages), buyers[0], takers[0], LENGTHS[1], 9, proposed)


def call(stage: Stage, client: User, builder: Builder, minutes: int, days_from_now: int, ending: Ending) -> Steps[None]:
    """Book a call that lies `days_from_now` away (negative: it was) and play how it ended. Without a free time there is none."""
    wanted = stage.today + days_from_now * DAY
    booked = wanted - 2 * DAY if days_from_now < 0 else stage.today - stage.minutes(60, 600)
    yield booked
    reader = times.for_booking().get(pk=builder.pk)
    starts = [start for start in times.open_starts(reader, client_id=client.pk, minutes=minutes, moment=booked) if start >= wanted]
    if not starts or (days_from_now < 0 and starts[0] > stage.today - HOUR):
        return
    made = calls.hold_slot(
        builder.pk,
        actor=client,
        minutes=minutes,
        starts_at=starts[0],
        client_zone=client.time_zone,
        notes="I would like to go through one slow report with you. I can share my screen.",
        client_key=uuid7(),
    )
    yield from ending(made, booked)


def held(call: Consultation, booked: datetime) -> Steps[None]:
    """Not paid yet."""
    yield from ()


def paid(call: Consultation, booked: datetime) -> Steps[datetime]:
    """Paid, and booked with that; gives the moment from which the scene goes on."""
    assert call.invoice is not None
    yield booked + timedelta(minutes=3)
    pay_with_test_wallet(call.invoice.pk, actor=call.client)
    return booked + HOUR


def completed(call: Consultation, booked: datetime) -> Steps[None]:
    yield from reminded(call, booked)
    yield call.ends_at + timedelta(minutes=10)
    calls.complete_call(call.pk, actor=call.builder.user, notes="We found the cause: two indexes are missing. Details in our messages.")


def cancelled(call: Consultation, booked: datetime) -> Steps[None]:
    yield (yield from paid(call, booked))
    calls.cancel_call(call.pk, actor=call.client, reason="I found the answer myself.")
    send_refunds(call)


def moved(call: Consultation, booked: datetime) -> Steps[None]:
    moment = yield from paid(call, booked)
    yield moment
    calls.move_call(call.pk, actor=call.client, starts_at=later(call, moment))


def proposed(call: Consultation, booked: datetime) -> Steps[None]:
    """The builder asks for another time, and the client has not answered."""
    moment = yield from paid(call, booked)
    yield moment
    note = "A customer needs me that afternoon. Would this suit you as well?"
    calls.propose_move(call.pk, actor=call.builder.user, starts_at=later(call, moment), note=note)


def no_show(call: Consultation, booked: datetime) -> Steps[None]:
    """The builder did not come, and says so."""
    yield from reminded(call, booked)
    yield call.scheduled_at + timedelta(minutes=15)
    calls.report_absence(call.pk, actor=call.client, note="I waited for a quarter of an hour.")
    yield call.ends_at + 2 * HOUR
    calls.admit_absence(call.pk, actor=call.builder.user)
    send_refunds(call)


def disputed(call: Consultation, booked: datetime) -> Steps[None]:
    """Each side says something else, and staff has to decide."""
    yield from reminded(call, booked)
    yield call.scheduled_at + timedelta(minutes=20)
    calls.report_absence(call.pk, actor=call.client, note="Nobody was in the room.")
    yield call.ends_at + HOUR
    calls.dispute_absence(call.pk, actor=call.builder.user, note="I was there from the first minute, alone.")


def reminded(call: Consultation, booked: datetime) -> Steps[None]:
    """Paid, and both were reminded in time, as the sweep would have done."""
    yield from paid(call, booked)
    due = Reminder.objects.filter(consultation=call, status=ReminderStatus.DUE).order_by("due_at")
    for pk, due_at in due.values_list("pk", "due_at"):
        yield due_at
        calls.send_reminder(pk)


def later(call: Consultation, moment: datetime) -> datetime:
    """A free start on another day after the call."""
    reader = times.for_booking().get(pk=call.builder_id)
    starts = times.open_starts(reader, client_id=call.client_id, minutes=call.duration, moment=moment, ignoring=call.pk)
    return next(start for start in starts if start >= call.scheduled_at + DAY)


ENDINGS: tuple[tuple[int, Ending], ...] = (
    (-30, completed),
    (-21, completed),
    (-14, completed),
    (-9, completed),
    (2, paid),
    (3, paid),
    (4, paid),
    (6, paid),
    (8, cancelled),
    (5, held),
)
