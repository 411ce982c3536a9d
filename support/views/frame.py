"""What every page of the console begins with: who may see it, and what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from port444.kit.http import UserRequest
from support.roles import PERMISSIONS, is_support, may_any, require

View = Callable[Concatenate[UserRequest, ...], HttpResponseBase]
AnyView = Callable[..., HttpResponseBase]


def console_page(*permissions: str) -> Callable[[View], AnyView]:
    """For staff with one of these of `roles.PERMISSIONS` (without any: for everybody in a group of the console) behind their second factor.

    Stands below `require_GET` or `require_POST`. Nobody else learns that there is a page: 404. Staff who lack only a step are sent to it;
    staff whose group may not do this are told so, 403.
    """
    for permission in permissions:
        if permission not in PERMISSIONS:
            raise LookupError(f"no permission is called {permission!r}")

    def wrap(view: View) -> AnyView:
        @wraps(view)
        @never_cache
        def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                return redirect_to_login(request.get_full_path(), reverse("account_login"))
            if not user.is_staff or not user.is_active:
                raise Http404
            if not is_support(user) or not admin.site.has_permission(request):
                return redirect_to_login(request.get_full_path(), reverse("admin:login"))
            if permissions and not may_any(user, permissions):
                require(user, permissions[0])
            return view(request, *args, **kwargs)

        guarded.permissions = frozenset(permissions)  # type: ignore[attr-defined]  # for the test that tries every group at every address
        return guarded

    return wrap


def show(request: UserRequest, template: str, context: dict[str, Any], *, section: str, title: str, status: int = 200) -> HttpResponse:
    """A page of the console, or a part of one ("support/x.html#part"), which has nothing around it. `section` is the key of the tab that
    it belongs to (see `tabs`)."""
    around = {} if "#" in template else admin.site.each_context(request)
    return render(request, template, {**around, "section": section, "title": title, **context}, status=status)
