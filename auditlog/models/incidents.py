"""What looks wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status, meet

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
    PAYOUTS_HELD = "payouts_held", "Withdrawals held"
    ACCOUNT_SUSPENDED = "account_suspended"
    WARNING_ISSUED = "warning_issued"
    NO_ACTION = "no_action"


class Verdict(models.TextChoices):
    """What whoever decided found."""

    CONFIRMED = "confirmed"
    INCONCLUSIVE = "inconclusive"
    HOUSEHOLD = "household", "Same household"
    TEAM = "team", "Registered team"
    HARMLESS = "harmless", "Harmless for another reason"


LIVE = [IncidentStatus.OPEN, IncidentStatus.INVESTIGATING]
RANK = {severity: rank for rank, severity in enumerate(IncidentSeverity)}
# Until when somebody should have decided.
DUE = {
    IncidentSeverity.LOW: timedelta(days=7),
    IncidentSeverity.MEDIUM: timedelta(days=3),
    IncidentSeverity.HIGH: timedelta(days=1),
    IncidentSeverity.CRITICAL: timedelta(hours=4),
}


class ArrayOf(Func):
    """An array of one value."""

    template = "ARRAY[%(expressions)s]"
    output_field = ArrayField(models.UUIDField())


def _another(field: str) -> Q:
    """Whoever stands in `field` is not one of those whom the incident is about."""
    return Q(**{f"{field}__isnull": True}) | ((Q(user_id__isnull=True) | ~Q(**{field: F("user_id")})) & ~Q(related_users__contains=ArrayOf(F(field))))


class IncidentQuerySet(models.QuerySet["IncidentLog"]):
    def live(self) -> IncidentQuerySet:
        return self.filter(status__in=LIVE)

    def worth_a_look(self) -> IncidentQuerySet:
        """Live, and more than a weak signal."""
        return self.live().exclude(severity=IncidentSeverity.LOW)

    def weak(self) -> IncidentQuerySet:
        return self.live().filter(severity=IncidentSeverity.LOW)

    def lock(self, pk: Any) -> IncidentLog:
        return meet(self.select_for_update(of=("self",), no_key=True).get(pk=pk))

    def visible_to(self, user: Any) -> IncidentQuerySet:
        """All but what is about whoever looks: nobody sees or decides their own case."""
        return self.exclude(user_id=user.pk, user_id__isnull=False).exclude(related_users__contains=[user.pk])


class IncidentLog(StateMachine):
    """Something that a person should look at. At most one live row for a fingerprint; what is found again raises its `hits`.

    `pattern` is the rule that found it, `reasons` say in points what its confidence comes from, `evidence` what its page draws.
    What was merged into another or found again after it was closed points there (`merged_into`, `previous`).
    """

    NEXT = {
        IncidentStatus.OPEN: frozenset({IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE}),
        IncidentStatus.INVESTIGATING: frozenset({IncidentStatus.RESOLVED, IncidentStatus.FALSE_POSITIVE, IncidentStatus.OPEN}),
        IncidentStatus.RESOLVED: frozenset({IncidentStatus.INVESTIGATING}),
        IncidentStatus.FALSE_POSITIVE: frozenset({IncidentStatus.INVESTIGATING}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("incident_number"), function="nextval"))
    fingerprint = models.CharField(max_length=200)
    incident_type = models.CharField(max_length=30, choices=IncidentType.choices)
    severity = models.CharField(max_length=10, choices=IncidentSeverity.choices)
    status = models.CharField(max_length=20, choices=IncidentStatus.choices, default=IncidentStatus.OPEN)
    detection_method = models.CharField(max_length=12, choices=DetectionMethod.choices)
    detector = models.CharField(max_length=30, blank=True)  # empty when no detector found it
    detector_version = models.PositiveIntegerField(default=0)  # 0: the parameters that stand in the code
    detected_at = models.DateTimeField(default=now)
    hits = models.PositiveIntegerField(default=1)
    last_hit_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(default=now)
    user_id = models.UUIDField(null=True)
    related_users = ArrayField(models.UUIDField(), default=list)
    description = models.TextField()
    reasons = models.JSONField(default=list)  # of {"points", "text", "fact", "link"}
    evidence = models.JSONField(default=dict)
    withdrawal_id = models.UUIDField(null=True)
    group = models.CharField(max_length=100, blank=True)  # shown together in the queue, e.g. all of one builder's day
    previous = models.ForeignKey("self", on_delete=models.PROTECT, related_name="later", null=True)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, related_name="merged", null=True)
    ip_addresses = ArrayField(models.GenericIPAddressField(), default=list)
    device_fingerprints = ArrayField(models.UUIDField(), default=list)
    pattern = models.CharField(max_length=100, blank=True)
    confidence = models.PositiveSmallIntegerField()
    potential_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    actual_loss = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    assigned_to = models.UUIDField(null=True)
    investigation_notes = models.TextField(blank=True)
    investigated_at = models.DateTimeField(null=True)
    closing_asked_by = models.UUIDField(null=True)  # wants to close it in a way that a second person has to agree to
    approved_by = models.UUIDField(null=True)  # that second person
    resolved_by = models.UUIDField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)
    action_taken = models.CharField(max_length=20, choices=ActionTaken.choices, blank=True)
    verdict = models.CharField(max_length=20, choices=Verdict.choices, blank=True)
    alert_sent = models.BooleanField(default=False)
    alert_sent_at = models.DateTimeField(null=True)
    alerted_admins = ArrayField(models.UUIDField(), default=list)
    hold_wanted_at = models.DateTimeField(null=True)  # withdrawals are to be held, and a job has not done it yet
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    objects = IncidentQuerySet.as_manager()

    audited = Watched(
        Category.SECURITY,
        kept=(
            "fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss "
            "actual_loss assigned_to investigation_notes investigated_at resolved_by resolved_at resolution action_taken "
            "created_at number detector detector_version due_at withdrawal_id previous_id merged_into_id verdict closing_asked_by approved_by"
        ),
        ignored=(
            "evidence reasons confidence description related_users ip_addresses device_fingerprints group hits last_hit_at "
            "alert_sent alert_sent_at alerted_admins hold_wanted_at updated_at"
        ),
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
            # Nobody takes or decides what is about themselves, whoever writes it.
            models.CheckConstraint(condition=_another("assigned_to"), name="incident_taken_by_another"),
            models.CheckConstraint(condition=_another("resolved_by"), name="incident_decided_by_another"),
            models.CheckConstraint(condition=_another("closing_asked_by"), name="incident_asked_by_another"),
            models.CheckConstraint(condition=_another("approved_by"), name="incident_approved_by_another"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | (Q(resolved_by__isnull=False) & ~Q(approved_by=F("resolved_by"))),
                name="incident_second_person",
            ),
            models.CheckConstraint(condition=Q(verdict__in=["", *Verdict.values]), name="incident_verdict_known"),
            models.CheckConstraint(condition=Q(merged_into__isnull=True) | Q(status="resolved"), name="incident_merged_is_closed"),
        ]
        indexes = [
            models.Index(fields=["-detected_at"], condition=Q(status__in=LIVE), name="incident_live"),
            models.Index(fields=["due_at", "number"], condition=Q(status__in=LIVE), name="incident_due"),
            # Read on every page of the console: thousands of weak signals are not to be read for the few that are more.
            models.Index(fields=["due_at", "number"], condition=Q(status__in=LIVE) & ~Q(severity="low"), name="incident_worth_a_look"),
            models.Index(fields=["assigned_to"], condition=Q(status__in=LIVE, assigned_to__isnull=False), name="incident_taken"),
            models.Index(fields=["detector", "-resolved_at"], condition=Q(resolved_at__isnull=False), name="incident_precision"),
            models.Index(fields=["-resolved_at", "-number"], condition=Q(resolved_at__isnull=False), name="incident_closed"),
            models.Index(fields=["fingerprint", "-number"], name="incident_of_fingerprint"),
            models.Index(fields=["user_id", "-detected_at"], condition=Q(user_id__isnull=False), name="incident_of_user"),
            GinIndex(fields=["related_users"], name="incident_related"),
            models.Index(fields=["due_at", "number"], condition=Q(closing_asked_by__isnull=False), name="incident_closing_asked"),
            models.Index(fields=["hold_wanted_at"], condition=Q(hold_wanted_at__isnull=False), name="incident_hold_wanted"),
        ]

    def __str__(self) -> str:
        return f"I-{self.number}"

    @property
    def people(self) -> list[UUID]:
        """Everybody whom it is about, whoever stands first being first."""
        return [*([self.user_id] if self.user_id else []), *(one for one in self.related_users if one != self.user_id)]


class EventKind(models.TextChoices):
    OPENED = "opened"
    REPEATED = "repeated"
    RAISED = "raised"
    ALERTED = "alerted"
    HELD = "held", "Withdrawals held"
    FREED = "freed", "Hold ended"
    TAKEN = "taken"
    ASSIGNED = "assigned"
    LEFT = "left", "Put back"
    NOTED = "noted", "Note"
    CHECKED = "checked", "Looked into"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"
    REOPENED = "reopened"
    MERGED = "merged"
    ACTED = "acted"
    ASKED = "asked", "Asked for a second person"
    AGREED = "agreed"
    DECLINED = "declined"


class IncidentEvent(models.Model):
    """What happened to an incident. Written once. `actor_id` is empty for what the platform did by itself."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    incident = models.ForeignKey(IncidentLog, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=20, choices=EventKind.choices)
    actor_id = models.UUIDField(null=True)
    text = models.CharField(max_length=2000, blank=True)
    facts = models.JSONField(default=dict)
    at = models.DateTimeField(default=now)

    class Meta:
        db_table = "incident_event"
        verbose_name = "event of an incident"
        constraints = [models.CheckConstraint(condition=Q(kind__in=EventKind.values), name="incident_event_kind_known")]
        indexes = [models.Index(fields=["incident", "id"], name="incident_event_newest")]

    def __str__(self) -> str:
        return f"{self.incident}: {self.get_kind_display()}"


class Suppression(models.Model):
    """What was looked at and found harmless stays quiet until `expires_at`, as long as the facts stay within `ceiling`.

    The ceiling says what was accepted: `people` (nobody else), `kinds` of links (no other), `amount` (twice as much at most),
    each only when it stands there. What is kept quiet is counted in `hits`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    fingerprint = models.CharField(max_length=200)
    detector = models.CharField(max_length=30, blank=True)
    incident = models.ForeignKey(IncidentLog, on_delete=models.PROTECT, related_name="suppressions")
    reason = models.CharField(max_length=600)
    ceiling = models.JSONField(default=dict)
    made_by = models.UUIDField()
    made_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.UUIDField(null=True)
    hits = models.PositiveIntegerField(default=0)
    last_hit_at = models.DateTimeField(null=True)

    audited = Watched(
        Category.SECURITY,
        kept="fingerprint detector incident_id reason ceiling made_by made_at expires_at ended_at ended_by",
        ignored="hits last_hit_at",
    )

    class Meta:
        db_table = "incident_suppression"
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="suppression_has_reason"),
            models.CheckConstraint(condition=Q(expires_at__lte=F("made_at") + timedelta(days=181)), name="suppression_ends"),
            models.UniqueConstraint(fields=["fingerprint"], condition=Q(ended_at__isnull=True), name="suppression_one_standing"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(ended_at__isnull=True), name="suppression_standing")]

    def __str__(self) -> str:
        return self.fingerprint


class Channel(models.TextChoices):
    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class IncidentAlert(models.Model):
    """Somebody is to be told of an incident: written with what it tells of, sent afterwards, tried again until `sent_at` or `given_up_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    incident = models.ForeignKey(IncidentLog, on_delete=models.PROTECT, related_name="alerts")
    event = models.ForeignKey(IncidentEvent, on_delete=models.PROTECT, related_name="alerts")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    created_at = models.DateTimeField(default=now)
    next_try_at = models.DateTimeField(default=now)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "incident_alert"
        verbose_name = "alert"
        constraints = [
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="incident_alert_channel_known"),
            models.UniqueConstraint(fields=["event", "channel"], name="incident_alert_once"),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=Q(sent_at__isnull=True, given_up_at__isnull=True), name="incident_alert_due")]

    def __str__(self) -> str:
        return f"{self.incident} by {self.channel}"
