"""Reads of the API as plain views: the same queries, dicts written by hand, a JsonResponse. Behind the same middleware, with the same token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from port444.messaging import queries as talk
from port444.messaging.models import Conversation
from port444.notifications import queries as notifications
from port444.orders.models import Order
from port444.urls import urlpatterns as site

PAGE = 25
MOMENTS = ("placed_at", "pay_until", "paid_at", "started_at", "due_at", "delivered_at", "completed_at", "cancelled_at")


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def me(request: Any) -> JsonResponse:
    user = request.user
    names = ("name", "email", "is_client", "is_builder", "is_staff", "time_zone", "language", "phone")
    return JsonResponse({"id": str(user.pk), **{name: getattr(user, name) for name in names}, "created_at": moment(user.created_at)})


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": str(order.pk),
        "number": order.number,
        "title": order.title,
        "package": order.package_name,
        "status": order.status,
        "client": {"id": str(order.client_id), "name": order.client.name},
        "builder": {"id": str(order.builder.user_id), "name": order.builder.user.name},
        "price": f"{order.price:.2f}",
        "client_fee": f"{order.client_fee:.2f}",
        "credit": f"{order.credit:.2f}",
        "revisions_allowed": order.revisions_allowed,
        "revisions_used": order.revisions_used,
        "accepts_itself_at": moment(order.auto_accept_at),
        **{name: moment(getattr(order, name)) for name in MOMENTS},
    }


def orders(request: Any) -> JsonResponse:
    found = list(Order.objects.visible_to(request.user).with_people().order_by("-pk")[: PAGE + 1])
    following = f"{request.path}?after={found[PAGE - 1].pk}" if len(found) > PAGE else None
    return JsonResponse({"items": [_order(row) for row in found[:PAGE]], "next": following})


def order(request: Any, order_id: UUID) -> JsonResponse:
    found = get_object_or_404(Order.objects.visible_to(request.user).with_people(), pk=order_id)
    own = {
        "deliverables": found.deliverables,
        "conversation_id": str(found.conversation_id),
        "invoice_id": str(found.invoice_id) if found.invoice_id else None,
        "time_zone": request.user.time_zone,
        "you_are": "builder" if found.is_builder(request.user) else "client",
    }
    return JsonResponse(_order(found) | own)


def messages(request: Any, conversation_id: UUID) -> JsonResponse:
    state = talk.state_of(conversation_id, request.user)
    if state is None:
        raise Http404
    found = talk.feed_messages(Conversation(pk=conversation_id), limit=PAGE + 1)[::-1]
    rows = [
        {
            "id": str(row.pk),
            "conversation_id": str(row.conversation_id),
            "kind": row.kind,
            "author": {"id": str(row.author_id), "name": row.author.name} if row.author is not None else None,
            "mine": row.author_id == request.user.pk,
            "body": row.body,
            "files": [{"id": str(file.pk), "name": file.name, "size": file.size} for file in row.attachments.all()],
            "subject_type": row.subject_type,
            "subject_id": str(row.subject_id) if row.subject_id else None,
            "created_at": moment(row.created_at),
        }
        for row in found[:PAGE]
    ]
    return JsonResponse({"items": rows, "next": None, "seen_at": moment(state.seen_at)})


def told(request: Any) -> JsonResponse:
    found = list(notifications.shown_to(request.user).order_by("-pk")[: PAGE + 1])
    rows = [
        {
            "id": str(row.pk),
            "kind": row.kind,
            "title": row.title,
            "body": row.body,
            "url": urljoin(settings.SITE_URL, row.url),
            "created_at": moment(row.created_at),
            "read_at": moment(row.read_at),
        }
        for row in found[:PAGE]
    ]
    return JsonResponse({"items": rows, "next": None})


def _known(view: Any) -> Any:
    def known(request: HttpRequest, **arguments: Any) -> JsonResponse:
        if not request.user.is_authenticated:
            raise Http404
        answer: JsonResponse = view(request, **arguments)
        return answer

    return known


urlpatterns = [
    path("api/bare/me", _known(me)),
    path("api/bare/orders", _known(orders)),
    path("api/bare/orders/<uuid:order_id>", _known(order)),
    path("api/bare/conversations/<uuid:conversation_id>/messages", _known(messages)),
    path("api/bare/notifications", _known(told)),
    *site,
]
