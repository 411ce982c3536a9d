"""Calls that are over."""

from __future__ import annotations

from consultations.actions import complete_unattended
from consultations.models import Consultation
from port444.kit.clock import now
from port444.kit.jobs import each

BATCH = 200


def complete_ended() -> int:
    """Complete calls that ended a day ago and that nobody has completed or called off; how many."""
    due = Consultation.objects.unattended(now()).order_by("ends_at").values_list("pk", flat=True)[:BATCH]
    return each(complete_unattended, list(due))
