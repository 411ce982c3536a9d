from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.sitemaps import views as sitemaps
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.csp import CSP
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET

from port444.builders.publicity import front
from port444.catalog.pictures import cover
from port444.kit import cards
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.publicity import Public, address, crumbs

from . import help as helping
from .overview import overview
from .sitemaps import SITEMAPS

# What a crawler would find empty, closed, or once more.
CLOSED = ("/account/", "/api/", "/console/", "/settings/", "/suggest/", "/*?after=", "/*?*&after=")
WORDS = ("Hire a builder", "Fixed packages, money in escrow until you accept, and a call first if you like.")
CARD = cards.Card(*WORDS, drawing=cover("port444"), wide=True)  # in English for all, as the others


@require_GET
@cache_control(public=True, max_age=86400)
def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED), "", f"Sitemap: {settings.SITE_URL}{reverse('pages:sitemap')}"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@require_GET
@cache_control(public=True, max_age=3600)
def sitemap(request: HttpRequest) -> HttpResponse:
    """The pages of all sitemaps."""
    return sitemaps.index(request, SITEMAPS, sitemap_url_name="pages:sitemap_of")


@require_GET
@cache_control(public=True, max_age=3600)
def sitemap_of(request: HttpRequest, section: str) -> HttpResponse:
    """One page (`p`) of one of them."""
    return sitemaps.sitemap(request, SITEMAPS, section=section)


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def card(request: HttpRequest) -> HttpResponse:
    """The picture that other sites show beside a link to a page without one of its own."""
    return cards.answer(request, "site", CARD)


# Help

LONGEST = 80  # letters of what somebody looks for


@require_GET
def help_home(request: HttpRequest) -> HttpResponse:
    """All topics, or where the words of `q` stand."""
    words = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    url = address("pages:help")
    public = Public(
        title=_("Help"),
        description=_("The rules of money and time, in plain words."),
        url=url,
        facts=(crumbs(front(), (_("Help"), url)),),
        listed=not words,
    )
    context = {"public": public, "groups": helping.GROUPS, "words": words, "found": helping.find(words) if words else []}
    return render(request, "pages/help.html", context)


@require_GET
def topic(request: HttpRequest, slug: str) -> HttpResponse:
    found = helping.TOPICS.get(slug)
    if found is None:
        raise Http404
    words, url = helping.body(found), address("pages:topic", slug)
    public = Public(
        title=str(found.title),
        description=str(found.summary),
        url=url,
        kind="article",
        facts=(crumbs(front(), (_("Help"), address("pages:help")), (str(found.title), url)),),
    )
    group = next(topics for _name, topics in helping.GROUPS if found in topics)
    context = {
        "public": public,
        "topic": found,
        "body": words,
        "contents": helping.contents(words),
        "beside": [other for other in group if other != found],
    }
    return render(request, "pages/topic.html", context)


# Settings


@login_required
@never_cache
@require_GET
def settings_overview(request: UserRequest) -> HttpResponse:
    """Every setting with what it is now."""
    return render(request, "pages/settings.html", {"groups": overview(request.user, now())})
