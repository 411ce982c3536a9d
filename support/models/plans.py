"""Plans: what staff want to do with money or rights, worked out before it is done, and approved by a second person where it matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field
from port444.kit.states import StateMachine, known_status
from port444.orders.models import Dispute, Order

USER = settings.AUTH_USER_MODEL
STANDS = timedelta(hours=72)  # for which a request waits for its second person


class PlanKind(models.TextChoices):
    CREDIT = "credit_issue", "Issue a credit"
    CREDIT_VOID = "credit_void", "Void a credit"
    REFUND = "refund_manual", "Refund"
    MERGE = "order_merge", "Merge orders"
    SPLIT = "order_split", "Split an order"
    UNDO = "order_undo", "Undo a merge or a split"
    DISPUTE = "dispute_decide", "Decide a dispute"
    SUSPEND = "user_suspend", "Suspend an account"
    REINSTATE = "user_reinstate", "Reinstate an account"
    HOLD = "payouts_hold", "Hold withdrawals"
    MACRO = "macro", "Macro"


class PlanStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    REQUESTED = "requested", "Waiting for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXECUTED = "executed", "Executed"
    FAILED = "failed", "Could not be executed"


S = PlanStatus
LIVE = [S.REQUESTED, S.APPROVED]


class PlanQuerySet(models.QuerySet["Plan"]):
    def lock(self, pk: Any) -> Plan:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def waiting(self) -> PlanQuerySet:
        return self.filter(status=S.REQUESTED)

    def visible_to(self, user: Any) -> PlanQuerySet:
        """A draft is its author's until it is asked for."""
        return self.filter(~Q(status=S.DRAFT) | Q(requester=user))

    def with_people(self) -> PlanQuerySet:
        return self.select_related("requester", "approver", "target_user", "order", "other_order", "dispute")

    def overdue(self, moment: datetime) -> PlanQuerySet:
        return self.filter(status__in=LIVE, expires_at__lte=moment)


class Plan(StateMachine):
    """One thing that a member of staff wants to do. `asked` is what they typed, `figures` what it comes to, worked out by the kind.

    A draft may be thrown away and its figures are worked out anew each time it is looked at. They are frozen when it is requested: the
    second person approves just these, and when they come to something else at its execution, it goes back to the requester as a draft.
    What needs no second person goes from a draft to executed at once.
    """

    NEXT = {
        S.DRAFT: frozenset({S.REQUESTED, S.EXECUTED, S.WITHDRAWN, S.EXPIRED}),
        S.REQUESTED: frozenset({S.APPROVED, S.REJECTED, S.EXPIRED, S.WITHDRAWN}),
        S.APPROVED: frozenset({S.EXECUTED, S.FAILED, S.DRAFT, S.EXPIRED, S.WITHDRAWN}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("support_plan_number"), function="nextval"))
    kind = models.CharField(max_length=16, choices=PlanKind.choices)
    status = models.CharField(max_length=10, choices=S.choices, default=S.DRAFT)
    requester = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    target_user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="support_plans", null=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="support_plans", null=True)
    other_order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+", null=True)  # the second one of a merge
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="plans", null=True)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, related_name="undone_by", null=True)
    asked = models.JSONField(default=dict)
    reason = models.CharField(max_length=600)
    figures = models.JSONField(default=dict)
    figures_sha256 = models.CharField(max_length=64, blank=True)
    amount = amount_field(default=ZERO)  # of money that it gives away or moves, for the limits
    needs_approval = models.BooleanField(default=True)
    why_approval = models.CharField(max_length=200, blank=True)
    result = models.JSONField(default=dict)  # ids of what was made, and what an undo has to know
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    requested_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    approver = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)  # or who rejected it
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=600, blank=True)
    executed_at = models.DateTimeField(null=True)

    objects = PlanQuerySet.as_manager()

    audited = Watched(
        Category.ADMINISTRATIVE,
        kept=(
            "number kind status requester_id target_user_id order_id other_order_id dispute_id undoes_id asked reason figures figures_sha256 amount "
            "needs_approval why_approval result error created_at requested_at expires_at approver_id decided_at decision_note executed_at"
        ),
        amount="amount",
    )

    class Meta:
        ordering = ["-number"]
        default_permissions = ()
        permissions = [
            ("see_people", "See people, their orders and their money"),
            ("open_threads", "Open private conversations, with a reason"),
            ("view_as", "Look at the site through somebody's eyes"),
            ("issue_credits", "Issue and void credits"),
            ("refund", "Refund"),
            ("merge_orders", "Merge and split orders"),
            ("decide_disputes", "Decide disputes"),
            ("restrict", "Suspend accounts and hold withdrawals"),
            ("approve", "Approve what another member of staff asked for"),
            ("see_incidents", "See incidents"),
            ("work_incidents", "Work on incidents, and change how they are found"),
            ("read_audit", "Read the audit log"),
            ("export_data", "Take data away as a file"),
            ("edit_words", "Change what words of the search mean"),
        ]
        constraints = [
            known_status("plan_status_known", S),
            models.CheckConstraint(condition=Q(kind__in=PlanKind.values), name="plan_kind_known"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="plan_amount"),
            models.CheckConstraint(condition=~Q(reason=""), name="plan_has_reason"),
            # Four eyes, whoever writes it: nobody approves what they asked for, or what is about them.
            models.CheckConstraint(condition=Q(approver__isnull=True) | ~Q(approver=F("requester")), name="plan_second_person"),
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | Q(target_user__isnull=True) | ~Q(approver=F("target_user")), name="plan_approver_no_party"
            ),
            models.CheckConstraint(condition=Q(target_user__isnull=True) | ~Q(requester=F("target_user")), name="plan_not_for_oneself"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "withdrawn", "expired"])
                | (Q(requested_at__isnull=False, expires_at__isnull=False) & ~Q(figures_sha256=""))
                | Q(status="executed", needs_approval=False),
                name="plan_requested_has_figures",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "rejected", "failed"]) | Q(approver__isnull=False, decided_at__isnull=False),
                name="plan_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status="executed") | Q(needs_approval=False) | Q(approver__isnull=False, decided_at__isnull=False),
                name="plan_executed_was_approved",
            ),
            models.CheckConstraint(
                condition=Q(status="executed", executed_at__isnull=False) | (~Q(status="executed") & Q(executed_at__isnull=True)),
                name="plan_executed_has_moment",
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(status__in=LIVE), name="plan_one_live_for_order"),
            models.UniqueConstraint(fields=["undoes"], condition=Q(status__in=[*LIVE, S.EXECUTED]), name="plan_undone_once"),
            models.UniqueConstraint(fields=["other_order"], condition=Q(status__in=LIVE), name="plan_one_live_for_other_order"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(status__in=LIVE), name="plan_live"),
            models.Index(fields=["target_user", "-number"], name="plan_about_user"),
            models.Index(fields=["requester", "kind", "-created_at"], name="plan_of_requester"),
        ]

    def __str__(self) -> str:
        return f"A-{self.number}"
