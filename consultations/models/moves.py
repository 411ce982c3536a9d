"""What one side, or a calendar outside, proposes for a call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status

from .calls import Consultation


class ProposalKind(models.TextChoices):
    MOVE = "move", _("Another time")
    CANCEL = "cancel", _("Calling it off")


class ProposalStatus(models.TextChoices):
    OPEN = "open", _("Waiting for an answer")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    LAPSED = "lapsed", _("Not answered in time")


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def open(self) -> ProposalQuerySet:
        return self.filter(status=ProposalStatus.OPEN)

    def due(self, moment: datetime) -> ProposalQuerySet:
        """Open, and not answered in time."""
        return self.open().filter(answer_by__lte=moment)


class Proposal(StateMachine):
    """Another time for a call, or its end, that somebody has to agree to.

    A MOVE is answered by the side that did not make it and lapses without effect. A CANCEL is made when the builder's copy of the
    call vanished from their calendar: the builder is asked, and without an answer by `answer_by` the call is cancelled with a full
    refund, because nobody would have come.
    """

    called = _("proposal")
    NEXT = {
        ProposalStatus.OPEN: frozenset({ProposalStatus.ACCEPTED, ProposalStatus.DECLINED, ProposalStatus.WITHDRAWN, ProposalStatus.LAPSED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    consultation = models.ForeignKey(Consultation, on_delete=models.PROTECT, related_name="proposals")
    kind = models.CharField(max_length=6, choices=ProposalKind.choices)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    from_calendar = models.BooleanField(default=False)
    starts_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)
    status = models.CharField(max_length=9, choices=ProposalStatus.choices, default=ProposalStatus.OPEN)
    answer_by = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    objects = ProposalQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept="consultation_id kind made_by_id from_calendar starts_at status answer_by answered_at created_at",
        personal="note",
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            known_status("proposal_status_known", ProposalStatus),
            models.CheckConstraint(
                condition=Q(kind="move", starts_at__isnull=False) | Q(kind="cancel", starts_at__isnull=True), name="proposal_move_has_time"
            ),
            models.CheckConstraint(
                condition=Q(status="open", answered_at__isnull=True) | (~Q(status="open") & Q(answered_at__isnull=False)),
                name="proposal_answer_has_moment",
            ),
            models.UniqueConstraint(fields=["consultation"], condition=Q(status="open"), name="proposal_one_open"),
        ]
        indexes = [models.Index(fields=["answer_by"], condition=Q(status="open"), name="proposal_waiting")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.status}"

    @property
    def answerer_id(self) -> Any:
        """Whose answer it is: the other side's; of a call that vanished from the builder's calendar the builder's own."""
        call = self.consultation
        builder_id = call.builder.user_id
        if self.kind == ProposalKind.CANCEL:
            return builder_id
        return call.client_id if self.made_by_id == builder_id else builder_id
