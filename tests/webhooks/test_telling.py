"""What is written down for whom, in the transaction of the act."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django_q.models import OrmQ

from amendments import actions as amendments
from amendments.terms import Terms as Change
from auditlog.actions import record
from auditlog.events import Event
from auditlog.handlers import followers
from port444.accounts.actions import suspend
from port444.accounts.models import User
from port444.catalog.models import Package
from port444.messaging.actions import open_conversation, send_message
from port444.orders import actions as orders
from port444.orders.models import DisputeReason, Order
from port444.payments import actions as payments
from port444.payments import ledger
from port444.payments.models import CreditSource
from port444.webhooks import actions, events
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint

from .conftest import Listen, paid, told

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/port444"


def names(rows: list[Any]) -> list[str]:
    return [row["type"] for row in rows]


def test_both_sides_of_an_order_hear_of_it_each_in_their_role(
    listen: Listen, package: Package, client_user: User, builder_user: User, stranger: User
) -> None:
    mine, theirs, nobodys = (listen(user, URL)[0] for user in (client_user, builder_user, stranger))
    order = paid(package, client_user)
    orders.deliver(order.pk, actor=builder_user, note="Done, see the patch.")
    orders.accept_delivery(order.pk, actor=client_user)
    assert names(told(mine)) == ["order.placed", "payment.succeeded", "order.paid", "order.delivered", "order.completed"]
    assert names(told(theirs)) == ["order.placed", "order.paid", "order.delivered", "earnings.credited", "order.completed"]
    assert told(nobodys) == []
    placed, delivered = told(mine)[0], told(theirs)[2]
    assert set(placed) == {"id", "type", "api_version", "created_at", "data"}
    assert placed["api_version"] == events.API_VERSION
    assert placed["data"]["url"] == f"{settings.SITE_URL}/api/orders/{order.pk}"
    assert (placed["data"]["id"], placed["data"]["number"], placed["data"]["price"]) == (str(order.pk), order.number, "60.00")
    assert (placed["data"]["role"], delivered["data"]["role"]) == ("client", "builder")
    assert [row["data"].get("status") for row in told(mine)] == ["pending_payment", "succeeded", "funding", "delivered", "completed"]
    assert told(theirs)[3]["data"] == {
        "id": str(builder_user.pk),
        "object": "earnings",
        "amount": "54.00",
        "currency": "USDC",
        "url": f"{settings.SITE_URL}/api/earnings",
    }
    shared = {row["id"] for row in told(mine)} & {row["id"] for row in told(theirs)}
    assert len(shared) == 4, "one event has one id, whoever hears of it"


def test_words_and_addresses_of_people_are_never_in_it(listen: Listen, package: Package, client_user: User, builder_user: User) -> None:
    for user in (client_user, builder_user):
        listen(user, URL)
    order = paid(package, client_user)
    talk = open_conversation(client_user, builder_user, actor=client_user)
    send_message(talk.pk, actor=client_user, body="Between us alone", client_key=uuid.uuid4())
    orders.deliver(order.pk, actor=builder_user, note="A private note")
    orders.request_revision(order.pk, actor=client_user, note="Another private note")
    said = " ".join(WebhookDelivery.objects.values_list("body", flat=True))
    assert "message.created" in said
    for word in ("Between us", "rivate note", client_user.email, builder_user.email, "Jonas", "Anaya"):
        assert word not in said


def test_money_is_told_to_whose_it_is(listen: Listen, client_user: User, builder_user: User) -> None:
    mine, theirs = listen(client_user, URL)[0], listen(builder_user, URL)[0]
    ledger.post("test", "Earned", [(ledger.EXTERNAL, Decimal(-40)), (ledger.earnings(builder_user.pk), Decimal(40))])
    payments.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    asked = payments.request_withdrawal(actor=builder_user, amount=Decimal("40.00"), client_key=uuid.uuid4())
    payments.cancel_withdrawal(asked.pk, actor=builder_user)
    payments.issue_credit(client_user, payments.Grant(Decimal("5.00"), CreditSource.PROMO, "welcome"), actor=None)
    assert names(told(theirs)) == ["withdrawal.requested", "withdrawal.cancelled"]
    assert "0xabab" not in str(told(theirs))
    assert names(told(mine)) == ["credit.issued"]
    assert (told(mine)[0]["data"]["issued"], told(mine)[0]["data"]["expires_at"]) == ("5.00", None)


def test_changes_and_disputes_of_an_order_are_told(listen: Listen, order: Order, client_user: User, builder_user: User) -> None:
    mine = listen(client_user, URL, "amendment.proposed", "amendment.approved", "amendment.in_force", "dispute.opened")[0]
    theirs = listen(builder_user, URL, "amendment.in_force", "dispute.opened")[0]
    change = Change("timeline_extension", "It takes longer than we thought.", days=2)
    proposed = amendments.propose(order.pk, actor=builder_user, client_key=uuid.uuid4(), terms=change)
    amendments.approve(proposed.pk, actor=client_user)
    claim: dict[str, Any] = {"reason": DisputeReason.NO_ANSWER, "claim": "No word for days.", "to_client": Decimal("60.00")}
    orders.open_dispute(order.pk, actor=client_user, client_key=uuid.uuid4(), **claim)
    assert names(told(mine)) == ["amendment.proposed", "amendment.approved", "amendment.in_force", "dispute.opened"]
    assert names(told(theirs)) == ["amendment.in_force", "dispute.opened"]
    first, second, third, fourth = (row["data"] for row in told(mine))
    assert (first["status"], "status" in second, third["status"], fourth["status"]) == ("pending", False, "completed", "open")
    assert (first["role"], told(theirs)[0]["data"]["role"], first["order_id"]) == ("client", "builder", str(order.pk))
    assert fourth["to_client"] == "60.00"


def test_only_chosen_events_of_a_webhook_that_listens(listen: Listen, package: Package, client_user: User) -> None:
    some, paused, gone = listen(client_user, URL, "order.paid")[0], listen(client_user, URL)[0], listen(client_user, URL)[0]
    actions.pause_endpoint(paused.pk, actor=client_user)
    actions.remove_endpoint(gone.pk, actor=client_user)
    paid(package, client_user)
    assert names(told(some)) == ["order.paid"]
    assert names(told(paused)) == ["order.placed", "payment.succeeded", "order.paid"]
    assert told(gone) == []


def test_a_suspended_person_hears_nothing(listen: Listen, package: Package, client_user: User, builder_user: User, staff: User) -> None:
    theirs = listen(builder_user, URL)[0]
    suspend(builder_user.pk, actor=staff, reason="A long enough reason.")
    with transaction.atomic():
        order = Order(client=client_user, builder=builder_user.builder, number=1, price=Decimal("1.00"), status="delivered")
        record(Event.ORDER_DELIVERED, actor=None, target=order)
    assert told(theirs) == []


def test_an_act_that_is_rolled_back_tells_nothing(listen: Listen, order: Order, builder_user: User) -> None:
    theirs = listen(builder_user, URL)[0]
    OrmQ.objects.all().delete()

    def fail() -> None:
        with transaction.atomic():
            orders.deliver(order.pk, actor=builder_user, note="Done.")
            assert names(told(theirs)) == ["order.delivered"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert told(theirs) == []
    assert OrmQ.objects.count() == 0
    orders.deliver(order.pk, actor=builder_user, note="Done.")
    assert names(told(theirs)) == ["order.delivered"]
    assert [task.func() for task in OrmQ.objects.all()].count("port444.webhooks.jobs.send") == 1


def test_nobody_listening_costs_one_query_and_what_is_not_told_none(order: Order, client_user: User, django_assert_num_queries: Any) -> None:
    with transaction.atomic():
        with django_assert_num_queries(2):
            record(Event.ORDER_DELIVERED, actor=client_user, target=order)
        with django_assert_num_queries(1):
            record(Event.PROFILE_CHANGED, actor=client_user, target=client_user)


def test_who_listens_is_found_by_index(listen: Listen, order: Order, client_user: User) -> None:
    found = WebhookEndpoint.objects.hearing("order.paid", events.ORDER.people(order))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = found.explain()
    assert "Seq Scan on webhooks_webhookendpoint" not in plan
    assert "Index" in plan


def test_every_event_that_is_told_is_followed_and_named_once() -> None:
    assert {event for event in followers if followers[event] is actions.on_record} == set(events.TABLE)
    assert len(set(events.NAMES)) == len(events.NAMES)
    assert all(len(name) <= 40 for name in events.NAMES)
    assert {told.group for told in events.TABLE.values()} == set(events.GROUPS)
    assert sum(len(rows) for _, rows in events.grouped()) == len(events.NAMES)


def test_what_is_recorded_of_something_else_is_told_to_nobody(listen: Listen, client_user: User) -> None:
    mine = listen(client_user, URL)[0]
    with transaction.atomic():
        record(Event.ORDER_PAID, actor=None, target=client_user)
    assert told(mine) == []


def test_ids_are_new_for_each_event(listen: Listen, client_user: User) -> None:
    mine = listen(client_user, URL)[0]
    for _ in range(3):
        actions.ping_endpoint(mine.pk, actor=client_user)
    assert len({row["id"] for row in told(mine)}) == 3
