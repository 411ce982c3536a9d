"""What a change changes, and what it costs: the rows of its table, the sums, the rule by which days are counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from amendments.terms import Terms
from port444.kit.money import ZERO, fee, usd
from port444.orders.helm import days_words, span_words
from port444.orders.models import Order, OrderStatus

if TYPE_CHECKING:
    from amendments.queries import Preview


def hours_words(hours: int = settings.AMENDMENT_HOURS) -> str:
    """How long the other side has to answer."""
    return days_words(hours // 24) if hours % 24 == 0 else _("%(hours)s hours") % {"hours": hours}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; a list of things stands in `before` and `after` as lists."""

    name: str
    before: Any
    after: Any
    more: str = ""
    kind: str = "text"  # text, date, list


@dataclass(frozen=True, slots=True)
class Sums:
    """What it costs: for the client what they pay, for the builder what they get."""

    amount: Decimal
    fee: Decimal
    fee_percent: str
    total: Decimal
    credit: Decimal
    to_pay: Decimal
    builder_fee: Decimal
    builder_gets: Decimal


def percent(bps: int) -> str:
    number = f"{bps / 100:g}".replace(".", formats.get_format("DECIMAL_SEPARATOR"))
    return _("%(number)s%%") % {"number": number}


def sums(order: Order, amount: Decimal, client_fee: Decimal, credit: Decimal = ZERO) -> Sums:
    platform = fee(amount, order.builder_fee_bps)
    total = amount + client_fee
    return Sums(amount, client_fee, percent(settings.CLIENT_FEE_BPS), total, credit, total - credit, platform, amount - platform)


def rows(before: Preview, terms: Terms) -> list[Row]:
    """Before and after; price and date are always there, so that what stays is seen to stay."""
    found = []
    if terms.deliverables:
        count = len(terms.deliverables)
        words = ngettext("%(number)s deliverable more", "%(number)s deliverables more", count) % {"number": count}
        found.append(Row(_("Scope"), before.deliverables_before, terms.deliverables, words, "list"))
    if terms.revisions:
        found.append(Row(_("Revisions"), f"{before.revisions_before}", f"{before.revisions_after}", f"+ {terms.revisions}"))
    found.append(Row(_("Price"), usd(before.price_before), usd(before.price_after), f"+ {usd(terms.amount)}" if terms.amount else ""))
    more = f"+ {days_words(terms.days)}" if terms.days else ""
    if before.due_before is not None:
        if before.due_after is not None:
            stood = before.due_after - before.due_before - timedelta(days=terms.days)
            # A delivered order that is taken up again gets its date from another rule than by adding days.
            if timedelta(minutes=1) <= stood and not before.reopens:
                span = {"days": days_words(terms.days), "span": span_words(stood.total_seconds())}
                more = (_("+ %(days)s and %(span)s that the clock stood") if terms.days else _("+ %(span)s that the clock stood")) % span
        found.append(Row(pgettext("in a table", "Due"), before.due_before, before.due_after, more, "date"))
    else:
        earlier, later = (_("%(days)s from the answers") % {"days": days_words(days)} for days in (before.days_before, before.days_after))
        found.append(Row(_("Time"), earlier, later, more))
    return found


def days_rule(order: Order) -> str:
    """How the days of a change are counted, in one sentence."""
    if order.status == OrderStatus.DELIVERED:
        return _("Days count from the date of the order, or from the day on which the change comes into force if that is later.")
    return _("Days count from the date of the order, not from today. The clock stands while a request waits, and that time is added on top.")
