"""Ending an order by agreement: one side says how the money in escrow is divided, and the other agrees or not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import amount_field
from port444.kit.states import StateMachine, known_status, meet

from .orders import Order

USER = settings.AUTH_USER_MODEL


class PartingStatus(models.TextChoices):
    OPEN = "open", _("Waiting for an answer")
    ACCEPTED = "accepted", _("Agreed")
    DECLINED = "declined", _("Declined")
    COUNTERED = "countered", _("Answered with another division")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    LAPSED = "lapsed", _("Lapsed")


S = PartingStatus


class PartingQuerySet(models.QuerySet["Parting"]):
    def lock(self, pk: Any) -> Parting:
        """The row alone is locked; lock its order before it."""
        return meet(self.select_for_update(of=("self",), no_key=True).get(pk=pk))

    def visible_to(self, user: Any) -> PartingQuerySet:
        return self.filter(Q(order__client=user) | Q(order__builder__user=user))

    def with_people(self) -> PartingQuerySet:
        return self.select_related("order__client", "order__builder__user", "order__conversation", "proposed_by")

    def open(self) -> PartingQuerySet:
        return self.filter(status=S.OPEN)

    def unanswered(self, moment: datetime) -> PartingQuerySet:
        return self.filter(status=S.OPEN, expires_at__lte=moment)


class Parting(StateMachine):
    """A proposal to end a running order. Of the `amount` in escrow `to_client` would go back, and the rest to the builder.

    It is as it was written: another division is another row. The clock of the order runs on meanwhile.
    """

    called = _("parting")
    NEXT = {S.OPEN: frozenset({S.ACCEPTED, S.DECLINED, S.COUNTERED, S.WITHDRAWN, S.LAPSED})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="partings")
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, related_name="replaced_by", null=True)
    proposed_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    by_client = models.BooleanField()
    client_key = models.UUIDField(default=uuid7)  # pressing "send" twice proposes once
    status = models.CharField(max_length=10, choices=S.choices, default=S.OPEN)
    amount = amount_field()  # in escrow when it was proposed
    to_client = amount_field()
    reason = models.CharField(max_length=1000)
    answer = models.CharField(max_length=1000, blank=True)  # why not
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = PartingQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept="order_id replaces_id proposed_by_id by_client status amount to_client created_at expires_at closed_at",
        personal="reason answer",
        ignored="client_key",
        amount="amount",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            known_status("parting_status_known", S),
            models.CheckConstraint(condition=Q(to_client__gt=0, to_client__lte=F("amount")), name="parting_within_amount"),
            models.CheckConstraint(
                condition=Q(status="open", closed_at__isnull=True) | (~Q(status="open") & Q(closed_at__isnull=False)),
                name="parting_closed_has_moment",
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(status="open"), name="parting_one_open_an_order"),
            models.UniqueConstraint(fields=["proposed_by", "client_key"], name="parting_proposed_once"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(status="open"), name="parting_lapsing")]

    def __str__(self) -> str:
        return f"Parting of order {self.order_id}"

    @property
    def to_builder(self) -> Decimal:
        """Before the platform's fee."""
        rest: Decimal = self.amount - self.to_client
        return rest

    @property
    def answerer(self) -> Any:
        """Who says yes or no."""
        return self.order.builder.user if self.by_client else self.order.client

    def require_proposer(self, actor: Any) -> None:
        if actor.pk != self.proposed_by_id:
            raise NotAllowed(gettext("Only who proposed this can do that."))

    def require_answerer(self, actor: Any) -> None:
        if actor.pk != self.answerer.pk:
            raise NotAllowed(gettext("Only the other side can answer this."))
