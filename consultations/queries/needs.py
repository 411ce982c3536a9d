"""Calls that wait for somebody: for the list of what a person has to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _

from consultations.models import Consultation, Proposal
from port444.orders.handlers import Need

from .calls import waits_for, yours_to_answer

MOST = 10


def needs(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    """A proposed time to answer, a call to complete, a word on who came; the soonest first. One query."""
    asked = Proposal.objects.filter(yours_to_answer(user), consultation=OuterRef("pk")).values("answer_by")[:1]
    side = {"builder__user": user} if as_builder else {"client": user}
    rows: Any = Consultation.objects.filter(waits_for(user, moment), **side).annotate(answer_by=Subquery(asked))
    return [_need(row, row.answer_by, user, moment) for row in rows.select_related("client", "builder__user").order_by("scheduled_at")[:MOST]]


def _need(call: Consultation, answer_by: datetime | None, user: Any, moment: datetime) -> Need:
    other = call.other(user)
    if answer_by is not None:
        title = _("Your call with %(name)s waits for your answer") % {"name": other.first_name}
    elif call.ends_at <= moment:
        title = _("Say how your call with %(name)s went") % {"name": other.first_name}
    else:
        title = _("Look at your call with %(name)s") % {"name": other.first_name}
    text = _("%(minutes)s min with %(name)s") % {"minutes": call.duration, "name": other.name}
    return Need(title, text, reverse("consultations:detail", args=[call.pk]), answer_by, "video", other.time_zone)
