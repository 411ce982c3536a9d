"""Random talks about an offer: whatever the two press in whatever order, the states stay legal, and one order comes of one acceptance."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation
from port444.orders import actions
from port444.orders.models import Offer, OfferStatus, Order, OrderStatus
from port444.orders.terms import terms_of, terms_of_package
from port444.payments import actions as payments
from port444.payments import jobs as payment_jobs
from tests.conftest import assert_books_balance

S = OfferStatus
STEPS = ["send", "change", "counter", "take up", "accept", "accept again", "decline", "withdraw", "pay", "cancel", "wait", "wait long", "sweep"]
WAITS = {"wait": timedelta(minutes=61), "wait long": timedelta(hours=49)}
GIVEN_BACK = (OrderStatus.EXPIRED, OrderStatus.CANCELLED)

presses = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(["client", "builder", "stranger"]), st.integers(0, 2)), min_size=4, max_size=16)


class Table:
    """What the two can reach for: the offers of their conversation, the newest first."""

    def __init__(self, talk: Conversation, package: Package) -> None:
        self.talk, self.package, self.key = talk, package, uuid7()

    def press(self, step: str, actor: User, nth: int) -> None:
        found = list(Offer.objects.filter(conversation=self.talk).order_by("-created_at", "-pk")[: nth + 1])
        offer = found[-1] if found else None
        terms = terms_of_package(self.package, Decimal(100 + nth))
        if step == "send":
            actions.send_offer(self.talk.pk, actor=actor, terms=terms, client_key=uuid7())
        elif step == "sweep":
            payment_jobs.expire_invoices()
        elif offer is not None:
            self.answer(step, offer, actor, nth)

    def answer(self, step: str, offer: Offer, actor: User, nth: int) -> None:
        match step:
            case "change":
                terms = terms_of_package(self.package, Decimal(90 + nth))
                actions.send_offer(self.talk.pk, actor=actor, terms=terms, client_key=uuid7(), answers=offer.pk)
            case "take up":
                actions.send_offer(self.talk.pk, actor=actor, terms=terms_of(offer), client_key=uuid7(), answers=offer.pk)
            case "counter":
                actions.counter_offer(offer.pk, actor=actor, terms=replace(terms_of(offer), price=offer.price - 1), client_key=uuid7())
            case "accept":
                actions.accept_offer(offer.pk, actor=actor, client_key=uuid7())
            case "accept again":
                actions.accept_offer(offer.pk, actor=actor, client_key=self.key)
            case "decline":
                actions.decline_offer(offer.pk, actor=actor)
            case "withdraw":
                actions.withdraw_offer(offer.pk, actor=actor)
            case "pay" if offer.order is not None:
                payments.pay_with_test_wallet(offer.order.invoice_id, actor=actor)  # type: ignore[arg-type]
            case "cancel" if offer.order is not None:
                actions.cancel_order(offer.order.pk, actor=actor)


def states() -> dict[UUID, str]:
    return dict(Offer.objects.values_list("pk", "status"))


@pytest.mark.timeout(600)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(presses=presses)
def test_any_talk_about_an_offer_ends_in_what_both_agreed(
    client_user: User, builder_user: User, stranger: User, package: Package, presses: list[tuple[str, str, int]]
) -> None:
    people = {"client": client_user, "builder": builder_user, "stranger": stranger}
    talk = open_conversation(client_user, builder_user, actor=client_user)
    table, moment = Table(talk, package), now()
    for step, who, nth in presses:
        moment += WAITS.get(step, timedelta(seconds=1))
        before: dict[UUID, str] = states()
        with at(moment):
            try:
                table.press(step, people[who], nth)
            except DomainError:
                assert states() == before, "a refusal changes nothing"
        after = states()
        assert all(after[pk] == status or after[pk] in Offer.NEXT[S(status)] for pk, status in before.items())
        if who == "stranger" and step != "sweep":
            assert after == before
        assert_agreed(moment)
    assert_books_balance()


def assert_agreed(moment: Any) -> None:
    """At most one offer is open; what was accepted is an order that lives, with the terms that were read; nothing else is."""
    offers = list(Offer.objects.select_related("order"))
    assert sum(offer.status == S.OPEN for offer in offers) <= 1
    for offer in offers:
        if offer.status == S.ACCEPTED:
            assert offer.order is not None
            assert not offer.by_client
            assert (offer.order.price, offer.order.delivery_days) == (offer.price, offer.delivery_days)
            assert offer.order.status not in GIVEN_BACK or offer.order.paid_at is not None
        elif offer.order is not None:
            assert offer.order.status in GIVEN_BACK
            assert offer.order.paid_at is None
    living = Order.objects.exclude(status__in=GIVEN_BACK)
    assert living.count() == living.filter(offer__status=S.ACCEPTED).count()
