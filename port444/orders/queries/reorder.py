"""Ordering again: what was bought, beside what the same package is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.money import usd
from port444.orders.helm import days_words
from port444.orders.models import Order, Requirement

OTHERS = 6


@dataclass(frozen=True, slots=True)
class Change:
    """One term that is another one now."""

    label: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Reorder:
    """`state` is open, away, paused, gone or custom: only an open package can be ordered, and what came from an offer has none."""

    order: Order
    package: Package | None
    state: str
    changes: list[Change]
    added: list[str]
    left_out: list[str]
    questions: int  # that are asked now
    answered: int  # of them, those that begin with the answer of last time
    others: Sequence[Service]

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def is_same(self) -> bool:
        return not (self.changes or self.added or self.left_out)


def reorder_of(order: Order, moment: datetime) -> Reorder:
    """What ordering again would be; its package, service, builder and their user must be at hand. At most two queries."""
    package, state = order.package, _state(order, moment)
    if package is None or state == "gone":
        others = Service.objects.filter(builder=order.builder).listed().exclude(pk=order.service_id).order_by("-order_count", "-pk")[:OTHERS]
        return Reorder(order, None, state, [], [], [], 0, 0, list(others))
    asked = order.service.questions
    before = {(row.label, row.kind) for row in Requirement.objects.filter(order=order)} if asked else set()
    return Reorder(
        order,
        package,
        state,
        _changes(order, package),
        [line for line in package.deliverables if line not in order.deliverables],
        [line for line in order.deliverables if line not in package.deliverables],
        len(asked),
        sum((question["label"], question.get("kind", "text")) in before for question in asked),
        [],
    )


def _state(order: Order, moment: datetime) -> str:
    builder, service, package = order.builder, order.service, order.package
    closed = builder.user.is_suspended or not builder.user.is_active
    if package is None and not closed:
        return "custom"
    if package is None or closed or not package.is_offered or service.status == ServiceStatus.DRAFT:
        return "gone"
    if service.status == ServiceStatus.PAUSED:
        return "paused"
    return "away" if builder.away_stops_orders and builder.is_away_at(moment) else "open"


def _changes(order: Order, package: Package) -> list[Change]:
    terms = [
        (_("Price"), usd(order.price), usd(package.price)),
        (_("Delivered in"), days_words(order.delivery_days), days_words(package.delivery_days)),
        (_("Revisions"), str(order.revisions_allowed), str(package.revisions)),
        (_("Name"), order.title, order.service.title),
    ]
    return [Change(*term) for term in terms if term[1] != term[2]]
