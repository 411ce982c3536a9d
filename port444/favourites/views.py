"""The page of what somebody saved, and the heart that saves."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest, done, next_url

from . import actions
from .models import Favourite
from .queries import saved_builders, saved_services


@login_required
@require_GET
def saved(request: UserRequest) -> HttpResponse:
    """Services and builders; each list goes on by itself."""
    moment = now()
    services_after, builders_after = (_id(request.GET.get(name, "")) for name in ("services", "builders"))
    context = {
        "services": saved_services(request.user, moment, after=services_after),
        "builders": saved_builders(request.user, moment, after=builders_after),
    }
    return render(request, "favourites/saved.html", context)


@login_required
@require_POST
def service(request: UserRequest, slug: str) -> HttpResponse:
    mine = Favourite.objects.filter(user=request.user, service__slug=slug).select_related("service").first()
    thing = mine.service if mine and mine.service else get_object_or_404(Service.objects.visible_to(request.user), slug=slug)
    wanted = _wanted(request)
    if wanted and mine is None:
        actions.save_service(thing.pk, actor=request.user)
    elif not wanted and mine is not None:
        actions.drop(mine.pk, actor=request.user)
    return _heart(request, "service", slug, thing.title, on=wanted)


@login_required
@require_POST
def builder(request: UserRequest, slug: str) -> HttpResponse:
    mine = Favourite.objects.filter(user=request.user, builder__slug=slug).select_related("builder__user").first()
    thing = mine.builder if mine and mine.builder else get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    wanted = _wanted(request)
    if wanted and mine is None:
        actions.save_builder(thing.pk, actor=request.user)
    elif not wanted and mine is not None:
        actions.drop(mine.pk, actor=request.user)
    return _heart(request, "builder", slug, thing.user.name, on=wanted)


def _wanted(request: UserRequest) -> bool:
    """Whether it is to be saved, or let go."""
    if request.POST.get("do") not in ("save", "drop"):
        raise Invalid(_("This page is out of date. Reload it and press again."), code="heart")
    return request.POST["do"] == "save"


def _heart(request: UserRequest, kind: str, slug: str, name: str, *, on: bool) -> HttpResponse:
    """The heart in its other state, wherever it stands."""
    if not request.htmx:
        return done(request, next_url(request), _("Saved.") if on else _("It is not saved any more."))
    return render(request, "favourites/_heart.html", {"kind": kind, "slug": slug, "name": name, "on": on})


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
