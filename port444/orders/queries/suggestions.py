"""The hint to a builder that a long talk might need an offer, as it stands in the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q

from port444.catalog.models import ServiceStatus
from port444.kit.money import fee
from port444.messaging.handlers import Panel, Place
from port444.messaging.models import Conversation, Report
from port444.messaging.queries import builder_of
from port444.orders.models import RUNNING, Offer, Order, Suggestion, SuggestionStatus


def hint_in(conversation: Conversation, viewer: Any, moment: datetime) -> Suggestion | None:
    """What is suggested to `viewer` in their conversation, as long as it can be sent as it is and nothing has come between; one query."""
    here = {"conversation": OuterRef("conversation")}
    orders = Order.objects.filter(**here).filter(Q(status__in=RUNNING) | Q(placed_at__gt=OuterRef("created_at")))
    offers = Offer.objects.filter(**here).filter(Q(pk__in=Offer.objects.standing(moment)) | Q(created_at__gt=OuterRef("created_at")))
    sold = Q(package__is_offered=True, package__service__status=ServiceStatus.PUBLISHED, package__price=F("list_price"))
    allowed = Q(package__service__offer_floor__isnull=True) | Q(package__service__offer_floor__lte=F("price"))
    shown = Suggestion.objects.visible_to(viewer).filter(sold, allowed, conversation=conversation, status=SuggestionStatus.SHOWN)
    open_still = shown.filter(~Exists(orders), ~Exists(offers), ~Exists(Report.objects.filter(**here)), rests__contains=moment)
    return open_still.select_related("package__service").first()


def panels(conversation: Conversation, viewer: Any, moment: datetime) -> Sequence[Panel]:
    """For the builder alone, and not while they are away or the other side's account is closed."""
    builder, client = builder_of(conversation), conversation.client
    if viewer.pk != conversation.builder_id or builder is None or builder.is_away_at(moment) or client.is_suspended or not client.is_active:
        return []
    hint = hint_in(conversation, viewer, moment)
    if hint is None:
        return []
    context = {
        "hint": hint,
        "conversation": conversation,
        "share": hint.price - fee(hint.price, settings.BUILDER_FEE_BPS),
        "percent": settings.SUGGESTED_DISCOUNT_PERCENT,
        "hours": settings.OFFER_HOURS,
        "days": settings.SUGGESTION_REST_DAYS,
        "is_quiet": conversation.rests_at is None,  # nothing was said since
    }
    return [Panel(Place.FEED, "orders/offers/_hint.html", context)]
