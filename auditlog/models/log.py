"""What happened, for ever."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from .proof import AuditSeal
from .storage import AuditExport


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
    UNKNOWN = "unknown"  # the row witness saw a change that nobody has put a name to


ROW = "row."  # begins the event types of the row witness


class Exact(json.JSONDecoder):
    """Reads numbers with a point as they were written: money is no binary fraction, and 60.00 is not 60.0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


class AuditLogQuerySet(models.QuerySet["AuditLog"]):
    def events(self) -> AuditLogQuerySet:
        """What was recorded, without what the row witness saw beside it."""
        return self.exclude(event_type__startswith=ROW)

    def with_export(self) -> AuditLogQuerySet:
        """Add `exported_to_cold_storage` and `exported_at`, derived: a row is exported when its place in the log is."""
        # A transaction with very many rows can lie in two seals, the last of one file and the first of the next.
        last_seal = AuditSeal.objects.filter(seq=OuterRef("last_seal"))
        export = AuditExport.objects.annotate(through_id=Subquery(last_seal.values("through_id"))).filter(
            Q(through_xid__gt=OuterRef("xid")) | Q(through_id__gte=OuterRef("pk")) | Q(through_id=None),
            through_xid__gte=OuterRef("xid"),
            first_id__lte=OuterRef("pk"),
            last_id__gte=OuterRef("pk"),
            from_xid__lte=OuterRef("xid"),
        )
        return self.annotate(exported_to_cold_storage=Exists(export), exported_at=Subquery(export.values("exported_at")[:1]))


class AuditLog(models.Model):
    """One fact. Written by the database's own functions only (`record`, and the row witness), which refuses to change or remove it.

    The table is partitioned by month and made by SQL in the migrations. `id` is the order of allocation; (`xid`, `id`) is the
    order in which transactions can be read to the end, in which rows are sealed and exported.
    """

    id = models.BigIntegerField(primary_key=True)
    timestamp = models.DateTimeField()
    xid = models.BigIntegerField()  # of the transaction, as the cluster counts them
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
    before_state = models.JSONField(null=True, decoder=Exact)
    after_state = models.JSONField(null=True, decoder=Exact)
    metadata = models.JSONField(decoder=Exact)
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
