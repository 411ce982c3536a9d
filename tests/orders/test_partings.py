"""Ending an order by agreement: proposed, answered, countered, lapsed; and what is divided is divided to the cent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import AmendmentType
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import PriceSample
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, DomainError, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders import actions, jobs
from port444.orders.models import CancelCause, DisputeReason, Order, OrderStatus, Parting, PartingStatus
from port444.orders.queries.partings import shares_of
from port444.payments import ledger
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.models import Credit, CreditSource, Refund
from tests.confirming import confirm_all, use_chain
from tests.conftest import assert_books_balance

from .conftest import ANSWERS, MakeOrder, earnings

S, P = OrderStatus, PartingStatus
Quiet = Callable[..., AbstractContextManager[None]]
WHY = "We both had something else in mind."


def propose(order: Order, actor: User, to_client: str = "60.00", **more: Any) -> Parting:
    asked: dict[str, Any] = {"client_key": uuid7(), "to_client": Decimal(to_client), "reason": WHY} | more
    return actions.propose_parting(order.pk, actor=actor, **asked)


def again(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order(S.IN_PROGRESS)


def test_both_agree_and_it_counts_against_nobody(order: Order, client_user: User, builder_user: User, builder: Builder) -> None:
    parting = propose(order, client_user, "108.00")
    assert (parting.amount, parting.by_client, parting.expires_at) == (order.price, True, parting.created_at + timedelta(hours=72))
    mail = Notification.objects.get(kind="parting.proposed")
    assert mail.user_id == builder_user.pk
    assert "you get $64.80 after the platform fee" in mail.body
    with pytest.raises(NotAllowed):
        actions.accept_parting(parting.pk, actor=client_user)
    actions.accept_parting(parting.pk, actor=builder_user)
    ended = again(order)
    assert (ended.status, ended.cancel_cause, ended.cancelled_by) == (S.CANCELLED, CancelCause.AGREED, builder_user)
    assert (ended.price, ended.client_fee) == (Decimal("72.00"), Decimal("3.96"))
    assert earnings(builder_user) == Decimal("64.80")
    assert ledger.balance("escrow", subject=order.pk) == 0
    assert Refund.objects.get().amount == Decimal("113.94")
    builder.refresh_from_db()
    assert (builder.completed_count, ended.disputes.count()) == (0, 0)
    assert not PriceSample.objects.filter(sale=order.pk, is_undone=False).exists()
    assert "you get $113.94 back".lower() in Notification.objects.get(kind="parting.accepted", user=client_user).body.lower()
    assert AuditLog.objects.get(event_type="parting.accepted").target_id == parting.pk
    with pytest.raises(WrongState):
        actions.accept_parting(parting.pk, actor=builder_user)


@pytest.mark.parametrize("chain", [False, True])
def test_any_division_is_exact(
    chain: bool, make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder, package: Any, request: pytest.FixtureRequest
) -> None:
    """A price of which credits of both kinds have paid some: whatever is divided, both get what they were shown and escrow is empty."""
    issue_credit(client_user, Grant(Decimal("20.01"), CreditSource.CONSULTATION, "a call", builder_id=builder.pk), actor=None)
    issue_credit(client_user, Grant(Decimal("37.13"), CreditSource.PROMO, "welcome"), actor=None)
    if chain:
        use_chain(request.getfixturevalue("settings"))
    placed = actions.place_order(package.pk, actor=client_user, client_key=uuid7())
    pay_with_test_wallet(placed.invoice_id, actor=client_user)  # type: ignore[arg-type]
    if chain:
        confirm_all()
    order = actions.answer_requirements(placed.pk, actor=client_user, answers=ANSWERS)
    assert order.credit == Decimal("57.14")
    before = (earnings(builder_user), Credit.objects.aggregate(left=Sum("remaining"))["left"])

    @hypothesis(max_examples=6 if chain else 20, deadline=None)
    @given(cents=st.integers(1, 18000), by_client=st.booleans())
    def divide(cents: int, by_client: bool) -> None:
        with transaction.atomic():
            sides = (client_user, builder_user) if by_client else (builder_user, client_user)
            to_client = Decimal(cents) / 100
            shown = shares_of(again(order), to_client)
            actions.accept_parting(propose(order, sides[0], str(to_client)).pk, actor=sides[1])
            if chain:
                confirm_all()
            ended = again(order)
            assert ended.cancel_cause == CancelCause.AGREED
            assert shown.to_client + shown.to_builder == shown.amount == Decimal("180.00")
            assert shown.client_gets + shown.credit_back == shown.to_client + shown.fee_back
            assert shown.builder_gets + shown.prepaid + shown.builder_fee == shown.to_builder
            assert (Refund.objects.aggregate(sum=Sum("amount"))["sum"] or 0) == shown.client_gets
            assert Credit.objects.aggregate(left=Sum("remaining"))["left"] - before[1] == shown.credit_back
            assert earnings(builder_user) - before[0] == shown.builder_gets
            assert ledger.balance("escrow", subject=order.pk) == 0
            if shown.to_builder:
                assert (ended.price, ended.builder_share) == (shown.to_builder, shown.builder_gets)
            assert_books_balance()
            transaction.set_rollback(True)

    divide()


def test_another_division_takes_the_place_of_the_first(order: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    first = propose(order, client_user, "120.00")
    with nothing_happens(order):
        for code, actor, asked in (("parting_open", builder_user, "10.00"), ("parting_open", client_user, "10.00")):
            with pytest.raises(Conflict) as refusal:
                propose(order, actor, asked)
            assert refusal.value.code == code
        with pytest.raises(DomainError) as refused:
            actions.counter_parting(first.pk, actor=builder_user, client_key=uuid7(), to_client=Decimal("120.00"), reason=WHY)
        assert refused.value.code == "same_figure"
        with pytest.raises(NotAllowed):
            actions.counter_parting(first.pk, actor=client_user, client_key=uuid7(), to_client=Decimal("10.00"), reason=WHY)
    key = uuid7()
    second = actions.counter_parting(first.pk, actor=builder_user, client_key=key, to_client=Decimal("90.00"), reason="Half is done.")
    assert actions.counter_parting(first.pk, actor=builder_user, client_key=key, to_client=Decimal("90.00"), reason="Half is done.") == second
    first.refresh_from_db()
    assert (first.status, second.status, second.replaces, second.by_client) == (P.COUNTERED, P.OPEN, first, False)
    actions.accept_parting(second.pk, actor=client_user)
    assert earnings(builder_user) == Decimal("81.00")


BAD = [("0", WHY), ("-1", WHY), ("180.01", WHY), ("1.001", WHY), ("60", " "), ("60", "x" * 1001), ("60", "a\x00b")]


@pytest.mark.parametrize(("to_client", "reason"), BAD)
def test_a_bad_proposal_writes_nothing(order: Order, client_user: User, nothing_happens: Quiet, to_client: str, reason: str) -> None:
    with nothing_happens(order), pytest.raises(DomainError):
        propose(order, client_user, to_client, reason=reason)
    assert not Parting.objects.exists()


@pytest.mark.parametrize("status", [S.PENDING_REQUIREMENTS, S.COMPLETED, S.CANCELLED])
def test_there_must_be_work(make_order: MakeOrder, client_user: User, status: str) -> None:
    with pytest.raises(WrongState):
        propose(make_order(status), client_user)


def test_strangers_and_the_suspended_do_not_propose(order: Order, client_user: User, stranger: User, nothing_happens: Quiet) -> None:
    client_user.suspended_at = now()
    with nothing_happens(order):
        for actor in (stranger, client_user):
            with pytest.raises(NotAllowed):
                propose(order, actor)


def test_what_happens_meanwhile_takes_it_back(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.IN_REVISION)
    steps: list[Callable[[], object]] = [
        lambda: actions.deliver(order.pk, actor=builder_user, note="Done."),
        lambda: actions.open_dispute(
            order.pk, actor=client_user, client_key=uuid7(), reason=DisputeReason.LATE, claim="Slow.", to_client=Decimal("9.00")
        ),
    ]
    for step in steps:
        parting = propose(order, client_user)
        step()
        parting.refresh_from_db()
        assert parting.status == P.WITHDRAWN
    with pytest.raises(WrongState):  # a dispute has its own way to an agreement
        propose(order, client_user)
    other = make_order(S.DELIVERED)
    parting = propose(other, builder_user)
    actions.accept_delivery(other.pk, actor=client_user)
    parting.refresh_from_db()
    assert (parting.status, again(other).status) == (P.WITHDRAWN, S.COMPLETED)


def test_silence_no_and_withdrawal_leave_the_order_as_it_was(order: Order, client_user: User, builder_user: User) -> None:
    first = propose(order, client_user)
    with at(first.expires_at - timedelta(seconds=1)):
        assert jobs.lapse_partings() == 0
    with at(first.expires_at):
        with pytest.raises(WrongState, match="time to answer"):
            actions.accept_parting(first.pk, actor=builder_user)
        assert (jobs.lapse_partings(), jobs.lapse_partings()) == (1, 0)
    actions.decline_parting(propose(order, client_user).pk, actor=builder_user, answer="I am nearly done.")
    actions.withdraw_parting(propose(order, builder_user).pk, actor=builder_user)
    assert sorted(Parting.objects.values_list("status", flat=True)) == [P.DECLINED, P.LAPSED, P.WITHDRAWN]
    now_it = again(order)
    assert (now_it.status, now_it.due_at, now_it.price, now_it.clock_stopped_at) == (order.status, order.due_at, order.price, None)
    assert "I am nearly done." in Notification.objects.get(kind="parting.declined").body


def test_a_price_that_has_changed_is_not_divided(order: Order, client_user: User, builder_user: User) -> None:
    parting = propose(order, builder_user)
    more = Terms(AmendmentType.TOP_UP, "More work.", amount=Decimal("40.00"))
    change = amendments.approve(amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=more).pk, actor=client_user)
    pay_with_test_wallet(change.invoice_id, actor=client_user)  # type: ignore[arg-type]
    with pytest.raises(Conflict) as refusal:
        actions.accept_parting(parting.pk, actor=client_user)
    assert refusal.value.code == "escrow_changed"
    page = signed_in(client_user).get(f"/orders/{order.number}/").content.decode()
    assert "The price of the order has changed since" in page
    assert f"/partings/{parting.pk}/accept/" not in page


# Pages


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_nothing_is_sent_whose_figures_were_not_on_the_page(order: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    address, client = f"/orders/{order.number}/end/", signed_in(client_user)
    assert address in client.get(f"/orders/{order.number}/").content.decode()
    first = client.get(address).content.decode()
    assert "$94.95" in first  # half, with half of the fee
    sent = {"to_client": "108", "reason": WHY, "client_key": str(uuid7())}
    with nothing_happens(order):
        looked = client.post(address, sent | {"seen": "90.00"})
        assert (looked.status_code, 'name="seen" value="108.00"' in looked.content.decode()) == (200, True)
        assert "$113.94" in looked.content.decode()
        part = client.post(address, sent | {"do": "look"}, headers={"HX-Request": "true"}).content.decode()
        assert part.strip().startswith('<div id="figures">')
        for wrong in ({"to_client": "181"}, {"reason": ""}, {"client_key": "x"}):
            assert client.post(address, sent | {"seen": "108.00"} | wrong).status_code == 422
    assert client.post(address, sent | {"seen": "108.00"}).status_code == 302
    parting = Parting.objects.get()
    assert client.get(address).status_code == 302  # one's own waits
    seller = signed_in(builder_user)
    page = seller.get(f"/orders/{order.number}/").content.decode()
    assert "Accept $64.80" in page
    assert "answer by" in page
    assert "Another division" in seller.get(address).content.decode()
    assert seller.post(f"/partings/{parting.pk}/decline/", {"answer": "x" * 1001}).status_code == 422
    assert signed_in(client_user).post(f"/partings/{parting.pk}/accept/").status_code == 403
    assert seller.post(f"/partings/{parting.pk}/accept/").status_code == 302
    for reader, said in ((seller, "$64.80"), (client, "went back to you")):
        ended = reader.get(f"/orders/{order.number}/").content.decode()
        assert said in ended
        assert "Divided as you both agreed" in ended
        assert "You both agreed to end the order" in ended
    assert "$75.96" in client.get(f"/orders/{order.number}/").content.decode()  # what was paid in the end


def test_strangers_find_nothing(order: Order, client_user: User, stranger: User) -> None:
    parting = propose(order, client_user)
    client = signed_in(stranger)
    assert client.get(f"/orders/{order.number}/end/").status_code == 404
    for step in ("accept", "decline", "withdraw"):
        assert client.post(f"/partings/{parting.pk}/{step}/").status_code == 404
