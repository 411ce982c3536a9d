"""Hearts on services and builders: kept for one person, found again as they stand now, and seen by nobody else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Service, ServiceStatus
from port444.favourites import actions
from port444.favourites.models import Favourite
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from tests.orders.conftest import package, service

__all__ = ["package", "service"]  # fixtures

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def another(service: Service, n: int) -> Service:
    moment, words = now(), {"title": f"Another {n}", "slug": f"another-{n}", "summary": "Work.", "description": "Work."}
    times = {"published_at": moment, "created_at": moment}
    terms = {"status": ServiceStatus.PUBLISHED, "from_price": Decimal(60), "least_days": 2}
    return Service.objects.create(builder=service.builder, category=service.category, **words, **terms, **times)


def test_a_heart_is_pressed_and_let_go(client: Client, client_user: User, service: Service, builder: Builder) -> None:
    address = reverse("favourites:service", args=[service.slug])
    assert client.post(address, {"do": "save"}).status_code == 302
    assert Favourite.objects.count() == 0
    client.force_login(client_user)
    html = client.post(address, {"do": "save"}, headers=HTMX).content.decode()
    assert ('aria-pressed="true"' in html, 'value="drop"' in html, "<html" in html) == (True, True, False)
    assert client.post(address, {"do": "save"}).status_code == 302  # again, and without a script
    kept = Favourite.objects.get()
    assert (kept.service, kept.builder, kept.price) == (service, None, Decimal("180.00"))
    assert client.post(reverse("favourites:builder", args=[builder.slug]), {"do": "save"}).status_code == 302
    assert client.post(address, {"do": "burn"}).status_code == 422
    assert Favourite.objects.count() == 2
    html = client.post(address, {"do": "drop"}, headers=HTMX).content.decode()
    assert ('aria-pressed="false"' in html, 'value="save"' in html) == (True, True)
    assert client.post(address, {"do": "drop"}).status_code == 302
    assert [row.builder for row in Favourite.objects.all()] == [builder]
    kinds = AuditLog.objects.filter(event_type__startswith="favourite.").order_by("pk").values_list("event_type", flat=True)
    assert list(kinds) == ["favourite.saved", "favourite.saved", "favourite.dropped"]
    for path in ("services/none/", "builders/none/"):
        assert client.post(f"/saved/{path}", {"do": "save"}).status_code == 404


def test_nobody_saves_their_own_or_without_an_end(
    client_user: User, builder_user: User, service: Service, builder: Builder, monkeypatch: Any
) -> None:
    with pytest.raises(Invalid):
        actions.save_service(service.pk, actor=builder_user)
    with pytest.raises(Invalid):
        actions.save_builder(builder.pk, actor=builder_user)
    monkeypatch.setattr(actions, "MOST", 1)
    actions.save_service(service.pk, actor=client_user)
    actions.save_service(service.pk, actor=client_user)
    with pytest.raises(Conflict) as refusal:
        actions.save_builder(builder.pk, actor=client_user)
    assert (refusal.value.code, Favourite.objects.count()) == ("too_many_saved", 1)


def test_the_page_says_how_everything_stands(client: Client, client_user: User, stranger: User, service: Service, builder: Builder) -> None:
    address = reverse("favourites:saved")
    assert client.get(address).status_code == 302
    client.force_login(client_user)
    empty = client.get(address).content.decode()
    assert ("No service saved" in empty, "No builder saved" in empty) == (True, True)
    actions.save_service(service.pk, actor=client_user)
    actions.save_builder(builder.pk, actor=client_user)

    def page() -> str:
        return client.get(address).content.decode()

    assert ("Cheaper" in page(), "Away" in page(), service.title in page(), "Anaya Krishnan" in page()) == (False, False, True, True)
    Service.objects.filter(pk=service.pk).update(from_price=Decimal("150.00"))
    assert ("Cheaper now" in page(), "from $180 when you saved it" in page()) == (True, True)
    Service.objects.filter(pk=service.pk).update(from_price=Decimal("200.00"))
    assert "Costs more now" in page()
    moment = now()
    Builder.objects.filter(pk=builder.pk).update(away_from=moment, away_until=moment + timedelta(days=3), away_paused_at=moment)
    assert page().count("Back ") == 2
    Service.objects.filter(pk=service.pk).update(status=ServiceStatus.PAUSED, paused_at=moment)
    assert "Paused" in page()
    User.objects.filter(pk=builder.user_id).update(suspended_at=moment, suspension_reason="Chargebacks")
    gone = page()
    assert (gone.count("Not available any more"), service.get_absolute_url() in gone) == (2, False)
    for do in ("save", "drop"):  # what is gone can be let go
        assert client.post(reverse("favourites:service", args=[service.slug]), {"do": do}).status_code == 302
    assert service.title not in page()
    client.force_login(stranger)
    assert "Anaya Krishnan" not in page()


def test_lists_go_on_in_one_query_each(client: Client, client_user: User, service: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr("port444.favourites.queries.PAGE", 2)
    client.force_login(client_user)
    made = [service]
    for n in range(3):
        made.append(another(service, n))
    for one in made:
        actions.save_service(one.pk, actor=client_user)
    with CaptureQueriesContext(connection) as first:
        html = client.get(reverse("favourites:saved")).content.decode()
    assert ("Another 2" in html, "Another 1" in html, "Another 0" in html, of_hearts(first)) == (True, True, False, 2)
    more = Favourite.objects.order_by("-pk")[1].pk
    rest = client.get(f"{reverse('favourites:saved')}?services={more}").content.decode()
    assert ("Another 1" in rest, "Another 0" in rest, service.title in rest, "Show more" in rest) == (False, True, True, False)
    assert client.get(reverse("favourites:saved") + "?services=x&builders=\x00").status_code == 200


def of_hearts(asked: CaptureQueriesContext) -> int:
    """How many of the queries are about favourites."""
    return sum('"favourites_favourite"' in query["sql"] for query in asked.captured_queries)


def test_search_asks_for_all_hearts_at_once(client: Client, client_user: User, service: Service, builder: Builder) -> None:
    actions.save_service(service.pk, actor=client_user)
    counts, asked = [], set()
    for n in range(3):
        another(service, n)
        client.logout()
        with CaptureQueriesContext(connection) as signed_out:
            html = client.get("/").content.decode()
        assert (f"Sign in to save {service.title}" in html, of_hearts(signed_out)) == (True, 0)
        client.force_login(client_user)
        with CaptureQueriesContext(connection) as signed_in:
            html = client.get("/").content.decode()
        counts.append((html.count('aria-pressed="true"'), html.count('aria-pressed="false"')))
        assert of_hearts(signed_in) == 1
        asked.add((len(signed_out), len(signed_in)))
    assert len(asked) == 1  # the same however many are found
    assert counts == [(1, 1), (1, 2), (1, 3)]
    assert 'aria-pressed="true"' in client.get(service.get_absolute_url()).content.decode()
    assert 'aria-pressed="false"' in client.get(builder.get_absolute_url()).content.decode()
    client.force_login(builder.user)
    for page in (service.get_absolute_url(), builder.get_absolute_url()):
        assert "aria-pressed" not in client.get(page).content.decode()  # nobody saves their own
