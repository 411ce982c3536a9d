"""Reviews of both sides: who reads what and when, what may be changed until when, and sums that move once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import Error, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.messaging.models import Message, ReportReason
from port444.notifications.models import Notification
from port444.orders import actions, jobs, queries
from port444.orders.models import BLIND, REPLY_OPEN, Order, OrderStatus, Review, ReviewReport
from tests.orders.conftest import MakeOrder

S = OrderStatus
TICK = timedelta(microseconds=1)


def sums(builder: Builder, service: Service) -> tuple[int, int, int, int]:
    builder.refresh_from_db()
    service.refresh_from_db()
    return builder.rating_sum, builder.rating_count, service.rating_sum, service.rating_count


def seen(order: Order, viewer: User) -> tuple[int | None, int | None]:
    """The stars that `viewer` reads: their own, and the other side's."""
    found = queries.reviews.exchange(order, viewer, now())
    assert found is not None
    return found.mine.stars if found.mine else None, found.theirs.stars if found.theirs else None


def told(kind: str) -> list[tuple[str, str]]:
    return sorted((row.user.first_name, row.title) for row in Notification.objects.filter(kind=kind).select_related("user"))


def ends(order: Order) -> datetime:
    assert order.completed_at is not None
    return order.completed_at + BLIND


def test_the_second_review_shows_both_and_counts_once(
    make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder, service: Service, nothing_happens: Any
) -> None:
    order = make_order(S.COMPLETED)
    first = actions.leave_review(
        order.pk, actor=client_user, stars=4, as_described=5, communication=3, text=" Fast pages now. ", private_note="Thank you."
    )
    assert (first.stars, first.text, first.private_note, first.shown_at, first.counted_at) == (4, "Fast pages now.", "Thank you.", ends(order), None)
    assert (first.as_described, first.communication) == (5, 3)
    assert sums(builder, service) == (0, 0, 0, 0)
    assert (seen(order, client_user), seen(order, builder_user)) == ((4, None), (None, None))
    assert told("order.reviewed") == [("Anaya", "Jonas wrote a review. Write yours to read it")]
    assert not Message.objects.filter(body__contains="4 of 5").exists()
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.leave_review(order.pk, actor=client_user, stars=1)
    assert refusal.value.code == "reviewed"

    second = actions.leave_review(order.pk, actor=builder_user, stars=5, text="Knew what was needed.")
    first.refresh_from_db()
    assert first.shown_at == second.shown_at == first.counted_at == second.counted_at == second.created_at
    assert sums(builder, service) == (4, 1, 4, 1)
    assert (seen(order, client_user), seen(order, builder_user)) == ((4, 5), (5, 4))
    assert told("order.reviews_shown") == [("Anaya", "You can both read your reviews"), ("Jonas", "You can both read your reviews")]
    stars = AuditLog.objects.filter(event_type__in=["order.reviewed", "order.client_reviewed"], target_id=order.pk).order_by("pk")
    assert [(row.event_type, row.metadata["stars"]) for row in stars] == [("order.reviewed", 4), ("order.client_reviewed", 5)]
    with nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.change_review(order.pk, actor=client_user, stars=1)
    assert refusal.value.code == "reviews_shown"
    assert jobs.publish_reviews() == 0


def test_the_clock_shows_what_one_side_wrote(
    make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder, service: Service, nothing_happens: Any
) -> None:
    order = make_order(S.COMPLETED)
    actions.leave_review(order.pk, actor=client_user, stars=5)
    changed = actions.change_review(order.pk, actor=client_user, stars=2, text="Too slow after all.")
    assert (changed.stars, AuditLog.objects.get(event_type="review.changed").before_state) == (2, {"stars": 5})
    with at(ends(order) - TICK):
        assert jobs.publish_reviews() == 0
        assert (seen(order, builder_user), Review.objects.public(now()).count()) == ((None, None), 0)
    with at(ends(order)):  # shown by the clock, before any sweep
        assert (seen(order, builder_user), Review.objects.public(now()).count()) == ((None, 2), 1)
        for act in (actions.leave_review, actions.change_review):
            for person in (client_user, builder_user):
                with nothing_happens(order), pytest.raises(Conflict):
                    act(order.pk, actor=person, stars=5)
        assert sums(builder, service) == (0, 0, 0, 0)
        assert jobs.publish_reviews() == 1
        assert sums(builder, service) == (2, 1, 2, 1)
        assert jobs.publish_reviews() == 0
        with nothing_happens(order), pytest.raises(Conflict):
            actions.publish_reviews(order.pk)
    assert told("order.reviews_shown") == [("Anaya", "The review of Jonas is shown"), ("Jonas", "Your review of Anaya is shown")]


def test_a_review_of_the_client_moves_no_sum_of_the_builder(
    make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder, service: Service
) -> None:
    order = make_order(S.COMPLETED)
    actions.leave_review(order.pk, actor=builder_user, stars=3, text="Late answers.")
    with at(ends(order)):
        assert jobs.publish_reviews() == 1
        assert sums(builder, service) == (0, 0, 0, 0)
        found = queries.reviews.standing(order.conversation_id, client_user.pk, now())
        assert (found.count, found.mean) == (1, Decimal("3.0"))
        assert not Review.objects.public(now()).exists()
        assert seen(order, client_user) == (None, 3)


def test_nobody_writes_after_seven_days(make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any) -> None:
    order = make_order(S.COMPLETED)
    with at(ends(order)), nothing_happens(order):
        for person in (client_user, builder_user):
            with pytest.raises(Conflict) as refusal:
                actions.leave_review(order.pk, actor=person, stars=5)
            assert refusal.value.code == "reviews_closed"
    with at(ends(order) - TICK):
        actions.leave_review(order.pk, actor=builder_user, stars=5)


BAD: list[dict[str, Any]] = [
    {"stars": 0},
    {"stars": 6},
    {"stars": -1},
    {"stars": 5, "as_described": 0},
    {"stars": 5, "communication": 6},
    {"stars": 5, "text": "x" * 2001},
    {"stars": 5, "private_note": "x" * 1001},
]


def test_a_bad_review_writes_nothing(make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, nothing_happens: Any) -> None:
    order = make_order(S.COMPLETED)
    with nothing_happens(order):
        for said in BAD:
            with pytest.raises(Invalid):
                actions.leave_review(order.pk, actor=client_user, **said)
        with pytest.raises(Invalid):
            actions.leave_review(order.pk, actor=builder_user, stars=5, communication=5)
        with pytest.raises(NotAllowed):
            actions.leave_review(order.pk, actor=stranger, stars=5)
        with pytest.raises(Conflict):
            actions.change_review(order.pk, actor=client_user, stars=5)


def test_one_reply_that_can_be_changed_for_a_day(make_order: MakeOrder, client_user: User, builder_user: User, nothing_happens: Any) -> None:
    order = make_order(S.COMPLETED)
    review = actions.leave_review(order.pk, actor=client_user, stars=2, text="Slow.")
    with nothing_happens(order), pytest.raises(Conflict):
        actions.reply_to_review(review.pk, actor=builder_user, text="It is not.")
    actions.leave_review(order.pk, actor=builder_user, stars=4)
    with nothing_happens(order):
        for text in ("", "  ", "x" * 1001):
            with pytest.raises(Invalid):
                actions.reply_to_review(review.pk, actor=builder_user, text=text)
        with pytest.raises(NotAllowed):
            actions.reply_to_review(review.pk, actor=client_user, text="Mine.")
    moment = now()
    with at(moment):
        actions.reply_to_review(review.pk, actor=builder_user, text=" It was the old server. ")
    with at(moment + REPLY_OPEN - TICK):
        changed = actions.reply_to_review(review.pk, actor=builder_user, text="It was the old server, sorry.")
    assert (changed.reply, changed.replied_at) == ("It was the old server, sorry.", moment)
    assert told("order.review_replied") == [("Jonas", "Anaya replied to your review")]
    with at(moment + REPLY_OPEN), nothing_happens(order), pytest.raises(Conflict) as refusal:
        actions.reply_to_review(review.pk, actor=builder_user, text="Once more.")
    assert refusal.value.code == "reply_stands"


def test_the_word_of_several_about_a_review_is_one_case(make_order: MakeOrder, client_user: User, builder_user: User, stranger: User) -> None:
    order = make_order(S.COMPLETED)
    review = actions.leave_review(order.pk, actor=client_user, stars=1, text="Write to me at my own address instead.")
    with pytest.raises(NotAllowed):  # blind
        actions.report_review(review.pk, actor=builder_user, reason=ReportReason.SPAM)
    actions.leave_review(order.pk, actor=builder_user, stars=1)
    first = actions.report_review(review.pk, actor=builder_user, reason=ReportReason.OFF_PLATFORM, text="Look at the address.")
    assert actions.report_review(review.pk, actor=builder_user, reason=ReportReason.OFF_PLATFORM, text="Look at the address.") == first
    with pytest.raises(Conflict):
        actions.report_review(review.pk, actor=builder_user, reason=ReportReason.ABUSE)
    actions.report_review(review.pk, actor=stranger, reason=ReportReason.ABUSE)
    with pytest.raises(NotAllowed):
        actions.report_review(review.pk, actor=client_user, reason=ReportReason.OTHER)
    of_client = Review.objects.get(order=order, by_client=False)
    with pytest.raises(NotAllowed):  # a stranger does not read what builders say of a client
        actions.report_review(of_client.pk, actor=stranger, reason=ReportReason.OTHER)
    case = IncidentLog.objects.get(pattern="reported review")
    assert (case.user_id, case.severity, ReviewReport.objects.count()) == (client_user.pk, "high", 2)
    assert case.evidence["review"] == str(review.pk)


def test_the_database_keeps_what_is_counted(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.COMPLETED)
    review = actions.leave_review(order.pk, actor=client_user, stars=4)
    row = Review.objects.filter(pk=review.pk)
    for wrong in ({"stars": 0}, {"as_described": 6}, {"counted_at": order.completed_at}, {"reply": "Early."}, {"about": client_user}):
        with pytest.raises(Error), transaction.atomic():
            row.update(**wrong)
    actions.leave_review(order.pk, actor=builder_user, stars=5)
    for late in ({"stars": 5}, {"shown_at": now() + BLIND}, {"counted_at": None}, {"communication": 1}, {"by_client": False}):
        with pytest.raises(Error), transaction.atomic():
            row.update(**late)
    assert row.update(text="") == 1  # words can still be taken away from who leaves


MOVES = st.lists(
    st.tuples(st.sampled_from(["leave", "change", "reply", "sweep", "wait"]), st.booleans(), st.integers(1, 5), st.integers(1, 60)), max_size=14
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_whatever_happens_when_sums_hold_what_is_shown(
    moves: list[tuple[str, bool, int, int]], make_order: MakeOrder, client_user: User, builder_user: User, builder: Builder, service: Service
) -> None:
    with transaction.atomic():
        order = make_order(S.COMPLETED)
        moment = now()
        read: dict[int, int] = {}
        for move, by_client, stars, hours in moves:
            person = client_user if by_client else builder_user
            moment += timedelta(hours=hours) if move == "wait" else timedelta(seconds=1)
            with at(moment):
                try:
                    if move == "leave":
                        actions.leave_review(order.pk, actor=person, stars=stars)
                    elif move == "change":
                        actions.change_review(order.pk, actor=person, stars=stars)
                    elif move == "reply":
                        for row in Review.objects.filter(order=order, about=person):
                            actions.reply_to_review(row.pk, actor=person, text="Thanks.")
                    elif move == "sweep":
                        jobs.publish_reviews()
                except Conflict:
                    pass
                rows = {row.by_client: row for row in Review.objects.filter(order=order)}
                counted = [row.stars for row in rows.values() if row.by_client and row.counted_at is not None]
                assert sums(builder, service) == (sum(counted), len(counted), sum(counted), len(counted))
                for row in rows.values():
                    if row.is_shown(moment):  # what was read once stays
                        assert read.setdefault(row.by_client, row.stars) == row.stars
                    else:
                        assert (row.by_client not in read, row.counted_at, row.reply) == (True, None, "")
                if len(rows) == 2:
                    assert rows[True].shown_at == rows[False].shown_at <= moment
        transaction.set_rollback(True)


# Pages


def reviewed(client_user: User, builder_user: User, make_order: MakeOrder, *stars: int) -> list[Review]:
    found = []
    for one in stars:
        order = make_order(S.COMPLETED)
        found.append(actions.leave_review(order.pk, actor=client_user, stars=one, as_described=one, text=f"Words for {one}."))
        actions.leave_review(order.pk, actor=builder_user, stars=4, text="A fine client.", private_note="Only for you.")
    return found


def test_the_order_page_is_blind_and_then_shows_both(client: Client, make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    order = make_order(S.COMPLETED)
    address = reverse("orders:detail", args=[order.number])

    def page(person: User) -> str:
        client.force_login(person)
        return client.get(address).content.decode()

    assert "How was Anaya’s work?" in page(client_user)
    assert "How was it to work for Jonas?" in page(builder_user)
    assert "not reviewed by builders yet" in page(builder_user)
    client.force_login(client_user)
    words = {"stars": "2", "as_described": "4", "text": "Secret until both wrote.", "private_note": "For you alone."}
    assert client.post(address + "review/", words).status_code == 302
    assert "Your review waits" in page(client_user)
    assert "Secret until" not in page(builder_user)
    assert client.post(address + "reply/", {"text": "I guess it is bad."}).status_code == 404
    assert client.post(address + "review/", {"stars": "9"}).status_code == 422
    assert client.post(address + "review/", {"stars": "4", "text": "Kind."}).status_code == 302
    shown = page(builder_user)
    assert ("Secret until both wrote." in shown, "For you alone." in shown, "As described: 4 of 5" in shown) == (True, True, True)
    assert "4.0 of 5 in 1 review by builders" in shown
    assert client.post(address + "reply/", {"text": ""}).status_code == 422
    assert client.post(address + "reply/", {"text": "I see."}).status_code == 302
    assert "Change your reply" in page(builder_user)
    after = page(client_user)
    assert ("Anaya replied" in after, "I see." in after, "Kind." in after, "by builders" in after) == (True, True, True, False)


def test_all_reviews_of_a_service_in_pages(
    client: Client, make_order: MakeOrder, client_user: User, builder_user: User, service: Service, django_assert_num_queries: Any
) -> None:
    address = reverse("orders:service_reviews", args=[service.slug])
    assert "No review yet" in client.get(address).content.decode()
    first, second = reviewed(client_user, builder_user, make_order, 5, 3)
    few = client.get(address).content.decode()
    assert ("Too few" in few, "Words for 5." in few, "Only for you." in few) == (True, True, False)
    third = reviewed(client_user, builder_user, make_order, 5)[0]
    actions.reply_to_review(first.pk, actor=builder_user, text="Thank you for the five.")
    with django_assert_num_queries(3):  # service, figures, rows
        html = client.get(address).content.decode()
    assert '<rect class="m-new" width="200"' in html
    assert '<rect class="m-new" width="100"' in html
    assert "Thank you for the five." in html
    assert "A fine client." not in html
    assert "4.3" in html
    assert html.index("Words for 3.") < html.rindex("Words for 5.")
    picked = client.get(address + "?stars=3").content.decode()
    assert ("Words for 3." in picked, "Words for 5." in picked, "4.3" in picked) == (True, False, True)
    assert "None with so many stars" in client.get(address + "?stars=1").content.decode()
    rows = Review.objects.public(now()).filter(service=service)
    page = queries.reviews.review_page(rows, limit=2)
    assert [row.pk for row in page.reviews] == [third.pk, second.pk]
    with django_assert_num_queries(3):  # and where the page before ended
        rest = queries.reviews.review_page(rows, after=second.pk, limit=2)
    assert ([row.pk for row in rest.reviews], rest.after, rest.count) == ([first.pk], "", 3)
    assert client.get(address + "?after=nonsense").status_code == 200
    assert client.get(reverse("orders:builder_reviews", args=["anaya-krishnan"])).content.decode().count("Words for 5.") == 2


def test_what_builders_say_of_a_client_is_for_builders_who_talk_with_them(
    client: Client, make_order: MakeOrder, client_user: User, builder_user: User, stranger: User, django_assert_num_queries: Any
) -> None:
    reviewed(client_user, builder_user, make_order, 5)
    talk = Order.objects.latest("placed_at").conversation
    address = reverse("orders:client_reviews", args=[talk.pk])
    for person in (client_user, stranger):
        client.force_login(person)
        assert client.get(address).status_code == 404
    client.force_login(builder_user)
    html = client.get(address).content.decode()
    assert ("A fine client." in html, "Only for you." in html, "Words for 5." in html) == (True, False, False)
    thread = client.get(talk.get_absolute_url()).content.decode()
    assert ("4.0 of 5 (1)" in thread, address in thread) == (True, True)
    client.force_login(client_user)
    assert "4.0 of 5 (1)" not in client.get(talk.get_absolute_url()).content.decode()


def test_reporting_a_review_from_its_page(client: Client, make_order: MakeOrder, client_user: User, builder_user: User, stranger: User) -> None:
    review = reviewed(client_user, builder_user, make_order, 1)[0]
    address = reverse("orders:report_review", args=[review.pk])
    assert client.get(address).status_code == 302
    client.force_login(client_user)
    assert client.get(address).status_code == 404
    client.force_login(stranger)
    assert f'href="{address}"' in client.get(reverse("orders:service_reviews", args=[review.service.slug])).content.decode()
    assert client.post(address, {"reason": "nonsense"}).status_code == 422
    assert client.post(address, {"reason": "abuse", "text": "Rude."}).status_code == 302
    assert "You reported it on" in client.get(address).content.decode()
    of_client = Review.objects.get(order=review.order, by_client=False)
    assert client.get(reverse("orders:report_review", args=[of_client.pk])).status_code == 404
