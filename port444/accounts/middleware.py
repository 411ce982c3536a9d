"""What a request learns about the person: the device, whether they may be here, and their clock."""

from __future__ import annotations

import uuid
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from port444.kit import context
from port444.kit.http import Handler

YEAR = 365 * 24 * 3600


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
            response.set_cookie(
                settings.DEVICE_COOKIE, str(device_id), max_age=YEAR, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
            )
        return response

    return middleware


def standing(get_response: Handler) -> Handler:
    """Sign a suspended person out at the next request and tell them why."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated and user.is_suspended:
            reason = user.suspension_reason
            logout(request)
            return render(request, "accounts/suspended.html", {"reason": reason}, status=403)
        return get_response(request)

    return middleware


def zone(get_response: Handler) -> Handler:
    """Show times in the person's own zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with timezone.override(ZoneInfo(request.user.time_zone)):
                return get_response(request)
        return get_response(request)

    return middleware
