"""The lines that an amendment leaves in the conversation. Both sides read them, each on their own clock: they name no moments."""

from __future__ import annotations

from port444.kit.money import usd
from port444.orders.helm import days_words

from .models import Amendment
from .terms import terms_of

PROPOSED, ANSWERED, REVISE, PAID, DECLINED, CLOSED, COMPLETED, FAILED = (
    "git-compare",
    "check",
    "pencil",
    "lock",
    "circle-x",
    "hourglass",
    "circle-check",
    "circle-alert",
)


def gist(amendment: Amendment) -> str:
    """What changes, in a few words: "$40.00 more, 3 days more, 1 deliverable more"."""
    terms = terms_of(amendment)
    parts = []
    if terms.amount:
        parts.append(f"{usd(terms.amount)} more")
    if terms.days:
        parts.append(f"{days_words(terms.days)} more")
    if terms.revisions:
        parts.append("1 revision more")
    if terms.deliverables:
        parts.append(f"{len(terms.deliverables)} deliverable{'' if len(terms.deliverables) == 1 else 's'} more")
    return ", ".join(parts) or "the scope, for the same price and date"


def proposed(amendment: Amendment) -> str:
    again = " in a new version" if amendment.version > 1 else ""
    what = amendment.get_amendment_type_display().lower()
    return f"{amendment.proposer.first_name} proposed a change of order {amendment.order.number}{again}: {what}, {gist(amendment)}."


def approved(amendment: Amendment) -> str:
    who, payer = amendment.answerer.first_name, amendment.order.client.first_name
    if amendment.invoice_id is None:
        return f"{who} approved the change of order {amendment.order.number}."
    return f"{who} approved the change of order {amendment.order.number}. It is in force when {payer} has paid."


def changes_asked(amendment: Amendment) -> str:
    return f"{amendment.answerer.first_name} asked for another version of the change of order {amendment.order.number}."


def declined(amendment: Amendment) -> str:
    return f"{amendment.answerer.first_name} declined the change of order {amendment.order.number}: {amendment.answer}"


def withdrawn(amendment: Amendment) -> str:
    return f"{amendment.proposer.first_name} withdrew the proposed change of order {amendment.order.number}."


def expired(amendment: Amendment) -> str:
    why = "paid" if amendment.invoice_id else "answered"
    return f"The proposed change of order {amendment.order.number} was not {why} in time. The order stays as it is."


def paid(amendment: Amendment) -> str:
    return f"{amendment.order.client.first_name} paid {usd(amendment.additional_amount)} for the change of order {amendment.order.number}."


def completed(amendment: Amendment) -> str:
    return f"The change of order {amendment.order.number} is in force: {gist(amendment)}."


def failed(amendment: Amendment) -> str:
    return f"Escrow did not take the change of order {amendment.order.number}. The order stays as it is, and the money is safe."


def refunded(amendment: Amendment) -> str:
    back = f" {usd(amendment.additional_amount)} goes back to {amendment.order.client.first_name}." if amendment.paid_at else ""
    return f"The change of order {amendment.order.number} was given up.{back}"
