"""Credits: taken once, lent whole, given back to the cent."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Invalid, WrongState
from port444.kit.ids import uuid7
from port444.kit.money import fee
from port444.payments import escrow, ledger
from port444.payments.actions import (
    Grant,
    issue_credit,
    pay_with_test_wallet,
    request_refund,
    settle_covered,
    void_credit,
    void_invoice,
)
from port444.payments.escrow import Deal
from port444.payments.models import (
    AccountKind,
    Credit,
    CreditEntry,
    CreditScope,
    CreditSource,
    CreditUse,
    EscrowOperation,
    JournalEntry,
    Payment,
)

from .conftest import BUILDER_FEE, PURPOSE

pytestmark = pytest.mark.django_db

D, NONE = Decimal, Decimal(0)


def balance(kind: AccountKind, owner: Any = None) -> Decimal:
    return ledger.balance(kind, owner)


def remaining(credit: Credit) -> Decimal:
    credit.refresh_from_db()
    return Decimal(credit.remaining)


def test_a_credit_is_reserved_lent_and_earned_back(give: Any, buy: Any, client_user: User, builder_user: User) -> None:
    credit = give()
    thing, invoice = buy()
    assert (invoice.subtotal, invoice.credit, invoice.prepaid, invoice.fee, invoice.total) == (D(200), D(60), D(60), D(11), D(151))
    assert [(line.description, line.amount) for line in invoice.lines.all()][-1] == ("Credit: call with Anaya", D("-60.00"))
    assert remaining(credit) == NONE
    assert balance(AccountKind.CREDITS) == 0  # reserved, not lent
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert Payment.objects.get().amount == D(151)
    assert (balance(AccountKind.CREDITS), escrow.current().position(thing.deal).locked) == (D(-60), D(200))
    escrow.current().release(thing.deal, D(200), f"{thing.id}:release")
    assert (balance(AccountKind.CREDITS), balance(AccountKind.EARNINGS, builder_user.pk)) == (NONE, D(120))
    assert balance(AccountKind.FEES) == D(31)
    assert CreditUse.objects.get().returned == 0


def test_what_is_undone_gives_the_credit_back_once(give: Any, buy: Any, client_user: User) -> None:
    credit = give(expires_at=clock.now() + timedelta(days=60))
    ends = credit.expires_at
    thing, invoice = buy()
    pay_with_test_wallet(invoice.pk, actor=client_user)
    for _ in range(2):
        escrow.current().refund(thing.deal, D(200), f"{thing.id}:refund")
    assert (balance(AccountKind.CREDITS), balance(AccountKind.CLIENT, client_user.pk)) == (NONE, D(140))
    assert (remaining(credit), credit.expires_at, CreditUse.objects.get().returned) == (D(60), ends, D(60))
    request_refund(Payment.objects.get(), D(151), reason="x", dedupe_key="x", actor=None, fee=D(11))
    assert balance(AccountKind.CLIENT, client_user.pk) == 0


def test_a_void_invoice_gives_the_credit_back_once(give: Any, buy: Any) -> None:
    credit = give()
    _, invoice = buy()
    for _ in range(2):
        void_invoice(invoice.pk)
        assert remaining(credit) == D(60)


def test_no_more_than_the_builder_earns_is_taken_from_a_call(give: Any, buy: Any, client_user: User, builder_user: User) -> None:
    credit = give("110.00")
    thing, invoice = buy("60.00", "3.30")
    assert (invoice.credit, invoice.total, remaining(credit)) == (D(54), D("9.30"), D(56))
    pay_with_test_wallet(invoice.pk, actor=client_user)
    escrow.current().release(thing.deal, D(60), f"{thing.id}:release")
    assert (balance(AccountKind.EARNINGS, builder_user.pk), balance(AccountKind.CREDITS)) == (NONE, NONE)


def test_a_gift_may_pay_everything_and_is_paid_by_the_platform(give: Any, buy: Any, client_user: User, builder_user: User) -> None:
    credit = give("300.00", CreditSource.PROMO, builder_id=None)
    thing, invoice = buy("200.00", "0.00")
    assert (invoice.total, remaining(credit)) == (NONE, D(100))
    settle_covered(invoice.pk)
    settle_covered(invoice.pk)
    assert not Payment.objects.exists()
    escrow.current().release(thing.deal, D(200), f"{thing.id}:release")
    assert (balance(AccountKind.EARNINGS, builder_user.pk), balance(AccountKind.CREDITS)) == (D(180), D(-200))


def test_a_covered_order_that_is_undone(give: Any, buy: Any, client_user: User) -> None:
    credit = give("300.00", CreditSource.ADMIN, builder_id=None)
    thing, invoice = buy("200.00", "0.00")
    settle_covered(invoice.pk)
    escrow.current().refund(thing.deal, D(200), f"{thing.id}:refund")
    assert (remaining(credit), balance(AccountKind.CREDITS), balance(AccountKind.CLIENT, client_user.pk)) == (D(300), NONE, NONE)


def test_what_is_left_to_pay_is_not_settled_for_nothing(give: Any, buy: Any) -> None:
    give()
    _, invoice = buy()
    with pytest.raises(WrongState):
        settle_covered(invoice.pk)
    assert not JournalEntry.objects.exists()


def test_credits_that_end_first_are_taken_first(give: Any, buy: Any) -> None:
    moment = clock.now()
    late = give("50.00", CreditSource.PROMO, expires_at=moment + timedelta(days=9))
    never = give("50.00", CreditSource.PROMO)
    soon = give("50.00", CreditSource.PROMO, expires_at=moment + timedelta(days=1))
    buy("80.00", "4.40")
    assert (remaining(soon), remaining(late), remaining(never)) == (NONE, D(20), D(50))


def test_what_has_ended_or_is_for_others_is_not_taken(give: Any, buy: Any, stranger: User, client_user: User) -> None:
    other = Builder.objects.create(user=stranger, slug="sam", headline="Somebody else")
    give(builder_id=other.pk)
    issue_credit(stranger, Grant(D(60), CreditSource.PROMO, "not yours"), actor=None)
    give(expires_at=clock.now() + timedelta(seconds=1))
    with clock.at(clock.now() + timedelta(seconds=2)):
        _, invoice = buy()
    assert (invoice.credit, CreditUse.objects.exists()) == (NONE, False)


def test_a_document_gives_one_credit(give: Any, bill: Any) -> None:
    _, invoice = bill()
    assert give(source_invoice=invoice).pk == give(source_invoice=invoice).pk
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(
            user=invoice.payer, label="x", amount=D(1), remaining=D(1), source="promo", applicable_to=CreditScope.ALL, source_invoice=invoice
        )


@pytest.mark.parametrize(("step", "amount"), [("voided", "60.01"), ("expired", "99.00"), ("issued", "0.01")])
def test_the_database_keeps_a_credit_within_its_amount(give: Any, step: str, amount: str) -> None:
    credit = give()
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditEntry.objects.create(credit=credit, step=step, amount=D(amount), key="x")


@pytest.mark.parametrize("changed", [{"remaining": D(1)}, {"amount": D(99)}, {"expires_at": None}, {"applicable_to": "all"}])
def test_a_credit_is_changed_by_its_entries_alone(give: Any, changed: dict[str, Any]) -> None:
    credit = give()
    with pytest.raises(ProgrammingError), transaction.atomic():
        Credit.objects.filter(pk=credit.pk).update(**changed)
    for act in (credit.entries.all().delete, lambda: credit.entries.update(amount=D(1))):
        with pytest.raises(ProgrammingError), transaction.atomic():
            act()


def test_a_bad_grant_is_refused(give: Any, builder: Builder) -> None:
    for bad in ({"amount": "0.00"}, {"expires_at": clock.now()}, {"category_id": uuid7()}):
        with pytest.raises(Invalid):
            give(**bad)
    assert not Credit.objects.exists()


@pytest.mark.parametrize(("used", "left"), [(False, D(0)), (True, D(0))])
def test_paying_the_source_back_withdraws_what_is_not_used(give: Any, buy: Any, bill: Any, client_user: User, used: bool, left: Decimal) -> None:
    _, source = bill()
    pay_with_test_wallet(source.pk, actor=client_user)
    credit = give("100.00", source_invoice=source)
    invoice = buy("50.00", "2.75")[1] if used else None
    escrow.current().refund(Deal(PURPOSE, source.subject_id, client_user.pk, source.payee_id), D(100), "back")
    request_refund(Payment.objects.get(invoice=source), D(105.5), reason="x", dedupe_key="x", actor=None, fee=D("5.50"))
    assert remaining(credit) == left
    assert credit.withdrawn_at is not None
    if invoice is not None:  # what was used is not filled up again either
        void_invoice(invoice.pk)
        assert remaining(credit) == NONE


@pytest.mark.parametrize("seed", range(12))
def test_in_pieces_everything_goes_back_to_the_cent(seed: int, give: Any, buy: Any, client_user: User, builder_user: User) -> None:
    """Any prices, any credits, released and refunded in any pieces: the platform has lent nothing in the end but gifts that were used."""
    chance = random.Random(seed)
    cents = D("0.01")
    for number in range(4):
        price = chance.randint(2, 30000) * cents
        call = give(str(chance.randint(1, 30000) * cents))
        gift = give(str(chance.randint(1, 9000) * cents), CreditSource.PROMO) if chance.random() < 0.5 else None
        before = balance(AccountKind.CREDITS), balance(AccountKind.EARNINGS, builder_user.pk)
        thing, invoice = buy(str(price), "0.37")
        pay_with_test_wallet(invoice.pk, actor=client_user)
        locked, released, step = price, D(0), 0
        while locked:
            piece = min(locked, chance.randint(1, max(1, int(price / cents))) * cents)
            if chance.random() < 0.5:
                escrow.current().release(thing.deal, piece, f"{thing.id}:{step}")
                released += piece
            else:
                escrow.current().refund(thing.deal, piece, f"{thing.id}:{step}")
            locked, step = locked - piece, step + 1
        done = list(EscrowOperation.objects.filter(subject_id=thing.id).exclude(kind="open"))
        assert sum(o.prepaid for o in done) == invoice.prepaid, number
        assert sum(o.gift for o in done) == invoice.credit - invoice.prepaid
        spent = sum(o.gift for o in done if o.kind == "release")
        assert balance(AccountKind.CREDITS) == before[0] - spent
        kept = sum((o.amount - fee(o.amount, BUILDER_FEE) - o.prepaid for o in done if o.kind == "release"), D(0))
        assert balance(AccountKind.EARNINGS, builder_user.pk) == before[1] + kept
        assert all(o.prepaid <= o.amount - fee(o.amount, BUILDER_FEE) for o in done if o.kind == "release")
        back = D(invoice.total - invoice.fee) - sum(o.amount - o.prepaid - o.gift for o in done if o.kind == "release")
        assert back >= 0
        for credit in filter(None, (call, gift)):  # out of the way of the next one
            credit.refresh_from_db()
            if credit.remaining:
                void_credit(credit.pk, actor=builder_user, told="Out of the way.")
