"""What staff did."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.orders.models import Order

from .plans import Plan

USER = settings.AUTH_USER_MODEL


class ActionType(models.TextChoices):
    IMPERSONATION = "impersonation", "Viewed as a person"
    THREAD_OPENED = "thread_opened", "Opened a private conversation"
    ORDER_MERGE = "order_merge", "Merged orders"
    ORDER_SPLIT = "order_split", "Split an order"
    ORDER_UNDO = "order_undo", "Undid a merge or a split"
    CREDIT_ISSUE = "credit_issue", "Issued a credit"
    CREDIT_VOID = "credit_void", "Voided a credit"
    REFUND_MANUAL = "refund_manual", "Refunded"
    DISPUTE_DECIDE = "dispute_decide", "Decided a dispute"
    DISPUTE_ASK = "dispute_ask", "Wrote to the sides of a dispute"
    DISPUTE_FILE = "dispute_file", "Opened a file of a dispute"
    USER_SUSPEND = "user_suspend", "Suspended an account"
    USER_REINSTATE = "user_reinstate", "Reinstated an account"
    PAYOUTS_HOLD = "payouts_hold", "Held withdrawals"
    PAYOUTS_RELEASE = "payouts_release", "Ended a hold"
    APPROVAL = "approval", "Approved or rejected a plan"
    EXPORT = "export", "Took data away as a file"
    MACRO = "macro", "Ran a macro"
    PAYOUT = "payout", "Handled a payout"
    ESCROW = "escrow", "Handled an escrow operation"
    ABSENCE = "absence_decide", "Decided a missed call"
    REMINDER = "reminder", "Sent or stopped reminders"
    INCIDENT = "incident", "Worked on an incident"
    INCIDENT_DECIDE = "incident_decide", "Decided an incident"
    WARNING = "user_warn", "Warned a person"
    DETECTOR = "detector_change", "Changed a detector"


class SupportAction(models.Model):
    """One act of a member of staff, written once and never changed, in the transaction of the act.

    The names and addresses of people are those of then. What an act of a kind has besides is answered from its own row: a viewing from
    `viewing`, money from `plan`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("support_action_number"), function="nextval"))
    action_type = models.CharField(max_length=16, choices=ActionType.choices)
    admin = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    admin_email = models.EmailField()
    target_user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="support_actions", null=True)
    target_user_email = models.EmailField(blank=True)
    target_user_type = models.CharField(max_length=7, blank=True)  # client, builder, both
    description = models.CharField(max_length=300)
    reason = models.CharField(max_length=600, blank=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="support_actions", null=True)
    related_orders = ArrayField(models.UUIDField(), default=list)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="actions", null=True)
    amount = amount_field(null=True)
    requires_approval = models.BooleanField(default=False)
    approved_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    approved_at = models.DateTimeField(null=True)
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=512, blank=True)
    request_id = models.UUIDField(null=True)
    success = models.BooleanField(default=True)
    error_message = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)

    audited = Watched(
        Category.ADMINISTRATIVE,
        kept=(
            "number action_type admin_id target_user_id target_user_type description reason order_id related_orders plan_id amount requires_approval "
            "approved_by_id approved_at request_id success error_message created_at"
        ),
        personal="admin_email target_user_email ip_address user_agent",
        amount="amount",
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=Q(action_type__in=ActionType.values), name="support_action_type_known"),
            models.CheckConstraint(
                condition=Q(success=True, error_message="") | (Q(success=False) & ~Q(error_message="")), name="support_action_outcome"
            ),
            models.CheckConstraint(
                condition=Q(requires_approval=False) | Q(success=False) | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="support_action_approved",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-number"], name="support_action_newest"),
            models.Index(fields=["target_user", "-number"], name="support_action_about"),
            models.Index(fields=["admin", "-number"], name="support_action_by"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_type_display()} by {self.admin_email}"
