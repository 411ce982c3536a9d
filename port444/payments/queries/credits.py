"""Reads: what people can pay with beside money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max, Prefetch, Sum

from port444.accounts.models import User
from port444.kit.money import ZERO
from port444.payments.models import (
    Credit,
    CreditEntry,
    CreditQuerySet,
    CreditStep,
    CreditUse,
)

from .documents import PAGE, page_of

STEPS_BESIDE = 12  # of each credit, on the page of its owner


def credits_of(user: User, *, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's credits with what they were used for, newest first, and the key of the next page."""
    newest = CreditEntry.objects.select_related("use__invoice").order_by("-id")[:STEPS_BESIDE]
    rows = credits_with_uses(user).prefetch_related(Prefetch("entries", newest, to_attr="newest"))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return page_of(list(rows.order_by("-pk")[: PAGE + 1]))


def credits_with_uses(user: User) -> CreditQuerySet:
    """The user's credits, each with the uses of which something is kept."""
    kept = Prefetch("uses", CreditUse.objects.kept().select_related("invoice"))
    return Credit.objects.visible_to(user).select_related("builder__user", "category").prefetch_related(kept)


@dataclass(frozen=True, slots=True)
class CreditStanding:
    """Where all of a credit is: these and what is left add up to what was given. `last` is its newest entry."""

    held: Decimal
    spent: Decimal
    expired: Decimal
    voided: Decimal
    last: int


def standing_of(credit: Credit) -> CreditStanding:
    sums: dict[str, Decimal] = dict.fromkeys(CreditStep, ZERO)
    last = 0
    rows = CreditEntry.objects.filter(credit=credit).order_by().values("step").annotate(sum=Sum("amount"), newest=Max("id"))
    for step, amount, newest in rows.values_list("step", "sum", "newest"):
        sums[step], last = amount, max(last, newest)
    return CreditStanding(
        held=sums[CreditStep.HELD] - sums[CreditStep.FREED] - sums[CreditStep.SPENT],
        spent=sums[CreditStep.SPENT] - sums[CreditStep.RETURNED],
        expired=sums[CreditStep.EXPIRED],
        voided=sums[CreditStep.VOIDED],
        last=last,
    )


CREDIT_STEPS_SHOWN = 100


def steps_of(credit: Credit) -> list[CreditEntry]:
    """The newest entries of a credit, and one more when there are more than are shown."""
    entries = CreditEntry.objects.filter(credit=credit).select_related("use__invoice", "actor").order_by("-id")
    return list(entries[: CREDIT_STEPS_SHOWN + 1])
