"""Who hears of a return: the builder a day before and at it, and whoever asked, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django_q.models import OrmQ

from port444.accounts.models import User
from port444.away import jobs
from port444.away.actions import forget, remind_batch, tell_batch, want_to_know, welcome_batch
from port444.away.models import ReturnAlert, Span
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, Invalid
from port444.notifications.actions import deliver
from port444.notifications.models import Delivery, Notification
from tests.away.spans import leave

FIRST, LAST = date(2027, 1, 14), date(2027, 1, 16)
DURING = datetime(2027, 1, 15, 6, 0, tzinfo=UTC)
END = datetime(2027, 1, 16, 18, 30, tzinfo=UTC)  # 17 January 00:00 in Kolkata
HOUR = timedelta(hours=1)
MakeUser = Callable[..., User]


@pytest.fixture
def span(builder: Builder) -> Span:
    with clock.at(datetime(2027, 1, 10, 6, 0, tzinfo=UTC)):
        return leave(builder, FIRST, LAST)


def told(user: User, kind: str) -> list[Notification]:
    return list(Notification.objects.filter(user=user, kind=kind))


def crowd(make_user: MakeUser, count: int, zone: str = "Asia/Kolkata") -> list[Builder]:
    people = [make_user(f"Person{n} Away", is_builder=True, time_zone=zone) for n in range(count)]
    return [Builder.objects.create(user=person, slug=f"away-{n}", headline="Away") for n, person in enumerate(people)]


# Asking


def test_asking_twice_is_asking_once(span: Span, client_user: User) -> None:
    with clock.at(DURING):
        first = want_to_know(span.builder_id, actor=client_user)
        assert want_to_know(span.builder_id, actor=client_user) == first
    assert ReturnAlert.objects.count() == 1


def test_who_is_here_is_not_waited_for(span: Span, client_user: User, builder_user: User) -> None:
    for moment in (span.starts_at - HOUR, span.ends_at):
        with clock.at(moment), pytest.raises(Conflict) as refusal:
            want_to_know(span.builder_id, actor=client_user)
        assert refusal.value.code == "not_away"
    with clock.at(DURING), pytest.raises(Invalid):
        want_to_know(span.builder_id, actor=builder_user)
    assert not ReturnAlert.objects.exists()


def test_one_waits_for_so_many_at_a_time(span: Span, client_user: User, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("port444.away.actions.returning.MOST_ALERTS", 2)
    for builder in crowd(make_user, 2):
        ReturnAlert.objects.create(builder=builder, user=client_user)
    with clock.at(DURING), pytest.raises(Conflict) as refusal:
        want_to_know(span.builder_id, actor=client_user)
    assert refusal.value.code == "too_many_alerts"
    assert ReturnAlert.objects.count() == 2
    ReturnAlert.objects.filter(builder__slug="away-0").update(told_at=DURING)
    with clock.at(DURING):
        assert want_to_know(span.builder_id, actor=client_user)


def test_one_takes_off_ones_own_wish_alone(span: Span, client_user: User, stranger: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
        want_to_know(span.builder_id, actor=stranger)
        forget(span.builder_id, actor=stranger)
        forget(span.builder_id, actor=stranger)
    assert [alert.user for alert in ReturnAlert.objects.all()] == [client_user]


def test_the_button_asks_and_takes_back(client: Client, span: Span, client_user: User) -> None:
    client.force_login(client_user)
    page = f"/b/{span.builder.slug}/"
    with clock.at(DURING):
        assert "Tell me when Anaya is back" in client.get(page).content.decode()
        answer = client.post(f"{page}back/want/", {"next": page})
        assert (answer.status_code, answer["Location"]) == (302, page)
        assert "We tell you once, when Anaya is back." in client.get(page).content.decode()
        answer = client.post(f"{page}back/forget/", {"next": page}, headers={"HX-Request": "true"})
        assert 'hx-swap-oob="outerMorph:.tell"' in answer.content.decode()
        assert f'formaction="{page}back/want/"' in answer.content.decode()
    assert not ReturnAlert.objects.exists()


def test_the_button_needs_somebody(client: Client, span: Span, client_user: User, builder_user: User) -> None:
    address = f"/b/{span.builder.slug}/back/want/"
    with clock.at(DURING):
        assert client.post(address)["Location"].startswith("/account/login/")
        client.force_login(client_user)
        assert client.get(address).status_code == 405
        User.objects.filter(pk=builder_user.pk).update(suspended_at=DURING, suspension_reason="Fraud")
        assert client.post(address).status_code == 404
    assert not ReturnAlert.objects.exists()


# The reminder


def test_the_builder_is_reminded_on_the_last_day_once(span: Span, builder_user: User) -> None:
    with clock.at(END - 24 * HOUR):
        assert jobs.remind() == 0
    with clock.at(END - 23 * HOUR):
        assert jobs.remind() == 1
        assert jobs.remind() == 0
    (notice,) = told(builder_user, "away.near")
    assert notice.title == "Back tomorrow, Sun 17 Jan"
    assert "Your services and your calendar open by themselves at 00:00." in notice.body


def test_who_stays_longer_is_reminded_again_and_the_first_mail_does_not_leave(span: Span, builder_user: User) -> None:
    with clock.at(END - 23 * HOUR):
        jobs.remind()
    first = Delivery.objects.get()
    assert first.due_at > END - 23 * HOUR  # the quiet hours of the night
    later = END + timedelta(days=7)
    Span.objects.update(ends_at=later, last_on=LAST + timedelta(days=7), reminded_at=None)
    with clock.at(first.due_at):
        deliver(first.pk)
    first.refresh_from_db()
    assert first.status == "skipped"
    assert mail.outbox == []
    with clock.at(later - 22 * HOUR):
        jobs.remind()
    assert {notice.title for notice in told(builder_user, "away.near")} == {"Back tomorrow, Sun 24 Jan", "Back tomorrow, Sun 17 Jan"}


@pytest.mark.parametrize("moment", [END, END + timedelta(days=3)])
def test_after_an_outage_nobody_is_reminded_of_what_is_over(span: Span, moment: datetime) -> None:
    with clock.at(moment):
        assert jobs.remind() == 1
        assert jobs.remind() == 0
    assert not Notification.objects.exists()


def test_a_single_day_brings_no_reminder(builder: Builder) -> None:
    span = leave(builder, FIRST, FIRST)
    with clock.at(span.starts_at + HOUR):
        assert jobs.remind() == 1
        assert jobs.remind() == 0
    assert not Notification.objects.exists()


def test_what_was_taken_back_is_never_told(span: Span, client_user: User) -> None:
    Span.objects.update(cancelled_at=DURING)
    with clock.at(END):
        assert jobs.remind() == 0
        assert jobs.welcome() == 0
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("zone", "first", "last", "opens"),
    [
        ("America/Vancouver", date(2027, 3, 12), date(2027, 3, 14), "00:00"),  # the last day has 23 hours
        ("America/Vancouver", date(2027, 11, 5), date(2027, 11, 7), "00:00"),  # and here 25
        ("Australia/Lord_Howe", date(2027, 4, 2), date(2027, 4, 4), "00:00"),  # half an hour more
        ("America/Santiago", date(2027, 9, 1), date(2027, 9, 4), "01:00"),  # the day of the return has no midnight
    ],
)
def test_tomorrow_is_tomorrow_where_clocks_change(make_user: MakeUser, zone: str, first: date, last: date, opens: str) -> None:
    (builder,) = crowd(make_user, 1, zone)
    span = leave(builder, first, last)
    span.refresh_from_db()
    moment = span.ends_at - timedelta(days=2)
    while not told(builder.user, "away.near"):
        with clock.at(moment):
            jobs.remind()
        moment += timedelta(minutes=30)
    (notice,) = told(builder.user, "away.near")
    back = last + timedelta(days=1)
    assert notice.title == f"Back tomorrow, {back:%a} {back.day} {back:%b}"
    assert f"open by themselves at {opens}." in notice.body


# The return


def test_the_return_is_told_to_the_builder_and_to_those_who_asked_once(span: Span, builder_user: User, client_user: User, stranger: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
        want_to_know(span.builder_id, actor=stranger)
    with clock.at(END - timedelta(seconds=1)):
        assert jobs.welcome() == 0
        assert not Notification.objects.exists()
    with clock.at(END):
        assert jobs.welcome() == 3  # the span and two wishes
        assert jobs.welcome() == 0
    (notice,) = told(builder_user, "away.back")
    assert notice.title == "Welcome back"
    assert "2 people asked to be told, and are." in notice.body
    for person in (client_user, stranger):
        (notice,) = told(person, "away.returned")
        assert notice.title == "Anaya is back"
        assert notice.url == span.builder.get_absolute_url()
    with clock.at(END + HOUR):  # the next absence is another wish
        leave(span.builder, date(2027, 2, 1), date(2027, 2, 3))
    with clock.at(datetime(2027, 2, 2, tzinfo=UTC)):
        want_to_know(span.builder_id, actor=client_user)
    with clock.at(datetime(2027, 2, 4, tzinfo=UTC)):
        jobs.welcome()
    assert (len(told(client_user, "away.returned")), len(told(stranger, "away.returned"))) == (2, 1)


def test_who_is_away_again_is_not_welcomed_and_waited_for(span: Span, builder_user: User, client_user: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
    with clock.at(END):
        leave(span.builder, date(2027, 1, 17), date(2027, 1, 18))
        jobs.welcome()
    assert not Notification.objects.exists()
    with clock.at(END + timedelta(days=2)):
        jobs.welcome()
    assert len(told(builder_user, "away.back")) == len(told(client_user, "away.returned")) == 1


def test_who_leaves_before_the_wishes_are_told_is_waited_for_again(span: Span, client_user: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
    with clock.at(END):
        welcome_batch(END, 10)
        leave(span.builder, date(2027, 1, 17), date(2027, 1, 18))
        assert tell_batch(END, 10) == 1
        assert tell_batch(END, 10) == 0
    assert not told(client_user, "away.returned")
    with clock.at(END + timedelta(days=2)):
        jobs.welcome()
    assert len(told(client_user, "away.returned")) == 1


def test_the_mail_of_a_return_that_did_not_last_does_not_leave(span: Span, client_user: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
    with clock.at(END):
        jobs.welcome()
    delivery = Delivery.objects.get(notification__user=client_user)
    with clock.at(delivery.due_at):
        leave(span.builder, date(2027, 1, 17), date(2027, 1, 18))
        deliver(delivery.pk)
    assert mail.outbox == []


def test_of_a_suspended_builder_nobody_is_told(span: Span, builder_user: User, client_user: User) -> None:
    with clock.at(DURING):
        want_to_know(span.builder_id, actor=client_user)
    User.objects.filter(pk=builder_user.pk).update(suspended_at=DURING, suspension_reason="Fraud")
    with clock.at(END):
        jobs.welcome()
        assert jobs.welcome() == 0
    assert not told(client_user, "away.returned")


# Batches


def queries_for(make_user: MakeUser, django_assert_max_num_queries: Any, count: int) -> tuple[int, int, int]:
    asker = make_user(f"Asker{count} Person")
    for builder in crowd(make_user, count):
        leave(builder, FIRST, LAST)
        ReturnAlert.objects.create(builder=builder, user=asker)
    counted = []
    for batch, moment in ((remind_batch, END - HOUR), (welcome_batch, END), (tell_batch, END)):
        with clock.at(moment), django_assert_max_num_queries(30) as captured:
            assert batch(moment, 200) == count
        counted.append(len(captured))
    return counted[0], counted[1], counted[2]


def test_a_batch_asks_the_same_for_any_number_of_rows(make_user: MakeUser, django_assert_max_num_queries: Any) -> None:
    few = queries_for(make_user, django_assert_max_num_queries, 2)
    OrmQ.objects.all().delete()
    Span.objects.all().delete()
    ReturnAlert.objects.all().delete()
    Notification.objects.all().delete()
    Builder.objects.all().delete()
    User.objects.all().delete()
    assert queries_for(make_user, django_assert_max_num_queries, 12) == few


def test_a_full_batch_is_followed_by_the_next(make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for builder in crowd(make_user, 5):
        leave(builder, FIRST, LAST)
    with clock.at(END):
        assert jobs.welcome() == 5
    assert Notification.objects.filter(kind="away.back").count() == 5
