"""Every write to a builder's profile."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import F
from django.utils.text import format_lazy, slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import LENGTHS, Builder
from port444.builders.pictures import shrink
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, word_constraint
from port444.kit.ids import uuid7
from port444.kit.money import positive

word_constraint("builders_builder_user_id_key", Conflict(_("You have a builder profile already."), code="profile_exists"))
word_constraint("builders_builder_slug_key", Conflict(_("Somebody took that address at the same moment. Please try again."), code="slug_taken"))
word_constraint("builder_calls_have_a_price", Invalid(_("Set a price for at least one length of call, or stop offering calls."), code="call_price"))
for _minutes in LENGTHS:
    word_constraint(
        f"builder_call_price_{_minutes}_positive",
        Invalid(format_lazy(_("The price of a call of {minutes} minutes must be more than zero."), minutes=_minutes), code="call_price"),
    )


class Profile(TypedDict, total=False):
    """What a builder says about themselves."""

    headline: str
    about: str
    skills: list[str]
    languages: list[str]
    city: str
    meeting_url: str


def check_fields(row: models.Model, names: Mapping[str, object]) -> None:
    """Check the named fields of `row` as a form would. Raises Invalid with the first fault."""
    others = {field.name for field in row._meta.fields} - set(names)
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        name, faults = next(iter(error.message_dict.items()))
        label = str(getattr(row._meta.get_field(name), "verbose_name", name))
        raise Invalid(f"{label.capitalize()}: {faults[0]}", code="field") from None


def write_changes(row: models.Model, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Save those `values` that differ from `row`, checked; gives what they were and what they are."""
    before = {name: getattr(row, name) for name, value in values.items() if getattr(row, name) != value}
    after = {name: values[name] for name in before}
    for name, value in after.items():
        setattr(row, name, value)
    check_fields(row, after)
    if after:
        row.save(update_fields=list(after))
    return before, after


def _free_slug(name: str) -> str:
    base = slugify(name)[:50].strip("-") or "builder"
    return base if not Builder.objects.filter(slug=base).exists() else f"{base}-{secrets.token_hex(3)}"


def own(builder_id: UUID, actor: User) -> Builder:
    """The profile of `actor`, locked. Raises NotAllowed for anybody else."""
    builder = Builder.objects.lock(builder_id)
    if builder.user_id != actor.pk:
        raise NotAllowed(_("Only the builder can change this profile."))
    return builder


@transaction.atomic
def create_builder(user: User, *, actor: User, **profile: Unpack[Profile]) -> Builder:
    """Open the builder's side of a user who offers work. Raises Conflict when there is one."""
    user = User.objects.lock(user.pk)
    if actor.pk != user.pk:
        raise NotAllowed(_("Only you can open your builder profile."))
    if not user.is_builder:
        raise NotAllowed(_("Say in your settings that you offer work, then open your builder profile."))
    if Builder.objects.filter(user=user).exists():
        raise Conflict(_("You have a builder profile already."), code="profile_exists")
    builder = Builder(user=user, slug=_free_slug(user.name), created_at=now(), **profile)
    check_fields(builder, {"headline": "", **profile})
    builder.save()
    record(Event.BUILDER_CHANGED, actor=actor, target=builder, after={"slug": builder.slug, **profile})
    return builder


@transaction.atomic
def change_builder(builder_id: UUID, *, actor: User, **profile: Unpack[Profile]) -> Builder:
    """Change the given parts of the profile."""
    builder = own(builder_id, actor)
    before, after = write_changes(builder, profile)
    if after:
        builder.changed_at = now()
        builder.save(update_fields=["changed_at"])
        record(Event.BUILDER_CHANGED, actor=actor, target=builder, before=before, after=after)
    return builder


@transaction.atomic
def set_call_prices(builder_id: UUID, *, actor: User, enabled: bool, prices: Mapping[int, Decimal | None]) -> Builder:
    """Say which lengths of call are on offer (minutes to price, None takes one off) and whether calls are offered at all."""
    builder = own(builder_id, actor)
    if unknown := set(prices) - set(LENGTHS):
        raise Invalid(gettext("Calls last 15, 30 or 60 minutes, not %(minutes)s.") % {"minutes": min(unknown)}, code="call_length")
    values: dict[str, Any] = {f"consultation_{minutes}min_price": positive(price) if price is not None else None for minutes, price in prices.items()}
    offered = {f"consultation_{m}min_price": getattr(builder, f"consultation_{m}min_price") for m in LENGTHS} | values
    if enabled and not any(offered.values()):
        raise Invalid(_("Set a price for at least one length of call, or stop offering calls."), code="call_price")
    before, after = write_changes(builder, {"consultation_enabled": enabled, **values})
    if after:
        record(Event.BUILDER_CHANGED, actor=actor, target=builder, before=before, after=after)
    return builder


def change_photo(builder_id: UUID, *, actor: User, upload: Any) -> Builder:
    """Put up a photo. The file is stored before the transaction, because storage may be across the network."""
    name = default_storage.save(f"photos/{uuid7()}.jpg", ContentFile(shrink(upload)))
    try:
        return _point_at_photo(builder_id, actor, name)
    except Exception:
        default_storage.delete(name)
        raise


def remove_photo(builder_id: UUID, *, actor: User) -> Builder:
    """Go back to the drawn portrait."""
    return _point_at_photo(builder_id, actor, "")


@transaction.atomic
def _point_at_photo(builder_id: UUID, actor: User, name: str) -> Builder:
    builder = own(builder_id, actor)
    old = builder.photo.name
    if old == name:
        return builder
    builder.photo.name, builder.changed_at = name, now()
    builder.save(update_fields=["photo", "changed_at"])
    record(Event.BUILDER_CHANGED, actor=actor, target=builder, before={"photo": old}, after={"photo": name})
    if old:
        transaction.on_commit(lambda: default_storage.delete(old))
    return builder


def count_review(builder_id: UUID, stars: int) -> None:
    """Add one review's stars; call it in the transaction that notes it as counted."""
    Builder.objects.filter(pk=builder_id).update(rating_sum=F("rating_sum") + stars, rating_count=F("rating_count") + 1)


def count_completed(builder_id: UUID, *, on_time: bool | None) -> None:
    """Add one completed order, and whether it came by its date (None: nobody can say); call it in the transaction that completes it."""
    Builder.objects.filter(pk=builder_id).update(
        completed_count=F("completed_count") + 1,
        on_time_count=F("on_time_count") + int(on_time or 0),
        timed_count=F("timed_count") + int(on_time is not None),
    )
