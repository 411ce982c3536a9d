"""What pages of other apps show of away mode."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.template.context import Context

from port444.away.models import ReturnAlert
from port444.builders.models import Builder
from port444.kit.clock import now

register = template.Library()


@dataclass(frozen=True, slots=True)
class Strip:
    """What the strip under the header says: the last day away and the day of the return are dates on the builder's own clock."""

    builder: Builder
    last: datetime
    back: datetime
    ends_today: bool


@register.simple_tag(takes_context=True)
def away_strip(context: Context) -> Strip | None:
    """The strip for a reader who is away just now. Costs nothing: who is signed in came with their profile."""
    user: Any = context.get("user")
    builder: Builder | None = getattr(user, "builder", None)
    moment = now()
    if builder is None or builder.away_until is None or builder.away_last is None or not builder.is_away_at(moment):
        return None
    zone = ZoneInfo(user.time_zone)
    last = builder.away_last.astimezone(zone)
    return Strip(builder, last, builder.away_until.astimezone(zone), moment.astimezone(zone).date() == last.date())


@register.simple_tag(takes_context=True)
def waits_for(context: Context, builder: Builder) -> bool:
    """Whether the reader has asked to hear of the builder's return; one query."""
    user: Any = context.get("user")
    return bool(user and user.is_authenticated and ReturnAlert.objects.filter(builder=builder, user=user, told_at__isnull=True).exists())
