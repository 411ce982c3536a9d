"""The private calendar address of a person, and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core import signing
from django.db.models import Q

from consultations.models import CalendarFeed, Consultation, ConsultationStatus

LOOKS_BACK = timedelta(days=90)
SHOWS_CANCELLED = timedelta(days=30)  # long enough for every calendar to have asked
MOST_CALLS = 500
C = ConsultationStatus


def _signer() -> signing.Signer:
    return signing.Signer(sep=".", salt="consultations.feed")


def token_of(feed: CalendarFeed) -> str:
    """What the address carries: whose feed, and which of their addresses, signed."""
    return _signer().sign(f"{feed.pk.hex}-{feed.generation}")


def feed_of(token: str) -> CalendarFeed | None:
    """The feed that a token opens; None for one that was made up, replaced, or whose owner may not sign in."""
    try:
        owner, _, generation = _signer().unsign(token).partition("-")
        key, number = UUID(owner), int(generation)
    except (signing.BadSignature, ValueError):
        return None
    feeds = CalendarFeed.objects.select_related("user").filter(user__is_active=True, user__suspended_at__isnull=True)
    return feeds.filter(pk=key, generation=number).first()


def calls_in_feed(user: Any, moment: datetime) -> Sequence[Consultation]:
    """What comes and what was lately, in both roles; a cancelled call for as long as a calendar may need to hear of it."""
    stands = Q(status__in=[C.SCHEDULED, C.COMPLETED, C.NO_SHOW])
    gone = Q(status=C.CANCELLED, cancelled_at__gte=moment - SHOWS_CANCELLED)
    calls = Consultation.objects.visible_to(user).filter(stands | gone, ends_at__gte=moment - LOOKS_BACK)
    return list(calls.select_related("client", "builder__user").order_by("-scheduled_at", "-pk")[:MOST_CALLS])
