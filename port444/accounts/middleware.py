"""What a request learns about the person: the device, whether they may be here, and their clock."""

from __future__ import annotations

import uuid
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from port444.kit import context
from port444.kit.http import Handler, done

from .models import User
from .queries import has_second_factor
from .sessions import SUSPENDED


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
    logout(request)
    if getattr(request, "htmx", False):
        request.session[SUSPENDED] = str(user.pk)
        return HttpResponse(status=403, headers={"HX-Redirect": "/"})
    return render(request, "accounts/suspended.html", {"reason": user.suspension_reason}, status=403)


def second_factor(get_response: Handler) -> Handler:
    """Send staff without a second factor to where it is set up; until then nothing else is open to them."""

    open_to_all = ("/account/", "/settings/theme/", "/healthz", "/readyz", f"/{settings.STATIC_URL.lstrip('/')}")

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated or not user.is_staff or not settings.STAFF_SECOND_FACTOR:
            return get_response(request)
        if request.path.startswith(open_to_all) or has_second_factor(user):
            return get_response(request)
        messages.warning(request, "Staff sign in with a second factor. Set yours up to go on.")
        return done(request, reverse("mfa_activate_totp"))

    return middleware


def zone(get_response: Handler) -> Handler:
    """Show times in the person's own zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with timezone.override(ZoneInfo(request.user.time_zone)):
                return get_response(request)
        return get_response(request)

    return middleware
