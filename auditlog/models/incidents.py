"""What looks wrong."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status

from .log import Category
from .watched import Watched


class IncidentType(models.TextChoices):
    MULTI_ACCOUNTING = "multi_accounting"
    FAST_WITHDRAWAL = "fast_withdrawal"
    SUSPICIOUS_ACTIVITY = "suspicious_activity"
    FRAUD_ATTEMPT = "fraud_attempt"


class IncidentSeverity(models.TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class IncidentStatus(models.TextChoices):
    OPEN = "open"
    INVESTIGATING = "investigating"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


class DetectionMethod(models.TextChoices):
    AUTOMATED = "automated"
    MANUAL = "manual"
    USER_REPORT = "user_report"


class ActionTaken(models.TextChoices):
    ACCOUNT_SUSPENDED = "account_suspended"
    WARNING_ISSUED = "warning_issued"
    NO_ACTION = "no_action"


LIVE = [IncidentStatus.OPEN, IncidentStatus.INVESTIGATING]


class IncidentLog(StateMachine):
    """Something that a person should look at. At most one live row for a fingerprint."""

    NEXT = {
        IncidentStatus.OPEN: frozenset({IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE}),
        IncidentStatus.INVESTIGATING: frozenset({IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    fingerprint = models.CharField(max_length=200)
    incident_type = models.CharField(max_length=30, choices=IncidentType.choices)
    severity = models.CharField(max_length=10, choices=IncidentSeverity.choices)
    status = models.CharField(max_length=20, choices=IncidentStatus.choices, default=IncidentStatus.OPEN)
    detection_method = models.CharField(max_length=12, choices=DetectionMethod.choices)
    detected_at = models.DateTimeField(default=now)
    user_id = models.UUIDField(null=True)
    related_users = ArrayField(models.UUIDField(), default=list)
    description = models.TextField()
    evidence = models.JSONField(default=dict)
    ip_addresses = ArrayField(models.GenericIPAddressField(), default=list)
    device_fingerprints = ArrayField(models.UUIDField(), default=list)
    pattern = models.CharField(max_length=100, blank=True)
    confidence = models.PositiveSmallIntegerField()
    potential_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    actual_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    assigned_to = models.UUIDField(null=True)
    investigation_notes = models.TextField(blank=True)
    investigated_at = models.DateTimeField(null=True)
    resolved_by = models.UUIDField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)
    action_taken = models.CharField(max_length=20, choices=ActionTaken.choices, blank=True)
    alert_sent = models.BooleanField(default=False)
    alert_sent_at = models.DateTimeField(null=True)
    alerted_admins = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    audited = Watched(
        Category.SECURITY,
        kept=(
            "fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss "
            "actual_loss assigned_to investigation_notes investigated_at resolved_by resolved_at resolution action_taken "
            "created_at"
        ),
        ignored=("evidence confidence description related_users ip_addresses device_fingerprints alert_sent alert_sent_at alerted_admins updated_at"),
    )

    class Meta:
        db_table = "incident_log"
        verbose_name = "incident"
        constraints = [
            known_status("incident_status_known", IncidentStatus),
            models.UniqueConstraint(fields=["fingerprint"], condition=Q(status__in=LIVE), name="incident_one_live_per_fingerprint"),
            models.CheckConstraint(condition=Q(confidence__lte=100), name="incident_confidence_percent"),
            models.CheckConstraint(
                condition=Q(status__in=LIVE, resolved_at__isnull=True) | (~Q(status__in=LIVE) & Q(resolved_at__isnull=False)),
                name="incident_resolved_has_moment",
            ),
        ]
        indexes = [models.Index(fields=["-detected_at"], condition=Q(status__in=LIVE), name="incident_live")]

    def __str__(self) -> str:
        return f"{self.incident_type} {self.detected_at:%Y-%m-%d}"
