"""Ordering again: what has changed since, and questions that begin with the answers of last time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.ids import uuid7
from port444.orders import actions, queries
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import pay_with_test_wallet
from tests.orders.conftest import ANSWERS, QUESTIONS, MakeOrder

S = OrderStatus


def look(order: Order) -> queries.reorder.Reorder:
    found = Order.objects.with_people().select_related("service", "package").get(pk=order.pk)
    return queries.reorder.reorder_of(found, now())


def test_what_has_changed_since(make_order: MakeOrder, package: Package, service: Service, builder: Builder, django_assert_num_queries: Any) -> None:
    order = make_order(S.COMPLETED)
    same = look(order)
    assert (same.state, same.is_same, same.questions, same.answered) == ("open", True, 3, 3)
    Package.objects.update(price=Decimal("200.00"), delivery_days=9, deliverables=["Five pages", "A load test"])
    Service.objects.update(questions=[QUESTIONS[0], {**QUESTIONS[1], "label": "Which database, and where?"}])
    other = look(order)
    assert [(one.label, one.before, one.now) for one in other.changes] == [("Price", "$180.00", "$200.00"), ("Delivered in", "7 days", "9 days")]
    assert (other.added, other.left_out, other.questions, other.answered) == (["A load test"], ["A report"], 2, 1)
    moment = now()
    Builder.objects.update(away_from=moment, away_until=moment + timedelta(days=2), away_paused_at=moment)
    assert look(order).state == "away"
    Service.objects.filter(pk=service.pk).update(status=ServiceStatus.PAUSED, paused_at=moment)
    assert look(order).state == "paused"
    Package.objects.update(is_offered=False)
    assert (look(order).state, look(order).package) == ("gone", None)
    with django_assert_num_queries(2):
        assert look(order).others == []
    User.objects.filter(pk=builder.user_id).update(suspended_at=moment, suspension_reason="Chargebacks")
    assert look(order).state == "gone"


def test_the_questions_begin_with_the_answers_of_last_time(
    make_order: MakeOrder, client_user: User, builder_user: User, package: Package, client: Client, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    order = make_order(S.PENDING_REQUIREMENTS)
    dump = SimpleUploadedFile("schema.txt", b"create table")
    actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS, uploads={3: [dump]})
    actions.deliver(order.pk, actor=builder_user, note="Done.")
    actions.accept_delivery(order.pk, actor=client_user)
    asked = [{**QUESTIONS[1], "options": ["MySQL", "SQLite"]}, QUESTIONS[2], QUESTIONS[0], {**QUESTIONS[0], "label": "Since when?"}]
    Service.objects.update(questions=asked)
    client.force_login(client_user)
    page = client.get(reverse("orders:again", args=[order.number])).content.decode()
    assert (f'value="{order.pk}"' in page, "Nothing has changed since" in page, "3 of them begin" in page) == (True, True, True)
    key = str(uuid7())
    for _ in range(2):  # pressed twice
        assert client.post(reverse("orders:place", args=[package.pk]), {"client_key": key, "like": order.pk}).status_code == 302
    new = Order.objects.exclude(pk=order.pk).get()
    rows = {row.label: row for row in new.requirements.prefetch_related("files")}
    assert [row.answer for row in rows.values()] == ["", "", "The order list and the customer page.", ""]  # what is not offered any more is left out
    assert [file.name for file in rows["A dump of the schema"].files.all()] == ["schema.txt"]
    pay_with_test_wallet(new.invoice_id, actor=client_user)  # type: ignore[arg-type]
    address = reverse("orders:detail", args=[new.number])
    assert "The order list and the customer page." in client.get(address).content.decode()
    client.force_login(builder_user)
    assert "The order list and the customer page." not in client.get(address).content.decode()  # nothing is sent yet


def test_only_a_completed_order_of_ones_own_of_that_service(
    make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, package: Package, client: Client, nothing_happens: Any
) -> None:
    running, done = make_order(S.IN_PROGRESS), make_order(S.COMPLETED)
    with nothing_happens(done):
        for person, like in ((stranger, done.pk), (client_user, running.pk), (client_user, uuid4())):
            with pytest.raises(Invalid):
                actions.place_order(package.pk, actor=person, client_key=uuid7(), like=like)
    for person, order, status in ((client_user, done, 200), (client_user, running, 404), (builder_user, done, 404), (stranger, done, 404)):
        client.force_login(person)
        assert client.get(reverse("orders:again", args=[order.number])).status_code == status
    client.force_login(client_user)
    assert client.post(reverse("orders:place", args=[package.pk]), {"client_key": str(uuid7()), "like": "x"}).status_code == 422
    assert "Order again" in client.get(reverse("orders:detail", args=[done.number])).content.decode()
    assert "Order again" not in client.get(reverse("orders:detail", args=[running.number])).content.decode()


def test_an_order_from_an_offer_has_no_package(make_order: MakeOrder, client_user: User, service: Service, client: Client) -> None:
    order = make_order(S.COMPLETED)
    Order.objects.filter(pk=order.pk).update(package=None, package_name="Custom offer")
    client.force_login(client_user)
    page = client.get(reverse("orders:again", args=[order.number])).content.decode()
    assert ("It came from an offer" in page, order.conversation.get_absolute_url() in page) == (True, True)
