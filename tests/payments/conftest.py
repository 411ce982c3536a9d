"""A tiny purpose to pay for, as orders and calls are: its rows live in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments import actions, escrow, handlers
from port444.payments.actions import Line
from port444.payments.escrow import Deal
from port444.payments.models import Invoice, Payment

FAR = datetime(2027, 12, 31, tzinfo=UTC)  # when the escrow of a test deal expires
PURPOSE = "test"


@dataclass
class Thing:
    """What is sold: it remembers what payments told it."""

    id: UUID
    client_id: UUID
    builder_id: UUID
    told: list[str] = field(default_factory=list)

    @property
    def deal(self) -> Deal:
        return Deal(PURPOSE, self.id, self.client_id, self.builder_id)


@pytest.fixture
def shop() -> Iterator[dict[UUID, Thing]]:
    """The purpose "test": a settled thing goes into escrow at 10 %."""
    things: dict[UUID, Thing] = {}

    def settled(thing: Thing, invoice: Invoice, payment: Payment | None) -> None:
        thing.told.append(f"settled {invoice.number}")
        escrow.current().open(thing.deal, invoice.subtotal, 1000, f"{PURPOSE}:{thing.id}:open", expiry=FAR)

    def unpaid(thing: Thing, invoice: Invoice) -> None:
        thing.told.append("unpaid")

    handlers.register(PURPOSE, lock=lambda pk: things[pk], settled=settled, unpaid=unpaid)
    yield things
    handlers._handlers.pop(PURPOSE)


Bill = Callable[..., tuple[Thing, Invoice]]


@pytest.fixture
def bill(shop: dict[UUID, Thing], client_user: User, builder_user: User) -> Bill:
    """Open an invoice over 100.00 and a fee of 5.50."""

    def open_one(expires_at: datetime | None = None, price: Decimal = Decimal("100.00"), fee: Decimal = Decimal("5.50")) -> tuple[Thing, Invoice]:
        thing = Thing(uuid7(), client_user.pk, builder_user.pk)
        shop[thing.id] = thing
        invoice = actions.open_invoice(
            purpose=PURPOSE,
            subject_id=thing.id,
            deal_id=thing.id,
            payer=client_user,
            payee=builder_user,
            lines=[Line("Five slow Django pages", price), Line("Service fee, 5.5%", fee, is_fee=True)],
            return_url="/bought/",
            expires_at=expires_at or now() + timedelta(minutes=15),
            actor=client_user,
        )
        return thing, invoice

    return open_one


@pytest.fixture
def paid(bill: Bill, client_user: User) -> Callable[[], tuple[Thing, Invoice, Payment]]:
    """An invoice that has been paid with the test wallet."""

    def pay(**options: Any) -> tuple[Thing, Invoice, Payment]:
        thing, invoice = bill(**options)
        invoice = actions.pay_with_test_wallet(invoice.pk, actor=client_user)
        return thing, invoice, Payment.objects.get(invoice=invoice)

    return pay
