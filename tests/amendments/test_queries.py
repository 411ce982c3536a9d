"""Before and after, and the extra revision in one press."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from amendments import actions
from amendments.models import AmendmentStatus, AmendmentType
from amendments.queries import amendments_of, open_amendment, preview, preview_of, suggested_terms
from amendments.terms import LONGEST_DESCRIPTION, Terms, checked
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.kit.clock import at, now
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from tests.orders.conftest import MakeOrder

from .conftest import ALL, DELIVERABLE, REVISION, SCOPE, TIME, TOP_UP, Propose, now_of
from .test_approve import pay

A, T, S = AmendmentStatus, AmendmentType, OrderStatus


def test_before_and_after(order: Order) -> None:
    assert order.due_at is not None
    seen = preview(order, SCOPE)
    assert (seen.price_before, seen.price_after) == (Decimal("180.00"), Decimal("240.00"))
    assert (seen.fee, seen.total, seen.needs_payment) == (Decimal("3.30"), Decimal("63.30"), True)
    assert (seen.due_before, seen.due_after) == (order.due_at, order.due_at + timedelta(days=3))
    assert (seen.deliverables_before, seen.deliverables_after) == (("Five pages", "A report"), ("Five pages", "A report", "Two reports"))
    assert (seen.days_before, seen.days_after, seen.revisions_before, seen.revisions_after) == (7, 10, 2, 2)
    assert not preview(order, TIME).needs_payment


@pytest.mark.parametrize("terms", ALL, ids=lambda terms: terms.amendment_type)
@pytest.mark.parametrize("status", [S.PENDING_REQUIREMENTS, S.IN_PROGRESS, S.IN_REVISION, S.DELIVERED])
def test_what_is_shown_is_what_comes(make_order: MakeOrder, client_user: User, propose: Propose, terms: Terms, status: str) -> None:
    """At one and the same moment, so that the clock has not stood."""
    order = make_order(status)
    with at(now()):
        amendment = propose(order, terms)
        seen = preview_of(amendment)
        amendment = actions.approve(amendment.pk, actor=client_user)
        if amendment.invoice is not None:
            amendment = pay(amendment)
    row = now_of(order)
    assert amendment.status == A.COMPLETED
    assert (row.price, row.due_at, tuple(row.deliverables)) == (seen.price_after, seen.due_after, seen.deliverables_after)
    assert (row.delivery_days, row.revisions_allowed) == (seen.days_after, seen.revisions_after)
    assert (row.status != status) == seen.reopens


def test_what_is_open_and_what_was(order: Order, builder_user: User, client_user: User, propose: Propose, django_assert_num_queries: Any) -> None:
    assert open_amendment(order) is None
    first = propose(order)
    second = actions.revise(first.pk, actor=builder_user, client_key=uuid7(), terms=TIME)
    assert open_amendment(order) == second
    actions.decline(second.pk, actor=client_user, reason="No.")
    assert open_amendment(order) is None
    with django_assert_num_queries(1):
        rows = amendments_of(order)
        assert [(row, row.order.builder.user.name) for row in rows] == [(second, builder_user.name), (first, builder_user.name)]


def test_past_the_limit_an_extra_revision_is_one_press(make_order: MakeOrder, package: Package, client_user: User, builder_user: User) -> None:
    package.revisions = 0
    package.save()
    order = make_order(S.DELIVERED)
    with pytest.raises(Conflict) as refusal:
        orders.request_revision(order.pk, actor=client_user, note="The search is still slow.")
    assert refusal.value.code == "revisions_used_up"
    terms = suggested_terms(order, "The search is still slow.")
    assert (terms.amendment_type, terms.amount, terms.days) == (T.OUT_OF_SCOPE_REVISION, Decimal("36.00"), settings.REVISION_DAYS)
    amendment = actions.propose(order.pk, actor=client_user, client_key=uuid7(), terms=terms)
    amendment = pay(actions.approve(amendment.pk, actor=builder_user))
    row = now_of(order)
    assert (amendment.status, row.status, row.revisions_used, row.revisions_allowed) == (A.COMPLETED, S.IN_REVISION, 1, 1)
    assert order.revisions.get().note == "The search is still slow."
    orders.deliver(order.pk, actor=builder_user, note="Fast.")
    with pytest.raises(Conflict):
        orders.request_revision(order.pk, actor=client_user, note="Again.")


def test_the_price_that_was_agreed_on_before_is_suggested_again(make_order: MakeOrder, client_user: User, propose: Propose) -> None:
    order = make_order(S.DELIVERED)
    pay(actions.approve(propose(order, REVISION).pk, actor=client_user))
    Order.objects.filter(pk=order.pk).update(price=Decimal("999.00"))
    assert suggested_terms(now_of(order)).amount == Decimal("36.00")


@pytest.mark.parametrize(
    ("price", "suggested"), [("0.50", "1.00"), ("7.00", "2.00"), ("180.00", "36.00"), ("181.00", "37.00"), ("999999.00", "100000.00")]
)
def test_what_is_suggested_can_be_proposed(order: Order, price: str, suggested: str) -> None:
    assert order.package is not None
    order.package.price = Decimal(price)
    terms = suggested_terms(order, "x" * 9000)
    assert checked(terms) == terms
    assert (terms.amount, len(terms.description)) == (Decimal(suggested), LONGEST_DESCRIPTION)


def test_an_extra_revision_in_work_is_kept_for_later(order: Order, client_user: User, propose: Propose) -> None:
    pay(actions.approve(propose(order, REVISION).pk, actor=client_user))
    row = now_of(order)
    assert (row.status, row.revisions_used, row.revisions_left) == (S.IN_PROGRESS, 0, 3)
    assert row.revisions.count() == 0


def test_the_deliverables_and_the_budget_add_up_over_many_changes(order: Order, client_user: User, propose: Propose) -> None:
    for terms in (DELIVERABLE, TOP_UP):
        amendment = actions.approve(propose(order, terms).pk, actor=client_user)
        if amendment.invoice is not None:
            pay(amendment)
    row = now_of(order)
    assert (row.deliverables[-1], row.price) == ("The sixth page", Decimal("220.00"))
