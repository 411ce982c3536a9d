"""The pages of a dispute: who sees them, what they say, how much they ask of the database, and what a press does."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from port444.accounts.models import User
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.orders import actions, jobs
from port444.orders.models import Dispute, DisputeStatus, Order, OrderStatus

from .conftest import MakeOrder
from .test_disputes import ANSWER, CLAIM, answer, open_by
from .test_pages import HTMX, signed_in

S, D = OrderStatus, DisputeStatus
PAGE_QUERIES, FORM_QUERIES, LIVE_QUERIES = 8, 8, 4


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order(S.DELIVERED)


@pytest.fixture
def dispute(order: Order, client_user: User) -> Dispute:
    return open_by(order, client_user, "120.00")


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def form(**more: Any) -> dict[str, Any]:
    return {"reason": "not_as_agreed", "claim": CLAIM, "to_client": "60", "client_key": str(uuid7())} | more


def test_the_whole_way_by_plain_forms(order: Order, client_user: User, builder_user: User) -> None:
    client, builder = signed_in(client_user), signed_in(builder_user)
    assert f"/orders/{order.number}/dispute/" in page(client, f"/orders/{order.number}/")
    page(client, f"/orders/{order.number}/dispute/")
    sent = client.post(f"/orders/{order.number}/dispute/", form(uploads=SimpleUploadedFile("slow.txt", b"4.1 s")))
    dispute = Dispute.objects.get()
    here = f"/disputes/{dispute.number}/"
    assert sent["Location"] == here
    assert client.get(f"/orders/{order.number}/dispute/")["Location"] == here
    shown = page(builder, here)
    for words in (CLAIM, "slow.txt", "Accept the claim", "$60.00", "$120.00"):
        assert words in shown
    assert builder.post(f"{here}answer/", {"answer": ANSWER, "offer": "20"}).status_code == 302
    assert builder.post(f"{here}evidence/", {"text": "The timings."}).status_code == 302
    assert builder.post(f"{here}figure/", {"to_client": "30"}).status_code == 302
    assert client.post(f"{here}settle/", {"seen": "20.00"}).status_code == 409
    shown = page(client, here)
    for words in (ANSWER, "The timings.", "Accept the offer", 'value="30.00"'):
        assert words in shown
    assert client.post(f"{here}settle/", {"seen": "30.00"}).status_code == 302
    order.refresh_from_db()
    assert (order.status, order.price) == (S.COMPLETED, Decimal("150.00"))
    for viewer in (client, builder):
        for url in (here, f"/orders/{order.number}/", "/orders/"):
            assert "is over" in page(viewer, url)


def test_the_order_page_stands_still(dispute: Dispute, order: Order, client_user: User, builder_user: User) -> None:
    for user, waits in ((client_user, True), (builder_user, False)):
        response = signed_in(user).get(f"/orders/{order.number}/")
        shown = response.content.decode()
        assert response.context["helm"].wait == waits
        assert "In dispute" in shown
        for gone in ("Accept and release", "orders/cancel", f"/orders/{order.number}/accept/", f"/orders/{order.number}/changes/new/"):
            assert gone not in shown
    assert "dispute by" in page(signed_in(builder_user), "/today/")


@pytest.mark.parametrize("end", ["withdraw", "escalate", "all", "none"])
def test_every_end_has_its_page(dispute: Dispute, order: Order, client_user: User, builder_user: User, staff: User, end: str) -> None:
    if end == "withdraw":
        actions.withdraw_dispute(dispute.pk, actor=client_user)
    else:
        answer(dispute, builder_user, "10.00")
        signed_in(client_user).post(f"/disputes/{dispute.number}/escalate/")
        if end != "escalate":
            figure = Decimal("180.00") if end == "all" else Decimal("0.00")
            actions.decide_dispute(dispute.pk, actor=staff, to_client=figure, decision="It is as it is.")
    for user in (client_user, builder_user):
        for url in (f"/disputes/{dispute.number}/", f"/orders/{order.number}/"):
            shown = page(signed_in(user), url)
            assert "None" not in shown.replace("If-None-Match", "")
            assert str(dispute) in shown
            assert ("It is as it is." in shown) == (end in ("all", "none"))


def test_strangers_find_nothing(dispute: Dispute, order: Order, stranger: User, nothing_happens: Any) -> None:
    client = signed_in(stranger)
    with nothing_happens(order):
        for name in ("", "live/"):
            assert client.get(f"/disputes/{dispute.number}/{name}").status_code == 404
        for name in ("answer/", "figure/", "settle/", "withdraw/", "escalate/", "evidence/"):
            data = {"answer": "x", "offer": "1", "to_client": "1", "seen": "120.00", "text": "x"}
            assert client.post(f"/disputes/{dispute.number}/{name}", data).status_code == 404
        assert client.post(f"/orders/{order.number}/dispute/", form()).status_code == 404


@pytest.mark.parametrize(
    "data",
    [
        {"claim": " "},
        {"reason": ""},
        {"reason": "unfair_changes"},
        {"to_client": ""},
        {"to_client": "180.01"},
        {"to_client": "1e2"},
        {"to_client": "-1"},
        {"client_key": "x"},
        {"uploads": ("evil.exe", b"MZ")},
    ],
)
def test_a_bad_form_opens_nothing(order: Order, client_user: User, nothing_happens: Any, data: dict[str, Any]) -> None:
    sent = {key: SimpleUploadedFile(*value) if isinstance(value, tuple) else value for key, value in data.items()}
    with nothing_happens(order):
        response = signed_in(client_user).post(f"/orders/{order.number}/dispute/", form(**sent))
    assert response.status_code == 422
    assert not Dispute.objects.exists()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("answer/", {"answer": "", "offer": "10"}),
        ("answer/", {"answer": "x", "offer": "120.01"}),
        ("answer/", {"answer": "x", "offer": ""}),
        ("settle/", {"seen": "x"}),
        ("evidence/", {"text": " "}),
        ("evidence/", {"uploads": ("fake.pdf", b"nothing")}),
    ],
)
def test_bad_input_comes_back_and_writes_nothing(
    dispute: Dispute, order: Order, builder_user: User, nothing_happens: Any, path: str, data: dict[str, Any]
) -> None:
    sent = {key: SimpleUploadedFile(*value) if isinstance(value, tuple) else value for key, value in data.items()}
    with nothing_happens(order):
        assert signed_in(builder_user).post(f"/disputes/{dispute.number}/{path}", sent).status_code == 422
    dispute.refresh_from_db()
    assert dispute.status == D.OPEN


def test_an_order_that_takes_no_dispute_shows_its_page(make_order: MakeOrder, client_user: User, nothing_happens: Any) -> None:
    order = make_order(S.COMPLETED)
    client = signed_in(client_user)
    with nothing_happens(order):
        for response in (client.get(f"/orders/{order.number}/dispute/"), client.post(f"/orders/{order.number}/dispute/", form())):
            assert response["Location"] == f"/orders/{order.number}/#problem"


def test_live_sends_what_changed_and_nothing_else(dispute: Dispute, client_user: User, builder_user: User, django_assert_num_queries: Any) -> None:
    client, here = signed_in(client_user), f"/disputes/{dispute.number}/live/"
    first = client.get(here, headers=HTMX)
    with django_assert_num_queries(LIVE_QUERIES):
        assert client.get(here, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == 304
    answer(dispute, builder_user, "10.00")
    changed = client.get(here, headers={**HTMX, "If-None-Match": first["ETag"]})
    assert ANSWER in changed.content.decode()


def test_the_pages_ask_a_fixed_number_of_questions(
    make_order: MakeOrder, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    order = make_order(S.DELIVERED)
    client = signed_in(client_user)
    page(client, "/orders/")
    with django_assert_num_queries(FORM_QUERIES):
        page(client, f"/orders/{order.number}/dispute/")
    dispute = open_by(order, client_user, "120.00", uploads=[SimpleUploadedFile("a.txt", b"a")])
    with django_assert_num_queries(PAGE_QUERIES):
        page(client, f"/disputes/{dispute.number}/")
    for number in range(5):
        actions.add_evidence(dispute.pk, actor=builder_user, text=f"{number}", uploads=[SimpleUploadedFile("b.txt", b"b")])
    with django_assert_num_queries(PAGE_QUERIES):
        page(client, f"/disputes/{dispute.number}/")


def test_the_list_says_whose_turn_it_is(dispute: Dispute, client_user: User, builder_user: User) -> None:
    assert "Needs you" in page(signed_in(builder_user), "/orders/?as=builder")
    assert "Needs you" not in page(signed_in(client_user), "/orders/?as=client").split("In dispute")[0].split("Waits for others")[0]
    with at(dispute.answer_until):
        jobs.escalate_disputes()
    shown: Callable[[User], str] = lambda user: page(signed_in(user), f"/orders/{dispute.order.number}/")  # noqa: E731
    assert "Support decides" in shown(client_user)
    assert "Support decides" in shown(builder_user)
