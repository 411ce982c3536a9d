"""What waits for one person, whatever it is about, the nearest first: orders, offers, reviews, messages, and what apps above add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Min, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from port444.kit.money import usd
from port444.messaging.models import Message, MessageKind
from port444.messaging.queries import read_until, unread_conversations
from port444.orders import handlers, helm
from port444.orders.handlers import Need
from port444.orders.helm import Helm
from port444.orders.models import Offer, OfferStatus, Order, OrderStatus, Review
from port444.orders.models.reviews import BLIND

A_DAY = timedelta(days=1)
MOST_BESIDE = 10  # of each kind that is no order


def of_orders(orders: Iterable[Order], turns: Mapping[UUID, Helm], user: Any, moment: datetime) -> list[Need]:
    """What orders ask of `user`: what an app above says (`turns`, from `handlers.helms`), where that is theirs to do, else the order itself."""
    found = []
    for order in orders:
        turn = turns.get(order.pk)
        own = turn is None or turn.wait
        if own or turn is None:
            turn = helm.steer(order, user, moment)
        url, other = reverse("orders:detail", args=[order.number]), order.other(user)
        href = turn.href if turn.href.startswith("/") else f"{url}{turn.href}"
        until = helm.waits_until(order) if own else turn.at
        text = _("Order %(number)s, custom offer, %(title)s, %(name)s") if order.is_custom else _("Order %(number)s, %(title)s, %(name)s")
        text %= {"number": order.number, "title": order.title, "name": other.name}
        found.append(Need(turn.title, text, href, until, turn.icon_name or "package", other.time_zone, late=own and order.is_late(moment)))
    return found


def besides(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    """What else waits for one side of a person: a fixed number of queries, and of each kind the nearest ten."""
    found = [*_offers(user, moment, as_builder=as_builder), *_messages(user, moment, as_builder=as_builder)]
    found += _reviews(user, moment, as_builder=as_builder)
    return [*found, *handlers.needs(user, moment, as_builder=as_builder)]


@dataclass(frozen=True, slots=True)
class Line:
    """A need as a list shows it to one reader at one moment; `day` and `time` are on the reader's clock."""

    need: Need
    day: str
    time: str
    tag: str
    tag_kind: str
    hot: bool


def lines(found: Iterable[Need], user: Any, moment: datetime) -> list[Line]:
    """The nearest first; what has no date comes last."""
    dated = sorted(found, key=lambda need: (need.until is None, need.until or moment))
    return [_line(need, user, moment) for need in dated]


def _line(need: Need, user: Any, moment: datetime) -> Line:
    if need.until is None:
        return Line(need, "", "", "", "", hot=False)
    day, time = helm.day_and_time(need.until, user.time_zone, moment)
    seconds = (need.until - moment).total_seconds()
    if need.late or seconds <= 0:
        return Line(need, day, time, _("%(span)s late") % {"span": helm.span_words(-seconds)}, "bad", hot=True)
    return Line(
        need,
        day,
        time,
        _("%(span)s left") % {"span": helm.span_words(seconds)},
        "" if seconds < A_DAY.total_seconds() else "quiet",
        seconds < A_DAY.total_seconds(),
    )


def _offers(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    """Offers of the other side that still stand."""
    side = {"builder__user": user, "by_client": True} if as_builder else {"client": user, "by_client": False}
    rows = Offer.objects.filter(status=OfferStatus.OPEN, expires_at__gt=moment, **side).select_related("client", "builder__user")
    return [
        Need(
            (_("%(name)s proposes %(price)s for %(title)s") if as_builder else _("%(name)s offers %(price)s for %(title)s"))
            % {"name": row.author.first_name, "price": usd(row.price), "title": row.title},
            _("%(name)s, in %(days)s") % {"name": row.author.name, "days": helm.days_words(row.delivery_days)},
            reverse("orders:offer", args=[row.pk]),
            row.expires_at,
            "tag",
            row.author.time_zone,
        )
        for row in rows.order_by("expires_at")[:MOST_BESIDE]
    ]


def _messages(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    """Conversations in which something has waited unread for more than a day."""
    unread = Message.objects.filter(conversation=OuterRef("pk"), kind=MessageKind.TEXT).exclude(author=user)
    old = unread.filter(created_at__gt=read_until(user, OuterRef("conversation_id")), created_at__lte=moment - A_DAY)
    oldest = old.order_by().values("conversation").annotate(at=Min("created_at")).values("at")
    rows: Any = unread_conversations(user).filter(**{"builder" if as_builder else "client": user}).filter(Exists(old)).annotate(since=oldest)
    return [
        Need(
            _("Answer %(name)s") % {"name": row.other(user).first_name},
            _("%(name)s wrote %(span)s ago") % {"name": row.other(user).name, "span": helm.span_words((moment - row.since).total_seconds())},
            row.get_absolute_url(),
            None,
            "message-circle",
        )
        for row in rows.select_related("client", "builder").order_by("last_message_at")[:MOST_BESIDE]
    ]


def _reviews(user: Any, moment: datetime, *, as_builder: bool) -> list[Need]:
    """Work that is done and of which this side has said nothing, while it can."""
    mine = Q(builder__user=user) if as_builder else Q(client=user)
    rows = Order.objects.filter(mine, status=OrderStatus.COMPLETED, completed_at__gt=moment - BLIND)
    rows = rows.filter(~Exists(Review.objects.filter(order=OuterRef("pk"), author=user))).select_related("builder__user", "client")
    found = []
    for row in rows.order_by("completed_at")[:MOST_BESIDE]:
        other = row.other(user)
        title = (
            _("Say how it was to work for %(name)s") % {"name": other.first_name}
            if as_builder
            else _("Say how %(name)s’s work was") % {"name": other.first_name}
        )
        href = f"{reverse('orders:detail', args=[row.number])}#desk"
        found.append(
            Need(
                title,
                _("Order %(number)s, %(title)s, %(name)s") % {"number": row.number, "title": row.title, "name": other.name},
                href,
                row.completed_at + BLIND if row.completed_at else None,
                "star",
            )
        )
    return found
