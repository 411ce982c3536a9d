"""The life of a credit step by step: what was given of it is at each moment left, held, spent, expired or taken back."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import credits, escrow, jobs
from port444.payments.actions import Grant, expire_credit, issue_credit, pay_with_test_wallet, void_credit, void_invoice
from port444.payments.credits import Wish, plan
from port444.payments.models import Credit, CreditEntry, CreditSource, CreditStep, CreditUse

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)


def steps(credit: Credit) -> list[tuple[str, Decimal]]:
    return list(credit.entries.values_list("step", "amount"))


def left(credit: Credit) -> Decimal:
    credit.refresh_from_db()
    return Decimal(credit.remaining)


def test_each_step_is_written_down(give: Any, buy: Any, client_user: User) -> None:
    credit = give()
    assert steps(credit) == [("issued", D(60))]
    thing, invoice = buy()
    assert steps(credit)[1:] == [("held", D(60))]
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert steps(credit)[2:] == [("spent", D(60))]
    escrow.current().refund(thing.deal, D(50), f"{thing.id}:a")
    escrow.current().refund(thing.deal, D(150), f"{thing.id}:b")
    assert steps(credit)[3:] == [("returned", D(15)), ("returned", D(45))]
    assert left(credit) == D(60)


def test_a_checkout_that_comes_to_nothing_ends_its_hold(give: Any, buy: Any) -> None:
    credit = give()
    _, invoice = buy()
    for _ in range(2):
        void_invoice(invoice.pk)
    assert steps(credit)[1:] == [("held", D(60)), ("freed", D(60))]


def test_what_ends_is_written_off_once(give: Any, client_user: User) -> None:
    credit = give(expires_at=clock.now() + DAY)
    other = give("5.00")
    assert (jobs.expire_credits(), expire_credit(credit.pk)) == (0, D(0))
    with clock.at(clock.now() + 2 * DAY):
        assert [jobs.expire_credits(), jobs.expire_credits()] == [1, 0]
    assert steps(credit)[1:] == [("expired", D(60))]
    assert (left(credit), left(other)) == (D(0), D(5))
    assert AuditLog.objects.filter(event_type="credit.expired", target_id=credit.pk, amount=D(60)).count() == 1


def test_nothing_that_has_ended_is_used_however_late_the_sweep_is(give: Any, buy: Any) -> None:
    credit = give(expires_at=clock.now() + DAY)
    with clock.at(clock.now() + 2 * DAY):
        _, invoice = buy()
    assert (invoice.credit, left(credit)) == (D(0), D(60))


@pytest.mark.parametrize("swept", [True, False])
def test_what_is_paid_back_after_its_end_lasts_two_weeks(give: Any, buy: Any, client_user: User, swept: bool) -> None:
    """Of the credit only what was paid with it comes back; what ended unused stays ended, whether the sweep came in time or not."""
    credit = give("100.00", CreditSource.PROMO, expires_at=clock.now() + DAY)
    thing, invoice = buy("60.00", "3.30")
    pay_with_test_wallet(invoice.pk, actor=client_user)
    later = clock.now() + 3 * DAY
    with clock.at(later):
        if swept:
            jobs.expire_credits()
        escrow.current().refund(thing.deal, D(60), f"{thing.id}:refund")
    assert sorted(steps(credit)[3:]) == [("expired", D(40)), ("extended", D(0)), ("returned", D(60))]
    assert (left(credit), credit.expires_at) == (D(60), later + 14 * DAY)
    with clock.at(later + 15 * DAY):
        assert jobs.expire_credits() == 1
    assert left(credit) == D(0)


def test_what_was_only_held_does_not_last_longer(give: Any, buy: Any) -> None:
    ends = clock.now() + DAY
    credit = give(expires_at=ends)
    _, invoice = buy()
    with clock.at(ends + DAY):
        void_invoice(invoice.pk)
        jobs.expire_credits()
    assert steps(credit)[2:] == [("freed", D(60)), ("expired", D(60))]
    assert (left(credit), credit.expires_at) == (D(0), ends)


def test_a_credit_is_taken_back_once_and_its_owner_is_told(give: Any, staff: User, client_user: User) -> None:
    credit = give()
    assert void_credit(credit.pk, actor=staff, told="It was given by mistake.") == D(60)
    assert (left(credit), steps(credit)[1:]) == (D(0), [("voided", D(60))])
    assert credit.withdrawn_at is not None
    assert Notification.objects.get(kind="credit.voided").user == client_user
    assert AuditLog.objects.filter(event_type="credit.voided", target_id=credit.pk, amount=D(60)).exists()
    with pytest.raises(WrongState):
        void_credit(credit.pk, actor=staff, told="Again.")
    assert (len(steps(credit)), Notification.objects.count()) == (2, 1)


def test_what_a_checkout_holds_is_not_taken_back_until_it_comes_back(give: Any, buy: Any, staff: User, client_user: User) -> None:
    credit = give("100.00")
    thing, invoice = buy("50.00", "2.75")
    void_credit(credit.pk, actor=staff, told="It was given by mistake.")
    pay_with_test_wallet(invoice.pk, actor=client_user)
    assert (CreditUse.objects.get().amount, left(credit)) == (D(45), D(0))
    escrow.current().refund(thing.deal, D(50), f"{thing.id}:refund")
    assert steps(credit)[2:] == [("voided", D(55)), ("spent", D(45)), ("returned", D(45)), ("voided", D(45))]
    assert left(credit) == D(0)


def test_what_has_ended_is_not_taken_back(give: Any, staff: User) -> None:
    credit = give(expires_at=clock.now() + DAY)
    with clock.at(clock.now() + 2 * DAY), pytest.raises(WrongState):
        void_credit(credit.pk, actor=staff, told="Too late.")
    assert (left(credit), len(steps(credit)), Notification.objects.exists()) == (D(60), 1, False)


# What the database refuses


def test_no_credit_without_the_entry_that_gave_it(give: Any, client_user: User) -> None:

    def act() -> None:
        with transaction.atomic():
            Credit.objects.create(user=client_user, label="x", amount=D(5), remaining=D(5), source="promo")
            connection.check_constraints()

    with pytest.raises(IntegrityError, match="no entry that gave it"):
        act()


def test_no_use_without_its_hold(give: Any, buy: Any) -> None:
    credit, (_, invoice) = give(), buy()
    other = give("7.00")

    def act() -> None:
        with transaction.atomic():
            CreditUse.objects.create(credit=other, invoice=invoice, amount=D(7))
            connection.check_constraints()

    with pytest.raises(IntegrityError, match="do not add up"):
        act()
    assert left(credit) == D(0)


@pytest.mark.parametrize(("step", "amount"), [("returned", "1.00"), ("spent", "60.01"), ("freed", "1.00"), ("held", "1.00")])
def test_entries_of_a_use_add_up(give: Any, buy: Any, step: str, amount: str) -> None:
    """Nothing comes back that was not spent, nothing is spent that was not held, and the use says the same."""
    credit, _ = give("60.00"), buy()

    def act() -> None:
        with transaction.atomic():
            CreditEntry.objects.create(credit=credit, step=step, amount=D(amount), key="x", use=CreditUse.objects.get())
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        act()
    assert len(steps(credit)) == 2


def test_one_cause_has_one_effect(give: Any) -> None:
    credit = give()
    with pytest.raises(IntegrityError), transaction.atomic():
        credits.enter(credit, CreditStep.EXPIRED, D(1), f"issue:{credit.pk}", clock.now())
    assert left(credit) == D(60)


def test_a_credit_is_never_made_to_end_sooner(give: Any) -> None:
    credit = give(expires_at=clock.now() + 9 * DAY)
    with pytest.raises(IntegrityError, match="last longer"), transaction.atomic():
        CreditEntry.objects.create(credit=credit, step="extended", amount=D(0), until=clock.now() + DAY, key="x")


def test_entries_stay(give: Any) -> None:
    credit = give()
    acts: list[Callable[[], object]] = [lambda: credit.entries.update(note="other"), credit.entries.all().delete]
    for act in acts:
        with pytest.raises(ProgrammingError), transaction.atomic():
            act()


# Which credit pays


def made(amount: int, ends: int | None, narrow: int, prepaid: bool, moment: datetime) -> Any:
    ended = None if ends is None else moment + ends * DAY
    return SimpleNamespace(pk=uuid7(), remaining=D(amount), expires_at=ended, narrowness=narrow, is_prepaid=prepaid)


def test_the_right_credits_pay_and_none_is_wasted() -> None:
    """As much is paid as can be; and no gift that would have ended sooner, or that pays for less, is left over for one that is taken."""
    moment = clock.now()
    for seed in range(400):
        chance = random.Random(seed)
        there = [
            made(chance.randint(1, 40), chance.choice([None, 1, 2, 3]), chance.randint(0, 2), chance.random() < 0.4, moment)
            for _ in range(chance.randint(0, 7))
        ]
        most = chance.randint(1, 90)
        wish = Wish(uuid7(), None, D(most), D(chance.randint(0, most)))
        taken = {credit.pk: part for credit, part in plan(there, wish)}
        assert all(0 < taken[one.pk] <= one.remaining for one in there if one.pk in taken)
        assert sum(taken.get(one.pk, 0) for one in there if one.is_prepaid) <= wish.most_prepaid
        gifts, calls = (sum(one.remaining for one in there if one.is_prepaid is kind) for kind in (False, True))
        assert sum(taken.values()) == min(wish.most, gifts + min(calls, wish.most_prepaid)), seed
        last = max((_order(one) for one in there if one.pk in taken), default=None)
        assert all(taken.get(one.pk) == one.remaining for one in there if last and _order(one) < last and not one.is_prepaid), seed


def _order(one: Any) -> Any:
    return one.expires_at or credits.FAR, one.narrowness


def test_of_those_that_end_together_the_narrower_pays(give: Any, buy: Any, client_user: User, builder: Builder) -> None:
    ends = clock.now() + 5 * DAY
    wide = issue_credit(client_user, Grant(D(50), CreditSource.PROMO, "for everything", expires_at=ends), actor=None)
    narrow = give("50.00", CreditSource.PROMO, expires_at=ends)
    buy("30.00", "1.65")
    assert (left(narrow), left(wide)) == (D(20), D(50))


# Everything together


@pytest.mark.parametrize("seed", range(8))
def test_anything_in_any_order_loses_no_cent(seed: int, give: Any, buy: Any, client_user: User, builder_user: User, staff: User) -> None:
    """Given, held, paid, left, released, refunded, ended and taken back at random; the sums are looked at after each test."""
    chance, moment = random.Random(seed), clock.now()
    open_ones: list[Any] = []
    funded: list[Any] = []
    acts: list[Callable[[], object]] = [
        lambda: give(
            str(D(chance.randint(1, 9000)) / 100),
            chance.choice([CreditSource.PROMO, CreditSource.CONSULTATION]),
            expires_at=chance.choice([None, clock.now() + chance.randint(1, 9) * DAY]),
        ),
        lambda: open_ones.append(buy(str(D(chance.randint(100, 20000)) / 100), "1.00")),
        lambda: open_ones and void_invoice(open_ones.pop()[1].pk),
        lambda: funded.append([*_paid(buy(str(D(chance.randint(100, 20000)) / 100), "1.00"), client_user), 0]),
        lambda: _part(chance, funded),
        lambda: jobs.expire_credits(),
        lambda: _void(chance, staff),
    ]
    for step in range(40):
        with clock.at(moment + step * timedelta(hours=9)):
            chance.choices(acts, [5, 2, 1, 4, 6, 1, 1])[0]()
            connection.check_constraints()
    assert CreditEntry.objects.filter(step="spent").exists()


def _paid(bought: Any, client_user: User) -> tuple[Any, Decimal]:
    thing, invoice = bought
    pay_with_test_wallet(invoice.pk, actor=client_user)
    return thing, invoice.subtotal


def _part(chance: random.Random, funded: list[Any]) -> None:
    if not funded:
        return
    one = chance.choice(funded)
    thing, locked, turn = one
    piece = min(locked, D(chance.randint(1, 12000)) / 100)
    if piece:
        act = chance.choice([escrow.current().release, escrow.current().refund])
        act(thing.deal, piece, f"{thing.id}:{turn}")
        one[1], one[2] = locked - piece, turn + 1


def _void(chance: random.Random, staff: User) -> None:
    there = list(Credit.objects.exclude(pk__in=Credit.objects.ended(clock.now())).filter(remaining__gt=0))
    if there:
        void_credit(chance.choice(there).pk, actor=staff, told="Taken back by chance.")


def test_the_page_of_credits_asks_as_often_however_much_became_of_them(give: Any, buy: Any, client_user: User, client: Client) -> None:
    give("500.00", CreditSource.PROMO, expires_at=clock.now() + 9 * DAY)
    for _ in range(8):
        void_invoice(buy("50.00", "1.00")[1].pk)
    give("7.00")
    client.force_login(client_user)
    client.get("/credits/")
    with CaptureQueriesContext(connection) as many:
        page = client.get("/credits/")
    assert [len(credit.newest) for credit in page.context["credits"]] == [1, 12]
    issue_credit(client_user, Grant(D(3), CreditSource.PROMO, "for waiting"), actor=None)
    with CaptureQueriesContext(connection) as more:
        client.get("/credits/")
    assert len(more) == len(many)
