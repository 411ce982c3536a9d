from __future__ import annotations

from django.conf import settings
from django.contrib.sitemaps import views as sitemaps
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.csp import CSP
from django.views.decorators.cache import cache_control
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET

from port444.catalog.pictures import cover
from port444.kit import cards

from .sitemaps import SITEMAPS

# What a crawler would find empty, closed, or once more.
CLOSED = ("/account/", "/api/", "/console/", "/settings/", "/suggest/", "/*?after=", "/*?*&after=")
WORDS = ("Hire a builder", "Fixed packages, money in escrow until you accept, and a call first if you like.")
CARD = cards.Card(*WORDS, drawing=cover("port444"), wide=True)  # in English for all, as the others


@require_GET
@cache_control(public=True, max_age=86400)
def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED), "", f"Sitemap: {settings.SITE_URL}{reverse('pages:sitemap')}"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain")


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
