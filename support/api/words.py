"""The words of the search: what means the same."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from port444.catalog.actions import MOST_SYNONYMS, add_synonym, remove_synonym
from port444.catalog.models import Category, Synonym
from port444.kit.http import UserRequest
from port444.kit.rest import In, Out, Text, answers

from .door import console

router = Router(tags=["Console"])


class SynonymIn(In):
    word: Text = Field(min_length=1, max_length=40)
    means: Text = Field(min_length=1, max_length=40)
    category: Text = Field("", max_length=60, description="The slug of a category; empty for all")


class SynonymOut(Out):
    id: UUID
    word: str
    means: str
    category: str


class SynonymsOut(Out):
    items: list[SynonymOut]


def _out(row: Synonym) -> SynonymOut:
    return SynonymOut(id=row.pk, word=row.word, means=row.means, category=row.category.slug if row.category else "")


@router.get("/synonyms", response=answers(200, SynonymsOut), auth=console("edit_words"), summary="Words that mean the same")
def list_synonyms(request: UserRequest) -> SynonymsOut:
    """All pairs, at most a thousand."""
    return SynonymsOut(items=[_out(row) for row in Synonym.objects.select_related("category").order_by("word", "means", "id")[:MOST_SYNONYMS]])


@router.post("/synonyms", response=answers(201, SynonymOut), auth=console("edit_words"), summary="Let two words mean the same")
def add_word_pair(request: UserRequest, body: SynonymIn) -> Status[SynonymOut]:
    """Whoever searches for one finds the other as well, below it."""
    category = get_object_or_404(Category, slug=body.category) if body.category else None
    return Status(201, _out(add_synonym(body.word, body.means, actor=request.user, category=category)))


@router.delete(
    "/synonyms/{uuid:synonym_id}", response=answers(204, None), auth=console("edit_words"), summary="Let two words mean the same no longer"
)
def remove_word_pair(request: UserRequest, synonym_id: UUID) -> Status[None]:
    remove_synonym(get_object_or_404(Synonym, pk=synonym_id).pk, actor=request.user)
    return Status(204, None)
