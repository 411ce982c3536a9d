"""What calendar providers post to us. Anybody can post here, so a true word only makes us read the calendar ourselves."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consultations import actions
from consultations.calendars import graph
from consultations.models import CalendarProvider, PushChannel

ENDED = {"removed", "reauthorize"}


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
    token = graph.validation_token(request.GET)
    if token is not None:
        return HttpResponse(token, content_type="text/plain; charset=utf-8")
    news = [notice for notice in graph.read_notifications(request.body) if constant_time_compare(notice.secret, channel.secret)]
    if not news:
        return HttpResponse(status=403)
    if any(notice.kind in ENDED for notice in news):
        actions.end_channel(channel.pk)
    actions.nudge_calendar(channel.calendar_id)
    return HttpResponse(status=202)
