"""What calendar providers post to us. Anybody can post here, so a true word only makes us read the calendar ourselves."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consultations import actions
from consultations.models import CalendarProvider, PushChannel

LONGEST_TOKEN = 4096
ENDED = {"subscriptionRemoved", "reauthorizationRequired"}


def _channel(provider: str, channel_id: UUID) -> PushChannel:
    channel: PushChannel = get_object_or_404(PushChannel.objects.select_related("calendar"), pk=channel_id, calendar__link__provider=provider)
    return channel


@csrf_exempt
@require_POST
def google_hook(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    channel = _channel(CalendarProvider.GOOGLE, channel_id)
    if not constant_time_compare(request.headers.get("X-Goog-Channel-Token", ""), channel.secret):
        return HttpResponse(status=403)
    actions.nudge_calendar(channel.calendar_id)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def graph_hook(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """Graph first asks whether anybody is here, and wants its token back; afterwards it sends lists of changes and of the channel's troubles."""
    channel = _channel(CalendarProvider.OUTLOOK, channel_id)
    token = request.GET.get("validationToken")
    if token is not None:
        return HttpResponse(token[:LONGEST_TOKEN], content_type="text/plain; charset=utf-8")
    news = [item for item in _items(request.body) if constant_time_compare(str(item.get("clientState", "")), channel.secret)]
    if not news:
        return HttpResponse(status=403)
    if any(item.get("lifecycleEvent") in ENDED for item in news):
        actions.end_channel(channel.pk)
    actions.nudge_calendar(channel.calendar_id)
    return HttpResponse(status=202)


def _items(body: bytes) -> list[dict[str, Any]]:
    try:
        items = json.loads(body)["value"]
    except (ValueError, KeyError, TypeError):
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
