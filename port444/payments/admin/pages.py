"""What pages of the books have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.urls.resolvers import URLPattern

from port444.accounts.models import User
from port444.kit.console import ReadOnlyAdmin
from port444.kit.http import done
from port444.payments import handlers

if TYPE_CHECKING:
    AnyInline = admin.TabularInline[Any, Any]
else:
    AnyInline = admin.TabularInline


class ReadOnlyInline(AnyInline):
    """Rows of a row, to look at."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    has_delete_permission = has_change_permission


class MoneyAdmin(ReadOnlyAdmin):
    """A page of the books with buttons. Each leads to a page that asks once more, calls an action, and comes back. What is done stands in
    the list of what staff did. Nothing here gives back what was taken from somebody: that takes two, and is a plan of the console."""

    def ask(
        self,
        request: HttpRequest,
        back: str,
        form: Any,
        *,
        title: str,
        verb: str,
        text: str,
        done_with: Callable[[str], str],
        act: str = "payout",
        person: User | None = None,
        amount: Decimal | None = None,
        at_once: bool = True,
    ) -> HttpResponse:
        """Show `form`, or with a valid one do it and write it down, in one transaction unless the action has several; `done_with` takes the
        reason and says what was done."""
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data.get("reason", "")
            with transaction.atomic() if at_once else nullcontext():
                said = done_with(reason)
                self.site.note_act(act, actor=actor_of(request), description=f"{title}. {text}", reason=reason, target_user=person, amount=amount)
            return done(request, back, said)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "title": title, "verb": verb, "text": text, "back": back}
        return TemplateResponse(request, "payments/admin/ask.html", context, status=422 if form.errors else 200)

    def button(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        return path(route, self.admin_site.admin_view(view), name=f"payments_{name}")


def actor_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the site lets only staff in
    return request.user


def purposes() -> list[tuple[str, str]]:
    return [(name, name) for name in handlers.purposes()]
