"""What one person is told about an order, in the app and by e-mail: what happened, what comes next, until when.

Moments are worded in the reader's own zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings

from port444.catalog.models import QuestionKind
from port444.kit.money import ZERO, usd

from . import notices
from .helm import both_words, days_words, left_words, moment_words
from .models import CancelCause, Dispute, DisputeStatus, Evidence, NudgeKind, Offer, Order, OrderStatus, Parting, Requirement, Review

if TYPE_CHECKING:
    from .queries.partings import Shares


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a body."""

    title: str
    body: str


def _when(at: Any, reader: Any, of: Order | None = None) -> str:
    """In the reader's zone; with an order also in that of its other side."""
    return both_words(at, reader, of.other(reader) if of is not None else reader)


def facts_for(order: Order, reader: Any) -> list[tuple[str, str]]:
    """What every mail about an order names."""
    builder = reader.pk == order.builder.user_id
    money = f"{usd(order.builder_share)} after the platform fee" if builder else f"{usd(order.total)} with the service fee"
    facts = [("Order", f"{order.number}, {order.title}"), ("With", order.other(reader).name)]
    if builder and order.prepaid:
        facts.append(("Paid with a call before", usd(order.prepaid)))
    elif order.credit and not builder:
        facts.append(("Paid with your credit", usd(order.credit)))
    if order.status == OrderStatus.CANCELLED:
        return facts  # the text of the mail says where the money goes
    return [*facts, ("You get" if builder else "You pay", money)]


def paid_to_builder(order: Order) -> Words:
    name, reader = order.client.first_name, order.builder.user
    title = f"New order: {order.title}"
    if order.due_at:
        return Words(title, f"{name} paid {usd(order.price)} into escrow. Your clock runs: deliver by {_when(order.due_at, reader, order)}.")
    return Words(
        title,
        f"{name} paid {usd(order.price)} into escrow. Your clock has not started: {name} answers your questions first, by "
        f"{_when(order.requirements_until, reader, order)}.",
    )


def paid_to_client(order: Order) -> Words:
    name, reader = order.builder.user.first_name, order.client
    if order.due_at:
        return Words(f"{name} has your order", f"{usd(order.price)} is in escrow. {name} delivers by {_when(order.due_at, reader, order)}.")
    return Words(
        f"Answer {name}’s questions",
        f"{usd(order.price)} is in escrow. {name} starts when you have answered the questions, and has {days_words(order.delivery_days)} from then. "
        f"Without answers by {_when(order.requirements_until, reader, order)} the order cancels by itself and you get everything back.",
    )


def expired_to_client(order: Order, offer: Offer | None = None) -> Words:
    """`offer` is the one that the order came from, when it is open again."""
    again = f"the offer stands until {_when(offer.expires_at, order.client)}" if offer is not None else "you can order again"
    return Words(
        f"Order {order.number} ended unpaid",
        f"{order.title} was not paid by {_when(order.pay_until, order.client)}. Nothing was charged; {again}.",
    )


def started_to_builder(order: Order) -> Words:
    name = order.client.first_name
    return Words(f"{name} answered your questions", f"The clock runs. Deliver {order.title} by {_when(order.due_at, order.builder.user, order)}.")


def delivered_to_client(order: Order) -> Words:
    name = order.builder.user.first_name
    return Words(
        f"{name} delivered {order.title}",
        f"Look at it by {_when(order.auto_accept_at, order.client, order)}: accept it, or ask for changes. {left_words(order)} "
        f"If you say nothing by then it counts as accepted and {name} is paid.",
    )


# Reminders

MOST_NAMED, MOST_LISTED, LONG_QUESTION = 3, 12, 80
COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


@dataclass(frozen=True, slots=True)
class Reminded:
    """What one reminder speaks of; the questions carry `has_files`."""

    kind: NudgeKind
    order: Order
    questions: Sequence[Requirement]


def reminder(one: Reminded, moment: datetime) -> Words:
    """What is missing, what happens when nobody does anything and when, and who is away meanwhile."""
    order, client = one.order, one.order.client
    name, away = order.builder.user.first_name, _away(order, moment)
    if one.kind == NudgeKind.REVIEW_48H:
        return Words(
            f"{name}’s delivery waits for you: {order.title}",
            f"Look at it by {_when(order.auto_accept_at, client, order)}: accept it, or ask for changes. {left_words(order)} "
            f"If you say nothing by then it counts as accepted and {name} is paid.{away}",
        )
    until = _when(order.requirements_until, client, order)
    ends = f"Without answers by {until} the order cancels by itself and you get {_back(order)} back"
    if one.kind == NudgeKind.ANSWERS_72H:
        return Words(
            f"Last reminder: order {order.number} cancels by itself on {moment_words(order.requirements_until, client.time_zone)}",
            f"{_open_questions(one)} {ends}; that counts against nobody. {name} need not wait that long and may cancel {_free(order, moment)}.{away}",
        )
    return Words(
        f"{name} waits for your answers: {order.title}",
        f"{_open_questions(one)} {name} has {days_words(order.delivery_days)} from the moment you send them. {ends}.{away}",
    )


def reminders(lines: Sequence[Reminded], moment: datetime) -> Words:
    """Several of one person in one message, a paragraph each."""
    paragraphs = []
    for one in lines[:MOST_LISTED]:
        order, client = one.order, one.order.client
        if one.kind == NudgeKind.REVIEW_48H:
            until = _when(order.auto_accept_at, client, order)
            what = f"{order.builder.user.first_name} delivered. Without a word from you by {until} it counts as accepted."
        else:
            until = _when(order.requirements_until, client, order)
            what = f"{_open_questions(one)} Without answers by {until} it cancels by itself and you get {_back(order)} back."
        paragraphs.append(f"Order {order.number}, {order.title}: {what}{_away(order, moment)}")
    if len(lines) > MOST_LISTED:
        paragraphs.append(f"And {len(lines) - MOST_LISTED} more.")
    return Words(f"{_count(len(lines))} more orders wait for you", "\n\n".join(paragraphs))


def _free(order: Order, moment: datetime) -> str:
    """From when the builder may cancel; support may send the last reminder before that."""
    return "from now on" if order.is_free(moment) else f"from {_when(order.free_from, order.client)} on"


def _back(order: Order) -> str:
    return f"{usd(order.total)} and your credit of {usd(order.credit)}" if order.credit else usd(order.total)


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _open_questions(one: Reminded) -> str:
    """Which questions are open, by name: Two questions are open: “Which pages are slow?” and “Which database?”."""
    needed = [row for row in one.questions if row.is_required]
    labels = [row.label for row in needed if not (getattr(row, "has_files", False) if row.kind == QuestionKind.FILE else row.answer)]
    if not labels:
        return "Your answers are written but not sent yet." if needed else "All questions are optional; send the form to start the work."
    named = [f"“{label if len(label) <= LONG_QUESTION else label[: LONG_QUESTION - 1] + '…'}”" for label in labels[:MOST_NAMED]]
    if len(labels) > MOST_NAMED:
        named.append(f"{len(labels) - MOST_NAMED} more")
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{_count(len(labels))} question{' is' if len(labels) == 1 else 's are'} open: {listed}."


def _away(order: Order, moment: datetime) -> str:
    builder = order.builder
    if not builder.is_away_at(moment) or builder.away_until is None:
        return ""
    back = builder.away_until.astimezone(ZoneInfo(builder.user.time_zone))
    return f" {builder.user.first_name} is away and back on {back:%a} {back.day} {back:%b}."


def revision_to_builder(order: Order, note: str) -> Words:
    name = order.client.first_name
    short = note if len(note) <= 280 else f"{note[:279]}…"
    return Words(f"{name} asks for changes", f"“{short}” Deliver again by {_when(order.due_at, order.builder.user, order)}. {left_words(order)}")


def completed_to_builder(order: Order, *, paid: bool) -> Words:
    how = f"{order.client.first_name} accepted your delivery" if order.accepted_by_client else "Your delivery counts as accepted"
    before = f" and {usd(order.prepaid)} that you were paid for a call before" if order.prepaid else ""
    return Words(
        f"{how}: {usd(order.builder_share)} is yours",
        f"Order {order.number}, {order.title}: {usd(order.price)} less {usd(order.builder_fee)} platform fee{before}. "
        + ("You can withdraw it now." if paid else "You can withdraw it as soon as escrow has released it, usually within minutes."),
    )


def completed_to_client(order: Order) -> Words:
    name = order.builder.user.first_name
    return Words(
        f"Order {order.number} is complete",
        f"The {days_words(settings.REVIEW_DAYS)} to review {order.title} are over, so the delivery counts as accepted and {name} is paid. "
        "A few words about the work help others.",
    )


def cancelled_to(order: Order, reader: Any) -> Words:
    title = f"Order {order.number} was cancelled"
    causes = {
        CancelCause.CLIENT_WISH: f"{order.client.first_name} cancelled {order.title}.",
        CancelCause.BUILDER_WISH: _not_done(order),
        CancelCause.LATE: f"{order.client.first_name} cancelled {order.title}, because it was late.",
        CancelCause.AWAY: f"{order.client.first_name} cancelled {order.title}, because {order.builder.user.first_name} is away beyond the date that "
        "was agreed.",
        CancelCause.NO_REQUIREMENTS: _unanswered(order),
        CancelCause.NOT_FUNDED: f"The money for {order.title} could not be put into escrow, so nothing began. That counts against nobody.",
        CancelCause.DISPUTE: f"{order.title} ended with a dispute.",
        CancelCause.SUPPORT: f"Support ended {order.title}.",
        CancelCause.RECLAIMED: f"{order.client.first_name} took the money for {order.title} back from escrow after its expiry.",
    }
    why = causes[CancelCause(order.cancel_cause)]
    if order.cancel_reason:
        why = f"{why} “{order.cancel_reason}”"
    if order.paid_at is None:
        return Words(title, f"{why} Nothing was paid.")
    if order.cancel_cause == CancelCause.RECLAIMED:
        return Words(title, why)
    if order.cancel_cause == CancelCause.NOT_FUNDED and reader.pk != order.client_id:
        return Words(title, f"{why} The money goes back to {order.client.first_name}.")
    if reader.pk == order.client_id:
        credit = f" Your credit of {usd(order.credit)} is there again." if order.credit else ""
        return Words(title, f"{why} {usd(order.total)} goes back to where it came from, service fee included.{credit}")
    return Words(title, f"{why} {usd(order.price)} goes back to {order.client.first_name} from escrow.")


def _not_done(order: Order) -> str:
    name = order.builder.user.first_name
    if order.cancelled_by_id == order.client_id:
        return f"{order.client.first_name} cancelled {order.title}, because the account of {name} is closed at the moment."
    return f"{name} cancelled {order.title}."


def _unanswered(order: Order) -> str:
    if order.cancelled_by_id is not None:
        name = order.builder.user.first_name
        return f"{name} cancelled {order.title}, because the questions about it were open for three days. That counts against nobody."
    return f"The questions about {order.title} were not answered in {days_words(settings.REQUIREMENTS_DAYS)}. That counts against nobody."


def review_waits(order: Order, reader: Any, until: datetime) -> Words:
    name = order.other(reader).first_name
    return Words(
        f"{name} wrote a review. Write yours to read it",
        f"Both reviews of {order.title} are shown as soon as you have written yours. You have until {_when(until, reader)}; then "
        f"the one of {name} is shown alone.",
    )


def reviews_shown(order: Order, reader: Any, reviews: Sequence[Review]) -> Words:
    name, mine = order.other(reader).first_name, [review for review in reviews if review.author_id == reader.pk]
    theirs = next((review for review in reviews if review.author_id != reader.pk), None)
    if theirs is None:
        return Words(
            f"Your review of {name} is shown",
            f"The {days_words(settings.REVIEWS_BLIND_DAYS)} for reviews of {order.title} are over. {name} wrote none.",
        )
    given = f"{name} gave {theirs.stars} star{'' if theirs.stars == 1 else 's'} for {order.title}. You can reply once."
    return Words("You can both read your reviews" if mine else f"The review of {name} is shown", given)


def review_replied(order: Order, reader: Any) -> Words:
    return Words(f"{order.other(reader).first_name} replied to your review", f"Whoever reads your review of {order.title} reads the reply, too.")


# What support gives back


def lowered(order: Order, amount: Decimal, money: Decimal) -> Words:
    back = f" {usd(money)} goes back to {order.client.first_name}, the service fee on it included." if money else ""
    body = f"port444 lowered the price of {order.title} by {usd(amount)}, because less is done for it.{back} {order.builder.user.first_name} gets "
    return Words(f"The price of order {order.number} is {usd(order.price)}", f"{body}{usd(order.builder_share)} when it is accepted.")


def not_lowered(order: Order) -> Words:
    body = "Escrow could not give the money back, so nothing moved and the price is what it was. We look at it and write to you."
    return Words(f"The price of order {order.number} is {usd(order.price)} again", body)


def given_back(order: Order, amount: Decimal) -> Words:
    body = f"port444 gives {usd(amount)} of {order.title} back to {order.client.first_name}. Money goes to where it was paid from."
    return Words(f"{usd(amount)} of order {order.number} goes back", body)


def taken_from_builder(order: Order, amount: Decimal, reason: str) -> Words:
    body = f"{reason} {usd(amount)} of what you earned with {order.title} was taken from your balance and goes back to {order.client.first_name}."
    return Words(f"{usd(amount)} was taken from your balance", f"{body} The platform gives back its fee on it.")


# Orders that support has put together or apart


def merged_to(made: Order, parts: Sequence[Order], reader: Any) -> Words:
    first, second = parts
    return Words(
        f"Orders {first.number} and {second.number} go on as order {made.number}",
        f"Support merged them, with all that was agreed in both. Before: {_priced(first)}, and {_priced(second)}. "
        f"Now: {_priced(made)}.{_due(made, reader)} Nothing is charged and nothing is paid out by this; the money stays in escrow.",
    )


def split_to(order: Order, made: Order, before: str, reader: Any) -> Words:
    return Words(
        f"Order {order.number} goes on as two orders",
        f"Support split it. Before: order {order.number} for {usd(Decimal(before))}. Now: {_priced(order)}, and {_priced(made)}."
        f"{_due(made, reader)} Nothing is charged and nothing is paid out by this; the money stays in escrow.",
    )


def undone_to(made: Order, parts: Sequence[Order], reader: Any) -> Words:
    go = f"Orders {parts[0].number} and {parts[1].number} go" if len(parts) > 1 else f"Order {parts[0].number} goes"
    return Words(
        f"{go} on as before",
        f"Support took order {made.number} back. Now: {', and '.join(_priced(part) for part in parts)}. The money stays in escrow.",
    )


def _priced(order: Order) -> str:
    return f"order {order.number}, {order.title}, for {usd(order.price)}"


def _due(order: Order, reader: Any) -> str:
    return f" It is due by {_when(order.due_at, reader, order)}." if order.due_at else ""


# Custom offers


def offer_facts(offer: Offer, reader: Any) -> list[tuple[str, str]]:
    """What every mail about an offer names."""
    work = f"{days_words(offer.delivery_days)}, {offer.revisions} revision{'' if offer.revisions == 1 else 's'}"
    facts = [("Offer", offer.title), ("Price", usd(offer.price)), ("Work", work)]
    if reader.pk == offer.client_id:
        if offer.list_price:
            facts.append(("Usual price", usd(offer.list_price)))
        facts.append(("Service fee", usd(offer.client_fee)))
    else:
        facts.append(("You get", f"{usd(offer.builder_share)} after the platform fee"))
    return [*facts, ("Stands until", _when(offer.expires_at, reader))]


def _cut(text: str) -> str:
    return text if len(text) <= 280 else f"{text[:279]}…"


def offered_to_client(offer: Offer) -> Words:
    name = offer.builder.user.first_name
    instead = f" instead of {usd(offer.list_price)}" if offer.list_price else ""
    return Words(
        f"{name} made you an offer: {offer.title} for {usd(offer.price)}",
        f"{_cut(offer.scope)} {usd(offer.price)}{instead}, plus {usd(offer.client_fee)} service fee. It stands until "
        f"{_when(offer.expires_at, offer.client)}; accept it and pay in one step, decline it, or propose other terms.",
    )


def countered_to_builder(offer: Offer) -> Words:
    name, reader = offer.client.first_name, offer.builder.user
    return Words(
        f"{name} proposes other terms: {usd(offer.price)}",
        f"{_cut(offer.scope)} {name} would pay {usd(offer.price)} for {offer.title} in {days_words(offer.delivery_days)}; you would get "
        f"{usd(offer.builder_share)}. Send an offer with these terms, change them, or decline, by {_when(offer.expires_at, reader)}.",
    )


def declined_to_author(offer: Offer) -> Words:
    name = offer.reader.first_name
    why = f"“{offer.reason}” " if offer.reason else ""
    what = "your terms" if offer.by_client else "your offer"
    return Words(f"{name} declined {what}", f"{why}{offer.title}, {usd(offer.price)}. You can go on talking in the conversation.")


def withdrawn_to_reader(offer: Offer) -> Words:
    name = offer.author.first_name
    what = "their proposed terms" if offer.by_client else "the offer"
    return Words(f"{name} withdrew {what}", f"{offer.title}, {usd(offer.price)}. It cannot be accepted any more; nothing was charged.")


# Disputes


def facts_of_dispute(dispute: Dispute, reader: Any) -> list[tuple[str, str]]:
    """What every mail about a dispute names."""
    order = dispute.order
    return [
        ("Dispute", str(dispute)),
        ("Order", f"{order.number}, {order.title}"),
        ("With", order.other(reader).name),
        ("In escrow", usd(dispute.amount) if dispute.is_live else "nothing any more"),
    ]


def _figure(dispute: Dispute, figure: Decimal | None) -> str:
    """ "$60.00 of $180.00 back to Jonas, the rest to Anaya"."""
    order = dispute.order
    return f"{usd(figure or ZERO)} of {usd(dispute.amount)} back to {order.client.first_name}, the rest to {order.builder.user.first_name}"


def dispute_opened(dispute: Dispute) -> Words:
    name, reader = dispute.opened_by.first_name, dispute.other_side
    return Words(
        f"{name} opened a dispute about {dispute.order.title}",
        f"{dispute.get_reason_display()}: “{_cut(dispute.claim)}” {name} wants {_figure(dispute, dispute.to_client)}. The order stands still. "
        f"Answer by {_when(dispute.answer_until, reader, dispute.order)}: accept that, or say how you see it and what you would agree to. "
        "Without an answer support decides with what is there.",
    )


def dispute_answered(dispute: Dispute) -> Words:
    name, reader = dispute.other_side.first_name, dispute.opened_by
    return Words(
        f"{name} answered your dispute {dispute}",
        f"“{_cut(dispute.answer)}” {name} would agree to {_figure(dispute, dispute.offer)}. {_until(dispute, reader)}",
    )


def figure_changed(dispute: Dispute, actor: Any, reader: Any) -> Words:
    return Words(
        f"{actor.first_name} comes closer in dispute {dispute}",
        f"{actor.first_name} would agree to {_figure(dispute, dispute.figure_of(actor))}. {_until(dispute, reader)}",
    )


def _until(dispute: Dispute, reader: Any) -> str:
    if dispute.status == DisputeStatus.ESCALATED:
        return "Support has it by now; you can still settle it between you."
    return f"Accept that, or come closer yourself. What is not settled by {_when(dispute.settle_until, reader, dispute.order)} is decided by support."


def evidence_added(evidence: Evidence, author: Any) -> Words:
    said = f"“{_cut(evidence.text)}” " if evidence.text else ""
    return Words(f"{author.first_name} added evidence to dispute {evidence.dispute}", f"{said}You can answer it with your own.")


def support_asks(evidence: Evidence) -> Words:
    return Words(
        f"Support wrote to you about dispute {evidence.dispute}", f"“{_cut(evidence.text)}” Answer on the page of the dispute; both sides read it."
    )


def dispute_escalated(dispute: Dispute, reader: Any) -> Words:
    return Words(
        f"Support decides dispute {dispute}",
        "It was not settled between you, so support looks at both sides and decides. Add what it should know; until then you can still settle it.",
    )


def dispute_withdrawn(dispute: Dispute) -> Words:
    name = dispute.opened_by.first_name
    return Words(
        f"{name} withdrew dispute {dispute}", f"Order {dispute.order.number} goes on where it stood; its dates have moved by as long as it stood."
    )


def dispute_settled(dispute: Dispute, reader: Any) -> Words:
    return Words(f"Dispute {dispute} is settled", _outcome(dispute, reader))


def dispute_decided(dispute: Dispute, reader: Any) -> Words:
    return Words(f"Support decided dispute {dispute}", f"“{_cut(dispute.decision)}” {_outcome(dispute, reader)}")


def _outcome(dispute: Dispute, reader: Any) -> str:
    order, back = dispute.order, dispute.decided_to_client or ZERO
    rest = dispute.amount - back
    said = notices.parts(dispute)
    if reader.pk == order.client_id:
        how = " It goes to where it was paid from, with its part of the service fee." if back else ""
        return f"{said}{how} The order has ended."
    earned = f" You get {usd(order.builder_share)} of that after the platform fee." if rest else ""
    return f"{said}{earned} The order has ended."


# Further questions


def asked_more_to_client(order: Order, asked: Sequence[str]) -> Words:
    name = order.builder.user.first_name
    return Words(
        f"{name} needs {'an answer' if len(asked) == 1 else f'{len(asked)} answers'} to go on",
        f"About {order.title}: {' '.join(f'“{text}”' for text in asked)} The clock of the order stands until you answer, and the delivery comes "
        "that much later.",
    )


def answered_more_to_builder(order: Order) -> Words:
    return Words(
        f"{order.client.first_name} answered your questions",
        f"Your clock runs again: {order.title} is due {_when(order.due_at, order.builder.user, order)}.",
    )


# Ends by agreement


def parting_proposed(parting: Parting, shares: Shares, reader: Any) -> Words:
    name = parting.proposed_by.first_name
    return Words(
        f"{name} proposes to end order {parting.order.number}",
        f"“{parting.reason}” {_shares(parting, shares, reader)} Accept, decline or answer with another division by "
        f"{_when(parting.expires_at, reader, parting.order)}. Until you agree the order goes on as it is; ending it so counts against nobody.",
    )


def parting_accepted(parting: Parting, shares: Shares, reader: Any) -> Words:
    return Words(
        f"Order {parting.order.number} ended as you both agreed",
        f"{_shares(parting, shares, reader)} The order is over, and that counts against nobody.",
    )


def parting_declined(parting: Parting) -> Words:
    why = f"“{parting.answer}” " if parting.answer else ""
    return Words(f"{parting.answerer.first_name} does not want to end order {parting.order.number} so", f"{why}The order goes on as before.")


def parting_withdrawn(parting: Parting) -> Words:
    return Words(f"{parting.proposed_by.first_name} withdrew the proposal to end order {parting.order.number}", "The order goes on as before.")


def parting_lapsed(parting: Parting) -> Words:
    return Words(f"The proposal to end order {parting.order.number} lapsed", "It was not answered in time. The order goes on as before.")


def _shares(parting: Parting, shares: Shares, reader: Any) -> str:
    """What the reader gets, in figures."""
    if parting.order.is_builder(reader):
        back = f"{usd(shares.to_client)} of {usd(shares.amount)} goes back to {parting.order.client.first_name}"
        return f"{back}, and you get {usd(shares.builder_gets)} after the platform fee."
    credit = f" and {usd(shares.credit_back)} as credit" if shares.credit_back else ""
    kept = f"; {usd(shares.to_builder)} goes to {parting.order.builder.user.first_name}" if shares.to_builder else ""
    return f"You get {usd(shares.client_gets)} back{credit}, with the same part of the service fee{kept}."
