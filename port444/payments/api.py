"""Callbacks of payment providers."""

from __future__ import annotations

import json
import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from port444.kit.clock import now
from port444.kit.errors import Invalid

from .actions import record_answer
from .models import Payment
from .providers import sandbox

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def sandbox_callback(request: HttpRequest) -> HttpResponse:
    """The test wallet's answer. Only a body that the wallet has signed within five minutes is read at all."""
    body = request.body
    if not sandbox.verified(body, request.headers.get(sandbox.HEADER, ""), now()):
        log.warning("a callback with a bad signature was refused")
        return JsonResponse({"error": "signature"}, status=403)
    try:
        event_id, payment_id, report = sandbox.read(body)
    except ValueError:
        return JsonResponse({"error": "body"}, status=400)
    try:
        record_answer("sandbox", event_id, payment_id, report, json.loads(body))
    except Payment.DoesNotExist:
        return JsonResponse({"error": "unknown payment"}, status=404)
    except Invalid as error:
        return JsonResponse({"error": error.code}, status=error.status)
    return JsonResponse({"ok": True})
