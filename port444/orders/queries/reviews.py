"""Reads of reviews: what one side of an order may see of both, pages of them, and how a client stands with builders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from port444.kit.clock import now
from port444.messaging.handlers import Fact
from port444.messaging.models import Conversation
from port444.orders.models import BLIND, Order, OrderStatus, Review, ReviewQuerySet

PAGE = 20
LEAST = 3  # reviews below which a distribution says nothing
BAR = 200  # the length of the longest bar
STARS = (5, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The reviews of a completed order as one of its two people sees them. `theirs` is None while it is not shown."""

    mine: Review | None
    theirs: Review | None
    until: datetime  # the end of the time to write
    is_open: bool
    is_shown: bool
    may_reply: bool

    @property
    def may_write(self) -> bool:
        return self.is_open and self.mine is None

    @property
    def may_change(self) -> bool:
        return self.is_open and self.mine is not None

    @property
    def mark(self) -> str:
        """Changes with what may be done, and with what is shown."""
        replies = [int(one is not None and bool(one.reply)) for one in (self.mine, self.theirs)]
        return f"{int(self.is_open)}{int(self.mine is not None)}{int(self.theirs is not None)}{int(self.may_reply)}{replies[0]}{replies[1]}"


def exchange(order: Order, viewer: Any, moment: datetime) -> Exchange | None:
    """The reviews of a completed order, in one query; None for any other."""
    if order.status != OrderStatus.COMPLETED or order.completed_at is None:
        return None
    written = list(Review.objects.filter(order=order))
    mine = next((row for row in written if row.author_id == viewer.pk), None)
    theirs = next((row for row in written if row.author_id != viewer.pk and row.is_shown(moment)), None)
    is_shown, until = any(row.is_shown(moment) for row in written), order.completed_at + BLIND
    return Exchange(mine, theirs, until, moment < until and not is_shown, is_shown, theirs is not None and theirs.may_reply(moment))


@dataclass(frozen=True, slots=True)
class Bar:
    stars: int
    count: int
    width: int


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One page of reviews. The figures are of all of them, whatever was picked."""

    reviews: list[Review]
    after: str
    count: int
    mean: Decimal | None
    bars: list[Bar]
    as_described: Decimal | None
    communication: Decimal | None

    @property
    def is_few(self) -> bool:
        return self.count < LEAST


def review_page(rows: ReviewQuerySet, *, stars: int | None = None, after: UUID | None = None, limit: int = PAGE) -> ReviewPage:
    """A page of `rows`, newest first, continued behind the review `after`; two queries, and one more to continue."""
    sums = rows.aggregate(
        **{f"of_{n}": Count("pk", filter=Q(stars=n)) for n in STARS}, as_described=Avg("as_described"), communication=Avg("communication")
    )
    counts = {n: int(sums[f"of_{n}"]) for n in STARS}
    total = sum(counts.values())
    picked = rows.filter(stars=stars) if stars else rows
    place = rows.filter(pk=after).values_list("shown_at", flat=True).first() if after else None
    if place is not None:
        picked = picked.filter(Q(shown_at__lte=place) & (Q(shown_at__lt=place) | Q(pk__lt=after)))
    found = list(picked.select_related("author", "about", "service").newest_first()[: limit + 1])
    return ReviewPage(
        reviews=found[:limit],
        after=str(found[limit - 1].pk) if len(found) > limit else "",
        count=total,
        mean=_mean(sum(n * count for n, count in counts.items()), total),
        bars=[Bar(n, count, BAR * count // max(1, *counts.values())) for n, count in counts.items()],
        as_described=_one_place(sums["as_described"]),
        communication=_one_place(sums["communication"]),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What builders have given a client, in stars."""

    count: int
    mean: Decimal | None
    href: str


def standing(conversation_id: UUID, client_id: UUID, moment: datetime) -> Standing:
    """How a client stands, for the builder of this conversation with them; one query."""
    sums = Review.objects.of_client(client_id, moment).aggregate(stars=Sum("stars"), count=Count("pk"))
    href = reverse("orders:client_reviews", args=[conversation_id])
    return Standing(sums["count"], _mean(sums["stars"] or 0, sums["count"]), href)


def facts(conversation: Conversation, user: Any) -> Sequence[Fact]:
    """How the client stands, beside a conversation; for the builder alone."""
    if user.pk != conversation.builder_id:
        return []
    found = standing(conversation.pk, conversation.client_id, now())
    if not found.count:
        return [Fact(_("Reviews by builders"), _("none yet"))]
    return [Fact(_("Reviews by builders"), _("%(mean)s of 5 (%(count)s)") % {"mean": found.mean, "count": found.count}, found.href)]


def _mean(total: int, count: int) -> Decimal | None:
    return _one_place(Decimal(total) / count) if count else None


def _one_place(value: Any) -> Decimal | None:
    return Decimal(value).quantize(Decimal("0.1")) if value is not None else None
