"""A change as one of its two people meets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from amendments.models import OPEN, Amendment, AmendmentStatus, AmendmentType
from amendments.terms import terms_of
from port444.kit.money import ZERO
from port444.orders.helm import Helm, span_words
from port444.orders.models import Order

from .changes import Row, Sums, rows, sums
from .turns import steer

if TYPE_CHECKING:
    from amendments.queries import Preview

A = AmendmentStatus
T = AmendmentType

ICONS = {
    T.SCOPE_CHANGE: "pencil",
    T.TOP_UP: "coins",
    T.OUT_OF_SCOPE_REVISION: "undo-2",
    T.TIMELINE_EXTENSION: "calendar-clock",
    T.ADD_DELIVERABLE: "package",
}
TAGS: dict[A, tuple[str | Promise, str]] = {
    A.PENDING: (gettext_lazy("Waiting for an answer"), ""),
    A.CHANGES_REQUESTED: (gettext_lazy("Changes asked for"), ""),
    A.APPROVED: (gettext_lazy("To be paid"), ""),
    A.PAID: (gettext_lazy("Going into escrow"), "tint"),
    A.FUNDING: (gettext_lazy("Going into escrow"), "tint"),
    A.FUNDING_FAILED: (gettext_lazy("Not in escrow"), "bad"),
    A.COMPLETED: (gettext_lazy("In force"), "ok"),
    A.REJECTED: (gettext_lazy("Declined"), "quiet"),
    A.WITHDRAWN: (gettext_lazy("Withdrawn"), "quiet"),
    A.SUPERSEDED: (gettext_lazy("Replaced"), "quiet"),
    A.EXPIRED: (gettext_lazy("Lapsed"), "quiet"),
    A.REFUNDED: (gettext_lazy("Money returned"), "quiet"),
}


def tag_of(amendment: Amendment) -> tuple[str, str]:
    words, kind = TAGS[A(amendment.status)]
    return str(words), kind


@dataclass(frozen=True, slots=True)
class Look:
    """An amendment as one reader meets it."""

    amendment: Amendment
    order: Order
    helm: Helm
    tag: str
    tag_kind: str
    icon_name: str
    mine: bool
    pays: bool
    rows: list[Row]
    sums: Sums
    left: str
    stood: str
    reopens: bool

    @property
    def status(self) -> str:
        return str(self.amendment.status)

    @property
    def needs_money(self) -> bool:
        return self.sums.total > 0

    @property
    def can_answer(self) -> bool:
        return self.status == A.PENDING and not self.mine

    @property
    def can_decline(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED, A.APPROVED) and not self.mine

    @property
    def can_withdraw(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED, A.APPROVED) and self.mine

    @property
    def can_revise(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED) and self.mine

    @property
    def can_pay(self) -> bool:
        return self.status == A.APPROVED and self.pays

    @property
    def can_settle(self) -> bool:
        """Escrow did not take the money: the client tries again or takes it back."""
        return self.status == A.FUNDING_FAILED and self.pays

    @property
    def on_its_way(self) -> bool:
        return self.status in (A.PAID, A.FUNDING)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_past(self) -> bool:
        """What it would have changed is of no account any more."""
        return not self.is_open and self.status != A.COMPLETED

    @property
    def waits_for(self) -> str:
        """Whom the order waits for, as "because a change waits for" goes on."""
        if self.on_its_way:
            return pgettext("a change waits for it", "escrow")
        if not self.helm.wait:
            return pgettext("a change waits for them", "you")
        people = {A.PENDING: self.amendment.answerer, A.CHANGES_REQUESTED: self.amendment.proposer}
        return str(people.get(A(self.status), self.order.client).first_name)

    @property
    def after_words(self) -> str:
        if self.status == A.COMPLETED:
            return _("Since then")
        if self.is_past:
            return _("It would have been")
        if self.can_answer:
            return _("If you approve")
        if self.status != A.PENDING:
            return _("When in force")
        return _("If %(name)s approves") % {"name": self.amendment.answerer.first_name}


def look(amendment: Amendment, viewer: Any, moment: datetime, preview: Preview, *, credit: Decimal = ZERO) -> Look:
    """How `viewer` meets the amendment. `preview` says what it does or did; `credit` is what the client's credits would pay of it."""
    order = amendment.order
    tag, kind = tag_of(amendment)
    invoice = amendment.invoice
    cost = sums(order, amendment.additional_amount, amendment.client_fee, invoice.credit if invoice is not None else credit)
    stopped = order.clock_stopped_at
    return Look(
        amendment=amendment,
        order=order,
        helm=steer(amendment, viewer, cost.to_pay),
        tag=tag,
        tag_kind=kind,
        icon_name=ICONS[T(amendment.amendment_type)],
        mine=viewer.pk == amendment.proposer.pk,
        pays=viewer.pk == order.client_id,
        rows=rows(preview, terms_of(amendment)),
        sums=cost,
        left=span_words((amendment.expires_at - moment).total_seconds()),
        stood=span_words((moment - stopped).total_seconds()) if stopped is not None else "",
        reopens=preview.reopens,
    )
