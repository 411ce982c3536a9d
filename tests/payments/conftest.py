"""A tiny purpose to pay for, as orders and calls are: its rows live in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django_q.models import OrmQ

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock, money
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import BPS, fee
from port444.payments import actions, escrow, handlers, ledger
from port444.payments.actions import Grant, Line, issue_credit, open_invoice
from port444.payments.bank import read_account
from port444.payments.credits import Wish
from port444.payments.escrow import Deal, Lent
from port444.payments.models import Credit, CreditSource, EscrowOperation, EscrowStatus, Invoice, Payment

FAR = datetime(2027, 12, 31, tzinfo=UTC)  # when the escrow of a test deal expires
PURPOSE = "test"
BUILDER_FEE = 1000


@pytest.fixture(autouse=True)
def read_at_once(detectors_have_read: None) -> None:
    """That withdrawals wait for the detectors is held by tests/support/test_unread_withdrawals.py."""


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


@pytest.fixture
def give(client_user: User, builder: Builder) -> Callable[..., Credit]:
    def act(amount: str = "60.00", source: CreditSource = CreditSource.CONSULTATION, **more: Any) -> Credit:
        options = {"builder_id": builder.pk} | more
        return issue_credit(client_user, Grant(Decimal(amount), source, "call with Anaya", **options), actor=None)

    return act


@pytest.fixture
def buy(shop: dict[Any, Thing], client_user: User, builder: Builder) -> Callable[..., tuple[Thing, Invoice]]:
    """Open an invoice that credits may pay; it goes into escrow with what they lent."""

    def settled(thing: Thing, invoice: Invoice, payment: Payment | None) -> None:
        lent = Lent(invoice.prepaid, invoice.credit - invoice.prepaid)
        escrow.current().open(thing.deal, invoice.subtotal, BUILDER_FEE, f"{thing.id}:open", expiry=FAR, lent=lent)

    handlers.register(PURPOSE, lock=lambda pk: shop[pk], settled=settled, unpaid=lambda *row: None)

    def act(price: str = "200.00", service_fee: str = "11.00", *, most_prepaid: Decimal | None = None) -> tuple[Thing, Invoice]:
        thing = Thing(uuid7(), client_user.pk, builder.user_id)
        shop[thing.id] = thing
        earns = fee(Decimal(price), BPS - BUILDER_FEE) if most_prepaid is None else most_prepaid
        lines = [Line("Work", Decimal(price))] + ([Line("Service fee", Decimal(service_fee), is_fee=True)] if Decimal(service_fee) else [])
        invoice = open_invoice(
            purpose=PURPOSE,
            subject_id=thing.id,
            deal_id=thing.id,
            payer=client_user,
            payee=builder.user,
            lines=lines,
            return_url="/",
            expires_at=clock.now() + timedelta(minutes=60),
            actor=client_user,
            wish=Wish(builder.pk, None, Decimal(price), earns),
        )
        return thing, invoice

    return act


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


ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
IBAN = "DE89370400440532013000"


def earn(builder: User, amount: str, *, bps: int = 0, prepaid: str = "0.00", status: str = EscrowStatus.CONFIRMED, address: str = "") -> Decimal:
    """A release of `amount` now, as escrow books it; what of it is the builder's."""
    moment, price, lent = now(), Decimal(amount), Decimal(prepaid)
    net = price - money.fee(price, bps) - lent
    facts = {"purpose": PURPOSE, "subject_id": uuid7(), "client_id": uuid7(), "builder_id": builder.pk, "fee_bps": bps, "applied_at": moment}
    facts |= {"amount": price, "prepaid": lent, "address": address, "backend": "web3" if address else "ledger"}
    EscrowOperation.objects.create(op_id=f"open:{facts['subject_id']}", kind="open", status=EscrowStatus.CONFIRMED, confirmed_at=moment, **facts)
    confirmed = moment if status == EscrowStatus.CONFIRMED else None
    EscrowOperation.objects.create(op_id=f"release:{facts['subject_id']}", kind="release", status=status, confirmed_at=confirmed, **facts)
    ledger.post(f"escrow:{facts['subject_id']}", "Released", [(ledger.EXTERNAL, -net), (ledger.earnings(builder.pk), net)])
    return net


@pytest.fixture
def rich(builder_user: User) -> User:
    """A builder with 100.00 that has cleared, a wallet and a bank account."""
    earn(builder_user, "100.00")
    actions.change_payout_address(ADDRESS, actor=builder_user)
    actions.change_bank_account(read_account(holder="Anaya Krishnan", iban=IBAN), actor=builder_user)
    OrmQ.objects.all().delete()
    return builder_user
