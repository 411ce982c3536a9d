"""A call becomes an order: its price counts, once, and comes back when the order comes to nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from consultations.actions import cancel_call, complete_call, convert_call
from consultations.models import Consultation
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit import clock
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.notifications.models import Notification
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments import ledger
from port444.payments.actions import expire_invoice, pay_with_test_wallet
from port444.payments.models import AccountKind, Credit, Payment, Refund

from .conftest import counts

D, NONE = Decimal, Decimal(0)


def sell(builder: Builder, price: str) -> Package:
    category, _ = Category.objects.get_or_create(slug="web-test", defaults={"name": "Web for tests"})
    service = Service.objects.create(
        builder=builder,
        category=category,
        title="Make slow pages fast",
        slug=f"fast-{uuid4().hex[:8]}",
        summary="Queries, indexes.",
        description="I measure.",
        status=ServiceStatus.PUBLISHED,
        from_price=D(price),
        least_days=2,
        published_at=clock.now(),
    )
    return Package.objects.create(service=service, tier="basic", name="Pages", price=D(price), delivery_days=2, revisions=1)


@pytest.fixture
def package(open_builder: Builder) -> Package:
    return sell(open_builder, "200.00")


@pytest.fixture
def held(after_start: Consultation, builder_user: User) -> Consultation:
    """A call that took place: 60.00, and 54.00 of it the builder's."""
    return complete_call(after_start.pk, actor=builder_user, notes="Add an index.")


def convert(call: Consultation, package: Package, actor: User | None = None, **more: Any) -> Order:
    return convert_call(call.pk, actor=actor or call.client, package_id=package.pk, client_key=more.get("key", uuid4()))


def earned(user: User) -> Decimal:
    return ledger.balance(AccountKind.EARNINGS, owner=user.pk)


def test_a_completed_call_gives_its_price_as_credit(held: Consultation, client_user: User, builder_user: User) -> None:
    credit = Credit.objects.get()
    assert (credit.user, credit.amount, credit.remaining, credit.builder_id) == (client_user, D(60), D(60), held.builder_id)
    assert credit.expires_at == clock.now() + timedelta(days=60)
    assert (credit.source_id, credit.source_invoice_id) == (held.chain, held.invoice_id)
    told = {n.user_id: n for n in Notification.objects.filter(kind="call_completed")}
    assert "$60.00 counts towards an order with Anaya until 23 Jan 2027" in told[client_user.pk].body
    assert "Add an index." in told[client_user.pk].body
    assert "The order list is slow." in told[builder_user.pk].body
    assert ["Length", "30 minutes"] in told[client_user.pk].context["facts"]


def test_a_cancelled_call_gives_none(scheduled: Consultation, client_user: User) -> None:
    with clock.at(scheduled.scheduled_at - timedelta(minutes=1)):
        cancel_call(scheduled.pk, actor=client_user)
    assert not Credit.objects.exists()


def test_from_call_to_accepted_order(held: Consultation, package: Package, client_user: User, builder_user: User) -> None:
    order = convert(held, package)
    assert (order.price, order.credit, order.prepaid, order.client_fee, order.total) == (D(200), D(60), D(60), D(11), D(151))
    assert order.builder_share == D(120)
    held.refresh_from_db()
    assert (held.converted_order, held.converted_at is not None) == (order, True)
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    assert Payment.objects.get(invoice=order.invoice).amount == D(151)
    assert ledger.balance(AccountKind.CREDITS) == D(-60)
    orders.deliver(order.pk, actor=builder_user, note="Fast now.")
    orders.accept_delivery(order.pk, actor=client_user)
    assert (ledger.balance(AccountKind.CREDITS), earned(builder_user)) == (NONE, D(54) + D(120))
    assert ledger.balance(AccountKind.CLIENT, owner=client_user.pk) == 0


@pytest.mark.parametrize("by", ["client", "builder"])
def test_an_order_that_comes_to_nothing_gives_the_credit_back(
    held: Consultation, package: Package, client_user: User, builder_user: User, by: str
) -> None:
    package.service.questions = [{"label": "Which?", "kind": "text", "required": True, "options": []}]
    package.service.save(update_fields=["questions"])
    order = convert(held, package)
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    orders.cancel_order(order.pk, actor=client_user if by == "client" else builder_user)
    held.refresh_from_db()
    assert (Credit.objects.get().remaining, held.converted_order) == (D(60), None)
    assert Refund.objects.get().amount == D(151)
    assert (ledger.balance(AccountKind.CREDITS), ledger.balance(AccountKind.CLIENT, owner=client_user.pk)) == (NONE, NONE)
    again = convert(held, package)
    assert again.credit == D(60)


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_an_order_that_is_not_paid_gives_the_credit_back(held: Consultation, package: Package, client_user: User, how: str) -> None:
    order = convert(held, package)
    if how == "cancelled":
        orders.cancel_order(order.pk, actor=client_user)
    else:
        with clock.at(order.pay_until + timedelta(seconds=1)):
            expire_invoice(order.invoice_id)  # type: ignore[arg-type]
    held.refresh_from_db()
    assert (Credit.objects.get().remaining, held.converted_order) == (D(60), None)


def test_an_order_from_the_service_page_uses_it_too(held: Consultation, package: Package, client_user: User) -> None:
    order = orders.place_order(package.pk, actor=client_user, client_key=uuid4())
    held.refresh_from_db()
    assert (order.credit, held.converted_order) == (D(60), order)


def test_pressing_twice_is_one_order(held: Consultation, package: Package) -> None:
    key = uuid4()
    assert convert(held, package, key=key).pk == convert(held, package, key=key).pk
    assert Order.objects.count() == 1


def test_a_used_credit_converts_no_second_time(held: Consultation, package: Package) -> None:
    convert(held, package)
    before = counts()
    with pytest.raises(Conflict, match="used up"):
        convert(held, package)
    assert (counts(), Order.objects.count()) == (before, 1)


def test_an_ended_credit_converts_nothing(held: Consultation, package: Package) -> None:
    before = counts()
    with clock.at(clock.now() + timedelta(days=60)), pytest.raises(Conflict):
        convert(held, package)
    assert counts() == before


@pytest.mark.parametrize("who", ["builder_user", "stranger", "staff"])
def test_only_the_client_converts(held: Consultation, package: Package, who: str, request: pytest.FixtureRequest) -> None:
    actor, before = request.getfixturevalue(who), counts()
    with pytest.raises(NotAllowed):
        convert(held, package, actor)
    assert counts() == before


def test_not_before_the_call_and_not_with_somebody_else(
    scheduled: Consultation, package: Package, stranger: User, builder_user: User, make_user: Callable[..., User]
) -> None:
    before = counts()
    with pytest.raises(WrongState):
        convert(scheduled, package)
    assert counts() == before
    other = sell(Builder.objects.create(user=stranger, slug="sam", headline="Somebody else"), "100.00")
    with clock.at(scheduled.ends_at):
        complete_call(scheduled.pk, actor=builder_user)
        before = counts()
        with pytest.raises(Conflict):
            convert(scheduled, other)
        assert counts() == before


def test_the_page_offers_packages_at_the_price_that_is_left(held: Consultation, package: Package, client: Client, client_user: User) -> None:
    client.force_login(client_user)
    text = client.get(held.url).content.decode()
    assert "$60.00 USDC of this call counts towards an order" in " ".join(text.split())
    assert "$140.00" in text
    answer = client.post(f"{held.url}convert/", {"package": package.pk, "client_key": uuid4()})
    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/pay/{order.invoice_id}/")
    checkout = client.get(answer["Location"]).content.decode()
    assert "Credit: call with Anaya Krishnan" in checkout
    assert "$151.00" in checkout
    assert "This call became an order." in client.get(held.url).content.decode()
    assert client.post(f"{held.url}convert/", {"package": "x"}).status_code == 422


def test_credits_are_listed(held: Consultation, package: Package, client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert "$60.00" in client.get("/credits/").content.decode()
    convert(held, package)
    assert "used" in client.get("/credits/").content.decode()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_the_platform_has_lent_nothing_in_the_end(
    seed: int, hold: Callable[..., Consultation], open_builder: Builder, client_user: User, builder_user: User
) -> None:
    """Calls and orders in any order, paid, undone, left alone and accepted; conftest checks the books after it as well."""
    chance, moment = random.Random(seed), clock.now()
    packages = [sell(open_builder, price) for price in ("20.00", "33.33", "200.00")]
    live: list[Order] = []

    def call() -> None:
        start = (moment + timedelta(days=1)).replace(hour=3 + Consultation.objects.count() % 7, minute=30)  # two may meet on a Monday
        while start.weekday() > 4:
            start += timedelta(days=1)
        made = hold(starts_at=start, minutes=chance.choice([15, 30, 60]))
        assert made.invoice_id is not None
        pay_with_test_wallet(made.invoice_id, actor=client_user)
        with clock.at(made.ends_at):
            complete_call(made.pk, actor=builder_user)

    def order() -> None:
        placed = orders.place_order(chance.choice(packages).pk, actor=client_user, client_key=uuid4())
        assert placed.invoice_id is not None
        if chance.random() < 0.7:
            pay_with_test_wallet(placed.invoice_id, actor=client_user)
        live.append(placed)

    def end() -> None:
        if not live:
            return
        one = Order.objects.get(pk=live.pop(chance.randrange(len(live))).pk)
        if one.status == "pending_payment" and chance.random() < 0.5:
            with clock.at(one.pay_until + timedelta(seconds=1)):
                expire_invoice(one.invoice_id)  # type: ignore[arg-type]
        elif one.status == "in_progress" and chance.random() < 0.5:
            orders.deliver(one.pk, actor=builder_user, note="Done.")
            orders.accept_delivery(one.pk, actor=client_user)
        else:
            orders.cancel_order(one.pk, actor=builder_user)

    for _ in range(14):
        moment += timedelta(days=1)
        with clock.at(moment):
            chance.choice([call, order, order, end])()
    with clock.at(moment):
        while live:
            end()
    assert ledger.balance(AccountKind.CREDITS) == NONE
    spent = sum((o.credit for o in Order.objects.filter(status="completed")), NONE)
    given = sum((c.amount - c.remaining for c in Credit.objects.all()), NONE)
    assert spent == given
    assert ledger.balance(AccountKind.CLIENT, owner=client_user.pk) == NONE
