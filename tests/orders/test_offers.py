"""Custom offers: made, answered, taken up, open again; and what is refused writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.range import Range

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation, Message
from port444.notifications.models import Notification
from port444.orders import actions
from port444.orders.models import Offer, OfferStatus, Order, OrderStatus, Suggestion
from port444.orders.terms import MOST_PRICE, OfferTerms, terms_of, terms_of_package
from port444.payments.actions import expire_invoice, pay_with_test_wallet
from port444.payments.models import Invoice, LedgerAccount

from .conftest import QUESTIONS, traces

S = OfferStatus
CHEAPER = Decimal("162.00")
Nothing = Callable[[], AbstractContextManager[None]]
Send = Callable[..., Offer]


@pytest.fixture
def talk(client_user: User, builder_user: User) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)


@pytest.fixture
def terms(package: Package) -> OfferTerms:
    return terms_of_package(package, CHEAPER)


@pytest.fixture
def send(talk: Conversation, builder_user: User, terms: OfferTerms) -> Send:
    def make(**more: Any) -> Offer:
        wanted: dict[str, Any] = {"actor": builder_user, "terms": terms, "client_key": uuid7()} | more
        return actions.send_offer(talk.pk, **wanted)

    return make


@pytest.fixture
def nothing() -> Nothing:
    """Asserts that the block writes nothing: no row, no job, no message."""

    def rows() -> list[Any]:
        return [list(table.objects.order_by("pk").values()) for table in (Offer, Suggestion, Conversation, Invoice, Order)]

    @contextmanager
    def check() -> Iterator[None]:
        before = (traces(None), rows())
        yield
        assert (traces(None), rows()) == before

    return check


def accept(offer: Offer, **more: Any) -> Order:
    wanted: dict[str, Any] = {"actor": offer.client, "client_key": uuid7()} | more
    return actions.accept_offer(offer.pk, **wanted)


def counter(offer: Offer, price: str = "150.00", **more: Any) -> Offer:
    terms = replace(terms_of(offer), price=Decimal(price))
    wanted: dict[str, Any] = {"actor": offer.client, "terms": terms, "client_key": uuid7()} | more
    return actions.counter_offer(offer.pk, **wanted)


# Sending


def test_an_offer_is_a_card_in_the_conversation_and_a_word_to_the_client(send: Send, client_user: User, package: Package) -> None:
    moment = now()
    with at(moment):
        offer = send()
    assert (offer.status, offer.price, offer.list_price, offer.package) == (S.OPEN, CHEAPER, Decimal("180.00"), package)
    assert offer.expires_at == moment + timedelta(hours=48)
    message = Message.objects.get(subject_type="offer")
    assert (message.subject_id, message.body) == (offer.pk, "Anaya offers Five pages for $162.00, in 7 days.")
    told = Notification.objects.get(kind="offer.received")
    assert (told.user, told.url) == (client_user, offer.conversation.get_absolute_url())
    assert "$162.00 instead of $180.00, plus $8.91 service fee" in told.body


def test_an_offer_above_the_price_of_the_package_has_no_old_price(send: Send, terms: OfferTerms) -> None:
    assert send(terms=replace(terms, price=Decimal("200.00"))).list_price is None


def test_pressing_twice_sends_one(send: Send) -> None:
    key = uuid7()
    first = send(client_key=key)
    count = Message.objects.count()
    assert send(client_key=key) == first
    assert (Offer.objects.count(), Message.objects.count(), Notification.objects.filter(kind="offer.received").count()) == (1, count, 1)


def test_the_same_form_with_other_terms_is_refused(send: Send, terms: OfferTerms, nothing: Nothing) -> None:
    key = uuid7()
    send(client_key=key)
    with nothing(), pytest.raises(Conflict, match="something else") as refusal:
        send(client_key=key, terms=replace(terms, price=Decimal("1.00")))
    assert refusal.value.code == "sent_already"


def test_one_offer_stands_at_a_time(send: Send, nothing: Nothing) -> None:
    send()
    with nothing(), pytest.raises(Conflict) as refusal:
        send()
    assert refusal.value.code == "offer_open"


def test_a_changed_offer_takes_the_place_of_the_old_one(send: Send, terms: OfferTerms) -> None:
    old = send()
    new = send(terms=replace(terms, price=Decimal("120.00")), answers=old.pk)
    old.refresh_from_db()
    assert (old.status, new.status, new.answers) == (S.REPLACED, S.OPEN, old)


def test_what_is_over_by_the_clock_makes_room_for_a_new_one(send: Send) -> None:
    old = send()
    with at(old.expires_at):
        new = send()
    old.refresh_from_db()
    assert (old.status, old.settled_at, new.status) == (S.EXPIRED, old.expires_at, S.OPEN)


def test_an_answer_to_what_was_settled_meanwhile_is_refused(send: Send, client_user: User, nothing: Nothing) -> None:
    old = send()
    actions.decline_offer(old.pk, actor=client_user)
    with nothing(), pytest.raises(WrongState) as refusal:
        send(answers=old.pk)
    assert refusal.value.code == "offer_declined"


def test_only_the_builder_of_the_conversation_offers(send: Send, client_user: User, stranger: User, nothing: Nothing) -> None:
    for person in (client_user, stranger):
        with nothing(), pytest.raises(NotAllowed):
            send(actor=person)


def test_the_lowest_price_holds_for_packages_and_not_for_what_is_free(send: Send, terms: OfferTerms, service: Service, nothing: Nothing) -> None:
    service.offer_floor = Decimal("170.00")
    service.save()
    with nothing(), pytest.raises(Invalid) as refusal:
        send()
    assert refusal.value.code == "below_floor"
    assert send(terms=replace(terms, package=None)).list_price is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": Decimal("0")}, "amount_zero"),
        ({"price": MOST_PRICE + 1}, "price_range"),
        ({"price": Decimal("1.005")}, "amount_places"),
        ({"days": 0}, "days_range"),
        ({"days": 91}, "days_range"),
        ({"revisions": 21}, "revisions_range"),
        ({"hours": 23}, "hours_range"),
        ({"hours": 30 * 24 + 1}, "hours_range"),
        ({"title": "  "}, "title_missing"),
        ({"title": "x" * 91}, "title_long"),
        ({"scope": "\n"}, "scope_missing"),
        ({"scope": "x" * 2001}, "scope_long"),
        ({"scope": "a\x00b"}, "text_null"),
        ({"deliverables": ("x",) * 13}, "deliverables_many"),
        ({"deliverables": ("x" * 121,)}, "deliverable_long"),
    ],
)
def test_terms_that_are_no_offer(send: Send, terms: OfferTerms, nothing: Nothing, change: dict[str, Any], code: str) -> None:
    with nothing(), pytest.raises(Invalid) as refusal:
        send(terms=replace(terms, **change))
    assert refusal.value.code == code


def test_the_service_and_the_package_of_somebody_else_are_refused(send: Send, terms: OfferTerms, stranger: User, nothing: Nothing) -> None:
    other = Builder.objects.create(user=stranger, slug="sam", headline="x")
    Service.objects.update(builder=other)
    with nothing(), pytest.raises(Invalid) as refusal:
        send()
    assert refusal.value.code == "service"
    Service.objects.update(builder=Builder.objects.get(slug="anaya-krishnan"))
    with nothing(), pytest.raises(Invalid) as refusal:
        send(terms=replace(terms, package=uuid7()))
    assert refusal.value.code == "package"


@pytest.mark.parametrize("who", ["client", "builder"])
def test_a_closed_account_neither_offers_nor_is_offered(send: Send, talk: Conversation, nothing: Nothing, who: str) -> None:
    person = getattr(talk, who)
    person.suspended_at, person.suspension_reason = now(), "fraud"
    person.save()
    with nothing(), pytest.raises((NotAllowed, WrongState)):
        send(actor=User.objects.get(pk=talk.builder_id))


def test_an_offer_that_would_end_while_its_builder_is_away_is_refused(send: Send, terms: OfferTerms, nothing: Nothing) -> None:
    moment = now()
    Builder.objects.update(away_paused_at=moment, away_from=moment, away_until=moment + timedelta(days=6))
    with nothing(), pytest.raises(Conflict) as refusal:
        send()
    assert refusal.value.code == "away"
    assert send(terms=replace(terms, hours=7 * 24)).status == S.OPEN


def test_offers_have_a_limit_a_day(send: Send, nothing: Nothing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("port444.orders.actions.offers.MOST_A_DAY", 1)
    old = send()
    with nothing(), pytest.raises(TooMany):
        send(answers=old.pk)
    with at(now() + timedelta(days=1, seconds=1)):
        assert send(answers=old.pk).status == S.OPEN


def test_a_hint_is_used_up_by_its_offer(send: Send, talk: Conversation, builder: Builder, package: Package) -> None:
    moment = now()
    hint = Suggestion.objects.create(
        conversation=talk,
        builder=builder,
        package=package,
        price=CHEAPER,
        list_price=package.price,
        messages=7,
        rests=Range(moment, moment + timedelta(days=30)),
    )
    offer = send(suggestion=hint.pk)
    hint.refresh_from_db()
    assert (hint.status, offer.suggestion) == ("used", hint)


# Accepting


def test_accepting_places_an_order_with_the_terms_of_the_offer(send: Send, terms: OfferTerms, service: Service, package: Package) -> None:
    offer = send(terms=replace(terms, days=5, revisions=4, deliverables=("Two pages",)))
    Package.objects.update(price=Decimal("500.00"), delivery_days=30)
    order = accept(offer)
    offer.refresh_from_db()
    assert (offer.status, offer.order) == (S.ACCEPTED, order)
    assert (order.status, order.price, order.client_fee) == (OrderStatus.PENDING_PAYMENT, CHEAPER, Decimal("8.91"))
    assert (order.delivery_days, order.revisions_allowed, order.deliverables) == (5, 4, ["Two pages"])
    assert (order.package, order.package_name, order.title, order.bought_as) == (package, "Custom offer", "Five pages", "Custom offer")
    assert order.invoice is not None
    assert (order.invoice.total, order.requirements.count()) == (Decimal("170.91"), len(QUESTIONS))
    pay_with_test_wallet(order.invoice.pk, actor=offer.client)
    order.refresh_from_db()
    assert order.status == OrderStatus.PENDING_REQUIREMENTS
    assert LedgerAccount.objects.get(kind="escrow", subject_id=order.pk).balance == CHEAPER


def test_a_free_offer_has_no_package_and_asks_only_if_it_says_so(send: Send, terms: OfferTerms) -> None:
    order = accept(send(terms=replace(terms, package=None, asks_questions=False, price=Decimal("75.00"))))
    assert (order.package, order.price, order.requirements.count()) == (None, Decimal("75.00"), 0)
    assert order.invoice is not None
    pay_with_test_wallet(order.invoice.pk, actor=order.client)
    order.refresh_from_db()
    assert order.status == OrderStatus.IN_PROGRESS


def test_accepting_twice_gives_one_order(send: Send) -> None:
    offer, key = send(), uuid7()
    order = accept(offer, client_key=key)
    count = Message.objects.count()
    assert accept(offer, client_key=key) == order
    assert accept(offer) == order
    assert (Order.objects.count(), Invoice.objects.count(), Message.objects.count()) == (1, 1, count)


def test_only_its_client_accepts(send: Send, builder_user: User, stranger: User, nothing: Nothing) -> None:
    offer = send()
    for person in (builder_user, stranger):
        with nothing(), pytest.raises(NotAllowed):
            accept(offer, actor=person)


@pytest.mark.parametrize("how", ["declined", "withdrawn", "countered", "replaced", "expired"])
def test_what_is_settled_cannot_be_accepted(send: Send, client_user: User, builder_user: User, nothing: Nothing, how: str) -> None:
    offer, later = send(), now()
    if how == "declined":
        actions.decline_offer(offer.pk, actor=client_user)
    elif how == "withdrawn":
        actions.withdraw_offer(offer.pk, actor=builder_user)
    elif how == "countered":
        counter(offer)
    elif how == "replaced":
        send(answers=offer.pk)
    else:
        later = offer.expires_at
    with at(later), nothing(), pytest.raises(WrongState) as refusal:
        accept(offer)
    assert refusal.value.code == f"offer_{how}"


def test_the_last_moment_of_an_offer_counts(send: Send) -> None:
    offer = send()
    with at(offer.expires_at - timedelta(microseconds=1)):
        assert accept(offer).status == OrderStatus.PENDING_PAYMENT


def test_an_offer_is_not_accepted_while_its_builder_is_away(send: Send, nothing: Nothing) -> None:
    offer, moment = send(), now()
    Builder.objects.update(away_paused_at=moment, away_from=moment, away_until=moment + timedelta(days=6))
    with nothing(), pytest.raises(Conflict, match="before coming back") as refusal:
        accept(offer)
    assert refusal.value.code == "builder_away"
    Builder.objects.update(away_stops_orders=False)
    assert accept(offer).status == OrderStatus.PENDING_PAYMENT


def test_a_paused_service_keeps_the_promise_of_its_offers(send: Send, service: Service) -> None:
    offer = send()
    service.move_to(ServiceStatus.PAUSED, paused_at=now())
    Package.objects.update(is_offered=False)
    assert accept(offer).price == CHEAPER


@pytest.mark.parametrize("who", ["client", "builder"])
def test_no_order_with_a_closed_account(send: Send, talk: Conversation, nothing: Nothing, who: str) -> None:
    offer = send()
    User.objects.filter(pk=getattr(talk, who).pk).update(suspended_at=now(), suspension_reason="fraud")
    with nothing(), pytest.raises((NotAllowed, Conflict)):
        accept(offer)


# Open again


def test_an_offer_whose_order_was_not_paid_stands_again(send: Send) -> None:
    offer, key = send(), uuid7()
    order = accept(offer, client_key=key)
    with at(order.pay_until + timedelta(seconds=1)):
        expire_invoice(order.invoice_id)  # type: ignore[arg-type]
        offer.refresh_from_db()
        assert (offer.status, offer.settled_at, offer.order) == (S.OPEN, None, order)
        assert "the offer stands until" in Notification.objects.get(kind="order.expired").body
        assert accept(offer, client_key=key) == order  # the first press, sent again: it orders nothing
        again = accept(offer)
    offer.refresh_from_db()
    assert again != order
    assert (offer.status, offer.order, again.price) == (S.ACCEPTED, again, CHEAPER)


def test_an_offer_whose_order_was_cancelled_unpaid_stands_again(send: Send, client_user: User) -> None:
    offer = send()
    actions.cancel_order(accept(offer).pk, actor=client_user)
    offer.refresh_from_db()
    assert offer.status == S.OPEN


def test_a_builder_who_cancels_the_unpaid_order_takes_the_offer_back(send: Send, builder_user: User) -> None:
    offer = send()
    actions.cancel_order(accept(offer).pk, actor=builder_user)
    offer.refresh_from_db()
    assert offer.status == S.WITHDRAWN
    with pytest.raises(WrongState):
        accept(offer)


def test_an_order_that_was_paid_takes_its_offer_with_it(send: Send, client_user: User) -> None:
    offer = send()
    order = accept(offer)
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    actions.cancel_order(order.pk, actor=client_user)
    offer.refresh_from_db()
    assert offer.status == S.ACCEPTED


def test_an_offer_whose_time_is_over_does_not_stand_again(send: Send) -> None:
    offer = send()
    with at(offer.expires_at - timedelta(minutes=1)):
        order = accept(offer)
    with at(order.pay_until + timedelta(seconds=1)):
        expire_invoice(order.invoice_id)  # type: ignore[arg-type]
    offer.refresh_from_db()
    assert offer.status == S.EXPIRED
    assert "you can order again" in Notification.objects.get(kind="order.expired").body


def test_an_offer_that_was_followed_by_another_does_not_stand_beside_it(send: Send) -> None:
    offer = send()
    order = accept(offer)
    newer = send()
    with at(order.pay_until + timedelta(seconds=1)):
        expire_invoice(order.invoice_id)  # type: ignore[arg-type]
    offer.refresh_from_db()
    newer.refresh_from_db()
    assert (offer.status, newer.status) == (S.REPLACED, S.OPEN)


# Declining, withdrawing, other terms


def test_declining_tells_its_author_why(send: Send, client_user: User, builder_user: User) -> None:
    offer = actions.decline_offer(send().pk, actor=client_user, reason="  Too \n dear. ")
    assert (offer.status, offer.reason) == (S.DECLINED, "Too dear.")
    assert Message.objects.latest("created_at").body == "Jonas declined the offer of $162.00. “Too dear.”"
    assert Message.objects.latest("created_at").subject_id is None
    assert Notification.objects.get(kind="offer.declined").user == builder_user


def test_a_reason_has_a_length(send: Send, client_user: User, nothing: Nothing) -> None:
    offer = send()
    for reason in ("x" * 301, "a\x00b"):
        with nothing(), pytest.raises(Invalid):
            actions.decline_offer(offer.pk, actor=client_user, reason=reason)


def test_who_made_an_offer_withdraws_it(send: Send, client_user: User, builder_user: User) -> None:
    offer = actions.withdraw_offer(send().pk, actor=builder_user)
    assert offer.status == S.WITHDRAWN
    assert Notification.objects.get(kind="offer.withdrawn").user == client_user


def test_each_side_has_its_part(send: Send, client_user: User, builder_user: User, stranger: User, nothing: Nothing) -> None:
    offer = send()
    wrong: list[Callable[[], Any]] = [
        lambda: actions.decline_offer(offer.pk, actor=builder_user),
        lambda: actions.decline_offer(offer.pk, actor=stranger),
        lambda: actions.withdraw_offer(offer.pk, actor=client_user),
        lambda: actions.withdraw_offer(offer.pk, actor=stranger),
        lambda: counter(offer, actor=builder_user),
        lambda: counter(offer, actor=stranger),
    ]
    for press in wrong:
        with nothing(), pytest.raises(NotAllowed):
            press()


def test_what_is_settled_stays_as_it_is(send: Send, client_user: User, builder_user: User, nothing: Nothing) -> None:
    offer = send()
    presses: list[Callable[[], Any]] = [
        lambda: actions.decline_offer(offer.pk, actor=client_user),
        lambda: actions.withdraw_offer(offer.pk, actor=builder_user),
        lambda: counter(offer),
    ]
    for press in presses:
        with at(offer.expires_at), nothing(), pytest.raises(WrongState):
            press()
    accept(offer)
    for press in presses:
        with nothing(), pytest.raises(WrongState):
            press()


def test_a_client_proposes_other_terms_and_the_builder_sends_them(send: Send, builder_user: User, terms: OfferTerms) -> None:
    old = send(terms=replace(terms, hours=7 * 24))
    proposed = counter(old, "150.00")
    old.refresh_from_db()
    assert (old.status, proposed.by_client, proposed.answers, proposed.price) == (S.COUNTERED, True, old, Decimal("150.00"))
    assert Notification.objects.get(kind="offer.countered").user == builder_user
    with pytest.raises(NotAllowed):
        accept(proposed)
    sent = send(terms=replace(terms_of(proposed)), answers=proposed.pk)
    proposed.refresh_from_db()
    assert (proposed.status, sent.price, sent.list_price) == (S.REPLACED, Decimal("150.00"), Decimal("180.00"))
    assert accept(sent).price == Decimal("150.00")


def test_a_builder_answers_other_terms_with_other_terms(send: Send, terms: OfferTerms) -> None:
    proposed = counter(send())
    send(terms=replace(terms, price=Decimal("155.00")), answers=proposed.pk)
    proposed.refresh_from_db()
    assert proposed.status == S.COUNTERED


def test_a_counter_is_about_the_same_thing(send: Send, service: Service) -> None:
    offer = send()
    terms = replace(terms_of(offer), price=Decimal("150.00"), title="Something else", package=None, service=uuid7())
    proposed = counter(offer, terms=terms)
    assert (proposed.title, proposed.package, proposed.service) == (offer.title, offer.package, service)


def test_a_counter_changes_something(send: Send, nothing: Nothing) -> None:
    offer = send()
    with nothing(), pytest.raises(Invalid) as refusal:
        counter(offer, str(CHEAPER))
    assert refusal.value.code == "same_terms"


def test_pressing_twice_proposes_once(send: Send) -> None:
    offer, key = send(), uuid7()
    assert counter(offer, client_key=key) == counter(offer, client_key=key)
    assert Offer.objects.count() == 2


def test_a_counter_below_the_floor_is_not_sent_as_it_is(send: Send, service: Service, nothing: Nothing) -> None:
    service.offer_floor = Decimal("160.00")
    service.save()
    proposed = counter(send())
    with nothing(), pytest.raises(Invalid) as refusal:
        send(terms=terms_of(proposed), answers=proposed.pk)
    assert refusal.value.code == "below_floor"


def test_the_other_side_declines_and_withdraws_a_counter(send: Send, client_user: User, builder_user: User) -> None:
    one = counter(send())
    assert actions.decline_offer(one.pk, actor=builder_user).status == S.DECLINED
    assert Notification.objects.get(kind="offer.declined").user == client_user
    two = counter(send())
    assert actions.withdraw_offer(two.pk, actor=client_user).status == S.WITHDRAWN
    assert Notification.objects.get(kind="offer.withdrawn").user == builder_user
