from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from port444.kit.console import ReadOnlyAdmin, needs
from port444.kit.http import done

from . import actions
from .forms import ReinstateForm, SuspendForm
from .models import QueuedMail, User, UserDevice


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """People; closing and opening an account are actions with a reason."""

    list_display = ("email", "name", "is_client", "is_builder", "is_staff", "suspended_at", "created_at")
    list_filter = ("is_builder", "is_staff", ("suspended_at", admin.EmptyFieldListFilter))
    search_fields = ("=id", "email__istartswith", "name__istartswith")
    search_help_text = "The whole id, or how the e-mail or the name begins."
    ordering = ("-created_at", "-id")
    fields = (
        ("email", "name"),
        ("is_client", "is_builder", "is_staff", "is_active"),
        ("time_zone", "language", "phone", "theme"),
        ("suspended_at", "suspension_reason"),
        ("created_at", "last_login", "id"),
    )
    change_form_template = "accounts/admin/user.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:user_id>/suspend/", wrap(self.suspend), name="accounts_user_suspend"),
            path("<uuid:user_id>/reinstate/", wrap(self.reinstate), name="accounts_user_reinstate"),
            *super().get_urls(),
        ]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def suspend(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        user = get_object_or_404(User, pk=user_id)
        form = SuspendForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actions.suspend(user.pk, actor=_actor(request), reason=form.cleaned_data["reason"])
            return done(request, self._url(user), f"{user.email} is suspended and signed out.")
        return self._ask(request, user, form, title=f"Suspend {user.name}", verb="Suspend the account")

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def reinstate(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        user = get_object_or_404(User, pk=user_id)
        form = ReinstateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actions.reinstate(user.pk, actor=_actor(request), reason=form.cleaned_data["reason"])
            return done(request, self._url(user), f"{user.email} may sign in again.")
        return self._ask(request, user, form, title=f"Reinstate {user.name}", verb="Reinstate the account")

    def _ask(self, request: HttpRequest, user: User, form: Any, *, title: str, verb: str) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "person": user, "form": form, "title": title, "verb": verb}
        context["back"] = self._url(user)
        return TemplateResponse(request, "accounts/admin/standing.html", context, status=422 if form.errors else 200)

    def _url(self, user: User) -> str:
        return reverse("admin:accounts_user_change", args=[user.pk], current_app=self.admin_site.name)


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the site lets only staff in
    return request.user


@admin.register(UserDevice)
class UserDeviceAdmin(ReadOnlyAdmin):
    """Which browsers a person has used, and who else has used one."""

    list_display = ("user", "device_id", "ip_address", "user_agent", "first_seen_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("=device_id", "=user__email", "=ip_address")
    search_help_text = "A whole device id, e-mail or address."
    ordering = ("-last_seen_at", "-id")


@admin.register(QueuedMail)
class QueuedMailAdmin(ReadOnlyAdmin):
    """Whether a mail about an account went out. Its words are not shown: a link in them opens the account."""

    list_display = ("subject", "to", "created_at", "sent_at")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("=to",)
    search_help_text = "A whole e-mail address."
    ordering = ("-created_at", "-id")
    fields = ("subject", "to", ("created_at", "claimed_at", "sent_at"), "id")
