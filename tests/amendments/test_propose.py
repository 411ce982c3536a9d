"""Proposing a change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from amendments import actions
from amendments.actions import Terms
from amendments.models import AmendmentStatus, AmendmentType
from auditlog.models import AuditLog
from port444.accounts.actions import suspend
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.ids import uuid7
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import ALL, DELIVERABLE, REVISION, SCOPE, TIME, TOP_UP, Propose, now_of

A, T, S = AmendmentStatus, AmendmentType, OrderStatus
Quiet = Callable[[Order], AbstractContextManager[None]]


@pytest.mark.parametrize("terms", ALL, ids=lambda terms: terms.amendment_type)
@pytest.mark.parametrize("by_builder", [True, False])
def test_either_side_proposes_any_type(order: Order, client_user: User, builder_user: User, terms: Terms, by_builder: bool) -> None:
    actor, other = (builder_user, client_user) if by_builder else (client_user, builder_user)
    moment = now()
    with at(moment):
        amendment = actions.propose(order.pk, actor=actor, client_key=uuid7(), terms=terms)
    assert (amendment.status, amendment.by_builder, amendment.requested_by, amendment.version) == (A.PENDING, by_builder, actor, 1)
    assert amendment.additional_amount == terms.amount
    assert amendment.client_fee == (terms.amount * Decimal("0.055")).quantize(Decimal("0.01"), "ROUND_DOWN")
    assert (amendment.price_before, amendment.due_before, amendment.deliverables_before) == (order.price, order.due_at, order.deliverables)
    assert amendment.expires_at == moment + timedelta(hours=48 if amendment.asks_for_time else 72)
    assert (amendment.proposer, amendment.answerer) == (actor, other)
    assert now_of(order).clock_stopped_at == moment
    told = Notification.objects.get(kind="amendment.proposed")
    assert (told.user_id, told.url) == (other.pk, f"/orders/{order.number}/")
    assert "proposed a change" in Message.objects.latest("created_at").body
    row = AuditLog.objects.get(event_type="amendment.proposed")
    assert row.actor_id == actor.pk
    assert row.after_state is not None
    assert row.after_state["days"] == terms.days
    changed = now_of(order)
    assert (changed.price, changed.due_at, changed.deliverables, changed.status) == (order.price, order.due_at, order.deliverables, order.status)


@pytest.mark.parametrize("status", [S.PENDING_REQUIREMENTS, S.IN_PROGRESS, S.IN_REVISION, S.DELIVERED])
def test_what_runs_can_be_changed(make_order: MakeOrder, propose: Propose, status: str) -> None:
    assert propose(make_order(status)).status == A.PENDING


@pytest.mark.parametrize("status", [S.PENDING_PAYMENT, S.FUNDING, S.COMPLETED, S.CANCELLED, S.EXPIRED])
def test_what_does_not_run_cannot(make_order: MakeOrder, propose: Propose, nothing_happens: Quiet, status: str) -> None:
    order = make_order(status)
    with nothing_happens(order), pytest.raises(WrongState):
        propose(order)


def test_only_its_two_people_propose(order: Order, stranger: User, staff: User, propose: Propose, nothing_happens: Quiet) -> None:
    for person in (stranger, staff):
        with nothing_happens(order), pytest.raises(NotAllowed):
            propose(order, actor=person)


def test_nobody_suspended_proposes_and_nothing_is_proposed_to_them(
    order: Order, client_user: User, staff: User, propose: Propose, nothing_happens: Quiet
) -> None:
    suspend(client_user.pk, actor=staff, reason="Asked for payment elsewhere.")
    client_user.refresh_from_db()
    with nothing_happens(order), pytest.raises(NotAllowed):
        propose(order, actor=client_user)
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        propose(order)
    assert refusal.value.code == "account_closed"


WRONG: list[tuple[Terms, str]] = [
    (replace(TOP_UP, amendment_type="discount"), "amendment_type"),
    (replace(TOP_UP, reason="  "), "reason_missing"),
    (replace(TOP_UP, reason="x" * 301), "reason_long"),
    (replace(SCOPE, description="x" * 5001), "description_long"),
    (replace(SCOPE, description=" "), "description_missing"),
    (replace(TOP_UP, amount=Decimal("0.00")), "amount_missing"),
    (replace(TOP_UP, amount=Decimal("0.99")), "amount_range"),
    (replace(TOP_UP, amount=Decimal("100000.01")), "amount_range"),
    (replace(TOP_UP, amount=Decimal("-1.00")), "amount_range"),
    (replace(TOP_UP, amount=Decimal("1.001")), "amount_places"),
    (replace(TOP_UP, days=1), "type_differs"),
    (replace(TIME, days=0), "days_missing"),
    (replace(TIME, days=91), "days_range"),
    (replace(TIME, days=-1), "days_range"),
    (replace(TIME, amount=Decimal("5.00")), "type_differs"),
    (replace(DELIVERABLE, deliverables=(" ",)), "deliverables_missing"),
    (replace(DELIVERABLE, deliverables=("x" * 201,)), "deliverable_long"),
    (replace(DELIVERABLE, deliverables=("x",) * 21), "deliverables_many"),
    (replace(DELIVERABLE, revisions=1), "type_differs"),
    (replace(REVISION, revisions=0), "revisions_missing"),
    (replace(REVISION, revisions=2), "revisions_range"),
    (replace(REVISION, amount=Decimal("0.00")), "amount_missing"),
    (replace(REVISION, deliverables=("More",)), "type_differs"),
    (replace(SCOPE, description="a\x00b"), "text_null"),
]


@pytest.mark.parametrize(("terms", "code"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_each_type_has_what_it_must_contain(order: Order, propose: Propose, nothing_happens: Quiet, terms: Terms, code: str) -> None:
    with nothing_happens(order), pytest.raises(Invalid) as refusal:
        propose(order, terms)
    assert refusal.value.code == code


def test_one_is_open_at_a_time(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    propose(order)
    for actor in (None, client_user):
        with nothing_happens(order), pytest.raises(Conflict) as refusal:
            propose(order, TIME, actor)
        assert refusal.value.code == "amendment_open"


def test_pressing_twice_proposes_once(order: Order, builder_user: User, nothing_happens: Quiet) -> None:
    key = uuid7()
    first = actions.propose(order.pk, actor=builder_user, client_key=key, terms=SCOPE)
    with nothing_happens(order):
        assert actions.propose(order.pk, actor=builder_user, client_key=key, terms=replace(SCOPE, reason=f" {SCOPE.reason} ")).pk == first.pk
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.propose(order.pk, actor=builder_user, client_key=key, terms=TIME)
    assert refusal.value.code == "sent_already"


def test_ten_proposals_a_day_are_enough(order: Order, builder_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    for _ in range(10):
        actions.withdraw(propose(order).pk, actor=builder_user)
    with nothing_happens(order), pytest.raises(TooMany):
        propose(order)
    with at(now() + timedelta(days=1)):
        assert propose(order).status == A.PENDING


def test_an_order_does_not_run_for_ever(order: Order, propose: Propose, nothing_happens: Quiet) -> None:
    assert order.paid_at is not None
    Order.objects.filter(pk=order.pk).update(due_at=order.paid_at + timedelta(days=590))
    with nothing_happens(order), pytest.raises(Invalid) as refusal:
        propose(order, replace(TIME, days=11))
    assert refusal.value.code == "days_range"
    assert propose(order, replace(TIME, days=10)).status == A.PENDING


def test_a_change_of_words_alone_is_a_change_of_scope(order: Order, propose: Propose) -> None:
    terms: Any = replace(SCOPE, amount=Decimal("0.00"), days=0, deliverables=())
    assert propose(order, terms).price_after == order.price
