"""What search engines and shared links are told."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from PIL import Image

from port444.accounts.models import User
from port444.builders.actions import change_builder, change_photo
from port444.builders.models import Builder
from port444.catalog.actions import change_service, pause_service
from port444.catalog.models import Category, Service
from port444.kit import cards, clock
from port444.pages import sitemaps
from tests.catalog.conftest import package

Make = Callable[..., Service]
HERE = "http://127.0.0.1:8444"
THEN, LATER = datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC)


def facts(html: str) -> dict[str, dict[str, Any]]:
    """The linked data of a page by its type."""
    found = [json.loads(text) for text in re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)]
    return {"/".join(one["@type"]) if isinstance(one["@type"], list) else one["@type"]: one for one in found}


def meta(html: str, name: str) -> str:
    found = re.search(rf'<meta (?:name|property)="{re.escape(name)}" content="([^"]*)">', html)
    return found[1] if found else ""


def test_a_service_tells_what_it_is_and_costs(client: Client, make_service: Make) -> None:
    bad = "</script><script>alert(1)</script> & co"
    row = make_service(
        bad, summary=bad, packages=[package(), package("premium", "420.00")], category_id=Category.objects.get(slug="wordpress-sites").pk
    )
    Service.objects.update(rating_sum=47, rating_count=10)
    html = client.get(row.get_absolute_url()).content.decode()
    url = f"{HERE}{row.get_absolute_url()}"
    product = facts(html)["Product/Service"]
    assert (product["name"], product["url"], product["provider"]["name"]) == (bad, url, "Anaya Krishnan")
    offers = product["offers"]
    assert (offers["lowPrice"], offers["highPrice"], offers["offerCount"], offers["priceCurrency"]) == ("60.00", "420.00", 2, "USDC")
    assert (product["aggregateRating"]["ratingValue"], product["aggregateRating"]["reviewCount"]) == ("4.7", 10)
    way = [step["name"] for step in facts(html)["BreadcrumbList"]["itemListElement"]]
    assert way == ["Find a builder", "Web development", "WordPress sites", bad]
    assert f'<link rel="canonical" href="{url}">' in html
    assert (meta(html, "og:url"), meta(html, "og:image"), meta(html, "twitter:card")) == (url, f"{url}card.jpg", "summary_large_image")
    assert "<script>alert" not in html
    assert not meta(html, "robots")


def test_without_reviews_no_stars_are_claimed(client: Client, service: Service) -> None:
    assert "aggregateRating" not in facts(client.get(service.get_absolute_url()).content.decode())["Product/Service"]


def test_a_builder_is_a_person_with_a_page(client: Client, service: Service) -> None:
    html = client.get(f"/b/{service.builder.slug}/").content.decode()
    person = facts(html)["ProfilePage"]["mainEntity"]
    assert (person["@type"], person["name"], person["url"]) == ("Person", "Anaya Krishnan", f"{HERE}/b/anaya-krishnan/")
    assert meta(html, "og:type") == "profile"
    assert [step["item"] for step in facts(html)["BreadcrumbList"]["itemListElement"]] == [f"{HERE}/", f"{HERE}/b/anaya-krishnan/"]


@pytest.mark.parametrize("path", ["/", "/c/", "/c/web-development/", "/docs/api/"])
def test_public_pages_have_one_address_and_a_picture(client: Client, category: Category, path: str) -> None:
    html = client.get(path).content.decode()
    assert f'<link rel="canonical" href="{HERE}{path}">' in html
    assert meta(html, "description")
    assert meta(html, "og:image") == f"{HERE}/card.jpg"
    assert not meta(html, "robots")


def test_everything_else_is_kept_out_of_search_engines(client: Client, service: Service, client_user: User, make_service: Make) -> None:
    paths = ["/account/login/", "/?q=logo", "/nowhere/", f"/b/{service.builder.slug}/reviews/"]
    pause_service(service.pk, actor=service.builder.user)
    for path in (*paths, service.get_absolute_url()):
        html = client.get(path).content.decode()
        assert meta(html, "robots") == "noindex", path
        assert "canonical" not in html, path
    client.force_login(client_user)
    for path in ("/orders/", "/settings/", "/notifications/"):
        assert meta(client.get(path).content.decode(), "robots") == "noindex", path


def test_a_picture_is_drawn_once_until_something_on_it_changes(client: Client, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[cards.Card] = []
    draw = cards.draw

    def counted(card: cards.Card) -> bytes:
        drawn.append(card)
        return draw(card)

    monkeypatch.setattr(cards, "draw", counted)
    path = f"{service.get_absolute_url()}card.jpg"
    first = client.get(path)
    with Image.open(io.BytesIO(first.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1200, 630))
    assert client.get(path).content == first.content
    assert client.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304
    assert len(drawn) == 1
    change_service(service.pk, actor=service.builder.user, title="Make slow pages fast")
    second = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (second.status_code, len(drawn)) == (200, 2)
    assert second.content != first.content
    name = f"cards/services/{service.pk}.jpg"
    with default_storage.open(name) as file:
        cut = file.read()[:-30]
    default_storage.delete(name)
    default_storage.save(name, ContentFile(cut))
    assert client.get(path).content == second.content
    assert len(drawn) == 3
    assert len(default_storage.listdir("cards/services")[1]) == 1


def test_pictures_of_builders_show_their_photo(client: Client, builder: Builder) -> None:
    portrait = client.get("/b/anaya-krishnan/card.jpg")
    photo = io.BytesIO()
    Image.new("RGB", (600, 700), "#ff00ff").save(photo, "PNG")
    change_photo(builder.pk, actor=builder.user, upload=ContentFile(photo.getvalue(), "me.png"))
    shown = client.get("/b/anaya-krishnan/card.jpg")
    assert shown["ETag"] != portrait["ETag"]
    with Image.open(io.BytesIO(shown.content)) as picture:
        pixel = picture.convert("RGB").getpixel((940, 315))
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, (255, 0, 255), strict=True)) < 12
    assert client.get("/card.jpg")["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("title", ["", " ", "W" * 90, "word " * 40, "Логотип за три дня", "a\x00b", "🚀"])
def test_any_words_can_be_drawn(title: str) -> None:
    assert cards.draw(cards.Card(title, title, title)).startswith(b"\xff\xd8")


def test_a_picture_of_what_is_not_public_does_not_exist(client: Client, make_service: Make, builder: Builder) -> None:
    draft = make_service(publish=False)
    client.force_login(builder.user)
    assert client.get(f"{draft.get_absolute_url()}card.jpg").status_code == 404
    User.objects.filter(pk=builder.user_id).update(is_active=False)
    assert client.get("/b/anaya-krishnan/card.jpg").status_code == 404


def test_sitemaps_name_what_is_public(client: Client, make_service: Make, builder: Builder, make_user: Any) -> None:
    with clock.at(THEN):
        shown, hidden = make_service("Django one"), make_service("Django two")
        make_service("Django three", publish=False)
    Builder.objects.create(user=make_user("Idle", is_builder=True), slug="idle", headline="Nothing yet")
    pause_service(hidden.pk, actor=builder.user)
    with clock.at(LATER):
        change_service(shown.pk, actor=builder.user, summary="Profile, then a patch.")
        change_builder(builder.pk, actor=builder.user, headline="Fast Django")
    index = client.get("/sitemap.xml").content.decode()
    for section in ("services", "builders", "categories", "pages"):
        assert f"{HERE}/sitemap-{section}.xml</loc>" in index.replace("http://testserver", HERE)
    services = client.get("/sitemap-services.xml").content.decode()
    assert re.findall("<loc>(.*?)</loc>", services) == [f"{HERE}{shown.get_absolute_url()}"]
    assert "<lastmod>2026-11-20</lastmod>" in services
    builders = client.get("/sitemap-builders.xml").content.decode()
    assert re.findall("<loc>(.*?)</loc>", builders) == [f"{HERE}/b/anaya-krishnan/"]
    assert "<lastmod>2026-11-20</lastmod>" in builders
    assert f"<loc>{HERE}/c/web-development/</loc>" in client.get("/sitemap-categories.xml").content.decode()
    assert f"<loc>{HERE}/docs/api/</loc>" in client.get("/sitemap-pages.xml").content.decode()


def test_sitemaps_come_in_pages_and_ask_the_same_for_any_number(
    client: Client, make_service: Make, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(sitemaps._Rows, "limit", 2)
    made = [make_service(f"Django {number}") for number in range(3)]
    with django_assert_num_queries(5):  # newest and how many, of services and builders; how many categories
        index = client.get("/sitemap.xml")
    assert "sitemap-services.xml?p=2</loc>" in index.content.decode()
    assert "max-age=3600" in index["Cache-Control"]
    with django_assert_num_queries(2):  # how many, and the page
        first = client.get("/sitemap-services.xml").content.decode()
    second = client.get("/sitemap-services.xml?p=2").content.decode()
    assert re.findall("<loc>(.*?)</loc>", first + second) == [f"{HERE}{row.get_absolute_url()}" for row in made]
    for path in ("/sitemap-services.xml?p=3", "/sitemap-services.xml?p=x", "/sitemap-nothing.xml"):
        assert client.get(path).status_code == 404


def test_robots_are_told_where_the_sitemap_is(client: Client) -> None:
    text = client.get("/robots.txt").content.decode()
    assert f"Sitemap: {HERE}/sitemap.xml" in text
    assert "Disallow: /console/" in text
