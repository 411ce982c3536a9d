"""Disputes: the two sides of an order do not agree, and staff decide when they cannot settle it themselves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.kit.states import StateMachine, known_status, meet
from port444.messaging.models import Attachment

from .orders import WORKING, Order, OrderStatus

USER = settings.AUTH_USER_MODEL


class DisputeReason(models.TextChoices):
    NOT_DELIVERED = "not_delivered", _("Nothing was delivered")
    NOT_AS_AGREED = "not_as_agreed", _("Not as agreed")
    LATE = "late", _("Late")
    NO_ANSWER = "no_answer", _("No answer from the other side")
    UNFAIR_CHANGES = "unfair_changes", _("Asks for more than was agreed")
    OTHER = "other", _("Something else")


class DisputeStatus(models.TextChoices):
    OPEN = "open", _("Waiting for an answer")
    ANSWERED = "answered", _("Answered")
    ESCALATED = "escalated", _("With support")
    SETTLED = "settled", _("Settled by both sides")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    DECIDED = "decided", _("Decided by support")


S = DisputeStatus
LIVE = [S.OPEN, S.ANSWERED, S.ESCALATED]
DISPUTABLE = [*WORKING, OrderStatus.DELIVERED]  # before the work begins either side may simply cancel
R = DisputeReason
REASONS_OF_CLIENT = (R.NOT_DELIVERED, R.NOT_AS_AGREED, R.LATE, R.NO_ANSWER, R.OTHER)
REASONS_OF_BUILDER = (R.NO_ANSWER, R.UNFAIR_CHANGES, R.OTHER)


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def lock(self, pk: Any) -> Dispute:
        return meet(self.select_related("order__client", "order__builder__user", "opened_by").select_for_update(of=("self",), no_key=True).get(pk=pk))

    def live(self) -> DisputeQuerySet:
        return self.filter(status__in=LIVE)

    def visible_to(self, user: Any) -> DisputeQuerySet:
        return self.filter(Q(order__client=user) | Q(order__builder__user=user))

    def with_people(self) -> DisputeQuerySet:
        return self.select_related("order__client", "order__builder__user", "order__conversation", "opened_by")

    def overdue(self, moment: datetime) -> DisputeQuerySet:
        """The time to answer, or to settle, has passed: support decides."""
        return self.filter(Q(status=S.OPEN, answer_until__lte=moment) | Q(status=S.ANSWERED, settle_until__lte=moment))


class Dispute(StateMachine):
    """One side's claim about an order. While it is live the escrow of the order is on hold and its clock stands.

    `to_client` is what of the money in escrow the claimant wants to go back to the client, `offer` what the other side would give. Of one
    that neither side answers or settles in time staff decide.
    """

    called = _("dispute")
    NEXT = {
        S.OPEN: frozenset({S.ANSWERED, S.ESCALATED, S.SETTLED, S.WITHDRAWN, S.DECIDED}),
        S.ANSWERED: frozenset({S.ESCALATED, S.SETTLED, S.WITHDRAWN, S.DECIDED}),
        S.ESCALATED: frozenset({S.SETTLED, S.WITHDRAWN, S.DECIDED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("dispute_number"), function="nextval"))
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="disputes")
    opened_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    by_client = models.BooleanField()
    client_key = models.UUIDField(default=uuid7)  # of the form, so that pressing twice opens one
    reason = models.CharField(max_length=15, choices=DisputeReason.choices)
    claim = models.TextField(max_length=5000)
    status = models.CharField(max_length=10, choices=S.choices, default=S.OPEN)
    amount = amount_field()  # in escrow when it was opened
    to_client = amount_field()  # of that, what the claimant wants to go back to the client
    answer = models.TextField(max_length=5000, blank=True)
    offer = amount_field(null=True)  # what the other side would let go back to the client
    opened_at = models.DateTimeField(default=now)
    answer_until = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    settle_until = models.DateTimeField(null=True)  # after which an answered one goes to support by itself
    escalated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    decided_to_client = amount_field(null=True)  # what went back to the client in the end; the rest went to the builder
    decision = models.TextField(max_length=5000, blank=True)  # what both sides read
    decided_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)

    objects = DisputeQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept=(
            "number order_id opened_by_id by_client reason status amount to_client offer opened_at answer_until answered_at settle_until "
            "escalated_at closed_at decided_to_client decided_by_id"
        ),
        personal="claim answer decision",
        ignored="client_key",
        amount="amount",
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            known_status("dispute_status_known", S),
            models.CheckConstraint(condition=Q(amount__gt=0, to_client__gte=0, to_client__lte=F("amount")), name="dispute_claim_within_amount"),
            models.CheckConstraint(condition=Q(offer__isnull=True) | Q(offer__gte=0, offer__lte=F("amount")), name="dispute_offer_within_amount"),
            models.CheckConstraint(
                condition=Q(decided_to_client__isnull=True) | Q(decided_to_client__gte=0, decided_to_client__lte=F("amount")),
                name="dispute_decision_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(status__in=LIVE, closed_at__isnull=True) | (~Q(status__in=LIVE) & Q(closed_at__isnull=False)),
                name="dispute_closed_has_moment",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["decided", "settled"]) | Q(decided_to_client__isnull=False), name="dispute_decided_has_figures"
            ),
            models.CheckConstraint(
                condition=~Q(status="decided") | (Q(decided_by__isnull=False) & ~Q(decision="")), name="dispute_decided_has_words"
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(status__in=LIVE), name="dispute_one_live"),
            models.UniqueConstraint(fields=["order", "client_key"], name="dispute_opened_once"),
        ]
        indexes = [
            models.Index(fields=["answer_until"], condition=Q(status="open"), name="dispute_unanswered"),
            models.Index(fields=["settle_until"], condition=Q(status="answered"), name="dispute_unsettled"),
            models.Index(fields=["escalated_at", "number"], condition=Q(status="escalated"), name="dispute_with_support"),
        ]

    def __str__(self) -> str:
        return f"D-{self.number}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_answered(self) -> bool:
        return self.answered_at is not None

    def is_claimant(self, user: Any) -> bool:
        return bool(user.pk == self.opened_by_id)

    def figure_of(self, user: Any) -> Decimal | None:
        """What `user` would let go back to the client; None before they have said."""
        figure: Decimal | None = self.to_client if self.is_claimant(user) else self.offer
        return figure

    def figure_against(self, user: Any) -> Decimal | None:
        """What the other side of `user` would let go back to the client: what `user` may take up."""
        figure: Decimal | None = self.offer if self.is_claimant(user) else self.to_client
        return figure

    @property
    def until(self) -> datetime | None:
        """When it goes to support by itself."""
        return {S.OPEN: self.answer_until, S.ANSWERED: self.settle_until}.get(S(self.status))

    @property
    def other_side(self) -> Any:
        """The person who answers."""
        return self.order.builder.user if self.by_client else self.order.client

    def require_party(self, actor: Any) -> None:
        if actor.pk not in (self.order.client_id, self.order.builder.user_id):
            raise NotAllowed(gettext("Only the two sides of this order can do that."))


class Evidence(models.Model):
    """What one side, or support, adds to a dispute: words and files. Written once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="evidence")
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=5000)
    files = models.ManyToManyField(Attachment, related_name="+")
    added_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["added_at", "id"]
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"Evidence in {self.dispute_id}"
