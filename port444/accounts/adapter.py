"""How allauth is fitted to this project: its mails go through the queue, and what it does is in the audit log.

allauth's own hooks are overridden where it has one. For changes of addresses and second factors it offers signals alone;
`apps.py` connects them to the functions at the end.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from urllib.parse import urljoin, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language

from port444.kit import context
from port444.kit.http import client_ip
from port444.kit.language import known, speaking_to
from port444.kit.sealed import cipher

from . import actions
from .browsers import country, fingerprint
from .emails import Letter
from .models import User

TOO_MANY = "too many tries"  # as the audit log has it
LINKS = ("activate_url", "password_reset_url", "signup_url")  # in allauth's mails, which makes them from the host that was asked for


class WithProfile(AuthenticationBackend):  # type: ignore[misc]  # allauth carries no types
    """Who is signed in comes with their builder profile in the same query, because every page says whether that builder is away."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.select_related("builder").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth carries no types
    """Addresses, passwords, and signing in and out."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        super().save_user(request, user, form, commit=False)
        role = form.cleaned_data["role"]
        user.name, user.time_zone = form.cleaned_data["name"], form.cleaned_data["time_zone"]
        user.language = known(get_language() or "")
        user.is_client, user.is_builder = role != "work", role != "hire"
        return actions.sign_up(user, browser=fingerprint(request)) if commit else user

    def pre_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse | None:
        """Asked when the password was right and before the second factor: a suspended person is told why, not let in."""
        if user.is_suspended:
            actions.note_failed_login(user.email, why="suspended")
            return render(request, "accounts/suspended.html", {"reason": user.suspension_reason}, status=403)
        response: HttpResponse | None = super().pre_login(request, user, **options)
        return response

    def post_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse:
        actions.note_login(user, context.current().device_id, browser=fingerprint(request), country=country(request))
        response: HttpResponse = super().post_login(request, user, **options)
        return response

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """To the desk of those who only work here; everybody else begins with the search."""
        user = request.user
        if isinstance(user, User) and user.is_builder and not user.is_client:
            return reverse("orders:today")
        if isinstance(user, User) and user.is_staff and not user.is_client:
            return reverse("support:home")
        return str(super().get_login_redirect_url(request))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            actions.note_failed_login(credentials.get("email", ""), why=TOO_MANY)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        actions.note_failed_login(credentials.get("email", ""), why="password")

    def logout(self, request: HttpRequest) -> None:
        if isinstance(request.user, User):
            actions.note_logout(request.user)
        super().logout(request)

    def set_password(self, user: User, password: str) -> None:
        # The caller goes on with its own copy of the user: the session that asked is kept by the new hash.
        user.password = actions.change_password(user.pk, password, actor=user).password

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        context |= {name: urljoin(settings.SITE_URL, urlsplit(context[name]).path) for name in LINKS if name in context}
        with speaking_to(context["user"]) if "user" in context else nullcontext():
            message = self.render_mail(template_prefix, email, {"request": self.request, "email": email, **context})
        html = next((str(content) for content, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
        actions.queue_mail(Letter(email, message.subject, str(message.body), html))

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request) or "unknown"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth carries no types
    """Keeps the secrets of authenticator apps encrypted, so that a copy of the database makes no codes."""

    def encrypt(self, text: str) -> str:
        return cipher("second factor").encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return cipher("second factor").decrypt(encrypted_text.encode()).decode()


def on_email_added(user: User, email_address: Any, **signal: Any) -> None:
    actions.note_email_change(user, change="added", email=email_address.email)


def on_email_confirmed(email_address: Any, **signal: Any) -> None:
    actions.note_email_change(email_address.user, change="confirmed", email=email_address.email)


def on_email_removed(user: User, email_address: Any, **signal: Any) -> None:
    actions.note_email_change(user, change="removed", email=email_address.email)


def on_email_changed(user: User, to_email_address: Any, from_email_address: Any = None, **signal: Any) -> None:
    before = from_email_address.email if from_email_address is not None else ""
    actions.note_email_change(user, change="made first", email=to_email_address.email, before=before)


def on_second_factor_added(user: User, authenticator: Any, request: HttpRequest | None = None, **signal: Any) -> None:
    if request is not None and authenticator.type == Authenticator.Type.TOTP:
        # The app is set up by a code from it: asking for the next one at once would only make staff wait for it.
        record_authentication(request, user, "mfa", type=authenticator.type, id=authenticator.pk)
    actions.note_second_factor(user, change="added", kind=authenticator.type)


def on_second_factor_removed(user: User, authenticator: Any, **signal: Any) -> None:
    actions.note_second_factor(user, change="removed", kind=authenticator.type)


def on_second_factor_reset(user: User, authenticator: Any, **signal: Any) -> None:
    actions.note_second_factor(user, change="renewed", kind=authenticator.type)


def on_second_factor_used(user: User, authenticator: Any, reauthenticated: bool = False, **signal: Any) -> None:
    actions.note_second_factor_used(user, kind=authenticator.type, again=reauthenticated)


def on_second_factor_failed(user: User, authenticator: Any, **signal: Any) -> None:
    actions.note_failed_login(user.email, why=str(authenticator.type))
