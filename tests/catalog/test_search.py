from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog import queries
from port444.catalog.models import Category, Service
from port444.catalog.queries import Search, Sort, Way, find_services, finding, loosen, read_cursor
from port444.kit.clock import now
from tests.catalog.conftest import package

Make = Callable[..., Service]


def titles(**search: Any) -> list[str]:
    return [service.title for service in find_services(Search(**search)).services]


def test_words_are_found_in_every_form(make_service: Make) -> None:
    make_service("Make slow Django pages fast")
    make_service("Draw a logo", summary="Three drafts.", description="Ink.", tags=["vector"])
    assert titles(words="page") == ["Make slow Django pages fast"]
    assert titles(words="profiles") == ["Make slow Django pages fast"]  # a tag, in another form
    assert titles(words="vector") == ["Draw a logo"]
    assert titles(words="django -fast") == []
    assert titles(words='"slow pages"') == []


@pytest.mark.parametrize(
    ("words", "meant"), [("djnago", "django"), ("djang", "django"), ("Djnago fats", "django fast"), ("slow pgaes", "slow pages")]
)
def test_a_typo_is_put_right_and_said(client: Client, make_service: Make, words: str, meant: str) -> None:
    make_service("Make slow Django pages fast")
    make_service("Draw a logo", summary="Three drafts.", description="Ink.", tags=[])
    found = find_services(Search(words=words))
    assert (found.way, found.corrected) == (Way.CORRECTED, meant)
    assert [service.title for service in found.services] == ["Make slow Django pages fast"]
    assert find_services(Search(words=words, literal=True)).count == 0
    html = client.get("/", {"q": words}).content.decode()
    assert f"These are for <b>{meant}</b>" in html
    assert f'href="/?{urlencode({"q": words, "literal": "on"}).replace("&", "&amp;")}"' in html
    assert find_services(Search(words=f'"{words}"')).count == find_services(Search(words=f"{words} -ink")).count == 0


def test_some_of_the_words_come_close(make_service: Make) -> None:
    make_service("Make slow Django pages fast")
    found = find_services(Search(words="Djnago performence"))
    assert found.near
    assert [service.title for service in found.services] == ["Make slow Django pages fast"]


def test_a_filter_is_no_reason_to_doubt_the_words(make_service: Make) -> None:
    make_service("Django review")
    make_service("Djinn stories", packages=[package(price="5.00")])
    found = find_services(Search(words="django", highest=Decimal(10)))
    assert (found.way, found.count) == (Way.SAID, 0)


def test_an_exact_answer_is_not_mixed_with_near_ones(make_service: Make) -> None:
    make_service("Data pipelines in Python")
    make_service("Date pickers for React", summary="Small.", description="Small.", tags=[])
    found = find_services(Search(words="data"))
    assert not found.near
    assert [service.title for service in found.services] == ["Data pipelines in Python"]


def test_the_title_counts_more_than_the_text(make_service: Make) -> None:
    make_service("Tune a database", description="Mostly for Django.", summary="Indexes.", tags=[])
    make_service("Django review", description="Text.", summary="Notes.", tags=[])
    assert titles(words="django") == ["Django review", "Tune a database"]


def test_filters_narrow_the_answer(make_service: Make, builder: Builder, stranger: User) -> None:
    cheap = make_service("Cheap and slow", packages=[package(price="20.00", delivery_days=20)])
    make_service("Dear and quick", packages=[package(price="200.00", delivery_days=1)])
    other = Builder.objects.create(
        user=stranger, slug="sam", headline="Design", languages=["Hindi"], consultation_enabled=True, consultation_30min_price=Decimal("40.00")
    )
    design, _ = Category.objects.get_or_create(slug="design", defaults={"name": "Design"})
    make_service("Draw a logo", by=other, category_id=design.pk, packages=[package(price="100.00", delivery_days=5)])
    assert titles(highest=Decimal("20.00")) == ["Cheap and slow"]
    assert titles(lowest=Decimal("100.01")) == ["Dear and quick"]
    assert set(titles(days=5)) == {"Dear and quick", "Draw a logo"}
    assert titles(calls=True) == titles(language="Hindi") == titles(category=design) == ["Draw a logo"]
    assert titles(category=cheap.category, calls=True) == []
    assert [(name, count) for name, _, count in loosen(Search(category=cheap.category, calls=True))] == [("category", 1), ("calls", 2)]


def test_drafts_pauses_absences_and_suspensions_are_left_out(make_service: Make, builder: Builder) -> None:
    make_service("A draft", publish=False)
    make_service("A service")
    assert titles() == ["A service"]
    Builder.objects.update(away_paused_at=now(), away_from=now(), away_until=now() + timedelta(days=1))
    assert titles() == []
    Builder.objects.update(away_until=now())
    User.objects.filter(pk=builder.user_id).update(is_active=False)
    assert titles() == []


ORDERS = {
    Sort.BEST: lambda s: (-s.listing.quality, -s.pk.int),
    Sort.CHEAP: lambda s: (s.from_price, s.pk.int),
    Sort.DEAR: lambda s: (-s.from_price, -s.pk.int),
    Sort.ORDERED: lambda s: (-s.order_count, -s.pk.int),
    Sort.NEW: lambda s: (-s.published_at.timestamp(), -s.pk.int),
}


@pytest.mark.parametrize("words", ["", "django", "djnago"])
@pytest.mark.parametrize("sort", list(Sort))
def test_pages_follow_each_other_over_ties(make_service: Make, monkeypatch: pytest.MonkeyPatch, sort: Sort, words: str) -> None:
    monkeypatch.setattr(finding, "PAGE", 3)
    for i in range(10):
        make_service(f"Django {i % 2}", packages=[package(price=f"{10 + i % 2}.00")])
    Service.objects.update(published_at=Service.objects.earliest("published_at").published_at)
    seen: list[Service] = []
    found = find_services(Search(words=words, sort=sort))
    pages = 1
    while True:
        seen += found.services
        if not found.after:
            break
        # What is published while somebody reads neither repeats nor hides a row.
        make_service(f"Django {pages} later", packages=[package(price="1.00")])
        cursor = read_cursor(found.after, sort)
        assert cursor is not None
        found = find_services(Search(words=words, sort=sort), cursor)
        pages += 1
    first = [service for service in seen if not service.title.endswith("later")]
    assert len(first) == len({service.pk for service in first}) == 10
    assert len(seen) == len({service.pk for service in seen})
    if not words or sort != Sort.BEST:
        assert first == sorted(first, key=ORDERS[sort])


def test_a_large_answer_is_counted_up_to_a_bound(make_service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "COUNTED", 2)
    for i in range(4):
        make_service(f"Django {i}")
    found = find_services(Search())
    assert found.is_many
    assert found.count == 3


@pytest.mark.parametrize(
    "query",
    [
        "lowest=abc", "lowest=-5", "highest=1e9", "lowest=99999999999999999999999", "highest=1.005", "lowest=NaN", "lowest=%00",
        "days=0", "days=-1", "days=99999999999999999999", "days=x", "category=nowhere", "category=%00", "language=Klingon", "language=%00",
        "sort=worst", "sort=%00", "after=broken", "after=%00", "after=YmVzdHwwfDk5OTk5OTk5OTk5OTk5OTl8MDA", "after=" + "A" * 500,
    ],
)  # fmt: skip
def test_a_wrong_filter_is_left_out_and_named(client: Client, service: Service, query: str) -> None:
    response = client.get(f"/?{query}")
    assert response.status_code == 200
    assert service.title in response.content.decode()
    assert len(response.context["ignored"]) == 1


@pytest.mark.parametrize("words", ["%00", "%27%29%3B--", "%5C", "%22", "-", "%25_", "%3A%2A", "%F0%9F%9A%A2", "a%00b", "x" * 3000, "or", "%E0%A4%A"])
def test_any_words_can_be_searched(client: Client, service: Service, words: str) -> None:
    assert client.get(f"/?q={words}").status_code == 200


@pytest.mark.parametrize("key", ["99999999999", "x", "1.5", "", "-1"])
def test_a_forged_cursor_is_refused_or_harmless(client: Client, service: Service, key: str) -> None:
    for sort in Sort:
        forged = queries.Cursor(sort, Way.SAID, key, service.pk).write()
        assert client.get(f"/?sort={sort}&after={forged}").status_code == 200


def test_prices_the_wrong_way_round_are_turned(client: Client, service: Service) -> None:
    response = client.get("/?lowest=100&highest=50")
    assert response.context["search"].lowest == Decimal("50.00")
    assert service.title in response.content.decode()


def test_an_empty_answer_offers_to_loosen_one_filter(client: Client, service: Service) -> None:
    html = client.get("/?q=django&highest=5&calls=on").content.decode()
    assert "No service fits all of this" in html
    html = client.get("/?q=django&highest=5").content.decode()
    assert "At any price: 1 service" in html
    assert 'href="/?q=django"' in html


def test_show_more_answers_the_rows_alone(client: Client, make_service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PAGE", 1)
    make_service("First")
    make_service("Second")
    page = client.get("/")
    more = page.context["more"]
    fragment = client.get(more, headers={"HX-Request": "true"})
    html = fragment.content.decode()
    assert html.count('<li class="card hit">') == 1
    assert "<!doctype" not in html
    assert "First" in html
    assert 'id="more"' not in html
    assert "HX-Request" in fragment["Vary"]


def test_filters_answer_the_results_with_their_address(client: Client, service: Service) -> None:
    response = client.get("/?q=django&lowest=&highest=100&days=&sort=best", headers={"HX-Request": "true"})
    assert response.content.decode().startswith('<div id="results">')
    assert response["HX-Push-Url"] == "/?q=django&highest=100"


def test_search_asks_the_same_whatever_it_finds(client: Client, make_service: Make, django_assert_num_queries: Any) -> None:
    make_service("Django one")
    with django_assert_num_queries(7):  # categories, savepoint, way to read, count, order, release, services
        client.get("/")
    with django_assert_num_queries(8):  # and what the words mean
        client.get("/?q=django")
    for i in range(5):
        make_service(f"Django {i}")
    with django_assert_num_queries(7):
        client.get("/")
    with django_assert_num_queries(8):
        client.get("/?q=django")
    with django_assert_num_queries(19):  # and whether any service says so, which words are known, four for what they may be, how often each is used
        client.get("/?q=djnago")
