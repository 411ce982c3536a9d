"""Who came to a call, and what is said about somebody who did not."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status

from .calls import HEARD_WITHIN, OPEN_ABSENCES, Consultation, Party
from .words import in_words

REPORT_AFTER = timedelta(minutes=5)  # after the start, when "did not come" can be said
PRESENT = timedelta(minutes=5)  # in the room, to count as somebody who came
ANSWER_TIME = timedelta(hours=48)  # for the other side to admit or to dispute
SUGGESTED_FOR = timedelta(hours=72)  # until a suggestion that nobody takes up is dropped


class Source(models.TextChoices):
    JOIN = "join", _("Our join page")
    ZOOM = "zoom", "Zoom"
    GOOGLE_MEET = "google_meet", _("Google Meet")
    CAL_COM = "cal_com", "Cal.com"


class Attendance(models.Model):
    """Evidence that one side was in the room, or went into it. `external_id` names a provider's session, so that it counts once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    consultation = models.ForeignKey(Consultation, on_delete=models.CASCADE, related_name="attendance")
    party = models.CharField(max_length=7, choices=Party.choices)
    source = models.CharField(max_length=12, choices=Source.choices)
    external_id = models.CharField(max_length=200, blank=True)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["joined_at"]
        constraints = [
            models.CheckConstraint(condition=Q(party__in=Party.values), name="attendance_party"),
            models.CheckConstraint(condition=Q(left_at__isnull=True) | Q(left_at__gte=F("joined_at")), name="attendance_left_after_joining"),
            models.UniqueConstraint(fields=["consultation", "source", "external_id"], condition=~Q(external_id=""), name="attendance_session_once"),
        ]

    def __str__(self) -> str:
        return f"{self.party} {self.joined_at:%H:%M}"


class AbsenceStatus(models.TextChoices):
    SUGGESTED = "suggested", _("Suggested")
    REPORTED = "reported", _("Reported")
    DISPUTED = "disputed", _("Disputed")
    CONFIRMED = "confirmed", _("Confirmed")
    DISMISSED = "dismissed", _("Not so")


A = AbsenceStatus


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def open(self) -> AbsenceQuerySet:
        return self.filter(status__in=OPEN_ABSENCES)

    def unanswered(self, moment: datetime) -> AbsenceQuerySet:
        """Reported, and the other side has let its time pass."""
        return self.filter(status=A.REPORTED, answer_by__lte=moment)

    def ignored(self, moment: datetime) -> AbsenceQuerySet:
        """Suggested by evidence, and the side that came has said nothing for days."""
        return self.filter(status=A.SUGGESTED, created_at__lte=moment - SUGGESTED_FOR)


class Absence(StateMachine):
    """One side says, or the evidence suggests, that the other did not come.

    SUGGESTED by evidence after the call; REPORTED by the side that came, and then the other has until `answer_by` to admit or to
    dispute it; silence confirms it. A dispute is decided by staff. CONFIRMED makes the call a no-show and moves the money.
    """

    called = _("absence")
    NEXT = {
        A.SUGGESTED: frozenset({A.REPORTED, A.DISMISSED}),
        A.REPORTED: frozenset({A.CONFIRMED, A.DISPUTED, A.DISMISSED}),
        A.DISPUTED: frozenset({A.CONFIRMED, A.DISMISSED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    consultation = models.ForeignKey(Consultation, on_delete=models.PROTECT, related_name="absences")
    party = models.CharField(max_length=7, choices=Party.choices)  # who did not come
    status = models.CharField(max_length=9, choices=A.choices)
    note = models.CharField(max_length=600, blank=True)
    dispute_note = models.CharField(max_length=600, blank=True)
    decision_note = models.CharField(max_length=600, blank=True)
    reported_at = models.DateTimeField(null=True)
    answer_by = models.DateTimeField(null=True)
    disputed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField(default=now)

    objects = AbsenceQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept="consultation_id party status reported_at answer_by disputed_at decided_at decided_by_id created_at",
        personal="note dispute_note decision_note",
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            known_status("absence_status_known", A),
            models.CheckConstraint(condition=Q(party__in=Party.values), name="absence_party"),
            models.CheckConstraint(
                condition=Q(status=A.SUGGESTED) | Q(status=A.DISMISSED) | Q(reported_at__isnull=False, answer_by__isnull=False),
                name="absence_reported_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[A.CONFIRMED, A.DISMISSED], decided_at__isnull=False)
                | Q(status__in=[A.SUGGESTED, A.REPORTED, A.DISPUTED], decided_at__isnull=True),
                name="absence_decided_has_moment",
            ),
            models.UniqueConstraint(fields=["consultation"], condition=Q(status__in=[A.SUGGESTED, A.REPORTED, A.DISPUTED]), name="absence_one_open"),
        ]
        indexes = [
            models.Index(fields=["answer_by"], condition=Q(status="reported"), name="absence_waiting"),
            models.Index(fields=["created_at"], condition=Q(status="suggested"), name="absence_suggested"),
        ]

    def __str__(self) -> str:
        return f"{self.party} {self.status}"

    @property
    def decision_words(self) -> str:
        return in_words(self.decision_note)

    def keeps_open(self, moment: datetime) -> bool:
        """Whether the call cannot be completed for it: somebody says it, or the client has not had the time since to say the opposite."""
        if self.status in (A.REPORTED, A.DISPUTED):
            return True
        if self.party == Party.BUILDER or self.reported_at is None:
            return False
        return self.decided_at is not None and self.decided_at > moment - HEARD_WITHIN
