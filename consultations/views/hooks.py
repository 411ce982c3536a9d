"""What meeting providers post to us. Signed, or refused; a repeat is harmless."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consultations import actions
from consultations.models import CalendarLink, CalendarProvider, LinkStatus
from port444.kit.clock import now
from port444.kit.jobs import enqueue

FRESH = 300  # seconds that a signed post of Zoom is good for
READ_CAL_COM = "consultations.jobs.read_cal_com"
LONGEST = 256 * 1024


def _signature(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _same(told: str, right: str) -> bool:
    """In constant time, whatever characters were sent."""
    return hmac.compare_digest(told.encode(), right.encode())


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _part(said: dict[str, Any], *names: str) -> dict[str, Any]:
    """The object at the end of the path, empty where there is none."""
    for name in names:
        found = said.get(name)
        said = found if isinstance(found, dict) else {}
    return said


@csrf_exempt
@require_POST
def zoom_hook(request: HttpRequest) -> HttpResponse:
    """Somebody came or went, or Zoom asks whether this address is ours.

    The question, too, has to be signed: its answer is a signature of a text that the asker chose.
    """
    if not _signed_by_zoom(request):
        return HttpResponseForbidden("The signature is missing or wrong.")
    said = _object(request.body)
    payload = _part(said, "payload")
    event = said.get("event")
    if event == "endpoint.url_validation":
        plain = str(payload.get("plainToken", ""))
        return JsonResponse({"plainToken": plain, "encryptedToken": _signature(settings.ZOOM_WEBHOOK_SECRET, plain.encode())})
    if event in ("meeting.participant_joined", "meeting.participant_left"):
        sighting = _sighting(payload)
        if sighting is not None:
            actions.note_zoom_sighting(sighting)
    return HttpResponse(status=204)


def _signed_by_zoom(request: HttpRequest) -> bool:
    told, stamp = request.headers.get("x-zm-signature", ""), request.headers.get("x-zm-request-timestamp", "")
    if not settings.ZOOM_WEBHOOK_SECRET or not stamp.isascii() or not stamp.isdigit() or len(request.body) > LONGEST:
        return False
    seconds = int(stamp[:16])
    seconds = seconds // 1000 if len(stamp) > 11 else seconds
    message = b"v0:" + stamp.encode() + b":" + request.body
    return abs(now().timestamp() - seconds) <= FRESH and _same(told, f"v0={_signature(settings.ZOOM_WEBHOOK_SECRET, message)}")


def _sighting(payload: dict[str, Any]) -> actions.Sighting | None:
    meeting, person = _part(payload, "object"), _part(payload, "object", "participant")
    session = str(person.get("participant_uuid") or person.get("user_id") or "")
    joined, left = _moment(person.get("join_time")), _moment(person.get("leave_time"))
    if not meeting.get("id") or not session or (joined is None and left is None):
        return None
    return actions.Sighting(
        meeting_id=str(meeting["id"]),
        session=f"{meeting.get('uuid', '')}/{session}"[:200],
        name=str(person.get("user_name") or ""),
        email=str(person.get("email") or ""),
        is_host=bool(person.get("id")) and person.get("id") == meeting.get("host_id"),
        joined_at=joined,
        left_at=left,
    )


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@csrf_exempt
@require_POST
def calcom_hook(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Something happened to a booking. What it says is not believed: a job reads the booking."""
    link = CalendarLink.objects.filter(pk=link_id, provider=CalendarProvider.CAL_COM).exclude(status=LinkStatus.OFF).first()
    told = request.headers.get("x-cal-signature-256", "")
    if link is None or not link.hook_secret or len(request.body) > LONGEST or not _same(told, _signature(link.hook_secret, request.body)):
        return HttpResponseForbidden("The signature is missing or wrong.")
    payload = _part(_object(request.body), "payload")
    uid = payload.get("uid") or payload.get("bookingUid") or ""
    if isinstance(uid, str) and len(uid) <= 100:
        enqueue(READ_CAL_COM, link.pk, uid)
    return HttpResponse(status=204)
