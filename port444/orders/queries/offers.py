"""Reads of custom offers: their cards in a conversation, what a builder can offer there, where an order came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from port444.builders.models import Builder
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import usd
from port444.messaging.handlers import Card, Chip, Panel, Place
from port444.messaging.models import Conversation
from port444.orders.models import Offer, OfferStatus, Order, OrderStatus

S = OfferStatus
BESIDE = 6  # packages beside a thread
MOST_PACKAGES = 30  # in the form


@dataclass(frozen=True, slots=True)
class Look:
    """An offer as one reader sees it at one moment. `state` is its status, or "expired" when only the clock has said so."""

    offer: Offer
    state: str
    is_builder: bool
    zone: str

    @property
    def is_open(self) -> bool:
        return self.state == S.OPEN

    @property
    def mine(self) -> bool:
        return self.offer.by_client != self.is_builder

    @property
    def may_accept(self) -> bool:
        return self.is_open and not self.offer.by_client and not self.is_builder

    @property
    def may_take_up(self) -> bool:
        """The builder may send what the client proposed."""
        return self.is_open and self.offer.by_client and self.is_builder

    @property
    def may_decline(self) -> bool:
        return self.is_open and not self.mine

    @property
    def wants_me(self) -> bool:
        """The reader is the one to do something: to answer, or to pay."""
        return self.may_decline or (self.to_pay and not self.is_builder)

    @property
    def order(self) -> Order | None:
        """The order that it became, as long as it is one."""
        return self.offer.order if self.state == S.ACCEPTED else None

    @property
    def to_pay(self) -> bool:
        return self.order is not None and self.order.status == OrderStatus.PENDING_PAYMENT

    @property
    def floor(self) -> Decimal | None:
        """The builder's lowest price, where what the client proposes is below it; for the builder's eyes."""
        floor: Decimal | None = self.offer.service.offer_floor
        below = self.may_take_up and self.offer.package_id is not None and floor is not None and self.offer.price < floor
        return floor if below else None

    @property
    def total(self) -> Decimal:
        total: Decimal = self.offer.price + self.offer.client_fee
        return total

    @property
    def tag(self) -> tuple[str, str, str]:
        """Words, kind and icon of the mark beside the title; of what is not open."""
        return {
            S.ACCEPTED: (_("Accepted"), "ok", "check"),
            S.DECLINED: (_("Declined"), "quiet", ""),
            S.WITHDRAWN: (_("Withdrawn"), "quiet", ""),
            S.COUNTERED: (_("Answered with other terms"), "quiet", ""),
            S.REPLACED: (_("Sent as an offer"), "quiet", "") if self.offer.by_client else (_("Replaced by a newer one"), "quiet", ""),
            S.EXPIRED: (_("Expired"), "quiet", ""),
        }.get(S(self.state), ("", "", ""))


def look_at(offer: Offer, viewer: Any, moment: datetime) -> Look:
    state = S.EXPIRED if offer.status == S.OPEN and not offer.is_open_at(moment) else offer.status
    return Look(offer, state, viewer.pk != offer.client_id, viewer.time_zone)


def offers_of(user: Any) -> QuerySet[Offer]:
    """The offers that `user` may see, with what their cards need."""
    return Offer.objects.visible_to(user).select_related("client", "builder__user", "conversation", "service", "package", "order")


def card_context(offer: Offer, viewer: Any, moment: datetime) -> dict[str, Any]:
    return {"look": look_at(offer, viewer, moment), "offer": offer, "client_key": uuid7()}


def cards(ids: Sequence[UUID], conversation: Conversation, viewer: Any, moment: datetime) -> Mapping[UUID, Card]:
    """The cards of offers in a conversation; one query."""
    rows = offers_of(viewer).filter(conversation=conversation, pk__in=ids)
    return {offer.pk: Card("orders/offers/_card.html", card_context(offer, viewer, moment)) for offer in rows}


def panels(conversation: Conversation, viewer: Any, moment: datetime) -> Sequence[Panel]:
    """For the builder of the conversation: their packages as offers, and the button beside the message. One query."""
    if viewer.pk != conversation.builder_id:
        return []
    found = list(packages_of_user(viewer)[: BESIDE + 1])
    context = {"conversation": conversation, "packages": found[:BESIDE], "may_offer": bool(found)}
    return [Panel(Place.SIDE, "orders/offers/_side.html", context), Panel(Place.COMPOSER, "orders/offers/_tool.html", context)]


def packages_of_user(user: Any) -> QuerySet[Package]:
    """The packages that a builder sells, those of the most ordered service first."""
    rows = Package.objects.filter(service__builder__user=user, service__status=ServiceStatus.PUBLISHED, is_offered=True)
    return rows.select_related("service").order_by("-service__order_count", "service_id", "price")


def services_of(builder: Builder) -> QuerySet[Service]:
    """The services that an offer can belong to."""
    return Service.objects.filter(builder=builder).exclude(status=ServiceStatus.DRAFT).order_by("-order_count", "pk")


def standing_offer(conversation: Conversation, moment: datetime) -> Offer | None:
    return Offer.objects.standing(moment).filter(conversation=conversation).first()


def offer_of(order: Order) -> Offer | None:
    """The offer that `order` came from."""
    return Offer.objects.filter(order=order).first()


def chips(conversation_ids: Sequence[UUID], user: Any) -> Mapping[UUID, Chip]:
    """For each conversation the offer that stands in it; one query."""
    rows = Offer.objects.standing(now()).filter(conversation__in=conversation_ids)
    return {row.conversation_id: Chip(_("Offer %(price)s") % {"price": usd(row.price)}, "tint", "handshake") for row in rows}


def offer_url(offer: Offer) -> str:
    """The conversation, at the card of the offer."""
    return f"{reverse('messaging:thread', args=[offer.conversation_id])}#card-{offer.pk}"
