"""The first line of an order: whose turn it is, until when, and what happens if nobody acts. Pure words, no queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from port444.kit.language import dated
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
    return dated(local, "D j M, H:i")


def both_words(at: datetime | None, reader: Any, other: Any) -> str:
    """A moment on the clock of `reader`, and of `other` where that shows another time: "Thu 3 Dec, 14:30 (Amsterdam; 19:00 in Kolkata)"."""
    if at is None:
        return ""
    here, there = (at.astimezone(ZoneInfo(person.time_zone)) for person in (reader, other))
    words = city(reader.time_zone)
    if here.utcoffset() != there.utcoffset():
        time = f"{there:%H:%M}" if here.date() == there.date() else moment_words(at, other.time_zone)
        words = _("%(here)s; %(time)s in %(there)s") % {"here": words, "time": time, "there": city(other.time_zone)}
    return f"{moment_words(at, reader.time_zone)} ({words})"


def day_words(at: datetime | None, zone: str) -> str:
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone))
    return dated(local, "j M")


def waits_until(order: Order) -> datetime | None:
    """Until when whoever's turn it is has time."""
    dates = {S.PENDING_PAYMENT: order.pay_until, S.PENDING_REQUIREMENTS: order.requirements_until, S.DELIVERED: order.auto_accept_at}
    return None if order.asks_more else dates.get(S(order.status), order.due_at)


def days_words(days: int) -> str:
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}


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
            _("%(name)s’s turn") % {"name": name},
            _("%(name)s pays by %(until)s") % {"name": name, "until": until},
            _("Nothing to do for you. Without payment the order ends by itself."),
            True,
            until=until,
        )
    why = _("The money waits in escrow until you accept the work. Without payment the order ends by itself after %(minutes)s minutes.") % {
        "minutes": settings.PAYMENT_MINUTES
    }
    return Helm(
        _("Your turn"), _("Pay %(total)s by %(until)s") % {"total": usd(order.total), "until": until}, why, False, "#desk", _("Pay"), "wallet", until
    )


def _funding(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    if builder:
        name = order.client.first_name
        why = _("Nothing to do for you yet. It usually takes a few minutes; when %(price)s is there, you are told and the order begins.") % {
            "price": usd(order.price)
        }
        return Helm(_("%(name)s has paid") % {"name": name}, _("The money is going into escrow"), why, True)
    why = _(
        "Your payment has come in. It usually takes a few minutes to put %(price)s into escrow; then the order begins "
        "and you are told. Nothing to do for you, and you may close this page. If it cannot be done, you get %(total)s "
        "back."
    ) % {"price": usd(order.price), "total": usd(order.total)}
    return Helm(_("Paid, nothing to do"), _("Your money is going into escrow"), why, True)


def _unanswered(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    until = moment_words(order.requirements_until, viewer.time_zone)
    if builder:
        name = order.client.first_name
        if order.is_free(moment):
            why = _(
                "The questions have been open for three days. You may cancel now, and that counts against nobody. Otherwise "
                "the order cancels by itself on %(until)s and the money goes back to %(name)s."
            ) % {"until": until, "name": name}
            title = _("%(name)s still owes the answers, and you need not wait") % {"name": name}
            return Helm(
                _("%(name)s’s turn, your clock is stopped") % {"name": name},
                title,
                why,
                True,
                "#problem",
                _("See what you can do"),
                "circle-x",
                until,
            )
        why = _("The order cancels by itself on %(until)s, the money goes back to %(name)s, and that counts against nobody.") % {
            "until": until,
            "name": name,
        }
        return Helm(
            _("%(name)s’s turn, your clock is stopped") % {"name": name},
            _("%(name)s still owes the answers to your questions") % {"name": name},
            why,
            True,
            until=until,
        )
    name = order.builder.user.first_name
    why = _(
        "%(name)s has %(days)s from the moment you send them. Without answers the order cancels by itself on %(until)s and you get %(total)s back."
    ) % {"name": name, "days": days_words(order.delivery_days), "until": until, "total": usd(order.total)}
    return Helm(
        _("Your turn"),
        _("Answer %(name)s’s questions to start the clock") % {"name": name},
        why,
        False,
        "#desk",
        _("Answer the questions"),
        "list-checks",
        until,
    )


def _there(at: datetime | None, viewer: Any, other: Any) -> str:
    """The moment as the other person reads it, when their clock differs."""
    if at is None or at.astimezone(ZoneInfo(viewer.time_zone)).utcoffset() == at.astimezone(ZoneInfo(other.time_zone)).utcoffset():
        return ""
    return _("%(at)s in %(place)s. ") % {"at": moment_words(at, other.time_zone), "place": city(other.time_zone)}


def _owing(order: Order, viewer: Any, builder: bool) -> Helm:
    name = order.other(viewer).first_name
    if builder:
        why = _("Your clock stands since %(since)s, and your date moves by as long as it stands.") % {
            "since": moment_words(order.clock_stopped_at, viewer.time_zone)
        }
        who = _("%(name)s’s turn, your clock is stopped") % {"name": name}
        return Helm(who, _("%(name)s answers what you asked") % {"name": name}, why, True, "#desk", _("See what you asked"), "list-checks")
    why = _("The clock stands since %(since)s; %(name)s delivers that much later.") % {
        "since": moment_words(order.clock_stopped_at, viewer.time_zone),
        "name": name,
    }
    return Helm(
        _("Your turn, the clock stands"), _("Answer what %(name)s asked to go on") % {"name": name}, why, False, "#desk", _("Answer"), "list-checks"
    )


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
            why = _("%(name)s may cancel now and get %(total)s back. Deliver, or write to %(name)s.") % {"name": name, "total": usd(order.total)}
            return Helm(
                _("Your turn, %(ago)s late") % {"ago": ago},
                _("Deliver now, it was due %(until)s") % {"until": until},
                why,
                False,
                "#desk",
                _("Deliver"),
                "package",
                until,
            )
        why = there + _("After the delivery %(name)s has %(days)s to review; then you are paid %(amount)s.") % {
            "name": name,
            "days": days_words(settings.REVIEW_DAYS),
            "amount": usd(order.builder_share),
        }
        return Helm(_("Your turn"), _("Deliver by %(until)s") % {"until": until}, why, False, "#desk", _("Deliver"), "package", until)
    name = order.builder.user.first_name
    if late:
        why = _("You may wait, write to %(name)s, or cancel: %(total)s comes back.") % {"name": name, "total": usd(order.total)}
        return Helm(
            _("%(name)s’s turn, %(ago)s late") % {"name": name, "ago": ago},
            _("%(name)s should have delivered by %(until)s") % {"name": name, "until": until},
            why,
            True,
            "#desk",
            _("See what you can do"),
            "alarm-clock",
            until,
        )
    return Helm(
        _("%(name)s’s turn") % {"name": name},
        _("%(name)s delivers by %(until)s") % {"name": name, "until": until},
        there + _("Nothing to do for you."),
        True,
        until=until,
    )


def _delivered(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    until = moment_words(order.auto_accept_at, viewer.time_zone)
    there = _there(order.auto_accept_at, viewer, order.other(viewer))
    if builder:
        name = order.client.first_name
        why = there + _("If %(name)s says nothing by then, the delivery counts as accepted and you are paid %(amount)s.") % {
            "name": name,
            "amount": usd(order.builder_share),
        }
        return Helm(
            _("%(name)s’s turn") % {"name": name},
            _("%(name)s reviews your delivery by %(until)s") % {"name": name, "until": until},
            why,
            True,
            until=until,
        )
    name = order.builder.user.first_name
    why = there + _("After that it counts as accepted and %(name)s is paid.") % {"name": name}
    return Helm(
        _("Your turn"), _("Look at the delivery by %(until)s") % {"until": until}, why, False, "#desk", _("Review the delivery"), "eye", until
    )


def _revising(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    if order.asks_more:
        return _owing(order, viewer, builder)
    until = moment_words(order.due_at, viewer.time_zone)
    there = _there(order.due_at, viewer, order.other(viewer))
    if builder:
        name = order.client.first_name
        why = there + _("%(name)s said what should be different. After the new delivery they have %(days)s to review.") % {
            "name": name,
            "days": days_words(settings.REVIEW_DAYS),
        }
        return Helm(
            _("Your turn"), _("Deliver the revision by %(until)s") % {"until": until}, why, False, "#desk", _("Deliver again"), "package", until
        )
    name = order.builder.user.first_name
    why = there + _("Nothing to do for you.") + f" {left_words(order)}"
    return Helm(
        _("%(name)s’s turn") % {"name": name},
        _("%(name)s works on your changes until %(until)s") % {"name": name, "until": until},
        why,
        True,
        until=until,
    )


def left_words(order: Order) -> str:
    left = order.revisions_left
    return ngettext("%(n)s revision left of %(allowed)s.", "%(n)s revisions left of %(allowed)s.", left) % {
        "n": left,
        "allowed": order.revisions_allowed,
    }


def _completed(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    accepted = _accepted(order, viewer)
    if builder:
        return Helm(
            _("Done"),
            _("You were paid %(amount)s") % {"amount": usd(order.builder_share)},
            " ".join((accepted, _("The money is in your earnings."))),
            True,
        )
    paid = _("%(builder)s is paid; the files stay here.") % {"builder": order.builder.user.first_name}
    return Helm(_("Done"), _("The order is complete"), " ".join((accepted, paid)), True)


def _accepted(order: Order, viewer: Any) -> str:
    at = moment_words(order.completed_at, viewer.time_zone)
    if order.accepted_by_client:
        return _("The delivery was accepted %(at)s.") % {"at": at}
    return _("The delivery was accepted by itself %(at)s, as nobody objected.") % {"at": at}


def _being_paid(order: Order, viewer: Any) -> Helm:
    why = " ".join((_accepted(order, viewer), _("Escrow releases the money within minutes.")))
    return Helm(_("Done"), _("You are being paid %(amount)s") % {"amount": usd(order.builder_share)}, why, True)


def _cancelled(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    at = moment_words(order.cancelled_at, viewer.time_zone)
    mine, name = order.cancelled_by_id == viewer.pk, order.other(viewer).first_name
    if order.cancel_cause == CancelCause.NO_REQUIREMENTS and order.cancelled_by_id is not None:
        who = (
            _("You cancelled it %(at)s, because the questions were open for three days. That counts against nobody.") % {"at": at}
            if mine
            else _("%(name)s cancelled it %(at)s, because the questions were open for three days. That counts against nobody.")
            % {"name": name, "at": at}
        )
    elif order.cancel_cause == CancelCause.NO_REQUIREMENTS:
        who = _("It ended by itself %(at)s, because the questions were not answered. That counts against nobody.") % {"at": at}
    elif order.cancel_cause == CancelCause.NOT_FUNDED:
        who = _("It ended %(at)s, because the money could not be put into escrow. That counts against nobody.") % {"at": at}
    elif order.cancel_cause == CancelCause.RECLAIMED:
        why = (
            _("You took the money back from escrow after its expiry, %(at)s.") % {"at": at}
            if mine
            else _("%(name)s took the money back from escrow after its expiry, %(at)s.") % {"name": name, "at": at}
        )
        return Helm(_("Ended"), _("The order was cancelled"), why, True)
    elif order.cancel_cause == CancelCause.DISPUTE:
        who = _("A dispute ended it %(at)s.") % {"at": at}
    elif order.cancel_cause == CancelCause.AGREED:
        return Helm(
            _("Ended"),
            _("You both agreed to end the order"),
            _("%(at)s. The money is divided as you agreed, and that counts against nobody.") % {"at": at},
            True,
        )
    elif order.cancel_cause == CancelCause.SUPPORT:
        who = _("Support ended it %(at)s.") % {"at": at}
    elif order.cancel_cause == CancelCause.MERGED:
        why = _("Support merged it %(at)s. All that was agreed is part of %(order)s, and so is the money in escrow.") % {
            "at": at,
            "order": _named(order.merged_into),
        }
        return Helm(_("Merged"), _("It goes on as %(order)s") % {"order": _named(order.merged_into)}, why, True, *_to(order.merged_into))
    elif order.cancel_cause == CancelCause.UNDONE:
        goes = order.split_from
        why = _("Support put it back %(at)s. What it was made of goes on as before, and the money with it.") % {"at": at}
        return Helm(
            _("Undone"),
            _("It goes on as %(order)s") % {"order": _named(goes)} if goes else _("It goes on as the orders it was made of"),
            why,
            True,
            *_to(goes),
        )
    elif order.cancel_cause == CancelCause.LATE:
        who = (
            _("You cancelled it %(at)s, because the delivery was late.") % {"at": at}
            if mine
            else _("%(name)s cancelled it %(at)s, because the delivery was late.") % {"name": name, "at": at}
        )
    elif order.cancel_cause == CancelCause.AWAY:
        who = (
            _("You cancelled it %(at)s, because %(builder)s is away beyond the date that was agreed.")
            % {"at": at, "builder": order.builder.user.first_name}
            if mine
            else _("%(name)s cancelled it %(at)s, because %(builder)s is away beyond the date that was agreed.")
            % {"name": name, "at": at, "builder": order.builder.user.first_name}
        )
    else:
        who = _("You cancelled it %(at)s.") % {"at": at} if mine else _("%(name)s cancelled it %(at)s.") % {"name": name, "at": at}
    if order.paid_at is None:
        back = _("Nothing was paid.")
    elif builder:
        back = _("%(client)s gets everything back.") % {"client": order.client.first_name}
    else:
        back = _("%(total)s goes back to you, service fee included.") % {"total": usd(order.total)}
        if order.credit:
            back = " ".join((back, _("Your credit of %(credit)s is there again.") % {"credit": usd(order.credit)}))
    return Helm(_("Ended"), _("The order was cancelled"), " ".join((who, back)), True)


def _named(order: Order | None) -> str:
    return _("order %(number)s") % {"number": order.number} if order is not None else _("another order")


def _to(order: Order | None) -> tuple[str, str, str]:
    """Where it goes on: address, words and icon of the link."""
    return (
        (reverse("orders:detail", args=[order.number]), _("Open order %(number)s") % {"number": order.number}, "git-merge")
        if order is not None
        else ("", "", "")
    )


def _expired(order: Order, viewer: Any, builder: bool, moment: datetime) -> Helm:
    why = _("It was not paid by %(until)s. Nothing was charged.") % {"until": moment_words(order.pay_until, viewer.time_zone)}
    return Helm(_("Ended"), _("The order ended unpaid"), why, True)


def route(order: Order, viewer: Any, moment: datetime, *, asks: bool) -> list[Stage]:
    """The stages with their dates; `asks` tells whether the service has questions."""
    zone = viewer.time_zone
    ended = order.status in (S.CANCELLED, S.EXPIRED)
    ordered = Stage(
        _("Ordered"),
        day_words(order.placed_at, zone) if order.paid_at else _("waiting for payment"),
        "now" if order.status == S.PENDING_PAYMENT else "done",
    )
    stages = [ordered]
    if order.status == S.FUNDING:
        stages.append(Stage(_("Into escrow"), _("a few minutes"), "now"))
    if asks:
        note = _("%(started)s, clock started") % {"started": day_words(order.started_at, zone)} if order.started_at else _("starts the clock")
        stages.append(Stage(_("Answers sent"), note, _state(order, S.PENDING_REQUIREMENTS, order.started_at)))
    stages.append(_work_stage(order, zone, moment))
    review = (
        _("from %(due)s") % {"due": day_words(order.due_at, zone)}
        if order.due_at
        else _("%(days)s long") % {"days": days_words(settings.REVIEW_DAYS)}
    )
    if order.status == S.DELIVERED:
        review = _("until %(until)s") % {"until": day_words(order.auto_accept_at, zone)}
    elif order.completed_at:
        first, last = day_words(order.delivered_at, zone), day_words(order.completed_at, zone)
        review = first if first == last else _("%(first)s to %(last)s") % {"first": first, "last": last}
    name = (
        _("%(client)s’s review") % {"client": order.client.first_name}
        if order.is_builder(viewer)
        else pgettext("looking at a delivery", "Your review")
    )
    stages.append(Stage(name, review, _state(order, S.DELIVERED, order.completed_at)))
    paid = _("you are paid") if order.is_builder(viewer) else _("%(builder)s is paid") % {"builder": order.builder.user.first_name}
    stages.append(Stage(_("Done"), day_words(order.completed_at, zone) if order.completed_at else paid, "done" if order.completed_at else ""))
    if ended:
        stages = [stage for stage in stages if stage.state == "done"]
        name, at = (_("Cancelled"), order.cancelled_at) if order.status == S.CANCELLED else (_("Not paid"), order.expired_at)
        stages = (
            [*stages, Stage(name, day_words(at, zone), "now")]
            if order.paid_at
            else [Stage(_("Ordered"), day_words(order.placed_at, zone), "done"), Stage(name, day_words(at, zone), "now")]
        )
    return stages


def _state(order: Order, current: str, passed: datetime | None) -> str:
    return "now" if order.status == current else "done" if passed else ""


def _work_stage(order: Order, zone: str, moment: datetime) -> Stage:
    if order.status == S.IN_REVISION:
        return Stage(_("In revision"), _("until %(due)s") % {"due": day_words(order.due_at, zone)}, "now")
    if order.status == S.IN_PROGRESS and order.started_at is not None:
        day = min((moment - order.started_at).days + 1, order.delivery_days)
        note = _("late") if order.is_late(moment) else _("day %(day)s of %(days)s") % {"day": day, "days": order.delivery_days}
        return Stage(_("In work"), note, "now")
    if order.delivered_at:
        return Stage(_("In work"), _("delivered %(delivered)s") % {"delivered": day_words(order.delivered_at, zone)}, "done")
    return Stage(_("In work"), days_words(order.delivery_days), "done" if order.started_at and order.status == S.CANCELLED else "")


def steer_parting(parting: Parting, viewer: Any) -> Helm:
    """The first line for who has to answer a proposal to end the order."""
    until, name = moment_words(parting.expires_at, viewer.time_zone), parting.proposed_by.first_name
    why = _("Look at what each of you gets, then accept, decline or answer with another division. Until then the order goes on as it is.")
    title = _("%(name)s proposes to end the order, answer by %(until)s") % {"name": name, "until": until}
    return Helm(_("Your turn"), title, why, False, "#parting", _("See the proposal"), "handshake", until, parting.expires_at)


# Disputes

D = DisputeStatus
ANSWER_HOURS, SETTLE_HOURS = settings.DISPUTE_ANSWER_HOURS, settings.DISPUTE_SETTLE_HOURS


def hours_words(dispute: Dispute) -> str:
    """For how long the other side may answer."""
    return _("%(hours)s hours") % {"hours": round((dispute.answer_until - dispute.opened_at) / timedelta(hours=1))}


def dispute_helm(dispute: Dispute, viewer: Any, *, href: str) -> Helm:
    """The first line of the dispute's own page."""
    found = steer_dispute(dispute, viewer, href=href)
    if found is not None:
        return found
    at = moment_words(dispute.closed_at, viewer.time_zone)
    why = dispute.decision or _("The order went on where it stood, and its dates moved by as long as it stood.")
    return Helm(_("Over"), _("Withdrawn %(at)s") % {"at": at}, why, True)


def steer_dispute(dispute: Dispute, viewer: Any, *, href: str, settled: bool = True) -> Helm | None:
    """The first line of an order in dispute, or of one that ended with one; None when the order's own says it."""
    if dispute.status == D.WITHDRAWN:
        return None
    if not dispute.is_live:
        return _dispute_over(dispute, viewer, settled=settled)
    order = dispute.order
    name, mine = order.other(viewer).first_name, dispute.is_claimant(viewer)
    link, until = _("Open the dispute"), moment_words(dispute.until, viewer.time_zone)
    if dispute.status == D.ESCALATED:
        if not mine and not dispute.is_answered:
            why = _("You have not answered yet. Support reads it if you do so before it decides; you can still settle it between you.")
            return Helm(_("Your turn"), _("Support decides dispute %(dispute)s") % {"dispute": dispute}, why, False, href, _("Answer it"), "scale")
        why = _("Nothing to do for you. Add what support should know, or settle it with %(name)s after all.") % {"name": name}
        return Helm(_("Support’s turn"), _("Support decides dispute %(dispute)s") % {"dispute": dispute}, why, True, href, link, "scale")
    if dispute.status == D.OPEN:
        if mine:
            why = _("The clock and the money of the order stand still. Without an answer support decides.")
            return Helm(
                _("%(name)s’s turn") % {"name": name},
                _("%(name)s answers your dispute by %(until)s") % {"name": name, "until": until},
                why,
                True,
                href,
                link,
                "scale",
                until,
                dispute.until,
            )
        why = _("%(name)s %(figure)s. Accept that, or say how you see it. Without an answer support decides.") % {
            "name": name,
            "figure": gives(dispute, dispute.to_client, viewer),
        }
        return Helm(
            _("Your turn"),
            _("Answer %(name)s’s dispute by %(until)s") % {"name": name, "until": until},
            why,
            False,
            href,
            _("Answer it"),
            "scale",
            until,
            dispute.until,
        )
    figure = gives(dispute, dispute.figure_against(viewer), viewer)
    why = _("%(name)s %(figure)s. Accept that or come closer; what is not settled by then is decided by support.") % {"name": name, "figure": figure}
    return Helm(
        _("Your turn"),
        _("Settle dispute %(dispute)s with %(name)s by %(until)s") % {"dispute": dispute, "name": name, "until": until},
        why,
        False,
        href,
        _("Settle it"),
        "handshake",
        until,
        dispute.until,
    )


def gives(dispute: Dispute, figure: Decimal | None, viewer: Any) -> str:
    """What the other side of `viewer` says of the money, behind their name: "wants $60.00 of $180.00 back"."""
    would, wants = _("would give %(figure)s of %(amount)s back"), _("wants %(figure)s of %(amount)s back")
    return (would if viewer.pk == dispute.order.client_id else wants) % {"figure": usd(figure or ZERO), "amount": usd(dispute.amount)}


def _dispute_over(dispute: Dispute, viewer: Any, *, settled: bool) -> Helm:
    order, back = dispute.order, dispute.decided_to_client or ZERO
    rest, builder = dispute.amount - back, viewer.pk != dispute.order.client_id
    at = moment_words(dispute.closed_at, viewer.time_zone)
    how = _("You settled it between you %(at)s.") % {"at": at} if dispute.status == D.SETTLED else _("Support decided it %(at)s.") % {"at": at}
    if builder:
        got = (
            _("You got %(amount)s after the platform fee.") % {"amount": usd(order.builder_share)}
            if rest
            else _("All of it went back to %(client)s.") % {"client": order.client.first_name}
        )
    elif not back:
        got = _("All of it went to %(builder)s.") % {"builder": order.builder.user.first_name}
    elif rest:
        got = _("You get %(back)s back, with its part of the service fee.") % {"back": usd(back)}
    else:
        got = _("You get all of it back, with its part of the service fee.")
    on_the_way = "" if settled else _("Some of it is on its way, usually for minutes.")
    return Helm(
        _("Done") if rest else _("Ended"),
        _("Dispute %(dispute)s is over") % {"dispute": dispute},
        " ".join(filter(None, (how, got, on_the_way))),
        True,
    )


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
        return _("in dispute")
    if order.status == S.PENDING_PAYMENT:
        return _("to be paid")
    if order.status == S.FUNDING:
        return _("going into escrow")
    if order.status == S.PENDING_REQUIREMENTS:
        return _("waits for answers")
    if order.status == S.DELIVERED:
        return _("in review")
    if order.asks_more:
        return _("waits for answers")
    if order.is_late(moment) or order.due_at is None:
        return _("late")
    return _("due %(day)s") % {"day": dated(order.due_at.astimezone(ZoneInfo(viewer.time_zone)), "D j M")}


def due(order: Order, moment: datetime) -> Due:
    """What the ticket says."""
    if order.disputed_at is not None:
        words = _("Date and money wait until the dispute is over.")
        return Due(_("In dispute"), None, icon_name="scale", none=_("The clock stands still"), hint=words)
    if order.status == S.PENDING_PAYMENT:
        return Due(_("Held for you until"), order.pay_until, _("Then the order ends by itself."), "hourglass")
    if order.status == S.FUNDING:
        return Due(_("Not started"), None, icon_name="hourglass", none=_("Going into escrow"), hint=_("The order begins when the money is there."))
    if order.status == S.PENDING_REQUIREMENTS:
        words = _("Due %(days)s from the answers.") % {"days": days_words(order.delivery_days)}
        return Due(_("Not started"), None, icon_name="pause", none=_("The clock stands still"), hint=words)
    if order.status == S.DELIVERED:
        return Due(
            _("Counts as accepted"),
            order.auto_accept_at,
            _("%(days)s after the delivery, if nobody says anything.") % {"days": days_words(settings.REVIEW_DAYS)},
            "eye",
        )
    if order.asks_more:
        return Due(
            _("Waits for answers"), None, icon_name="pause", none=_("The clock stands still"), hint=_("The date moves on by as long as it stands.")
        )
    if order.status in (S.IN_PROGRESS, S.IN_REVISION) and order.due_at is not None:
        late = order.due_at <= moment
        span = span_words(abs((order.due_at - moment).total_seconds()))
        note = _counted(order) if order.status == S.IN_PROGRESS else _("The date of this revision.")
        return Due(
            _("%(span)s late") % {"span": span} if late else _("Due in %(span)s") % {"span": span},
            order.due_at,
            note,
            "alarm-clock" if late else "anchor",
        )
    if order.status == S.COMPLETED:
        return Due(_("Completed"), order.completed_at, icon_name="circle-check")
    if order.status == S.CANCELLED:
        return Due(_("Cancelled"), order.cancelled_at, icon_name="circle-x")
    return Due(_("Ended unpaid"), order.expired_at, icon_name="hourglass")


def _counted(order: Order) -> str:
    """From when on the days of work run, and by how much the date is later, because the clock stood while changes were talked about."""
    days, seconds = days_words(order.delivery_days), 0.0
    if order.started_at is not None and order.due_at is not None and order.delivered_at is None:
        seconds = (order.due_at - order.started_at - timedelta(days=order.delivery_days)).total_seconds()
    if seconds < 60:
        return (
            _("%(days)s of work, counted from the payment.") % {"days": days}
            if order.requirements_until is None
            else _("%(days)s of work, counted from the answers.") % {"days": days}
        )
    stood = span_words(seconds)
    if order.requirements_until is None:
        return _("%(days)s of work, counted from the payment, and %(stood)s that the clock stood.") % {"days": days, "stood": stood}
    return _("%(days)s of work, counted from the answers, and %(stood)s that the clock stood.") % {"days": days, "stood": stood}


def due_if_answered(order: Order, moment: datetime) -> datetime | None:
    """When the work would be due if the answers were sent now."""
    return order.due_from(moment, order.delivery_days) if order.status == S.PENDING_REQUIREMENTS else None


def day_and_time(at: datetime, zone: str, moment: datetime) -> tuple[str, str]:
    """A moment in a list: "Today", the day of the week or the date, and the time, on the clock of `zone`."""
    local, here = at.astimezone(ZoneInfo(zone)), moment.astimezone(ZoneInfo(zone))
    days = (local.date() - here.date()).days
    return _("Today") if days == 0 else dated(local, "D") if 0 < days < 7 else dated(local, "j M"), f"{local:%H:%M}"


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
    about = _("Order %(number)s, %(name)s.") % {"number": order.number, "name": order.client.name}
    if order.disputed_at is not None:
        stands = f"{turn.title}." if turn else _("Its clock stands.")
        return Task("", "", _("%(title)s is in dispute") % {"title": order.title}, " ".join((about, stands)), _("In dispute"), "bad", False)
    if turn is not None:
        about = " ".join((about, _("A change is under way: %(who)s.") % {"who": turn.who}))
    at = {S.FUNDING: order.paid_at, S.DELIVERED: order.auto_accept_at, S.PENDING_REQUIREMENTS: order.requirements_until}.get(S(order.status))
    day, time = day_and_time(at, builder.time_zone, moment) if at is not None else ("", "")
    title, note = {
        S.FUNDING: (_("%(name)s paid for %(title)s") % {"name": name, "title": order.title}, _("The money is going into escrow; nothing to do yet.")),
        S.DELIVERED: (_("%(name)s reviews %(title)s") % {"name": name, "title": order.title}, _("Nothing to do; it is accepted by itself.")),
        S.PENDING_REQUIREMENTS: (_("%(name)s answers your questions") % {"name": name}, _("Your clock is stopped.")),
    }.get(S(order.status), (_("%(name)s answers what you asked") % {"name": name}, _("Your clock is stopped.")))
    return Task(day, time, title, " ".join((about, note)), _("Waiting"), "quiet", False)
