"""The staff console's site: the stock admin for staff of a support group who have passed a second factor in this session."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme

from port444.accounts.models import User
from port444.accounts.queries import has_second_factor, passed_second_factor, recently_proved
from port444.kit.clock import now
from port444.kit.console import ReadOnlyAdmin
from port444.kit.http import back

from .actions import end_open_of, note_action, note_look
from .models import ActionType, EndReason
from .queries import open_viewing
from .queues import numbers_beside
from .roles import is_support, may
from .tabs import TABS

PASSED = "port444.passed_second_factor"
FIRST = ("orders", "accounts", "payments", "consultations", "builders", "catalog", "messaging", "notifications", "auditlog")


class SupportAdminSite(admin.AdminSite):
    """Signing in and out is the site's own; the console has no door of its own."""

    site_header = site_title = "port444 console"
    index_title = "Records"
    site_url = "/"
    enable_nav_sidebar = False
    empty_value_display = "none"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """What staff are asked about most comes first, not what begins with A. It is made where a page shows it, which one does: the
        stock admin puts it into the context of all of them."""
        listed = super().get_app_list

        def in_order() -> list[Any]:
            return sorted(listed(request, app_label), key=lambda app: FIRST.index(app["app_label"]) if app["app_label"] in FIRST else len(FIRST))

        return SimpleLazyObject(in_order)

    def get_urls(self) -> list[Any]:
        """The list of all records is one page of the console; its first one is the console's own."""
        index, *others = super().get_urls()
        assert isinstance(index, URLPattern)
        assert index.name == "index"
        return [path("records/", index.callback, name="index"), *others]

    def each_context(self, request: Any) -> dict[str, Any]:
        """What the header shows on every page, of the stock admin too."""
        context = super().each_context(request)
        if context["has_permission"]:
            tabs = [tab for tab in TABS if not tab.permission or may(request.user, tab.permission)]
            moment = now()
            numbers = numbers_beside([tab.queue for tab in tabs if tab.queue], moment, request.user)
            context["tabs"] = [(tab, numbers.get(tab.queue, 0)) for tab in tabs]
            context["open_viewing"] = open_viewing(request.user, moment)
        return context

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take in read-only pages alone: the editors that libraries bring would change rows past the actions and the log."""
        if isinstance(admin_class, type) and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not isinstance(user, User) or user.is_suspended or not is_support(user):
            return False
        if not settings.STAFF_SECOND_FACTOR:
            return True
        # Asked several times on a page; the answer is the request's.
        known: bool | None = request.META.get(PASSED)
        if known is None:
            known = request.META[PASSED] = passed_second_factor(request, user)
        return known

    def proved(self, request: HttpRequest) -> bool:
        return recently_proved(request)

    def prove(self, request: HttpRequest) -> HttpResponse:
        """What was pressed is not done; after the code it is pressed again."""
        messages.warning(request, "This asks for a code from your authenticator app first.")
        return redirect_to_login(request.path if request.method == "GET" else back(request), reverse("mfa_reauthenticate"))

    def note_act(self, act: str, *, actor: User, description: str, **facts: Any) -> None:
        note_action(ActionType(act), actor=actor, description=description, **facts)

    def note_seen(self, request: HttpRequest, person_id: Any, what: str) -> None:
        assert isinstance(request.user, User)  # the site lets only staff in
        person = User.objects.filter(pk=person_id).first()
        if person is not None and request.method == "GET":
            note_look(request.session, actor=request.user, person=person, what=what)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send whoever lacks something to where it is had: the site's own sign-in, or the second factor."""
        url = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
            url = reverse("support:home")
        user = request.user
        if not isinstance(user, User):
            return redirect_to_login(url, reverse("account_login"))
        if not is_support(user):
            raise PermissionDenied
        if self.has_permission(request):
            return HttpResponseRedirect(url)
        messages.warning(request, "The console opens with a code from your authenticator app.")
        return redirect_to_login(url, reverse("mfa_reauthenticate" if has_second_factor(user) else "mfa_activate_totp"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]  # no page, a redirect
        """As on the site, so that the log has it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if isinstance(request.user, User):
            end_open_of(request.user, why=EndReason.SIGNED_OUT)
        get_adapter(request).logout(request)
        response = HttpResponseRedirect("/")
        response.delete_cookie(settings.VIEW_COOKIE, samesite="Strict")
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]  # no page, a redirect
        """The site's own page, which the log and the second factor know."""
        return HttpResponseRedirect(reverse("account_change_password"))
