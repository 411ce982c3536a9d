"""Several workers sweep the same reminders at once, and a call is cancelled under their hands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from consultations.actions import cancel_call
from consultations.jobs import send_reminders
from consultations.models import Consultation, Reminder
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import at
from port444.notifications.models import Notification
from port444.payments.actions import pay_with_test_wallet

from .test_booking import book, crowd, rush, sell, tomorrow_noon

__all__ = ["crowd", "sell"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


@pytest.fixture
def calls(sell: Callable[[str], Builder], crowd: list[User]) -> list[Consultation]:
    """Ten people have a call with the same builder on one day."""
    builder, made = sell("busy"), []
    for number, client in enumerate(crowd[:10]):
        call = book(builder, client, tomorrow_noon() + timedelta(days=2, minutes=30 * number))()
        assert call.invoice_id is not None
        pay_with_test_wallet(call.invoice_id, actor=client)
        made.append(call)
    return made


def sweeper(moment: datetime) -> Callable[[], object]:
    def sweep() -> int:
        with at(moment):
            return send_reminders()

    return sweep


def test_each_is_told_once_whoever_sweeps(calls: list[Consultation]) -> None:
    moment = calls[-1].scheduled_at - timedelta(hours=24)
    assert rush([sweeper(moment)] * WORKERS) == ["won"] * WORKERS
    sweeper(moment)()  # what two workers have passed over for each other's sake
    assert Counter(Reminder.objects.filter(kind="24h").values_list("status", flat=True)) == {"sent": 20}
    told = Counter(Notification.objects.filter(kind="call_reminder_24h").values_list("user_id", "context__consultation"))
    assert (len(told), set(told.values())) == (20, {1})


def test_a_call_that_is_cancelled_meanwhile_is_told_before_or_not_at_all(calls: list[Consultation]) -> None:
    moment = calls[-1].scheduled_at - timedelta(hours=24)

    def cancel(call: Consultation) -> Callable[[], object]:
        def act() -> object:
            with at(moment):
                return cancel_call(call.pk, actor=call.builder.user)

        return act

    assert set(rush([sweeper(moment)] * WORKERS + [cancel(call) for call in calls])) == {"won"}
    sweeper(moment)()
    assert not Reminder.objects.due(moment).exists()
    sent = Reminder.objects.filter(status="sent").values_list("consultation__cancelled_at", "settled_at")
    assert Notification.objects.filter(kind="call_reminder_24h").count() == len(sent)
