"""Orders, offers, disputes, and what both sides agree on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from port444.accounts.models import User
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Offer
from port444.orders.terms import terms_of_package

from .asking import BAD_MONEY, NUL, Ask, World, faults, file, in_dispute, not_taken, on_order

pytestmark = pytest.mark.django_db

BAD: dict[str, Ask] = {
    "order without a key": lambda world: (world.client_user, f"/orders/place/{world.package.pk}/", {"client_key": "again"}),
    "answer with NUL": on_order("asking", "answer", q1=NUL, q2="MySQL"),
    "answer that was not offered": on_order("asking", "answer", q1="All", q2="Oracle"),
    "answers missing": on_order("asking", "answer"),
    "note with NUL": on_order("working", "deliver", note=NUL),
    "note too long": on_order("working", "deliver", note="x" * 5001),
    "revision with NUL": on_order("delivered", "revision", note=NUL),
    "revision without words": on_order("delivered", "revision", note=" "),
    "reason too long": on_order("asking", "cancel", reason="x" * 301),
    "reason with NUL": on_order("asking", "cancel", reason=NUL),
    "review too early": on_order("working", "review", stars=5),
    "six stars": on_order("delivered", "review", stars=6),
    "six stars for the talk": on_order("delivered", "review", stars=5, communication=6),
    "review with NUL": on_order("delivered", "review", stars=5, text=NUL),
    "review too long": on_order("delivered", "review", stars=5, text="x" * 2001),
    "reply to nothing": on_order("delivered", "reply", text="Thank you."),
    "report of no review": lambda world: (world.client_user, f"/reviews/{world.asking.pk}/report/", {"reason": "spam"}),
    "order of nobody": lambda world: (world.client_user, "/orders/99999999999999999999/accept/", {}),
}

GOOD: dict[str, Ask] = {
    "answer": on_order("asking", "answer", q1="All", q2="MySQL"),
    "deliver": on_order("working", "deliver", note="Done"),
    "revision": on_order("delivered", "revision", note="Faster"),
}


def test_orders_are_not_carried_out_badly(world: World) -> None:
    assert faults(world, BAD) == {}
    assert not_taken(world, GOOD) == []


def new_offer(**changes: Any) -> Ask:
    """An offer that the builder writes, with something wrong in it."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        form = {"package": world.package.pk, "title": "Five", "scope": "All.", "price": "150", "days": 5, "revisions": 1, "hours": 48}
        return world.builder.user, f"/messages/{world.asking.conversation_id}/offer/", form | {"client_key": str(uuid7())} | changes

    return ask


def on_offer(step: str, **form: Any) -> Ask:
    """The client answers an offer that stands."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        terms = terms_of_package(world.package, Decimal("150.00"))
        made = Offer.objects.filter(conversation=world.asking.conversation_id, status="open").first()
        if made is None:
            made = orders.send_offer(world.asking.conversation_id, actor=world.builder.user, terms=terms, client_key=uuid7())
        filled = {"client_key": str(uuid7()), "price": "140", "days": 5, "revisions": 1, "scope": "All."}
        return world.client_user, f"/offers/{made.pk}/{step}/", filled | form

    return ask


OFFERS: dict[str, Ask] = {
    **{f"offer for {text[:9]!r}": new_offer(price=text) for text in BAD_MONEY},
    **{f"other terms for {text!r}": on_offer("counter", price=text) for text in ("5.001", "-20", "NaN", "0")},
    "offer with NUL": new_offer(scope=NUL),
    "offer without a name": new_offer(title=" "),
    "offer in no days": new_offer(days=0),
    "offer in endless days": new_offer(days="9" * 30),
    "offer with endless revisions": new_offer(revisions=21),
    "offer that stands for an hour": new_offer(hours=1),
    "offer without a key": new_offer(client_key="again"),
    "offer of a package that is none": new_offer(package="x"),
    "offer of a package of nobody": new_offer(package=str(uuid7())),
    "offer of a service of nobody": new_offer(package="", service=str(uuid7())),
    "offer that answers none": new_offer(answers=str(uuid7())),
    "offer that hints at none": new_offer(suggestion="\x00"),
    "other terms with NUL": on_offer("counter", scope=NUL),
    "other terms in no days": on_offer("counter", days=0),
    "other terms that are the same": on_offer("counter", price="150", days=7, revisions=2, scope="Queries."),
    "offer accepted without a key": on_offer("accept", client_key="x"),
    "offer declined with NUL": on_offer("decline", reason=NUL),
    "offer declined at length": on_offer("decline", reason="x" * 301),
    "offer withdrawn by its reader": on_offer("withdraw"),
    "offer sent by its reader": on_offer("send"),
}


def test_a_bad_offer_is_refused_in_words_and_writes_nothing(world: World) -> None:
    assert faults(world, OFFERS) == {}


def dispute(**changes: Any) -> Ask:
    """The claim of a client, with something wrong in it."""
    return on_order("delivered", "dispute", **{"reason": "not_as_agreed", "claim": "Slow.", "to_client": "60"} | changes)


DISPUTES: dict[str, Ask] = {
    **{f"claim of {text[:9]!r}": dispute(to_client=text) for text in [*BAD_MONEY, "", "180.01"] if text != "0"},
    **{f"figure of {text[:9]!r}": in_dispute("answer", answer="No.", offer=text) for text in [*BAD_MONEY, "", "120.01"] if text != "0"},
    "claim with NUL": dispute(claim=NUL),
    "claim too long": dispute(claim="x" * 5001),
    "claim without words": dispute(claim=" "),
    "claim for no reason": dispute(reason="boredom"),
    "claim for a reason of the other side": dispute(reason="unfair_changes"),
    "claim without a key": dispute(client_key="again"),
    "claim with a program": dispute(uploads=file("setup.exe", b"MZ")),
    "answer with NUL": in_dispute("answer", answer=NUL, offer="10"),
    "figure before an answer": in_dispute("figure", to_client="10"),
    "settled without a figure": in_dispute("settle"),
    "settled at another figure": in_dispute("settle", seen="1.00"),
    "settled at NUL": in_dispute("settle", seen="120.00\x00"),
    "withdrawn by the other side": in_dispute("withdraw"),
    "brought before support too early": in_dispute("escalate"),
    "evidence that is empty": in_dispute("evidence"),
    "evidence with NUL": in_dispute("evidence", text=NUL),
    "dispute of nobody": lambda world: (world.client_user, "/disputes/999999999/settle/", {"seen": "1"}),
    "dispute of another": lambda world: (world.other.user, in_dispute("settle")(world)[1], {"seen": "120.00"}),
}

GOOD_DISPUTES: dict[str, Ask] = {
    "dispute": dispute(),
    "answer of a dispute": in_dispute("answer", answer="No.", offer="10"),
    "settled dispute": in_dispute("settle", seen="120.00"),
}


def test_a_bad_dispute_is_refused_in_words_and_writes_nothing(world: World) -> None:
    assert faults(world, DISPUTES) == {}
    assert not_taken(world, GOOD_DISPUTES) == []


def end(**changes: Any) -> Ask:
    """An end by agreement whose figures were on the page."""
    return on_order("delivered", "end", **{"to_client": "60", "seen": "60.00", "reason": "Other plans."} | changes)


BETWEEN_BOTH: dict[str, Ask] = {
    **{f"division of {text[:9]!r}": end(to_client=text, seen=text) for text in [*BAD_MONEY, "", "0", "180.01"]},
    "end with NUL": end(reason=NUL),
    "end too long": end(reason="x" * 1001),
    "end without words": end(reason=" "),
    "end without a key": end(client_key="again"),
    "more time of no days": on_order("working", "more-time", days="0", reason="Ill."),
    "more time of endless days": on_order("working", "more-time", days="9" * 30, reason="Ill."),
    "more time with NUL": on_order("working", "more-time", days="3", reason=NUL),
    "more time without a key": on_order("working", "more-time", days="3", reason="Ill.", client_key="again"),
    "more questions with NUL": on_order("working", "ask", questions=NUL),
    "more questions, too many": on_order("working", "ask", questions="a\nb\nc\nd\ne\nf"),
    "more questions, too long": on_order("working", "ask", questions="x" * 201),
    "went on without having asked": on_order("working", "go-on"),
}

GOOD_BETWEEN_BOTH: dict[str, Ask] = {
    "end by agreement": end(),
    "more time": on_order("working", "more-time", days="3", reason="Ill."),
    "more questions": on_order("working", "ask", questions="Which server?"),
}


def test_what_both_agree_on_is_not_asked_badly(world: World) -> None:
    assert faults(world, BETWEEN_BOTH) == {}
    assert not_taken(world, GOOD_BETWEEN_BOTH) == []
