"""What is kept quiet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Q

from auditlog.models import (
    Suppression,
)
from port444.accounts.models import User
from support.drawing import KINDS

from .words import SHOWN


def list_suppressions(user: User, *, ended: bool, before: str, moment: datetime) -> tuple[list[Suppression], str]:
    """Newest first, and the place at which the next page begins. What is about oneself is not among them."""
    rows = Suppression.objects.select_related("incident").exclude(incident__user_id=user.pk, incident__user_id__isnull=False)
    rows = rows.exclude(incident__related_users__contains=[user.pk])
    over = Q(ended_at__isnull=False) | Q(expires_at__lte=moment)
    rows = rows.filter(over) if ended else rows.exclude(over)
    if before:
        try:
            rows = rows.filter(pk__lt=UUID(before))
        except ValueError:
            raise BadRequest("This is not a place in the list.") from None
    found = list(rows.order_by("-pk")[: SHOWN + 1])
    return found[:SHOWN], str(found[SHOWN - 1].pk) if len(found) > SHOWN else ""


def ceiling_words(ceiling: Mapping[str, Any]) -> str:
    """What was accepted, in words."""
    parts = []
    if (people := ceiling.get("people")) is not None:
        parts.append(f"{len(people)} {'person' if len(people) == 1 else 'people'}")
    if kinds := ceiling.get("kinds"):
        parts.append("by " + " and ".join(KINDS[kind][2] if kind in KINDS else str(kind).replace("_", " ") for kind in kinds))
    if ceiling.get("amount"):
        parts.append(f"twice {ceiling['amount']} USDC")
    return "No more than " + ", ".join(parts) if parts else "Whatever is found"
