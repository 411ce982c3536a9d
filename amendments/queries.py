"""Reading amendments: what is open, what was, and what one would change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal

from django.conf import settings

from port444.kit.clock import now
from port444.kit.money import fee
from port444.orders.models import LIVE, Order

from .models import Amendment, AmendmentStatus, AmendmentType
from .terms import LEAST_AMOUNT, LONGEST_DESCRIPTION, MOST_AMOUNT, ONE_REVISION, Terms, terms_of

REVISION_BPS = 2000  # of the package's price, what an extra revision is suggested to cost
DOLLAR = Decimal("1.00")
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Preview:
    """An order before and after a change. `due_after` counts days from the date that stands; the time that the clock stands comes on top.

    Before the answers are sent there is no date: `days_before` and `days_after` say how long the work takes from then.
    """

    price_before: Decimal
    price_after: Decimal
    fee: Decimal
    total: Decimal
    due_before: datetime | None
    due_after: datetime | None
    deliverables_before: tuple[str, ...]
    deliverables_after: tuple[str, ...]
    days_before: int
    days_after: int
    revisions_before: int
    revisions_after: int
    reopens: bool = False

    @property
    def needs_payment(self) -> bool:
        return self.total > 0


def open_amendment(order: Order) -> Amendment | None:
    """The one that waits for somebody, or for escrow."""
    return Amendment.objects.with_people().filter(order=order).open().first()


def amendments_of(order: Order) -> list[Amendment]:
    """All versions of all changes, the newest first."""
    return list(Amendment.objects.with_people().filter(order=order).order_by("-created_at", "-id")[:MOST_SHOWN])


def preview(order: Order, terms: Terms, moment: datetime | None = None) -> Preview:
    """What the order would be with `terms` in force at `moment`."""
    on_top = fee(terms.amount, settings.CLIENT_FEE_BPS)
    return Preview(
        price_before=order.price,
        price_after=order.price + terms.amount,
        fee=on_top,
        total=terms.amount + on_top,
        due_before=order.due_at,
        due_after=order.due_after(terms.days, moment or now(), reopens=terms.reopens),
        deliverables_before=tuple(order.deliverables),
        deliverables_after=(*order.deliverables, *terms.deliverables),
        days_before=order.delivery_days,
        days_after=order.delivery_days + terms.days,
        revisions_before=order.revisions_allowed,
        revisions_after=order.revisions_allowed + terms.revisions,
        reopens=terms.reopens and order.status == "delivered",
    )


def preview_of(amendment: Amendment, moment: datetime | None = None) -> Preview:
    """What the order would be with an open `amendment` in force."""
    return preview(amendment.order, terms_of(amendment), moment)


def may_propose(order: Order) -> bool:
    return order.status in LIVE


def suggested_terms(order: Order, note: str = "") -> Terms:
    """An extra revision as it would be proposed in one press: at the price that these two agreed on before, else at a share of the package."""
    agreed = Amendment.objects.filter(order=order, amendment_type=AmendmentType.OUT_OF_SCOPE_REVISION, status=AmendmentStatus.COMPLETED)
    last = agreed.order_by("-completed_at").values_list("additional_amount", flat=True).first()
    share = fee(order.package.price, REVISION_BPS).quantize(DOLLAR.to_integral_value(), ROUND_UP)
    return Terms(
        amendment_type=AmendmentType.OUT_OF_SCOPE_REVISION,
        reason="One more revision than the package has.",
        description=note.strip()[:LONGEST_DESCRIPTION],
        amount=last or min(max(share, LEAST_AMOUNT), MOST_AMOUNT).quantize(Decimal("0.01")),
        days=settings.REVISION_DAYS,
        revisions=ONE_REVISION,
    )
