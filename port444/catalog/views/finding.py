"""Search, what completes its words, and the categories as pages."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.formats import number_format
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from port444.builders.models import Level
from port444.builders.publicity import front
from port444.catalog.forms import RATINGS, SearchForm, WordsField
from port444.catalog.models import Category
from port444.catalog.publicity import SITE, public_categories, public_category
from port444.catalog.queries import Search, Sort, Way, asked, find_services, loosen, market_of, parts_of, plain, read_cursor, services_in, suggest
from port444.kit.http import HtmxRequest
from port444.kit.publicity import Public

DAYS = (1, 3, 7, 14)


@require_GET
def search(request: HtmxRequest) -> HttpResponse:
    categories = list(Category.objects.all())
    form = SearchForm(request.GET, categories)
    wanted = form.search()
    text = request.GET.get("after", "")
    cursor = read_cursor(text, wanted.sort) if text else None
    found = find_services(wanted, cursor)
    context = {
        "form": form,
        "search": wanted,
        "found": found,
        "categories": parts_of(categories, found.by_category),
        "more": address(wanted, found.after) if found.after else "",
        "chips": chips(wanted),
        "clear": address(Search(words=wanted.words, sort=wanted.sort)),
        "literally": address(replace(wanted, literal=True)) if found.way != Way.SAID else "",
        "ignored": [*form.ignored, *([_("The place in the list was lost; this is its beginning.")] if text and not cursor else [])],
        "loosened": [(loose_words(name, other), address(other), count) for name, other, count in loosen(wanted)] if not found.count else [],
        "sorts": Sort.choices,
        "day_choices": [*((days, ngettext("%(days)s day", "%(days)s days", days) % {"days": days}) for days in DAYS), ("", _("Any"))],
        "levels": Level.choices,
        "ratings": RATINGS,
        "is_continued": cursor is not None,
        "public": public_search(wanted, found.count),
        "save": f"{reverse('catalog:save_search')}?{urlencode(asked(wanted))}" if not wanted.is_front else "",
        "since": since(request.GET.get("since", "")),
    }
    if request.htmx and cursor:
        response = render(request, "catalog/_hits.html", context)
    elif request.htmx:
        response = render(request, "catalog/_results.html", context)
        response["HX-Push-Url"] = address(wanted)
    else:
        response = render(request, "catalog/search.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def address(search: Search, after: str = "") -> str:
    """The link to a search; what is not set is left out."""
    query = urlencode(asked(search) | ({"after": after} if after else {}))
    return f"{reverse('catalog:search')}?{query}" if query else reverse("catalog:search")


def chips(search: Search) -> list[tuple[str, str]]:
    """The filters that are on: what each says, and the link that takes it off."""
    on: list[tuple[str, Search]] = []
    if search.category:
        on.append((search.category.name, replace(search, category=None)))
    if search.lowest is not None or search.highest is not None:
        on.append((price_words(search), replace(search, lowest=None, highest=None)))
    if search.days is not None:
        on.append((ngettext("Within %(days)s day", "Within %(days)s days", search.days) % {"days": search.days}, replace(search, days=None)))
    if search.level:
        on.append((_("%(level)s builders") % {"level": Level(search.level).label}, replace(search, level="")))
    if search.rating:
        on.append((_("%(stars)s stars or more") % {"stars": number_format(search.rating)}, replace(search, rating=None)))
    if search.calls:
        on.append((_("Takes calls"), replace(search, calls=False)))
    if search.free:
        on.append((_("Free this week"), replace(search, free=False)))
    if search.language:
        on.append((_("Speaks %(language)s") % {"language": search.language}, replace(search, language="")))
    return [(words, address(other)) for words, other in on]


def price_words(search: Search) -> str:
    lowest, highest = number_format(plain(search.lowest)), number_format(plain(search.highest))
    if search.lowest is not None and search.highest is not None:
        return _("$%(lowest)s to $%(highest)s") % {"lowest": lowest, "highest": highest}
    return _("Up to $%(highest)s") % {"highest": highest} if search.highest is not None else _("From $%(lowest)s") % {"lowest": lowest}


def loose_words(name: str, other: Search) -> str:
    return {
        "category": _("In any category"),
        "price": _("At any price"),
        "days": _("In any time"),
        "level": _("Of any level"),
        "rating": _("With any stars"),
        "calls": _("Without calls, too"),
        "free": _("Away this week, too"),
        "language": _("In any language"),
        "words": _("Without the words"),
    }[name]


@require_GET
def suggestions(request: HttpRequest) -> HttpResponse:
    """What completes the words in the search box, as options of its list."""
    words = suggest(WordsField(required=False).clean(request.GET.get("q")))
    etag = quote_etag(hashlib.sha256("\n".join(words).encode()).hexdigest()[:24])
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = render(request, "catalog/_suggestions.html", {"words": words})
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=60"
    return response


@require_GET
def categories(request: HttpRequest) -> HttpResponse:
    context = {"categories": parts_of(list(Category.objects.all()), {}), "public": public_categories()}
    return render(request, "catalog/categories.html", context)


@require_GET
def category(request: HttpRequest, slug: str) -> HttpResponse:
    row = get_object_or_404(Category.objects.select_related("parent"), slug=slug)
    parts = list(row.children.all())
    services = services_in(row)
    context: dict[str, Any] = {
        "category": row,
        "parts": parts,
        "services": services,
        "market": market_of(row),
        "days": settings.MARKET_DAYS,
        "public": public_category(row),
    }
    return render(request, "catalog/category.html", context)


def since(text: str) -> datetime | None:
    """The moment from which on services are marked as new; None for none, or for what is no moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def public_search(search: Search, count: int) -> Public:
    """A search; the first page and a whole category are listed, each under one address, and no other search is."""
    if search.category and search == Search(category=search.category):
        return public_category(search.category)
    if search.is_front:
        words = _("Fixed packages, money in escrow until you accept, and a call first if you like.")
        return Public(title=front()[0], description=words, url=front()[1], facts=(SITE,))
    if search.words:
        many = ngettext("%(count)s service", "%(count)s services", count)
        return Public(title=f"{search.words}, {many % {'count': count}}", listed=False)
    return Public(title=search.category.name if search.category else front()[0], listed=False)
