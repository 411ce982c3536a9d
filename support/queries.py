"""What people type into the console's fields, found out; and what the console's header shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, Sum

from auditlog.search import What, Who, proof
from port444.accounts.looks import Look
from port444.accounts.models import User
from port444.orders.models import Order
from port444.payments.models import ChainStatus, Invoice

from .models import ActionType, Plan, PlanStatus, SupportAction, ViewedPage, Viewing, ViewingQuerySet
from .models.plans import STANDS
from .queues import MOST, Case, long, plan_address
from .queues import own_incidents as taken_incidents

RECENT_SHOWN, MINE_SHOWN = 6, 10
LATELY, LONG_AGO = timedelta(days=7), timedelta(days=30)
STALE = timedelta(minutes=3)
LOOKS_SHOWN, PAGES_SHOWN, VIEWINGS_SHOWN = 20, 100, 50

ORDER = re.compile(r"(?:p4-|#)?(\d{1,9})", re.IGNORECASE)
HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)


def who(said: str) -> tuple[tuple[Who, UUID | str], ...]:
    """The ways in which a row of the log can be of the person whose id or e-mail this is; acting for somebody counts for both."""
    try:
        key = UUID(said)
    except ValueError:
        email = said.lower()
        people = list(User.objects.filter(email__iexact=said).values_list("pk", flat=True)[:1])
        # The address that the log has is the one of then; somebody who has a new one is found by both.
        named: list[tuple[Who, UUID | str]] = [("actor_email", email)]
        return (*named, *(("actor_id", pk) for pk in people), *(("on_behalf_of", pk) for pk in people))
    return (("actor_id", key), ("on_behalf_of", key))


def what(said: str) -> tuple[tuple[What, UUID | str], ...]:
    """The ways in which a row of the log can be about this: an id of anything, a request, a number, an address or a hash on the chain.
    Empty when it is none of these."""
    try:
        key = UUID(said)
    except ValueError:
        pass
    else:
        return (("target_id", key), ("request_id", key))
    if HASH.fullmatch(said):
        return (("transaction_hash", said.lower()),)
    found: list[UUID] = []
    if number := ORDER.fullmatch(said):
        found += Order.objects.filter(number=int(number[1])).values_list("pk", flat=True)
    found += Invoice.objects.filter(number=said.upper()).values_list("pk", flat=True)[:1]
    found += User.objects.filter(email__iexact=said).values_list("pk", flat=True)[:1]
    return tuple(("target_id", pk) for pk in found)


def open_viewing(agent: Any, moment: datetime) -> Viewing | None:
    """Through whose eyes a member of staff looks at the site now."""
    return Viewing.objects.open().filter(agent=agent, expires_at__gt=moment).select_related("subject").first()


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is as it should be, or not."""

    words: str
    is_good: bool = True


def last_actions() -> Sequence[SupportAction]:
    return list(SupportAction.objects.select_related("admin").order_by("-created_at", "-number")[:RECENT_SHOWN])


def own_plans(user: Any, moment: datetime) -> list[Case]:
    """What somebody has asked for and is not done, and what was refused to them lately."""
    open_ones = Q(status__in=[PlanStatus.DRAFT, PlanStatus.REQUESTED, PlanStatus.APPROVED])
    refused = Q(status__in=[PlanStatus.REJECTED, PlanStatus.FAILED], decided_at__gt=moment - LATELY)
    rows = Plan.objects.filter(open_ones | refused, requester=user, created_at__gt=moment - LONG_AGO).select_related("target_user")
    tones = {PlanStatus.REQUESTED: "wait", PlanStatus.APPROVED: "go", PlanStatus.REJECTED: "bad", PlanStatus.FAILED: "bad"}
    return [
        Case(
            row.pk,
            str(row),
            plan_address(row),
            f"{row.get_kind_display()}{f' for {row.target_user.name}' if row.target_user else ''}",
            row.get_status_display(),
            row.requested_at or row.created_at,
            row.expires_at or row.created_at + STANDS,
            row.amount or None,
            tones.get(PlanStatus(row.status), ""),
        )
        for row in rows.order_by("-created_at")[:MINE_SHOWN]
    ]


def own_incidents(user: Any, moment: datetime) -> list[Case]:
    return taken_incidents(moment, user, MINE_SHOWN)


def health(moment: datetime) -> list[Line]:
    """Whether the log, escrow and the worker are as they should be; all read from the database."""
    found = proof()
    if found.problems:
        log = Line(f"A check of the audit log found {found.problems} problem{'s' if found.problems > 1 else ''}", is_good=False)
    elif found.seal and found.recent:
        log = Line(f"Audit log sealed, verified {long(moment - found.recent.checked_at)} ago")
    else:
        log = Line("Audit log not verified yet", is_good=False)
    lines = [log]
    if settings.ESCROW_BACKEND == "web3":
        status = ChainStatus.objects.filter(chain_id=settings.CHAIN_ID, contract__iexact=settings.ESCROW_ADDRESS).first()
        if status is None or status.taken_at is None:
            lines.append(Line("The chain was not looked at yet", is_good=False))
        else:
            old = moment - status.taken_at > STALE
            lines.append(Line(f"Escrow chain read {long(moment - status.taken_at)} ago", is_good=not old and not status.problem))
    else:
        lines.append(Line("Escrow is kept in the ledger"))
    done = SupportAction.objects.filter(created_at__gt=moment - LATELY)[:MOST].count()
    lines.append(Line(f"{done}{'+' if done == MOST else ''} action{'' if done == 1 else 's'} of support in the last seven days"))
    return lines


def looks_at(user: User, moment: datetime) -> list[Look]:
    """The last viewings of this person, as they may know of them: a first name, never a whole one."""
    rows = Viewing.objects.filter(subject=user).select_related("agent").order_by("-number")[:LOOKS_SHOWN]
    return [
        Look(
            row.agent.first_name,
            row.started_at,
            row.ended_at or (row.expires_at if row.expires_at <= moment else None),
            row.duration(moment),
            row.reason,
            row.reference,
        )
        for row in rows
    ]


def viewings_of(agent: User | None, *, before: int | None) -> tuple[list[Viewing], int | None]:
    """Viewings of one agent, or of all, newest first, and the number at which the next page begins."""
    rows: ViewingQuerySet = Viewing.objects.select_related("agent", "subject").order_by("-number")
    if agent is not None:
        rows = rows.filter(agent=agent)
    if before is not None:
        rows = rows.filter(number__lt=before)
    found = list(rows[: VIEWINGS_SHOWN + 1])
    return found[:VIEWINGS_SHOWN], found[VIEWINGS_SHOWN - 1].number if len(found) > VIEWINGS_SHOWN else None


def pages_of(viewing: Viewing, *, before: int | None) -> tuple[list[ViewedPage], int | None]:
    """What was looked at in a viewing, newest first, and the number at which the next page begins."""
    rows = ViewedPage.objects.filter(viewing=viewing).order_by("-number")
    if before is not None:
        rows = rows.filter(number__lt=before)
    found = list(rows[: PAGES_SHOWN + 1])
    return found[:PAGES_SHOWN], found[PAGES_SHOWN - 1].number if len(found) > PAGES_SHOWN else None


# What staff did


@dataclass(frozen=True, slots=True)
class Worker:
    """What one member of staff did in a period. `given` is the money of what they did; what a macro gave is that of its parts."""

    admin_id: UUID
    name: str
    acts: int
    given: Decimal
    decided: int
    looked: int
    failed: int


def person_id(said: str) -> UUID | None:
    """Whose e-mail or id this is."""
    try:
        key = UUID(said)
    except ValueError:
        return User.objects.filter(email__iexact=said).values_list("pk", flat=True).first()
    return User.objects.filter(pk=key).values_list("pk", flat=True).first()


def workers(period: Q, limit: int = 50) -> list[Worker]:
    """Who did how much, busiest first."""
    rows = (
        SupportAction.objects.filter(period)
        .order_by()
        .values("admin_id", "admin__name")
        .annotate(
            acts=Count("pk"),
            given=Sum("amount", filter=Q(success=True) & ~Q(action_type__in=[ActionType.MACRO, ActionType.APPROVAL]), default=Decimal("0.00")),
            decided=Count("pk", filter=Q(action_type=ActionType.APPROVAL)),
            looked=Count("pk", filter=Q(action_type__in=[ActionType.IMPERSONATION, ActionType.THREAD_OPENED])),
            failed=Count("pk", filter=Q(success=False)),
        )
        .order_by("-acts", "admin__name")[:limit]
    )
    return [Worker(row["admin_id"], row["admin__name"], row["acts"], row["given"], row["decided"], row["looked"], row["failed"]) for row in rows]
