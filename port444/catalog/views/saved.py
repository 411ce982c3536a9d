"""Saved searches of one person."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.catalog import actions
from port444.catalog.forms import SavedSearchForm, SearchForm
from port444.catalog.models import Category, Frequency, SavedSearch
from port444.catalog.queries import Search, asked, saved_by
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import UserRequest, done

from .finding import address, chips


@login_required
@require_GET
def saved_searches(request: UserRequest) -> HttpResponse:
    rows = [(saved, words_of(saved.search), address(saved.search)) for saved in saved_by(request.user)]
    return render(request, "catalog/saved.html", {"rows": rows, "frequencies": Frequency.choices, "most": actions.MOST_SAVED})


def words_of(search: Search) -> str:
    """A search in a line."""
    return ", ".join([_("“%(name)s”") % {"name": search.words}] * bool(search.words) + [words for words, _link in chips(search)]) or _("All services")


@login_required
@require_http_methods(["GET", "POST"])
def save_search(request: UserRequest) -> HttpResponse:
    """Keep the search whose fields stand in the address."""
    wanted = SearchForm(request.GET, list(Category.objects.all())).search()
    form = SavedSearchForm(request.POST if request.method == "POST" else None, initial={"name": words_of(wanted)[:60]})
    if form.is_valid():
        try:
            actions.save_search(asked(wanted), actor=request.user, **form.cleaned_data)
            return done(request, reverse("catalog:saved_searches"), _("Saved."))
        except (Invalid, Conflict) as error:
            form.add_error(None, error.message)
    context = {"form": form, "words": words_of(wanted), "back": address(wanted)}
    return render(request, "catalog/save.html", context, status=422 if form.errors else 200)


def own_search(request: UserRequest, pk: UUID) -> SavedSearch:
    return get_object_or_404(SavedSearch, pk=pk, user=request.user)


@login_required
@require_POST
def change_search(request: UserRequest, pk: UUID) -> HttpResponse:
    row = own_search(request, pk)
    form = SavedSearchForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Give it a name, and choose how often to be told."), code="invalid")
    actions.change_search(row.pk, actor=request.user, **form.cleaned_data)
    return done(request, reverse("catalog:saved_searches"), _("Saved."))


@login_required
@require_POST
def remove_search(request: UserRequest, pk: UUID) -> HttpResponse:
    actions.remove_search(own_search(request, pk).pk, actor=request.user)
    return done(request, reverse("catalog:saved_searches"), _("Removed."))


@login_required
@require_POST
def look_at_search(request: UserRequest, pk: UUID) -> HttpResponse:
    """To the search as it is now, newest first, with what came since the last look marked."""
    row = own_search(request, pk)
    since: datetime = actions.look_at_search(row.pk, actor=request.user)
    return done(request, f"{reverse('catalog:search')}?{urlencode({**row.asked, 'sort': 'new', 'since': since.isoformat()})}")
