"""What proves that the log is as it was: seals, their leaves, where they were sent, and when all of it was last looked through."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from port444.kit.clock import now
from port444.kit.ids import uuid7


class AuditSeal(models.Model):
    """A signed statement over the rows between two places of the log, chained to the seal before. Append-only.

    It covers every row whose (`xid`, `id`) is greater than (`from_xid`, `from_id`) and not greater than (`through_xid`,
    `through_id`). `body` is what is hashed and signed, to the letter; the other columns repeat it for queries. An epoch is a
    stretch in which transaction ids count on: a dump that is restored into another cluster begins a new one, whose rows have
    ids above `floor_id`.
    """

    seq = models.BigIntegerField(primary_key=True)
    epoch = models.IntegerField()
    floor_id = models.BigIntegerField()
    from_xid = models.BigIntegerField()
    from_id = models.BigIntegerField()
    through_xid = models.BigIntegerField()
    through_id = models.BigIntegerField()
    next_xid = models.BigIntegerField()  # no transaction had this id yet when it was sealed
    rows = models.IntegerField()
    first_id = models.BigIntegerField(null=True)
    last_id = models.BigIntegerField(null=True)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    root = models.BinaryField()
    prev_hash = models.BinaryField()
    body = models.TextField()
    hash = models.BinaryField(unique=True)
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField()
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "audit_seal"
        constraints = [
            models.CheckConstraint(condition=Q(seq__gte=1, rows__gte=0), name="audit_seal_counts"),
            models.CheckConstraint(
                condition=Q(rows=0, first_id=None, last_id=None, first_at=None, last_at=None)
                | Q(rows__gt=0, first_id__isnull=False, last_id__isnull=False, first_at__isnull=False, last_at__isnull=False),
                name="audit_seal_rows_have_range",
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.seq} ({self.rows} rows)"


class AuditLeaves(models.Model):
    """The leaves of a seal, 40 bytes each: the row's id (8, big endian) and its leaf hash (32). They name the row that is wrong;
    whether anything is wrong, the seal's root tells without them. Append-only."""

    seal = models.OneToOneField(AuditSeal, on_delete=models.PROTECT, primary_key=True, related_name="leaves")
    leaves = models.BinaryField()

    class Meta:
        db_table = "audit_leaves"

    def __str__(self) -> str:
        return f"leaves of seal {self.pk}"


class AuditAnchor(models.Model):
    """That a seal lies outside the database, where, and since when. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    seal = models.ForeignKey(AuditSeal, on_delete=models.PROTECT, related_name="anchors")
    place = models.CharField(max_length=20)  # cold, chain
    reference = models.TextField()
    anchored_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "audit_anchor"
        constraints = [models.UniqueConstraint(fields=["seal", "place"], name="audit_anchor_once")]

    def __str__(self) -> str:
        return f"seal {self.seal_id} in {self.place}"


class CheckKind(models.TextChoices):
    RECENT = "recent", "the last day"
    HISTORY = "history", "a part of the history"
    FULL = "full", "all of it"
    ACTIONS = "actions", "changes past the actions"


class AuditCheck(models.Model):
    """That somebody looked whether the log is as it was, and what they found. Append-only; counts only when it is signed (`marks`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=7, choices=CheckKind.choices)
    first_seal = models.BigIntegerField()
    last_seal = models.BigIntegerField()
    seals = models.BigIntegerField()
    rows = models.BigIntegerField()
    ok = models.BooleanField()
    problems = models.JSONField(default=list)
    milliseconds = models.BigIntegerField()
    checked_at = models.DateTimeField(default=now)
    key_id = models.CharField(max_length=16, default="")
    signature = models.BinaryField(default=b"")

    class Meta:
        db_table = "audit_check"
        indexes = [models.Index(fields=["kind", "-checked_at"], name="audit_check_latest")]

    def __str__(self) -> str:
        return f"{self.kind} check at {self.checked_at:%Y-%m-%d %H:%M}"
