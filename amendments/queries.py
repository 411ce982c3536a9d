"""Reading amendments: what is open, what was, and what one would change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.utils.translation import get_language

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, fee
from port444.orders.handlers import Addition
from port444.orders.helm import Helm
from port444.orders.models import LIVE, WORKING, Order
from port444.orders.queries import disputes
from port444.payments import credits
from port444.payments.models import EscrowAttempt, EscrowOperation

from . import helm
from .checkout import credit_wish
from .models import EXTRA_REVISION, OPEN, Amendment, AmendmentStatus, AmendmentType
from .terms import LEAST_AMOUNT, LONGEST_DESCRIPTION, MOST_AMOUNT, ONE_REVISION, Terms, terms_of

REVISION_BPS = 2000  # of the package's price, what an extra revision is suggested to cost
DOLLAR = Decimal(1)
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
    return order.status in LIVE and order.disputed_at is None and not order.asks_more


def may_ask_for_time(order: Order) -> bool:
    """Whether the builder works against a date."""
    return order.status in WORKING and may_propose(order)


def suggested_terms(order: Order, note: str = "", *, known: Sequence[Amendment] | None = None) -> Terms:
    """An extra revision as it would be proposed in one press: at the price that these two agreed on before, else at a share of the package.

    `known` are the order's changes, newest first, where they have been read already.
    """
    rows = amendments_of(order) if known is None else known
    agreed = (row for row in rows if row.amendment_type == AmendmentType.OUT_OF_SCOPE_REVISION and row.status == AmendmentStatus.COMPLETED)
    last = next((row.additional_amount for row in agreed), None)
    whole = order.package.price if order.package else order.price
    share = fee(whole, REVISION_BPS).quantize(DOLLAR, ROUND_UP)
    return Terms(
        amendment_type=AmendmentType.OUT_OF_SCOPE_REVISION,
        reason=EXTRA_REVISION,
        description=note.strip()[:LONGEST_DESCRIPTION],
        amount=last or min(max(share, LEAST_AMOUNT), MOST_AMOUNT).quantize(Decimal("0.01")),
        days=settings.REVISION_DAYS,
        revisions=ONE_REVISION,
    )


# The pages


def as_written(amendment: Amendment) -> Preview:
    """What an amendment did, or would have done, to the order as it was when it was proposed."""
    terms, order = terms_of(amendment), amendment.order
    due, then = amendment.due_before, amendment.due_after
    completed = amendment.status == AmendmentStatus.COMPLETED
    revisions = order.revisions_allowed
    return Preview(
        price_before=amendment.price_before,
        price_after=amendment.price_after,
        fee=amendment.client_fee,
        total=amendment.total,
        due_before=due,
        due_after=then if completed else due + timedelta(days=terms.days) if due is not None else None,
        deliverables_before=tuple(amendment.deliverables_before),
        deliverables_after=(*amendment.deliverables_before, *terms.deliverables),
        days_before=order.delivery_days - (terms.days if completed else 0),
        days_after=order.delivery_days + (0 if completed else terms.days),
        revisions_before=revisions - (terms.revisions if completed else 0),
        revisions_after=revisions + (0 if completed else terms.revisions),
    )


def look_at(amendment: Amendment, viewer: Any, moment: datetime) -> helm.Look:
    """How `viewer` meets the amendment. To a client who has not approved yet it says what their credits would pay."""
    is_open = amendment.status in OPEN
    asked = amendment.status == AmendmentStatus.PENDING and amendment.additional_amount and viewer.pk == amendment.order.client_id
    credit = credits.preview(viewer.pk, credit_wish(amendment.order, amendment), moment) if asked else ZERO
    return helm.look(amendment, viewer, moment, preview_of(amendment, moment) if is_open else as_written(amendment), credit=credit)


def credit_for(order: Order, terms: Terms, moment: datetime) -> Decimal:
    """What the client's credits would pay of a change that is not proposed yet."""
    if not terms.amount:
        return ZERO
    return credits.preview(order.client_id, credit_wish(order, Amendment(order=order, additional_amount=terms.amount)), moment)


def versions_of(amendment: Amendment, all_of_order: Sequence[Amendment]) -> list[Amendment]:
    """The versions of one change, oldest first, out of all that the order has."""
    by_id = {row.pk: row for row in all_of_order}
    newer = {row.replaces_id: row for row in all_of_order if row.replaces_id is not None}
    first = by_id.get(amendment.pk, amendment)
    while first.replaces_id in by_id:
        first = by_id[first.replaces_id]
    chain = [first]
    while chain[-1].pk in newer:
        chain.append(newer[chain[-1].pk])
    return chain


def operations_of(amendment: Amendment) -> list[EscrowOperation]:
    """What escrow was asked for this amendment, oldest first, with the transactions that were sent."""
    rows = EscrowOperation.objects.filter(subject_id=amendment.order_id, op_id__startswith=f"amendment:{amendment.pk}:")
    return list(rows.prefetch_related(Prefetch("attempts", EscrowAttempt.objects.defer("raw").order_by("created_at"))).order_by("number"))


def in_force(amendments: Iterable[Amendment]) -> list[Amendment]:
    """The changes that the order is made of, oldest first."""
    return sorted((row for row in amendments if row.status == AmendmentStatus.COMPLETED), key=lambda row: row.completed_at or row.created_at)


def mark_of(amendment: Amendment | None) -> str:
    """Changes whenever the amendment's state does, or its way into escrow."""
    if amendment is None:
        return ""
    tries = EscrowOperation.objects.filter(op_id=amendment.funding).values_list("status", "attempts__tx_hash") if amendment.funding else ()
    facts = (amendment.pk, amendment.status, amendment.expires_at, sorted(map(str, tries)), get_language())
    return sha256("|".join(map(str, facts)).encode()).hexdigest()[:16]


def waiting_for(user: Any) -> QuerySet[Amendment, Any]:
    """The ids of orders with a change on which `user` has to act."""
    mine, theirs = Q(requested_by=user), ~Q(requested_by=user)
    turn = (
        Q(status=AmendmentStatus.PENDING) & theirs
        | Q(status=AmendmentStatus.CHANGES_REQUESTED) & mine
        | Q(status__in=[AmendmentStatus.APPROVED, AmendmentStatus.FUNDING_FAILED], order__client=user)
    )
    return Amendment.objects.visible_to(user).filter(turn).values_list("order_id", flat=True)


class OnOrders:
    """What the pages of orders show of amendments."""

    def mark(self, order: Order) -> str:
        """Of the newest: a change that is open is always the newest."""
        return mark_of(Amendment.objects.filter(order=order).only("pk", "status", "funding", "expires_at").order_by("-created_at", "-id").first())

    def show(self, order: Order, viewer: Any, moment: datetime) -> Addition:
        rows = amendments_of(order)
        found = next((row for row in rows if row.status in OPEN), None)
        if found is not None:
            found.order = order
        view = look_at(found, viewer, moment) if found is not None else None
        tries = [helm.attempt(row) for row in operations_of(found)] if found is not None and found.funding else []
        done, spent = in_force(rows), self._spent(order, viewer, rows) if found is None else None
        added = sum((row.additional_amount for row in done), ZERO)
        taken = disputes.taken_off(order) if done else ZERO
        context = {
            "look": view,
            "tries": tries,
            "in_force": done,
            "added": added,
            "original": order.price - added + taken,
            "taken": taken,
            "count": sum(row.status != AmendmentStatus.SUPERSEDED for row in rows),
            "may_propose": found is None and may_propose(order),
            "may_ask_for_time": found is None and order.is_builder(viewer) and may_ask_for_time(order),
            "client_key": uuid7(),
            "suggested": spent,
        }
        return Addition(
            helm=view.helm if view is not None else None,
            acts="amendments/_acts.html",
            chip="amendments/_chip.html" if rows else "",
            desk="amendments/_desk.html" if view is not None else "",
            spent="amendments/_spent.html",
            money="amendments/_money.html" if rows else "",
            clock="amendments/_clock.html" if order.clock_stopped_at is not None and view is not None else "",
            context=context,
        )

    def _spent(self, order: Order, viewer: Any, rows: Sequence[Amendment]) -> Terms | None:
        """What a client whose revisions are used up is offered."""
        if order.status != "delivered" or order.revisions_left > 0 or order.is_builder(viewer):
            return None
        return suggested_terms(order, known=rows)

    def waiting(self, user: Any) -> QuerySet[Amendment, Any]:
        return waiting_for(user)

    def helms(self, orders: Iterable[Order], viewer: Any, moment: datetime) -> dict[UUID, Helm]:
        rows = Amendment.objects.filter(order__in=list(orders)).open().with_people()
        return {row.order_id: helm.steer(row, viewer, row.invoice.total if row.invoice is not None else None) for row in rows}


@dataclass(frozen=True, slots=True)
class Version:
    """One version and what happened to it."""

    amendment: Amendment
    rows: list[helm.Row]
    steps: list[helm.Step]
    tag: str
    tag_kind: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Story:
    """An amendment with its versions and its way into escrow."""

    look: helm.Look
    versions: list[Version]
    newest: Amendment
    tries: list[helm.Try]
    mark: str


def story_of(amendment: Amendment, viewer: Any, moment: datetime) -> Story:
    """Everything that its page shows."""
    chain = versions_of(amendment, amendments_of(amendment.order))
    tries = [helm.attempt(row) for row in operations_of(amendment)] if amendment.funding else []
    versions = [
        Version(row, helm.rows(as_written(row), terms_of(row)), helm.steps(row, viewer), *helm.tag_of(row), row.pk == amendment.pk) for row in chain
    ]
    return Story(look_at(amendment, viewer, moment), versions, chain[-1], tries, mark_of(amendment))
