from __future__ import annotations

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.actions import create_builder
from port444.builders.models import Builder
from port444.kit.errors import Conflict, Invalid, NotAllowed


def test_a_builder_opens_a_profile(stranger: User) -> None:
    builder = create_builder(stranger, actor=stranger, headline="Ships on time", languages=["English"], skills=["Go"])
    builder.refresh_from_db()
    assert (builder.slug, builder.headline, builder.languages) == ("sam-stranger", "Ships on time", ["English"])
    row = AuditLog.objects.get(event_type="builder.changed")
    assert row.actor_id == stranger.pk
    assert row.after_state
    assert row.after_state["headline"] == "Ships on time"


def test_two_people_of_one_name_get_two_addresses(stranger: User, staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(name="Sam Stranger", is_builder=True)
    staff.refresh_from_db()
    first = create_builder(stranger, actor=stranger, headline="One")
    second = create_builder(staff, actor=staff, headline="Two")
    assert first.slug == "sam-stranger"
    assert second.slug.startswith("sam-stranger-")


def test_a_name_without_letters_gets_an_address(stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(name="山田 太郎")
    assert create_builder(stranger, actor=stranger, headline="One").slug == "builder"


@pytest.mark.parametrize("wrong", ["other", "client", "twice", "headline"])
def test_a_refusal_writes_nothing(stranger: User, client_user: User, builder_user: User, wrong: str) -> None:
    user, actor, headline, error = {
        "other": (stranger, client_user, "Hi", NotAllowed),
        "client": (client_user, client_user, "Hi", NotAllowed),
        "twice": (builder_user, builder_user, "Hi", Conflict),
        "headline": (stranger, stranger, "x" * 121, Invalid),
    }[wrong]
    with pytest.raises(error):
        create_builder(user, actor=actor, headline=headline)
    assert Builder.objects.count() == 1
    assert AuditLog.objects.events().count() == 0


def test_the_page_opens_the_profile(client: Client, stranger: User) -> None:
    client.force_login(stranger)
    assert "Open your builder profile" in client.get("/settings/profile/").content.decode()
    answer = client.post("/settings/profile/", {"headline": "Ships on time", "languages": "english, hindi", "skills": "Go, go ,  Rust"})
    assert (answer.status_code, answer["Location"]) == (302, "/services/new/")
    builder = Builder.objects.get(user=stranger)
    assert (builder.languages, builder.skills) == (["English", "Hindi"], ["Go", "Rust"])


def test_a_client_is_offered_to_offer_work(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert "Offer work" in client.get("/settings/profile/").content.decode()
    assert client.post("/settings/profile/", {"headline": "Hi"}).status_code == 403
    assert not Builder.objects.exists()
