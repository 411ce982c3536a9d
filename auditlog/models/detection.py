"""What detectors are told, what they remember, and how far they have read."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from port444.kit.clock import now
from port444.kit.ids import uuid7

from .log import Category
from .watched import Watched


class DetectorVersion(models.Model):
    """Parameters of a detector. A draft is tried on what has happened (`backtest`), and then one version is active, the others not.

    Without an active version the parameters in the code hold, which are version 0.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    detector = models.CharField(max_length=30)
    number = models.PositiveIntegerField()
    parameters = models.JSONField(default=dict)  # name to number, only what differs from the code
    note = models.CharField(max_length=600, blank=True)
    made_by = models.UUIDField()
    made_at = models.DateTimeField(default=now)
    backtest = models.JSONField(default=dict)  # figures of the last one
    backtested_at = models.DateTimeField(null=True)
    activated_by = models.UUIDField(null=True)
    activated_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    audited = Watched(
        Category.SECURITY,
        kept="detector number parameters note made_by made_at backtested_at activated_by activated_at retired_at",
        ignored="backtest",
    )

    class Meta:
        db_table = "detector_version"
        constraints = [
            models.UniqueConstraint(fields=["detector", "number"], name="detector_version_number"),
            models.UniqueConstraint(
                fields=["detector"], condition=Q(activated_at__isnull=False, retired_at__isnull=True), name="detector_one_active_version"
            ),
            models.CheckConstraint(condition=Q(activated_at__isnull=True) | Q(backtested_at__isnull=False), name="detector_version_tried_first"),
            # Four eyes, whoever writes it.
            models.CheckConstraint(condition=Q(activated_by__isnull=True) | ~Q(activated_by=F("made_by")), name="detector_version_second_person"),
        ]

    def __str__(self) -> str:
        return f"{self.detector} {self.number}"


class DetectorMark(models.Model):
    """How far a run has read the log: every row up to (`xid`, `row_id`) in the order of transactions."""

    name = models.CharField(max_length=30, primary_key=True)
    xid = models.BigIntegerField(default=0)
    row_id = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)  # read so far
    looked_at = models.DateTimeField(null=True)
    took = models.FloatField(default=0)  # seconds, the last time

    class Meta:
        db_table = "detector_mark"

    def __str__(self) -> str:
        return self.name


class JsonText(models.JSONField):
    """JSON that is kept as it was written: it is read and written whole, and that takes half as long."""

    def db_type(self, connection: Any) -> str:
        return "text"


class DetectorMemory(models.Model):
    """What detectors remember, by key: a small document each, written by them alone. All of it follows from the log."""

    key = models.CharField(max_length=200, primary_key=True)
    data = JsonText()
    seen_at = models.DateTimeField()  # by week

    class Meta:
        db_table = "detector_memory"
        indexes = [models.Index(fields=["seen_at"], name="detector_memory_old")]

    def __str__(self) -> str:
        return self.key
