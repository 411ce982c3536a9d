"""A builder who needs more time: asked in two fields, answered in one press; and nobody gains or loses a minute by anything but a yes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from amendments import actions, jobs
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from port444.accounts.models import User
from port444.kit.clock import at
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import SCOPE, TIME, Chain, Propose, now_of
from .test_pages import body, signed_in

A, S = AmendmentStatus, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]
HOUR = timedelta(hours=1)


def test_while_it_waits_the_order_is_not_late_and_silence_keeps_the_date(order: Order, client_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    with at(order.due_at - HOUR):
        asked = propose(order, TIME)
        assert asked.expires_at == order.due_at + 47 * HOUR
    mail = Notification.objects.get(kind="amendment.proposed")
    assert (mail.user_id, mail.title) == (client_user.pk, "Anaya asks for 5 days more")
    assert "the date stays where it is" in mail.body
    with at(asked.expires_at - HOUR):
        waiting = now_of(order)
        assert not waiting.is_late(asked.expires_at - HOUR)
        assert waiting.may_cancel(client_user, asked.expires_at - HOUR) is None
        assert jobs.expire() == 0
        with pytest.raises(Conflict):  # one at a time, whatever it changes
            propose(order, SCOPE)
    with at(asked.expires_at):
        assert jobs.expire() == 1
    after = now_of(order)
    assert now_of(asked).status == A.EXPIRED
    assert (after.due_at, after.clock_stopped_at) == (order.due_at, None)
    assert after.is_late(asked.expires_at)


def test_who_was_late_when_asking_stays_late(order: Order, client_user: User, propose: Propose) -> None:
    assert order.due_at is not None
    with at(order.due_at + HOUR):
        propose(order, TIME)
        assert now_of(order).may_cancel(client_user, order.due_at + HOUR) == "late"


@pytest.mark.parametrize("yes", [True, False])
def test_the_client_answers_in_one_press(order: Order, client_user: User, builder_user: User, propose: Propose, yes: bool) -> None:
    assert order.due_at is not None
    asked, client = propose(order, TIME), signed_in(client_user)
    page = body(client.get(f"/orders/{order.number}/"))
    assert "Give 5 days more" in page
    assert "Keep the date" in page
    assert "Why not?" not in page
    with at(asked.created_at + 5 * HOUR):
        assert client.post(f"/changes/{asked.pk}/{'approve' if yes else 'decline'}/").status_code == 302
    now = now_of(order)
    assert now_of(asked).status == (A.COMPLETED if yes else A.REJECTED)
    assert now.due_at == order.due_at + timedelta(days=5 if yes else 0)  # and not the five hours
    assert (now.price, now.clock_stopped_at) == (order.price, None)


def test_the_form_has_two_fields_and_is_for_the_builder_at_work(
    make_order: MakeOrder, order: Order, client_user: User, builder_user: User, nothing_happens: Quiet
) -> None:
    address, builder = f"/orders/{order.number}/more-time/", signed_in(builder_user)
    assert address in body(builder.get(f"/orders/{order.number}/"))
    page = body(builder.get(address))
    assert page.count('id="id_') == page.count('id="id_days') + page.count('id="id_reason')
    assert "Kolkata" in page
    assert "Amsterdam" in page
    with nothing_happens(order):
        assert signed_in(client_user).get(address).status_code == 403
        for wrong in ({"days": "0"}, {"days": "91"}, {"days": "two"}, {"reason": " "}, {"client_key": "no"}):
            sent = {"days": "3", "reason": "I was ill.", "client_key": uuid7()} | wrong
            assert builder.post(address, sent).status_code == 422, wrong
    key = uuid7()
    for _ in range(2):
        assert builder.post(address, {"days": "3", "reason": "I was ill.", "client_key": key}).status_code == 302
    made = Amendment.objects.get()
    assert (made.amendment_type, made.additional_days, made.reason, made.by_builder) == (AmendmentType.TIMELINE_EXTENSION, 3, "I was ill.", True)
    assert builder.get(address)["Location"] == f"/changes/{made.pk}/"
    assert builder.post(address, {"days": "4", "reason": "More.", "client_key": uuid7()}).status_code == 409
    delivered = make_order(S.DELIVERED)
    assert builder.get(f"/orders/{delivered.number}/more-time/")["Location"] == f"/orders/{delivered.number}/"


def test_a_delivery_takes_the_question_back(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    asked = propose(order, TIME)
    with at(asked.created_at + 2 * HOUR):
        orders.deliver(order.pk, actor=builder_user, note="Done after all.")
    delivered = now_of(order)
    assert now_of(asked).status == A.WITHDRAWN
    assert (delivered.status, delivered.clock_stopped_at, delivered.due_at) == (S.DELIVERED, None, order.due_at)
    orders.accept_delivery(order.pk, actor=client_user)


def test_a_change_of_scope_stays_open_over_a_delivery(order: Order, builder_user: User, propose: Propose) -> None:
    asked = propose(order, SCOPE)
    orders.deliver(order.pk, actor=builder_user, note="The first part.")
    assert now_of(asked).status == A.PENDING


def test_a_delivery_is_not_taken_up_again_by_the_date_that_came_after_it(
    chain: Chain, chain_order: Order, client_user: User, builder_user: User, propose: Propose
) -> None:
    """On a chain the later date takes a minute, in which the work can be handed over."""
    asked = actions.approve(propose(chain_order, TIME).pk, actor=client_user)
    assert asked.status == A.FUNDING
    orders.deliver(chain_order.pk, actor=builder_user, note="Done after all.")
    chain.confirm()
    assert now_of(asked).status == A.COMPLETED
    assert now_of(chain_order).status == S.DELIVERED
