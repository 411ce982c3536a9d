"""What every request goes through: its id, the caller's address, and the wording of domain errors."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from . import context
from .errors import DomainError, worded
from .ids import uuid7

Handler = Callable[[HttpRequest], HttpResponse]

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class HtmxRequest(HttpRequest):
    """A request after the htmx middleware."""

    htmx: HtmxDetails


class UserRequest(HtmxRequest):
    """A request of somebody who is signed in; `user` is the project's own User."""

    user: Any
    api_token: Any  # by which a program calls; None for a browser


def client_ip(request: HttpRequest) -> str | None:
    """The caller's address.

    Each trusted proxy appends the address it saw to X-Forwarded-For, so the caller stands at the position counted from the
    right by the number of proxies; what is further left was written by the caller and is never believed.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if len(forwarded) >= settings.TRUSTED_PROXIES:
            address = forwarded[-settings.TRUSTED_PROXIES]
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def request_context(get_response: Handler) -> Handler:
    """Middleware: fill `kit.context`, answer with the request's id, and let no page use what this site never does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request_id: UUID = uuid7()
        request.META["port444.request_id"] = request_id  # for what is logged of it when all this is over
        agent = CONTROL.sub("", request.META.get("HTTP_USER_AGENT", ""))[:512]
        with context.use(source="web", actor_type="user", ip_address=client_ip(request), user_agent=agent, request_id=request_id):
            response = get_response(request)
        response["X-Request-ID"] = str(request_id)
        response["Permissions-Policy"] = settings.SECURE_PERMISSIONS_POLICY
        return response

    return middleware


class DomainErrors:
    """Middleware: word a DomainError, or a constraint that an app has worded, as the answer.

    htmx gets a fragment for the page's message area, a caller that asks for JSON gets that, everybody else a page; all with
    the error's status.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HtmxRequest, exception: Exception) -> HttpResponse | None:
        error = exception if isinstance(exception, DomainError) else None
        if error is None and isinstance(exception, IntegrityError | OperationalError):
            error = worded(exception)
        if error is None:
            return None
        return answer(request, error)


def answer(request: HtmxRequest, error: DomainError) -> HttpResponse:
    """The response that tells a person about `error`."""
    if request.htmx:
        response = render(request, "ui/_refusal.html", {"error": error}, status=error.status)
        response["HX-Retarget"], response["HX-Reswap"] = "#messages", "innerHTML"
        return response
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"error": {"code": error.code, "message": error.message}}, status=error.status)
    return render(request, "refused.html", {"error": error, "back": back(request)}, status=error.status)


def back(request: HttpRequest) -> str:
    """Where the person came from, if that is on this site; else the front page."""
    referer = request.META.get("HTTP_REFERER", "")
    return referer if _is_here(request, referer) else "/"


def next_url(request: HttpRequest) -> str:
    """Where a form asks to go on (`next`), if that is on this site; else where the person came from."""
    url = request.POST.get("next", "")
    return url if _is_here(request, url) else back(request)


def _is_here(request: HttpRequest, url: str) -> bool:
    return url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure())


def done(request: HttpRequest, url: str, message: str = "") -> HttpResponse:
    """Answer a finished action: say `message` and go to `url`; htmx is told to go there as a whole page."""
    if message:
        messages.success(request, message)
    if getattr(request, "htmx", None):
        response = HttpResponse(status=200)
        response["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)
