from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.catalog.actions import add_synonym, forget_words_batch, remove_synonym
from port444.catalog.models import Category, Service, Synonym, Term
from port444.catalog.queries import Search, find_services
from port444.catalog.queries.words import distance
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid

Make = Callable[..., Service]


def titles(words: str) -> list[str]:
    return [service.title for service in find_services(Search(words=words)).services]


def test_a_synonym_finds_both_ways_in_its_category_below_the_word(make_service: Make, staff: User) -> None:
    design = Category.objects.get(slug="logos-and-brands")
    make_service("Emblem drawn by hand", category_id=design.pk)
    make_service("Crest for your club", category_id=design.pk)
    make_service("Crest of a wave: sites", tags=[])
    assert titles("emblem") == ["Emblem drawn by hand"]
    row = add_synonym("Emblem", " crest ", actor=staff, category=design.parent)
    assert titles("emblem") == ["Emblem drawn by hand", "Crest for your club"]
    assert titles("crest")[-1] == "Emblem drawn by hand"
    assert titles('"emblem"') == ["Emblem drawn by hand"]
    assert titles("crest -emblem -wave") == ["Crest for your club"]
    assert AuditLog.objects.filter(event_type="synonym.added", target_id=row.pk, actor_id=staff.pk).count() == 1
    remove_synonym(row.pk, actor=staff)
    assert titles("emblem") == ["Emblem drawn by hand"]


def test_a_pair_stands_once(staff: User, db: None) -> None:
    add_synonym("emblem", "crest", actor=staff)
    with pytest.raises(Conflict):
        add_synonym("crest", "emblem", actor=staff)
    with pytest.raises(Invalid):
        add_synonym("  ", "crest", actor=staff)
    assert Synonym.objects.filter(word__in=["emblem", "crest"]).count() == 1


def test_staff_change_the_words_in_the_console(client: Client, senior: User, agent: User, settings: object) -> None:
    settings.STAFF_SECOND_FACTOR = False  # type: ignore[attr-defined]  # the fixture's type is not exported
    client.force_login(senior)
    assert client.post("/console/words/", {"word": "emblem", "means": "crest", "category": ""}).status_code == 302
    assert client.post("/console/words/", {"word": "emblem", "means": "emblem", "category": ""}).status_code == 422
    row = Synonym.objects.get(word="emblem")
    assert "emblem" in client.get("/console/words/").content.decode()
    client.force_login(agent)
    assert client.post(f"/console/words/{row.pk}/remove/").status_code == 403
    client.force_login(senior)
    assert client.post(f"/console/words/{row.pk}/remove/").status_code == 302
    assert not Synonym.objects.filter(word="emblem").exists()


def test_words_that_nobody_writes_are_forgotten(make_service: Make) -> None:
    make_service("Xylophone lessons", tags=[])
    Term.objects.create(word="zeppelin")
    late = now() + timedelta(days=8)
    assert forget_words_batch(now(), 1000) == 0
    assert forget_words_batch(late, 10_000) > 1
    assert not Term.objects.filter(word="zeppelin").exists()
    assert Term.objects.filter(word__in=["xylophone", "wordpress"]).count() == 2  # of a service, and of a synonym


@pytest.mark.parametrize(
    ("a", "b", "slips"), [("djnago", "django", 1), ("logo", "logo", 0), ("loggo", "logo", 1), ("ab", "", 2), ("kitten", "sitting", 3)]
)
def test_slips_are_counted(a: str, b: str, slips: int) -> None:
    assert distance(a, b) == distance(b, a) == slips
