"""What people ask for about themselves: a copy of everything, and to be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status


class CopyStatus(models.TextChoices):
    ASKED = "asked", _("Being made")
    READY = "ready", _("Ready")
    GONE = "gone", _("Deleted")


C = CopyStatus


class PersonalCopyQuerySet(models.QuerySet["PersonalCopy"]):
    def visible_to(self, user: Any) -> PersonalCopyQuerySet:
        return self.filter(user=user)

    def waiting(self, before: datetime) -> PersonalCopyQuerySet:
        """Asked for a while ago and not made: whatever was to make them was lost."""
        return self.filter(status=C.ASKED, asked_at__lte=before)

    def over(self, moment: datetime) -> PersonalCopyQuerySet:
        return self.filter(status=C.READY, until__lte=moment)


class PersonalCopy(StateMachine):
    """A zip of everything that is held of a person, made when they ask, kept for some days, for them alone."""

    NEXT = {C.ASKED: frozenset({C.READY, C.GONE}), C.READY: frozenset({C.GONE})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=5, choices=C.choices, default=C.ASKED)
    asked_at = models.DateTimeField(default=now)
    ready_at = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    size = models.PositiveBigIntegerField(null=True)

    objects = PersonalCopyQuerySet.as_manager()

    audited = Watched(Category.SECURITY, kept="user_id status asked_at ready_at until gone_at size")

    class Meta:
        verbose_name_plural = "personal copies"
        constraints = [
            known_status("personal_copy_status_known", C),
            models.UniqueConstraint(fields=["user"], condition=Q(status="asked"), name="personal_copy_one_at_a_time"),
            models.CheckConstraint(
                condition=~Q(status="ready") | Q(ready_at__isnull=False, until__isnull=False, size__isnull=False), name="personal_copy_ready_is_whole"
            ),
            models.CheckConstraint(
                condition=Q(status="gone", gone_at__isnull=False) | (~Q(status="gone") & Q(gone_at__isnull=True)), name="personal_copy_gone_at"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="personal_copy_of_user"),
            models.Index(fields=["asked_at"], condition=Q(status="asked"), name="personal_copy_waiting"),
            models.Index(fields=["until"], condition=Q(status="ready"), name="personal_copy_ending"),
        ]

    def __str__(self) -> str:
        return f"Copy of {self.asked_at:%Y-%m-%d}"

    @property
    def file_name(self) -> str:
        """Where the storage has it."""
        return f"copies/{self.pk}.zip"


class ClosingQuerySet(models.QuerySet["Closing"]):
    def standing(self) -> ClosingQuerySet:
        """Asked for, and neither taken back nor done."""
        return self.filter(kept_at__isnull=True, closed_at__isnull=True)

    def due(self, moment: datetime) -> ClosingQuerySet:
        return self.standing().filter(closes_at__lte=moment)


class Closing(models.Model):
    """Somebody wants their account closed. Until then they can change their mind; `closes_at` moves on while something is in the way."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(default=now)
    closes_at = models.DateTimeField()
    in_the_way = models.TextField(blank=True)  # what was, when it was last tried, for the person
    kept_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = ClosingQuerySet.as_manager()

    audited = Watched(Category.SECURITY, kept="user_id asked_at closes_at in_the_way kept_at closed_at")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(kept_at__isnull=True, closed_at__isnull=True), name="closing_one_at_a_time"),
            models.CheckConstraint(condition=Q(kept_at__isnull=True) | Q(closed_at__isnull=True), name="closing_kept_or_closed"),
            models.CheckConstraint(condition=Q(closes_at__gt=F("asked_at")), name="closing_later"),
        ]
        indexes = [models.Index(fields=["closes_at"], condition=Q(kept_at__isnull=True, closed_at__isnull=True), name="closing_due")]

    def __str__(self) -> str:
        return f"Closing on {self.closes_at:%Y-%m-%d}"
