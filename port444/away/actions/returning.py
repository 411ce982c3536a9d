"""The return: who wants to hear of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from port444.away.models import ReturnAlert
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid


@transaction.atomic
def want_to_know(builder_id: UUID, *, actor: Any) -> ReturnAlert:
    """Tell `actor` once when the builder is back; asking again changes nothing."""
    builder = Builder.objects.visible().get(pk=builder_id)
    if builder.user_id == actor.pk:
        raise Invalid("This is you.", code="own_profile")
    ReturnAlert.objects.bulk_create([ReturnAlert(builder=builder, user=actor, created_at=now())], ignore_conflicts=True)
    return ReturnAlert.objects.get(builder=builder, user=actor, told_at__isnull=True)


@transaction.atomic
def forget(builder_id: UUID, *, actor: Any) -> None:
    """`actor` does not want to hear of the return any more."""
    ReturnAlert.objects.filter(builder=builder_id, user=actor, told_at__isnull=True).delete()
