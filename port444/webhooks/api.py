"""The API of a person's webhooks. What shows a secret, or sends events elsewhere, is for tokens alone: to make one, the password was asked."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status

from port444.accounts.callers import client_key, may
from port444.accounts.models import Scope
from port444.kit.errors import NotAllowed
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, Paging, also, answers, page, parameter, tagged, unless_changed

from . import actions, queries
from .models import WebhookDelivery, WebhookEndpoint
from .schemas import (
    DeliveryRow,
    NewWebhookOut,
    ReplayedOut,
    ReplayIn,
    WebhookDeliveriesOut,
    WebhookDeliveryOut,
    WebhookIn,
    WebhookOut,
    WebhookRow,
    WebhooksOut,
    delivery_out,
    delivery_row,
    new_webhook_out,
    webhook_out,
    webhook_row,
)

router = Router(tags=["Webhooks"])
KEY = parameter("Idempotency-Key", "header", "With it, the same call again adds nothing; the secret is said the first time alone")


class DeliveryPaging(Paging):
    show: Literal["delivered", "waiting", "failed"] | None = None


def _endpoint(request: UserRequest, webhook_id: UUID) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.visible_to(request.user), pk=webhook_id)


def _require_token(request: UserRequest) -> None:
    if request.api_token is None:
        raise NotAllowed("On a page this asks for the password again. Programs do it with a token.", code="token_needed")


@router.get("/webhooks", response=answers(200, WebhooksOut), auth=may(), summary="Your webhooks")
def list_webhooks(request: UserRequest, paging: Query[Paging]) -> HttpResponse:
    return page(request, paging, WebhookEndpoint.objects.visible_to(request.user), WebhookRow, webhook_row)


@router.post("/webhooks", response=answers(201, NewWebhookOut), auth=may(Scope.WEBHOOKS), openapi_extra=also(KEY), summary="Add a webhook")
def add_webhook(request: UserRequest, body: WebhookIn) -> Status[NewWebhookOut]:
    """From now on events are posted there, signed with the secret of the answer."""
    _require_token(request)
    terms = actions.Terms(body.url, body.events, body.description)
    endpoint, secret = actions.add_endpoint(request.user.pk, actor=request.user, terms=terms, client_key=client_key(request))
    return Status(201, new_webhook_out(endpoint, secret))


@router.get("/webhooks/{uuid:webhook_id}", response=answers(200, WebhookOut), auth=may(), summary="A webhook")
def get_webhook(request: UserRequest, response: HttpResponse, webhook_id: UUID) -> WebhookOut:
    endpoint = _endpoint(request, webhook_id)
    tagged(response, endpoint)
    return webhook_out(endpoint)


@router.put("/webhooks/{uuid:webhook_id}", response=answers(200, WebhookOut), auth=may(Scope.WEBHOOKS), summary="Change a webhook")
def change_webhook(request: UserRequest, webhook_id: UUID, body: WebhookIn) -> WebhookOut:
    """What waits already goes to the new address."""
    _require_token(request)
    terms = actions.Terms(body.url, body.events, body.description)
    return webhook_out(actions.change_endpoint(_endpoint(request, webhook_id).pk, actor=request.user, terms=terms))


@router.delete(
    "/webhooks/{uuid:webhook_id}",
    response=answers(200, WebhookOut),
    auth=may(Scope.WEBHOOKS),
    openapi_extra=also(IF_MATCH),
    summary="Remove a webhook",
)
def remove_webhook(request: UserRequest, webhook_id: UUID) -> WebhookOut:
    endpoint = _endpoint(request, webhook_id)
    with unless_changed(request, endpoint):
        return webhook_out(actions.remove_endpoint(endpoint.pk, actor=request.user))


@router.post("/webhooks/{uuid:webhook_id}/secret", response=answers(200, NewWebhookOut), auth=may(Scope.WEBHOOKS), summary="Exchange the secret")
def rotate_webhook_secret(request: UserRequest, webhook_id: UUID) -> NewWebhookOut:
    """For 24 hours both sign; the new one is said this once."""
    _require_token(request)
    return new_webhook_out(*actions.rotate_secret(_endpoint(request, webhook_id).pk, actor=request.user))


@router.post(
    "/webhooks/{uuid:webhook_id}/pause", response=answers(200, WebhookOut), auth=may(Scope.WEBHOOKS), openapi_extra=also(IF_MATCH), summary="Pause"
)
def pause_webhook(request: UserRequest, webhook_id: UUID) -> WebhookOut:
    """What happens meanwhile is kept for 30 days, and sent when it goes on."""
    endpoint = _endpoint(request, webhook_id)
    with unless_changed(request, endpoint):
        return webhook_out(actions.pause_endpoint(endpoint.pk, actor=request.user))


@router.post(
    "/webhooks/{uuid:webhook_id}/resume", response=answers(200, WebhookOut), auth=may(Scope.WEBHOOKS), openapi_extra=also(IF_MATCH), summary="Go on"
)
def resume_webhook(request: UserRequest, webhook_id: UUID) -> WebhookOut:
    endpoint = _endpoint(request, webhook_id)
    with unless_changed(request, endpoint):
        return webhook_out(actions.resume_endpoint(endpoint.pk, actor=request.user))


@router.post("/webhooks/{uuid:webhook_id}/ping", response=answers(202, DeliveryRow), auth=may(Scope.WEBHOOKS), summary="Send a test event")
def ping_webhook(request: UserRequest, webhook_id: UUID) -> Status[DeliveryRow]:
    return Status(202, delivery_row(actions.ping_endpoint(_endpoint(request, webhook_id).pk, actor=request.user)))


@router.get("/webhooks/{uuid:webhook_id}/deliveries", response=answers(200, WebhookDeliveriesOut), auth=may(), summary="What was sent")
def list_webhook_deliveries(request: UserRequest, webhook_id: UUID, paging: Query[DeliveryPaging]) -> HttpResponse:
    rows = _endpoint(request, webhook_id).deliveries.defer("body")
    if paging.show:
        rows = rows.filter(status__in=queries.SHOWS[paging.show][1])
    return page(request, paging, rows, DeliveryRow, delivery_row)


@router.post(
    "/webhooks/{uuid:webhook_id}/replay", response=answers(202, ReplayedOut), auth=may(Scope.WEBHOOKS), summary="Send again what was given up"
)
def replay_webhook(request: UserRequest, webhook_id: UUID, body: ReplayIn) -> Status[ReplayedOut]:
    return Status(202, ReplayedOut(again=actions.replay_failed(_endpoint(request, webhook_id).pk, actor=request.user, since=body.since)))


def _delivery(request: UserRequest, delivery_id: UUID) -> WebhookDelivery:
    return get_object_or_404(WebhookDelivery.objects.visible_to(request.user).select_related("endpoint"), pk=delivery_id)


@router.get("/webhook-deliveries/{uuid:delivery_id}", response=answers(200, WebhookDeliveryOut), auth=may(), summary="One event, with each try")
def get_webhook_delivery(request: UserRequest, delivery_id: UUID) -> WebhookDeliveryOut:
    return delivery_out(queries.log_of(_delivery(request, delivery_id)))


@router.post("/webhook-deliveries/{uuid:delivery_id}/replay", response=answers(202, DeliveryRow), auth=may(Scope.WEBHOOKS), summary="Send it again")
def replay_webhook_delivery(request: UserRequest, delivery_id: UUID) -> Status[DeliveryRow]:
    """Under its id, whether or not it had arrived."""
    return Status(202, delivery_row(actions.replay_delivery(_delivery(request, delivery_id).pk, actor=request.user)))
