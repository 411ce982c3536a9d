"""What waits for a person, of every kind at once: sorted by when, each with what to do, until when and where, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import AmendmentType
from port444.accounts.models import User
from port444.catalog.models import Service
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.messaging.actions import mark_read, send_message
from port444.orders import actions
from port444.orders.models import DisputeReason, Order, OrderStatus
from port444.orders.terms import OfferTerms

from .conftest import MakeOrder

S = OrderStatus
HOUR = timedelta(hours=1)
CLIENT_QUERIES, BUILDER_QUERIES, TODAY_QUERIES = 13, 13, 23


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def titles(user: User, address: str) -> list[str]:
    lines = signed_in(user).get(address).context["needs"]
    dated = [line.need.until for line in lines if line.need.until is not None]
    assert dated == sorted(dated)
    assert [line.need.until is None for line in lines] == sorted(line.need.until is None for line in lines)
    assert all(line.need.href.startswith("/") for line in lines)
    return [line.need.title for line in lines]


@pytest.fixture
def busy(make_order: MakeOrder, client_user: User, builder_user: User, service: Service) -> list[Order]:
    """A client and a builder who owe each other one of everything, since two days; no review is older than that."""
    made = []
    with at(now() - timedelta(days=2)):
        for status in (S.IN_PROGRESS, S.IN_PROGRESS, S.IN_PROGRESS, S.DELIVERED, S.DELIVERED, S.PENDING_REQUIREMENTS, S.COMPLETED):
            made.append(make_order(status))
        more, ends, asks, disputed, *_ = made
        send_message(more.conversation_id, actor=builder_user, body="Did you see it?", client_key=uuid4())
        time = Terms(AmendmentType.TIMELINE_EXTENSION, "I was ill.", days=5)
        with at(now() + 40 * HOUR):
            amendments.propose(more.pk, actor=builder_user, client_key=uuid7(), terms=time)
            actions.propose_parting(ends.pk, actor=builder_user, client_key=uuid7(), to_client=Decimal("60.00"), reason="We had other plans.")
            actions.ask_more(asks.pk, actor=builder_user, questions=["Which server?"])
            claim: dict[str, Any] = {"reason": DisputeReason.UNFAIR_CHANGES, "claim": "Slow.", "to_client": Decimal("60.00")}
            actions.open_dispute(disputed.pk, actor=builder_user, client_key=uuid7(), **claim)
            terms = OfferTerms(service=service.pk, title="Two more pages", scope="Two pages.", price=Decimal("90.00"), days=4, revisions=1)
            actions.send_offer(more.conversation_id, actor=builder_user, client_key=uuid7(), terms=terms)
    return made


def test_the_client_meets_all_that_waits(busy: list[Order], client_user: User) -> None:
    found = titles(client_user, "/orders/?as=client")
    for said in (
        "Anaya asks for 5 days more",
        "Anaya proposes to end the order",
        "Answer what Anaya asked to go on",
        "Answer Anaya’s dispute",
        "Look at the delivery by",
        "Answer Anaya’s questions",
        "Anaya offers $90.00 for Two more pages",
        "Answer Anaya",
        "Say how Anaya’s work was",
    ):
        assert any(title.startswith(said) for title in found), (said, found)
    assert len(found) == 9
    page = signed_in(client_user).get("/orders/?as=client").content.decode()
    assert "in Kolkata)" in page  # both clocks
    assert page.index("Needs you") < page.index("Done")


def test_the_builder_meets_all_that_waits(busy: list[Order], builder_user: User) -> None:
    for address in ("/today/", "/orders/?as=builder"):
        found = titles(builder_user, address)
        assert [title.startswith("Deliver by") for title in found if "Jonas" not in title] == [True, True]  # not the one that waits for answers
        assert "Say how it was to work for Jonas" in found
        assert len(found) == 3
    waiting = signed_in(builder_user).get("/today/").context["waiting"]
    assert {task.title.split(" ")[0] for _, task in waiting} == {"Jonas", "Make"}
    assert "Jonas answers what you asked" in {task.title for _, task in waiting}


def test_what_was_read_or_is_young_is_not_asked_for(busy: list[Order], client_user: User, builder_user: User) -> None:
    mark_read(busy[0].conversation_id, actor=client_user)
    assert "Answer Anaya" not in titles(client_user, "/orders/?as=client")
    send_message(busy[0].conversation_id, actor=builder_user, body="And now?", client_key=uuid4())
    assert "Answer Anaya" not in titles(client_user, "/orders/?as=client")
    with at(now() + 25 * HOUR):
        assert "Answer Anaya" in titles(client_user, "/orders/?as=client")
        send_message(busy[0].conversation_id, actor=client_user, body="A moment, please.", client_key=uuid4())
        assert "Answer Anaya" not in titles(client_user, "/orders/?as=client")  # who answers has read it
        assert "Answer Jonas" not in titles(builder_user, "/today/")
    with at(now() + 50 * HOUR):
        assert "Answer Jonas" in titles(builder_user, "/today/")


def test_the_number_of_questions_is_fixed(
    busy: list[Order], make_order: MakeOrder, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    for _ in range(2):
        for user, address, count in (
            (client_user, "/orders/?as=client", CLIENT_QUERIES),
            (builder_user, "/orders/?as=builder", BUILDER_QUERIES),
            (builder_user, "/today/", TODAY_QUERIES),
        ):
            client = signed_in(user)
            with django_assert_num_queries(count):
                client.get(address)
        for status in (S.IN_PROGRESS, S.DELIVERED, S.COMPLETED):
            make_order(status)
