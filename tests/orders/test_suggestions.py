"""The hint to a builder that a long talk might need an offer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import at
from port444.kit.errors import Conflict, NotAllowed, WrongState
from port444.messaging.actions import open_conversation, post_notice, report_conversation, send_message
from port444.messaging.models import Conversation, Message, ReportReason
from port444.notifications.models import Notification
from port444.orders import actions, jobs
from port444.orders.models import Offer, OfferStatus, Order, OrderStatus, Suggestion, SuggestionStatus
from tests.orders.conftest import MakeOrder

S = SuggestionStatus
DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REST = timedelta(hours=24)
AN_HOUR = timedelta(hours=1)

Talk = Callable[..., datetime]


@pytest.fixture
def conversation(client_user: User, builder_user: User, package: Package) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)


@pytest.fixture
def talk(conversation: Conversation) -> Talk:
    """Messages an hour apart, "c" of the client and "b" of the builder; gives the moment at which the talk has rested."""

    def write(script: str = "cbcbcb", *, since: datetime = DAY, where: Conversation | None = None) -> datetime:
        where = where or conversation
        for n, letter in enumerate(script):
            with at(since + n * AN_HOUR):
                actor = where.client if letter == "c" else where.builder
                send_message(where.pk, actor=actor, body=f"Word {n}", client_key=uuid4())
        return since + (len(script) - 1) * AN_HOUR + REST

    return write


def sweep(moment: datetime) -> list[Suggestion]:
    with at(moment):
        jobs.suggest_offers()
    return list(Suggestion.objects.order_by("created_at"))


def make_offer(conversation: Conversation, package: Package, moment: datetime, **fields: Any) -> Offer:
    values = {"title": "Five pages", "scope": "All.", "price": Decimal("150.00"), "delivery_days": 7, "expires_at": moment + timedelta(hours=48)}
    values |= {"client": conversation.client, "builder": package.service.builder, "service": package.service, "package": package}
    return Offer.objects.create(conversation=conversation, created_at=moment, **values | fields)


def test_a_long_talk_that_rested_gets_one_hint(conversation: Conversation, talk: Talk, builder: Builder, package: Package) -> None:
    rested = talk()
    assert sweep(rested - timedelta(minutes=1)) == [], "not yet"
    told, queued = Notification.objects.count(), OrmQ.objects.count()
    [hint] = sweep(rested)
    assert (hint.conversation, hint.builder, hint.package, hint.status) == (conversation, builder, package, S.SHOWN)
    assert (hint.price, hint.list_price, hint.messages) == (Decimal("162.00"), Decimal("180.00"), 6)
    assert (hint.rests.lower, hint.rests.upper) == (rested, rested + timedelta(days=30))
    assert AuditLog.objects.filter(event_type=Event.OFFER_SUGGESTED.key, target_id=hint.pk).count() == 1
    assert (Notification.objects.count(), OrmQ.objects.count()) == (told, queued), "nobody is told"
    conversation.refresh_from_db()
    assert conversation.rests_at is None
    assert sweep(rested + AN_HOUR) == [hint], "looked at once"


@pytest.mark.parametrize("script", ["cbcbc", "cccccb", "bbbbbbbc", "cccccccc"])
def test_a_short_or_one_sided_talk_gets_none(conversation: Conversation, talk: Talk, script: str) -> None:
    rested = talk(script)
    assert sweep(rested) == []
    conversation.refresh_from_db()
    assert conversation.rests_at is None, "looked at until something is said again"


def test_two_from_one_side_are_enough(talk: Talk) -> None:
    assert len(sweep(talk("ccbccb"))) == 1


def test_notices_and_old_messages_do_not_count(conversation: Conversation, talk: Talk) -> None:
    talk("cbcb", since=DAY - timedelta(days=8))
    post_notice(conversation.pk, body="Something", icon="info", subject=None)
    assert sweep(talk("cbcb")) == []


def test_once_in_thirty_days(conversation: Conversation, talk: Talk) -> None:
    rested = talk()
    sweep(rested)
    assert len(sweep(talk(since=rested + timedelta(days=20)))) == 1
    assert len(sweep(talk(since=rested + timedelta(days=30)))) == 2


def test_the_database_keeps_the_thirty_days(conversation: Conversation, talk: Talk) -> None:
    [hint] = sweep(talk())
    again = {"builder": hint.builder, "package": hint.package, "price": hint.price, "list_price": hint.list_price, "messages": 6}
    with pytest.raises(IntegrityError, match="suggestion_rests"), transaction.atomic():
        Suggestion.objects.create(conversation=conversation, rests=(hint.rests.upper - AN_HOUR, hint.rests.upper + AN_HOUR), **again)
    assert Suggestion.objects.count() == 1


@pytest.mark.parametrize("status", [OrderStatus.PENDING_PAYMENT, OrderStatus.IN_PROGRESS, OrderStatus.COMPLETED, OrderStatus.EXPIRED])
def test_none_beside_an_order_of_these_days(conversation: Conversation, talk: Talk, make_order: MakeOrder, status: OrderStatus) -> None:
    rested = talk()
    order = make_order(status)
    Order.objects.filter(pk=order.pk).update(placed_at=rested - timedelta(days=6))
    assert sweep(rested) == []


def test_a_running_order_counts_however_old(talk: Talk, make_order: MakeOrder) -> None:
    rested = talk()
    order = make_order(OrderStatus.IN_PROGRESS)
    Order.objects.filter(pk=order.pk).update(placed_at=rested - timedelta(days=60))
    assert sweep(rested) == []


def test_an_old_order_that_is_done_does_not(talk: Talk, make_order: MakeOrder) -> None:
    rested = talk()
    order = make_order(OrderStatus.COMPLETED)
    Order.objects.filter(pk=order.pk).update(placed_at=rested - timedelta(days=8))
    assert len(sweep(rested)) == 1


def test_none_beside_an_offer_that_stands(conversation: Conversation, talk: Talk, package: Package) -> None:
    rested = talk()
    make_offer(conversation, package, rested - AN_HOUR)
    assert sweep(rested) == []


def test_an_offer_past_its_end_does_not_stand(conversation: Conversation, talk: Talk, package: Package) -> None:
    rested = talk()
    make_offer(conversation, package, rested - timedelta(hours=49))
    assert len(sweep(rested)) == 1


def test_none_while_away_suspended_or_reported(conversation: Conversation, talk: Talk, builder: Builder, client_user: User) -> None:
    rested = talk()
    Builder.objects.update(away_from=rested - AN_HOUR, away_until=rested + AN_HOUR, away_paused_at=DAY)
    assert sweep(rested) == []
    rested = talk(since=rested + AN_HOUR)
    User.objects.filter(pk=client_user.pk).update(suspended_at=rested, suspension_reason="Spam")
    assert sweep(rested) == []
    User.objects.filter(pk=client_user.pk).update(suspended_at=None, suspension_reason="")
    rested = talk(since=rested)
    report_conversation(conversation.pk, actor=client_user, reason=ReportReason.SPAM)
    assert sweep(rested) == []


@pytest.mark.parametrize(("floor", "expected"), [("162.00", 1), ("162.01", 0), (None, 1)])
def test_never_below_the_lowest_price(talk: Talk, service: Service, floor: str | None, expected: int) -> None:
    Service.objects.filter(pk=service.pk).update(offer_floor=floor)
    assert len(sweep(talk())) == expected


@pytest.mark.parametrize("fields", [{"status": ServiceStatus.PAUSED}, {"is_offered": False}])
def test_only_what_is_for_sale(talk: Talk, service: Service, package: Package, fields: dict[str, Any]) -> None:
    (Service if "status" in fields else Package).objects.update(**fields)
    assert sweep(talk()) == []


def test_the_cheapest_package_that_may_be_offered(talk: Talk, service: Service, package: Package) -> None:
    Package.objects.create(service=service, tier="basic", name="One page", price=Decimal("60.00"), delivery_days=2, revisions=1)
    [hint] = sweep(talk())
    assert hint.package.name == "One page"
    Suggestion.objects.all().delete()
    Service.objects.filter(pk=service.pk).update(offer_floor=Decimal("100.00"))
    [hint] = sweep(talk(since=hint.created_at))
    assert hint.package == package


def test_of_the_service_that_was_talked_about(conversation: Conversation, talk: Talk, service: Service, package: Package) -> None:
    other = Service.objects.create(
        builder=service.builder,
        category=service.category,
        title="Another service",
        slug="another",
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("50.00"),
        least_days=1,
        published_at=DAY,
        order_count=9,
    )
    busy = Package.objects.create(service=other, tier="basic", name="Small", price=Decimal("50.00"), delivery_days=1, revisions=1)
    [hint] = sweep(talk())
    assert hint.package == busy, "the most ordered one"
    Suggestion.objects.all().delete()
    make_offer(conversation, package, DAY - timedelta(days=60))
    [hint] = sweep(talk(since=hint.created_at))
    assert hint.package == package, "the one of their last offer"


def test_a_batch_is_one_number_of_queries(talk: Talk, make_user: Any, builder_user: User, package: Package, django_assert_num_queries: Any) -> None:
    def more(count: int) -> None:
        for _ in range(count):
            one = make_user(f"P{uuid4().hex[:8]} Person")
            talk(where=open_conversation(one, builder_user, actor=one), since=DAY - timedelta(minutes=1))

    counts = []
    for count in (2, 7):
        more(count)
        with django_assert_num_queries(14) as asked:
            assert actions.suggest_batch(DAY + timedelta(days=2), 200) == count
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert Suggestion.objects.count() == 9
    with django_assert_num_queries(3):  # a savepoint around one look
        assert actions.suggest_batch(DAY + timedelta(days=2), 200) == 0


def test_a_batch_leaves_the_rest_for_the_next(talk: Talk, make_user: Any, builder_user: User, package: Package) -> None:
    for _ in range(3):
        one = make_user(f"P{uuid4().hex[:8]} Person")
        talk(where=open_conversation(one, builder_user, actor=one))
    moment = DAY + timedelta(days=2)
    assert [actions.suggest_batch(moment, 2) for _ in range(3)] == [2, 1, 0]
    assert Suggestion.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_one_hint(talk: Talk) -> None:
    moment = talk()
    together = threading.Barrier(2)
    looked: list[int] = []

    def work() -> None:
        try:
            connection.ensure_connection()
            together.wait(10)
            looked.append(actions.suggest_batch(moment, 200))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(looked) == [0, 1]
    assert Suggestion.objects.count() == 1


def test_put_aside(talk: Talk, builder_user: User, client_user: User, stranger: User) -> None:
    [hint] = sweep(talk())
    for person in (client_user, stranger):
        with pytest.raises(NotAllowed):
            actions.dismiss_suggestion(hint.pk, actor=person)
    hint.refresh_from_db()
    assert hint.status == S.SHOWN
    messages = Message.objects.count()
    for _ in range(2):
        actions.dismiss_suggestion(hint.pk, actor=builder_user)
    hint.refresh_from_db()
    assert (hint.status, hint.settled_at is not None) == (S.DISMISSED, True)
    assert AuditLog.objects.filter(event_type=Event.OFFER_SUGGESTION_DISMISSED.key).count() == 1
    assert Message.objects.count() == messages, "the client sees nothing of it"


# Using one


@pytest.fixture
def hint(talk: Talk) -> Suggestion:
    return sweep(talk())[0]


def page(person: User, conversation: Conversation, moment: datetime) -> str:
    client = Client()
    client.force_login(person)
    with at(moment):
        return client.get(conversation.get_absolute_url()).content.decode()


TITLE = "Offer 10% off “Five pages”?"


def test_the_builder_alone_sees_it(conversation: Conversation, hint: Suggestion, builder_user: User, client_user: User) -> None:
    html = page(builder_user, conversation, hint.created_at + AN_HOUR)
    assert TITLE in html
    assert "6 messages in a week, nothing new since Tue 24 Nov, and no order yet" in html
    for words in ("$162.00", "$180.00", "$145.80", "48 h", "Only you see this"):
        assert words in html
    assert "Offer 10% off" not in page(client_user, conversation, hint.created_at + AN_HOUR)


def test_it_goes_when_something_came_between(
    conversation: Conversation, hint: Suggestion, builder_user: User, client_user: User, package: Package, service: Service, make_order: MakeOrder
) -> None:
    moment = hint.created_at + AN_HOUR

    def shown(at_moment: datetime = moment) -> bool:
        return TITLE in page(builder_user, conversation, at_moment)

    assert shown()
    assert not shown(hint.rests.upper)
    Package.objects.update(price=Decimal("200.00"))
    assert not shown()
    Package.objects.update(price=Decimal("180.00"))
    Service.objects.update(offer_floor=Decimal("170.00"))
    assert not shown()
    Service.objects.update(offer_floor=None)
    Builder.objects.update(away_from=moment, away_until=moment + AN_HOUR, away_paused_at=DAY)
    assert not shown()
    Builder.objects.update(away_from=None, away_until=None, away_paused_at=None)
    assert shown()
    offer = make_offer(conversation, package, moment, status=OfferStatus.DECLINED, settled_at=moment)
    assert not shown()
    Offer.objects.filter(pk=offer.pk).delete()
    assert shown()
    order = make_order(OrderStatus.EXPIRED)
    Order.objects.filter(pk=order.pk).update(placed_at=moment)
    assert not shown()
    Order.objects.filter(pk=order.pk).update(placed_at=hint.created_at - AN_HOUR)
    assert shown()
    report_conversation(conversation.pk, actor=client_user, reason=ReportReason.SPAM)
    assert not shown()


def test_one_press_sends_the_offer(conversation: Conversation, hint: Suggestion, builder_user: User, package: Package) -> None:
    with at(hint.created_at + AN_HOUR):
        offer = actions.send_suggestion(hint.pk, actor=builder_user)
        assert actions.send_suggestion(hint.pk, actor=builder_user) == offer
    offer = Offer.objects.get()
    assert (offer.price, offer.list_price, offer.package, offer.suggestion) == (Decimal("162.00"), Decimal("180.00"), package, hint)
    assert offer.expires_at == hint.created_at + AN_HOUR + timedelta(hours=48)
    hint.refresh_from_db()
    assert hint.status == S.USED
    assert TITLE not in page(builder_user, conversation, hint.created_at + AN_HOUR)


def test_a_hint_that_is_over_sends_nothing(hint: Suggestion, builder_user: User, client_user: User, stranger: User, nothing_happens: Any) -> None:
    with at(hint.created_at + AN_HOUR):
        for person in (client_user, stranger):
            with nothing_happens(), pytest.raises(NotAllowed):
                actions.send_suggestion(hint.pk, actor=person)
        Package.objects.update(price=Decimal("200.00"))
        with nothing_happens(), pytest.raises(Conflict, match="has changed"):
            actions.send_suggestion(hint.pk, actor=builder_user)
        Package.objects.update(price=Decimal("180.00"))
        actions.withdraw_offer(actions.send_suggestion(hint.pk, actor=builder_user).pk, actor=builder_user)
        with nothing_happens(), pytest.raises(WrongState):
            actions.send_suggestion(hint.pk, actor=builder_user)
    assert Offer.objects.count() == 1


@pytest.mark.parametrize("htmx", [False, True])
def test_the_buttons(client: Client, conversation: Conversation, hint: Suggestion, builder_user: User, client_user: User, htmx: bool) -> None:
    headers = {"HX-Request": "true"} if htmx else {}
    send, aside = (reverse(f"orders:{name}_suggestion", args=[hint.pk]) for name in ("send", "dismiss"))
    client.force_login(client_user)
    with at(hint.created_at + AN_HOUR):
        assert [client.post(address, headers=headers).status_code for address in (send, aside)] == [404, 404]
        client.force_login(builder_user)
        gone = client.post(aside, headers=headers)
        hint.refresh_from_db()
        assert hint.status == S.DISMISSED
        assert (gone.status_code, gone.content) == ((200, b"") if htmx else (302, b""))
        Package.objects.update(price=Decimal("200.00"))
        refused = client.post(send, headers=headers)
        assert refused.status_code == 409
        assert "The package has changed" in refused.content.decode()
        assert not Offer.objects.exists()
        Package.objects.update(price=Decimal("180.00"))
        sent = client.post(send, headers=headers)
    assert Offer.objects.get().price == Decimal("162.00"), "put aside in another window, and meant all the same"
    assert (sent.status_code, sent.headers.get("HX-Trigger")) == ((204, "talk") if htmx else (302, None))


def test_it_can_be_edited_first(client: Client, hint: Suggestion, builder_user: User, conversation: Conversation) -> None:
    client.force_login(builder_user)
    with at(hint.created_at + AN_HOUR):
        address = f"{reverse('orders:new_offer', args=[conversation.pk])}?suggestion={hint.pk}"
        assert address in page(builder_user, conversation, hint.created_at + AN_HOUR)
        assert 'value="162.00"' in client.get(address).content.decode()
