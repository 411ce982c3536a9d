"""Detectors: how often each was right, and the numbers that it works with, drafted by one and put into force by another."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from auditlog.detectors.registry import Detector
from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid
from port444.kit.http import UserRequest, done
from support import actions
from support.actions.incidents import WORK
from support.detectors import cards_of, detector_of, mark_of, numbers_of, terms_in_force, version_of, versions_of
from support.forms import VersionForm
from support.roles import may

from .frame import console_page, show


@require_GET
@console_page("see_incidents")
def detectors(request: UserRequest) -> HttpResponse:
    moment = now()
    cards = cards_of(request.user, moment)
    return show(request, "support/incidents/detectors.html", {"cards": cards, "moment": moment}, section="incidents", title="Detectors")


@require_GET
@console_page("see_incidents")
def detector(request: UserRequest, detector: str) -> HttpResponse:
    return _page(request, _find(detector))


def _find(name: str) -> Detector:
    found = detector_of(name)
    if found is None:
        raise Http404
    return found


def _page(
    request: UserRequest, found: Detector, *, form: VersionForm | None = None, error: DomainError | None = None, status: int = 0
) -> HttpResponse:
    moment = now()
    versions = versions_of(found, request.user)
    terms = terms_in_force(found, versions)
    context = {
        "detector": found,
        "card": cards_of(request.user, moment, only=found.name)[0],
        "versions": versions,
        "form": form or VersionForm(found.parameters, terms),
        "numbers": numbers_of(found, terms),
        "mark": mark_of(),
        "may_work": may(request.user, WORK),
        "error": error,
        "is_wrong": form is not None,
        "moment": moment,
    }
    status = status or (error.status if error else 200)
    return show(request, "support/incidents/detector.html", context, section="incidents", title=found.words, status=status)


@require_POST
@console_page(WORK)
def draft_detector(request: UserRequest, detector: str) -> HttpResponse:
    """Keep other numbers as a draft; nothing changes by it."""
    found = _find(detector)
    form = VersionForm(found.parameters, terms_in_force(found, versions_of(found, request.user)), request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    try:
        version = actions.draft_detector(found, form.values, actor=request.user, reason=form.cleaned_data["reason"])
    except Invalid as error:
        return _page(request, found, form=form, error=error)
    return done(request, reverse("support:detector", args=[found.name]), f"Version {version.number} is a draft. Try it next.")


@require_POST
@console_page(WORK)
def try_detector(request: UserRequest, version_id: UUID) -> HttpResponse:
    """Have a draft tried on the last thirty days, by a job."""
    version = version_of(version_id)
    if version is None:
        raise Http404
    found = _find(version.detector)
    try:
        actions.try_detector(version.pk, actor=request.user)
    except DomainError as error:
        return _page(request, found, error=error)
    return done(request, reverse("support:detector", args=[found.name]), "It is being tried. Its figures stand here in some minutes.")


@require_POST
@console_page(WORK)
def activate_detector(request: UserRequest, version_id: UUID) -> HttpResponse:
    """Put a draft into force that somebody else made."""
    version = version_of(version_id)
    if version is None:
        raise Http404
    found = _find(version.detector)
    try:
        actions.activate_detector(version.pk, actor=request.user)
    except DomainError as error:
        return _page(request, found, error=error)
    return done(request, reverse("support:detector", args=[found.name]), f"Version {version.number} is in force.")
