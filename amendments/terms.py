"""What a change of an order may contain, by its type, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from port444.kit.errors import Invalid
from port444.kit.money import ZERO, parse, usd

from .models import MOST_DAYS, Amendment, AmendmentType

T = AmendmentType

LEAST_AMOUNT = Decimal("1.00")
MOST_AMOUNT = Decimal("100000.00")
MOST_DELIVERABLES = 20
LONGEST_REASON, LONGEST_DESCRIPTION, LONGEST_DELIVERABLE = 300, 5000, 200
ONE_REVISION = 1
LONGEST_ORDER = timedelta(days=600)  # from the payment to the due date; escrow gives the money back to the client after two years


@dataclass(frozen=True, slots=True)
class Terms:
    """A change as it is proposed. `amount` is the price on top, without the client's fee; `days` are added to the due date."""

    amendment_type: str
    reason: str
    description: str = ""
    amount: Decimal = ZERO
    days: int = 0
    revisions: int = 0
    deliverables: tuple[str, ...] = ()

    @property
    def reopens(self) -> bool:
        """Whether there is work to do again. More money alone asks for none."""
        return self.amendment_type != T.TOP_UP


def terms_of(amendment: Amendment) -> Terms:
    return Terms(
        amendment_type=amendment.amendment_type,
        reason=amendment.reason,
        description=amendment.description,
        amount=amendment.additional_amount,
        days=amendment.additional_days,
        revisions=amendment.additional_revisions,
        deliverables=tuple(amendment.additional_deliverables),
    )


def checked(terms: Terms) -> Terms:
    """`terms` without blanks around its texts. Raises Invalid when they do not make a change of that type."""
    if terms.amendment_type not in T.values:
        raise Invalid(_("Choose what should change."), code="amendment_type")
    terms = replace(
        terms,
        reason=terms.reason.strip(),
        description=terms.description.strip(),
        amount=parse(terms.amount),
        deliverables=tuple(one.strip() for one in terms.deliverables if one.strip()),
    )
    _check_texts(terms)
    _check_bounds(terms)
    _check_type(terms)
    return terms


def _check_texts(terms: Terms) -> None:
    if not terms.reason:
        raise Invalid(_("Say in one sentence why."), code="reason_missing")
    if len(terms.reason) > LONGEST_REASON:
        raise Invalid(_("The reason has at most %(most)s characters.") % {"most": LONGEST_REASON}, code="reason_long")
    if len(terms.description) > LONGEST_DESCRIPTION:
        raise Invalid(_("The description has at most %(most)s characters.") % {"most": LONGEST_DESCRIPTION}, code="description_long")
    if len(terms.deliverables) > MOST_DELIVERABLES:
        raise Invalid(_("At most %(most)s deliverables can be added at once.") % {"most": MOST_DELIVERABLES}, code="deliverables_many")
    if any(len(one) > LONGEST_DELIVERABLE for one in terms.deliverables):
        raise Invalid(_("A deliverable has at most %(most)s characters.") % {"most": LONGEST_DELIVERABLE}, code="deliverable_long")
    if any("\x00" in text for text in (terms.reason, terms.description, *terms.deliverables)):
        raise Invalid(_("The text has a character that cannot be stored."), code="text_null")


def _check_bounds(terms: Terms) -> None:
    if terms.amount and not LEAST_AMOUNT <= terms.amount <= MOST_AMOUNT:
        between = {"least": usd(LEAST_AMOUNT), "most": usd(MOST_AMOUNT)}
        raise Invalid(_("The amount is between %(least)s and %(most)s.") % between, code="amount_range")
    if not 0 <= terms.days <= MOST_DAYS:
        raise Invalid(_("At most %(most)s days can be added at once.") % {"most": MOST_DAYS}, code="days_range")
    if terms.revisions not in (0, ONE_REVISION):
        raise Invalid(_("One revision can be added at once."), code="revisions_range")


def _check_type(terms: Terms) -> None:
    kind, beyond = terms.amendment_type, _("Choose a change of scope to change more than one thing.")
    if kind == T.TOP_UP:
        if not terms.amount:
            raise Invalid(_("Say by how much the budget grows."), code="amount_missing")
        if terms.days or terms.revisions or terms.deliverables:
            raise Invalid(f"{_('A larger budget changes the price alone.')} {beyond}", code="type_differs")
    elif kind == T.TIMELINE_EXTENSION:
        if not terms.days:
            raise Invalid(_("Say how many days more are needed."), code="days_missing")
        if terms.amount or terms.revisions or terms.deliverables:
            raise Invalid(f"{_('More time changes the date alone.')} {beyond}", code="type_differs")
    elif kind == T.ADD_DELIVERABLE:
        if not terms.deliverables:
            raise Invalid(_("Name what is delivered on top."), code="deliverables_missing")
        if terms.revisions:
            raise Invalid(f"{_('An extra deliverable brings no revision with it.')} {beyond}", code="type_differs")
    elif kind == T.OUT_OF_SCOPE_REVISION:
        if terms.revisions != ONE_REVISION:
            raise Invalid(_("An extra revision is one revision."), code="revisions_missing")
        if not terms.amount:
            raise Invalid(_("Say what the extra revision costs."), code="amount_missing")
        if terms.deliverables:
            raise Invalid(f"{_('An extra revision adds no deliverables.')} {beyond}", code="type_differs")
    elif not terms.description:
        raise Invalid(_("Describe the new scope."), code="description_missing")
