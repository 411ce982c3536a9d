"""Who came to a call: looking at the evidence, and what happens when nobody answers."""

from __future__ import annotations

from consultations.actions import confirm_unanswered, drop_suggestion, look_at_attendance
from consultations.models import Absence, Consultation
from port444.kit.clock import now
from port444.kit.jobs import each

BATCH = 200


def look_at_ended() -> int:
    """Look at calls that ended a quarter of an hour ago for somebody who did not come; how many."""
    over = Consultation.objects.unlooked(now()).order_by("ends_at").values_list("pk", flat=True)[:BATCH]
    return each(look_at_attendance, list(over))


def settle_absences() -> int:
    """Take reports that nobody answered for true, and drop suggestions that nobody took up; how many."""
    moment = now()
    reports = Absence.objects.unanswered(moment).order_by("answer_by").values_list("pk", flat=True)[:BATCH]
    ignored = Absence.objects.ignored(moment).order_by("created_at").values_list("pk", flat=True)[:BATCH]
    return each(confirm_unanswered, list(reports)) + each(drop_suggestion, list(ignored))
