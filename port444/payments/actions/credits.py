"""Giving credits, taking them back, and writing off what has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState, word_constraint, words
from port444.kit.language import speaking_to
from port444.kit.money import ZERO, positive, usd
from port444.notifications.actions import notify
from port444.payments import credits
from port444.payments.models import Credit, CreditScope, CreditSource, CreditStep, CreditUser, Invoice

word_constraint("credit_remaining_within_amount", Conflict(_("This credit was used meanwhile. Please try again."), code="credit_used"))


@dataclass(frozen=True, slots=True)
class Grant:
    """A credit to be given. With a `builder_id` or a `category_id` it pays for work of that builder or category alone."""

    amount: Decimal
    source: CreditSource
    label: str
    source_id: UUID | None = None
    source_invoice: Invoice | None = None
    builder_id: UUID | None = None
    category_id: UUID | None = None
    expires_at: datetime | None = None
    notes: str = ""
    user_type: CreditUser = CreditUser.CLIENT


@transaction.atomic
def issue_credit(user: User, grant: Grant, *, actor: User | None) -> Credit:
    """Give `user` a credit; who may do that is the caller's to check. A source invoice gives one: asking again gives that one."""
    amount, moment = positive(grant.amount), now()
    if grant.builder_id is not None and grant.category_id is not None:
        raise Invalid(gettext("A credit is for one builder or for one category, not both."), code="scope")
    if grant.expires_at is not None and grant.expires_at <= moment:
        raise Invalid(gettext("A credit ends in the future."), code="expired")
    if grant.source_invoice is not None:
        known = Credit.objects.filter(source_invoice=grant.source_invoice).first()
        if known is not None:
            return known
    scope = CreditScope.BUILDER if grant.builder_id else CreditScope.CATEGORY if grant.category_id else CreditScope.ALL
    with words():
        credit = Credit.objects.create(
            user=user,
            user_type=grant.user_type,
            label=grant.label[:120],
            amount=amount,
            remaining=amount,
            source=grant.source,
            source_id=grant.source_id,
            source_invoice=grant.source_invoice,
            applicable_to=scope,
            builder_id=grant.builder_id,
            category_id=grant.category_id,
            expires_at=grant.expires_at,
            issued_by=actor if actor is not None and actor.is_staff else None,
            notes=grant.notes[:600],
            created_at=moment,
        )
        credit.remaining = ZERO  # as the database has it, until the entry
        credits.enter(credit, CreditStep.ISSUED, amount, f"issue:{credit.pk}", moment, actor=actor, note=credit.notes)
    given: dict[str, Any] = {"amount": amount, "applicable_to": scope, "expires_at": grant.expires_at, "label": credit.label}
    record(Event.CREDIT_ISSUED, actor=actor, target=credit, amount=amount, after=given, user=user.pk, source=grant.source)
    return credit


@transaction.atomic
def void_credit(credit_id: UUID, *, actor: User, told: str) -> Decimal:
    """Take back what is left of a credit, and what comes back to it later; its owner is `told` why. Who may is the caller's to check.

    What a checkout holds of it stays: somebody is looking at that price. How much was taken back. Raises WrongState when nothing is left.
    """
    credit, moment = credits.lock_one(credit_id), now()
    gone: Decimal = credit.remaining
    if not gone or credit.is_expired(moment):
        raise WrongState(gettext("Nothing is left of this credit."), code="credit_empty")
    credits.take_back(credit, gone, moment, note=told, actor=actor)
    record(Event.CREDIT_VOIDED, actor=actor, target=credit, amount=gone, user=credit.user_id, told=told)
    with speaking_to(credit.user):
        notify(
            credit.user,
            "credit.voided",
            title=gettext("Your credit of %(gone)s was taken back") % {"gone": usd(gone)},
            body=told,
            url=reverse("payments:credits"),
            dedupe_key=f"credit.voided:{credit.pk}:{moment.isoformat()}",
        )
    return gone


@transaction.atomic
def expire_credit(credit_id: UUID) -> Decimal:
    """Write off what is left of a credit that has ended; nothing while it has not. How much that was."""
    return credits.expire(credits.lock_one(credit_id), now())
