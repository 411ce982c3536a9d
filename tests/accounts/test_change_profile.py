from __future__ import annotations

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts import actions
from port444.accounts.models import User
from port444.kit.errors import NotAllowed, WrongState

FORM = {"name": "Jonas de Vries", "phone": "+31 20 624 1111", "time_zone": "Asia/Tokyo", "language": "en", "theme": "dark"}


def test_changes_what_was_changed(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert client.post("/settings/", FORM)["Location"] == "/settings/"
    client_user.refresh_from_db()
    assert (client_user.name, client_user.phone, client_user.time_zone, client_user.theme) == ("Jonas de Vries", "+31206241111", "Asia/Tokyo", "dark")
    row = AuditLog.objects.get(event_type="user.profile_changed")
    assert (row.before_state or {})["time_zone"] == "Europe/Amsterdam"
    assert (row.after_state or {})["time_zone"] == "Asia/Tokyo"
    assert (row.after_state or {})["name"] == "[personal]"
    client.post("/settings/", FORM)
    assert AuditLog.objects.events().count() == 1  # nothing changed, nothing to say


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "<b>"), ("phone", "12345"), ("phone", "+31 1"), ("time_zone", "Mars/Base"), ("language", "xx"), ("theme", "pink")],
)
def test_bad_input_changes_nothing(client: Client, client_user: User, field: str, value: str) -> None:
    client.force_login(client_user)
    answer = client.post("/settings/", {**FORM, field: value})
    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    client_user.refresh_from_db()
    assert client_user.name == "Jonas Vermeer"
    assert not AuditLog.objects.events().exists()


def test_only_the_person_themselves(client_user: User, stranger: User, staff: User) -> None:
    for actor in (stranger, staff):
        with pytest.raises(NotAllowed):
            actions.change_profile(client_user.pk, actor=actor, changes={"name": "Taken Over"})
    client_user.refresh_from_db()
    assert client_user.name == "Jonas Vermeer"
    assert not AuditLog.objects.events().exists()


def test_nothing_else_can_be_smuggled_in(client_user: User) -> None:
    with pytest.raises(ValueError, match="is_staff"):
        actions.change_profile(client_user.pk, actor=client_user, changes={"is_staff": True})


def test_zone_list_names_place_and_offset(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    page = client.get("/settings/").content.decode()
    assert '<option value="Asia/Kolkata">Kolkata (UTC+05:30)</option>' in page
    assert '<option value="Europe/Amsterdam" selected>Amsterdam (UTC+0' in page


def test_zone_outside_of_the_list_stays_chosen(client: Client, client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(time_zone="US/Eastern")
    client.force_login(client_user)
    assert '<option value="US/Eastern" selected>' in client.get("/settings/").content.decode()


@pytest.mark.parametrize("path", ["/settings/", "/settings/devices/"])
def test_pages_ask_the_database_a_constant_number_of_times(
    client: Client, client_user: User, django_assert_max_num_queries: object, path: str
) -> None:
    client.force_login(client_user)
    client.get(path)
    with django_assert_max_num_queries(8):  # type: ignore[operator]  # a fixture that is a function
        assert client.get(path).status_code == 200


def test_offers_work_once(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    client.post("/settings/offer-work/")
    client_user.refresh_from_db()
    assert client_user.is_builder
    assert client_user.is_client
    with pytest.raises(WrongState):
        actions.offer_work(client_user.pk, actor=client_user)
    assert AuditLog.objects.events().count() == 1


def test_nobody_else_offers_my_work(client_user: User, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        actions.offer_work(client_user.pk, actor=stranger)
    client_user.refresh_from_db()
    assert not client_user.is_builder
