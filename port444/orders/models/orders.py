"""Work: an order from placing to review."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.models import Category, Watched
from port444.builders.models import AWAY_FIELDS, Builder
from port444.catalog.models import Package, QuestionKind, Service
from port444.kit.clock import now
from port444.kit.errors import NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.kit.language import dated
from port444.kit.money import ZERO, amount_field, fee
from port444.kit.states import StateMachine, known_status, meet
from port444.messaging.models import Attachment, Conversation
from port444.payments.models import Invoice

USER = settings.AUTH_USER_MODEL


class OrderStatus(models.TextChoices):
    PENDING_PAYMENT = "pending_payment", _("Waiting for payment")
    FUNDING = "funding", _("Going into escrow")
    PENDING_REQUIREMENTS = "pending_requirements", _("Waiting for your answers")
    IN_PROGRESS = "in_progress", _("In work")
    DELIVERED = "delivered", _("Delivered")
    IN_REVISION = "in_revision", _("In revision")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Not paid in time")


S = OrderStatus
PAID = [S.FUNDING, S.PENDING_REQUIREMENTS, S.IN_PROGRESS, S.DELIVERED, S.IN_REVISION, S.COMPLETED]
WORKING = [S.IN_PROGRESS, S.IN_REVISION]
LIVE = [S.PENDING_REQUIREMENTS, S.IN_PROGRESS, S.IN_REVISION, S.DELIVERED]
RUNNING = [S.FUNDING, *LIVE]  # paid and not over
JOINABLE = [S.PENDING_REQUIREMENTS, *WORKING]  # nothing of it waits for somebody's word


class CancelCause(models.TextChoices):
    CLIENT_WISH = "client_wish", _("The client changed their mind before work began")
    BUILDER_WISH = "builder_wish", _("The builder cannot do it")
    LATE = "late", _("The delivery is late")
    NO_REQUIREMENTS = "no_requirements", _("No answers to the builder's questions")
    NOT_FUNDED = "not_funded", _("Escrow could not take the money")
    RECLAIMED = "reclaimed", _("The client took the money back from escrow after its expiry")
    AWAY = "away", _("The builder is away beyond the date that was agreed")
    MERGED = "merged", _("It goes on as part of another order")
    UNDONE = "undone", _("The order was put together by mistake")
    DISPUTE = "dispute", _("A dispute was settled or decided")
    AGREED = "agreed", _("Both agreed to end it and how to divide the money")
    SUPPORT = "support", _("Support ended it, and everything went back")


class Origin(models.TextChoices):
    PURCHASE = "purchase", _("Bought")
    MERGE = "merge", _("Merged from other orders")
    SPLIT = "split", _("Split from another order")


CUSTOM = "Custom offer"  # the name in the place of a package's, of what came from an offer
# From 72 hours on the builder need not wait for answers until the order ends by itself.
FREE_EXIT_BEFORE_END = timedelta(days=settings.REQUIREMENTS_DAYS) - timedelta(hours=72)


class OrderQuerySet(models.QuerySet["Order"]):
    def lock_all(self, ids: Iterable[Any]) -> dict[Any, Order]:
        """Several, in the one order in which orders are locked."""
        rows = self.with_people().select_for_update(of=("self",), no_key=True).filter(pk__in=list(ids)).order_by("pk")
        return {row.pk: row for row in rows}

    def lock(self, pk: Any) -> Order:
        """The order alone is locked; the two people and the conversation come along for reading."""
        return meet(self.with_people().select_for_update(of=("self",), no_key=True).get(pk=pk))

    def with_people(self) -> OrderQuerySet:
        return self.select_related("client", "builder__user", "conversation")

    def visible_to(self, user: Any) -> OrderQuerySet:
        return self.filter(Q(client=user) | Q(builder__user=user))

    def running(self) -> OrderQuerySet:
        return self.filter(status__in=RUNNING)

    def unaccepted(self, moment: datetime) -> OrderQuerySet:
        """Delivered, and the time to review is over; not while the clock stands, and not in a dispute."""
        return self.filter(status=S.DELIVERED, disputed_at__isnull=True, auto_accept_at__lte=moment, clock_stopped_at__isnull=True)

    def unanswered(self, moment: datetime) -> OrderQuerySet:
        """Paid, but the questions were never answered."""
        return self.filter(status=S.PENDING_REQUIREMENTS, requirements_until__lte=moment)


class Order(StateMachine):
    """A package bought by a client from a builder. Price, fees and limits are copied at purchase, and changed by amendments alone.

    The clock starts when the requirements are answered; `due_at` is set then. It stands still while an amendment waits for somebody, and
    in a dispute, which alone ends an order as completed that was not delivered.
    """

    called = _("order")
    NEXT = {
        S.PENDING_PAYMENT: frozenset({S.FUNDING, S.EXPIRED, S.CANCELLED}),
        S.FUNDING: frozenset({S.PENDING_REQUIREMENTS, S.IN_PROGRESS, S.CANCELLED}),
        S.PENDING_REQUIREMENTS: frozenset({S.IN_PROGRESS, S.CANCELLED}),
        S.IN_PROGRESS: frozenset({S.DELIVERED, S.CANCELLED, S.COMPLETED}),
        S.DELIVERED: frozenset({S.IN_REVISION, S.IN_PROGRESS, S.COMPLETED, S.CANCELLED}),
        S.IN_REVISION: frozenset({S.DELIVERED, S.CANCELLED, S.COMPLETED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True, db_default=Func(Value("order_number"), function="nextval"))
    client = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="orders")
    builder = models.ForeignKey(Builder, on_delete=models.PROTECT, related_name="orders")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="orders")
    package = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="orders", null=True)  # none behind an offer with a free price
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="orders")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="order", null=True)
    # A form carries this key, so that pressing "order" twice places one order.
    client_key = models.UUIDField(default=uuid7)
    title = models.CharField(max_length=90)
    package_name = models.CharField(max_length=60)
    deliverables = models.JSONField(default=list)
    status = models.CharField(max_length=20, choices=S.choices, default=S.PENDING_PAYMENT)
    price = amount_field()
    client_fee = amount_field()
    builder_fee_bps = models.PositiveSmallIntegerField()
    credit = amount_field(default=ZERO)  # of the price, what the client's credits pay
    prepaid = amount_field(default=ZERO)  # of that, what the builder was paid for a call already
    delivery_days = models.PositiveSmallIntegerField()
    revisions_allowed = models.PositiveSmallIntegerField()
    revisions_used = models.PositiveSmallIntegerField(default=0)

    placed_at = models.DateTimeField(default=now)
    pay_until = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    requirements_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    clock_stopped_at = models.DateTimeField(null=True)
    # Names the span away (by the builder's `away_paused_at`) for which the builder keeps the date: its days count like any others.
    works_through = models.DateTimeField(null=True)
    # Until when the client may leave with everything, because the builder moved the date for being away and holds to it.
    exit_until = models.DateTimeField(null=True)
    nudges_stopped_at = models.DateTimeField(null=True)  # support wants nobody reminded of this order
    delivered_at = models.DateTimeField(null=True)
    auto_accept_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    accepted_by_client = models.BooleanField(default=False)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", null=True)
    cancel_cause = models.CharField(max_length=20, choices=CancelCause.choices, blank=True)
    cancel_reason = models.CharField(max_length=300, blank=True)
    expired_at = models.DateTimeField(null=True)
    # An order that support made of others has no invoice of its own; its money came out of theirs.
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.PURCHASE)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, related_name="merged_from", null=True)
    split_from = models.ForeignKey("self", on_delete=models.PROTECT, related_name="split_into", null=True)
    disputed_at = models.DateTimeField(null=True)  # while a dispute about it is live
    # The builder's one round of further questions, and when it was over: answered, dropped or delivered without. Between them the clock stands.
    asked_more_at = models.DateTimeField(null=True)
    more_closed_at = models.DateTimeField(null=True)

    objects = OrderQuerySet.as_manager()
    # Set for the moment in which the order that it was merged into is taken apart again.
    goes_on = False

    audited = Watched(
        Category.USER_ACTION,
        kept=(
            "number client_id builder_id service_id package_id conversation_id invoice_id title package_name deliverables "
            "status price client_fee builder_fee_bps credit prepaid delivery_days revisions_allowed revisions_used "
            "placed_at pay_until paid_at requirements_until started_at due_at clock_stopped_at works_through exit_until "
            "nudges_stopped_at delivered_at auto_accept_at completed_at accepted_by_client cancelled_at cancelled_by_id "
            "cancel_cause cancel_reason expired_at origin merged_into_id split_from_id disputed_at "
            "asked_more_at more_closed_at"
        ),
        ignored="client_key",
        amount="price",
    )

    class Meta:
        ordering = ["-placed_at", "-id"]
        constraints = [
            known_status("order_status_known", S),
            models.CheckConstraint(condition=Q(price__gt=0, client_fee__gte=0), name="order_price_positive"),
            models.CheckConstraint(condition=Q(prepaid__gte=0, credit__gte=F("prepaid"), price__gte=F("credit")), name="order_credit_within_price"),
            models.CheckConstraint(condition=Q(revisions_used__lte=F("revisions_allowed")), name="order_revisions_within_package"),
            models.CheckConstraint(
                condition=~Q(status__in=PAID) | (Q(paid_at__isnull=False) & (Q(invoice__isnull=False) | ~Q(origin="purchase"))),
                name="order_paid_has_moment",
            ),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="order_origin_known"),
            models.CheckConstraint(condition=Q(merged_into__isnull=True) | Q(status="cancelled"), name="order_merged_is_over"),
            models.CheckConstraint(condition=Q(split_from__isnull=True) | Q(origin="split"), name="order_split_has_origin"),
            models.CheckConstraint(
                condition=~Q(status__in=[*WORKING, S.DELIVERED, S.COMPLETED]) | Q(started_at__isnull=False, due_at__isnull=False),
                name="order_started_has_due_date",
            ),
            models.CheckConstraint(
                condition=~Q(status=S.DELIVERED) | Q(delivered_at__isnull=False, auto_accept_at__isnull=False), name="order_delivered_has_moment"
            ),
            models.CheckConstraint(
                condition=Q(status=S.COMPLETED, completed_at__isnull=False) | (~Q(status=S.COMPLETED) & Q(completed_at__isnull=True)),
                name="order_completed_has_moment",
            ),
            models.CheckConstraint(
                condition=(Q(status=S.CANCELLED, cancelled_at__isnull=False) & ~Q(cancel_cause=""))
                | (~Q(status=S.CANCELLED) & Q(cancelled_at__isnull=True)),
                name="order_cancelled_has_cause",
            ),
            models.CheckConstraint(condition=Q(more_closed_at__isnull=True) | Q(asked_more_at__isnull=False), name="order_more_was_asked"),
            models.UniqueConstraint(fields=["client", "client_key"], name="order_placed_once"),
        ]
        indexes = [
            models.Index(fields=["client", "-placed_at", "-id"], name="order_of_client"),
            models.Index(fields=["builder", "-placed_at", "-id"], name="order_of_builder"),
            models.Index(fields=["due_at"], condition=Q(status__in=WORKING), name="order_due"),
            models.Index(fields=["auto_accept_at"], condition=Q(status="delivered", disputed_at__isnull=True), name="order_unaccepted"),
            models.Index(fields=["requirements_until"], condition=Q(status="pending_requirements"), name="order_unanswered"),
        ]

    def __str__(self) -> str:
        return f"Order {self.number}"

    def can_move_to(self, status: str) -> bool:
        again = self.goes_on and self.status == S.CANCELLED and self.cancel_cause == CancelCause.MERGED and status in JOINABLE
        return again or super().can_move_to(status)

    def require_client(self, actor: Any) -> None:
        if actor.pk != self.client_id:
            raise NotAllowed(gettext("Only the client of this order can do that."))

    def require_builder(self, actor: Any) -> None:
        if actor.pk != self.builder.user_id:
            raise NotAllowed(gettext("Only the builder of this order can do that."))

    def require_undisputed(self) -> None:
        if self.disputed_at is not None:
            raise WrongState(
                gettext("This order is in dispute. It stands still until the dispute is settled, withdrawn or decided."), code="disputed"
            )

    @property
    def asks_more(self) -> bool:
        """Whether the client owes answers to what the builder asked in the work; the clock stands."""
        return self.asked_more_at is not None and self.more_closed_at is None and self.status in WORKING

    def is_builder(self, user: Any) -> bool:
        return bool(user.pk == self.builder.user_id)

    def other(self, user: Any) -> Any:
        """The person on the other side of `user`."""
        return self.client if self.is_builder(user) else self.builder.user

    @property
    def goes_on_in(self) -> Order | None:
        """The order in which this one goes on: what it was merged into in the end, or what its part came back to."""
        found = self
        while found.merged_into is not None:
            found = found.merged_into
        if found.cancel_cause == CancelCause.UNDONE and found.split_from is not None:
            found = found.split_from
        return found if found is not self else None

    @property
    def bought_as(self) -> str:
        """What was bought, e.g. "Standard package" or "Custom offer"."""
        if self.origin == Origin.MERGE:
            return gettext("Merged order")
        return gettext("Custom offer") if self.is_custom else gettext("%(package_name)s package") % {"package_name": self.package_name}

    @property
    def is_custom(self) -> bool:
        """It came from an offer."""
        return self.package_name == CUSTOM

    @property
    def revisions_left(self) -> int:
        return self.revisions_allowed - self.revisions_used

    @property
    def total(self) -> Decimal:
        """What the client pays: the price less their credit, and the service fee."""
        total: Decimal = self.price + self.client_fee - self.credit
        return total

    @property
    def builder_fee(self) -> Decimal:
        return fee(self.price, self.builder_fee_bps)

    @property
    def builder_share(self) -> Decimal:
        """What the builder gets of the price: less the fee, and less what they were paid for a call that counts towards it."""
        share: Decimal = self.price - self.builder_fee - self.prepaid
        return share

    def is_late(self, moment: datetime) -> bool:
        """Whether the delivery is overdue. While the clock stands, what it showed when it was stopped counts."""
        return self.status == S.IN_PROGRESS and self.due_at is not None and self.due_at <= (self.clock_stopped_at or moment)

    @property
    def came_by_its_date(self) -> bool | None:
        """Whether the last delivery was in time; None before one."""
        return self.delivered_at <= self.due_at if self.delivered_at is not None and self.due_at is not None else None

    def stood(self, moment: datetime, begun: datetime | None) -> timedelta:
        """For how long the clock has stood by `moment`, as far as what it measures had `begun` at all."""
        if self.clock_stopped_at is None:
            return timedelta(0)
        return max(timedelta(0), moment - max(self.clock_stopped_at, begun or self.clock_stopped_at))

    def read_away(self) -> None:
        """Read again when the builder is away: what came along with a lock that was waited for may be older than the lock."""
        self.builder.refresh_from_db(fields=AWAY_FIELDS)

    @property
    def keeps_date(self) -> bool:
        """Whether the builder keeps the date of this order through the span away that is planned, or runs, or was the last."""
        return self.works_through is not None and self.works_through == self.builder.away_paused_at

    def time_away(self, begun: datetime, due: datetime) -> timedelta:
        """By how much what begins at `begun` and takes until `due` ends later, because the builder is away."""
        return timedelta(0) if self.keeps_date else self.builder.time_away(begun, due)

    def work_left(self, moment: datetime) -> timedelta:
        """How much time to work is left at `moment` until the due date, which days away have moved; negative when it has passed."""
        assert self.due_at is not None
        away = timedelta(0) if self.keeps_date else self.builder.away_before(self.due_at, moment)
        return self.due_at - moment - away

    def due_for(self, moment: datetime, left: timedelta) -> datetime:
        """When work that takes `left` from `moment` on is due."""
        return moment + left + self.time_away(moment, moment + left)

    def due_resumed(self, moment: datetime) -> datetime | None:
        """The due date when the clock runs again at `moment`: the work that was left when it stopped is left still.

        Days away that have moved the date meanwhile are not counted a second time.
        """
        if self.due_at is None or not self.stood(moment, self.started_at):
            return self.due_at
        assert self.clock_stopped_at is not None
        begun = max(self.clock_stopped_at, self.started_at or self.clock_stopped_at)
        return self.due_for(moment, self.work_left(begun))

    def due_from(self, moment: datetime, days: int) -> datetime:
        """When work of `days` that begins at `moment` is due; days on which the builder is away do not count."""
        return self.due_for(moment, timedelta(days=days))

    def due_after(self, days: int, moment: datetime, *, reopens: bool) -> datetime | None:
        """The due date when `days` are added at `moment`. None before the clock has begun, when the days of work grow instead.

        Days count from the date that stands, except those away. A delivered order that `reopens` has no such date any more: there
        they count from that date or from `moment`, whichever is later, and without any day it gets as long as a revision has.
        """
        if self.due_at is None or self.status not in LIVE:
            return self.due_at
        if self.status != S.DELIVERED:
            return self.due_from(self.due_at, days)
        if not reopens:
            return self.due_at
        if days:
            return self.due_from(max(self.due_at, moment), days)
        return max(self.due_at, self.due_from(moment, settings.REVISION_DAYS))

    @property
    def free_from(self) -> datetime | None:
        """From when the builder need not wait for the answers any longer; None when none are waited for."""
        if self.status != S.PENDING_REQUIREMENTS or self.requirements_until is None:
            return None
        return self.requirements_until - FREE_EXIT_BEFORE_END

    def is_free(self, moment: datetime) -> bool:
        """Whether the questions have been open for so long that the builder may cancel, and it counts against nobody."""
        return self.free_from is not None and moment >= self.free_from

    def may_cancel(self, actor: Any, moment: datetime) -> CancelCause | None:
        """Why `actor` may cancel the order as it stands; None when they may not."""
        if self.disputed_at is not None:
            return None
        builder = self.is_builder(actor)
        if builder and self.is_free(moment):
            return CancelCause.NO_REQUIREMENTS
        if self.status in (S.PENDING_PAYMENT, S.FUNDING, S.PENDING_REQUIREMENTS):
            return CancelCause.BUILDER_WISH if builder else CancelCause.CLIENT_WISH
        if self.status in WORKING and (builder or self.builder.user.is_suspended):
            return CancelCause.BUILDER_WISH  # a suspended builder cannot deliver; nobody has to wait for the due date
        if self.status in WORKING and not builder and self.exit_until is not None and moment < self.exit_until:
            return CancelCause.AWAY
        return CancelCause.LATE if self.is_late(moment) and not builder else None


def family(order: Order) -> list[UUID]:
    """The order, and those that were merged into it, and into those. No query for one that was bought."""
    found, news = [order.pk], [order.pk] if order.origin != Origin.PURCHASE else []
    while news:
        news = [pk for pk in Order.objects.filter(merged_into__in=news).order_by("number").values_list("pk", flat=True) if pk not in found]
        found += news
    return found


class Requirement(models.Model):
    """A question of the builder, copied from the service at purchase, and the client's answer: a date as 2026-12-03, several choices one a
    line."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="requirements")
    position = models.PositiveSmallIntegerField()
    label = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=QuestionKind.choices, default=QuestionKind.TEXT)
    options = models.JSONField(default=list)
    help = models.CharField(max_length=200, blank=True)
    is_required = models.BooleanField(default=True)
    is_more = models.BooleanField(default=False)  # asked in the work, in the one round that there is
    answer = models.TextField(max_length=5000, blank=True)
    files = models.ManyToManyField(Attachment, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["order", "position"], name="requirement_position_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def answer_words(self) -> str:
        """The answer as people read it."""
        if self.kind == QuestionKind.DATE and self.answer:
            return dated(date.fromisoformat(self.answer), "D j M Y")
        return self.answer.replace("\n", ", ") if self.kind == QuestionKind.CHOICES else self.answer


class Delivery(models.Model):
    """What the builder handed over: a note and files."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="deliveries")
    number = models.PositiveSmallIntegerField()
    note = models.TextField(max_length=5000)
    files = models.ManyToManyField(Attachment, related_name="+")
    delivered_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["number"]
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["order", "number"], name="order_delivery_number_once")]

    def __str__(self) -> str:
        return f"Delivery {self.number}"


class Revision(models.Model):
    """What the client asked to change in a delivery. Counted against the package."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="revision")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="revisions")
    note = models.TextField(max_length=5000)
    requested_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"Revision of delivery {self.delivery_id}"
