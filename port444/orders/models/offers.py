"""Custom offers: terms that one side puts to the other in their conversation; and the hint to a builder to make one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.builders.models import Builder
from port444.catalog.models import Package, Service
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import amount_field, fee
from port444.kit.states import StateMachine, known_status, meet
from port444.messaging.models import Conversation

from .orders import Order

USER = settings.AUTH_USER_MODEL


class OfferStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("state of an offer", "Open")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    COUNTERED = "countered", _("Answered with other terms")
    REPLACED = "replaced", _("Replaced by a newer one")
    EXPIRED = "expired", _("Expired")


S = OfferStatus


class OfferQuerySet(models.QuerySet["Offer"]):
    def lock(self, pk: Any) -> Offer:
        return meet(self.select_related("builder__user", "client").select_for_update(of=("self",), no_key=True).get(pk=pk))

    def visible_to(self, user: Any) -> OfferQuerySet:
        return self.filter(Q(client=user) | Q(builder__user=user))

    def standing(self, moment: datetime) -> OfferQuerySet:
        """Open and not past its end."""
        return self.filter(status=S.OPEN, expires_at__gt=moment)


class Offer(StateMachine):
    """Terms for one piece of work. A builder's offer can be accepted and paid; a client's counter can only be taken up by the builder
    in an offer of their own.

    Past `expires_at` an open offer cannot be accepted, whether or not anybody has written so down: `is_open_at` says what holds.
    """

    called = _("offer")
    NEXT = {
        S.OPEN: frozenset({S.ACCEPTED, S.DECLINED, S.WITHDRAWN, S.COUNTERED, S.REPLACED, S.EXPIRED}),
        S.ACCEPTED: frozenset({S.OPEN, S.EXPIRED, S.REPLACED, S.WITHDRAWN}),  # the order was not paid
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="offers")
    client = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="offers")
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="offers")
    by_client = models.BooleanField(default=False)
    # The service it belongs to, for its reviews and questions; the package whose terms it began from, if any.
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="offers")
    package = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="offers", null=True)
    title = models.CharField(max_length=90)
    scope = models.TextField(max_length=2000)
    deliverables = models.JSONField(default=list)
    price = amount_field()
    list_price = amount_field(null=True)  # of the package, where the offer is below it
    delivery_days = models.PositiveSmallIntegerField()
    revisions = models.PositiveSmallIntegerField(default=1)
    asks_questions = models.BooleanField(default=False)  # whether the questions of the service are asked after paying
    status = models.CharField(max_length=10, choices=S.choices, default=S.OPEN)
    expires_at = models.DateTimeField()
    client_key = models.UUIDField(default=uuid7)  # of the form, so that pressing twice sends one
    answers = models.ForeignKey("self", on_delete=models.PROTECT, related_name="answered_by", null=True)  # the one that it counters or replaces
    suggestion = models.OneToOneField("Suggestion", on_delete=models.PROTECT, related_name="offer", null=True)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="offer", null=True)  # the last one that it became
    reason = models.CharField(max_length=300, blank=True)  # of the side that declined
    created_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    objects = OfferQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "conversation_id client_id builder_id by_client service_id package_id title scope deliverables price list_price "
            "delivery_days revisions asks_questions status expires_at answers_id suggestion_id order_id reason created_at "
            "settled_at"
        ),
        ignored="client_key",
        amount="price",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            known_status("offer_status_known", S),
            models.CheckConstraint(condition=Q(price__gt=0), name="offer_price_positive"),
            models.CheckConstraint(condition=Q(list_price__isnull=True) | Q(list_price__gt=F("price")), name="offer_below_list_price"),
            models.CheckConstraint(condition=Q(delivery_days__gte=1, delivery_days__lte=90), name="offer_days_in_range"),
            models.CheckConstraint(condition=Q(revisions__lte=20), name="offer_revisions_in_range"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="offer_ends_later"),
            models.CheckConstraint(
                condition=Q(status=S.OPEN, settled_at__isnull=True) | (~Q(status=S.OPEN) & Q(settled_at__isnull=False)),
                name="offer_settled_has_moment",
            ),
            models.CheckConstraint(condition=~Q(status=S.ACCEPTED) | Q(order__isnull=False, by_client=False), name="offer_accepted_has_order"),
            models.UniqueConstraint(fields=["conversation"], condition=Q(status="open"), name="offer_one_open"),
            models.UniqueConstraint(fields=["conversation", "client_key"], name="offer_sent_once"),
        ]
        indexes = [models.Index(fields=["conversation", "-created_at"], name="offer_of_conversation")]

    def __str__(self) -> str:
        return f"{self.title}, {self.price}"

    def is_open_at(self, moment: datetime) -> bool:
        return self.status == S.OPEN and moment < self.expires_at

    @property
    def author(self) -> Any:
        return self.client if self.by_client else self.builder.user

    @property
    def reader(self) -> Any:
        """The side that answers."""
        return self.builder.user if self.by_client else self.client

    def require_reader(self, actor: Any) -> None:
        if actor.pk != self.reader.pk:
            raise NotAllowed(gettext("Only the side that got this offer can answer it."))

    def require_author(self, actor: Any) -> None:
        if actor.pk != self.author.pk:
            raise NotAllowed(gettext("Only the side that made this offer can do that."))

    @property
    def client_fee(self) -> Decimal:
        return fee(self.price, settings.CLIENT_FEE_BPS)

    @property
    def builder_share(self) -> Decimal:
        share: Decimal = self.price - fee(self.price, settings.BUILDER_FEE_BPS)
        return share


class SuggestionStatus(models.TextChoices):
    SHOWN = "shown", _("Shown")
    DISMISSED = "dismissed", _("Not now")
    USED = "used", _("An offer was made of it")


def discounted(price: Decimal) -> Decimal:
    """What is suggested instead of `price`."""
    return price - fee(price, settings.SUGGESTED_DISCOUNT_PERCENT * 100)


class SuggestionQuerySet(models.QuerySet["Suggestion"]):
    def lock(self, pk: Any) -> Suggestion:
        return self.select_related("builder").select_for_update(of=("self",), no_key=True).get(pk=pk)

    def visible_to(self, user: Any) -> SuggestionQuerySet:
        """The other side never sees it."""
        return self.filter(builder__user=user)


class Suggestion(StateMachine):
    """The hint to a builder that a long talk might need an offer: seen by them alone, once in 30 days in a conversation."""

    called = _("suggestion")
    NEXT = {SuggestionStatus.SHOWN: frozenset({SuggestionStatus.DISMISSED, SuggestionStatus.USED})}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="suggestions")
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="suggestions")
    package = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="suggestions")
    price = amount_field()
    list_price = amount_field()
    messages = models.PositiveIntegerField()  # how many there were in the week
    # From the moment it was made until another one may be.
    rests = DateTimeRangeField()
    status = models.CharField(max_length=10, choices=SuggestionStatus.choices, default=SuggestionStatus.SHOWN)
    created_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    objects = SuggestionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            known_status("suggestion_status_known", SuggestionStatus),
            models.CheckConstraint(condition=Q(price__gt=0, list_price__gt=F("price")), name="suggestion_is_cheaper"),
            models.CheckConstraint(
                condition=Q(status="shown", settled_at__isnull=True) | (~Q(status="shown") & Q(settled_at__isnull=False)),
                name="suggestion_settled_has_moment",
            ),
            ExclusionConstraint(
                name="suggestion_rests",
                expressions=[("conversation", RangeOperators.EQUAL), ("rests", RangeOperators.OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price} instead of {self.list_price}"
