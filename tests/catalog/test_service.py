from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import count_review, pause_service
from port444.catalog.models import Service
from port444.kit import clock
from port444.kit.clock import now
from port444.messaging.models import Conversation
from port444.orders.models import Order, Review
from tests.catalog.conftest import package

Make = Callable[..., Service]


def review(service: Service, author: User, stars: int, text: str) -> None:
    conversation, _ = Conversation.objects.get_or_create(client=author, builder=service.builder.user)
    chosen = service.packages.get()
    order = Order.objects.create(
        client=author, builder=service.builder, service=service, package=chosen, conversation=conversation, title=service.title,
        package_name=chosen.name, price=chosen.price, client_fee=Decimal("3.30"), builder_fee_bps=1000, delivery_days=2, revisions_allowed=1,
        pay_until=clock.now(),
    )  # fmt: skip
    moment = clock.now()
    Review.objects.create(
        order=order, by_client=True, builder=service.builder, service=service, author=author, about=service.builder.user, stars=stars, text=text,
        created_at=moment, shown_at=moment, counted_at=moment,
    )  # fmt: skip
    count_review(service.pk, stars)


def test_packages_are_compared(client: Client, make_service: Make, client_user: User) -> None:
    service = make_service(packages=[package(), package("premium", "420.00", name="The whole app", deliverables=["Patch as a branch", "Load test"])])
    client.force_login(client_user)
    with clock.at(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)):
        html = client.get(service.get_absolute_url()).content.decode()
    assert "Order, $63.30" in html
    assert "Order, $443.10" in html
    assert "Wed 25 Nov, 10:00" in html  # two days later, on the reader's clock
    for row in service.packages.all():
        assert f'formaction="/orders/place/{row.pk}/"' in html
    assert 'name="client_key"' in html
    assert 'name="csrfmiddlewaretoken"' in html
    assert '<th scope="row">Patch as a branch</th>' in html
    assert "<li>Load test</li>" in html
    assert "Which page is slow?" in html
    assert "/messages/to/anaya-krishnan/" in html


def test_a_package_that_is_off_is_not_shown(client: Client, make_service: Make) -> None:
    service = make_service(packages=[package(), package("premium", "420.00", name="The whole app", is_offered=False)])
    assert "The whole app" not in client.get(service.get_absolute_url()).content.decode()


def test_who_is_signed_out_signs_in_and_comes_back(client: Client, service: Service) -> None:
    html = client.get(service.get_absolute_url()).content.decode()
    assert 'href="/account/login/?next=/s/make-slow-django-pages-fast/"' in html
    assert 'formaction="/orders/' not in html
    assert 'formaction="/messages/' not in html


def test_the_builder_sees_a_link_to_edit(client: Client, service: Service) -> None:
    client.force_login(service.builder.user)
    html = client.get(service.get_absolute_url()).content.decode()
    assert "This is your service" in html
    assert f'href="/services/{service.pk}/"' in html
    assert 'formaction="/orders/' not in html


def test_an_absence_is_said_and_stops_orders(client: Client, service: Service, client_user: User) -> None:
    Builder.objects.update(away_paused_at=now(), away_from=now(), away_until=datetime(2036, 11, 29, 23, 0, tzinfo=UTC), away_message="At sea.")
    client.force_login(client_user)
    html = client.get(service.get_absolute_url()).content.decode()
    assert "Anaya is away until Sat 29 Nov." in html
    assert "At sea." in html
    assert "Back Sun 30 Nov</button>" in html
    assert "Tell me when Anaya is back" in html
    assert "/orders/place/" not in html


def test_a_paused_service_stays_readable(client: Client, service: Service, client_user: User) -> None:
    pause_service(service.pk, actor=service.builder.user)
    client.force_login(client_user)
    html = client.get(service.get_absolute_url()).content.decode()
    assert "<b>Paused.</b>" in html
    assert 'formaction="/orders/' not in html


def test_a_draft_is_the_builders_alone(client: Client, make_service: Make, stranger: User) -> None:
    service = make_service(publish=False)
    for path in (service.get_absolute_url(), f"{service.get_absolute_url()}cover.svg"):
        client.logout()
        assert client.get(path).status_code == 404
        client.force_login(stranger)
        assert client.get(path).status_code == 404
        client.force_login(service.builder.user)
        assert client.get(path).status_code == 200


def test_a_suspended_builders_service_is_gone(client: Client, service: Service) -> None:
    User.objects.filter(pk=service.builder.user_id).update(suspended_at=service.created_at, suspension_reason="Fraud")
    assert client.get(service.get_absolute_url()).status_code == 404


def test_what_people_write_is_shown_as_text(client: Client, make_service: Make, client_user: User) -> None:
    bad = "<script>alert(1)</script>"
    service = make_service(bad, summary=bad, description=bad, packages=[package(name=bad, deliverables=[bad])])
    review(service, client_user, 5, bad)
    for path in (service.get_absolute_url(), "/", f"/b/{service.builder.slug}/"):
        assert "<script>alert" not in client.get(path).content.decode()


def test_reviews_are_shown_newest_first(client: Client, service: Service, client_user: User, stranger: User) -> None:
    review(service, client_user, 5, "Quick and honest.")
    review(service, stranger, 4, "Good.")
    html = client.get(service.get_absolute_url()).content.decode()
    assert html.index("Good.") < html.index("Quick and honest.")
    assert "2 reviews, all from paid orders" in html
    assert '<p class="big">4.5</p>' in html


def test_the_page_asks_the_same_for_any_number_of_reviews(
    client: Client, service: Service, client_user: User, stranger: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):  # service, packages
        client.get(service.get_absolute_url())
    review(service, client_user, 5, "One")
    with django_assert_num_queries(3):  # and reviews
        client.get(service.get_absolute_url())
    review(service, stranger, 5, "Two")
    with django_assert_num_queries(3):
        client.get(service.get_absolute_url())


def test_a_cover_is_drawn_once(client: Client, service: Service) -> None:
    first = client.get(f"{service.get_absolute_url()}cover.svg")
    assert first["Content-Type"] == "image/svg+xml"
    assert first["Content-Security-Policy"] == "default-src 'none'"
    assert "style" not in first.content.decode()
    assert client.get(f"{service.get_absolute_url()}cover.svg", headers={"If-None-Match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize("slug", ["nothing", "a" * 300, "-"])
def test_an_unknown_address_is_not_found(client: Client, db: None, slug: str) -> None:
    assert client.get(f"/s/{slug}/").status_code == 404
    assert client.get(f"/b/{slug}/").status_code == 404
