"""Reminders of orders that wait for their client: when, in which words, and what is not sent and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.clock import at
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.messaging.actions import send_message
from port444.notifications import actions as notifications
from port444.notifications.models import Delivery, Notification, QuietHours
from port444.orders import actions, emails, jobs
from port444.orders.models import Nudge, NudgeKind, NudgeStatus, Order, OrderStatus

from .conftest import ANSWERS, MakeOrder

S, N, K = OrderStatus, NudgeStatus, NudgeKind
NOON = datetime(2027, 3, 10, 12, tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
HOUR = timedelta(hours=1)
BATCH_QUERIES = 17


@pytest.fixture
def new_order(make_order: MakeOrder) -> Callable[..., Order]:
    """An order that came into its state at noon, or at the moment that is asked for."""

    def make(status: str = S.PENDING_REQUIREMENTS, moment: datetime = NOON) -> Order:
        with at(moment):
            return make_order(status)

    return make


def sweep(moment: datetime) -> int:
    with at(moment):
        return jobs.send_nudges()


def nudge(order: Order, kind: str) -> Nudge:
    return Nudge.objects.filter(order=order, kind=kind).latest("entered_at")


def on_the_wall(time: str, zone: str) -> datetime:
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def told() -> list[Notification]:
    return list(Notification.objects.filter(kind__startswith="order.nudge").order_by("created_at", "kind", "pk"))


def states(order: Order) -> dict[str, tuple[str, str]]:
    return {row.kind: (row.status, row.why) for row in Nudge.objects.filter(order=order).order_by("entered_at")}


# Planned and sent


def test_an_order_with_questions_plans_two_and_a_delivery_one(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order(S.DELIVERED)
    rows = Nudge.objects.filter(order=order).values_list("kind", "recipient", "entered_at", "due_at", "status")
    assert set(rows) == {
        (K.ANSWERS_24H, client_user.pk, NOON, NOON + 24 * HOUR, N.PLANNED),
        (K.ANSWERS_72H, client_user.pk, NOON, NOON + 72 * HOUR, N.PLANNED),
        (K.REVIEW_48H, client_user.pk, NOON, NOON + 48 * HOUR, N.PLANNED),
    }


def test_each_is_sent_once_at_its_time_and_names_what_is_open(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    assert sweep(NOON + 24 * HOUR - timedelta(microseconds=1)) == 0
    assert told() == []
    assert sweep(NOON + 24 * HOUR) == 1
    assert sweep(NOON + 24 * HOUR) == 0
    first = told()[0]
    assert (first.user, first.kind, first.url) == (client_user, "order.nudge_answers", f"/orders/{order.number}/")
    assert "Two questions are open: “Which pages are slow?” and “Which database?”." in first.body
    assert "Without answers by Wed 17 Mar, 12:00 (Amsterdam; 16:30 in Kolkata) the order cancels by itself and you get $189.90 back." in first.body
    assert sweep(NOON + 72 * HOUR) == 1
    last = told()[1]
    assert last.kind == "order.nudge_last"
    assert last.title == f"Last reminder: order {order.number} cancels by itself on Wed 17 Mar, 12:00"
    assert "counts against nobody" in last.body
    assert "may cancel from now on" in last.body
    assert states(order) == {K.ANSWERS_24H: (N.SENT, ""), K.ANSWERS_72H: (N.SENT, "")}
    assert nudge(order, K.ANSWERS_72H).notification == last
    assert Delivery.objects.filter(notification__in=[first, last]).count() == 2


def test_a_delivery_that_waits_for_two_days_is_told_with_its_date(new_order: Callable[..., Order]) -> None:
    order = new_order(S.DELIVERED)
    sweep(NOON + 48 * HOUR)
    (note,) = told()
    assert note.kind == "order.nudge_review"
    assert "Look at it by Sat 13 Mar, 12:00 (Amsterdam; 16:30 in Kolkata)" in note.body
    assert states(order)[K.REVIEW_48H] == (N.SENT, "")


def test_saved_answers_are_not_asked_for_again(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    with at(NOON + HOUR):
        actions.save_answers(order.pk, actor=client_user, answers={1: "The order list."})
    sweep(NOON + 24 * HOUR)
    assert "One question is open: “Which database?”." in told()[0].body
    with at(NOON + 25 * HOUR):
        actions.save_answers(order.pk, actor=client_user, answers=ANSWERS)
    sweep(NOON + 72 * HOUR)
    assert "Your answers are written but not sent yet." in told()[1].body


def test_who_orders_from_somebody_away_is_told_so(new_order: Callable[..., Order], builder: Builder) -> None:
    new_order()
    Builder.objects.filter(pk=builder.pk).update(away_from=NOON, away_until=datetime(2027, 3, 15, 18, 30, tzinfo=UTC), away_paused_at=NOON)
    sweep(NOON + 24 * HOUR)
    assert told()[0].body.endswith("Anaya is away and back on Tue 16 Mar.")  # midnight in Kolkata


# Not sent


def test_what_has_moved_on_is_dropped(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    with at(NOON + 23 * HOUR):
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    sweep(NOON + 24 * HOUR)
    sweep(NOON + 72 * HOUR)
    assert told() == []
    assert set(states(order).values()) == {(N.SKIPPED, "The order had moved on")}


def test_a_second_delivery_has_a_reminder_of_its_own(new_order: Callable[..., Order], client_user: User, builder_user: User) -> None:
    order = new_order(S.DELIVERED)
    with at(NOON + 10 * HOUR):
        actions.request_revision(order.pk, actor=client_user, note="More.")
    with at(NOON + 30 * HOUR):
        actions.deliver(order.pk, actor=builder_user, note="Again.")
    sweep(NOON + 48 * HOUR)
    assert told() == []
    sweep(NOON + 92 * HOUR)  # 78 h is 18:00, still before the quiet hours
    assert [row.status for row in Nudge.objects.filter(kind=K.REVIEW_48H).order_by("entered_at")] == [N.SKIPPED, N.SENT]


def test_after_an_outage_only_the_newest_goes_out(new_order: Callable[..., Order]) -> None:
    order = new_order()
    assert sweep(NOON + 96 * HOUR) == 2
    assert [note.kind for note in told()] == ["order.nudge_last"]
    assert states(order)[K.ANSWERS_24H] == (N.SKIPPED, "A newer one was due")


@pytest.mark.parametrize(("status", "hours"), [(S.PENDING_REQUIREMENTS, 7 * 24), (S.DELIVERED, 3 * 24)])
def test_what_is_over_is_not_announced(new_order: Callable[..., Order], status: str, hours: int) -> None:
    new_order(status)
    sweep(NOON + hours * HOUR)
    assert told() == []
    assert not Nudge.objects.filter(status=N.PLANNED).exists()


@pytest.mark.parametrize("side", ["client", "builder"])
def test_a_closed_account_is_left_in_peace(new_order: Callable[..., Order], client_user: User, builder_user: User, side: str) -> None:
    order = new_order()
    person = client_user if side == "client" else builder_user
    User.objects.filter(pk=person.pk).update(suspended_at=NOON, suspension_reason="Under review for now")
    sweep(NOON + 24 * HOUR)
    assert told() == []
    assert (nudge(order, K.ANSWERS_24H).due_at, nudge(order, K.ANSWERS_24H).why) == (
        NOON + 48 * HOUR,
        "An account is closed",
    )


# Held


def test_quiet_hours_of_the_recipient_hold_it_to_the_morning(new_order: Callable[..., Order]) -> None:
    night = datetime(2027, 3, 10, 23, tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
    order = new_order(moment=night)
    sweep(night + 24 * HOUR)
    held = nudge(order, K.ANSWERS_24H)
    assert (held.status, held.due_at, held.why) == (N.PLANNED, night + 33 * HOUR, "Quiet hours")  # 08:00
    assert told() == []
    sweep(night + 33 * HOUR)
    assert len(told()) == 1
    sweep(night + 72 * HOUR)  # held again, to 81 h, so there is more than a day between the two
    assert len(told()) == 1
    sweep(night + 81 * HOUR)
    assert len(told()) == 2


@pytest.mark.parametrize(
    ("zone", "evening", "morning"),
    [
        ("America/New_York", "2027-03-13 23:00", "2027-03-14 08:00"),  # clocks go forward in the night: 8 hours
        ("America/New_York", "2027-11-06 23:00", "2027-11-07 08:00"),  # and back: 10
        ("Australia/Lord_Howe", "2027-04-03 23:00", "2027-04-04 08:00"),  # by half an hour
        ("Asia/Kathmandu", "2027-04-03 23:00", "2027-04-04 08:00"),
    ],
)
def test_the_morning_comes_when_the_clock_on_the_wall_says_so(
    new_order: Callable[..., Order], client_user: User, zone: str, evening: str, morning: str
) -> None:
    client_user.time_zone = zone
    client_user.save()
    due = on_the_wall(evening, zone)
    order = new_order(moment=due - 24 * HOUR)
    sweep(due)
    assert nudge(order, K.ANSWERS_24H).due_at == on_the_wall(morning, zone)


def test_who_has_no_quiet_hours_hears_of_it_at_night(new_order: Callable[..., Order], client_user: User) -> None:
    QuietHours.objects.create(user=client_user, enabled=False)
    new_order(moment=NOON + 11 * HOUR)
    sweep(NOON + 35 * HOUR)
    assert len(told()) == 1


def test_the_last_one_is_not_held_beyond_the_end_that_it_names(new_order: Callable[..., Order]) -> None:
    early = datetime(2027, 3, 10, 6, tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
    new_order(moment=early)
    sweep(early + 7 * 24 * HOUR - 5 * HOUR)  # 01:00, and at 08:00 the order is over
    assert [note.kind for note in told()] == ["order.nudge_last"]


def test_who_was_just_there_is_not_reminded(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    browser = Client()
    browser.force_login(client_user)
    seen = NOON + 23 * HOUR
    with at(seen):
        assert browser.get(f"/orders/{order.number}/").status_code == 200
    sweep(NOON + 24 * HOUR)
    row = nudge(order, K.ANSWERS_24H)
    assert (row.status, row.due_at, row.why) == (N.PLANNED, seen + 2 * HOUR, "The client was just there")
    assert told() == []
    sweep(seen + 2 * HOUR)
    assert len(told()) == 1


def test_the_builder_looking_holds_nothing_back(new_order: Callable[..., Order], builder_user: User) -> None:
    order = new_order()
    browser = Client()
    browser.force_login(builder_user)
    with at(NOON + 23 * HOUR):
        assert browser.get(f"/orders/{order.number}/").status_code == 200
    sweep(NOON + 24 * HOUR)
    assert len(told()) == 1


def test_who_has_just_written_is_not_reminded(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    with at(NOON + 23 * HOUR):
        send_message(order.conversation_id, actor=client_user, body="Coming soon.", client_key=uuid7())
    sweep(NOON + 24 * HOUR)
    assert told() == []
    assert nudge(order, K.ANSWERS_24H).due_at == NOON + 25 * HOUR


def test_there_is_a_day_between_two_of_one_order(new_order: Callable[..., Order]) -> None:
    order = new_order()
    Nudge.objects.filter(order=order, kind=K.ANSWERS_24H).update(due_at=NOON + 71 * HOUR)
    sweep(NOON + 71 * HOUR)
    sweep(NOON + 72 * HOUR)
    last = nudge(order, K.ANSWERS_72H)
    assert (last.status, last.due_at, last.why) == (N.PLANNED, NOON + 95 * HOUR, "One a day for an order")
    sweep(NOON + 95 * HOUR)
    assert [note.kind for note in told()] == ["order.nudge_answers", "order.nudge_last"]


def test_a_clock_that_stands_holds_the_review_and_moves_it(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order(S.DELIVERED)
    with at(NOON + 40 * HOUR):
        actions.stop_clock(Order.objects.get(pk=order.pk))
    sweep(NOON + 48 * HOUR)
    assert (nudge(order, K.REVIEW_48H).due_at, nudge(order, K.REVIEW_48H).why) == (NOON + 49 * HOUR, "The clock of the order stands")
    with at(NOON + 50 * HOUR):
        actions.start_clock(Order.objects.get(pk=order.pk))
    sweep(NOON + 50 * HOUR)
    assert (nudge(order, K.REVIEW_48H).due_at, nudge(order, K.REVIEW_48H).why) == (NOON + 58 * HOUR, "The clock of the order stood")
    sweep(NOON + 58 * HOUR + 12 * HOUR)
    assert len(told()) == 1
    assert "Sat 13 Mar, 22:00" in told()[0].body


def test_the_last_one_goes_out_though_a_change_is_talked_about(new_order: Callable[..., Order]) -> None:
    """The days to answer run on while a change waits."""
    order = new_order()
    with at(NOON + HOUR):
        actions.stop_clock(Order.objects.get(pk=order.pk))
    sweep(NOON + 24 * HOUR)
    assert told() == []
    sweep(NOON + 72 * HOUR)
    assert [note.kind for note in told()] == ["order.nudge_last"]


# Caps


@pytest.fixture
def many(new_order: Callable[..., Order], client_user: User, package: Package) -> Callable[[int], list[Order]]:
    def make(count: int) -> list[Order]:
        return [new_order(moment=NOON + timedelta(seconds=number)) for number in range(count)]

    return make


def test_beyond_three_a_day_the_rest_comes_in_one_message(many: Callable[[int], list[Order]]) -> None:
    orders = many(6)
    sweep(NOON + 25 * HOUR)
    assert [note.kind for note in told()] == ["order.nudge_answers"] * 3 + ["order.nudges"]
    digest = told()[3]
    assert digest.title == "Three more orders wait for you"
    for order in orders[3:]:
        assert f"Order {order.number}, " in digest.body
    assert Nudge.objects.filter(notification=digest, status=N.SENT).count() == 3
    assert digest.url == "/orders/?as=client"


def test_a_digest_of_one_is_the_digest_of_the_day(many: Callable[[int], list[Order]], new_order: Callable[..., Order]) -> None:
    orders = many(4)
    later = new_order(moment=NOON + 2 * HOUR)
    sweep(NOON + 25 * HOUR)
    digest = Notification.objects.get(kind="order.nudges")
    assert (digest.title, digest.url) == (f"Anaya waits for your answers: {orders[3].title}", f"/orders/{orders[3].number}/")
    sweep(NOON + 26 * HOUR)
    assert nudge(later, K.ANSWERS_24H).why == "As many as a day may bring were sent"


def test_there_is_one_digest_a_day_and_nothing_is_lost(many: Callable[[int], list[Order]], new_order: Callable[..., Order]) -> None:
    many(5)
    later = new_order(moment=NOON + 2 * HOUR)
    sweep(NOON + 25 * HOUR)
    sweep(NOON + 26 * HOUR)
    assert len(told()) == 4
    waits = nudge(later, K.ANSWERS_24H)
    assert (waits.status, waits.due_at, waits.why) == (N.PLANNED, NOON + 49 * HOUR, "As many as a day may bring were sent")
    sweep(NOON + 49 * HOUR)
    assert told()[4].kind == "order.nudge_answers"


def test_the_last_ones_come_first(many: Callable[[int], list[Order]], new_order: Callable[..., Order]) -> None:
    old = [new_order() for _ in range(2)]
    Nudge.objects.filter(kind=K.ANSWERS_24H).delete()
    young = [new_order(moment=NOON + 40 * HOUR + timedelta(seconds=number)) for number in range(3)]
    sweep(NOON + 72 * HOUR)
    assert [note.kind for note in told()].count("order.nudge_last") == 2
    assert {nudge(order, K.ANSWERS_72H).notification_id for order in old}.isdisjoint(
        Notification.objects.filter(kind="order.nudges").values_list("pk", flat=True)
    )
    assert Notification.objects.get(kind="order.nudges").title == "Two more orders wait for you"
    assert {nudge(order, K.ANSWERS_24H).status for order in young} == {N.SENT}


def test_a_batch_asks_a_fixed_number_of_questions(many: Callable[[int], list[Order]], settings: Any) -> None:
    settings.NUDGES_A_DAY = 10
    many(15)
    moment = NOON + 25 * HOUR

    def count(limit: int) -> int:
        with at(moment), CaptureQueriesContext(connection) as asked:
            assert actions.send_nudges_batch(moment, limit) == limit
        return len(asked)

    assert count(2) == count(13) == BATCH_QUERIES  # the second one with a digest
    with CaptureQueriesContext(connection) as asked:
        assert actions.send_nudges_batch(moment, 200) == 0
    assert len([query for query in asked if "SAVEPOINT" not in query["sql"]]) == 1


# By mail


def leaves(delivery: Delivery, moment: datetime) -> str:
    with at(moment):
        notifications.deliver(delivery.pk)
    delivery.refresh_from_db()
    return delivery.status


def test_a_mail_that_is_not_true_any_more_does_not_leave(new_order: Callable[..., Order], client_user: User) -> None:
    order = new_order()
    sweep(NOON + 24 * HOUR)
    delivery = Delivery.objects.get(notification__kind="order.nudge_answers")
    with at(NOON + 24 * HOUR):
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    assert leaves(delivery, NOON + 24 * HOUR) == "skipped"


def test_a_mail_that_is_true_leaves(new_order: Callable[..., Order]) -> None:
    new_order()
    sweep(NOON + 24 * HOUR)
    assert leaves(Delivery.objects.get(notification__kind="order.nudge_answers"), NOON + 24 * HOUR) == "sent"


# The builder's way out


def test_after_three_days_the_builder_may_leave_and_it_says_who_left(new_order: Callable[..., Order], client_user: User, builder_user: User) -> None:
    order = new_order()
    browser = Client()
    browser.force_login(builder_user)
    with at(NOON + 72 * HOUR - timedelta(seconds=1)):
        assert "counts against nobody and" not in browser.get(f"/orders/{order.number}/").content.decode()
    with at(NOON + 72 * HOUR):
        page = browser.get(f"/orders/{order.number}/").content.decode()
        assert "Jonas has not answered your questions for three days. You may cancel; it counts against nobody" in page
        browser.post(f"/orders/{order.number}/cancel/", {"reason": ""})
    order.refresh_from_db()
    assert (order.status, order.cancel_cause, order.cancelled_by) == (S.CANCELLED, "no_requirements", builder_user)
    note = Notification.objects.get(kind="order.cancelled")
    assert note.user == client_user
    assert note.body.startswith(
        f"Anaya cancelled {order.title}, because the questions about it were open for three days. That counts against nobody."
    )
    assert "by itself" not in note.body
    with at(NOON + 73 * HOUR):
        assert "You cancelled it" in browser.get(f"/orders/{order.number}/").content.decode()
        browser.force_login(client_user)
        page = browser.get(f"/orders/{order.number}/").content.decode()
    assert "Anaya cancelled it" in page
    assert f"Anaya cancelled order {order.number}, because the questions were open for three days." in page
    assert "by itself" not in page


# Support


def test_support_sends_one_before_its_time(new_order: Callable[..., Order], staff: User) -> None:
    order = new_order()
    with at(NOON + HOUR):
        row = actions.send_nudge_now(nudge(order, K.ANSWERS_24H).pk, actor=staff, reason=" Asked by phone. ")
    assert (row.status, row.notification) == (N.SENT, told()[0])
    entry = AuditLog.objects.get(event_type="order.nudge_sent")
    assert (entry.actor_id, entry.description, entry.target_id) == (staff.pk, "Asked by phone.", order.pk)
    sweep(NOON + 24 * HOUR)
    assert len(told()) == 1


def test_support_stops_the_reminders_of_an_order_for_good(
    new_order: Callable[..., Order], staff: User, client_user: User, builder_user: User
) -> None:
    order = new_order()
    with at(NOON + HOUR):
        actions.stop_nudges(order.pk, actor=staff, reason="They are on the phone with us.")
        with pytest.raises(WrongState):
            actions.stop_nudges(order.pk, actor=staff, reason="Again.")
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
        actions.deliver(order.pk, actor=builder_user, note="Done.")
    sweep(NOON + 80 * HOUR)
    assert told() == []
    assert {status for status, _ in states(order).values()} == {N.SKIPPED}
    assert AuditLog.objects.get(event_type="order.nudges_stopped").description == "They are on the phone with us."


@pytest.mark.parametrize("who", ["client_user", "builder_user", "stranger"])
def test_nobody_else_sends_or_stops(new_order: Callable[..., Order], nothing_happens: Any, request: pytest.FixtureRequest, who: str) -> None:
    order, person = new_order(), request.getfixturevalue(who)
    before = list(Nudge.objects.values().order_by("pk"))
    with nothing_happens(order), pytest.raises(NotAllowed):
        actions.send_nudge_now(nudge(order, K.ANSWERS_24H).pk, actor=person, reason="Please.")
    with nothing_happens(order), pytest.raises(NotAllowed):
        actions.stop_nudges(order.pk, actor=person, reason="Please.")
    assert list(Nudge.objects.values().order_by("pk")) == before


def test_support_gives_a_reason_and_sends_only_what_is_true(
    new_order: Callable[..., Order], nothing_happens: Any, staff: User, client_user: User
) -> None:
    order = new_order()
    with nothing_happens(order), pytest.raises(Invalid):
        actions.send_nudge_now(nudge(order, K.ANSWERS_24H).pk, actor=staff, reason="  ")
    with at(NOON + HOUR):
        actions.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)
    order.refresh_from_db()
    with nothing_happens(order), pytest.raises(WrongState):
        actions.send_nudge_now(nudge(order, K.ANSWERS_24H).pk, actor=staff, reason="Please.")


@pytest.fixture
def console(client: Client, make_user: Callable[..., User], settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Rut Root", is_staff=True, is_superuser=True))
    return client


def test_the_console_shows_what_is_planned_and_why_not(new_order: Callable[..., Order], console: Client) -> None:
    order = new_order()
    sweep(NOON + 35 * HOUR)  # 23:00
    address = reverse("admin:orders_nudge_changelist")
    page = console.get(address, {"q": str(order.number), "status": "planned", "why": "QUIET"}).content.decode()
    assert "Quiet hours" in page
    assert "1 reminder" in page
    assert "0 reminders" in console.get(address, {"why": "CLOSED"}).content.decode()
    row = nudge(order, K.ANSWERS_24H)
    assert console.post(reverse("admin:orders_nudge_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert "Send now" in console.get(reverse("admin:orders_nudge_change", args=[row.pk])).content.decode()


def test_the_buttons_of_the_console_ask_for_a_reason(new_order: Callable[..., Order], console: Client) -> None:
    order = new_order()
    row = nudge(order, K.ANSWERS_24H)
    send, stop = (reverse(f"admin:orders_nudge_{name}", args=[row.pk]) for name in ("send", "stop"))
    assert console.get(send).status_code == 200
    assert console.post(send, {"reason": ""}).status_code == 422
    assert told() == []
    assert console.post(send, {"reason": "They asked for it by phone."}).status_code == 302
    assert len(told()) == 1
    assert console.post(send, {"reason": "They asked for it by phone."}).status_code == 409
    assert console.post(stop, {"reason": "They asked for it by phone."}).status_code == 302
    row = nudge(order, K.ANSWERS_72H)
    assert (row.status, row.why) == (N.SKIPPED, "Stopped by support")
    page = console.get(reverse("admin:orders_nudge_change", args=[row.pk])).content.decode()
    assert "Send now" not in page
    assert "Stop for this order" not in page


def test_one_that_cannot_be_sent_holds_up_no_other(many: Callable[[int], list[Order]], monkeypatch: pytest.MonkeyPatch) -> None:
    orders = many(3)
    word = emails.reminder

    def fail(one: emails.Reminded, moment: datetime) -> emails.Words:
        if one.order.pk == orders[0].pk:
            raise RuntimeError("no words")
        return word(one, moment)

    monkeypatch.setattr(emails, "reminder", fail)
    assert sweep(NOON + 25 * HOUR) == 3
    assert [nudge(order, K.ANSWERS_24H).status for order in orders] == [N.PLANNED, N.SENT, N.SENT]
    assert nudge(orders[0], K.ANSWERS_24H).due_at == NOON + 26 * HOUR


# What waited before there were reminders


def test_orders_that_wait_already_get_theirs(new_order: Callable[..., Order]) -> None:
    from_now = datetime.now(UTC).replace(microsecond=0)  # the database's own clock decides what is over
    asking, delivered = new_order(moment=from_now - 100 * HOUR), new_order(S.DELIVERED, from_now - 10 * HOUR)
    new_order(S.IN_PROGRESS, from_now - 10 * HOUR)
    planned = set(Nudge.objects.filter(order__in=[asking, delivered]).values_list("order", "recipient", "kind", "entered_at", "due_at"))
    Nudge.objects.all().delete()
    plan = import_module("port444.orders.migrations.0005_nudges_for_waiting_orders").PLAN
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(plan)
    rows = set(Nudge.objects.values_list("order", "recipient", "kind", "entered_at", "due_at"))
    assert rows == {row for row in planned if row[0] == asking.pk or row[2] == K.REVIEW_48H}
    assert len(rows) == 3


def test_the_last_reminder_that_is_sent_early_says_from_when_the_builder_may_cancel(new_order: Callable[..., Order], staff: User) -> None:
    order = new_order()
    with at(NOON + HOUR):
        actions.send_nudge_now(nudge(order, K.ANSWERS_72H).pk, actor=staff, reason="Asked by phone.")
    assert f"may cancel from {emails._when(order.free_from, order.client)} on." in told()[0].body
    with at(NOON + 72 * HOUR):
        assert "may cancel from now on." in emails.reminder(emails.Reminded(K.ANSWERS_72H, order, []), NOON + 72 * HOUR).body
