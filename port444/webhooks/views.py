"""Pages of a person's webhooks: what is sent where, and how it went."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.reauthentication import password_again

from . import actions, events, queries
from .forms import AgainForm, EndpointForm, KeyForm, filled
from .models import WebhookDelivery, WebhookEndpoint


def _endpoint(request: UserRequest, endpoint_id: UUID) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.visible_to(request.user), pk=endpoint_id)


def _delivery(request: UserRequest, delivery_id: UUID) -> WebhookDelivery:
    return get_object_or_404(WebhookDelivery.objects.visible_to(request.user).select_related("endpoint"), pk=delivery_id)


def _here(endpoint: WebhookEndpoint) -> str:
    return reverse("webhooks:detail", args=[endpoint.pk])


@login_required
@require_GET
def listing(request: UserRequest) -> HttpResponse:
    """The addresses of the person."""
    endpoints = queries.endpoints_of(request.user)
    return render(request, "webhooks/list.html", {"endpoints": endpoints, "most": actions.MOST})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@password_again
def add(request: UserRequest) -> HttpResponse:
    """Add an address. The answer shows the secret, once."""
    form = EndpointForm(request.POST or None, initial={"client_key": uuid7()})
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            endpoint, secret = actions.add_endpoint(request.user.pk, actor=request.user, terms=form.terms, client_key=form.cleaned_data["client_key"])
        except DomainError as error:
            status = _fault(form, error)
        else:
            if not secret:
                return done(request, _here(endpoint), _("This webhook is there already."))
            return render(request, "webhooks/secret.html", {"endpoint": endpoint, "secret": secret, "is_new": True})
    return render(request, "webhooks/form.html", _filled(form), status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@password_again
def change(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    """Send something else, or elsewhere."""
    endpoint = _endpoint(request, endpoint_id)
    form = EndpointForm(request.POST or None, initial=filled(endpoint))
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            actions.change_endpoint(endpoint.pk, actor=request.user, terms=form.terms)
        except DomainError as error:
            status = _fault(form, error)
        else:
            return done(request, _here(endpoint), _("Saved."))
    return render(request, "webhooks/form.html", _filled(form) | {"endpoint": endpoint}, status=status)


def _fault(form: EndpointForm, error: DomainError) -> int:
    form.add_error(error.code if error.code in form.fields else None, error.message)
    return error.status


def _filled(form: EndpointForm) -> dict[str, Any]:
    """The form, and the events in groups, those that are chosen marked."""
    chosen = set(form["events"].value() or [])
    groups = [(words, told, any(one.name in chosen for one in told)) for words, told in events.grouped()]
    return {"form": form, "groups": groups, "chosen": chosen}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@password_again
def rotate(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    """Exchange the secret. The answer shows the new one, once."""
    endpoint = _endpoint(request, endpoint_id)
    if request.method != "POST":
        return render(request, "webhooks/rotate.html", {"endpoint": endpoint})
    endpoint, secret = actions.rotate_secret(endpoint.pk, actor=request.user)
    return render(request, "webhooks/secret.html", {"endpoint": endpoint, "secret": secret})


@login_required
@require_GET
def detail(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    """One address: what it hears, and its log."""
    endpoint = _endpoint(request, endpoint_id)
    context = _log(request, endpoint)
    if request.htmx and "before" in request.GET:
        return render(request, "webhooks/detail.html#rows", context)
    if request.htmx:
        return render(request, "webhooks/detail.html#log", context)
    return render(request, "webhooks/detail.html", context | {"again": AgainForm()})


def _log(request: UserRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in queries.SHOWS else ""
    rows, following = queries.deliveries_of(endpoint, show=show, before=KeyForm.key(request.GET))
    here = _here(endpoint)
    query = {"show": show} if show else {}
    return {
        "endpoint": endpoint,
        "rows": rows,
        "more": f"{here}?{urlencode(query | {'before': str(following)})}" if following else "",
        "show": show,
        "shows": [(key, words) for key, (words, _) in queries.SHOWS.items()],
        "moment": now(),
        "again_url": f"{here}?{urlencode(query)}",
        "is_moving": any(row.status == "sending" or (row.status == "pending" and not row.tries) for row in rows) and endpoint.status == "active",
    }


@login_required
@require_POST
def ping(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    """Send a test event."""
    endpoint = _endpoint(request, endpoint_id)
    actions.ping_endpoint(endpoint.pk, actor=request.user)
    if request.htmx:
        return _moved(request, endpoint, _("A test event is on its way"))
    return done(request, _here(endpoint), _("A test event is on its way. The log shows how it goes."))


def _moved(request: UserRequest, endpoint: WebhookEndpoint, words: str) -> HttpResponse:
    """The log as it is now, with a word about what was pressed."""
    response = render(request, "webhooks/detail.html#log", _log(request, endpoint))
    response["HX-Trigger"] = json.dumps({"toast": {"text": words, "kind": "ok"}})
    return response


@login_required
@require_POST
def pause(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = actions.pause_endpoint(_endpoint(request, endpoint_id).pk, actor=request.user)
    return done(request, _here(endpoint), _("Paused. What happens meanwhile is kept, and sent when you go on."))


@login_required
@require_POST
def resume(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = actions.resume_endpoint(_endpoint(request, endpoint_id).pk, actor=request.user)
    return done(request, _here(endpoint), _("It goes on, with what waited first."))


@login_required
@require_POST
def remove(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    actions.remove_endpoint(_endpoint(request, endpoint_id).pk, actor=request.user)
    return done(request, reverse("webhooks:list"), _("Removed. Nothing is sent there any more."))


@login_required
@require_POST
def replay_failed(request: UserRequest, endpoint_id: UUID) -> HttpResponse:
    """Send again what was given up."""
    endpoint = _endpoint(request, endpoint_id)
    form = AgainForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Choose since when."), code="since")
    number = actions.replay_failed(endpoint.pk, actor=request.user, since=now() - form.span)
    words = ngettext("%(n)s event is on the way again.", "%(n)s events are on the way again.", number) % {"n": number}
    if not number:
        words = _("Nothing was given up in that time.")
    return done(request, _here(endpoint), words)


@login_required
@require_GET
def delivery(request: UserRequest, delivery_id: UUID) -> HttpResponse:
    """One delivery: what is posted, and how each try went."""
    row = _delivery(request, delivery_id)
    log = queries.log_of(row)
    return render(
        request,
        "webhooks/delivery.html",
        {"delivery": row, "endpoint": row.endpoint, "attempts": log.attempts, "body": json.dumps(json.loads(row.body), indent=2, ensure_ascii=False)},
    )


@login_required
@require_POST
def replay(request: UserRequest, delivery_id: UUID) -> HttpResponse:
    """Send one event again."""
    row = actions.replay_delivery(_delivery(request, delivery_id).pk, actor=request.user)
    return done(request, reverse("webhooks:delivery", args=[row.pk]), _("On its way again, under the same id."))
