"""The page of a change, and the changes of an order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from amendments import queries
from amendments.models import OPEN, Amendment, AmendmentStatus
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.money import ZERO
from port444.orders.queries import disputes

from .found import amendment_of, order_of

A = AmendmentStatus


@login_required
@require_GET
def detail(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    return render(request, "amendments/detail.html", page(request, amendment_of(request, amendment_id)))


def page(request: UserRequest, amendment: Amendment, **more: Any) -> dict[str, Any]:
    moment, viewer = now(), request.user
    story = queries.story_of(amendment, viewer, moment)
    return {
        "order": amendment.order,
        "other": amendment.order.other(viewer),
        "is_builder": amendment.order.is_builder(viewer),
        "story": story,
        "look": story.look,
        "tries": story.tries,
        "on_page": True,
        "mark": story.mark,
        "moment": moment,
        "faults": more.get("faults"),
        "said": more.get("said") or {},
        "refusal": more.get("refusal", ""),
    }


@login_required
@require_GET
def live(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    """The parts of the page when something happened; 304 when nothing did."""
    amendment = amendment_of(request, amendment_id)
    etag = f'"{queries.mark_of(amendment)}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    if not request.htmx:
        return redirect("amendments:detail", amendment_id)
    response = render(request, "amendments/_live.html", page(request, amendment))
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    return response


@login_required
@require_GET
def list_changes(request: UserRequest, number: int) -> HttpResponse:
    order = order_of(request, number)
    moment = now()
    rows = queries.amendments_of(order)
    done_rows = queries.in_force(rows)
    added = sum((row.additional_amount for row in done_rows), ZERO)
    context = {
        "order": order,
        "other": order.other(request.user),
        "is_builder": order.is_builder(request.user),
        "looks": [queries.look_at(row, request.user, moment) for row in rows if row.status != A.SUPERSEDED],
        "in_force": done_rows,
        "added": added,
        "original": order.price - added + disputes.taken_off(order),
        "may_propose": queries.may_propose(order) and not any(row.status in OPEN for row in rows),
    }
    return render(request, "amendments/list.html", context)
