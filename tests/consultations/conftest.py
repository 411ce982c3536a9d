"""A builder who takes calls, on a Monday morning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from auditlog.models import AuditLog
from consultations.actions import hold_slot, set_availability
from consultations.actions.availability import Terms
from consultations.models import Consultation, SlotClaim
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import EscrowOperation, Invoice, JournalEntry, Refund

MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # 08:30 in Kolkata
TUESDAY_NINE = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)  # 09:00 in Kolkata, 04:30 in Amsterdam
PRICES = {15: Decimal("35.00"), 30: Decimal("60.00"), 60: Decimal("110.00")}
WEEKDAYS = [Window(day, 9 * 60, 17 * 60) for day in range(5)]
TERMS = Terms("Asia/Kolkata", 4, 60, 0)


@pytest.fixture(autouse=True)
def monday() -> Iterator[datetime]:
    with clock.at(MONDAY) as moment:
        yield moment


@pytest.fixture
def open_builder(builder: Builder) -> Builder:
    set_availability(builder.pk, actor=builder.user, enabled=True, prices=PRICES, windows=WEEKDAYS, terms=TERMS)
    Builder.objects.filter(pk=builder.pk).update(meeting_url="https://meet.example/anaya")
    builder.refresh_from_db()
    return builder


@pytest.fixture
def hold(open_builder: Builder, client_user: User) -> Callable[..., Consultation]:
    """Hold Tuesday 09:00 for 30 minutes, unless told otherwise."""

    def act(actor: User = client_user, **changes: Any) -> Consultation:
        wish: dict[str, Any] = {
            "minutes": 30,
            "starts_at": TUESDAY_NINE,
            "client_zone": "Europe/Amsterdam",
            "notes": "The order list is slow.",
            "client_key": uuid4(),
        }
        return hold_slot(changes.pop("builder", open_builder).pk, actor=actor, **(wish | changes))

    return act


@pytest.fixture
def scheduled(hold: Callable[..., Consultation], client_user: User) -> Consultation:
    call = hold()
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client_user)
    call.refresh_from_db()
    return call


@pytest.fixture
def after_start(scheduled: Consultation) -> Iterator[Consultation]:
    with clock.at(scheduled.scheduled_at + timedelta(minutes=40)):
        yield scheduled


def counts() -> tuple[int, ...]:
    """What a refusal must leave as it is."""
    models: list[Any] = [Consultation, SlotClaim, Invoice, JournalEntry, Refund, EscrowOperation, Message, Notification, OrmQ, AuditLog]
    return tuple(model.objects.count() for model in models)


def free_time(call: Consultation) -> datetime:
    """The end of the free time of a call that has one."""
    assert call.free_until is not None
    return call.free_until
