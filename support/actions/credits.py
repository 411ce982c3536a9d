"""Giving somebody a credit, and taking one back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.urls import reverse

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.money import ZERO, parse, positive, usd
from port444.notifications.actions import notify
from port444.payments.actions import Grant, issue_credit, void_credit
from port444.payments.credits import lock_one
from port444.payments.models import Credit, CreditScope, CreditSource
from port444.payments.queries import standing_of
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan

MOST = Decimal("5000.00")
LONGEST = timedelta(days=731)
MOST_WORDS = 120
LEAST_TOLD, MOST_TOLD = 10, 300


# Giving


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan asks for, read."""

    amount: Decimal
    scope: CreditScope
    builder: Builder | None
    category: Category | None
    last_day: date
    label: str

    @property
    def ends(self) -> datetime:
        """The last second of the last day, in UTC: that day counts."""
        return datetime.combine(self.last_day, time(23, 59, 59), UTC)

    @property
    def pays_for(self) -> str:
        if self.builder is not None:
            return f"Work of {self.builder.user.name}"
        return f"Work in {self.category.name}" if self.category is not None else "Everything"


def _check_issue(asked: Mapping[str, Any]) -> dict[str, Any]:
    amount = positive(parse(str(asked.get("amount") or "")))
    if amount > MOST:
        raise Invalid(f"A credit is {usd(MOST)} at most.", code="amount")
    label = " ".join(str(asked.get("label") or "").split())
    if not label or len(label) > MOST_WORDS:
        raise Invalid(f"Say in at most {MOST_WORDS} characters what it is for. The person reads it.", code="label")
    scope = str(asked.get("scope") or CreditScope.ALL)
    if scope not in CreditScope.values:
        raise Invalid("Say what it may pay for.", code="scope")
    builder, category = str(asked.get("builder") or ""), str(asked.get("category") or "")
    if scope == CreditScope.BUILDER and not Builder.objects.filter(slug=builder).exists():
        raise Invalid("No builder has this name in an address.", code="builder")
    if scope == CreditScope.CATEGORY and not Category.objects.filter(slug=category).exists():
        raise Invalid("Choose the category.", code="category")
    last_day = _day(asked.get("last_day"))
    return {
        "amount": str(amount),
        "label": label,
        "scope": scope,
        "builder": builder if scope == CreditScope.BUILDER else "",
        "category": category if scope == CreditScope.CATEGORY else "",
        "last_day": last_day.isoformat(),
    }


def _day(said: Any) -> date:
    """The last day of a credit; three months from today when nothing is said."""
    today = now().astimezone(UTC).date()
    try:
        day = said if isinstance(said, date) else date.fromisoformat(str(said)) if said else today + timedelta(days=90)
    except ValueError:
        raise Invalid("Write the day as a date.", code="last_day") from None
    if not today <= day <= today + LONGEST:
        raise Invalid("A credit ends today or within two years.", code="last_day")
    return day


def _wanted(asked: Mapping[str, Any]) -> Wanted:
    return Wanted(
        amount=Decimal(asked["amount"]),
        scope=CreditScope(asked["scope"]),
        builder=Builder.objects.select_related("user").filter(slug=asked["builder"]).first() if asked["builder"] else None,
        category=Category.objects.filter(slug=asked["category"]).first() if asked["category"] else None,
        last_day=date.fromisoformat(asked["last_day"]),
        label=asked["label"],
    )


def _person(plan: Plan) -> User:
    """Whom the plan is about, or else who pays for its order."""
    found = plan.target_user_id or (plan.order.client_id if plan.order is not None else None)
    if found is None:
        raise Invalid("Say who gets it.", code="person_missing")
    return User.objects.get(pk=found)


def _lock_issue(plan: Plan) -> None:
    User.objects.lock(_person(plan).pk)


def _preview_issue(plan: Plan) -> Preview:
    person, wanted, moment = _person(plan), _wanted(plan.asked), now()
    has = (
        Credit.objects.filter(user=person, remaining__gt=0).exclude(pk__in=Credit.objects.ended(moment)).aggregate(sum=Sum("remaining"))["sum"]
        or ZERO
    )
    blocked = []
    if wanted.ends <= moment:
        blocked.append("Its last day has passed.")
    if person.is_suspended:
        blocked.append("This account is suspended.")
    if person.is_staff:
        blocked.append("This is an account of staff.")
    if not person.is_client:
        blocked.append("This person buys nothing here, and credits pay for nothing else.")
    if (wanted.scope == CreditScope.BUILDER and wanted.builder is None) or (wanted.scope == CreditScope.CATEGORY and wanted.category is None):
        blocked.append("What it was to pay for is not there any more.")
    if wanted.builder is not None and wanted.builder.user_id == person.pk:
        blocked.append("Nobody orders from themselves.")
    if wanted.builder is not None and wanted.builder.user_id == plan.requester_id:
        blocked.append("You cannot give credits for your own work.")
    figures = (
        Figure("This credit", str(wanted.amount), "0.00", wanted.label),
        Figure("Credits that can be used", str(has + wanted.amount), str(has), "", is_sum=True),
        Figure("Pays for", wanted.pays_for),
        Figure("Last day", f"{wanted.last_day:%-d %B %Y}", note="To its end in UTC"),
        Figure("Borne by", "port444", note="Builders are paid in full. It is never paid out."),
    )
    return Preview(
        f"Give {person.name} a credit of {usd(wanted.amount)}",
        figures,
        amount=wanted.amount,
        tells=(f'{person.name}, by e-mail and on the page of credits: "{wanted.label}"',),
        blocked=tuple(blocked),
        facts={"person": str(person.pk), "ends": wanted.ends.isoformat(), "suspended": person.is_suspended},
    )


def _issue(plan: Plan, actor: Any) -> Done:
    person, wanted = _person(plan), _wanted(plan.asked)
    grant = Grant(
        amount=wanted.amount,
        source=CreditSource.ADMIN,
        source_id=plan.pk,
        label=wanted.label,
        builder_id=wanted.builder.pk if wanted.builder else None,
        category_id=wanted.category.pk if wanted.category else None,
        expires_at=wanted.ends,
        notes=plan.reason,
    )
    credit = issue_credit(person, grant, actor=actor)
    notify(
        person,
        "credit.issued",
        title=f"You have a credit of {usd(wanted.amount)}",
        body=f"{wanted.label[:1].upper()}{wanted.label[1:]}. It pays for: {wanted.pays_for[:1].lower()}{wanted.pays_for[1:]}. "
        f"It is used by itself when you next order, until {wanted.last_day:%-d %B %Y}.",
        url=reverse("payments:credits"),
        dedupe_key=f"credit.issued:{credit.pk}",
    )
    return Done(f"Gave {person.name} a credit of {usd(wanted.amount)}: {wanted.label}", {"credit": str(credit.pk)})


def _earns(plan: Plan) -> list[UUID]:
    """Whose work it pays for, when it pays for nobody else's."""
    slug = plan.asked.get("builder")
    return list(Builder.objects.filter(slug=slug).values_list("user_id", flat=True)) if slug else []


ISSUE = Kind("issue_credits", ActionType.CREDIT_ISSUE, _check_issue, _preview_issue, _lock_issue, _issue, _earns)


# Taking back


def _check_void(asked: Mapping[str, Any]) -> dict[str, Any]:
    told = " ".join(str(asked.get("told") or "").split())
    if not LEAST_TOLD <= len(told) <= MOST_TOLD:
        raise Invalid(f"Say in {LEAST_TOLD} to {MOST_TOLD} characters why. The person reads it.", code="told")
    try:
        credit = Credit.objects.filter(pk=UUID(str(asked.get("credit")))).first()
    except ValueError:
        credit = None
    if credit is None:
        raise Invalid("No credit has this id.", code="credit")
    return {"credit": str(credit.pk), "told": told}


def _lock_void(plan: Plan) -> None:
    lock_one(UUID(plan.asked["credit"]))


def _preview_void(plan: Plan) -> Preview:
    credit = Credit.objects.select_related("user").get(pk=plan.asked["credit"])
    sums = standing_of(credit)
    blocked = []
    if plan.target_user_id != credit.user_id:
        blocked.append("This credit is somebody else's.")
    if not credit.remaining:
        blocked.append("Nothing is left of this credit.")
    elif credit.is_expired(now()):
        blocked.append("This credit has ended.")
    figures = (
        Figure("Left of it", "0.00", str(credit.remaining), credit.label),
        Figure("Held by checkouts", str(sums.held), str(sums.held), "Stays until they are paid or left; then it is taken back, too"),
        Figure("Paid with", str(sums.spent), str(sums.spent), "Stays; what comes back of it is taken back, too"),
        Figure("Taken back", str(sums.voided + credit.remaining), str(sums.voided)),
        Figure("Given", str(credit.amount), str(credit.amount), "", is_sum=True),
    )
    return Preview(
        f"Take back {usd(credit.remaining)} of a credit of {credit.user.name}",
        figures,
        amount=credit.remaining,
        tells=(f'{credit.user.name}: "{plan.asked["told"]}"',),
        always="What comes from a call is the client's own money" if credit.is_prepaid else "",
        blocked=tuple(blocked),
        facts={"credit": str(credit.pk), "entries": sums.last},
    )


def _void(plan: Plan, actor: Any) -> Done:
    credit = Credit.objects.select_related("user").get(pk=plan.asked["credit"])
    gone = void_credit(credit.pk, actor=actor, told=plan.asked["told"])
    return Done(f"Took back {usd(gone)} of a credit of {credit.user.name}: {credit.label}", {"credit": str(credit.pk), "amount": str(gone)})


VOID = Kind("issue_credits", ActionType.CREDIT_VOID, _check_void, _preview_void, _lock_void, _void)
