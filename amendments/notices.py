"""The lines that an amendment leaves in the conversation. Both sides read them, each on their own clock: they name no moments."""

from __future__ import annotations

from collections.abc import Sequence

from port444.kit.sentences import Said, say, say_many

from .models import DATE_STAYS, Amendment, AmendmentType
from .terms import terms_of

T = AmendmentType

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


WHAT = {
    T.SCOPE_CHANGE: say("change of scope"),
    T.TOP_UP: say("larger budget"),
    T.OUT_OF_SCOPE_REVISION: say("extra revision"),
    T.TIMELINE_EXTENSION: say("more time"),
    T.ADD_DELIVERABLE: say("extra deliverable"),
}


def gist(amendment: Amendment) -> Said:
    """What changes, in a few words: "$40.00 more, 3 days more, 1 deliverable more"."""
    terms = terms_of(amendment)
    parts = []
    if terms.amount:
        parts.append(say("%(amount)s more", amount=terms.amount))
    if terms.days:
        parts.append(say_many("%(number)s day more", "%(number)s days more", terms.days))
    if terms.revisions:
        parts.append(say("1 revision more"))
    if terms.deliverables:
        parts.append(say_many("%(number)s deliverable more", "%(number)s deliverables more", len(terms.deliverables)))
    return _listed(parts) if parts else say("the scope, for the same price and date")


def _listed(parts: Sequence[Said]) -> Said:
    first, *rest = parts
    return say("%(first)s, %(rest)s", first=first, rest=_listed(rest)) if rest else first


def proposed(amendment: Amendment) -> Said:
    name, number = amendment.proposer.first_name, amendment.order.number
    what, more = WHAT[T(amendment.amendment_type)], gist(amendment)
    if amendment.version > 1:
        return say(
            "%(name)s proposed a change of order %(number)s in a new version: %(what)s, %(more)s.", name=name, number=number, what=what, more=more
        )
    return say("%(name)s proposed a change of order %(number)s: %(what)s, %(more)s.", name=name, number=number, what=what, more=more)


def approved(amendment: Amendment) -> Said:
    who, number, payer = amendment.answerer.first_name, amendment.order.number, amendment.order.client.first_name
    if amendment.invoice_id is None:
        return say("%(name)s approved the change of order %(number)s.", name=who, number=number)
    return say("%(name)s approved the change of order %(number)s. It is in force when %(payer)s has paid.", name=who, number=number, payer=payer)


def changes_asked(amendment: Amendment) -> Said:
    return say(
        "%(name)s asked for another version of the change of order %(number)s.", name=amendment.answerer.first_name, number=amendment.order.number
    )


def declined(amendment: Amendment) -> Said:
    answer = say("The date stays.") if amendment.answer == DATE_STAYS else amendment.answer
    return say(
        "%(name)s declined the change of order %(number)s: %(answer)s",
        name=amendment.answerer.first_name,
        number=amendment.order.number,
        answer=answer,
    )


def withdrawn(amendment: Amendment) -> Said:
    return say("%(name)s withdrew the proposed change of order %(number)s.", name=amendment.proposer.first_name, number=amendment.order.number)


def expired(amendment: Amendment) -> Said:
    number = amendment.order.number
    if amendment.invoice_id:
        return say("The proposed change of order %(number)s was not paid in time. The order stays as it is.", number=number)
    return say("The proposed change of order %(number)s was not answered in time. The order stays as it is.", number=number)


def paid(amendment: Amendment) -> Said:
    return say(
        "%(name)s paid %(amount)s for the change of order %(number)s.",
        name=amendment.order.client.first_name,
        amount=amendment.additional_amount,
        number=amendment.order.number,
    )


def completed(amendment: Amendment) -> Said:
    return say("The change of order %(number)s is in force: %(more)s.", number=amendment.order.number, more=gist(amendment))


def failed(amendment: Amendment) -> Said:
    return say("Escrow did not take the change of order %(number)s. The order stays as it is, and the money is safe.", number=amendment.order.number)


def refunded(amendment: Amendment) -> Said:
    number = amendment.order.number
    if not amendment.paid_at:
        return say("The change of order %(number)s was given up.", number=number)
    return say(
        "The change of order %(number)s was given up. %(amount)s goes back to %(name)s.",
        number=number,
        amount=amendment.additional_amount,
        name=amendment.order.client.first_name,
    )
