"""Calls and the time that they take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.accounts.models import check_zone
from port444.builders.models import LENGTHS, Builder
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, amount_field, fee
from port444.kit.states import StateMachine, known_status, meet
from port444.messaging.models import Conversation, Subject
from port444.orders.models import Order
from port444.payments.escrow import Deal
from port444.payments.models import Invoice

from .hours import MeetingProvider, RefundPolicy
from .words import in_words

USER = settings.AUTH_USER_MODEL
HALF_BPS = 5000
JOIN_MINUTES = 10  # before the start, when the meeting room opens
COMPLETE_AFTER_HOURS = 24  # after the end, when a call completes by itself
LOOK_AFTER_MINUTES = 15  # after the end, when the evidence of who came is looked at
OPEN_ABSENCES = ("suggested", "reported", "disputed")
HEARD_WITHIN = timedelta(hours=24)  # after a word against the client is off the table, for them to say who did not come


@dataclass(frozen=True, slots=True)
class Back:
    """What of a call's payment goes back to the client: of its price, and of the service fee. The rest of the price is the builder's."""

    price: Decimal = ZERO
    fee: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.price + self.fee


class Party(models.TextChoices):
    """One side of a call."""

    CLIENT = "client", _("Client")
    BUILDER = "builder", _("Builder")

    @property
    def other(self) -> Party:
        return Party.BUILDER if self is Party.CLIENT else Party.CLIENT


class ConsultationStatus(models.TextChoices):
    HELD = "held", _("Held while you pay")
    EXPIRED = "expired", _("Not paid in time")
    SCHEDULED = "scheduled", _("Scheduled")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", pgettext_lazy("call", "Cancelled")
    NO_SHOW = "no_show", _("No-show")
    RESCHEDULED = "rescheduled", pgettext_lazy("call", "Moved")


C = ConsultationStatus


class ConsultationQuerySet(models.QuerySet["Consultation"]):
    def lock(self, pk: Any) -> Consultation:
        """The call under lock, its builder's row locked before it: a builder's time changes hands in that order only."""
        builder_id = self.values_list("builder_id", flat=True).get(pk=pk)
        Builder.objects.lock(builder_id)
        return meet(self.select_for_update(of=("self",), no_key=True).select_related("builder__user", "client").get(pk=pk))

    def visible_to(self, user: Any) -> ConsultationQuerySet:
        return self.filter(Q(client=user) | (Q(builder__user=user) & ~Q(status__in=[C.HELD, C.EXPIRED])))

    def live(self, chain: Any) -> ConsultationQuerySet:
        """The row of a chain at which the call now stands: the one that was not moved away."""
        return self.filter(chain=chain).exclude(status=C.RESCHEDULED)

    def upcoming(self, moment: datetime) -> ConsultationQuerySet:
        """Still ahead or running; a hold only while it can be paid."""
        return self.filter(Q(status=C.SCHEDULED, ends_at__gt=moment) | Q(status=C.HELD, claim__hold_expires_at__gt=moment))

    def unattended(self, moment: datetime) -> ConsultationQuerySet:
        """Ended so long ago that the call counts as held, and nobody has said so or said that somebody did not come."""
        ended = self.filter(status=C.SCHEDULED, ends_at__lte=moment - timedelta(hours=COMPLETE_AFTER_HOURS))
        unheard = Consultation.objects.filter(
            absences__party=Party.CLIENT, absences__reported_at__isnull=False, absences__decided_at__gt=moment - HEARD_WITHIN
        )
        return ended.exclude(absences__status__in=OPEN_ABSENCES).exclude(pk__in=unheard.values("pk"))

    def unlooked(self, moment: datetime) -> ConsultationQuerySet:
        """Over for a while, and nobody has looked yet whether both were seen in the room."""
        return self.filter(status=C.SCHEDULED, ends_at__lte=moment - timedelta(minutes=LOOK_AFTER_MINUTES), attendance_looked_at__isnull=True)


class Consultation(StateMachine):
    """One call. Price, zones and rules are frozen at booking.

    A call that is moved becomes `rescheduled`, and a new row follows it. Both are of one `chain`, named by the id of its first
    row, and share invoice and escrow; `conversation`, price and rules are copied.
    """

    called = _("call")
    NEXT = {
        C.HELD: frozenset({C.SCHEDULED, C.EXPIRED}),
        C.EXPIRED: frozenset({C.SCHEDULED}),  # a late payment that finds its slot still free
        C.SCHEDULED: frozenset({C.COMPLETED, C.CANCELLED, C.NO_SHOW, C.RESCHEDULED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="consultations")
    client = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="consultations")
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="consultations")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="consultations", null=True)
    client_key = models.UUIDField(default=uuid7)
    chain = models.UUIDField()
    rescheduled_from = models.OneToOneField("self", on_delete=models.PROTECT, related_name="successor", null=True)
    move_count = models.PositiveSmallIntegerField(default=0)
    duration = models.PositiveSmallIntegerField()
    price = amount_field()
    client_fee = amount_field()
    builder_fee_bps = models.PositiveSmallIntegerField()
    scheduled_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    client_zone = models.CharField(max_length=64, validators=[check_zone])
    builder_zone = models.CharField(max_length=64, validators=[check_zone])
    refund_policy = models.CharField(max_length=4, choices=RefundPolicy.choices, default=RefundPolicy.FREE)
    free_hours = models.PositiveSmallIntegerField(default=24)
    move_limit = models.PositiveSmallIntegerField(default=2)
    move_hours = models.PositiveSmallIntegerField(default=12)
    free_ended_at = models.DateTimeField(null=True)  # the free time was over when the client moved the call; that brings none back
    status = models.CharField(max_length=12, choices=C.choices, default=C.HELD)
    meeting_url = models.URLField(blank=True)
    meeting_provider = models.CharField(max_length=12, choices=MeetingProvider.choices, default=MeetingProvider.OWN_LINK)
    meeting_id = models.CharField(max_length=100, blank=True)
    ical_sequence = models.PositiveSmallIntegerField(default=0)
    client_notes = models.TextField(max_length=600, blank=True)
    builder_notes = models.TextField(max_length=3000, blank=True)
    paid_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    cancellation_reason = models.CharField(max_length=300, blank=True)
    expired_at = models.DateTimeField(null=True)
    rescheduled_at = models.DateTimeField(null=True)
    no_show_at = models.DateTimeField(null=True)
    no_show_party = models.CharField(max_length=7, choices=Party.choices, blank=True)
    attendance_looked_at = models.DateTimeField(null=True)
    converted_order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="converted_calls", null=True)
    converted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    objects = ConsultationQuerySet.as_manager()

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "builder_id client_id conversation_id invoice_id chain rescheduled_from_id move_count duration price client_fee "
            "builder_fee_bps scheduled_at ends_at client_zone builder_zone refund_policy free_hours move_limit move_hours "
            "free_ended_at status meeting_provider paid_at completed_at cancelled_at cancelled_by_id cancellation_reason "
            "expired_at rescheduled_at no_show_at no_show_party converted_order_id converted_at created_at"
        ),
        personal="client_notes builder_notes",
        ignored="client_key meeting_url meeting_id ical_sequence attendance_looked_at updated_at",
        amount="price",
    )

    class Meta:
        ordering = ["scheduled_at"]
        verbose_name = "call"
        constraints = [
            known_status("consultation_status_known", C),
            models.CheckConstraint(condition=Q(duration__in=LENGTHS), name="consultation_length_offered"),
            models.CheckConstraint(condition=Q(price__gt=0, client_fee__gte=0), name="consultation_price_positive"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("scheduled_at")), name="consultation_ends_after_start"),
            models.CheckConstraint(
                condition=~Q(status__in=[C.SCHEDULED, C.COMPLETED, C.NO_SHOW]) | Q(paid_at__isnull=False), name="consultation_scheduled_is_paid"
            ),
            models.CheckConstraint(
                condition=Q(status=C.COMPLETED, completed_at__isnull=False) | (~Q(status=C.COMPLETED) & Q(completed_at__isnull=True)),
                name="consultation_completed_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status=C.CANCELLED, cancelled_at__isnull=False) | (~Q(status=C.CANCELLED) & Q(cancelled_at__isnull=True)),
                name="consultation_cancelled_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status=C.RESCHEDULED, rescheduled_at__isnull=False) | (~Q(status=C.RESCHEDULED) & Q(rescheduled_at__isnull=True)),
                name="consultation_rescheduled_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(status=C.NO_SHOW, no_show_at__isnull=False, no_show_party__in=Party.values)
                | (~Q(status=C.NO_SHOW) & Q(no_show_at__isnull=True, no_show_party="")),
                name="consultation_no_show_names_party",
            ),
            models.CheckConstraint(
                condition=Q(converted_order__isnull=True, converted_at__isnull=True)
                | Q(status=C.COMPLETED, converted_order__isnull=False, converted_at__isnull=False),
                name="consultation_converted_has_moment",
            ),
            models.CheckConstraint(condition=Q(refund_policy__in=RefundPolicy.values), name="consultation_refund_policy"),
            models.CheckConstraint(condition=Q(meeting_provider__in=MeetingProvider.values), name="consultation_meeting_provider"),
            models.UniqueConstraint(fields=["chain"], condition=~Q(status="rescheduled"), name="consultation_one_live_per_chain"),
            models.UniqueConstraint(fields=["client", "client_key"], name="consultation_asked_once"),
            models.UniqueConstraint(fields=["invoice"], condition=~Q(status="rescheduled"), name="consultation_one_live_per_invoice"),
        ]
        indexes = [
            models.Index(fields=["client", "-scheduled_at"], name="consultation_of_client"),
            models.Index(fields=["builder", "-scheduled_at"], name="consultation_of_builder"),
            models.Index(fields=["ends_at"], condition=Q(status="scheduled"), name="consultation_ending"),
        ]

    def __str__(self) -> str:
        return f"Call of {self.duration} min, {self.scheduled_at:%Y-%m-%d %H:%M} UTC"

    @property
    def url(self) -> str:
        return reverse("consultations:detail", args=[self.pk])

    @property
    def total(self) -> Decimal:
        return Decimal(self.price + self.client_fee)

    @property
    def cancellation_words(self) -> str:
        return in_words(self.cancellation_reason)

    @property
    def subject(self) -> Subject:
        """How messages name this call."""
        return ("consultation", self.pk)

    @property
    def deal(self) -> Deal:
        """How escrow names this call, wherever it has been moved to; the parties are users."""
        return Deal("consultation", self.chain, self.client_id, self.builder.user_id)

    @property
    def opens_at(self) -> datetime:
        """From when the room can be joined."""
        return self.scheduled_at - timedelta(minutes=JOIN_MINUTES)

    @property
    def free_until(self) -> datetime | None:
        """Until when the client gets everything back for cancelling; None when the policy knows no such time."""
        until = free_until(self.refund_policy, self.free_hours, self.scheduled_at)
        return min(until, self.free_ended_at) if until and self.free_ended_at else until

    @property
    def everything(self) -> Back:
        """What goes back when the call fails through no fault of the client."""
        return Back(self.price, self.client_fee)

    @property
    def late_back(self) -> Back:
        """What goes back to a client who cancels too late or does not come, by the policy frozen at booking."""
        if self.refund_policy == RefundPolicy.HALF:
            return Back(fee(self.price, HALF_BPS), fee(self.client_fee, HALF_BPS))
        return Back()

    def can_move(self, moment: datetime) -> bool:
        """Whether anything about its time can change, be it with the other side's yes."""
        return self.status == C.SCHEDULED and self.scheduled_at > moment

    def moves_without_asking(self, actor: Any, moment: datetime) -> bool:
        return actor.pk == self.client_id and self.can_move(moment) and self.moves_left > 0 and moment < self.move_until

    def zone_of(self, person: Any) -> str:
        """The clock on which one side agreed to the call."""
        return self.client_zone if person.pk == self.client_id else self.builder_zone

    def back_if_cancelled_by(self, actor: Any, moment: datetime) -> Back:
        """What goes back when `actor` cancels at `moment`, by the policy that was frozen at booking.

        With a suspended builder there is no late: they could not come.
        """
        if actor.pk != self.client_id or self.builder.user.is_suspended:
            return self.everything
        free = self.free_until
        return self.everything if free is not None and moment < free else self.late_back

    @property
    def move_until(self) -> datetime:
        """Until when the client may move the call without asking."""
        return self.scheduled_at - timedelta(hours=self.move_hours)

    @property
    def moves_left(self) -> int:
        """How often the client may still move it without asking. Moves that both agreed on do not count."""
        return max(0, self.move_limit - self.move_count)

    def other(self, person: Any) -> Any:
        """The other side, a user."""
        return self.builder.user if person.pk == self.client_id else self.client

    def require_party(self, actor: Any) -> None:
        if actor.pk not in (self.client_id, self.builder.user_id):
            raise NotAllowed(gettext("Only the two people of this call can do that."))

    def require_client(self, actor: Any) -> None:
        if actor.pk != self.client_id:
            raise NotAllowed(gettext("Only the client of this call can do that."))

    def party_of(self, user: Any) -> Party:
        """On which side `user` is; ask only of the two people."""
        return Party.CLIENT if user.pk == self.client_id else Party.BUILDER

    def person(self, party: str) -> Any:
        """The user on that side."""
        return self.client if party == Party.CLIENT else self.builder.user

    def require_builder(self, actor: Any) -> None:
        if actor.pk != self.builder.user_id:
            raise NotAllowed(gettext("Only the builder of this call can do that."))


def free_until(policy: str, hours: int, starts_at: datetime) -> datetime | None:
    """Until when a client gets everything back for cancelling a call that starts at `starts_at`."""
    return None if policy == RefundPolicy.NONE else starts_at - timedelta(hours=hours)


class ClaimStatus(models.TextChoices):
    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"


BLOCKING = Q(status__in=["held", "confirmed"])


class SlotClaim(StateMachine):
    """Taken time of a builder and a client. Two exclusion constraints make double booking impossible for either of them.

    `busy` is the call and the builder's gap after it, half open, so that calls may follow each other back to back.
    """

    NEXT = {
        ClaimStatus.HELD: frozenset({ClaimStatus.CONFIRMED, ClaimStatus.RELEASED}),
        ClaimStatus.RELEASED: frozenset({ClaimStatus.CONFIRMED}),
        ClaimStatus.CONFIRMED: frozenset({ClaimStatus.RELEASED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    consultation = models.OneToOneField(Consultation, on_delete=models.PROTECT, related_name="claim")
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="claims")
    client = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    busy = DateTimeRangeField()
    status = models.CharField(max_length=10, choices=ClaimStatus.choices, default=ClaimStatus.HELD)
    hold_expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            known_status("slot_claim_status_known", ClaimStatus),
            models.CheckConstraint(
                condition=Q(status="held", hold_expires_at__isnull=False) | (~Q(status="held") & Q(hold_expires_at__isnull=True)),
                name="slot_claim_hold_has_end",
            ),
            models.CheckConstraint(condition=Q(busy__isempty=False, busy__lower_inc=True, busy__upper_inc=False), name="slot_claim_half_open"),
            ExclusionConstraint(
                name="slot_claim_builder_free",
                expressions=[("builder", RangeOperators.EQUAL), ("busy", RangeOperators.OVERLAPS)],
                condition=BLOCKING,
                violation_error_code="slot_taken",
            ),
            ExclusionConstraint(
                name="slot_claim_client_free",
                expressions=[("client", RangeOperators.EQUAL), ("busy", RangeOperators.OVERLAPS)],
                condition=BLOCKING,
                violation_error_code="slot_taken",
            ),
            models.UniqueConstraint(fields=["builder", "client"], condition=Q(status="held"), name="slot_claim_one_hold"),
        ]
        indexes = [models.Index(fields=["hold_expires_at"], condition=Q(status="held"), name="slot_claim_expiring")]

    def __str__(self) -> str:
        return f"{self.status} {self.busy}"
