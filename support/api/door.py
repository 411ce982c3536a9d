"""Who gets into the console's API: staff, within the rights of their group, behind their second factor."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from allauth.mfa.base.forms import ReauthenticateForm
from django.contrib import admin
from django.core.cache import cache
from django.http import Http404

from port444.accounts import callers
from port444.accounts.models import AnsweredCall, Scope, User
from port444.accounts.queries import recently_proved
from port444.kit.errors import Invalid, NotAllowed
from support.roles import PERMISSIONS, is_support, may_any, require

REMEMBERED = 15 * 60  # seconds for which it is known what a token has looked at


def console(*permissions: str) -> list[Any]:
    """For the `auth=` of an operation: staff with one of these of `roles.PERMISSIONS`, without any everybody in a group of the console.

    As on the pages: nobody else learns that there is anything, 404; whose group may not do this is told so, 403. It comes before what was
    sent is read, so that a refusal says nothing about it.
    """
    for permission in permissions:
        if permission not in PERMISSIONS:
            raise LookupError(f"no permission is called {permission!r}")
    return [ByToken(permissions), BySession(permissions)]


def enter(request: Any, permissions: tuple[str, ...]) -> None:
    user = request.user
    if not is_support(user):
        raise NotAllowed("You are in no group of the console.", code="no_permission")
    if not admin.site.has_permission(request):
        raise NotAllowed("The console opens with a code from your authenticator app. Give it on its pages first.", code="second_factor")
    if permissions and not may_any(user, permissions):
        require(user, permissions[0])


def require_staff(user: User) -> None:
    if not user.is_staff or not user.is_active:
        raise Http404


class ByToken(callers.ByToken):
    """A token with the scope of the console was made in a session that had passed its second factor."""

    def __init__(self, permissions: tuple[str, ...]) -> None:
        self.permissions = permissions
        super().__init__(Scope.CONSOLE)

    def authenticate(self, request: Any, token: str) -> Any:
        if request.api_token is None:
            return None
        require_staff(request.user)
        user = super().authenticate(request, token)
        enter(request, self.permissions)
        return user


class BySession(callers.BySession):
    """The browser of one of the staff."""

    def __init__(self, permissions: tuple[str, ...]) -> None:
        self.permissions = permissions
        super().__init__()

    def __call__(self, request: Any) -> Any:
        if "Authorization" not in request.headers and request.user.is_authenticated:
            require_staff(request.user)
        user = super().__call__(request)
        if user is not None:
            enter(request, self.permissions)
        return user


def prove(request: Any, code: str) -> None:
    """A code from the authenticator app, unless this session gave one within ten minutes; a token gives one each time. Raises Invalid."""
    if recently_proved(request):
        return
    form = ReauthenticateForm({"code": code}, user=request.user)
    if not form.is_valid():
        raise Invalid("; ".join(form.errors.get("code", ["Give the code."])), code="code")
    form.save()


def is_replay(request: Any) -> bool:
    """Whether this call was made before, so that it does nothing and is not asked for a code a second time."""
    return AnsweredCall.objects.filter(user=request.user, key=request.headers.get("Idempotency-Key", "")).exists()


class Remembered(MutableMapping[str, Any]):
    """What a token has looked at lately, as a session knows it of a browser."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.data: dict[str, Any] = cache.get(key) or {}

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.data[name] = value
        cache.set(self.key, self.data, REMEMBERED)

    def __delitem__(self, name: str) -> None:
        del self.data[name]
        cache.set(self.key, self.data, REMEMBERED)

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def memory(request: Any) -> MutableMapping[str, Any]:
    """Where it is kept what the caller has looked at."""
    return request.session if request.api_token is None else Remembered(f"looks:{request.api_token.pk}")
