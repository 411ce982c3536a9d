"""The pages of a change: who sees them, what they say and ask, what a press does, and that nothing that was written is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from amendments import actions
from amendments.actions import Terms
from amendments.forms import KINDS
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from port444.accounts.models import User
from port444.kit.clock import at
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from port444.payments.models import EscrowAttempt, EscrowOperation
from tests.orders.conftest import MakeOrder

from .conftest import ALL, REVISION, SCOPE, TIME, TOP_UP, Chain, Propose, now_of
from .test_approve import pay

A, S, T = AmendmentStatus, OrderStatus, AmendmentType
Quiet = Callable[[Order], AbstractContextManager[None]]
HTMX = {"HX-Request": "true"}
DETAIL_QUERIES, LIST_QUERIES, FORM_QUERIES, LIVE_QUERIES = 7, 8, 4, 3
FILLED = {
    "type": T.SCOPE_CHANGE,
    "reason": "You found more tables.",
    "description": "Also the reports.",
    "amount": "60",
    "days": "3",
    "deliverables": "Two reports\n- A call",
}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def body(response: Any) -> str:
    return str(response.content.decode())


def filled(**fields: Any) -> dict[str, Any]:
    return {**FILLED, "client_key": uuid7(), **fields}


# Proposing


def test_either_side_proposes_with_the_form(order: Order, client_user: User, builder_user: User) -> None:
    address = f"/orders/{order.number}/changes/new/"
    response = signed_in(builder_user).post(address, filled())
    assert (response.status_code, response["Location"]) == (302, f"/orders/{order.number}/#change")
    made = Amendment.objects.get()
    assert (made.by_builder, made.additional_amount, made.additional_days) == (True, Decimal("60.00"), 3)
    assert made.additional_deliverables == ["Two reports", "A call"]
    actions.withdraw(made.pk, actor=builder_user)
    signed_in(client_user).post(address, filled(type=T.TOP_UP, amount="1,040.50"))
    made = Amendment.objects.latest("created_at")
    assert (made.by_builder, made.amendment_type, made.additional_amount) == (False, T.TOP_UP, Decimal("1040.50"))
    assert (made.description, made.additional_days, made.additional_deliverables) == ("", 0, [])  # a larger budget takes no more


def test_pressing_twice_proposes_once(order: Order, builder_user: User) -> None:
    client, sent = signed_in(builder_user), filled()
    for _ in range(2):
        assert client.post(f"/orders/{order.number}/changes/new/", sent).status_code == 302
    assert Amendment.objects.count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_shows_what_the_type_needs(order: Order, builder_user: User, kind: str) -> None:
    page = body(signed_in(builder_user).get(f"/orders/{order.number}/changes/new/", {"type": kind}))
    for name in ("deliverables", "description", "amount", "days"):
        assert (f'id="id_{name}"' in page) == (name in KINDS[kind].fields), name
    assert 'id="id_reason"' in page


def test_without_a_type_only_the_choice_is_asked(order: Order, builder_user: User) -> None:
    page = body(signed_in(builder_user).get(f"/orders/{order.number}/changes/new/"))
    assert page.count('name="type"') == len(KINDS) == len(T.values)
    assert "id_reason" not in page
    assert "<noscript" in page  # goes on without a script


def test_another_type_keeps_what_was_written(order: Order, builder_user: User) -> None:
    client, address = signed_in(builder_user), f"/orders/{order.number}/changes/new/"
    for headers in ({}, HTMX):
        page = body(client.post(address, filled(type=T.TOP_UP, do="fields"), headers=headers))
        assert 'id="id_days"' not in page
        for kept in ("Two reports", "Also the reports.", "You found more tables."):
            assert kept in page
    assert Amendment.objects.count() == 0


def test_before_and_after_are_shown_without_writing(order: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    address = f"/orders/{order.number}/changes/new/"
    with nothing_happens(order):
        page = body(signed_in(client_user).post(address, filled(do="preview"), headers=HTMX))
        assert "<html" not in page
        for words in ("$180.00", "$240.00", "+ $60.00", "+ 3 days", "2 deliverables more", "Service fee, 5.5%", "$3.30", "$63.30 USDC"):
            assert words in page, words
        page = body(signed_in(builder_user).post(address, filled(do="preview")))
        assert "$54.00 USDC" in page  # what the builder gets of it
        page = body(signed_in(client_user).post(address, filled(do="preview", amount="sixty"), headers=HTMX))
        assert "Nothing to pay" in page
        assert "+ 3 days" in page  # what is at fault does not hide the rest


def test_credits_show_before_anybody_is_asked(order: Order, client_user: User, give: Callable[..., Any], builder_user: User) -> None:
    give("25.00")
    page = body(signed_in(client_user).post(f"/orders/{order.number}/changes/new/", filled(do="preview"), headers=HTMX))
    assert "-$25.00" in page
    assert "$38.30 USDC" in page
    page = body(signed_in(builder_user).post(f"/orders/{order.number}/changes/new/", filled(do="preview"), headers=HTMX))
    assert "$25.00" not in page  # it is the client's own affair


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": ""}, "Say in one sentence why."),
        ({"type": ""}, "Choose what should change."),
        ({"type": "nonsense"}, "Choose what should change."),
        ({"description": ""}, "Describe what changes"),
        ({"amount": "12.345"}, "two decimals"),
        ({"amount": "-5"}, "number, for example"),
        ({"amount": "0.50"}, "Between $1.00"),
        ({"days": "-1"}, "not taken away"),
        ({"days": "91"}, "At most 90 days"),
        ({"days": "many"}, "whole number"),
        ({"type": T.TIMELINE_EXTENSION, "days": ""}, "how many days"),
        ({"type": T.TIMELINE_EXTENSION, "days": "0"}, "how many days"),
        ({"type": T.TOP_UP, "amount": ""}, "by how much"),
        ({"type": T.TOP_UP, "amount": "0"}, "by how much"),
        ({"type": T.ADD_DELIVERABLE, "deliverables": " \n - \n"}, "on top"),
        ({"deliverables": "\n".join(["x"] * 21)}, "At most 20"),
        ({"deliverables": "x" * 201}, "at most 200"),
        ({"client_key": "x"}, "out of date"),
        ({"reason": "a\x00b"}, "null"),
    ],
)
def test_bad_input_is_worded_and_nothing_is_lost(
    order: Order, builder_user: User, nothing_happens: Quiet, fields: dict[str, str], words: str
) -> None:
    with nothing_happens(order):
        response = signed_in(builder_user).post(f"/orders/{order.number}/changes/new/", filled(**fields))
    assert response.status_code == 422
    page = body(response)
    assert words.lower() in page.lower()
    if "type" not in fields:
        for name, value in FILLED.items():
            if name not in ("type", *fields):
                assert escape(value) in page, name


def test_a_second_change_is_refused_with_all_that_was_written(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet) -> None:
    standing = propose(order)
    with nothing_happens(order):
        response = signed_in(client_user).post(f"/orders/{order.number}/changes/new/", filled())
    assert response.status_code == 409
    page = body(response)
    assert "under way already" in page
    assert f"/changes/{standing.pk}/" in page
    assert "Also the reports." in page


def test_the_form_leads_to_what_is_open(order: Order, client_user: User, propose: Propose, make_order: MakeOrder) -> None:
    standing = propose(order)
    client = signed_in(client_user)
    assert client.get(f"/orders/{order.number}/changes/new/")["Location"] == f"/changes/{standing.pk}/"
    ended = make_order(S.COMPLETED)
    assert client.get(f"/orders/{ended.number}/changes/new/")["Location"] == f"/orders/{ended.number}/"
    assert client.post(f"/orders/{ended.number}/changes/new/", filled()).status_code == 409


def test_a_new_version_starts_from_the_old_one(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    first = propose(order)
    actions.ask_for_changes(first.pk, actor=client_user, note="Fifty would be right.")
    builder = signed_in(builder_user)
    page = body(builder.get(f"/changes/{first.pk}/revise/"))
    for words in ("Fifty would be right.", "Also the reports.", 'value="60.00"', "Two reports"):
        assert words in page
    assert builder.post(f"/changes/{first.pk}/revise/", filled(amount="50")).status_code == 302
    second = Amendment.objects.get(replaces=first)
    assert (second.version, second.additional_amount, now_of(first).status) == (2, Decimal("50.00"), A.SUPERSEDED)
    response = builder.post(f"/changes/{first.pk}/revise/", filled(amount="45"))  # from a tab that was left open
    assert response.status_code == 409
    assert 'value="45"' in body(response)
    assert builder.get(f"/changes/{first.pk}/revise/")["Location"] == f"/changes/{first.pk}/"
    assert signed_in(client_user).post(f"/changes/{second.pk}/revise/", filled()).status_code == 403


# Answering


def test_approving_leads_the_client_to_the_checkout(order: Order, client_user: User, propose: Propose) -> None:
    asked = propose(order)
    client = signed_in(client_user)
    assert "Approve and pay $63.30" in body(client.get(f"/orders/{order.number}/"))
    response = client.post(f"/changes/{asked.pk}/approve/")
    asked = now_of(asked)
    assert (asked.status, response["Location"]) == (A.APPROVED, f"/pay/{asked.invoice_id}/")
    checkout = body(client.get(response["Location"]))
    assert "$63.30" in checkout
    assert "in force" in checkout
    pay(asked)
    page = body(client.get(f"/orders/{order.number}/"))
    assert "Price now" in page
    assert "$240.00" in page
    assert "The clock stands" not in page


def test_a_builder_approves_and_the_client_is_asked_to_pay(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    asked = propose(order, TOP_UP, client_user)
    response = signed_in(builder_user).post(f"/changes/{asked.pk}/approve/", {"at": "change"})
    assert response["Location"] == f"/changes/{asked.pk}/"
    assert "Pay $42.20" in body(signed_in(client_user).get(f"/orders/{order.number}/"))
    assert "Jonas pays for the change" in body(signed_in(builder_user).get(f"/orders/{order.number}/"))


def test_time_alone_needs_no_payment(order: Order, client_user: User, propose: Propose) -> None:
    asked = propose(order, TIME)
    client = signed_in(client_user)
    page = body(client.get(f"/orders/{order.number}/"))
    assert "Nothing to pay" in page
    assert "Approve and pay" not in page
    response = client.post(f"/changes/{asked.pk}/approve/", follow=True)
    assert now_of(asked).status == A.COMPLETED
    assert "Approved. The change is in force." in body(response)


@pytest.mark.parametrize(("path", "field"), [("decline", "reason"), ("ask", "note")])
def test_a_no_has_a_reason(order: Order, client_user: User, propose: Propose, nothing_happens: Quiet, path: str, field: str) -> None:
    asked = propose(order)
    client, address = signed_in(client_user), f"/changes/{asked.pk}/{path}/"
    with nothing_happens(order):
        response = client.post(address, {field: " "})
        assert response.status_code == 422
        assert 'aria-invalid="true"' in body(response)
        response = client.post(address, {field: "z" * 1001})
        assert response.status_code == 422
        assert "z" * 1001 in body(response)
    assert client.post(address, {field: "It is too much for one page."}).status_code == 302
    assert now_of(asked).status == {"decline": A.REJECTED, "ask": A.CHANGES_REQUESTED}[path]
    assert "It is too much for one page." in body(client.get(f"/changes/{asked.pk}/"))


ANSWERS = {
    "approve": {},
    "decline": {"reason": "No."},
    "ask": {"note": "Cheaper."},
    "withdraw": {},
    "retry": {},
    "money-back": {},
}


@pytest.mark.parametrize("path", ANSWERS)
def test_a_stale_page_gets_the_present_state(
    order: Order, client_user: User, builder_user: User, propose: Propose, nothing_happens: Quiet, path: str
) -> None:
    asked = propose(order)
    actions.withdraw(asked.pk, actor=builder_user)
    client = signed_in(builder_user if path == "withdraw" else client_user)
    with nothing_happens(order):
        response = client.post(f"/changes/{asked.pk}/{path}/", ANSWERS[path])
    assert response.status_code == 409
    page = body(response)
    assert "Nothing was changed." in page
    assert "withdrew the change" in page


@pytest.mark.parametrize("path", ANSWERS)
def test_the_wrong_side_may_not(order: Order, builder_user: User, propose: Propose, nothing_happens: Quiet, path: str, client_user: User) -> None:
    asked = propose(order)
    client = signed_in(client_user if path == "withdraw" else builder_user)
    with nothing_happens(order):
        assert client.post(f"/changes/{asked.pk}/{path}/", ANSWERS[path]).status_code == 403


def test_strangers_find_nothing(order: Order, stranger: User, staff: User, propose: Propose, nothing_happens: Quiet) -> None:
    asked = propose(order)
    client = signed_in(stranger)
    with nothing_happens(order):
        for path in ("", "live/", "revise/"):
            assert client.get(f"/changes/{asked.pk}/{path}").status_code == 404
        for path in ("", "new/"):
            assert client.get(f"/orders/{order.number}/changes/{path}").status_code == 404
        for path, sent in (*ANSWERS.items(), ("revise", filled())):
            assert client.post(f"/changes/{asked.pk}/{path}/", sent).status_code == 404
        for path in ("new", "extra-revision"):
            assert client.post(f"/orders/{order.number}/changes/{path}/", filled()).status_code == 404
    assert "/account/login/" in Client().get(f"/changes/{asked.pk}/")["Location"]


# Following


@pytest.fixture
def in_state(chain_order: Order, client_user: User, builder_user: User, propose: Propose, chain: Chain) -> Callable[[str], Amendment]:
    """An amendment of the builder's in the state that is asked for, on a chain."""

    def make(status: str) -> Amendment:
        asked = propose(chain_order)
        if status == A.PENDING:
            return asked
        if status == A.WITHDRAWN:
            return actions.withdraw(asked.pk, actor=builder_user)
        if status == A.REJECTED:
            return actions.decline(asked.pk, actor=client_user, reason="Too much.")
        if status in (A.CHANGES_REQUESTED, A.SUPERSEDED):
            asked = actions.ask_for_changes(asked.pk, actor=client_user, note="Cheaper.")
            if status == A.SUPERSEDED:
                actions.revise(asked.pk, actor=builder_user, client_key=uuid7(), terms=TOP_UP)
                asked.refresh_from_db()
            return asked
        if status == A.EXPIRED:
            with at(asked.expires_at):
                return actions.expire(asked.pk)
        asked = actions.approve(asked.pk, actor=client_user)
        if status == A.APPROVED:
            return asked
        pay(asked)
        if status == A.COMPLETED:
            chain.confirm()
        if status in (A.FUNDING_FAILED, A.REFUNDED):
            chain.give_up("The token is paused.")
        if status == A.REFUNDED:
            actions.take_money_back(asked.pk, actor=client_user)
        asked.refresh_from_db()
        return asked

    return make


@pytest.mark.parametrize("status", [status for status in A.values if status != A.PAID])  # which lasts for no time at all
def test_every_state_has_its_page(in_state: Callable[[str], Amendment], client_user: User, builder_user: User, status: str) -> None:
    found = in_state(status)
    assert found.status == status
    for user in (client_user, builder_user):
        for address in (f"/changes/{found.pk}/", f"/orders/{found.order.number}/", f"/orders/{found.order.number}/changes/", "/orders/"):
            response = signed_in(user).get(address, {"as": "builder" if user == builder_user else "client"})
            assert response.status_code == 200
            assert not re.search(r"\bNone\b(?!-Match)", body(response))
        page = signed_in(user).get(f"/changes/{found.pk}/")
        assert escape(page.context["look"].helm.title) in body(page)


def test_the_way_into_escrow_can_be_watched(
    in_state: Callable[[str], Amendment], client_user: User, chain: Chain, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.CHAIN_EXPLORER_URL = "https://explorer.example/tx/"
    found = in_state(A.FUNDING)
    client, address = signed_in(client_user), f"/changes/{found.pk}/"
    page = body(client.get(address))
    assert "about a minute" in page
    assert "http-equiv" in page  # looks again without a script
    mark = client.get(address).context["mark"]
    quiet = {**HTMX, "If-None-Match": f'"{mark}"'}
    with django_assert_num_queries(LIVE_QUERIES + 1):  # and the operation
        assert client.get(f"{address}live/", headers=quiet).status_code == 304
    operation = EscrowOperation.objects.get(op_id=found.funding)
    EscrowAttempt.objects.create(
        tx_hash="0x" + "ab" * 32, operation=operation, chain_id=31337, signer="0x" + "11" * 20, nonce=1, raw=b"", gas=1, max_fee=1, tip=1
    )
    fresh = client.get(f"{address}live/", headers=quiet)
    assert fresh.status_code == 200
    assert "https://explorer.example/tx/0x" + "ab" * 32 in body(fresh)
    assert "https://explorer.example/tx/0x" + "ab" * 32 in body(client.get(f"/orders/{found.order.number}/"))
    chain.confirm()
    assert "In force since" in body(client.get(f"{address}live/", headers=quiet))
    assert client.get(f"{address}live/")["Location"] == address


def test_what_escrow_did_not_take_has_two_ways_on(in_state: Callable[[str], Amendment], client_user: User, builder_user: User, chain: Chain) -> None:
    found = in_state(A.FUNDING_FAILED)
    client, address = signed_in(client_user), f"/orders/{found.order.number}/"
    page = body(client.get(address))
    for words in ("Escrow did not take the money", "Try again", "Take $63.30 back", "The token is paused."):
        assert words in page
    assert "Try again<" not in body(signed_in(builder_user).get(address))
    assert client.post(f"/changes/{found.pk}/retry/").status_code == 302
    assert now_of(found).status == A.FUNDING
    chain.give_up("Once more.")
    page = body(client.get(f"/changes/{found.pk}/"))
    assert page.count("Money into escrow") == 2
    response = client.post(f"/changes/{found.pk}/money-back/", follow=True)
    assert now_of(found).status == A.REFUNDED
    assert "goes back to where it came from" in body(response)


def test_versions_and_what_was_said_are_kept(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    first = propose(order)
    actions.ask_for_changes(first.pk, actor=client_user, note="Fifty would be right.")
    second = actions.revise(first.pk, actor=builder_user, client_key=uuid7(), terms=TOP_UP)
    page = body(signed_in(client_user).get(f"/changes/{second.pk}/"))
    for words in ("Version 1", "Version 2", "Fifty would be right.", "You found more tables.", "$240.00", "$220.00"):
        assert words in page
    page = body(signed_in(client_user).get(f"/changes/{first.pk}/"))
    assert "There is a newer version." in page
    assert f"/changes/{second.pk}/" in page
    assert "Approve" not in page


def test_the_order_page_shows_the_change_and_why_the_clock_stands(order: Order, client_user: User, builder_user: User, propose: Propose) -> None:
    builder = signed_in(builder_user)
    assert "Propose a change" in body(builder.get(f"/orders/{order.number}/"))
    propose(order)
    page = body(builder.get(f"/orders/{order.number}/"))
    for words in ("The clock stands", "for Jonas", "Withdraw", "You get more", "When in force"):
        assert words in page
    assert "Propose a change" not in page
    client = signed_in(client_user)
    response = client.get(f"/orders/{order.number}/")
    assert (response.context["helm"].wait, response.context["helm"].href) == (False, "#change")
    state = response.context["state"]
    actions.withdraw(Amendment.objects.get().pk, actor=builder_user)
    assert client.get(f"/orders/{order.number}/").context["state"] != state  # so that an open page takes the panel away


def test_lists_and_the_day_put_first_who_has_to_answer(make_order: MakeOrder, client_user: User, builder_user: User, propose: Propose) -> None:
    order = make_order(S.IN_PROGRESS)
    client, builder = signed_in(client_user), signed_in(builder_user)

    def group(user: Client, side: str) -> str:
        context = user.get("/orders/", {"as": side}).context
        return "Needs you" if context["needs"] else str(context["groups"][0][0])

    assert group(client, "client") == "Waits for others"
    asked = propose(order)
    assert group(client, "client") == "Needs you"
    assert "Answer Anaya’s change request" in body(client.get("/orders/"))
    assert "Deliver by" in builder.get("/today/").context["needs"][0].need.title  # work may go on meanwhile
    actions.ask_for_changes(asked.pk, actor=client_user, note="Cheaper.")
    assert group(client, "client") == "Waits for others"
    late = make_order(S.DELIVERED)
    day = builder.get("/today/").context
    assert [row.number for row, _ in day["waiting"]] == [late.number]
    assert ["asks for changes to your request" in line.need.title for line in day["needs"]] == [True]


# One press


@pytest.fixture
def spent(make_order: MakeOrder, client_user: User, builder_user: User) -> Order:
    """Delivered, and the revisions of the package are used up."""
    order = make_order(S.DELIVERED)
    for turn in range(order.revisions_allowed):
        orders.request_revision(order.pk, actor=client_user, note=f"More {turn}.")
        orders.deliver(order.pk, actor=builder_user, note="Again.")
    order.refresh_from_db()
    return order


def test_a_revision_past_the_limit_becomes_an_offer(spent: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    client = signed_in(client_user)
    for headers in ({}, HTMX):
        with nothing_happens(spent):
            response = client.post(f"/orders/{spent.number}/revision/", {"note": "The search is still slow."}, headers=headers)
        assert response.status_code == 409
        page = body(response)
        assert f"/orders/{spent.number}/changes/extra-revision/" in page
        assert ">The search is still slow.</textarea>" in page
    offer = next(more.context["suggested"] for more in client.get(f"/orders/{spent.number}/").context["additions"] if more.spent)
    sent = {"note": "The search is still slow.", "amount": offer.amount, "days": offer.days, "client_key": uuid7()}
    assert client.post(f"/orders/{spent.number}/changes/extra-revision/", sent)["Location"] == f"/orders/{spent.number}/#change"
    asked = Amendment.objects.get()
    assert (asked.amendment_type, asked.additional_revisions, asked.additional_amount) == (T.OUT_OF_SCOPE_REVISION, 1, Decimal("36.00"))
    page = body(signed_in(builder_user).get(f"/orders/{spent.number}/"))
    for words in ("Extra revision", "The search is still slow.", "$32.40", "taken up again"):
        assert words in page
    asked = actions.approve(asked.pk, actor=builder_user)
    pay(asked)
    assert now_of(spent).status == S.IN_REVISION


def test_a_fault_in_one_press_loses_nothing(spent: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    client, address = signed_in(client_user), f"/orders/{spent.number}/changes/extra-revision/"
    sent = {"note": "The search is still slow.", "amount": "a lot", "days": "2", "client_key": uuid7()}
    with nothing_happens(spent):
        response = client.post(address, sent)
        assert response.status_code == 422
        for words in ("The search is still slow.", 'value="a lot"', 'value="2"', "for example"):
            assert words in body(response)
        assert signed_in(builder_user).post(address, sent).status_code == 403


def test_while_a_change_is_open_no_offer_is_made(spent: Order, client_user: User, propose: Propose) -> None:
    propose(spent, TIME)
    client = signed_in(client_user)
    assert "extra-revision" not in body(client.get(f"/orders/{spent.number}/"))
    response = client.post(f"/orders/{spent.number}/changes/extra-revision/", {"note": "Slow.", "amount": "36", "days": "2", "client_key": uuid7()})
    assert response.status_code == 409
    assert "Slow." in body(response)


# What the pages ask of the database


def test_the_pages_ask_a_fixed_number_of_questions(
    order: Order, client_user: User, builder_user: User, propose: Propose, django_assert_num_queries: Any
) -> None:
    client = signed_in(client_user)
    client.get("/orders/")

    def count() -> None:
        newest = Amendment.objects.latest("created_at")
        with django_assert_num_queries(DETAIL_QUERIES):
            client.get(f"/changes/{newest.pk}/")
        with django_assert_num_queries(LIST_QUERIES - 1 if newest.additional_amount == 0 else LIST_QUERIES):
            client.get(f"/orders/{order.number}/changes/")
        mark = client.get(f"/changes/{newest.pk}/").context["mark"]
        with django_assert_num_queries(LIVE_QUERIES):
            client.get(f"/changes/{newest.pk}/live/", headers={**HTMX, "If-None-Match": f'"{mark}"'})

    asked = propose(order)
    count()
    for terms in (TOP_UP, REVISION, SCOPE):
        actions.ask_for_changes(asked.pk, actor=client_user, note="Not like this.")
        asked = actions.revise(asked.pk, actor=builder_user, client_key=uuid7(), terms=terms)
    count()


def test_the_form_asks_a_fixed_number_of_questions(order: Order, client_user: User, give: Callable[..., Any], django_assert_num_queries: Any) -> None:
    client = signed_in(client_user)
    address = f"/orders/{order.number}/changes/new/"
    client.get(address)
    for _ in range(2):
        with django_assert_num_queries(FORM_QUERIES):
            client.post(address, filled(do="preview"), headers=HTMX)
        give("5.00")
    with django_assert_num_queries(FORM_QUERIES + 2):  # what is open, and messages
        client.get(address)


@pytest.mark.parametrize("terms", ALL, ids=lambda terms: str(terms.amendment_type))
def test_each_type_is_told_on_both_sides(order: Order, client_user: User, builder_user: User, propose: Propose, terms: Terms) -> None:
    propose(order, terms)
    for user in (client_user, builder_user):
        page = body(signed_in(user).get(f"/orders/{order.number}/"))
        assert escape(terms.reason) in page
        assert str(T(terms.amendment_type).label) in page
        assert ("Nothing to pay" in page) == (terms.amount == 0)


def test_staff_read_changes_in_the_console(order: Order, staff: User, propose: Propose) -> None:
    asked = propose(order)
    client = signed_in(staff)
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": 0}]
    session.save()
    assert client.get(f"/console/amendments/amendment/{asked.pk}/change/").status_code in (200, 302)
