"""The builder's questions: every kind of answer, the form that asks them, and the one round of further questions for which the clock stands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import AmendmentType
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.catalog import actions as catalog
from port444.catalog.models import Service
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import DisputeReason, Order, OrderStatus

from .conftest import MakeOrder

S = OrderStatus
HOUR = timedelta(hours=1)
Quiet = Callable[..., AbstractContextManager[None]]
ASKED: list[Any] = [
    {"label": "Which parts?", "kind": "choices", "required": True, "options": ["Shop", "Blog", "Search"], "help": "As many as <b>you</b> like."},
    {"label": "Launch", "kind": "date", "required": True, "options": []},
    {"label": "Staging", "kind": "link", "required": False, "options": []},
]


def again(order: Order) -> Order:
    return Order.objects.with_people().get(pk=order.pk)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order(S.IN_PROGRESS)


# Kinds


@pytest.fixture
def asked(service: Service, builder_user: User, make_order: MakeOrder) -> Order:
    """An order with the questions above, which its service has changed since."""
    catalog.change_service(service.pk, actor=builder_user, questions=ASKED)
    order = make_order(S.PENDING_REQUIREMENTS)
    catalog.change_service(service.pk, actor=builder_user, questions=[{"label": "Another", "kind": "text", "required": True, "options": []}])
    return order


BAD = [
    ({1: "Shop\nForum"}, "answer_choice"),
    ({2: "03.12.2026"}, "answer_date"),
    ({2: "2026-02-30"}, "answer_date"),
    ({3: "javascript:alert(1)"}, "answer_link"),
    ({3: "not a link"}, "answer_link"),
    ({1: "", 2: "2026-12-03"}, "answer_missing"),
]


def test_every_kind_is_checked_kept_and_shown_as_it_was_bought(asked: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    with nothing_happens(asked):
        for answers, code in BAD:
            with pytest.raises(Invalid) as refusal:
                actions.answer_requirements(asked.pk, actor=client_user, answers={1: "Shop", 2: "2026-12-03"} | answers)
            assert refusal.value.code == code, answers
    client, address = signed_in(client_user), f"/orders/{asked.number}/answer/"
    page = client.get(f"/orders/{asked.number}/").content.decode()
    assert page.count('type="checkbox" name="q1"') == 3
    assert 'type="date"' in page
    assert 'type="url"' in page
    assert "As many as &lt;b&gt;you&lt;/b&gt; like." in page
    assert "Another" not in page
    assert client.post(address, {"step": "save", "q1": ["Search"], "q3": "staging.example"}).status_code == 302
    assert [row.answer for row in asked.requirements.all()] == ["Search", "", "https://staging.example"]
    kept = client.get(f"/orders/{asked.number}/").content.decode()
    assert 'value="https://staging.example"' in kept
    assert 'value="Search" id="answer_q1_2" checked' in kept.replace('aria-describedby="answer_q1_helptext" ', "")
    assert client.post(address, {"step": "send", "q1": ["Search", "Shop"], "q2": "2026-12-03"}).status_code == 302
    assert [row.answer for row in asked.requirements.all()] == ["Shop\nSearch", "2026-12-03", ""]
    page = signed_in(builder_user).get(f"/orders/{asked.number}/").content.decode()
    assert "Shop, Search" in page
    assert "Thu 3 Dec 2026" in page


def test_before_sending_the_due_date_is_shown_on_both_clocks(asked: Order, client_user: User) -> None:
    page = signed_in(client_user).get(f"/orders/{asked.number}/").content.decode()
    start = page.index("Sending starts the clock")
    assert "Kolkata" in page[start : start + 900]


# The form that asks them


def test_questions_are_moved_and_looked_at_as_the_client_does(service: Service, builder_user: User, client_user: User) -> None:
    builder, address = signed_in(builder_user), f"/services/{service.pk}/"
    page = builder.get(address)
    sent = {field.html_name: field.value() for form in page.context["editor"].forms for field in form if field.value() not in (None, False, "", [])}
    sent = {name: getattr(value, "pk", "\n".join(value) if isinstance(value, list) else value) for name, value in sent.items()}
    moved = builder.post(address, sent | {"move": "0:down", "q0-help": "Addresses, please."})
    shown = [form["label"].value() for form in moved.context["editor"].questions]
    assert shown[:3] == ["Which database?", "Which pages are slow?", "A dump of the schema"]
    assert moved.context["editor"].questions[1]["help"].value() == "Addresses, please."
    assert moved.status_code == 200
    service.refresh_from_db()
    assert service.questions[0]["label"] == "Which pages are slow?"  # nothing is saved by it
    for nonsense in ("9:up", "0:up", "x", "0:sideways", "-1:down"):
        kept = builder.post(address, sent | {"move": nonsense})
        assert kept.context["editor"].questions[0]["label"].value() == "Which pages are slow?"
    preview = f"/services/{service.pk}/questions/"
    assert preview in page.content.decode()
    looked = builder.get(preview).content.decode()
    assert "Which pages are slow?" in looked
    assert "<button" not in looked[looked.index("As your client sees it") : looked.index("Change the questions")]
    assert signed_in(client_user).get(preview).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "choices", "options": ["One"]}, {"kind": "poem"}, {"help": "x" * 201}, {"label": " "}],
    ids=["options", "kind", "help", "label"],
)
def test_a_bad_question_is_refused(service: Service, builder_user: User, wrong: dict[str, Any]) -> None:
    question: Any = {"label": "When?", "kind": "text", "required": True, "options": []} | wrong
    with pytest.raises(Invalid):
        catalog.change_service(service.pk, actor=builder_user, questions=[question])


# One round more


def test_the_clock_stands_until_the_answers_are_there(order: Order, client_user: User, builder_user: User) -> None:
    assert order.due_at is not None
    moment = now()
    with at(moment):
        actions.ask_more(order.pk, actor=builder_user, questions=["Which server?", "Whose account?"])
    waiting = again(order)
    assert (waiting.asks_more, waiting.clock_stopped_at, waiting.status) == (True, moment, S.IN_PROGRESS)
    assert not waiting.is_late(order.due_at + HOUR)
    mail = Notification.objects.get(kind="order.asked_more")
    assert (mail.user_id, "“Whose account?”" in mail.body) == (client_user.pk, True)
    page = signed_in(client_user).get(f"/orders/{order.number}/").content.decode()
    assert "Your turn, the clock stands" in page
    assert "Which server?" in page
    assert "Your turn" not in signed_in(builder_user).get(f"/orders/{order.number}/").content.decode().split('id="feed"')[0]
    with pytest.raises(Invalid):
        actions.answer_requirements(order.pk, actor=client_user, answers={4: "The old one."})
    with at(moment + 5 * HOUR):
        actions.save_answers(order.pk, actor=client_user, answers={4: "The old one."})
        answers, files = {5: "Ours."}, {6: [SimpleUploadedFile("key.txt", b"a")]}
        assert signed_in(builder_user).get(f"/orders/{order.number}/").content.decode().count("The old one.") == 0
        actions.answer_requirements(order.pk, actor=client_user, answers=answers, uploads=files)
    after = again(order)
    assert (after.asks_more, after.clock_stopped_at, after.due_at) == (False, None, order.due_at + 5 * HOUR)
    assert after.started_at == order.started_at
    assert "The old one." in signed_in(builder_user).get(f"/orders/{order.number}/").content.decode()
    assert Notification.objects.get(kind="order.answered_more").user_id == builder_user.pk
    assert AuditLog.objects.filter(event_type="order.more_closed").count() == 1
    with pytest.raises(Conflict) as refusal:
        actions.ask_more(order.pk, actor=builder_user, questions=["And the colour?"])
    assert refusal.value.code == "asked_already"


def test_the_builder_goes_on_or_delivers_without(order: Order, make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    assert order.due_at is not None
    moment, builder = now(), signed_in(builder_user)
    with at(moment):
        assert builder.post(f"/orders/{order.number}/ask/", {"questions": "Which server?\nWhose account?"}).status_code == 302
        assert builder.post(f"/orders/{order.number}/ask/", {"questions": ""}).status_code == 422
    with at(moment + 2 * HOUR):
        assert builder.post(f"/orders/{order.number}/go-on/").status_code == 302
    after = again(order)
    assert (after.asks_more, after.due_at, after.clock_stopped_at) == (False, order.due_at + 2 * HOUR, None)
    other = make_order(S.IN_REVISION)
    actions.ask_more(other.pk, actor=builder_user, questions=["Which server?"])
    delivered = actions.deliver(other.pk, actor=builder_user, note="Without it.").order
    assert (again(delivered).asks_more, again(delivered).clock_stopped_at, again(delivered).status) == (False, None, S.DELIVERED)
    with pytest.raises(WrongState):
        actions.go_on_without(other.pk, actor=builder_user)


def test_what_the_clock_stands_for_is_one_thing_at_a_time(order: Order, client_user: User, builder_user: User, nothing_happens: Quiet) -> None:
    change = Terms(AmendmentType.TIMELINE_EXTENSION, "I was ill.", days=5)
    asked = amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=change)
    with nothing_happens(order), pytest.raises(WrongState) as refusal:
        actions.ask_more(order.pk, actor=builder_user, questions=["Which server?"])
    assert refusal.value.code == "clock_stands"
    amendments.withdraw(asked.pk, actor=builder_user)
    actions.ask_more(order.pk, actor=builder_user, questions=["Which server?"])
    with nothing_happens(order), pytest.raises(WrongState):
        amendments.propose(order.pk, actor=builder_user, client_key=uuid7(), terms=change)
    claim: dict[str, Any] = {"reason": DisputeReason.OTHER, "claim": "Slow.", "to_client": order.price}
    dispute = actions.open_dispute(order.pk, actor=client_user, client_key=uuid7(), **claim)
    with pytest.raises(WrongState):
        actions.answer_requirements(order.pk, actor=client_user, answers={4: "The old one."})
    actions.withdraw_dispute(dispute.pk, actor=client_user)
    assert again(order).clock_stopped_at is not None  # the answers are still owed
    actions.answer_requirements(order.pk, actor=client_user, answers={4: "The old one."})
    assert again(order).clock_stopped_at is None


@pytest.mark.parametrize("questions", [[], [" "], ["x" * 201], ["a\x00b"], list("abcdef")], ids=["none", "blank", "long", "null", "six"])
def test_a_bad_round_writes_nothing(order: Order, builder_user: User, client_user: User, nothing_happens: Quiet, questions: list[str]) -> None:
    with nothing_happens(order):
        with pytest.raises(DomainError):
            actions.ask_more(order.pk, actor=builder_user, questions=questions)
        with pytest.raises(NotAllowed):
            actions.ask_more(order.pk, actor=client_user, questions=["Which server?"])
