from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import create_service, publish_service
from port444.catalog.models import Category
from port444.kit.clock import now
from tests.catalog.conftest import package


def offer(builder: Builder, title: str, publish: bool = True) -> None:
    category, _ = Category.objects.get_or_create(slug="design", defaults={"name": "Design"})
    row = create_service(builder.pk, actor=builder.user, category_id=category.pk, title=title, summary="S", description="D", packages=[package()])
    if publish:
        publish_service(row.pk, actor=builder.user)


def test_the_page_shows_the_builder(client: Client, builder: Builder) -> None:
    Builder.objects.update(about="<b>Hello</b>", languages=["Hindi"], consultation_enabled=True, consultation_30min_price="60.00")
    offer(builder, "A logo")
    offer(builder, "Not ready", publish=False)
    html = client.get(f"/b/{builder.slug}/").content.decode()
    for text in ("Anaya Krishnan", "Django and Postgres performance", "&lt;b&gt;Hello", "Hindi", "A logo", "Book a call", "in Kolkata", "New here"):
        assert text in html
    assert "Not ready" not in html


def test_the_page_says_when_the_builder_is_away(client: Client, builder: Builder) -> None:
    Builder.objects.update(
        away_paused_at=now(),
        away_from=now(),
        away_until=now() + timedelta(days=2),
        away_message="At sea.",
        consultation_enabled=True,
        consultation_30min_price="60.00",
    )
    html = client.get(f"/b/{builder.slug}/").content.decode()
    assert "Anaya is away" in html
    assert "At sea." in html
    assert "Tell me when Anaya is back" in html
    assert ">Book a call" in html.replace("</svg>", ">")  # for a day after the return


def test_suspended_builders_are_not_shown(client: Client, builder: Builder) -> None:
    User.objects.filter(pk=builder.user_id).update(suspended_at=builder.created_at, suspension_reason="Fraud")
    assert client.get(f"/b/{builder.slug}/").status_code == 404
    assert client.get(f"/b/{builder.slug}/photo.svg").status_code == 404


def test_the_page_asks_the_same_for_any_number_of_services(client: Client, builder: Builder, django_assert_num_queries: Any) -> None:
    offer(builder, "One")
    with django_assert_num_queries(3):  # builder, portfolio, services
        client.get(f"/b/{builder.slug}/")
    offer(builder, "Two")
    with django_assert_num_queries(3):
        client.get(f"/b/{builder.slug}/")
    client.force_login(builder.user)
    assert "how others see you" in client.get(f"/b/{builder.slug}/").content.decode()
