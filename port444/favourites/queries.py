"""Reads of what somebody saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from port444.builders.models import Builder
from port444.catalog.models import Service, ServiceStatus

from .models import Favourite

PAGE = 20


@dataclass(frozen=True, slots=True)
class Saved:
    """A favourite as it stands now. `state` is open, away, paused or gone; what is gone cannot be opened any more."""

    favourite: Favourite
    builder: Builder
    state: str

    @property
    def service(self) -> Service | None:
        return self.favourite.service

    @property
    def was(self) -> Decimal | None:
        """What the service cost when it was saved, if that is another price."""
        then = self.favourite.price
        return then if self.service and then is not None and then != self.service.from_price else None

    @property
    def is_cheaper(self) -> bool:
        now = self.service.from_price if self.service else None
        return self.was is not None and now is not None and now < self.was


@dataclass(frozen=True, slots=True)
class SavedPage:
    rows: list[Saved]
    after: str


def saved_services(user: Any, moment: datetime, *, after: UUID | None = None) -> SavedPage:
    """The saved services, newest first; one query."""
    rows = Favourite.objects.filter(user=user, service__isnull=False).select_related("service__builder__user").defer("service__description")
    return _page(rows, moment, after)


def saved_builders(user: Any, moment: datetime, *, after: UUID | None = None) -> SavedPage:
    """The saved builders, newest first; one query."""
    return _page(Favourite.objects.filter(user=user, builder__isnull=False).select_related("builder__user"), moment, after)


def _page(rows: Any, moment: datetime, after: UUID | None) -> SavedPage:
    if after is not None:
        rows = rows.filter(pk__lt=after)
    found = list(rows.order_by("-pk")[: PAGE + 1])
    return SavedPage([stand(row, moment) for row in found[:PAGE]], str(found[PAGE - 1].pk) if len(found) > PAGE else "")


def stand(row: Favourite, moment: datetime) -> Saved:
    """A favourite as it stands at `moment`; its builder and their user must be at hand."""
    builder = row.service.builder if row.service else row.builder
    assert builder is not None  # by constraint
    if not builder.user.is_active or builder.user.is_suspended or (row.service and row.service.status == ServiceStatus.DRAFT):
        state = "gone"
    elif row.service and row.service.status == ServiceStatus.PAUSED:
        state = "paused"
    else:
        state = "away" if builder.is_away_at(moment) and (builder.away_stops_orders or row.service is None) else "open"
    return Saved(row, builder, state)


def saved_among(user: Any, services: Iterable[Service]) -> frozenset[UUID]:
    """Which of the services are saved; one query, none for who is not signed in."""
    if user is None or not user.is_authenticated or not (ids := [service.pk for service in services]):
        return frozenset()
    found = Favourite.objects.filter(user=user, service__in=ids).values_list("service_id", flat=True)
    return frozenset(pk for pk in found if pk)


def is_saved(user: Any, builder: Builder) -> bool:
    """One query, none for who is not signed in."""
    return bool(user and user.is_authenticated and Favourite.objects.filter(user=user, builder=builder).exists())
