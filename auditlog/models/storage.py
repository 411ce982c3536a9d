"""Where the log lies: what is in cold storage, and which months have left the database."""

from __future__ import annotations

from datetime import date

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.contrib.postgres.fields.ranges import BigIntegerRangeField
from django.db import models
from django.db.models import F, Func, Q, Value

from port444.kit.clock import now
from port444.kit.ids import uuid7


class Format(models.TextChoices):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class AuditExport(models.Model):
    """The rows of consecutive seals that lie in cold storage, in one file named by one manifest. Append-only; no seal twice.

    That a row is exported is read from here, so no row is ever touched for it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    first_seal = models.BigIntegerField()
    last_seal = models.BigIntegerField()
    from_xid = models.BigIntegerField()
    through_xid = models.BigIntegerField()
    first_id = models.BigIntegerField(null=True)
    last_id = models.BigIntegerField(null=True)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    rows = models.BigIntegerField()
    store = models.TextField()  # the address of the cold storage
    data_key = models.TextField()
    data_bytes = models.BigIntegerField()
    data_sha256 = models.CharField(max_length=64)  # of the file as it lies there
    lines_sha256 = models.CharField(max_length=64)  # of what it unpacks to
    manifest_key = models.TextField()
    manifest_sha256 = models.CharField(max_length=64)
    exported_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "audit_export"
        constraints = [
            models.CheckConstraint(condition=Q(first_seal__gte=1, last_seal__gte=F("first_seal"), rows__gte=0), name="audit_export_range"),
            ExclusionConstraint(
                name="audit_export_no_seal_twice",
                expressions=[
                    (
                        Func("first_seal", "last_seal", Value("[]"), function="int8range", output_field=BigIntegerRangeField()),
                        RangeOperators.OVERLAPS,
                    )
                ],
            ),
        ]
        indexes = [models.Index(fields=["first_id", "last_id"], name="audit_export_ids")]

    def __str__(self) -> str:
        return f"seals {self.first_seal} to {self.last_seal} ({self.rows} rows)"


class MoveKind(models.TextChoices):
    DROPPED = "dropped"
    RESTORED = "restored"


class AuditMove(models.Model):
    """That a month of the log has left the database for cold storage, or was brought back for reading. Append-only; the latest
    of a month is how things are."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    month = models.DateField()
    kind = models.CharField(max_length=8, choices=MoveKind.choices)
    rows = models.BigIntegerField()
    moved_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "audit_move"
        constraints = [models.CheckConstraint(condition=Q(month__day=1), name="audit_move_first_of_month")]
        indexes = [models.Index(fields=["month", "-moved_at"], name="audit_move_latest")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.kind}"

    @classmethod
    def dropped(cls) -> list[date]:
        """The months that have left the database and were not brought back, in their order."""
        latest = cls.objects.order_by("month", "-moved_at").distinct("month")
        return [move.month for move in latest if move.kind == MoveKind.DROPPED]
