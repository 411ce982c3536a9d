"""Two people and the clock press at one moment on one offer, on a real PostgreSQL: one outcome, and at most one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.catalog.models import Category, Package
from port444.kit.clock import at
from port444.messaging.actions import open_conversation
from port444.messaging.models import Message
from port444.orders import actions
from port444.orders.models import Offer, OfferStatus, Order
from port444.orders.terms import terms_of_package
from port444.payments.actions import close_unpaid
from port444.payments.models import Invoice
from tests.conftest import assert_books_balance

from .test_booking import rush
from .test_money import sell

pytestmark = pytest.mark.django_db(transaction=True)

S = OfferStatus
Wish = Callable[[], Any]
ROUNDS = 5


@pytest.fixture
def package() -> Package:
    return sell("seller", Category.objects.create(slug="race", name="Race"))


@pytest.fixture(autouse=True)
def money_is_where_it_belongs() -> Iterator[None]:
    yield
    assert_books_balance()


class Talk:
    """A conversation of its own for each round."""

    def __init__(self, package: Package, name: str) -> None:
        self.package, self.builder = package, package.service.builder.user
        self.client = User.objects.create_user(f"{name}@example.com", name=name)
        self.pk = open_conversation(self.client, self.builder, actor=self.client).pk

    def sending(self, price: str = "30.00", **more: Any) -> Callable[[], Offer]:
        wanted: dict[str, Any] = {"client_key": uuid4()} | more
        return lambda: actions.send_offer(self.pk, actor=self.builder, terms=terms_of_package(self.package, Decimal(price)), **wanted)

    def accepting(self, offer: Offer, key: Any = None) -> Callable[[], Order]:
        key = key or uuid4()
        return lambda: actions.accept_offer(offer.pk, actor=self.client, client_key=key)

    def withdrawing(self, offer: Offer) -> Wish:
        return lambda: actions.withdraw_offer(offer.pk, actor=self.builder)

    def declining(self, offer: Offer) -> Wish:
        return lambda: actions.decline_offer(offer.pk, actor=self.client)

    def countering(self, offer: Offer) -> Wish:
        terms = terms_of_package(self.package, Decimal("20.00"))
        return lambda: actions.counter_offer(offer.pk, actor=self.client, terms=terms, client_key=uuid4())

    def cancelling(self, order: Order) -> Wish:
        return lambda: actions.cancel_order(order.pk, actor=self.client)

    def ending_unpaid(self, order: Order) -> Wish:
        assert order.invoice_id is not None
        pk = order.invoice_id
        return lambda: close_unpaid(pk)

    def orders(self) -> int:
        return Order.objects.filter(client=self.client).count()


def late(act: Wish, moment: Any) -> Wish:
    def run() -> None:
        with at(moment):
            act()

    return run


@pytest.mark.parametrize("rival", ["withdrawing", "declining", "countering"])
def test_accepted_while_it_is_taken_away(package: Package, rival: str) -> None:
    for n in range(ROUNDS):
        talk = Talk(package, f"{rival}{n}")
        offer = talk.sending()()
        answers = rush([talk.accepting(offer), getattr(talk, rival)(offer)])
        offer.refresh_from_db()
        assert sorted(answer == "won" for answer in answers) == [False, True], answers
        assert (offer.status == S.ACCEPTED) == (answers[0] == "won") == (talk.orders() == 1)


def test_accepted_while_it_is_replaced(package: Package) -> None:
    for n in range(ROUNDS):
        talk = Talk(package, f"replaced{n}")
        offer = talk.sending()()
        answers = rush([talk.accepting(offer), talk.sending("25.00", answers=offer.pk)])
        offer.refresh_from_db()
        assert sorted(answer == "won" for answer in answers) == [False, True], answers
        assert offer.status == (S.ACCEPTED if answers[0] == "won" else S.REPLACED)
        assert talk.orders() == (1 if answers[0] == "won" else 0)


def test_accepted_while_its_time_ends(package: Package) -> None:
    """The client is in time by one clock and the builder sends a new one by the other: the lock decides, not both."""
    for n in range(ROUNDS):
        talk = Talk(package, f"ended{n}")
        offer = talk.sending()()
        ends = offer.expires_at
        answers = rush([late(talk.accepting(offer), ends - timedelta(seconds=1)), late(talk.sending("25.00"), ends)])
        offer.refresh_from_db()
        assert answers[1] == "won", answers
        assert (offer.status, talk.orders()) == ((S.ACCEPTED, 1) if answers[0] == "won" else (S.EXPIRED, 0))


def test_accepted_in_two_windows_and_pressed_twice(package: Package) -> None:
    for n in range(ROUNDS):
        talk = Talk(package, f"twice{n}")
        offer, key = talk.sending()(), uuid4()
        assert rush([talk.accepting(offer, key), talk.accepting(offer, key), talk.accepting(offer)]) == ["won"] * 3
        assert (talk.orders(), Invoice.objects.filter(payer=talk.client).count()) == (1, 1)


def test_sent_twice_at_one_moment(package: Package) -> None:
    for n in range(ROUNDS):
        talk, key = Talk(package, f"sent{n}"), uuid4()
        assert rush([talk.sending(client_key=key), talk.sending(client_key=key)]) == ["won", "won"]
        assert Message.objects.filter(conversation=talk.pk, subject_type="offer").count() == 1
        assert sorted(rush([talk.sending("20.00"), talk.sending("21.00")])) == ["offer_open", "offer_open"]


def test_two_offers_at_one_moment(package: Package) -> None:
    for n in range(ROUNDS):
        talk = Talk(package, f"two{n}")
        assert sorted(rush([talk.sending("20.00"), talk.sending("21.00")])) == ["offer_open", "won"]
        assert Offer.objects.filter(conversation=talk.pk).count() == 1


def test_open_again_while_another_is_sent(package: Package) -> None:
    """The order was not paid: its offer stands again, or the new one does, never both; and nobody waits for the other for ever."""
    for n in range(ROUNDS):
        talk = Talk(package, f"again{n}")
        offer = talk.sending()()
        order = talk.accepting(offer)()
        ended = order.pay_until + timedelta(seconds=1)
        answers = rush([late(talk.ending_unpaid(order), ended), talk.sending("25.00")])
        offer.refresh_from_db()
        assert answers[0] == "won", answers
        assert answers[1] in ("won", "offer_open"), answers
        assert offer.status == (S.REPLACED if answers[1] == "won" else S.OPEN)
        assert Offer.objects.filter(conversation=talk.pk, status=S.OPEN).count() == 1


def test_cancelled_unpaid_while_it_is_accepted_again(package: Package) -> None:
    for n in range(ROUNDS):
        talk = Talk(package, f"cancelled{n}")
        offer = talk.sending()()
        order = talk.accepting(offer)()
        answers = rush([talk.cancelling(order), talk.accepting(offer)])
        offer.refresh_from_db()
        assert answers == ["won", "won"]
        living = Order.objects.filter(client=talk.client).exclude(status="cancelled").count()
        assert (offer.status, living) in ((S.OPEN, 0), (S.ACCEPTED, 1))
