"""What the pages of calls show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum

from consultations.models import Back, Consultation, ConsultationStatus
from port444.kit.clock import now
from port444.kit.money import ZERO
from port444.messaging.handlers import Chip, Fact
from port444.messaging.models import Conversation
from port444.payments.models import Invoice

PAGE = 20
BESIDE = 3


def paid_back(call: Consultation) -> Back:
    """What of the call's payment went back to the client."""
    notes = Invoice.objects.filter(corrects=call.invoice_id) if call.invoice_id else Invoice.objects.none()
    sums = notes.aggregate(price=Sum("subtotal"), fee=Sum("fee"))
    return Back(sums["price"] or ZERO, sums["fee"] or ZERO)


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of calls and where the next one begins."""

    calls: Sequence[Consultation]
    cursor: str


def calls_of(user: Any, *, moment: datetime, past: bool, after: tuple[datetime, UUID] | None = None) -> CallPage:
    """The calls of a person in both roles: what comes, soonest first; or what was, latest first."""
    calls = Consultation.objects.visible_to(user).select_related("client", "builder__user", "claim")
    coming = Q(status=ConsultationStatus.SCHEDULED, ends_at__gt=moment) | Q(status=ConsultationStatus.HELD, claim__hold_expires_at__gt=moment)
    if past:
        calls = calls.exclude(coming).order_by("-scheduled_at", "-id")
        if after:
            calls = calls.filter(Q(scheduled_at__lt=after[0]) | Q(scheduled_at=after[0], id__lt=after[1]))
    else:
        calls = calls.filter(coming).order_by("scheduled_at", "id")
        if after:
            calls = calls.filter(Q(scheduled_at__gt=after[0]) | Q(scheduled_at=after[0], id__gt=after[1]))
    rows = list(calls[: PAGE + 1])
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return CallPage(rows, f"{int(rows[-1].scheduled_at.timestamp())}.{rows[-1].pk.hex}" if more else "")


def read_cursor(text: str) -> tuple[datetime, UUID] | None:
    """The place that `CallPage.cursor` names; None for anything else."""
    seconds, _, key = text.partition(".")
    try:
        return datetime.fromtimestamp(int(seconds), UTC), UUID(key)
    except (ValueError, OverflowError, OSError):
        return None


def chips(conversation_ids: Sequence[UUID], user: Any) -> Mapping[UUID, Chip]:
    """For each conversation the next call."""
    rows = Consultation.objects.filter(conversation__in=conversation_ids, status=ConsultationStatus.SCHEDULED, ends_at__gt=now())
    calls = rows.order_by("conversation_id", "scheduled_at").distinct("conversation_id")
    return {call.conversation_id: Chip(f"Call, {_day(call, user)}", "tint", "video") for call in calls}


def facts(conversation: Conversation, user: Any) -> list[Fact]:
    """The next calls of the two, on the reader's clock."""
    rows = Consultation.objects.filter(conversation=conversation, status=ConsultationStatus.SCHEDULED, ends_at__gt=now())
    return [
        Fact(f"Call of {call.duration} min", f"{_day(call, user)}, {_local(call, user):%H:%M}", call.url)
        for call in rows.order_by("scheduled_at")[:BESIDE]
    ]


def _local(call: Consultation, user: Any) -> datetime:
    return call.scheduled_at.astimezone(ZoneInfo(user.time_zone))


def _day(call: Consultation, user: Any) -> str:
    local = _local(call, user)
    return f"{local:%a} {local.day} {local:%b}"
