"""What the pages of calls show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from consultations.models import Absence, AbsenceStatus, Back, Consultation, ConsultationStatus, Party, Proposal, ProposalKind, ProposalStatus
from port444.kit.clock import now
from port444.kit.language import dated
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


def calls_of(user: Any, *, moment: datetime, show: str, after: tuple[datetime, UUID] | None = None) -> CallPage:
    """The calls of a person in both roles, each once, wherever it was moved to.

    "coming": soonest first. "waiting": for an answer of theirs, soonest first. "past": what was, latest first. Each row knows
    whether something is proposed to them (`asks`) or by them (`asked`), and whether it is open who came (`argued`).
    """
    calls = Consultation.objects.visible_to(user).exclude(status=ConsultationStatus.RESCHEDULED).select_related("client", "builder__user", "claim")
    calls = calls.annotate(
        asks=Exists(_proposed_to(user)), asked=Exists(_open_proposals().filter(made_by=user, kind=ProposalKind.MOVE)), argued=Exists(_argued())
    )
    coming = Q(status=ConsultationStatus.SCHEDULED, ends_at__gt=moment) | Q(status=ConsultationStatus.HELD, claim__hold_expires_at__gt=moment)
    if show == "past":
        calls = calls.exclude(coming).order_by("-scheduled_at", "-id")
        if after:
            calls = calls.filter(Q(scheduled_at__lt=after[0]) | Q(scheduled_at=after[0], id__lt=after[1]))
    else:
        calls = calls.filter(waits_for(user, moment) if show == "waiting" else coming).order_by("scheduled_at", "id")
        if after:
            calls = calls.filter(Q(scheduled_at__gt=after[0]) | Q(scheduled_at=after[0], id__gt=after[1]))
    rows = list(calls[: PAGE + 1])
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return CallPage(rows, f"{int(rows[-1].scheduled_at.timestamp())}.{rows[-1].pk.hex}" if more else "")


def waiting_for(user: Any, moment: datetime) -> int:
    """How many calls wait for an answer of `user`; counted to the length of a page."""
    calls = Consultation.objects.visible_to(user).exclude(status=ConsultationStatus.RESCHEDULED)
    return calls.filter(waits_for(user, moment))[: PAGE + 1].count()


def open_proposal(call: Consultation) -> Proposal | None:
    """What is proposed for the call and waits for an answer."""
    proposal = Proposal.objects.filter(consultation=call).open().select_related("made_by").first()
    if proposal is not None:
        proposal.consultation = call
    return proposal


def proposals_of(user: Any) -> QuerySet[Proposal]:
    """What is or was proposed for a person's calls. That a call vanished from the builder's calendar is between the two of them."""
    proposals = Proposal.objects.filter(consultation__in=Consultation.objects.visible_to(user))
    return proposals.filter(Q(kind=ProposalKind.MOVE) | Q(consultation__builder__user=user)).select_related("consultation__builder")


def yours_to_answer(user: Any) -> Q:
    """Of proposals: those that wait for the user's answer. One that vanished from a calendar is the builder's own."""
    mine = Q(kind=ProposalKind.MOVE) & ~Q(made_by=user) | Q(kind=ProposalKind.CANCEL, made_by=user)
    return mine & Q(status=ProposalStatus.OPEN)


def _open_proposals() -> QuerySet[Proposal]:
    return Proposal.objects.open().filter(consultation=OuterRef("pk"))


def _proposed_to(user: Any) -> QuerySet[Proposal]:
    return _open_proposals().filter(yours_to_answer(user))


def _argued() -> QuerySet[Absence]:
    """One side says that the other did not come, and nothing is settled: the other answers, then staff."""
    return Absence.objects.filter(consultation=OuterRef("pk"), status__in=(AbsenceStatus.REPORTED, AbsenceStatus.DISPUTED))


def waits_for(user: Any, moment: datetime) -> Q:
    """Something is proposed to them, somebody says that they did not come, or a call has ended that they have to complete."""
    accused = Absence.objects.filter(consultation=OuterRef("pk"), status=AbsenceStatus.REPORTED)
    as_client = Exists(accused.filter(party=Party.CLIENT)) & Q(client=user)
    as_builder = Exists(accused.filter(party=Party.BUILDER)) & Q(builder__user=user)
    ended = Q(ends_at__lte=moment, builder__user=user) & Q(~Exists(_argued()))
    scheduled = Q(status=ConsultationStatus.SCHEDULED)
    return scheduled & (Q(Exists(_proposed_to(user))) | as_client | as_builder | ended)


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
    return {call.conversation_id: Chip(_("Call, %(day)s") % {"day": _day(call, user)}, "tint", "video") for call in calls}


def facts(conversation: Conversation, user: Any) -> list[Fact]:
    """The next calls of the two, on the reader's clock."""
    rows = Consultation.objects.filter(conversation=conversation, status=ConsultationStatus.SCHEDULED, ends_at__gt=now())
    return [
        Fact(_("Call of %(minutes)s min") % {"minutes": call.duration}, f"{_day(call, user)}, {_local(call, user):%H:%M}", call.url)
        for call in rows.order_by("scheduled_at")[:BESIDE]
    ]


def _local(call: Consultation, user: Any) -> datetime:
    return call.scheduled_at.astimezone(ZoneInfo(user.time_zone))


def _day(call: Consultation, user: Any) -> str:
    return dated(_local(call, user), "D j M")
