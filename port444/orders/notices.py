"""The lines that an order leaves in the conversation. Both sides read them, each on their own clock: they name no moments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings

from port444.kit.money import ZERO
from port444.kit.sentences import Said, say, say_many

from .models import CancelCause, Dispute, DisputeReason, Offer, Order, Parting, Review

PLACED, PAID, ANSWERED, DELIVERED, REVISED = "shopping-bag", "lock", "list-checks", "package", "undo-2"
DISPUTED, ANSWERED_DISPUTE, EVIDENCE, ESCALATED, SETTLED_DISPUTE, DECIDED = "scale", "message-square", "paperclip", "life-buoy", "handshake", "gavel"
OFFERED, COUNTERED, OFFER_OVER = "handshake", "repeat", "circle-x"
REFUNDED = "undo-2"
COMPLETED, CANCELLED, EXPIRED, REVIEWED = "circle-check", "circle-x", "hourglass", "star"
JOINED, PARTED = "git-merge", "split"
# What the order's own feed shows in full, as posts, so that the line would say it twice.
TOLD_IN_FULL = (ANSWERED, DELIVERED, REVISED)


def _days(days: int) -> Said:
    return say_many("%(number)s day", "%(number)s days", days)


def placed(order: Order) -> Said:
    return say(
        "%(client)s ordered %(title)s, %(package_name)s, %(price)s.",
        client=order.client.first_name,
        title=order.title,
        package_name=order.package_name,
        price=order.price,
    )


def paid(order: Order) -> Said:
    return say("%(price)s USDC went into escrow for order %(number)s.", price=order.price, number=order.number)


def answered(order: Order) -> Said:
    return say("%(client)s answered the questions of order %(number)s. The clock started.", client=order.client.first_name, number=order.number)


def delivered(order: Order, number: int) -> Said:
    name = order.builder.user.first_name
    if number == 1:
        return say("%(name)s delivered order %(number)s.", name=name, number=order.number)
    return say("%(name)s delivered order %(number)s again.", name=name, number=order.number)


def revised(order: Order) -> Said:
    left = say_many(
        "%(number)s revision left of %(allowed)s.", "%(number)s revisions left of %(allowed)s.", order.revisions_left, allowed=order.revisions_allowed
    )
    return say("%(client)s asked for changes to order %(number)s. %(left)s", client=order.client.first_name, number=order.number, left=left)


def completed(order: Order) -> Said:
    if order.accepted_by_client:
        return say(
            "%(client)s accepted order %(number)s. %(amount)s was released to %(builder)s.",
            client=order.client.first_name,
            number=order.number,
            amount=order.builder_share,
            builder=order.builder.user.first_name,
        )
    return say(
        "Order %(number)s was accepted by itself. %(amount)s was released to %(builder)s.",
        number=order.number,
        amount=order.builder_share,
        builder=order.builder.user.first_name,
    )


def merged(made: Order, parts: Sequence[Order]) -> Said:
    first, second = parts
    return say(
        "Support merged orders %(first)s and %(second)s into order %(number)s, %(price)s. Their money is in its escrow.",
        first=first.number,
        second=second.number,
        number=made.number,
        price=made.price,
    )


def split(order: Order, made: Order) -> Said:
    return say(
        "Support split order %(number)s: %(price)s of it is order %(made)s now, %(left)s stays.",
        number=order.number,
        price=made.price,
        made=made.number,
        left=order.price,
    )


def undone(made: Order, parts: Sequence[Order]) -> Said:
    if len(parts) == 1:
        return say("Support took order %(number)s back: order %(first)s goes on as before.", number=made.number, first=parts[0].number)
    first, second = parts
    return say(
        "Support took order %(number)s back: orders %(first)s and %(second)s go on as before.",
        number=made.number,
        first=first.number,
        second=second.number,
    )


def cancelled(order: Order) -> Said:
    who = {
        CancelCause.CLIENT_WISH: say("%(client)s cancelled order %(number)s.", client=order.client.first_name, number=order.number),
        CancelCause.BUILDER_WISH: _not_done(order),
        CancelCause.LATE: say("%(client)s cancelled order %(number)s, because it was late.", client=order.client.first_name, number=order.number),
        CancelCause.AWAY: say(
            "%(client)s cancelled order %(number)s, because %(builder)s is away beyond the date that was agreed.",
            client=order.client.first_name,
            number=order.number,
            builder=order.builder.user.first_name,
        ),
        CancelCause.NO_REQUIREMENTS: _unanswered(order),
        CancelCause.NOT_FUNDED: say(
            "Order %(number)s ended: the money could not be put into escrow. That counts against nobody.", number=order.number
        ),
        CancelCause.DISPUTE: say("Order %(number)s ended with a dispute.", number=order.number),
        CancelCause.SUPPORT: say("Support ended order %(number)s.", number=order.number),
        CancelCause.RECLAIMED: say(
            "%(client)s took the money of order %(number)s back from escrow after its expiry.", client=order.client.first_name, number=order.number
        ),
    }[CancelCause(order.cancel_cause)]
    if order.cancel_cause == CancelCause.RECLAIMED:
        return who
    return say("%(who)s %(total)s goes back to %(client)s.", who=who, total=order.total, client=order.client.first_name) if order.paid_at else who


def _not_done(order: Order) -> Said:
    name = order.builder.user.first_name
    if order.cancelled_by_id == order.client_id:  # nobody has to wait for a builder who may not work
        return say(
            "%(client)s cancelled order %(number)s, because the account of %(name)s is closed at the moment.",
            client=order.client.first_name,
            number=order.number,
            name=name,
        )
    return say("%(name)s cancelled order %(number)s.", name=name, number=order.number)


def _unanswered(order: Order) -> Said:
    if order.cancelled_by_id is not None:
        name = order.builder.user.first_name
        return say(
            "%(name)s cancelled order %(number)s, because the questions were open for three days. That counts against nobody.",
            name=name,
            number=order.number,
        )
    return say("Order %(number)s was cancelled by itself: the questions were not answered. That counts against nobody.", number=order.number)


def expired(order: Order) -> Said:
    return say("Order %(number)s was not paid in time and ended. Nothing was charged.", number=order.number)


def reviewed(order: Order, author: Any) -> Said:
    days = _days(settings.REVIEWS_BLIND_DAYS)
    return say(
        "%(author)s reviewed order %(number)s. It is shown when both have written, or %(days)s after the end.",
        author=author.first_name,
        number=order.number,
        days=days,
    )


def reviews_shown(order: Order, reviews: Sequence[Review]) -> Said:
    if len(reviews) == 2:
        return say(
            "%(client)s and %(builder)s can both read their reviews of order %(number)s.",
            client=order.client.first_name,
            builder=order.builder.user.first_name,
            number=order.number,
        )
    return say("The review of order %(number)s by %(author)s is shown.", number=order.number, author=reviews[0].author.first_name)


def replied(order: Order, author: Any) -> Said:
    return say("%(author)s replied to the review of order %(number)s.", author=author.first_name, number=order.number)


def lowered(order: Order, amount: Decimal, money: Decimal) -> Said:
    now = say(
        "port444 lowered the price of order %(number)s by %(amount)s; it is %(price)s now.", number=order.number, amount=amount, price=order.price
    )
    return (
        say("%(now)s %(money)s goes back to %(client)s, the service fee on it included.", now=now, money=money, client=order.client.first_name)
        if money
        else now
    )


def not_lowered(order: Order) -> Said:
    return say(
        "The price of order %(number)s is %(price)s again: escrow could not give the money back. Nothing moved.",
        number=order.number,
        price=order.price,
    )


def given_back(order: Order, amount: Decimal) -> Said:
    return say("port444 gave %(amount)s of order %(number)s back to %(client)s.", amount=amount, number=order.number, client=order.client.first_name)


# Custom offers. The first line of each is shown as its card; these words stand for it in lists.


def offered(offer: Offer) -> Said:
    return say(
        "%(builder)s offers %(title)s for %(price)s, in %(days)s.",
        builder=offer.builder.user.first_name,
        title=offer.title,
        price=offer.price,
        days=_days(offer.delivery_days),
    )


def countered(offer: Offer) -> Said:
    return say(
        "%(client)s proposes %(price)s for %(title)s, in %(days)s.",
        client=offer.client.first_name,
        price=offer.price,
        title=offer.title,
        days=_days(offer.delivery_days),
    )


def accepted(order: Order) -> Said:
    return say(
        "%(client)s accepted the offer: order %(number)s, %(title)s, %(price)s.",
        client=order.client.first_name,
        number=order.number,
        title=order.title,
        price=order.price,
    )


def declined(offer: Offer) -> Said:
    name = offer.reader.first_name
    said = (
        say("%(name)s declined the proposed %(price)s.", name=name, price=offer.price)
        if offer.by_client
        else say("%(name)s declined the offer of %(price)s.", name=name, price=offer.price)
    )
    return say("%(said)s “%(reason)s”", said=said, reason=offer.reason) if offer.reason else said


def withdrawn(offer: Offer) -> Said:
    name = offer.author.first_name
    return (
        say("%(name)s withdrew the proposed %(price)s.", name=name, price=offer.price)
        if offer.by_client
        else say("%(name)s withdrew the offer of %(price)s.", name=name, price=offer.price)
    )


# Further questions

ASKED_MORE = "list-checks"


def asked_more(order: Order) -> Said:
    who, client = order.builder.user.first_name, order.client.first_name
    return say(
        "%(who)s asked for more to go on with order %(number)s. The clock stands until %(client)s has answered.",
        who=who,
        number=order.number,
        client=client,
    )


def answered_more(order: Order) -> Said:
    return say(
        "%(client)s answered what was asked about order %(number)s. The clock runs again.", client=order.client.first_name, number=order.number
    )


def went_on(order: Order) -> Said:
    return say(
        "%(builder)s goes on with order %(number)s without the answers. The clock runs again.",
        builder=order.builder.user.first_name,
        number=order.number,
    )


# Ends by agreement

PARTING, PARTING_OVER = "handshake", "undo-2"


def _division(parting: Parting) -> Said:
    names = (parting.order.client.first_name, parting.order.builder.user.first_name)
    return say(
        "%(to_client)s of %(amount)s back to %(client)s, %(to_builder)s to %(builder)s",
        to_client=parting.to_client,
        amount=parting.amount,
        client=names[0],
        to_builder=parting.to_builder,
        builder=names[1],
    )


def parting_proposed(parting: Parting) -> Said:
    return say(
        "%(name)s proposed to end order %(number)s: %(division)s.",
        name=parting.proposed_by.first_name,
        number=parting.order.number,
        division=_division(parting),
    )


def parting_accepted(parting: Parting) -> Said:
    return say(
        "Both agreed to end order %(number)s: %(division)s. That counts against nobody.", number=parting.order.number, division=_division(parting)
    )


def parting_declined(parting: Parting) -> Said:
    name = parting.answerer.first_name
    if parting.answer:
        return say(
            "%(name)s declined to end order %(number)s so. “%(answer)s” It goes on as before.",
            name=name,
            number=parting.order.number,
            answer=parting.answer,
        )
    return say("%(name)s declined to end order %(number)s so. It goes on as before.", name=name, number=parting.order.number)


def parting_withdrawn(parting: Parting) -> Said:
    return say("%(name)s withdrew the proposal to end order %(number)s.", name=parting.proposed_by.first_name, number=parting.order.number)


def parting_lapsed(parting: Parting) -> Said:
    return say("The proposal to end order %(number)s was not answered in time. The order goes on as before.", number=parting.order.number)


# Disputes


def _reason(dispute: Dispute) -> Said:
    return {
        DisputeReason.NOT_DELIVERED: say("nothing was delivered"),
        DisputeReason.NOT_AS_AGREED: say("not as agreed"),
        DisputeReason.LATE: say("late"),
        DisputeReason.NO_ANSWER: say("no answer from the other side"),
        DisputeReason.UNFAIR_CHANGES: say("asks for more than was agreed"),
        DisputeReason.OTHER: say("something else"),
    }[DisputeReason(dispute.reason)]


def _wants(dispute: Dispute, figure: Decimal | None) -> Said:
    return say("%(figure)s of %(amount)s back to %(client)s", figure=figure or ZERO, amount=dispute.amount, client=dispute.order.client.first_name)


def disputed(dispute: Dispute) -> Said:
    order = dispute.order
    return say(
        "%(name)s opened dispute %(dispute)s about order %(number)s: %(reason)s. The clock and the money of the order stand still until it is over.",
        name=dispute.opened_by.first_name,
        dispute=str(dispute),
        number=order.number,
        reason=_reason(dispute),
    )


def dispute_answered(dispute: Dispute) -> Said:
    return say(
        "%(name)s answered dispute %(dispute)s: %(wants)s.",
        name=dispute.other_side.first_name,
        dispute=str(dispute),
        wants=_wants(dispute, dispute.offer),
    )


def figure_changed(dispute: Dispute, actor: Any) -> Said:
    return say(
        "%(actor)s would settle dispute %(dispute)s for %(wants)s.",
        actor=actor.first_name,
        dispute=str(dispute),
        wants=_wants(dispute, dispute.figure_of(actor)),
    )


def evidence_added(dispute: Dispute, actor: Any) -> Said:
    return say("%(actor)s added evidence to dispute %(dispute)s.", actor=actor.first_name, dispute=str(dispute))


def support_wrote(dispute: Dispute) -> Said:
    return say("Support wrote to both sides of dispute %(dispute)s.", dispute=str(dispute))


def escalated(dispute: Dispute, actor: Any | None) -> Said:
    if actor is not None:
        return say("%(actor)s asked support to decide dispute %(dispute)s.", actor=actor.first_name, dispute=str(dispute))
    return say("Dispute %(dispute)s was not settled in time. Support decides it.", dispute=str(dispute))


def dispute_withdrawn(dispute: Dispute) -> Said:
    return say(
        "%(name)s withdrew dispute %(dispute)s. Order %(number)s goes on where it stood.",
        name=dispute.opened_by.first_name,
        dispute=str(dispute),
        number=dispute.order.number,
    )


def settled(dispute: Dispute) -> Said:
    return say("Dispute %(dispute)s is settled. %(parts)s", dispute=str(dispute), parts=parts(dispute))


def decided(dispute: Dispute) -> Said:
    return say("Support decided dispute %(dispute)s. %(parts)s", dispute=str(dispute), parts=parts(dispute))


def parts(dispute: Dispute) -> Said:
    """Who gets what of the money in escrow, before fees."""
    client, builder = dispute.order.client.first_name, dispute.order.builder.user.first_name
    back = dispute.decided_to_client or ZERO
    rest = dispute.amount - back
    if not rest:
        return say("All of %(amount)s goes back to %(client)s.", amount=dispute.amount, client=client)
    if not back:
        return say("All of %(amount)s goes to %(builder)s.", amount=dispute.amount, builder=builder)
    return say("%(back)s goes back to %(client)s, %(rest)s to %(builder)s.", back=back, client=client, rest=rest, builder=builder)
