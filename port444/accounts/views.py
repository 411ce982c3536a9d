from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid
from port444.kit.http import UserRequest, done, next_url
from port444.kit.language import speaking_to
from port444.kit.reauthentication import password_again

from . import actions, queries
from .forms import ProfileForm, TokenForm
from .looks import looks
from .models import ApiToken, Theme


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    """Name, phone, zone, language and colours."""
    user = request.user
    form = ProfileForm(request.POST or None, initial={name: getattr(user, name) for name in actions.PROFILE})
    if request.method == "POST" and form.is_valid():
        changed = actions.change_profile(user.pk, actor=user, changes=form.cleaned_data)
        with speaking_to(changed):
            response = done(request, reverse("accounts:settings"), _("Saved."))
        return _with_language(_with_theme(response, changed.theme), changed.language)
    return render(request, "accounts/settings.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light or dark, for a signed-in person or for this browser."""
    chosen = request.POST.get("theme", "")
    if chosen not in Theme.values:
        raise Invalid(_("Choose light, dark or the same as the device."), code="theme")
    if request.user.is_authenticated:
        actions.choose_theme(request.user.pk, chosen, actor=request.user)
    return _with_theme(done(request, next_url(request)), chosen)


def _with_theme(response: HttpResponse, theme: str) -> HttpResponse:
    """Remember the colours in the browser as well, for pages before signing in."""
    response.set_cookie(settings.THEME_COOKIE, theme, **settings.LASTING_COOKIE)
    return response


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """The language of the site, for a signed-in person or for this browser."""
    chosen = request.POST.get("language", "")
    if chosen not in dict(settings.LANGUAGES):
        raise Invalid(_("Choose one of the languages of this site."), code="language")
    if request.user.is_authenticated:
        actions.change_profile(request.user.pk, actor=request.user, changes={"language": chosen})
    return _with_language(done(request, next_url(request)), chosen)


def _with_language(response: HttpResponse, language: str) -> HttpResponse:
    """As the colours."""
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, **settings.LASTING_COOKIE)
    return response


@login_required
@require_POST
def offer_work(request: UserRequest) -> HttpResponse:
    actions.offer_work(request.user.pk, actor=request.user)
    return done(request, reverse("accounts:settings"), _("You offer work now. Tell clients what you do best in your builder profile."))


@login_required
@never_cache
@require_GET
def devices(request: UserRequest) -> HttpResponse:
    """The browsers that are or were signed in."""
    moment = now()
    return render(request, "accounts/devices.html", {"devices": queries.devices(request.user, moment=moment), "looks": looks(request.user, moment)})


@login_required
@require_POST
def sign_out_elsewhere(request: UserRequest) -> HttpResponse:
    actions.sign_out_elsewhere(request.user.pk, actor=request.user, keep=request.session.session_key)
    return done(request, reverse("accounts:devices"), _("Every other browser is signed out."))


@login_required
@never_cache
@require_GET
def tokens(request: UserRequest) -> HttpResponse:
    """The tokens of the person's programs, those that can be used first."""
    return render(request, "accounts/tokens.html", {"tokens": queries.tokens(request.user, now()), "moment": now()})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@password_again
def new_token(request: UserRequest) -> HttpResponse:
    """Make a token. The answer shows it, once."""
    form = TokenForm(request.user, request.POST or None)
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            token, text = actions.create_token(
                request.user.pk, actor=request.user, second_factor=queries.passed_second_factor(request, request.user), **form.cleaned_data
            )
        except DomainError as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            return render(request, "accounts/token.html", {"token": token, "text": text})
    return render(request, "accounts/new_token.html", {"form": form}, status=status)


@login_required
@require_POST
def revoke_token(request: UserRequest, token_id: UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=token_id, user=request.user)
    actions.revoke_token(token.pk, actor=request.user)
    return done(request, reverse("accounts:tokens"), _("%(name)s opens nothing any more.") % {"name": token.name})
