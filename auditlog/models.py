"""The ground floor: what happened, for ever, and what looks wrong.

The log knows no other app: actors and targets are typed ids, not foreign keys, so nothing done to a person or an order can
reach back into its history.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import TruncDate

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status


class Category(models.TextChoices):
    FINANCIAL = "financial"
    ADMINISTRATIVE = "administrative"
    SECURITY = "security"
    USER_ACTION = "user_action"


class Severity(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class ActorType(models.TextChoices):
    USER = "user"
    ADMIN = "admin"
    BUILDER = "builder"
    CLIENT = "client"
    SYSTEM = "system"


class AuditLogQuerySet(models.QuerySet["AuditLog"]):
    def with_export(self) -> AuditLogQuerySet:
        """Add `exported_to_cold_storage` and `exported_at`, derived: a row is exported when its day's batch is."""
        batch = AuditExportBatch.objects.filter(day=OuterRef("utc_day"))
        return self.annotate(utc_day=TruncDate("timestamp")).annotate(
            exported_to_cold_storage=Exists(batch), exported_at=Subquery(batch.values("exported_at")[:1])
        )


class AuditLog(models.Model):
    """One fact. Written by `actions.record` only; the database refuses to change or remove it.

    The table is partitioned by month and made by SQL in the migration. It has its own bigint sequence, which is the order
    of allocation; the column `xid` (not mapped here) with it gives the order in which transactions can be read to the end.
    """

    id = models.BigIntegerField(primary_key=True)
    timestamp = models.DateTimeField()
    event_type = models.TextField()
    event_category = models.TextField(choices=Category.choices)
    severity = models.TextField(choices=Severity.choices)
    actor_type = models.TextField(choices=ActorType.choices)
    actor_id = models.UUIDField(null=True)
    actor_email = models.TextField()
    on_behalf_of = models.UUIDField(null=True)
    target_type = models.TextField()
    target_id = models.UUIDField(null=True)
    action = models.TextField()
    description = models.TextField()
    before_state = models.JSONField(null=True)
    after_state = models.JSONField(null=True)
    metadata = models.JSONField()
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.TextField()
    request_id = models.UUIDField(null=True)
    device_id = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    currency = models.TextField()
    transaction_hash = models.TextField()

    objects = AuditLogQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "audit_log"
        ordering = ["-timestamp", "-id"]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.event_type}"


class AuditExportBatch(models.Model):
    """One UTC day of the log that lies in cold storage. Append-only."""

    day = models.DateField(primary_key=True)
    rows = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    object_key = models.TextField()
    exported_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "audit_export_batch"

    def __str__(self) -> str:
        return f"{self.day} ({self.rows} rows)"


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
