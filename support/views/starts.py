"""What staff can begin with a person or an order: the buttons of their pages. A part of the console adds its line here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from support.forms import form_of
from support.models import PlanKind


@dataclass(frozen=True, slots=True)
class Start:
    """A plan of a `kind`, which begins with its form, or what begins on a page of its own, `url`, which takes the person's id or the order's
    number."""

    label: str
    icon: str
    permission: str
    note: str
    kind: PlanKind | None = None
    url: str = ""


PERSON = (
    Start("Issue a credit", "ticket", "issue_credits", "Within your limits at once, above them a second person approves.", PlanKind.CREDIT),
    Start("Refund", "undo-2", "refund", "Nothing moves yet. You see every figure before you ask for approval.", PlanKind.REFUND),
    Start("View as them", "eye", "view_as", "Read-only, an hour at most, every page is logged. They can read the reason.", url="support:view_as"),
    Start("Merge orders", "git-merge", "merge_orders", "The plan comes first, with what happens to each thing.", PlanKind.MERGE),
    Start(
        "Open an incident",
        "flag",
        "work_incidents",
        "What you saw, for whoever decides. Nothing is done to the account.",
        url="support:open_incident",
    ),
    Start("Hold withdrawals", "hand", "restrict", "Nothing of theirs is sent out. One person may; ending the hold takes two.", PlanKind.HOLD),
    Start("Suspend the account", "ban", "restrict", "They are signed out and told why. Quick: it takes no second person.", PlanKind.SUSPEND),
    Start("Reinstate the account", "rotate-ccw", "restrict", "They may sign in again. A second person approves.", PlanKind.REINSTATE),
)
ORDER = (
    Start("Refund", "undo-2", "refund", "By kind: from escrow first, then the builder, then the platform.", PlanKind.REFUND),
    Start("Split", "split", "merge_orders", "A share of price and deliverables becomes an order of its own.", PlanKind.SPLIT),
    Start("Merge", "git-merge", "merge_orders", "With another order of the same two people.", PlanKind.MERGE),
)


@dataclass(frozen=True, slots=True)
class Button:
    """A start as somebody sees it: where it leads, or why it does not."""

    start: Start
    url: str
    why_not: str = ""


def buttons(starts: Sequence[Start], what: str, key: Any, *, allowed: Collection[str], why_not: str = "") -> list[Button]:
    """`what` is "person" or "order", `key` which one. With `why_not` nobody can begin any of them now. Kinds without a form are left out."""
    found = []
    for start in starts:
        if start.kind is None:
            url = reverse(start.url, args=[key])
        elif form_of(start.kind) is not None:
            url = f"{reverse('support:draft', args=[start.kind])}?{what}={key}"
        else:
            continue
        found.append(Button(start, url, why_not or ("" if start.permission in allowed else "Your group may not do this.")))
    return found
