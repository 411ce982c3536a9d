"""A builder's calendars: connecting them, what they are used for, and how well they are."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consultations import actions, queries
from consultations.calendars import CalendarError, Limited, NotConnected, Refused
from consultations.calendars.registry import Provider, SignIn, module_of, provider_of
from consultations.forms import KeyForm, PasswordForm, WhyForm
from port444.builders.models import LENGTHS, Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed, TooMany
from port444.kit.http import UserRequest, done

SIGN_INS = "calendar_sign_ins"
SIGN_IN_SECONDS = 600
MOST_SIGN_INS = 3  # begun and not finished, in one browser
TRIES, TRY_SECONDS = 10, 600
HOME = "consultations:calendars"
FAR = timedelta(days=366)


def _builder(request: UserRequest) -> Builder:
    builder: Builder = get_object_or_404(Builder.objects.select_related("user", "call_settings"), user=request.user)
    return builder


def _provider(key: str) -> Provider:
    try:
        return provider_of(key)
    except LookupError:
        raise Http404 from None


@login_required
@require_GET
def calendars(request: UserRequest) -> HttpResponse:
    """What is connected, and what can be."""
    builder = _builder(request)
    moment = now()
    found = queries.connections_of(builder, moment)
    return render(request, "consultations/calendars.html", {"found": found, "moment": moment, "zone": request.user.time_zone, "builder": builder})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def connect_calendar(request: UserRequest, provider: str) -> HttpResponse:
    """What the provider lets us do, and the way there: its own sign-in, a password, or a key."""
    builder = _builder(request)
    chosen = _provider(provider)
    if not chosen.is_set_up:
        raise NotAllowed(_("%(label)s is not set up on this site.") % {"label": chosen.label}, code="not_set_up")
    if chosen.sign_in == SignIn.OAUTH:
        if request.method == "POST":
            return _leave(request, builder, chosen)
        return render(request, "consultations/connect.html", {"provider": chosen, "form": None})
    kind: Any = PasswordForm if chosen.sign_in == SignIn.PASSWORD else KeyForm
    form = kind(request.POST or None, address=chosen.address, label=chosen.label)
    if request.method == "POST" and form.is_valid():
        _count_try(request)
        try:
            connection = module_of(chosen.key).connect(*form.given)
        except CalendarError as error:
            form.add_error(None, _why(chosen, error))
        else:
            actions.connect_calendar(builder.pk, actor=request.user, provider=chosen.key, connection=connection)
            return done(request, reverse(HOME), _("%(label)s is connected. Its busy times are being read.") % {"label": chosen.label})
    return render(request, "consultations/connect.html", {"provider": chosen, "form": form}, status=422 if form.errors else 200)


def _count_try(request: UserRequest) -> None:
    """Passwords of others are not tried out through us."""
    key = f"calendar-tries:{request.user.pk}"
    cache.add(key, 0, TRY_SECONDS)
    if cache.incr(key) > TRIES:
        raise TooMany(_("Those were many attempts. Wait ten minutes and try again."))


def _why(provider: Provider, error: CalendarError) -> str:
    name = {"name": provider.label}
    if isinstance(error, NotConnected) and provider.sign_in == SignIn.OAUTH:
        return _("%(name)s ended the sign-in before it was finished. Please try again.") % name
    if isinstance(error, NotConnected):
        return _("%(name)s did not accept that. Check what you typed.") % name
    if isinstance(error, Limited):
        return _("%(name)s asks us to wait. Try again in a few minutes.") % name
    if isinstance(error, Refused):
        return _("%(name)s did not allow it: %(why)s") % (name | {"why": str(error)})
    return _("%(name)s did not answer properly. Try again in a moment.") % name


def _leave(request: UserRequest, builder: Builder, provider: Provider) -> HttpResponse:
    """Lead on to the provider. What comes back has to name a sign-in that this session began for this person, minutes ago, once."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    begun = dict(list(request.session.get(SIGN_INS, {}).items())[-MOST_SIGN_INS + 1 :])
    begun[state] = {
        "provider": provider.key,
        "verifier": verifier,
        "user": str(request.user.pk),
        "builder": str(builder.pk),
        "at": now().timestamp(),
    }
    request.session[SIGN_INS] = begun
    address = module_of(provider.key).authorize_url(state, _redirect_uri(provider), verifier)
    # The answer to a form may not redirect to another site (form-action), so a page leads on.
    return render(request, "consultations/connect_leave.html", {"provider": provider, "address": address})


def _redirect_uri(provider: Provider) -> str:
    return f"{settings.SITE_URL}{reverse('consultations:calendar_callback', args=[provider.key])}"


@login_required
@never_cache
@require_GET
def calendar_callback(request: UserRequest, provider: str) -> HttpResponse:
    """The provider sends the builder back here. It can only finish what this session has begun."""
    builder = _builder(request)
    chosen = _provider(provider)
    begun = _take_sign_in(request, request.GET.get("state", ""))
    mine = begun is not None and (begun["provider"], begun["user"], begun["builder"]) == (provider, str(request.user.pk), str(builder.pk))
    if begun is None or not mine or not 0 <= now().timestamp() - begun["at"] <= SIGN_IN_SECONDS:
        text = _("This sign-in was not begun here, is used up, or took too long. Nothing was connected.")
        return _refused(request, chosen, text, status=400)
    if request.GET.get("error"):
        denied = request.GET["error"] in ("access_denied", "consent_required")
        text = _("You did not allow it, so nothing was connected.") if denied else _("The sign-in did not work out. Nothing was connected.")
        return _refused(request, chosen, text, status=400)
    code = request.GET.get("code", "")
    if not code:
        return _refused(request, chosen, _("%(name)s sent no answer that we can use.") % {"name": chosen.label}, status=400)
    try:
        connection = module_of(chosen.key).connect(code, _redirect_uri(chosen), begun["verifier"])
    except CalendarError as error:
        return _refused(request, chosen, _why(chosen, error), status=400)
    actions.connect_calendar(builder.pk, actor=request.user, provider=chosen.key, connection=connection)
    return done(request, reverse(HOME), _("%(label)s is connected. Its busy times are being read.") % {"label": chosen.label})


def _take_sign_in(request: UserRequest, state: str) -> dict[str, Any] | None:
    """The sign-in of this name, which cannot be taken again."""
    begun = request.session.get(SIGN_INS, {})
    found = next((name for name in begun if constant_time_compare(name, state)), None)
    if found is None:
        return None
    taken: dict[str, Any] = begun.pop(found)
    request.session[SIGN_INS] = begun
    return taken


def _refused(request: UserRequest, provider: Provider, text: str, *, status: int) -> HttpResponse:
    return render(request, "consultations/connect.html", {"provider": provider, "form": None, "refused": text}, status=status)


@login_required
@require_POST
def choose_calendars(request: UserRequest) -> HttpResponse:
    builder = _builder(request)
    read, written = _uuids(request.POST.getlist("read")), _uuids([request.POST.get("written", "")])
    actions.choose_calendars(builder.pk, actor=request.user, read=read, written=next(iter(written), None))
    return done(request, reverse(HOME), _("Your choice is saved."))


def _uuids(texts: list[str]) -> set[UUID]:
    try:
        return {UUID(text) for text in texts if text}
    except ValueError:
        raise Invalid(_("This calendar is not one of yours."), code="calendar") from None


@login_required
@require_POST
def disconnect_calendar(request: UserRequest, link_id: UUID) -> HttpResponse:
    link = get_object_or_404(queries.links_of(request.user), pk=link_id)
    actions.disconnect_calendar(link.pk, actor=request.user, remove_copies=request.POST.get("copies") == "remove")
    return done(request, reverse(HOME), _("%(label)s is disconnected.") % {"label": link.get_provider_display()})


@login_required
@require_POST
def read_calendars(request: UserRequest, link_id: UUID) -> HttpResponse:
    """Read an account's calendars now."""
    link = get_object_or_404(queries.links_of(request.user), pk=link_id)
    actions.read_soon(link.pk, actor=request.user)
    return done(request, reverse(HOME), _("Your calendars are being read. Reload the page in a moment."))


@login_required
@require_POST
def retry_copy(request: UserRequest, copy_id: UUID) -> HttpResponse:
    copy = get_object_or_404(queries.copies_of(request.user), pk=copy_id)
    actions.retry_copy(copy.pk, actor=request.user)
    return done(request, reverse(HOME), _("We are trying again."))


@login_required
@require_GET
def why(request: UserRequest) -> HttpResponse:
    """Why a time is not offered."""
    builder: Builder = get_object_or_404(queries.for_booking(), user=request.user)
    moment = now()
    terms = queries.call_settings(builder)
    zone = terms.time_zone if terms else request.user.time_zone
    local = moment.astimezone(ZoneInfo(zone))
    asked = "day" in request.GET
    start = {"day": local.date() + timedelta(days=1), "time": "10:00", "minutes": next(iter(builder.call_prices), LENGTHS[0])}
    form = WhyForm(request.GET if asked else None, initial=start)
    answer = None
    if asked and form.is_valid() and abs(form.cleaned_data["day"] - local.date()) <= FAR:
        starts_at = queries.moment_of(form.cleaned_data["day"], form.minute, zone)
        answer = queries.explain(builder, starts_at=starts_at, minutes=form.cleaned_data["minutes"], moment=moment)
    elif asked and form.is_valid():
        form.add_error("day", _("Pick a day within a year."))
    context = {"form": form, "answer": answer, "zone": zone, "builder": builder, "own_zone": zone == request.user.time_zone}
    return render(request, "consultations/why.html", context, status=422 if asked and form.errors else 200)
