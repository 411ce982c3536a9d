"""What a request learns about the person: the device, whether they may be here, and their clock."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from port444.kit import context, rest
from port444.kit.http import Handler, done
from port444.kit.language import known

from . import callers, sessions
from .models import User
from .queries import has_second_factor
from .sessions import SUSPENDED, SessionStore

# Of refusals that come from before an operation, or from none.
CODES = {400: "bad_request", 401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 500: "fault"}
NOTED_EVERY = 3600  # seconds; how exact the last use of a session is


def device(get_response: Handler) -> Handler:
    """Give every browser a random first-party cookie, which the audit log keeps beside what was done from it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        try:
            device_id, known = uuid.UUID(request.COOKIES.get(settings.DEVICE_COOKIE, "")), True
        except ValueError:
            device_id, known = uuid.uuid4(), False
        with context.use(device_id=device_id):
            response = get_response(request)
        if not known:
            response.set_cookie(settings.DEVICE_COOKIE, str(device_id), **settings.LASTING_COOKIE)
        return response

    return middleware


def api(get_response: Handler) -> Handler:
    """Of the JSON API: let a token stand for its person, count the request, and let every refusal be a problem document.

    With a token, cookies count for nothing: who is signed in beside it is somebody else to this request.
    """

    def middleware(request: Any) -> HttpResponse:
        request.api_token = None
        if not request.path.startswith("/api/"):
            return get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return rest.problem(403, "https_only", "Call this by https. If a token was sent with this request, others may have read it: revoke it.")
        if "\x00" in unquote(request.get_full_path()):
            return rest.problem(400, "bad_address", "An address has no NUL in it.")
        if "Authorization" in request.headers:
            request.api_token = callers.find_token(request)
            request.user = request.api_token.user if request.api_token else AnonymousUser()
            own, request.session = request.session, SessionStore()
        else:
            own = request.session
        allowed = callers.allow(request)
        with context.use(source="api"):
            response = get_response(request) if allowed.fits else rest.problem(429, "too_many", f"Wait {allowed.wait} seconds, then go on.")
        request.session = own  # the browser's stays what it was
        if response.status_code >= 300 and response.status_code != 304 and response.get("Content-Type") != rest.PROBLEM:
            status = response.status_code if response.status_code >= 400 else 403
            kept = {name: response[name] for name in ("Allow",) if name in response}
            response = rest.problem(status, CODES.get(status, "refused"), f"{rest.TITLES.get(status, 'Refused')}.")
            for name, value in kept.items():
                response[name] = value
        if allowed.fits is False:
            response["Retry-After"] = str(allowed.wait)
        response["RateLimit-Policy"] = f'"{allowed.name}";q={allowed.limit};w=60'
        response["RateLimit"] = f'"{allowed.name}";r={allowed.left};t={allowed.wait}'
        patch_vary_headers(response, ("Authorization", "Cookie"))
        return response

    return middleware


def signed_in(get_response: Handler) -> Handler:
    """What follows from being signed in: the session ends in time, caches keep nothing of the pages, and the browser forgets at the end.

    An open page that asks whether something is new (docs/live.md) does not count as a use, so that it keeps no session alive by itself.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        is_browser = SESSION_KEY in request.session and request.user.is_authenticated
        if is_browser:
            idle, life = (hours * 3600 for hours in settings.SESSION_HOURS["staff" if request.user.is_staff else "people"])
            age, rest = sessions.ages(request.session)
            asks = "HX-Request" in request.headers and "If-None-Match" in request.headers
            if age > life or rest > idle:
                logout(request)
            elif rest > min(idle / 12, NOTED_EVERY) and not asks:
                request.session.modified = True  # saved, which notes its use
        response = get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        if is_browser and SESSION_KEY not in request.session:
            response["Clear-Site-Data"] = '"storage"'
        return response

    return middleware


def standing(get_response: Handler) -> Handler:
    """Sign a suspended person out at the next request and tell them why; who is not, is named to the audit log.

    Suspension has emptied their sessions already and left a mark in each; a session that was written at that very moment
    may have come back, so the person is looked at as well.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated:
            if user.is_suspended:
                return tell(request, user)
            # The person is known here for the first time, and asked of the database anyway.
            with context.use(actor_type="admin" if user.is_staff else "user", actor_id=user.pk, actor_email=user.email):
                return get_response(request)
        if marked := request.session.get(SUSPENDED):
            found = User.objects.filter(pk=marked, suspended_at__isnull=False).first()
            if found is not None:
                return tell(request, found)
            del request.session[SUSPENDED]
        return get_response(request)

    return middleware


def tell(request: HttpRequest, user: User) -> HttpResponse:
    """Sign out and say why; a fragment cannot say it, so htmx is sent to a whole page, which does."""
    if request.path.startswith("/api/"):
        return rest.problem(403, "suspended", f"This account is suspended: {user.suspension_reason}")
    logout(request)
    if getattr(request, "htmx", False):
        request.session[SUSPENDED] = str(user.pk)
        return HttpResponse(status=403, headers={"HX-Redirect": "/"})
    return render(request, "accounts/suspended.html", {"reason": user.suspension_reason}, status=403)


def second_factor(get_response: Handler) -> Handler:
    """Send staff without a second factor to where it is set up; until then nothing else is open to them. A program is told so."""

    open_to_all = ("/account/", "/settings/theme/", "/healthz", "/readyz", f"/{settings.STATIC_URL.lstrip('/')}")

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated or not user.is_staff or not settings.STAFF_SECOND_FACTOR:
            return get_response(request)
        if request.path.startswith(open_to_all) or has_second_factor(user):
            return get_response(request)
        if request.path.startswith("/api/"):
            return rest.problem(403, "second_factor", "Staff sign in with a second factor. Set yours up on the site to go on.")
        messages.warning(request, _("Staff sign in with a second factor. Set yours up to go on."))
        return done(request, reverse("mfa_activate_totp"))

    return middleware


def language(get_response: Handler) -> Handler:
    """Speak the person's own language: the one in their settings, else the browser's choice, else what it asks for.

    The console and the API speak English to everybody. A page for somebody who is not signed in says on what it depends.
    """

    english = ("/api/", "/console/")

    def middleware(request: HttpRequest) -> HttpResponse:
        own = None
        if request.path.startswith(english):
            own = settings.LANGUAGE_CODE
        elif request.user.is_authenticated:
            own = known(request.user.language)
        with translation.override(own or translation.get_language_from_request(request)):
            response = get_response(request)
            if response.get("Content-Type", "").startswith("text/html"):
                response.headers.setdefault("Content-Language", translation.get_language())
                if own is None:
                    patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response

    return middleware


def zone(get_response: Handler) -> Handler:
    """Show times in the person's own zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with timezone.override(ZoneInfo(request.user.time_zone)):
                return get_response(request)
        return get_response(request)

    return middleware
