"""What staff can begin with a person or an order: the buttons of their pages. A part of the console adds its line here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class Start:
    """`url` is the name of the page on which it begins, which takes the person's id or the order's number."""

    label: str
    icon: str
    permission: str
    url: str
    note: str


PERSON = (
    Start("Issue a credit", "ticket", "issue_credits", "support:issue_credit", "Within your limits at once, above them a second person approves."),
    Start("Refund", "undo-2", "refund", "support:refund_person", "Nothing moves yet. You see every figure before you ask for approval."),
    Start("View as them", "eye", "view_as", "support:view_as", "Read-only, an hour at most, every page is logged. They can read the reason."),
    Start("Merge orders", "git-merge", "merge_orders", "support:merge_orders", "The plan comes first, with what happens to each thing."),
    Start("Restrict the account", "ban", "restrict", "support:restrict", "Hold withdrawals, suspend or reinstate. A second person approves."),
)
ORDER = (
    Start("Refund", "undo-2", "refund", "support:refund_order", "By kind, from escrow first, then the builder, then the platform."),
    Start("Split", "split", "merge_orders", "support:split_order", "A share of price and deliverables becomes an order of its own."),
    Start("Merge", "git-merge", "merge_orders", "support:merge_order", "With another order of the same two people."),
)


@dataclass(frozen=True, slots=True)
class Button:
    """A start as somebody sees it: where it leads, or why it does not."""

    start: Start
    url: str
    why_not: str = ""


def buttons(starts: Sequence[Start], key: Any, *, allowed: Collection[str], why_not: str = "") -> list[Button]:
    """Those whose pages there are. With `why_not` nobody can begin any of them now."""
    found = []
    for start in starts:
        try:
            url = reverse(start.url, args=[key])
        except NoReverseMatch:
            continue
        found.append(Button(start, url, why_not or ("" if start.permission in allowed else "Your group may not do this.")))
    return found
