from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.jobs import rate_listings
from port444.catalog.models import Category, Service
from port444.catalog.queries import Search, find_services
from port444.kit.clock import now
from tests.catalog.conftest import package

Make = Callable[..., Service]
Crowd = Callable[..., list[Builder]]


def test_a_category_shows_its_parts_prices_and_best_services(client: Client, make_service: Make, crowd: Crowd, settings: Any) -> None:
    settings.MARKET_LEAST_BUILDERS = 9
    part = Category.objects.get(slug="wordpress-sites")
    make_service("Rescue a hacked site", category_id=part.pk)
    make_service("Make slow pages fast")
    crowd(["40.00", "50.00", "60.00", "70.00", "80.00", "90.00", "100.00", "110.00", "120.00"])
    html = client.get("/c/web-development/").content.decode()
    assert "Rescue a hacked site" in html
    assert "Make slow pages fast" in html
    assert "$60 to $100" in html
    assert "median $80, 9 builders" in html
    assert '<link rel="canonical" href="http://127.0.0.1:8444/c/web-development/">' in html
    html = client.get("/c/wordpress-sites/").content.decode()
    assert "Rescue a hacked site" in html
    assert "Make slow pages fast" not in html
    assert '<a href="/c/web-development/">Web development</a>' in html
    assert "What it costs" not in html
    assert client.get("/c/nowhere/").status_code == 404


def test_a_search_for_a_category_finds_its_parts(client: Client, make_service: Make) -> None:
    part = Category.objects.get(slug="wordpress-sites")
    make_service("Rescue a hacked site", category_id=part.pk)
    assert find_services(Search(category=part.parent)).count == find_services(Search(category=part)).count == 1
    assert find_services(Search(category=Category.objects.get(slug="design"))).count == 0
    html = client.get("/?q=rescue").content.decode()
    assert "Web development (1)" in html
    assert "Web development: WordPress sites (1)" in html
    assert "Design (0)" in html
    html = client.get("/?category=web-development").content.decode()
    assert '<link rel="canonical" href="http://127.0.0.1:8444/c/web-development/">' in html
    assert "Web development (1)" not in html


def test_the_queries_of_a_category_are_fixed(client: Client, make_service: Make, django_assert_num_queries: Any) -> None:
    for i in range(3):
        make_service(f"Django {i}")
    with django_assert_num_queries(6):  # category, parts, ids, services, prices paid and asked
        client.get("/c/web-development/")
    with django_assert_num_queries(1):
        html = client.get("/c/").content.decode()
    assert "Scraping and automation" in html


def test_suggestions_complete_and_name(client: Client, make_service: Make, builder: Builder) -> None:
    make_service("Make slow Django pages fast", tags=["django"])
    answer = client.get("/suggest/?q=quick+djan")
    assert '<option value="quick django">' in answer.content.decode()
    assert client.get("/suggest/?q=quick+djan", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert '<option value="Anaya Krishnan">' in client.get("/suggest/?q=Anaya").content.decode()
    assert '<option value="Web development">' in client.get("/suggest/?q=web+dev").content.decode()
    assert client.get("/suggest/?q=dj").content.decode().strip() == ""
    assert client.get("/suggest/?q=%00%25_").status_code == 200


def test_a_suspended_builder_is_nowhere(client: Client, make_service: Make, builder: Builder) -> None:
    make_service("Make slow Django pages fast")
    User.objects.filter(pk=builder.user_id).update(is_active=False)
    assert "Anaya" not in client.get("/suggest/?q=Anaya").content.decode()
    assert find_services(Search(words="Anaya")).count == 0
    User.objects.filter(pk=builder.user_id).update(is_active=True, name="Ines Duarte")
    assert find_services(Search(words="Duarte")).count == 1
    assert find_services(Search(words='"Anaya"')).count == 0


def test_level_stars_and_the_free_week_are_filters(make_service: Make, builder: Builder) -> None:
    service = make_service(packages=[package(price="60.00")])
    Builder.objects.update(completed_count=60, rating_sum=290, rating_count=60)
    Service.objects.update(rating_sum=47, rating_count=10)
    assert rate_listings() == 1  # at once after a review
    service.listing.refresh_from_db()
    assert (service.listing.level, service.listing.rating_tenths) == ("top", 47)
    assert find_services(Search(level="top")).count == 1
    assert find_services(Search(level="new")).count == 0
    assert find_services(Search(rating=Decimal("4.5"))).count == 1
    assert find_services(Search(rating=Decimal("4.8"))).count == 0
    assert find_services(Search(free=True)).count == 1
    soon = now() + timedelta(days=3)
    Builder.objects.update(away_paused_at=now(), away_from=soon, away_until=soon + timedelta(days=1))
    assert find_services(Search(free=True)).count == 0
    assert find_services(Search()).count == 1


def test_orders_and_stars_move_a_service_up(make_service: Make) -> None:
    first, second = make_service("Django one"), make_service("Django two")
    Service.objects.filter(pk=first.pk).update(order_count=30, rating_sum=50, rating_count=10)
    rate_listings()
    assert [one.pk for one in find_services(Search(words="django")).services] == [first.pk, second.pk]
    Service.objects.filter(pk=second.pk).update(order_count=90, rating_sum=150, rating_count=30)
    rate_listings()
    assert [one.pk for one in find_services(Search(words="django")).services] == [second.pk, first.pk]
