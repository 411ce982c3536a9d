"""Answers, delivery and revision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.messaging.models import Attachment, Message
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import Order, OrderStatus

from .conftest import ANSWERS, MakeOrder

S = OrderStatus


def text_file(name: str = "notes.txt", content: bytes = b"explain analyze") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "text/plain")


def test_sending_the_answers_starts_the_clock(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    moment = now() + timedelta(hours=3)
    with at(moment):
        order = actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS, uploads={3: [text_file("schema.txt")]})
    assert (order.status, order.started_at, order.due_at) == (S.IN_PROGRESS, moment, moment + timedelta(days=7))
    rows = list(order.requirements.all())
    assert rows[0].answer == ANSWERS[1]
    assert [file.name for file in rows[2].files.all()] == ["schema.txt"]
    told = Notification.objects.get(kind="order.started")
    assert told.user == builder_user
    local = (moment + timedelta(days=7, hours=5, minutes=30)).strftime("%H:%M")
    assert local in told.body  # on the reader's clock, Asia/Kolkata


def test_a_draft_is_kept_and_sends_nothing(make_order: MakeOrder, client_user: User) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    told = Notification.objects.count()
    order = actions.save_answers(order.pk, actor=client_user, answers={1: "Half an answer", 2: ""}, uploads={3: [text_file()]})
    assert order.status == S.PENDING_REQUIREMENTS
    assert order.started_at is None
    assert order.requirements.get(position=1).answer == "Half an answer"
    assert order.requirements.get(position=3).files.count() == 1
    assert Notification.objects.count() == told


@pytest.mark.parametrize(
    ("answers", "uploads", "code"),
    [
        ({1: "Only one"}, {}, "answer_missing"),
        ({1: "  ", 2: "PostgreSQL"}, {}, "answer_missing"),
        ({1: "x", 2: "Oracle"}, {}, "answer_choice"),
        ({1: "x" * 5001, 2: "PostgreSQL"}, {}, "answer_long"),
        ({1: "x", 2: "PostgreSQL", 3: "no file"}, {}, "answer_kind"),
        (ANSWERS, {1: [text_file()]}, "answer_kind"),
        (ANSWERS, {3: [SimpleUploadedFile("virus.exe", b"MZ")]}, "file_type"),
        (ANSWERS, {3: [SimpleUploadedFile("fake.png", b"not a png")]}, "file_content"),
        (ANSWERS, {3: [SimpleUploadedFile("empty.txt", b"")]}, "file_empty"),
    ],
)
def test_bad_answers_write_nothing(make_order: MakeOrder, client_user: User, nothing_happens: Any, answers: Any, uploads: Any, code: str) -> None:
    order = make_order(S.PENDING_REQUIREMENTS)
    with nothing_happens(order), pytest.raises(Invalid) as refusal:
        actions.answer_requirements(order.pk, actor=client_user, answers=answers, uploads=uploads)
    assert refusal.value.code == code


def test_a_delivery_starts_the_time_to_review(make_order: MakeOrder, builder_user: User, client_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    moment = now()
    with at(moment):
        delivery = actions.deliver(order.pk, actor=builder_user, note=" Done. ", uploads=[text_file("report.md")])
    order.refresh_from_db()
    assert (order.status, order.delivered_at, order.auto_accept_at) == (S.DELIVERED, moment, moment + timedelta(days=3))
    assert (delivery.number, delivery.note) == (1, "Done.")
    assert [file.name for file in delivery.files.all()] == ["report.md"]
    assert Notification.objects.get(kind="order.delivered").user == client_user
    assert Message.objects.filter(subject_id=order.pk, icon="package").count() == 1


def test_a_file_alone_is_a_delivery(make_order: MakeOrder, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    assert actions.deliver(order.pk, actor=builder_user, note="", uploads=[text_file()]).files.count() == 1


@pytest.mark.parametrize(
    ("note", "uploads"),
    [("  ", []), ("x" * 5001, []), ("ok", [SimpleUploadedFile("bad.pdf", b"not a pdf")]), ("ok", [SimpleUploadedFile("x.html", b"<script>")])],
)
def test_a_bad_delivery_writes_nothing(make_order: MakeOrder, builder_user: User, nothing_happens: Any, note: str, uploads: Any) -> None:
    order = make_order(S.IN_PROGRESS)
    with nothing_happens(order), pytest.raises(Invalid):
        actions.deliver(order.pk, actor=builder_user, note=note, uploads=uploads)
    assert Attachment.objects.count() == 0


def test_revisions_are_counted_and_run_out(make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any) -> None:
    order = make_order(S.DELIVERED)
    for used in (1, 2):
        revision = actions.request_revision(order.pk, actor=client_user, note="The search is slow.")
        order.refresh_from_db()
        assert (order.status, order.revisions_used, revision.delivery.number) == (S.IN_REVISION, used, used)
        assert order.auto_accept_at is None
        actions.deliver(order.pk, actor=builder_user, note="Again.")
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.request_revision(order.pk, actor=client_user, note="And again.")
    assert (refusal.value.message, refusal.value.code) == ("No revisions left", "revisions_used_up")
    assert Notification.objects.filter(kind="order.revision").count() == 2
    assert Notification.objects.filter(kind="order.delivered").count() == 3


def test_a_revision_gives_the_builder_two_days_at_least(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.IN_PROGRESS)
    assert order.due_at is not None
    late = order.due_at + timedelta(hours=5)
    with at(late):
        actions.deliver(order.pk, actor=builder_user, note="Sorry for the delay.")
        actions.request_revision(order.pk, actor=client_user, note="One more thing.")
    order.refresh_from_db()
    assert order.due_at == late + timedelta(days=2)


@pytest.mark.parametrize("note", ["", "   ", "x" * 5001])
def test_a_revision_says_what_should_be_different(make_order: MakeOrder, client_user: User, nothing_happens: Any, note: str) -> None:
    order = make_order(S.DELIVERED)
    with nothing_happens(order), pytest.raises(Invalid):
        actions.request_revision(order.pk, actor=client_user, note=note)


STEPS: dict[str, tuple[str, str, Any]] = {
    "save": (S.PENDING_REQUIREMENTS, "client", lambda order, who: actions.save_answers(order.pk, actor=who, answers=ANSWERS)),
    "answer": (S.PENDING_REQUIREMENTS, "client", lambda order, who: actions.answer_requirements(order.pk, actor=who, answers=ANSWERS)),
    "deliver": (S.IN_PROGRESS, "builder", lambda order, who: actions.deliver(order.pk, actor=who, note="Done.")),
    "revise": (S.DELIVERED, "client", lambda order, who: actions.request_revision(order.pk, actor=who, note="More.")),
    "accept": (S.DELIVERED, "client", lambda order, who: actions.accept_delivery(order.pk, actor=who)),
    "cancel": (S.PENDING_REQUIREMENTS, "client", lambda order, who: actions.cancel_order(order.pk, actor=who)),
    "review": (S.COMPLETED, "client", lambda order, who: actions.leave_review(order.pk, actor=who, stars=5)),
}


BOTH_SIDES = {("cancel", "other side"), ("review", "other side")}
WRONG_PEOPLE = [(step, who) for step in STEPS for who in ("stranger", "staff", "other side") if (step, who) not in BOTH_SIDES]


@pytest.mark.parametrize(("step", "who"), WRONG_PEOPLE)
def test_the_wrong_person_changes_nothing(
    make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, staff: User, nothing_happens: Any, step: str, who: str
) -> None:
    status, side, act = STEPS[step]
    order = make_order(status)
    person = {"stranger": stranger, "staff": staff, "other side": builder_user if side == "client" else client_user}[who]
    with nothing_happens(order), pytest.raises(NotAllowed):
        act(order, person)


def allowed(step: str) -> set[OrderStatus]:
    targets = {"deliver": S.DELIVERED, "revise": S.IN_REVISION, "accept": S.COMPLETED}
    if step in targets:
        return {S(status) for status, then in Order.NEXT.items() if targets[step] in then}
    return {
        "save": {S.PENDING_REQUIREMENTS},
        "answer": {S.PENDING_REQUIREMENTS},
        "review": {S.COMPLETED},
        "cancel": {S.PENDING_PAYMENT, S.FUNDING, S.PENDING_REQUIREMENTS},
    }[step]


@pytest.mark.parametrize(("step", "status"), [(step, status) for step in STEPS for status in S.values if status not in allowed(step)])
def test_a_step_in_a_wrong_state_changes_nothing(
    make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any, step: str, status: str
) -> None:
    order = make_order(status)
    _, side, act = STEPS[step]
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        act(order, client_user if side == "client" else builder_user)
    assert refusal.value.status == 409
