"""A change of an order that runs: what changes, who has to say yes, and how the money gets into escrow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field
from port444.kit.states import StateMachine, known_status, meet
from port444.orders.models import Order
from port444.payments.models import Invoice

USER = settings.AUTH_USER_MODEL


class AmendmentType(models.TextChoices):
    SCOPE_CHANGE = "scope_change", _("Change of scope")
    TOP_UP = "top_up", _("Larger budget")
    OUT_OF_SCOPE_REVISION = "out_of_scope_revision", _("Extra revision")
    TIMELINE_EXTENSION = "timeline_extension", _("More time")
    ADD_DELIVERABLE = "add_deliverable", _("Extra deliverable")


class AmendmentStatus(models.TextChoices):
    PENDING = "pending", _("Waiting for an answer")
    CHANGES_REQUESTED = "changes_requested", _("Changes asked for")
    APPROVED = "approved", _("Approved, waiting for payment")
    PAID = "paid", _("Paid")
    FUNDING = "funding", _("Going into escrow")
    FUNDING_FAILED = "funding_failed", _("Escrow did not take it")
    COMPLETED = "completed", _("In force")
    REJECTED = "rejected", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    SUPERSEDED = "superseded", _("Replaced by a new version")
    EXPIRED = "expired", _("Expired")
    REFUNDED = "refunded", _("Not in force, money returned")


A = AmendmentStatus
OPEN = [A.PENDING, A.CHANGES_REQUESTED, A.APPROVED, A.PAID, A.FUNDING, A.FUNDING_FAILED]
NO_MONEY_YET = [A.PENDING, A.CHANGES_REQUESTED, A.APPROVED]  # it can be dropped without giving anything back
MOST_DAYS = 90

# What the site itself answers and asks for: kept in English, said in the language of whoever reads it.
ORDER_ENDED, IN_DISPUTE, DATE_STAYS = "The order ended", "A dispute was opened", "The date stays."
EXTRA_REVISION = "One more revision than the package has."
OURS = {
    ORDER_ENDED: _("The order ended"),
    IN_DISPUTE: _("A dispute was opened"),
    DATE_STAYS: _("The date stays."),
    EXTRA_REVISION: _("One more revision than the package has."),
}


class AmendmentQuerySet(models.QuerySet["Amendment"]):
    def with_people(self) -> AmendmentQuerySet:
        return self.select_related("order__client", "order__builder__user", "order__conversation", "requested_by", "invoice")

    def lock(self, pk: Any) -> Amendment:
        """The amendment alone is locked; lock its order before it."""
        return meet(self.with_people().select_for_update(of=("self",), no_key=True).get(pk=pk))

    def visible_to(self, user: Any) -> AmendmentQuerySet:
        return self.filter(Q(order__client=user) | Q(order__builder__user=user))

    def open(self) -> AmendmentQuerySet:
        return self.filter(status__in=OPEN)

    def unanswered(self, moment: datetime) -> AmendmentQuerySet:
        """Nobody answered in time. What is approved and not paid in time ends with its invoice."""
        return self.filter(status__in=[A.PENDING, A.CHANGES_REQUESTED], expires_at__lte=moment)


class Amendment(StateMachine):
    """One proposal to change an order, as it was written; a new version is a new row.

    `*_before` is what the order said when it was proposed, and approving checks that it still does. The client pays, whoever
    proposed. The order changes only when escrow has confirmed.
    """

    NEXT = {
        A.PENDING: frozenset({A.APPROVED, A.FUNDING, A.COMPLETED, A.CHANGES_REQUESTED, A.SUPERSEDED, A.REJECTED, A.WITHDRAWN, A.EXPIRED}),
        A.CHANGES_REQUESTED: frozenset({A.SUPERSEDED, A.REJECTED, A.WITHDRAWN, A.EXPIRED}),
        A.APPROVED: frozenset({A.PAID, A.WITHDRAWN, A.REJECTED, A.EXPIRED}),
        A.PAID: frozenset({A.FUNDING}),
        A.FUNDING: frozenset({A.COMPLETED, A.FUNDING_FAILED, A.REFUNDED}),
        A.FUNDING_FAILED: frozenset({A.FUNDING, A.COMPLETED, A.REFUNDED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="amendments")
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, related_name="replaced_by", null=True)
    version = models.PositiveSmallIntegerField(default=1)
    client_key = models.UUIDField(default=uuid7)  # pressing "propose" twice proposes once
    amendment_type = models.CharField(max_length=25, choices=AmendmentType.choices)
    status = models.CharField(max_length=20, choices=A.choices, default=A.PENDING)
    requested_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    by_builder = models.BooleanField()

    reason = models.CharField(max_length=300)
    description = models.TextField(max_length=5000, blank=True)
    additional_amount = amount_field(default=ZERO)
    client_fee = amount_field(default=ZERO)  # on top, for the client
    additional_days = models.PositiveSmallIntegerField(default=0)
    additional_revisions = models.PositiveSmallIntegerField(default=0)
    additional_deliverables = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    price_before = amount_field()
    due_before = models.DateTimeField(null=True)
    deliverables_before = models.JSONField(default=list)

    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    answer = models.CharField(max_length=1000, blank=True)  # why not, or what should be different
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="amendment", null=True)
    paid_at = models.DateTimeField(null=True)
    funding = models.CharField(max_length=120, blank=True)  # the escrow operation that puts it in force
    funding_try = models.PositiveSmallIntegerField(default=0)
    funding_failure = models.CharField(max_length=300, blank=True)
    completed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    due_after = models.DateTimeField(null=True)  # as it came into force

    objects = AmendmentQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "order_id replaces_id version amendment_type status requested_by_id by_builder reason description "
            "additional_amount client_fee additional_days additional_revisions additional_deliverables price_before "
            "due_before deliverables_before created_at expires_at answered_at answered_by_id answer invoice_id paid_at "
            "funding funding_failure completed_at closed_at due_after"
        ),
        ignored="client_key funding_try",
        amount="additional_amount",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            known_status("amendment_status_known", A),
            models.CheckConstraint(condition=Q(amendment_type__in=AmendmentType.values), name="amendment_type_known"),
            models.UniqueConstraint(fields=["order"], condition=Q(status__in=[status.value for status in OPEN]), name="amendment_one_open_an_order"),
            models.UniqueConstraint(fields=["requested_by", "client_key"], name="amendment_proposed_once"),
            models.CheckConstraint(condition=Q(additional_amount__gte=0, client_fee__gte=0), name="amendment_amounts"),
            models.CheckConstraint(condition=Q(additional_days__lte=MOST_DAYS), name="amendment_days"),
            models.CheckConstraint(
                condition=Q(additional_amount__gt=0)
                | Q(additional_days__gt=0)
                | Q(additional_revisions__gt=0)
                | ~Q(additional_deliverables=[])
                | (Q(amendment_type="scope_change") & ~Q(description="")),
                name="amendment_changes_something",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["paid", "funding", "funding_failed", "completed", "refunded"])
                | Q(additional_amount=0)
                | Q(paid_at__isnull=False, invoice__isnull=False),
                name="amendment_paid_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status="completed", completed_at__isnull=False) | (~Q(status="completed") & Q(completed_at__isnull=True)),
                name="amendment_completed_has_moment",
            ),
            models.CheckConstraint(condition=~Q(status="rejected") | ~Q(answer=""), name="amendment_rejected_with_reason"),
            models.CheckConstraint(condition=Q(replaces__isnull=True) | ~Q(replaces=F("id")), name="amendment_replaces_another"),
        ]
        indexes = [
            models.Index(fields=["order", "-created_at"], name="amendment_of_order"),
            models.Index(fields=["expires_at"], condition=Q(status__in=["pending", "changes_requested"]), name="amendment_lapsing"),
            models.Index(fields=["funding"], condition=~Q(funding=""), name="amendment_funding"),
        ]

    def __str__(self) -> str:
        return f"{self.get_amendment_type_display()} of order {self.order_id}"

    @property
    def price_after(self) -> Decimal:
        price: Decimal = self.price_before + self.additional_amount
        return price

    @property
    def total(self) -> Decimal:
        """What the client pays for it, before credits."""
        total: Decimal = self.additional_amount + self.client_fee
        return total

    @property
    def asks_for_time(self) -> bool:
        """The builder's question for more time: a yes moves the date by its days alone, and anything else leaves the date where it is."""
        return self.by_builder and self.amendment_type == AmendmentType.TIMELINE_EXTENSION

    @property
    def reason_words(self) -> str:
        return str(OURS.get(self.reason, self.reason))

    @property
    def answer_words(self) -> str:
        return str(OURS.get(self.answer, self.answer))

    @property
    def proposer(self) -> Any:
        return self.order.builder.user if self.by_builder else self.order.client

    @property
    def answerer(self) -> Any:
        """Who has to say yes."""
        return self.order.client if self.by_builder else self.order.builder.user

    def require_proposer(self, actor: Any) -> None:
        if actor.pk != self.proposer.pk:
            raise NotAllowed(gettext("Only who proposed this can do that."))

    def require_answerer(self, actor: Any) -> None:
        if actor.pk != self.answerer.pk:
            raise NotAllowed(gettext("Only the other side can answer this."))
