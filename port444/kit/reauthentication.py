"""Asking for the password, or the second factor, before what lets somebody in or out is shown or changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from .http import UserRequest, done

View = Callable[..., HttpResponseBase]


def password_again(view: View) -> View:
    """Ask unless it was asked a moment ago.

    A form that comes too late is not kept, because of what is written in it; the empty page asks, then it is filled in anew.
    """

    def asks(request: HttpRequest) -> bool:
        return bool(settings.REAUTHENTICATE)

    @wraps(view)
    def guarded(request: UserRequest, **arguments: Any) -> HttpResponseBase:
        try:
            answer: HttpResponseBase = reauthentication_required(view, enabled=asks)(request, **arguments)
        except ReauthenticationRequired:
            if request.method == "GET":
                raise
            return done(request, request.path.removesuffix("remove/"))
        return answer

    return guarded
