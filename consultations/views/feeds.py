"""The private calendar address: the page that shows it, and what calendar programs fetch from it."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from consultations import actions, ical, queries
from consultations.models import CalendarFeed
from port444.kit.clock import now
from port444.kit.errors import TooMany
from port444.kit.http import UserRequest, done

HOUR = 3600
READS_AN_HOUR = 240  # a person's devices, each asking every few minutes


@login_required
@require_GET
def feed(request: UserRequest) -> HttpResponse:
    """The address, how to subscribe to it, and when it was read last."""
    mine = CalendarFeed.objects.filter(user=request.user).first()
    address = settings.SITE_URL.rstrip("/") + reverse("consultations:feed_file", args=[queries.token_of(mine)]) if mine else ""
    webcal = f"webcal://{address.partition('://')[2]}" if address else ""
    return render(request, "consultations/feed.html", {"feed": mine, "address": address, "webcal": webcal})


@login_required
@require_POST
def renew_feed(request: UserRequest) -> HttpResponse:
    again = actions.renew_feed(actor=request.user).generation > 0
    message = _("Your new address is ready. The old one opens nothing any more.") if again else _("Your address is ready.")
    return done(request, reverse("consultations:feed"), message)


@require_safe
def feed_file(request: HttpRequest, token: str) -> HttpResponse:
    """The calls of the person whose address this is, for calendar programs, which cannot sign in."""
    mine = queries.feed_of(token)
    if mine is None:
        raise Http404
    key = f"feed:{mine.pk}"
    cache.add(key, 0, HOUR)
    if cache.incr(key) > READS_AN_HOUR:
        raise TooMany(_("This calendar is asked for too often. Once in a quarter of an hour is enough."))
    moment = now()
    content = ical.feed(queries.calls_in_feed(mine.user, moment), mine.user)
    actions.note_feed_read(mine, moment)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response["ETag"], response["Cache-Control"] = etag, "private, max-age=300"
    response["Content-Disposition"] = 'inline; filename="port444-calls.ics"'
    response["X-Robots-Tag"] = "noindex"
    return get_conditional_response(request, etag=etag, response=response) or response
