"""The words of the search that staff change: what means the same."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.actions import check_fields
from port444.catalog.models import Category, Synonym
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, word_constraint

MOST_SYNONYMS = 1000

word_constraint("synonym_once", Conflict("These two mean the same already.", code="synonym_exists"))
word_constraint("synonym_of_another", Invalid("A word means itself already. Write another one.", code="synonym_same"))


@transaction.atomic
def add_synonym(word: str, means: str, *, actor: User, category: Category | None = None) -> Synonym:
    """Let two words or phrases mean the same, in one category with its parts or in all. Whether `actor` may do this, the console has asked."""
    row = Synonym(word=" ".join(word.lower().split()), means=" ".join(means.lower().split()), category=category, created_at=now())
    check_fields(row, {"word": "", "means": ""})
    if Synonym.objects.count() >= MOST_SYNONYMS:
        raise Invalid(f"There are {MOST_SYNONYMS} pairs. Remove one that nobody needs.", code="too_many_synonyms")
    if Synonym.objects.filter(word=row.means, means=row.word, category=category).exists():
        raise Conflict("These two mean the same already.", code="synonym_exists")
    row.save()
    record(Event.SYNONYM_ADDED, actor=actor, target=row, after=_told(row))
    return row


@transaction.atomic
def remove_synonym(synonym_id: UUID, *, actor: User) -> Synonym:
    """Let two words mean the same no longer."""
    row = Synonym.objects.select_for_update(of=("self",)).select_related("category").get(pk=synonym_id)
    record(Event.SYNONYM_REMOVED, actor=actor, target=row, before=_told(row))
    row.delete()
    return row


def _told(row: Synonym) -> dict[str, str]:
    return {"word": row.word, "means": row.means, "category": row.category.slug if row.category else ""}
