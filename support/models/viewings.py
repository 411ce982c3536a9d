"""Looking through somebody's eyes, and reading what they write to each other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.messaging.models import Conversation

USER = settings.AUTH_USER_MODEL
LASTS = timedelta(hours=1)


class EndReason(models.TextChoices):
    BUTTON = "button", "Ended by the agent"
    TIME = "time", "The hour was over"
    SIGNED_OUT = "signed_out", "The agent signed out"
    AGENT_CHANGED = "agent_changed", "The agent may not view any more, or has a new password"
    SUBJECT_CHANGED = "subject_changed", "The person's account was closed or became one of staff"
    REVOKED = "revoked", "Ended by another member of staff"
    REPLACED = "replaced", "The agent began another one"


class ViewingQuerySet(models.QuerySet["Viewing"]):
    def lock(self, pk: Any) -> Viewing:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def open(self) -> ViewingQuerySet:
        return self.filter(ended_at__isnull=True)

    def lapsed(self, moment: datetime) -> ViewingQuerySet:
        return self.open().filter(expires_at__lte=moment)


class Viewing(models.Model):
    """One session of looking at the site as somebody sees it: for an hour at most, read-only, one at a time for an agent.

    The row decides; what the browser holds only names it. Ended or not, nothing is shown after `expires_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("support_viewing_number"), function="nextval"))
    agent = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="viewings")
    subject = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="viewed_in")
    reason = models.CharField(max_length=600)
    reference = models.CharField(max_length=40)  # an order, an incident, a plan
    agent_session = models.CharField(max_length=64)  # SHA-256 of the agent's session key
    agent_auth = models.CharField(max_length=64)  # the agent's session auth hash, which a new password changes
    started_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=15, choices=EndReason.choices, blank=True)
    pages = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=512, blank=True)

    objects = ViewingQuerySet.as_manager()

    audited = Watched(
        Category.SECURITY,
        kept="number agent_id subject_id reason reference started_at expires_at ended_at end_reason",
        personal="ip_address user_agent",
        hidden="agent_session agent_auth",
        ignored="pages refused",
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason="") & ~Q(reference=""), name="viewing_has_reason"),
            models.CheckConstraint(condition=~Q(agent=F("subject")), name="viewing_of_another"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("started_at"), expires_at__lte=F("started_at") + LASTS), name="viewing_lasts_an_hour_at_most"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end_reason="")
                | (Q(ended_at__gte=F("started_at"), ended_at__lte=F("expires_at")) & Q(end_reason__in=EndReason.values)),
                name="viewing_end_has_reason",
            ),
            models.UniqueConstraint(fields=["agent"], condition=Q(ended_at__isnull=True), name="viewing_one_open"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(ended_at__isnull=True), name="viewing_open"),
            models.Index(fields=["subject", "-number"], name="viewing_of_subject"),
        ]

    def __str__(self) -> str:
        return f"V-{self.number}"

    def duration(self, moment: datetime) -> timedelta:
        """How long it lasted, or has lasted at `moment`."""
        return (self.ended_at or min(moment, self.expires_at)) - self.started_at


class ViewedPage(models.Model):
    """One request of a viewing, written and committed before anything is shown; status and time are added when it was answered."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewing = models.ForeignKey(Viewing, on_delete=models.PROTECT, related_name="viewed")
    number = models.PositiveIntegerField()  # within the viewing
    view_name = models.CharField(max_length=120)
    method = models.CharField(max_length=10)
    path = models.TextField()
    refused = models.CharField(max_length=20, blank=True)  # method, view, write
    answered = models.PositiveSmallIntegerField(null=True)  # the status of the answer
    milliseconds = models.PositiveIntegerField(null=True)
    request_id = models.UUIDField(null=True)
    seen_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["viewing", "number"]
        constraints = [models.UniqueConstraint(fields=["viewing", "number"], name="viewed_page_once")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class ThreadOpening(models.Model):
    """That a member of staff may read a private conversation for a while, and why."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="+")
    agent = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=600)
    opened_at = models.DateTimeField(default=now)
    closes_at = models.DateTimeField()

    audited = Watched(Category.SECURITY, kept="conversation_id agent_id reason opened_at closes_at")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="thread_opening_has_reason"),
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opened_at"), closes_at__lte=F("opened_at") + LASTS), name="thread_opening_lasts_an_hour_at_most"
            ),
        ]
        indexes = [models.Index(fields=["agent", "conversation", "-closes_at"], name="thread_opening_of_agent")]

    def __str__(self) -> str:
        return f"{self.conversation_id} opened by {self.agent_id}"
