"""Saving services and builders, and letting them go."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid

from .models import Favourite

MOST = 500  # of one person, so that no list is without an end


@transaction.atomic
def save_service(service_id: UUID, *, actor: User) -> Favourite:
    """Keep a service in sight; saving it again changes nothing."""
    service = Service.objects.visible_to(actor).select_related("builder").get(pk=service_id)
    return _save(actor, service, service.builder, service.from_price)


@transaction.atomic
def save_builder(builder_id: UUID, *, actor: User) -> Favourite:
    """Keep a builder in sight; saving them again changes nothing."""
    builder = Builder.objects.visible().get(pk=builder_id)
    return _save(actor, builder, builder, None)


@transaction.atomic
def drop(favourite_id: UUID, *, actor: User) -> None:
    """Let a favourite go; nothing happens when it is gone already."""
    found = Favourite.objects.select_related("service", "builder").filter(pk=favourite_id, user=actor).first()
    thing = (found.service or found.builder) if found else None
    if thing is not None and Favourite.objects.filter(pk=favourite_id).delete()[0]:
        record(Event.FAVOURITE_DROPPED, actor=actor, target=thing)


def _save(actor: User, thing: Service | Builder, builder: Builder, price: Decimal | None) -> Favourite:
    if builder.user_id == actor.pk:
        raise Invalid(_("This is your own."), code="own_favourite")
    User.objects.lock(actor.pk)
    mine, key = Favourite.objects.filter(user=actor), {"service" if isinstance(thing, Service) else "builder": thing}
    found = mine.filter(**key).first()
    if found is not None:
        return found
    if mine.count() >= MOST:
        raise Conflict(_("You have saved %(most)s things. Let some go first.") % {"most": MOST}, code="too_many_saved")
    made = Favourite.objects.create(user=actor, price=price, created_at=now(), **key)
    record(Event.FAVOURITE_SAVED, actor=actor, target=thing)
    return made
