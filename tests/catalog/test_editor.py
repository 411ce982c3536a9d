from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.actions import change_service
from port444.catalog.models import Category, Service

Make = Callable[..., Service]


@pytest.fixture
def form(category: Category) -> dict[str, Any]:
    return {
        "title": "Draw a logo",
        "category": str(category.pk),
        "summary": "Three drafts.",
        "description": "By hand.",
        "tags": "vector, Vector,  brand",
        "basic-is_offered": "on",
        "basic-name": "Small",
        "basic-price": "$1,120.5",
        "basic-delivery_days": "3",
        "basic-revisions": "2",
        "basic-deliverables": "SVG file\n\nPNG file\n",
        "q0-label": "Your name?",
        "q0-kind": "text",
        "q0-required": "on",
        "q3-label": "Colour?",
        "q3-kind": "choice",
        "q3-options": "Red\nBlue",
    }


def sent(service: Service, form: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**form, "version": str(service.version), **changes}


def test_a_service_is_written_and_published_at_once(client: Client, builder: Builder, form: dict[str, Any]) -> None:
    client.force_login(builder.user)
    answer = client.post("/services/new/", {**form, "publish": "1"})
    assert (answer.status_code, answer["Location"]) == (302, "/s/draw-a-logo/")
    service = Service.objects.get()
    assert (service.status, service.tags, service.from_price) == ("published", ["vector", "brand"], Decimal("1120.50"))
    assert service.packages.get().deliverables == ["SVG file", "PNG file"]
    assert service.questions == [
        {"label": "Your name?", "kind": "text", "required": True, "options": [], "help": ""},
        {"label": "Colour?", "kind": "choice", "required": False, "options": ["Red", "Blue"], "help": ""},
    ]


def test_an_incomplete_service_is_kept_as_a_draft(client: Client, builder: Builder, category: Category) -> None:
    client.force_login(builder.user)
    answer = client.post("/services/new/", {"title": "Draw a logo", "category": str(category.pk), "publish": "1"})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Saved, but not published yet" in html
    assert "Write a summary" in html
    service = Service.objects.get()
    assert service.status == "draft"
    assert f'action="/services/{service.pk}/"' in html  # the next press changes this draft


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "a\x00b"},
        {"category": "nonsense"},
        {"basic-price": "-5"},
        {"basic-price": "1.005"},
        {"basic-price": "1e3"},
        {"basic-price": "NaN"},
        {"basic-price": "0"},
        {"basic-price": ""},
        {"basic-price": "99999999"},
        {"basic-price": "12\x00"},
        {"basic-delivery_days": "0"},
        {"basic-delivery_days": "91"},
        {"basic-delivery_days": ""},
        {"basic-revisions": "-1"},
        {"basic-name": ""},
        {"basic-deliverables": "x" * 121},
        {"tags": "a\x00"},
        {"standard-is_offered": "on"},
        {"offer_floor": "0"},
        {"offer_floor": "-1"},
        {"q3-options": "Red"},
        {"q3-label": ""},
        {"q0-kind": "riddle"},
        {"version": "x"},
        {"version": "-1"},
    ],
)
def test_wrong_input_is_shown_and_writes_nothing(client: Client, service: Service, form: dict[str, Any], wrong: dict[str, str]) -> None:
    before = AuditLog.objects.events().count()
    client.force_login(service.builder.user)
    for address in ("/services/new/", f"/services/{service.pk}/"):
        answer = client.post(address, sent(service, form, **wrong))
        assert answer.status_code == 422
        assert "Nothing was saved" in answer.content.decode()
    assert Service.objects.get().title == "Make slow Django pages fast"
    assert AuditLog.objects.events().count() == before


def test_a_service_is_changed(client: Client, service: Service, form: dict[str, Any]) -> None:
    client.force_login(service.builder.user)
    page = client.get(f"/services/{service.pk}/").content.decode()
    assert 'value="60.00"' in page
    assert "Which page is slow?" in page
    answer = client.post(f"/services/{service.pk}/", sent(service, form))
    assert (answer.status_code, answer["Location"]) == (302, f"/services/{service.pk}/")
    service.refresh_from_db()
    assert (service.title, service.version) == ("Draw a logo", 2)


def test_a_change_made_elsewhere_is_not_overwritten_unseen(client: Client, service: Service, form: dict[str, Any]) -> None:
    client.force_login(service.builder.user)
    stale = sent(service, form)
    change_service(service.pk, actor=service.builder.user, title="Changed in another window")
    answer = client.post(f"/services/{service.pk}/", stale)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "changed elsewhere" in html
    assert 'value="Draw a logo"' in html  # what was typed is kept
    assert '<input type="hidden" name="version" value="2"' in html
    service.refresh_from_db()
    assert service.title == "Changed in another window"
    assert client.post(f"/services/{service.pk}/", {**stale, "version": "2"}).status_code == 302
    service.refresh_from_db()
    assert service.title == "Draw a logo"


def test_publish_and_pause_from_the_list(client: Client, make_service: Make) -> None:
    service = make_service(publish=False)
    client.force_login(service.builder.user)
    assert client.get(f"/services/{service.pk}/publish/").status_code == 405
    assert client.post(f"/services/{service.pk}/publish/").status_code == 302
    assert client.post(f"/services/{service.pk}/pause/").status_code == 302
    assert client.post(f"/services/{service.pk}/pause/").status_code == 409
    service.refresh_from_db()
    assert service.status == "paused"


def test_services_of_others_are_not_there(client: Client, service: Service, stranger: User, form: dict[str, Any]) -> None:
    client.force_login(stranger)
    before = AuditLog.objects.events().count()
    assert client.get(f"/services/{service.pk}/").status_code == 404
    for path in ("", "publish/", "pause/"):
        assert client.post(f"/services/{service.pk}/{path}", form).status_code == 404
    assert AuditLog.objects.events().count() == before


def test_nobody_edits_without_signing_in(client: Client, service: Service) -> None:
    for path in ("/services/", "/services/new/", f"/services/{service.pk}/"):
        assert client.get(path)["Location"].startswith("/account/login/")


def test_first_the_profile(client: Client, stranger: User) -> None:
    client.force_login(stranger)
    assert "First, your profile" in client.get("/services/").content.decode()
    assert client.get("/services/new/")["Location"] == "/settings/profile/"


def test_the_list_asks_the_same_for_any_number(client: Client, make_service: Make, builder: Builder, django_assert_num_queries: Any) -> None:
    client.force_login(builder.user)
    assert "No services yet" in client.get("/services/").content.decode()
    make_service("One")
    with django_assert_num_queries(6) as one:
        client.get("/services/")
    make_service("Two", publish=False)
    with django_assert_num_queries(len(one)):
        html = client.get("/services/").content.decode()
    assert "Published" in html
    assert "Draft" in html
