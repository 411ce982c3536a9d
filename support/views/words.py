"""The words of the search: what means the same."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from port444.catalog.actions import MOST_SYNONYMS, add_synonym, remove_synonym
from port444.catalog.models import Synonym
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import UserRequest, done
from support.forms.words import SynonymForm

from .frame import console_page, show


@require_http_methods(["GET", "POST"])
@console_page("edit_words")
def words(request: UserRequest) -> HttpResponse:
    """All pairs, and a form for another one."""
    form = SynonymForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            row = add_synonym(data["word"], data["means"], actor=request.user, category=data["category"])
            return done(request, reverse("support:words"), f"“{row.word}” and “{row.means}” mean the same now.")
        except (Invalid, Conflict) as error:
            form.add_error(None, error.message)
    rows = Synonym.objects.select_related("category").order_by("word", "means", "id")[:MOST_SYNONYMS]
    status = 422 if form.errors else 200
    return show(request, "support/words.html", {"rows": rows, "form": form}, section="words", title="Words of the search", status=status)


@require_POST
@console_page("edit_words")
def remove_word(request: UserRequest, synonym_id: UUID) -> HttpResponse:
    row = remove_synonym(get_object_or_404(Synonym, pk=synonym_id).pk, actor=request.user)
    return done(request, reverse("support:words"), f"“{row.word}” and “{row.means}” no longer mean the same.")
