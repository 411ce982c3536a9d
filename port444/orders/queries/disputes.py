"""Reads of disputes: how each side meets one, what was added to it, and what the pages of its order say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from port444.kit.money import ZERO, fee
from port444.messaging.models import Attachment
from port444.orders import helm
from port444.orders.handlers import Addition
from port444.orders.helm import Helm
from port444.orders.models import DISPUTABLE, CancelCause, Delivery, Dispute, DisputeStatus, Evidence, Order
from port444.payments import escrow

from .orders import File, files_of

S = DisputeStatus
MOST_SHOWN = 100
BAR = 292  # the length of the bar that shows two figures


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two says."""

    person: Any
    is_builder: bool
    is_claimant: bool
    mine: bool
    text: str
    figure: Decimal | None  # what would go back to the client
    rest: Decimal | None  # and to the builder
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """A dispute as one of its two sides sees it at one moment."""

    dispute: Dispute
    viewer: Any
    claimant: Side
    other: Side
    url: str

    @property
    def order(self) -> Order:
        found: Order = self.dispute.order
        return found

    @property
    def is_live(self) -> bool:
        return self.dispute.is_live

    @property
    def mine(self) -> bool:
        return self.dispute.is_claimant(self.viewer)

    @property
    def is_builder(self) -> bool:
        return bool(self.viewer.pk != self.order.client_id)

    @property
    def may_answer(self) -> bool:
        return self.is_live and not self.mine and not self.dispute.is_answered

    @property
    def may_change(self) -> bool:
        return self.is_live and self.dispute.figure_of(self.viewer) is not None and (self.mine or self.dispute.is_answered)

    @property
    def may_escalate(self) -> bool:
        return bool(self.dispute.status == S.ANSWERED)

    @property
    def may_withdraw(self) -> bool:
        return self.is_live and self.mine

    @property
    def proposed(self) -> Decimal | None:
        """What the viewer can agree to now: the other side's figure."""
        return self.dispute.figure_against(self.viewer) if self.is_live else None

    @property
    def proposal(self) -> str:
        """The same in words, behind the other side's name."""
        return helm.gives(self.dispute, self.proposed, self.viewer)

    @property
    def parts(self) -> tuple[Decimal, Decimal]:
        """What would go, or went, back to the client and to the builder."""
        found = self.dispute.decided_to_client if not self.is_live else self.proposed
        back = found if found is not None else ZERO
        return back, self.dispute.amount - back

    @property
    def tag(self) -> tuple[str, str]:
        """Words and kind of the mark beside the title."""
        return {
            S.OPEN: (_("Waits for an answer"), ""),
            S.ANSWERED: (_("Answered"), "tint"),
            S.ESCALATED: (_("With support"), "bad"),
            S.SETTLED: (_("Settled"), "ok"),
            S.WITHDRAWN: (_("Withdrawn"), "quiet"),
            S.DECIDED: (_("Decided by support"), "ok"),
        }[S(self.dispute.status)]


@dataclass(frozen=True, slots=True)
class Split:
    """What a figure comes to for both, fees counted."""

    amount: Decimal
    to_client: Decimal
    to_builder: Decimal  # before the platform's fee
    builder_fee: Decimal
    builder_gets: Decimal


def split_of(order: Order, amount: Decimal, to_client: Decimal) -> Split:
    """What the builder is left with of `amount` when `to_client` goes back. Credits are not counted: they are who paid, not how much."""
    rest = amount - to_client
    charged = fee(rest, order.builder_fee_bps)
    return Split(amount, to_client, rest, charged, rest - charged)


def look_at(dispute: Dispute, viewer: Any) -> Look:
    order = dispute.order

    def side(*, claimant: bool) -> Side:
        client = dispute.by_client == claimant
        person = order.client if client else order.builder.user
        figure = dispute.to_client if claimant else dispute.offer
        rest = None if figure is None else dispute.amount - figure
        text = dispute.claim if claimant else dispute.answer
        when = dispute.opened_at if claimant else dispute.answered_at
        return Side(person, not client, claimant, person.pk == viewer.pk, text, figure, rest, when)

    return Look(dispute, viewer, side(claimant=True), side(claimant=False), url_of(dispute))


def url_of(dispute: Dispute) -> str:
    return reverse("orders:dispute", args=[dispute.number])


def taken_off(order: Order) -> Decimal:
    """What of the price went back when `order` ended with a division of it: by a dispute, or as both agreed."""
    if order.cancel_cause == CancelCause.AGREED:
        agreed = order.partings.filter(status="accepted", to_client__lt=F("amount")).values_list("to_client", flat=True).first()
        return agreed or ZERO
    if order.completed_at is None:
        return ZERO
    over = Dispute.objects.filter(order=order, status__in=[S.SETTLED, S.DECIDED]).values_list("decided_to_client", flat=True).first()
    return over or ZERO


def live_dispute(order: Order) -> Dispute | None:
    return Dispute.objects.live().filter(order=order).first()


def may_dispute(order: Order) -> bool:
    return order.status in DISPUTABLE and order.disputed_at is None


def at_stake(order: Order) -> Decimal:
    """What a dispute about `order` would be about."""
    return escrow.current().position(escrow.Deal("order", order.pk, order.client_id, order.builder.user_id)).locked


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that was added to a dispute."""

    evidence: Evidence
    author: Any
    mine: bool
    by_support: bool
    files: list[File] = field(default_factory=list)


def evidence_of(dispute: Dispute, viewer: Any) -> list[Piece]:
    """Oldest first; two queries."""
    parties = (dispute.order.client_id, dispute.order.builder.user_id)
    rows = dispute.evidence.select_related("author").prefetch_related("files")[:MOST_SHOWN]
    return [Piece(row, row.author, row.author_id == viewer.pk, row.author_id not in parties, files_of(row.files.all())) for row in rows]


def state_of(dispute: Dispute) -> str:
    """Names what may be done now; while it is the same, forms that are being filled in stay as they are."""
    return f"{dispute.status}.{dispute.to_client}.{dispute.offer}"


def mark_of(dispute: Dispute) -> str:
    """Changes whenever the page of the dispute does."""
    return f"{dispute.number}.{state_of(dispute)}.{dispute.evidence.count()}.{get_language()}"


class OnOrders:
    """What the pages of orders show of disputes."""

    def mark(self, order: Order) -> str:
        if order.disputed_at is None:
            return ""
        found = Dispute.objects.live().filter(order=order).values_list("number", "status", "to_client", "offer").first()
        return ".".join(map(str, found or ()))

    def show(self, order: Order, viewer: Any, moment: datetime) -> Addition:
        found = Dispute.objects.filter(order=order).select_related("opened_by").order_by("-number").first()
        if found is None:
            return Addition()
        found.order = order
        look = look_at(found, viewer)
        ended = order.completed_at or order.cancelled_at
        by_it = found.is_live or (ended is not None and found.closed_at is not None and found.status in (S.SETTLED, S.DECIDED))
        return Addition(
            helm=helm.steer_dispute(found, viewer, href=look.url) if by_it else None,
            acts="orders/disputes/_acts.html",
            chip="orders/disputes/_chip.html",
            desk="orders/disputes/_desk.html" if by_it else "",
            context={"look": look, "ended_by_dispute": by_it and not found.is_live},
        )

    def waiting(self, user: Any) -> QuerySet[Dispute, Any]:
        """Unanswered ones of the other side, and answered ones, which either can settle."""
        theirs = Q(status=S.OPEN) | Q(status=S.ESCALATED, answered_at__isnull=True)
        return Dispute.objects.visible_to(user).filter((theirs & ~Q(opened_by=user)) | Q(status=S.ANSWERED)).values_list("order_id", flat=True)

    def helms(self, orders: Iterable[Order], viewer: Any, moment: datetime) -> dict[UUID, Helm]:
        """Of live disputes, and of those with which an order ended. One query."""
        by_id = {order.pk: order for order in orders}
        over = Q(status__in=[S.SETTLED, S.DECIDED])
        rows = Dispute.objects.filter(Q(order__in=by_id)).filter(over | Q(order__disputed_at__isnull=False, closed_at__isnull=True))
        found: dict[UUID, Helm] = {}
        for row in rows.select_related("opened_by", "order__client", "order__builder__user").order_by("number"):
            words = helm.steer_dispute(row, viewer, href=url_of(row))
            if words is not None:
                found[row.order_id] = words
        return found


def with_support() -> QuerySet[Dispute]:
    """Those that wait for a decision, the oldest first."""
    return Dispute.objects.filter(status=S.ESCALATED).with_people().order_by(F("escalated_at"), "number")


def attachments_of(dispute: Dispute) -> QuerySet[Attachment]:
    """What was added to the dispute, or delivered of its order: nothing else of the conversation."""
    added = Q(pk__in=Evidence.files.through.objects.filter(evidence__dispute=dispute).values("attachment"))
    delivered = Q(pk__in=Delivery.files.through.objects.filter(delivery__order=dispute.order_id).values("attachment"))
    return Attachment.objects.filter(added | delivered)
