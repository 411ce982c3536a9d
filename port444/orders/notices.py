"""The lines that an order leaves in the conversation. Both sides read them, each on their own clock: they name no moments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings

from port444.kit.money import ZERO, usd

from .helm import days_words, left_words
from .models import CancelCause, Dispute, Offer, Order, Parting, Review

PLACED, PAID, ANSWERED, DELIVERED, REVISED = "shopping-bag", "lock", "list-checks", "package", "undo-2"
DISPUTED, ANSWERED_DISPUTE, EVIDENCE, ESCALATED, SETTLED_DISPUTE, DECIDED = "scale", "message-square", "paperclip", "life-buoy", "handshake", "gavel"
OFFERED, COUNTERED, OFFER_OVER = "handshake", "repeat", "circle-x"
REFUNDED = "undo-2"
COMPLETED, CANCELLED, EXPIRED, REVIEWED = "circle-check", "circle-x", "hourglass", "star"
JOINED, PARTED = "git-merge", "split"
# What the order's own feed shows in full, as posts, so that the line would say it twice.
TOLD_IN_FULL = (ANSWERED, DELIVERED, REVISED)


def placed(order: Order) -> str:
    return f"{order.client.first_name} ordered {order.title}, {order.package_name}, {usd(order.price)}."


def paid(order: Order) -> str:
    return f"{usd(order.price)} USDC went into escrow for order {order.number}."


def answered(order: Order) -> str:
    return f"{order.client.first_name} answered the questions of order {order.number}. The clock started."


def delivered(order: Order, number: int) -> str:
    again = "" if number == 1 else " again"
    return f"{order.builder.user.first_name} delivered order {order.number}{again}."


def revised(order: Order) -> str:
    return f"{order.client.first_name} asked for changes to order {order.number}. {left_words(order)}"


def completed(order: Order) -> str:
    how = f"{order.client.first_name} accepted order {order.number}" if order.accepted_by_client else f"Order {order.number} was accepted by itself"
    return f"{how}. {usd(order.builder_share)} was released to {order.builder.user.first_name}."


def merged(made: Order, parts: Sequence[Order]) -> str:
    first, second = parts
    return f"Support merged orders {first.number} and {second.number} into order {made.number}, {usd(made.price)}. Their money is in its escrow."


def split(order: Order, made: Order) -> str:
    return f"Support split order {order.number}: {usd(made.price)} of it is order {made.number} now, {usd(order.price)} stays."


def undone(made: Order, parts: Sequence[Order]) -> str:
    numbers = " and ".join(str(part.number) for part in parts)
    goes = f"orders {numbers} go" if len(parts) > 1 else f"order {numbers} goes"
    return f"Support took order {made.number} back: {goes} on as before."


def cancelled(order: Order) -> str:
    who = {
        CancelCause.CLIENT_WISH: f"{order.client.first_name} cancelled order {order.number}.",
        CancelCause.BUILDER_WISH: _not_done(order),
        CancelCause.LATE: f"{order.client.first_name} cancelled order {order.number}, because it was late.",
        CancelCause.AWAY: f"{order.client.first_name} cancelled order {order.number}, because {order.builder.user.first_name} is away beyond the "
        "date that was agreed.",
        CancelCause.NO_REQUIREMENTS: f"{_unanswered(order)} That counts against nobody.",
        CancelCause.NOT_FUNDED: f"Order {order.number} ended: the money could not be put into escrow. That counts against nobody.",
        CancelCause.DISPUTE: f"Order {order.number} ended with a dispute.",
        CancelCause.SUPPORT: f"Support ended order {order.number}.",
        CancelCause.RECLAIMED: f"{order.client.first_name} took the money of order {order.number} back from escrow after its expiry.",
    }[CancelCause(order.cancel_cause)]
    if order.cancel_cause == CancelCause.RECLAIMED:
        return who
    return f"{who} {usd(order.total)} goes back to {order.client.first_name}." if order.paid_at else who


def _not_done(order: Order) -> str:
    name = order.builder.user.first_name
    if order.cancelled_by_id == order.client_id:  # nobody has to wait for a builder who may not work
        return f"{order.client.first_name} cancelled order {order.number}, because the account of {name} is closed at the moment."
    return f"{name} cancelled order {order.number}."


def _unanswered(order: Order) -> str:
    if order.cancelled_by_id is not None:
        return f"{order.builder.user.first_name} cancelled order {order.number}, because the questions were open for three days."
    return f"Order {order.number} was cancelled by itself: the questions were not answered."


def expired(order: Order) -> str:
    return f"Order {order.number} was not paid in time and ended. Nothing was charged."


def reviewed(order: Order, author: Any) -> str:
    days = days_words(settings.REVIEWS_BLIND_DAYS)
    return f"{author.first_name} reviewed order {order.number}. It is shown when both have written, or {days} after the end."


def reviews_shown(order: Order, reviews: Sequence[Review]) -> str:
    if len(reviews) == 2:
        return f"{order.client.first_name} and {order.builder.user.first_name} can both read their reviews of order {order.number}."
    return f"The review of order {order.number} by {reviews[0].author.first_name} is shown."


def replied(order: Order, author: Any) -> str:
    return f"{author.first_name} replied to the review of order {order.number}."


def lowered(order: Order, amount: Decimal, money: Decimal) -> str:
    back = f" {usd(money)} goes back to {order.client.first_name}, the service fee on it included." if money else ""
    return f"port444 lowered the price of order {order.number} by {usd(amount)}; it is {usd(order.price)} now.{back}"


def not_lowered(order: Order) -> str:
    return f"The price of order {order.number} is {usd(order.price)} again: escrow could not give the money back. Nothing moved."


def given_back(order: Order, amount: Decimal) -> str:
    return f"port444 gave {usd(amount)} of order {order.number} back to {order.client.first_name}."


# Custom offers. The first line of each is shown as its card; these words stand for it in lists.


def offered(offer: Offer) -> str:
    return f"{offer.builder.user.first_name} offers {offer.title} for {usd(offer.price)}, in {days_words(offer.delivery_days)}."


def countered(offer: Offer) -> str:
    return f"{offer.client.first_name} proposes {usd(offer.price)} for {offer.title}, in {days_words(offer.delivery_days)}."


def accepted(order: Order) -> str:
    return f"{order.client.first_name} accepted the offer: order {order.number}, {order.title}, {usd(order.price)}."


def declined(offer: Offer) -> str:
    what = f"the proposed {usd(offer.price)}" if offer.by_client else f"the offer of {usd(offer.price)}"
    why = f" “{offer.reason}”" if offer.reason else ""
    return f"{offer.reader.first_name} declined {what}.{why}"


def withdrawn(offer: Offer) -> str:
    what = f"the proposed {usd(offer.price)}" if offer.by_client else f"the offer of {usd(offer.price)}"
    return f"{offer.author.first_name} withdrew {what}."


# Further questions

ASKED_MORE = "list-checks"


def asked_more(order: Order) -> str:
    who, client = order.builder.user.first_name, order.client.first_name
    return f"{who} asked for more to go on with order {order.number}. The clock stands until {client} has answered."


def answered_more(order: Order) -> str:
    return f"{order.client.first_name} answered what was asked about order {order.number}. The clock runs again."


def went_on(order: Order) -> str:
    return f"{order.builder.user.first_name} goes on with order {order.number} without the answers. The clock runs again."


# Ends by agreement

PARTING, PARTING_OVER = "handshake", "undo-2"


def _division(parting: Parting) -> str:
    names = (parting.order.client.first_name, parting.order.builder.user.first_name)
    return f"{usd(parting.to_client)} of {usd(parting.amount)} back to {names[0]}, {usd(parting.to_builder)} to {names[1]}"


def parting_proposed(parting: Parting) -> str:
    return f"{parting.proposed_by.first_name} proposed to end order {parting.order.number}: {_division(parting)}."


def parting_accepted(parting: Parting) -> str:
    return f"Both agreed to end order {parting.order.number}: {_division(parting)}. That counts against nobody."


def parting_declined(parting: Parting) -> str:
    why = f" “{parting.answer}”" if parting.answer else ""
    return f"{parting.answerer.first_name} declined to end order {parting.order.number} so.{why} It goes on as before."


def parting_withdrawn(parting: Parting) -> str:
    return f"{parting.proposed_by.first_name} withdrew the proposal to end order {parting.order.number}."


def parting_lapsed(parting: Parting) -> str:
    return f"The proposal to end order {parting.order.number} was not answered in time. The order goes on as before."


# Disputes


def _wants(dispute: Dispute, figure: Decimal | None) -> str:
    return f"{usd(figure or ZERO)} of {usd(dispute.amount)} back to {dispute.order.client.first_name}"


def disputed(dispute: Dispute) -> str:
    order = dispute.order
    return (
        f"{dispute.opened_by.first_name} opened dispute {dispute} about order {order.number}: {dispute.get_reason_display().lower()}. "
        f"The clock and the money of the order stand still until it is over."
    )


def dispute_answered(dispute: Dispute) -> str:
    return f"{dispute.other_side.first_name} answered dispute {dispute}: {_wants(dispute, dispute.offer)}."


def figure_changed(dispute: Dispute, actor: Any) -> str:
    return f"{actor.first_name} would settle dispute {dispute} for {_wants(dispute, dispute.figure_of(actor))}."


def evidence_added(dispute: Dispute, actor: Any) -> str:
    return f"{actor.first_name} added evidence to dispute {dispute}."


def support_wrote(dispute: Dispute) -> str:
    return f"Support wrote to both sides of dispute {dispute}."


def escalated(dispute: Dispute, actor: Any | None) -> str:
    if actor is not None:
        return f"{actor.first_name} asked support to decide dispute {dispute}."
    return f"Dispute {dispute} was not settled in time. Support decides it."


def dispute_withdrawn(dispute: Dispute) -> str:
    return f"{dispute.opened_by.first_name} withdrew dispute {dispute}. Order {dispute.order.number} goes on where it stood."


def settled(dispute: Dispute) -> str:
    return f"Dispute {dispute} is settled. {parts(dispute)}"


def decided(dispute: Dispute) -> str:
    return f"Support decided dispute {dispute}. {parts(dispute)}"


def parts(dispute: Dispute) -> str:
    """Who gets what of the money in escrow, before fees."""
    client, builder = dispute.order.client.first_name, dispute.order.builder.user.first_name
    back = dispute.decided_to_client or ZERO
    rest = dispute.amount - back
    if not rest:
        return f"All of {usd(dispute.amount)} goes back to {client}."
    if not back:
        return f"All of {usd(dispute.amount)} goes to {builder}."
    return f"{usd(back)} goes back to {client}, {usd(rest)} to {builder}."
