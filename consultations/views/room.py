"""The way into a call: a lobby that shows where it takes place and when, and the step inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from consultations import actions, queries
from consultations.meetings import MeetingError
from consultations.models import Consultation, MeetingProvider, MeetingRoom, RoomStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.http import HtmxRequest, UserRequest

LOBBY = "consultations/lobby.html"


def _call(request: UserRequest, call_id: UUID) -> Consultation:
    calls = Consultation.objects.visible_to(request.user).select_related("client", "builder__user")
    return get_object_or_404(calls, pk=call_id)


@login_required
@require_http_methods(["GET", "POST"])
def join(request: UserRequest, call_id: UUID) -> HttpResponse:
    """GET shows the lobby and changes nothing, whoever opens the link. POST notes who came and leads into the room."""
    call = _call(request, call_id)
    if request.method == "GET":
        return render(request, LOBBY, _lobby(request, call))
    try:
        room = actions.join_call(call.pk, actor=request.user)
    except Conflict as error:
        return render(request, LOBBY, _lobby(request, call, error.message), status=error.status)
    if "host" in request.POST and request.user.pk == call.builder.user_id:
        try:
            room = actions.host_url(call.pk, actor=request.user) or room
        except MeetingError:
            return render(
                request, LOBBY, _lobby(request, call, _("The room could not be started as host just now. Try again, or join it.")), status=503
            )
    response = render(request, "consultations/leave_for_room.html", {"call": call, "room": room, "other": _other(request, call)})
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_required
@require_GET
def room_state(request: HtmxRequest, call_id: UUID) -> HttpResponse:
    """The part of the lobby that changes by itself."""
    return render(request, f"{LOBBY}#room", _lobby(request, _call(request, call_id)))  # type: ignore[arg-type]  # behind login_required


def _other(request: UserRequest, call: Consultation) -> Any:
    return call.client if request.user.pk == call.builder.user_id else call.builder.user


def _lobby(request: UserRequest, call: Consultation, refused: str = "") -> dict[str, Any]:
    moment = now()
    is_builder = request.user.pk == call.builder.user_id
    mine, theirs = (call.builder_zone, call.client_zone) if is_builder else (call.client_zone, call.builder_zone)
    state = queries.room_state(call, moment)
    live = queries.live_call(call.chain) if state == "moved" else None
    own, host = call.meeting_provider == MeetingProvider.OWN_LINK, call.builder.user.first_name
    room = MeetingRoom.objects.filter(chain=call.chain).first() if state in ("early", "open", "waiting") else None
    return {
        "call": call,
        "state": state,
        "refused": refused,
        "is_builder": is_builder,
        "other": _other(request, call),
        "zone": mine,
        "other_zone": theirs,
        "moment": moment,
        "running": call.scheduled_at <= moment < call.ends_at,
        "minutes_late": max(0, int((moment - call.scheduled_at).total_seconds() // 60)),
        "live": live,
        "opens_in": _span(call.opens_at, moment),
        "where": _("in %(name)s's own room") % {"name": host} if own else _("on %(place)s") % {"place": call.get_meeting_provider_display()},
        "where_short": _("%(name)s's own room") % {"name": host} if own else call.get_meeting_provider_display(),
        "has_room": bool(queries.room_url(call)),
        "is_coming": room is not None and room.status == RoomStatus.WANTED,
        "can_host": is_builder and call.meeting_provider == MeetingProvider.ZOOM and state == "open",
        "until": queries.joinable_until(call),
        "poll": reverse("consultations:room", args=[call.pk]) if state in ("early", "waiting") else "",
    }


def _span(until: datetime, moment: datetime) -> str:
    """How long it still is, in the two largest units that matter."""
    minutes = max(0, -int((moment - until).total_seconds() // 60))
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if minutes <= 1:
        return _("a minute")
    if days:
        parts = [ngettext("%(count)s day", "%(count)s days", days) % {"count": days}, f"{hours} h" if hours else ""]
    else:
        parts = [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]
    return " ".join(part for part in parts if part)
