"""What went back to a client after the work was paid for, and who bore it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field

USER = settings.AUTH_USER_MODEL


class Basis(models.TextChoices):
    SCOPE = "scope", _("Less was done than was paid for")
    GOODWILL = "goodwill", _("Goodwill of the platform")


class Compensation(models.Model):
    """Money that had left escrow, or the platform's own, given back to a client. Written once.

    `amount` is of the price: what the builder gave back, the platform's fee on that, what the platform bore, and what the builder was
    prepaid with a call. `fee` is of the service fee. `prepaid` and `gift` went back as credits, everything else to where it was paid from.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=100, unique=True)
    purpose = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    client = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    builder = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    basis = models.CharField(max_length=10, choices=Basis.choices)
    amount = amount_field()
    fee = amount_field(default=ZERO)
    from_builder = amount_field(default=ZERO)
    from_platform = amount_field(default=ZERO)
    builder_fee = amount_field(default=ZERO)
    prepaid = amount_field(default=ZERO)
    gift = amount_field(default=ZERO)
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField(default=now)

    audited = Watched(
        Category.FINANCIAL,
        kept=(
            "purpose subject_id client_id builder_id basis amount fee from_builder from_platform builder_fee prepaid gift reason "
            "made_by_id created_at"
        ),
        ignored="key",
        amount="amount",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(basis__in=Basis.values), name="compensation_basis_known"),
            models.CheckConstraint(
                condition=Q(amount__gte=0, fee__gte=0, from_builder__gte=0, from_platform__gte=0, builder_fee__gte=0, prepaid__gte=0, gift__gte=0),
                name="compensation_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount=F("from_builder") + F("from_platform") + F("builder_fee") + F("prepaid")) & (Q(amount__gt=0) | Q(fee__gt=0)),
                name="compensation_adds_up",
            ),
            models.CheckConstraint(condition=Q(amount__gte=F("prepaid") + F("gift")), name="compensation_credit_within"),
        ]
        indexes = [models.Index(fields=["subject_id"], name="compensation_subject")]

    def __str__(self) -> str:
        return f"{self.amount + self.fee} back"
