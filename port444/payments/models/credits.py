"""Credits: money that a person may pay with, given for a reason and for a while."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category as LogCategory
from auditlog.models import Watched
from port444.builders.models import Builder
from port444.catalog.models import Category
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field

from .invoices import Invoice

USER = settings.AUTH_USER_MODEL


class CreditSource(models.TextChoices):
    CONSULTATION = "consultation_conversion", _("A call")
    REFUND = "refund", _("A refund")
    PROMO = "promo", _("A promotion")
    ADMIN = "admin_issued", "port444"
    REFERRAL = "referral", _("A referral")


class CreditScope(models.TextChoices):
    ALL = "all", _("Everything")
    BUILDER = "specific_builder", _("One builder")
    CATEGORY = "specific_category", _("One category")


class CreditUser(models.TextChoices):
    CLIENT = "client", _("Client")
    BUILDER = "builder", _("Builder")


# What an entry does to a credit: to what is left of it, to what checkouts hold, to what was paid with it.
EFFECTS = {
    "issued": (1, 0, 0),
    "held": (-1, 1, 0),
    "spent": (0, -1, 1),
    "freed": (1, -1, 0),
    "returned": (1, 0, -1),
    "expired": (-1, 0, 0),
    "voided": (-1, 0, 0),
    "extended": (0, 0, 0),
}


class CreditStep(models.TextChoices):
    ISSUED = "issued", _("Given")
    HELD = "held", _("Held for a checkout")
    SPENT = "spent", _("Paid with")
    FREED = "freed", _("Not paid, free again")
    RETURNED = "returned", _("Given back")
    EXPIRED = "expired", _("Ended unused")
    VOIDED = "voided", _("Taken back")
    EXTENDED = "extended", _("Made to last longer")


NARROWNESS = {CreditScope.BUILDER: 0, CreditScope.CATEGORY: 1, CreditScope.ALL: 2}


class CreditQuerySet(models.QuerySet["Credit"]):
    def usable(self, user_id: UUID, *, builder_id: UUID, category_id: UUID | None, moment: datetime) -> CreditQuerySet:
        """What `user` can pay with for something of this builder in this category."""
        fits = Q(applicable_to=CreditScope.ALL) | Q(builder=builder_id)
        if category_id is not None:
            fits |= Q(category=category_id)
        return self.unexpired(moment).filter(fits, user=user_id, remaining__gt=0)

    def unexpired(self, moment: datetime) -> CreditQuerySet:
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=moment))

    def ended(self, moment: datetime) -> CreditQuerySet:
        """What has ended by the clock and is not written off yet."""
        return self.filter(expires_at__lte=moment, remaining__gt=0)

    def visible_to(self, user: Any) -> CreditQuerySet:
        return self.filter(user=user)


class Credit(models.Model):
    """An amount that its owner may pay invoices with until `expires_at`.

    Its entries say what became of it (see `CreditEntry`); a trigger on them moves `remaining` and `expires_at`, and nothing else may.

    A credit from a call is the client's own money, which the builder of that call has already; whoever gives the work gets that
    much less of its price. Every other credit is paid by the platform. `source_invoice` is unique: a paid document gives one
    credit at most, however often its call was moved. A withdrawn credit is not filled up again when what it paid for is undone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="credits")
    user_type = models.CharField(max_length=7, choices=CreditUser.choices, default=CreditUser.CLIENT)
    label = models.CharField(max_length=120)
    amount = amount_field()
    remaining = amount_field()
    source = models.CharField(max_length=24, choices=CreditSource.choices)
    source_id = models.UUIDField(null=True)
    source_invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="credit_given", null=True)
    applicable_to = models.CharField(max_length=18, choices=CreditScope.choices, default=CreditScope.ALL)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="+", null=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+", null=True)
    expires_at = models.DateTimeField(null=True)
    issued_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    notes = models.CharField(max_length=600, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    objects = CreditQuerySet.as_manager()

    audited = Watched(
        LogCategory.FINANCIAL,
        kept=(
            "user_id user_type label amount remaining source source_id source_invoice_id applicable_to builder_id "
            "category_id expires_at issued_by_id notes withdrawn_at created_at"
        ),
        amount="amount",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_amount_positive"),
            models.CheckConstraint(condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="credit_remaining_within_amount"),
            models.CheckConstraint(condition=Q(source__in=CreditSource.values), name="credit_source_known"),
            models.CheckConstraint(condition=Q(user_type__in=CreditUser.values), name="credit_user_type_known"),
            models.CheckConstraint(
                condition=Q(applicable_to="all", builder__isnull=True, category__isnull=True)
                | Q(applicable_to="specific_builder", builder__isnull=False, category__isnull=True)
                | Q(applicable_to="specific_category", builder__isnull=True, category__isnull=False),
                name="credit_scope_is_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="credit_of_user"),
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=0), name="credit_to_expire"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_prepaid(self) -> bool:
        """Whether the builder who gives the work has had this money already."""
        return self.source == CreditSource.CONSULTATION

    @property
    def narrowness(self) -> int:
        """The smaller, the less it can pay for."""
        return NARROWNESS[CreditScope(self.applicable_to)]

    def is_expired(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= moment


class CreditUseQuerySet(models.QuerySet["CreditUse"]):
    def kept(self) -> CreditUseQuerySet:
        """Those of which something has not been given back."""
        return self.filter(returned__lt=F("amount"))

    def visible_to(self, user: Any) -> CreditUseQuerySet:
        return self.filter(credit__user=user)


class CreditUse(models.Model):
    """How much of a credit an invoice took: reserved when the invoice is opened, given back when it is void or its order undone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    credit = models.ForeignKey(Credit, on_delete=models.PROTECT, related_name="uses")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_uses")
    amount = amount_field()
    returned = amount_field(default=ZERO)
    returned_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    objects = CreditUseQuerySet.as_manager()

    audited = Watched(
        LogCategory.FINANCIAL,
        kept="credit_id invoice_id amount returned returned_at created_at",
        amount="amount",
    )

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["credit", "invoice"], name="credit_use_once_an_invoice"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_use_amount_positive"),
            models.CheckConstraint(condition=Q(returned__gte=0, returned__lte=F("amount")), name="credit_use_returned_within_amount"),
            models.CheckConstraint(
                condition=Q(returned=0, returned_at__isnull=True) | Q(returned__gt=0, returned_at__isnull=False),
                name="credit_use_returned_has_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.credit_id}"

    @property
    def left(self) -> Decimal:
        """What has not been given back."""
        return Decimal(self.amount - self.returned)


class CreditEntry(models.Model):
    """One step in the life of a credit, written once. What was issued is at each moment what is left and what is held, spent, expired and
    voided; the database refuses an entry that would make one of them less than nothing.

    `key` is unique: one cause has one effect. A hold belongs to a use; what is spent was held, and what is returned was spent.
    """

    id = models.BigAutoField(primary_key=True)
    credit = models.ForeignKey(Credit, on_delete=models.PROTECT, related_name="entries")
    step = models.CharField(max_length=8, choices=CreditStep.choices)
    amount = amount_field()
    use = models.ForeignKey(CreditUse, on_delete=models.PROTECT, related_name="entries", null=True)
    until = models.DateTimeField(null=True)  # the new end of one that was extended
    key = models.CharField(max_length=120, unique=True)
    note = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "credit entries"
        constraints = [
            models.CheckConstraint(condition=Q(step__in=CreditStep.values), name="credit_entry_step_known"),
            models.CheckConstraint(
                condition=Q(step="extended", amount=0, until__isnull=False) | (~Q(step="extended") & Q(amount__gt=0, until__isnull=True)),
                name="credit_entry_amount",
            ),
            models.CheckConstraint(
                condition=Q(step__in=["held", "spent", "freed", "returned"], use__isnull=False)
                | (~Q(step__in=["held", "spent", "freed", "returned"]) & Q(use__isnull=True)),
                name="credit_entry_use",
            ),
            models.UniqueConstraint(fields=["credit"], condition=Q(step="issued"), name="credit_issued_once"),
            models.UniqueConstraint(fields=["use"], condition=Q(step="held"), name="credit_held_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.amount}"
