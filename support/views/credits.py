"""One credit: what is left of it, and each step of its life."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.payments.models import Credit
from port444.payments.queries import CREDIT_STEPS_SHOWN, standing_of, steps_of
from support.roles import may

from .frame import console_page, show


@require_GET
@console_page("see_people")
def credit(request: UserRequest, credit_id: UUID) -> HttpResponse:
    """Its standing and its newest entries, each with what it was for."""
    found = get_object_or_404(Credit.objects.select_related("user", "builder__user", "category", "issued_by"), pk=credit_id)
    moment, steps = now(), steps_of(found)
    can_end = found.remaining > 0 and not found.is_expired(moment)
    context = {
        "credit": found,
        "standing": standing_of(found),
        "steps": steps[:CREDIT_STEPS_SHOWN],
        "more": len(steps) > CREDIT_STEPS_SHOWN,
        "ended": found.is_expired(moment),
        "can_void": can_end and may(request.user, "issue_credits"),
    }
    return show(request, "support/credit.html", context, section="", title="Credit")
