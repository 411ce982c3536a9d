"""The first line of an order: whose turn it is, until when, and what happens if nobody acts. Pure words, no queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from port444.kit.money import ZERO, usd
from port444.kit.templatetags.ui import city

from .models import CancelCause, Dispute, DisputeStatus, Order, OrderStatus, Parting

S = OrderStatus


@dataclass(frozen=True, slots=True)
class Stage:
    """One stop of the route; `state` is done, now or empty."""

    name: str
    note: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Helm:
    """`wait` says that the reader has nothing to do; `href` leads to the step that is asked of them."""

    who: str
    title: str
    why: str
    wait: bool
    href: str = ""
    link: str = ""
    icon_name: str = ""
    until: str = ""
    at: datetime | None = None  # the moment of `until`, for who needs it on another clock


def moment_words(at: datetime | None, zone: str) -> str:
    """A moment on the wall clock of `zone`, e.g. "Thu 3 Dec, 14:30"."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def both_words(at: datetime | None, reader: Any, other: Any) -> str:
    """A moment on the clock of `reader`, and of `other` where that shows another time: "Thu 3 Dec, 14:30 (Amsterdam; 19:00 in Kolkata)"."""
    if at is None:
        return ""
    here, there = (at.astimezone(ZoneInfo(person.time_zone)) for person in (reader, other))
    words = city(reader.time_zone)
    if here.utcoffset() != there.utcoffset():
        time = f"{there:%H:%M}" if here.date() == there.date() else moment_words(at, other.time_zone)
        words = f"{words}; {time} in {city(other.time_zone)}"
    return f"{moment_words(at, reader.time_zone)} ({words})"


def day_words(at: datetime | None, zone: str) -> str:
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b}"


def waits_until(order: Order) -> datetime | None:
    """Until when whoever's turn it is has time."""
    dates = {S.PENDING_PAYMENT: order.pay_until, S.PENDING_REQUIREMENTS: order.requirements_until, S.DELIVERED: order.auto_accept_at}
    return None if order.asks_more else dates.get(S(order.status), order.due_at)


def days_words(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def span_words(seconds: float) -> str:
    """A span as people say it: "4 days", "5 h", "12 min"."""
    minutes = max(0, int(seconds // 60))
    if minutes >= 48 * 60:
        return days_words((minutes + 12 * 60) // (24 * 60))  # rounded: three days that began a minute ago are not two
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"


def steer(order: Order, viewer: Any, moment: datetime, *, settled: bool = True) -> Helm:
    """The helm of `order` for `viewer`, who is one of its two people. `settled`: none of its money is on its way."""
    builder = order.is_builder(viewer)
    words = {
        S.PENDING_PAYMENT: _unpaid,
        S.FUNDING: _funding,
        S.PENDING_REQUIREMENTS: _unanswered,
        S.IN_PROGRESS: _working,
        S.DELIVERED: _delivered,
        S.IN_REVISION: _revising,
        S.COMPLETED: _completed,
        S.CANCELLED: _cancelled,
        S.EXPIRED: _expired,
    }[S(order.status)]
    if not settled and order.status == S.COMPLETED and builder:
        return _being_paid(order, viewer)
    return words(order, viewer, builder, moment)


def _unpaid(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    until = moment_words(order.pay_until, viewer.time_zone)
    if builder:
        name = order.client.first_name
        return Helm(
            f"{name}’s turn", f"{name} pays by {until}", "Nothing to do for you. Without payment the order ends by itself.", True, until=until
        )
    why = f"The money waits in escrow until you accept the work. Without payment the order ends by itself after {settings.PAYMENT_MINUTES} minutes."
    return Helm("Your turn", f"Pay {usd(order.total)} by {until}", why, False, "#desk", "Pay", "wallet", until)


def _funding(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    if builder:
        name = order.client.first_name
        why = f"Nothing to do for you yet. It usually takes a few minutes; when {usd(order.price)} is there, you are told and the order begins."
        return Helm(f"{name} has paid", "The money is going into escrow", why, True)
    why = (
        f"Your payment has come in. It usually takes a few minutes to put {usd(order.price)} into escrow; then the order begins and you are told. "
        f"Nothing to do for you, and you may close this page. If it cannot be done, you get {usd(order.total)} back."
    )
    return Helm("Paid, nothing to do", "Your money is going into escrow", why, True)


def _unanswered(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    until = moment_words(order.requirements_until, viewer.time_zone)
    if builder:
        name = order.client.first_name
        if order.is_free(moment):
            why = (
                f"The questions have been open for three days. You may cancel now, and that counts against nobody. Otherwise the order cancels "
                f"by itself on {until} and the money goes back to {name}."
            )
            title = f"{name} still owes the answers, and you need not wait"
            return Helm(f"{name}’s turn, your clock is stopped", title, why, True, "#problem", "See what you can do", "circle-x", until)
        why = f"The order cancels by itself on {until}, the money goes back to {name}, and that counts against nobody."
        return Helm(f"{name}’s turn, your clock is stopped", f"{name} still owes the answers to your questions", why, True, until=until)
    name = order.builder.user.first_name
    why = (
        f"{name} has {days_words(order.delivery_days)} from the moment you send them. Without answers the order cancels by itself on {until} "
        f"and you get {usd(order.total)} back."
    )
    return Helm("Your turn", f"Answer {name}’s questions to start the clock", why, False, "#desk", "Answer the questions", "list-checks", until)


def _there(at: datetime | None, viewer: Any, other: Any) -> str:
    """The moment as the other person reads it, when their clock differs."""
    if at is None or at.astimezone(ZoneInfo(viewer.time_zone)).utcoffset() == at.astimezone(ZoneInfo(other.time_zone)).utcoffset():
        return ""
    return f"{moment_words(at, other.time_zone)} in {city(other.time_zone)}. "


def _owing(order: Order, viewer: Any, builder: bool) -> Helm:
    name = order.other(viewer).first_name
    if builder:
        why = f"Your clock stands since {moment_words(order.clock_stopped_at, viewer.time_zone)}, and your date moves by as long as it stands."
        who = f"{name}’s turn, your clock is stopped"
        return Helm(who, f"{name} answers what you asked", why, True, "#desk", "See what you asked", "list-checks")
    why = f"The clock stands since {moment_words(order.clock_stopped_at, viewer.time_zone)}; {name} delivers that much later."
    return Helm("Your turn, the clock stands", f"Answer what {name} asked to go on", why, False, "#desk", "Answer", "list-checks")


def _working(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    if order.asks_more:
        return _owing(order, viewer, builder)
    until = moment_words(order.due_at, viewer.time_zone)
    there = _there(order.due_at, viewer, order.other(viewer))
    late = order.is_late(moment)
    assert order.due_at is not None  # by constraint
    ago = span_words((moment - order.due_at).total_seconds())
    if builder:
        name = order.client.first_name
        if late:
            why = f"{name} may cancel now and get {usd(order.total)} back. Deliver, or write to {name}."
            return Helm(f"Your turn, {ago} late", f"Deliver now, it was due {until}", why, False, "#desk", "Deliver", "package", until)
        why = f"{there}After the delivery {name} has {days_words(settings.REVIEW_DAYS)} to review; then you are paid {usd(order.builder_share)}."
        return Helm("Your turn", f"Deliver by {until}", why, False, "#desk", "Deliver", "package", until)
    name = order.builder.user.first_name
    if late:
        why = f"You may wait, write to {name}, or cancel: {usd(order.total)} comes back."
        return Helm(
            f"{name}’s turn, {ago} late", f"{name} should have delivered by {until}", why, True, "#desk", "See what you can do", "alarm-clock", until
        )
    return Helm(f"{name}’s turn", f"{name} delivers by {until}", f"{there}Nothing to do for you.", True, until=until)


def _delivered(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    until = moment_words(order.auto_accept_at, viewer.time_zone)
    there = _there(order.auto_accept_at, viewer, order.other(viewer))
    if builder:
        name = order.client.first_name
        why = f"{there}If {name} says nothing by then, the delivery counts as accepted and you are paid {usd(order.builder_share)}."
        return Helm(f"{name}’s turn", f"{name} reviews your delivery by {until}", why, True, until=until)
    name = order.builder.user.first_name
    why = f"{there}After that it counts as accepted and {name} is paid."
    return Helm("Your turn", f"Look at the delivery by {until}", why, False, "#desk", "Review the delivery", "eye", until)


def _revising(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    if order.asks_more:
        return _owing(order, viewer, builder)
    until = moment_words(order.due_at, viewer.time_zone)
    there = _there(order.due_at, viewer, order.other(viewer))
    if builder:
        name = order.client.first_name
        why = f"{there}{name} said what should be different. After the new delivery they have {days_words(settings.REVIEW_DAYS)} to review."
        return Helm("Your turn", f"Deliver the revision by {until}", why, False, "#desk", "Deliver again", "package", until)
    name = order.builder.user.first_name
    why = f"{there}Nothing to do for you. {left_words(order)}"
    return Helm(f"{name}’s turn", f"{name} works on your changes until {until}", why, True, until=until)


def left_words(order: Order) -> str:
    left = order.revisions_left
    return f"{left} revision{'' if left == 1 else 's'} left of {order.revisions_allowed}."


def _completed(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    at = moment_words(order.completed_at, viewer.time_zone)
    how = f"accepted {at}" if order.accepted_by_client else f"accepted by itself {at}, as nobody objected"
    if builder:
        return Helm("Done", f"You were paid {usd(order.builder_share)}", f"The delivery was {how}. The money is in your earnings.", True)
    name = order.builder.user.first_name
    return Helm("Done", "The order is complete", f"The delivery was {how}. {name} is paid; the files stay here.", True)


def _being_paid(order: Order, viewer: Any) -> Helm:
    at = moment_words(order.completed_at, viewer.time_zone)
    how = f"accepted {at}" if order.accepted_by_client else f"accepted by itself {at}, as nobody objected"
    return Helm("Done", f"You are being paid {usd(order.builder_share)}", f"The delivery was {how}. Escrow releases the money within minutes.", True)


def _cancelled(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    at = moment_words(order.cancelled_at, viewer.time_zone)
    if order.cancel_cause == CancelCause.NO_REQUIREMENTS and order.cancelled_by_id is not None:
        who = f"{_by(order, viewer)} cancelled it {at}, because the questions were open for three days. That counts against nobody."
    elif order.cancel_cause == CancelCause.NO_REQUIREMENTS:
        who = f"It ended by itself {at}, because the questions were not answered. That counts against nobody."
    elif order.cancel_cause == CancelCause.NOT_FUNDED:
        who = f"It ended {at}, because the money could not be put into escrow. That counts against nobody."
    elif order.cancel_cause == CancelCause.RECLAIMED:
        return Helm("Ended", "The order was cancelled", f"{_by(order, viewer)} took the money back from escrow after its expiry, {at}.", True)
    elif order.cancel_cause == CancelCause.DISPUTE:
        who = f"A dispute ended it {at}."
    elif order.cancel_cause == CancelCause.AGREED:
        return Helm("Ended", "You both agreed to end the order", f"{at}. The money is divided as you agreed, and that counts against nobody.", True)
    elif order.cancel_cause == CancelCause.SUPPORT:
        who = f"Support ended it {at}."
    elif order.cancel_cause == CancelCause.MERGED:
        why = f"Support merged it {at}. All that was agreed is part of {_named(order.merged_into)}, and so is the money in escrow."
        return Helm("Merged", f"It goes on as {_named(order.merged_into)}", why, True, *_to(order.merged_into))
    elif order.cancel_cause == CancelCause.UNDONE:
        goes = order.split_from
        why = f"Support put it back {at}. What it was made of goes on as before, and the money with it."
        return Helm("Undone", f"It goes on as {_named(goes)}" if goes else "It goes on as the orders it was made of", why, True, *_to(goes))
    elif order.cancel_cause == CancelCause.LATE:
        who = f"{_by(order, viewer)} cancelled it {at}, because the delivery was late."
    elif order.cancel_cause == CancelCause.AWAY:
        who = f"{_by(order, viewer)} cancelled it {at}, because {order.builder.user.first_name} is away beyond the date that was agreed."
    else:
        who = f"{_by(order, viewer)} cancelled it {at}."
    if order.paid_at is None:
        back = "Nothing was paid."
    elif builder:
        back = f"{order.client.first_name} gets everything back."
    else:
        back = f"{usd(order.total)} goes back to you, service fee included."
        if order.credit:
            back += f" Your credit of {usd(order.credit)} is there again."
    return Helm("Ended", "The order was cancelled", f"{who} {back}", True)


def _named(order: Order | None) -> str:
    return f"order {order.number}" if order is not None else "another order"


def _to(order: Order | None) -> tuple[str, str, str]:
    """Where it goes on: address, words and icon of the link."""
    return (reverse("orders:detail", args=[order.number]), f"Open order {order.number}", "git-merge") if order is not None else ("", "", "")


def _by(order: Order, viewer: Any) -> str:
    if order.cancelled_by_id == viewer.pk:
        return "You"
    return str(order.other(viewer).first_name)


def _expired(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    why = f"It was not paid by {moment_words(order.pay_until, viewer.time_zone)}. Nothing was charged."
    return Helm("Ended", "The order ended unpaid", why, True)


def route(order: Order, viewer: Any, moment: datetime, *, asks: bool) -> list[Stage]:
    """The stages with their dates; `asks` tells whether the service has questions."""
    zone = viewer.time_zone
    ended = order.status in (S.CANCELLED, S.EXPIRED)
    ordered = Stage(
        "Ordered",
        day_words(order.placed_at, zone) if order.paid_at else "waiting for payment",
        "now" if order.status == S.PENDING_PAYMENT else "done",
    )
    stages = [ordered]
    if order.status == S.FUNDING:
        stages.append(Stage("Into escrow", "a few minutes", "now"))
    if asks:
        note = f"{day_words(order.started_at, zone)}, clock started" if order.started_at else "starts the clock"
        stages.append(Stage("Answers sent", note, _state(order, S.PENDING_REQUIREMENTS, order.started_at)))
    stages.append(_work_stage(order, zone, moment))
    review = f"from {day_words(order.due_at, zone)}" if order.due_at else f"{days_words(settings.REVIEW_DAYS)} long"
    if order.status == S.DELIVERED:
        review = f"until {day_words(order.auto_accept_at, zone)}"
    elif order.completed_at:
        first, last = day_words(order.delivered_at, zone), day_words(order.completed_at, zone)
        review = first if first == last else f"{first} to {last}"
    name = f"{order.client.first_name}’s review" if order.is_builder(viewer) else "Your review"
    stages.append(Stage(name, review, _state(order, S.DELIVERED, order.completed_at)))
    paid = "you are paid" if order.is_builder(viewer) else f"{order.builder.user.first_name} is paid"
    stages.append(Stage("Done", day_words(order.completed_at, zone) if order.completed_at else paid, "done" if order.completed_at else ""))
    if ended:
        stages = [stage for stage in stages if stage.state == "done"]
        name, at = ("Cancelled", order.cancelled_at) if order.status == S.CANCELLED else ("Not paid", order.expired_at)
        stages = (
            [*stages, Stage(name, day_words(at, zone), "now")]
            if order.paid_at
            else [Stage("Ordered", day_words(order.placed_at, zone), "done"), Stage(name, day_words(at, zone), "now")]
        )
    return stages


def _state(order: Order, current: str, passed: datetime | None) -> str:
    return "now" if order.status == current else "done" if passed else ""


def _work_stage(order: Order, zone: str, moment: datetime) -> Stage:
    if order.status == S.IN_REVISION:
        return Stage("In revision", f"until {day_words(order.due_at, zone)}", "now")
    if order.status == S.IN_PROGRESS and order.started_at is not None:
        day = min((moment - order.started_at).days + 1, order.delivery_days)
        return Stage("In work", "late" if order.is_late(moment) else f"day {day} of {order.delivery_days}", "now")
    if order.delivered_at:
        return Stage("In work", f"delivered {day_words(order.delivered_at, zone)}", "done")
    return Stage("In work", days_words(order.delivery_days), "done" if order.started_at and order.status == S.CANCELLED else "")


def steer_parting(parting: Parting, viewer: Any) -> Helm:
    """The first line for who has to answer a proposal to end the order."""
    until, name = moment_words(parting.expires_at, viewer.time_zone), parting.proposed_by.first_name
    why = "Look at what each of you gets, then accept, decline or answer with another division. Until then the order goes on as it is."
    title = f"{name} proposes to end the order, answer by {until}"
    return Helm("Your turn", title, why, False, "#parting", "See the proposal", "handshake", until, parting.expires_at)


# Disputes

D = DisputeStatus
ANSWER_HOURS, SETTLE_HOURS = settings.DISPUTE_ANSWER_HOURS, settings.DISPUTE_SETTLE_HOURS


def hours_words(dispute: Dispute) -> str:
    """For how long the other side may answer."""
    return f"{round((dispute.answer_until - dispute.opened_at) / timedelta(hours=1))} hours"


def dispute_helm(dispute: Dispute, viewer: Any, *, href: str) -> Helm:
    """The first line of the dispute's own page."""
    found = steer_dispute(dispute, viewer, href=href)
    if found is not None:
        return found
    at = moment_words(dispute.closed_at, viewer.time_zone)
    why = dispute.decision or "The order went on where it stood, and its dates moved by as long as it stood."
    return Helm("Over", f"Withdrawn {at}", why, True)


def steer_dispute(dispute: Dispute, viewer: Any, *, href: str, settled: bool = True) -> Helm | None:
    """The first line of an order in dispute, or of one that ended with one; None when the order's own says it."""
    if dispute.status == D.WITHDRAWN:
        return None
    if not dispute.is_live:
        return _dispute_over(dispute, viewer, settled=settled)
    order = dispute.order
    name, mine = order.other(viewer).first_name, dispute.is_claimant(viewer)
    link, until = "Open the dispute", moment_words(dispute.until, viewer.time_zone)
    if dispute.status == D.ESCALATED:
        if not mine and not dispute.is_answered:
            why = "You have not answered yet. Support reads it if you do so before it decides; you can still settle it between you."
            return Helm("Your turn", f"Support decides dispute {dispute}", why, False, href, "Answer it", "scale")
        why = f"Nothing to do for you. Add what support should know, or settle it with {name} after all."
        return Helm("Support’s turn", f"Support decides dispute {dispute}", why, True, href, link, "scale")
    if dispute.status == D.OPEN:
        if mine:
            why = "The clock and the money of the order stand still. Without an answer support decides."
            return Helm(f"{name}’s turn", f"{name} answers your dispute by {until}", why, True, href, link, "scale", until, dispute.until)
        why = f"{name} {gives(dispute, dispute.to_client, viewer)}. Accept that, or say how you see it. Without an answer support decides."
        return Helm("Your turn", f"Answer {name}’s dispute by {until}", why, False, href, "Answer it", "scale", until, dispute.until)
    figure = gives(dispute, dispute.figure_against(viewer), viewer)
    why = f"{name} {figure}. Accept that or come closer; what is not settled by then is decided by support."
    return Helm("Your turn", f"Settle dispute {dispute} with {name} by {until}", why, False, href, "Settle it", "handshake", until, dispute.until)


def gives(dispute: Dispute, figure: Decimal | None, viewer: Any) -> str:
    """What the other side of `viewer` says of the money, behind their name: "wants $60.00 of $180.00 back"."""
    verb = "would give" if viewer.pk == dispute.order.client_id else "wants"
    return f"{verb} {usd(figure or ZERO)} of {usd(dispute.amount)} back"


def _dispute_over(dispute: Dispute, viewer: Any, *, settled: bool) -> Helm:
    order, back = dispute.order, dispute.decided_to_client or ZERO
    rest, builder = dispute.amount - back, viewer.pk != dispute.order.client_id
    how = "You settled it between you" if dispute.status == D.SETTLED else "Support decided it"
    how = f"{how} {moment_words(dispute.closed_at, viewer.time_zone)}"
    on_the_way = "" if settled else " Some of it is on its way, usually for minutes."
    if builder:
        got = f"You got {usd(order.builder_share)} after the platform fee" if rest else f"All of it went back to {order.client.first_name}"
        return Helm("Done" if rest else "Ended", f"Dispute {dispute} is over", f"{how}. {got}.{on_the_way}", True)
    part = "all of it" if not rest else usd(back)
    got = f"You get {part} back, with its part of the service fee" if back else f"All of it went to {order.builder.user.first_name}"
    return Helm("Done" if rest else "Ended", f"Dispute {dispute} is over", f"{how}. {got}.{on_the_way}", True)


@dataclass(frozen=True, slots=True)
class Due:
    """The ticket of an order: the moment that counts now, and what it means."""

    kind: str
    at: datetime | None
    note: str = ""
    icon_name: str = "anchor"
    none: str = ""
    hint: str = ""


def brief(order: Order, viewer: Any, moment: datetime) -> str:
    """Where a running order is, in two or three words: "due Sat 5 Dec", "late", "in review"."""
    if order.disputed_at is not None:
        return "in dispute"
    if order.status == S.PENDING_PAYMENT:
        return "to be paid"
    if order.status == S.FUNDING:
        return "going into escrow"
    if order.status == S.PENDING_REQUIREMENTS:
        return "waits for answers"
    if order.status == S.DELIVERED:
        return "in review"
    if order.asks_more:
        return "waits for answers"
    if order.is_late(moment) or order.due_at is None:
        return "late"
    local = order.due_at.astimezone(ZoneInfo(viewer.time_zone))
    return f"due {local:%a} {local.day} {local:%b}"


def due(order: Order, moment: datetime) -> Due:
    """What the ticket says."""
    if order.disputed_at is not None:
        words = "Date and money wait until the dispute is over."
        return Due("In dispute", None, icon_name="scale", none="The clock stands still", hint=words)
    if order.status == S.PENDING_PAYMENT:
        return Due("Held for you until", order.pay_until, "Then the order ends by itself.", "hourglass")
    if order.status == S.FUNDING:
        return Due("Not started", None, icon_name="hourglass", none="Going into escrow", hint="The order begins when the money is there.")
    if order.status == S.PENDING_REQUIREMENTS:
        words = f"{days_words(order.delivery_days)} from the answers"
        return Due("Not started", None, icon_name="pause", none="The clock stands still", hint=f"Due {words}.")
    if order.status == S.DELIVERED:
        return Due(
            "Counts as accepted", order.auto_accept_at, f"{days_words(settings.REVIEW_DAYS)} after the delivery, if nobody says anything.", "eye"
        )
    if order.asks_more:
        return Due("Waits for answers", None, icon_name="pause", none="The clock stands still", hint="The date moves on by as long as it stands.")
    if order.status in (S.IN_PROGRESS, S.IN_REVISION) and order.due_at is not None:
        late = order.due_at <= moment
        span = span_words(abs((order.due_at - moment).total_seconds()))
        begin = "the payment" if order.requirements_until is None else "the answers"
        note = (
            f"{days_words(order.delivery_days)} of work, counted from {begin}{_stood(order)}."
            if order.status == S.IN_PROGRESS
            else "The date of this revision."
        )
        return Due(f"{span} late" if late else f"Due in {span}", order.due_at, note, "alarm-clock" if late else "anchor")
    if order.status == S.COMPLETED:
        return Due("Completed", order.completed_at, icon_name="circle-check")
    if order.status == S.CANCELLED:
        return Due("Cancelled", order.cancelled_at, icon_name="circle-x")
    return Due("Ended unpaid", order.expired_at, icon_name="hourglass")


def _stood(order: Order) -> str:
    """By how much the date is later than the days of work say, because the clock stood while changes were talked about."""
    if order.started_at is None or order.due_at is None or order.delivered_at is not None:
        return ""
    seconds = (order.due_at - order.started_at - timedelta(days=order.delivery_days)).total_seconds()
    return f", and {span_words(seconds)} that the clock stood" if seconds >= 60 else ""


def due_if_answered(order: Order, moment: datetime) -> datetime | None:
    """When the work would be due if the answers were sent now."""
    return order.due_from(moment, order.delivery_days) if order.status == S.PENDING_REQUIREMENTS else None


def day_and_time(at: datetime, zone: str, moment: datetime) -> tuple[str, str]:
    """A moment in a list: "Today", the day of the week or the date, and the time, on the clock of `zone`."""
    local, here = at.astimezone(ZoneInfo(zone)), moment.astimezone(ZoneInfo(zone))
    days = (local.date() - here.date()).days
    return "Today" if days == 0 else f"{local:%a}" if 0 < days < 7 else f"{local.day} {local:%b}", f"{local:%H:%M}"


@dataclass(frozen=True, slots=True)
class Task:
    """A line of the builder's queue; `day` and `time` are on the builder's clock."""

    day: str
    time: str
    title: str
    text: str
    tag: str
    tag_kind: str
    hot: bool


def task(order: Order, builder: Any, moment: datetime, turn: Helm | None = None) -> Task:
    """What a builder waits for; `turn` is what an app above says about it."""
    name = order.client.first_name
    about = f"Order {order.number}, {order.client.name}."
    if order.disputed_at is not None:
        return Task("", "", f"{order.title} is in dispute", f"{about} {turn.title if turn else 'Its clock stands'}.", "In dispute", "bad", False)
    if turn is not None:
        about = f"{about} A change is under way: {turn.who}."
    at = {S.FUNDING: order.paid_at, S.DELIVERED: order.auto_accept_at, S.PENDING_REQUIREMENTS: order.requirements_until}.get(S(order.status))
    day, time = day_and_time(at, builder.time_zone, moment) if at is not None else ("", "")
    title, note = {
        S.FUNDING: (f"{name} paid for {order.title}", "The money is going into escrow; nothing to do yet."),
        S.DELIVERED: (f"{name} reviews {order.title}", "Nothing to do; it is accepted by itself."),
        S.PENDING_REQUIREMENTS: (f"{name} answers your questions", "Your clock is stopped."),
    }.get(S(order.status), (f"{name} answers what you asked", "Your clock is stopped."))
    return Task(day, time, title, f"{about} {note}", "Waiting", "quiet", False)
