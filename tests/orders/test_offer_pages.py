"""The pages of offers: the card in the conversation, the form, the buttons, with and without a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.catalog.models import Package, Service
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation
from port444.orders import actions
from port444.orders.models import Offer, OfferStatus, Order
from port444.orders.terms import terms_of, terms_of_package

from .test_offers import accept, counter

S = OfferStatus
HTMX = {"HX-Request": "true"}
Reader = Callable[[User], Client]


@pytest.fixture
def talk(client_user: User, builder_user: User) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)


@pytest.fixture
def offer(talk: Conversation, builder_user: User, package: Package) -> Offer:
    return actions.send_offer(talk.pk, actor=builder_user, terms=terms_of_package(package, Decimal("162.00")), client_key=uuid7())


@pytest.fixture
def as_(client: Client) -> Reader:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    return sign_in


def form(**changes: Any) -> dict[str, Any]:
    filled = {"title": "Six pages", "scope": "All of them.", "deliverables": "Six pages\nA report", "price": "150", "days": "5", "revisions": "1"}
    return filled | {"hours": "48", "asks_questions": "on", "client_key": str(uuid7())} | changes


def key() -> dict[str, str]:
    return {"client_key": str(uuid7())}


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_client_sees_the_old_price_the_new_one_and_the_end_on_their_clock(as_: Reader, offer: Offer, client_user: User) -> None:
    ends = offer.created_at.replace(month=1, day=14, hour=22, minute=30) + timedelta(days=365)
    Offer.objects.filter(pk=offer.pk).update(expires_at=ends)
    html = page(as_(client_user), offer.conversation.get_absolute_url())
    assert f'id="card-{offer.pk}"' in html
    assert '<b>$162.00</b><del><span class="vh">instead of </span>$180.00</del>' in html
    assert "plus $8.91 service fee" in html
    assert "14 Jan, 23:30" in html, "in Amsterdam"
    assert "Accept and pay $170.91" in html
    assert "Withdraw" not in html


def test_the_builder_sees_what_they_get_and_may_take_it_back(as_: Reader, offer: Offer, builder_user: User) -> None:
    html = page(as_(builder_user), offer.conversation.get_absolute_url())
    assert "you get $145.80" in html
    assert "Withdraw" in html
    assert "Accept and pay" not in html


def test_accepting_leads_to_the_payment(as_: Reader, offer: Offer, client_user: User) -> None:
    client = as_(client_user)
    response = client.post(reverse("orders:accept_offer", args=[offer.pk]), key())
    order = Order.objects.get()
    assert (response.status_code, response["Location"]) == (302, reverse("payments:checkout", args=[order.invoice_id]))
    assert client.post(reverse("orders:accept_offer", args=[offer.pk]), key(), headers=HTMX)["HX-Redirect"] == response["Location"]
    checkout = page(client, response["Location"])
    assert "Custom offer" in checkout
    assert "$170.91" in checkout
    assert "Custom offer" in page(client, reverse("orders:detail", args=[order.number])).replace("custom offer", "Custom offer")
    assert "custom offer" in page(client, reverse("orders:list"))
    assert f"Pay {'$170.91'}" in page(client, offer.conversation.get_absolute_url())


def test_what_was_withdrawn_is_shown_as_it_is(as_: Reader, offer: Offer, client_user: User, builder_user: User) -> None:
    actions.withdraw_offer(offer.pk, actor=builder_user)
    client = as_(client_user)
    response = client.post(reverse("orders:accept_offer", args=[offer.pk]), key())
    assert response.status_code == 409
    assert "This offer is withdrawn" in response.content.decode()
    live = client.post(reverse("orders:accept_offer", args=[offer.pk]), key(), headers=HTMX)
    assert (live.status_code, live["HX-Trigger"]) == (409, "talk")
    assert "This offer is withdrawn" in live.content.decode()
    assert not Order.objects.exists()


@pytest.mark.parametrize("step", ["accept_offer", "send_counter", "withdraw_offer", "decline_offer"])
def test_a_press_without_its_key_changes_nothing(as_: Reader, offer: Offer, client_user: User, step: str) -> None:
    response = as_(client_user).post(reverse(f"orders:{step}", args=[offer.pk]), {"client_key": "x"})
    assert response.status_code == 422
    offer.refresh_from_db()
    assert offer.status == S.OPEN


def test_declining_with_and_without_a_script(as_: Reader, offer: Offer, client_user: User, builder_user: User) -> None:
    client = as_(client_user)
    response = client.post(reverse("orders:decline_offer", args=[offer.pk]), key() | {"reason": "Too dear"})
    assert (response.status_code, response["Location"]) == (302, f"{offer.conversation.get_absolute_url()}#card-{offer.pk}")
    assert "“Too dear”" in page(client, offer.conversation.get_absolute_url())
    again = actions.send_offer(offer.conversation_id, actor=builder_user, terms=terms_of(offer), client_key=uuid7())
    live = client.post(reverse("orders:decline_offer", args=[again.pk]), key(), headers=HTMX)
    assert (live.status_code, live["HX-Trigger"]) == (204, "talk")
    again.refresh_from_db()
    assert again.status == S.DECLINED


def test_a_reason_that_is_too_long_comes_back(as_: Reader, offer: Offer, client_user: User) -> None:
    response = as_(client_user).post(reverse("orders:decline_offer", args=[offer.pk]), key() | {"reason": "x" * 301})
    assert response.status_code == 422
    assert "at most 300" in response.content.decode()
    offer.refresh_from_db()
    assert offer.status == S.OPEN


def test_an_offer_from_a_package_begins_with_its_terms(as_: Reader, talk: Conversation, builder_user: User, package: Package) -> None:
    builder = as_(builder_user)
    url = reverse("orders:new_offer", args=[talk.pk])
    assert f'href="{url}?package={package.pk}"' in page(builder, talk.get_absolute_url())
    html = page(builder, f"{url}?package={package.pk}")
    assert 'value="180.00"' in html
    assert "Queries, indexes, caching." in html
    response = builder.post(url, form(package=package.pk))
    offer = Offer.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"{talk.get_absolute_url()}#card-{offer.pk}")
    assert (offer.package, offer.price, offer.list_price, offer.title) == (package, Decimal("150.00"), Decimal("180.00"), "Six pages")
    assert (offer.deliverables, offer.asks_questions) == (["Six pages", "A report"], True)


def test_something_else_names_a_service(as_: Reader, talk: Conversation, builder_user: User, service: Service, package: Package) -> None:
    builder = as_(builder_user)
    url = reverse("orders:new_offer", args=[talk.pk])
    refused = builder.post(url, form())
    assert refused.status_code == 422
    assert "Choose one of your services." in refused.content.decode()
    assert not Offer.objects.exists()
    builder.post(url, form(service=str(service.pk), hours="168"))
    offer = Offer.objects.get()
    assert (offer.package, offer.service, offer.list_price) == (None, service, None)
    assert offer.expires_at - offer.created_at == timedelta(days=7)


def test_the_sums_follow_what_is_written(as_: Reader, talk: Conversation, builder_user: User, package: Package) -> None:
    builder = as_(builder_user)
    data = form(package=package.pk, do="preview", price="100")
    html = " ".join(builder.post(reverse("orders:new_offer", args=[talk.pk]), data, headers=HTMX).content.decode().split())
    assert "$90.00 USDC" in html
    assert "instead of </span>$180.00</del>" in html
    assert "$105.50" in html
    assert "and $5.50 service fee, USDC." in html
    assert 'id="offerbar" hx-swap-oob' in html
    assert not Offer.objects.exists()


def test_a_price_below_the_floor_is_said_at_the_price(
    as_: Reader, talk: Conversation, builder_user: User, service: Service, package: Package
) -> None:
    service.offer_floor = Decimal("170.00")
    service.save()
    response = as_(builder_user).post(reverse("orders:new_offer", args=[talk.pk]), form(package=package.pk))
    assert response.status_code == 422
    assert "id_price_error" in response.content.decode()
    assert "Your lowest price" in response.content.decode()
    assert not Offer.objects.exists()


def test_a_second_offer_is_refused_and_the_words_are_kept(as_: Reader, offer: Offer, builder_user: User, package: Package) -> None:
    response = as_(builder_user).post(reverse("orders:new_offer", args=[offer.conversation_id]), form(package=package.pk, scope="Kept words"))
    assert response.status_code == 409
    assert "Kept words" in response.content.decode()
    assert Offer.objects.get() == offer


def test_other_terms_and_one_press_to_send_them(as_: Reader, offer: Offer, client_user: User, builder_user: User, client: Client) -> None:
    url = reverse("orders:counter_offer", args=[offer.pk])
    as_(client_user)
    assert 'value="162.00"' in page(client, url)
    same = client.post(url, {"price": "162", "days": "7", "revisions": "2", "scope": offer.scope} | key())
    assert same.status_code == 422
    response = client.post(url, {"price": "$140", "days": "9", "revisions": "2", "scope": "Without the report."} | key())
    proposed = Offer.objects.get(by_client=True)
    assert response["Location"].endswith(f"#card-{proposed.pk}")
    assert "Your terms" in page(client, offer.conversation.get_absolute_url())
    as_(builder_user)
    html = page(client, offer.conversation.get_absolute_url())
    assert "Send it with these terms" in html
    assert "you get $126.00" in html
    press = key()
    for _ in range(2):
        assert client.post(reverse("orders:send_counter", args=[proposed.pk]), press).status_code == 302
    sent = Offer.objects.get(answers=proposed)
    assert (sent.price, sent.delivery_days, sent.scope, sent.status) == (Decimal("140.00"), 9, "Without the report.", S.OPEN)


def test_terms_below_the_floor_cannot_be_sent_in_one_press(as_: Reader, offer: Offer, builder_user: User, service: Service) -> None:
    service.offer_floor = Decimal("160.00")
    service.save()
    counter(offer)
    html = page(as_(builder_user), offer.conversation.get_absolute_url())
    assert "Below your lowest price of $160.00" in html
    assert "Send it with these terms" not in html


def test_the_floor_is_nothing_for_the_eyes_of_a_client(as_: Reader, offer: Offer, client_user: User, service: Service) -> None:
    service.offer_floor = Decimal("161.11")
    service.save()
    proposed = counter(offer)
    client = as_(client_user)
    for url in (offer.conversation.get_absolute_url(), reverse("orders:offer", args=[proposed.pk])):
        assert "161.11" not in page(client, url)


def test_nobody_else_finds_an_offer(as_: Reader, offer: Offer, stranger: User) -> None:
    client = as_(stranger)
    assert client.get(reverse("orders:offer", args=[offer.pk])).status_code == 404
    for step in ("accept_offer", "send_counter", "withdraw_offer", "decline_offer", "counter_offer"):
        assert client.post(reverse(f"orders:{step}", args=[offer.pk]), key()).status_code == 404
    assert client.get(reverse("orders:new_offer", args=[offer.conversation_id])).status_code == 404
    offer.refresh_from_db()
    assert offer.status == S.OPEN


def test_each_side_has_its_pages(as_: Reader, offer: Offer, client_user: User, builder_user: User, client: Client) -> None:
    as_(client_user)
    assert client.get(reverse("orders:new_offer", args=[offer.conversation_id])).status_code == 403
    assert "Send an offer" not in page(client, offer.conversation.get_absolute_url())
    as_(builder_user)
    assert client.get(reverse("orders:counter_offer", args=[offer.pk])).status_code == 403


def test_an_open_page_follows_what_happens(as_: Reader, offer: Offer, client_user: User, builder_user: User) -> None:
    client = as_(client_user)
    url = reverse("messaging:poll", args=[offer.conversation_id])
    last = offer.conversation.messages.get()
    actions.withdraw_offer(offer.pk, actor=builder_user)
    html = client.get(url, {"after": str(last.pk)}, headers=HTMX).content.decode()
    assert f'id="card-{offer.pk}"' in html
    assert "Withdrawn" in html
    assert "Accept and pay" not in html


def test_an_expired_offer_says_so_without_a_sweep(as_: Reader, offer: Offer, client_user: User, builder_user: User) -> None:
    with at(offer.expires_at):
        html = page(as_(client_user), offer.conversation.get_absolute_url())
        assert "Expired" in html
        assert "Accept and pay" not in html
        assert "The usual price is $180.00" in html
        assert f"?from={offer.pk}" in page(as_(builder_user), offer.conversation.get_absolute_url())
    html = page(as_(builder_user), f"{reverse('orders:new_offer', args=[offer.conversation_id])}?from={offer.pk}")
    assert 'value="162.00"' in html


def test_the_inbox_names_the_offer_that_stands(as_: Reader, offer: Offer, client_user: User, builder_user: User) -> None:
    client = as_(client_user)
    assert "Offer $162.00" in page(client, reverse("messaging:inbox"))
    actions.withdraw_offer(offer.pk, actor=builder_user)
    assert "Offer $162.00" not in page(client, reverse("messaging:inbox"))


def test_many_offers_ask_no_more_queries(as_: Reader, offer: Offer, client_user: User, django_assert_num_queries: Any) -> None:
    client = as_(client_user)
    url = offer.conversation.get_absolute_url()
    accept(offer)
    client.get(url)
    with django_assert_num_queries(23):
        client.get(url)
    for price in range(3):
        with at(now() + timedelta(days=3 * (price + 1))):
            terms = replace(terms_of(offer), price=Decimal(100 + price))
            accept(actions.send_offer(offer.conversation_id, actor=offer.builder.user, terms=terms, client_key=uuid7()))
    client.get(url)
    with django_assert_num_queries(23):
        client.get(url)
