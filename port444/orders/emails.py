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
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext, pgettext_lazy

from port444.catalog.models import QuestionKind
from port444.kit.language import dated, speaking_to
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
    with speaking_to(reader):
        builder = reader.pk == order.builder.user_id
        money = (
            _("%(amount)s after the platform fee") % {"amount": usd(order.builder_share)}
            if builder
            else _("%(total)s with the service fee") % {"total": usd(order.total)}
        )
        facts = [(pgettext("noun", "Order"), f"{order.number}, {order.title}"), (_("With"), order.other(reader).name)]
        if builder and order.prepaid:
            facts.append((_("Paid with a call before"), usd(order.prepaid)))
        elif order.credit and not builder:
            facts.append((_("Paid with your credit"), usd(order.credit)))
        if order.status == OrderStatus.CANCELLED:
            return facts  # the text of the mail says where the money goes
        return [*facts, (_("You get") if builder else _("You pay"), money)]


def paid_to_builder(order: Order) -> Words:
    with speaking_to(order.builder.user):
        name, reader = order.client.first_name, order.builder.user
        title = _("New order: %(title)s") % {"title": order.title}
        if order.due_at:
            return Words(
                title,
                _("%(name)s paid %(price)s into escrow. Your clock runs: deliver by %(due)s.")
                % {"name": name, "price": usd(order.price), "due": _when(order.due_at, reader, order)},
            )
        return Words(
            title,
            _("%(name)s paid %(price)s into escrow. Your clock has not started: %(name)s answers your questions first, by %(until)s.")
            % {"name": name, "price": usd(order.price), "until": _when(order.requirements_until, reader, order)},
        )


def paid_to_client(order: Order) -> Words:
    with speaking_to(order.client):
        name, reader = order.builder.user.first_name, order.client
        if order.due_at:
            return Words(
                _("%(name)s has your order") % {"name": name},
                _("%(price)s is in escrow. %(name)s delivers by %(due)s.")
                % {"price": usd(order.price), "name": name, "due": _when(order.due_at, reader, order)},
            )
        return Words(
            _("Answer %(name)s’s questions") % {"name": name},
            _(
                "%(price)s is in escrow. %(name)s starts when you have answered the questions, and has %(days)s from "
                "then. Without answers by %(until)s the order cancels by itself and you get everything back."
            )
            % {
                "price": usd(order.price),
                "name": name,
                "days": days_words(order.delivery_days),
                "until": _when(order.requirements_until, reader, order),
            },
        )


def expired_to_client(order: Order, offer: Offer | None = None) -> Words:
    """`offer` is the one that the order came from, when it is open again."""
    with speaking_to(order.client):
        until = _when(order.pay_until, order.client)
        if offer is not None:
            stands = _when(offer.expires_at, order.client)
            body = _("%(title)s was not paid by %(until)s. Nothing was charged; the offer stands until %(stands)s.") % {
                "title": order.title,
                "until": until,
                "stands": stands,
            }
        else:
            body = _("%(title)s was not paid by %(until)s. Nothing was charged; you can order again.") % {"title": order.title, "until": until}
        return Words(_("Order %(number)s ended unpaid") % {"number": order.number}, body)


def started_to_builder(order: Order) -> Words:
    with speaking_to(order.builder.user):
        name = order.client.first_name
        return Words(
            _("%(name)s answered your questions") % {"name": name},
            _("The clock runs. Deliver %(title)s by %(due)s.") % {"title": order.title, "due": _when(order.due_at, order.builder.user, order)},
        )


def delivered_to_client(order: Order) -> Words:
    with speaking_to(order.client):
        name = order.builder.user.first_name
        return Words(
            _("%(name)s delivered %(title)s") % {"name": name, "title": order.title},
            _(
                "Look at it by %(until)s: accept it, or ask for changes. %(left)s If you say nothing by then it counts "
                "as accepted and %(name)s is paid."
            )
            % {"until": _when(order.auto_accept_at, order.client, order), "left": left_words(order), "name": name},
        )


# Reminders

MOST_NAMED, MOST_LISTED, LONG_QUESTION = 3, 12, 80
COUNTS = (
    pgettext_lazy("how many", "No"),
    pgettext_lazy("how many", "One"),
    pgettext_lazy("how many", "Two"),
    pgettext_lazy("how many", "Three"),
    pgettext_lazy("how many", "Four"),
    pgettext_lazy("how many", "Five"),
    pgettext_lazy("how many", "Six"),
    pgettext_lazy("how many", "Seven"),
    pgettext_lazy("how many", "Eight"),
    pgettext_lazy("how many", "Nine"),
    pgettext_lazy("how many", "Ten"),
)


@dataclass(frozen=True, slots=True)
class Reminded:
    """What one reminder speaks of; the questions carry `has_files`."""

    kind: NudgeKind
    order: Order
    questions: Sequence[Requirement]


def reminder(one: Reminded, moment: datetime) -> Words:
    """What is missing, what happens when nobody does anything and when, and who is away meanwhile."""
    with speaking_to(one.order.client):
        order, client = one.order, one.order.client
        name, away = order.builder.user.first_name, _away(order, moment)
        if one.kind == NudgeKind.REVIEW_48H:
            return Words(
                _("%(name)s’s delivery waits for you: %(title)s") % {"name": name, "title": order.title},
                _joined(
                    _(
                        "Look at it by %(until)s: accept it, or ask for changes. %(left)s If you say nothing by then it counts "
                        "as accepted and %(name)s is paid."
                    )
                    % {"until": _when(order.auto_accept_at, client, order), "left": left_words(order), "name": name},
                    away,
                ),
            )
        until, back, asked = _when(order.requirements_until, client, order), _back(order), _open_questions(one)
        if one.kind == NudgeKind.ANSWERS_72H:
            return Words(
                _("Last reminder: order %(number)s cancels by itself on %(until)s")
                % {"number": order.number, "until": moment_words(order.requirements_until, client.time_zone)},
                _joined(
                    asked,
                    _("Without answers by %(until)s the order cancels by itself and you get %(back)s back; that counts against nobody.")
                    % {"until": until, "back": back},
                    _("%(name)s need not wait that long and may cancel %(when)s.") % {"name": name, "when": _free(order, moment)},
                    away,
                ),
            )
        return Words(
            _("%(name)s waits for your answers: %(title)s") % {"name": name, "title": order.title},
            _joined(
                asked,
                _("%(name)s has %(days)s from the moment you send them.") % {"name": name, "days": days_words(order.delivery_days)},
                _("Without answers by %(until)s the order cancels by itself and you get %(back)s back.") % {"until": until, "back": back},
                away,
            ),
        )


def reminders(lines: Sequence[Reminded], moment: datetime) -> Words:
    """Several of one person in one message, a paragraph each."""
    with speaking_to(lines[0].order.client):
        paragraphs = []
        for one in lines[:MOST_LISTED]:
            order, client = one.order, one.order.client
            if one.kind == NudgeKind.REVIEW_48H:
                until = _when(order.auto_accept_at, client, order)
                what = _("%(builder)s delivered. Without a word from you by %(until)s it counts as accepted.") % {
                    "builder": order.builder.user.first_name,
                    "until": until,
                }
            else:
                until = _when(order.requirements_until, client, order)
                what = _joined(
                    _open_questions(one),
                    _("Without answers by %(until)s it cancels by itself and you get %(back)s back.") % {"until": until, "back": _back(order)},
                )
            paragraphs.append(
                _joined(
                    _("Order %(number)s, %(title)s: %(what)s") % {"number": order.number, "title": order.title, "what": what}, _away(order, moment)
                )
            )
        if len(lines) > MOST_LISTED:
            paragraphs.append(_("And %(number)s more.") % {"number": len(lines) - MOST_LISTED})
        return Words(_("%(number)s more orders wait for you") % {"number": _count(len(lines))}, "\n\n".join(paragraphs))


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _free(order: Order, moment: datetime) -> str:
    """From when the builder may cancel; support may send the last reminder before that."""
    return _("from now on") if order.is_free(moment) else _("from %(at)s on") % {"at": _when(order.free_from, order.client)}


def _back(order: Order) -> str:
    return (
        _("%(total)s and your credit of %(credit)s") % {"total": usd(order.total), "credit": usd(order.credit)} if order.credit else usd(order.total)
    )


def _count(number: int) -> str:
    return str(COUNTS[number] if number < len(COUNTS) else number)


def _open_questions(one: Reminded) -> str:
    """Which questions are open, by name: Two questions are open: “Which pages are slow?” and “Which database?”."""
    needed = [row for row in one.questions if row.is_required]
    labels = [row.label for row in needed if not (getattr(row, "has_files", False) if row.kind == QuestionKind.FILE else row.answer)]
    if not labels:
        return _("Your answers are written but not sent yet.") if needed else _("All questions are optional; send the form to start the work.")
    cut = [label if len(label) <= LONG_QUESTION else f"{label[: LONG_QUESTION - 1]}…" for label in labels[:MOST_NAMED]]
    named = [_quoted(label) for label in cut]
    if len(labels) > MOST_NAMED:
        named.append(_("%(number)s more") % {"number": len(labels) - MOST_NAMED})
    first, last = ", ".join(named[:-1]), named[-1]
    listed = _("%(first)s and %(last)s") % {"first": first, "last": last} if first else last
    return ngettext("%(count)s question is open: %(listed)s.", "%(count)s questions are open: %(listed)s.", len(labels)) % {
        "count": _count(len(labels)),
        "listed": listed,
    }


def _quoted(text: str) -> str:
    return _("“%(text)s”") % {"text": text}


def _away(order: Order, moment: datetime) -> str:
    builder = order.builder
    if not builder.is_away_at(moment) or builder.away_until is None:
        return ""
    back = builder.away_until.astimezone(ZoneInfo(builder.user.time_zone))
    day = dated(back, "D j M")
    return _("%(builder)s is away and back on %(day)s.") % {"builder": builder.user.first_name, "day": day}


def revision_to_builder(order: Order, note: str) -> Words:
    with speaking_to(order.builder.user):
        name = order.client.first_name
        short = note if len(note) <= 280 else f"{note[:279]}…"
        return Words(
            _("%(name)s asks for changes") % {"name": name},
            _("“%(short)s” Deliver again by %(due)s. %(left)s")
            % {"short": short, "due": _when(order.due_at, order.builder.user, order), "left": left_words(order)},
        )


def completed_to_builder(order: Order, *, paid: bool) -> Words:
    with speaking_to(order.builder.user):
        name, share = order.client.first_name, usd(order.builder_share)
        title = (
            _("%(name)s accepted your delivery: %(share)s is yours") % {"name": name, "share": share}
            if order.accepted_by_client
            else _("Your delivery counts as accepted: %(share)s is yours") % {"share": share}
        )
        if order.prepaid:
            sums = _("Order %(number)s, %(title)s: %(price)s less %(fee)s platform fee and %(prepaid)s that you were paid for a call before.") % {
                "number": order.number,
                "title": order.title,
                "price": usd(order.price),
                "fee": usd(order.builder_fee),
                "prepaid": usd(order.prepaid),
            }
        else:
            sums = _("Order %(number)s, %(title)s: %(price)s less %(fee)s platform fee.") % {
                "number": order.number,
                "title": order.title,
                "price": usd(order.price),
                "fee": usd(order.builder_fee),
            }
        now = _("You can withdraw it now.") if paid else _("You can withdraw it as soon as escrow has released it, usually within minutes.")
        return Words(title, _joined(sums, now))


def completed_to_client(order: Order) -> Words:
    with speaking_to(order.client):
        name = order.builder.user.first_name
        return Words(
            _("Order %(number)s is complete") % {"number": order.number},
            _(
                "The %(days)s to review %(title)s are over, so the delivery counts as accepted and %(name)s is paid. A few "
                "words about the work help others."
            )
            % {"days": days_words(settings.REVIEW_DAYS), "title": order.title, "name": name},
        )


def cancelled_to(order: Order, reader: Any) -> Words:
    with speaking_to(reader):
        title = _("Order %(number)s was cancelled") % {"number": order.number}
        causes = {
            CancelCause.CLIENT_WISH: _("%(client)s cancelled %(title)s.") % {"client": order.client.first_name, "title": order.title},
            CancelCause.BUILDER_WISH: _not_done(order),
            CancelCause.LATE: _("%(client)s cancelled %(title)s, because it was late.") % {"client": order.client.first_name, "title": order.title},
            CancelCause.AWAY: _("%(client)s cancelled %(title)s, because %(builder)s is away beyond the date that was agreed.")
            % {"client": order.client.first_name, "title": order.title, "builder": order.builder.user.first_name},
            CancelCause.NO_REQUIREMENTS: _unanswered(order),
            CancelCause.NOT_FUNDED: _("The money for %(title)s could not be put into escrow, so nothing began. That counts against nobody.")
            % {"title": order.title},
            CancelCause.DISPUTE: _("%(title)s ended with a dispute.") % {"title": order.title},
            CancelCause.SUPPORT: _("Support ended %(title)s.") % {"title": order.title},
            CancelCause.RECLAIMED: _("%(client)s took the money for %(title)s back from escrow after its expiry.")
            % {"client": order.client.first_name, "title": order.title},
        }
        why = causes[CancelCause(order.cancel_cause)]
        if order.cancel_reason:
            why = _joined(why, _quoted(order.cancel_reason))
        if order.paid_at is None:
            return Words(title, _joined(why, _("Nothing was paid.")))
        if order.cancel_cause == CancelCause.RECLAIMED:
            return Words(title, why)
        if order.cancel_cause == CancelCause.NOT_FUNDED and reader.pk != order.client_id:
            back = _("The money goes back to %(client)s.") % {"client": order.client.first_name}
            return Words(title, _joined(why, back))
        if reader.pk == order.client_id:
            back = _("%(total)s goes back to where it came from, service fee included.") % {"total": usd(order.total)}
            credit = _("Your credit of %(credit)s is there again.") % {"credit": usd(order.credit)} if order.credit else ""
            return Words(title, _joined(why, back, credit))
        back = _("%(price)s goes back to %(client)s from escrow.") % {"price": usd(order.price), "client": order.client.first_name}
        return Words(title, _joined(why, back))


def _not_done(order: Order) -> str:
    name = order.builder.user.first_name
    if order.cancelled_by_id == order.client_id:
        return _("%(client)s cancelled %(title)s, because the account of %(name)s is closed at the moment.") % {
            "client": order.client.first_name,
            "title": order.title,
            "name": name,
        }
    return _("%(name)s cancelled %(title)s.") % {"name": name, "title": order.title}


def _unanswered(order: Order) -> str:
    if order.cancelled_by_id is not None:
        name = order.builder.user.first_name
        return _("%(name)s cancelled %(title)s, because the questions about it were open for three days. That counts against nobody.") % {
            "name": name,
            "title": order.title,
        }
    return _("The questions about %(title)s were not answered in %(days)s. That counts against nobody.") % {
        "title": order.title,
        "days": days_words(settings.REQUIREMENTS_DAYS),
    }


def review_waits(order: Order, reader: Any, until: datetime) -> Words:
    with speaking_to(reader):
        name = order.other(reader).first_name
        return Words(
            _("%(name)s wrote a review. Write yours to read it") % {"name": name},
            _(
                "Both reviews of %(title)s are shown as soon as you have written yours. You have until %(until)s; then the one "
                "of %(name)s is shown alone."
            )
            % {"title": order.title, "until": _when(until, reader), "name": name},
        )


def reviews_shown(order: Order, reader: Any, reviews: Sequence[Review]) -> Words:
    with speaking_to(reader):
        name, mine = order.other(reader).first_name, [review for review in reviews if review.author_id == reader.pk]
        theirs = next((review for review in reviews if review.author_id != reader.pk), None)
        if theirs is None:
            return Words(
                _("Your review of %(name)s is shown") % {"name": name},
                _("The %(days)s for reviews of %(title)s are over. %(name)s wrote none.")
                % {"days": days_words(settings.REVIEWS_BLIND_DAYS), "title": order.title, "name": name},
            )
        stars = ngettext(
            "%(name)s gave %(n)s star for %(title)s. You can reply once.",
            "%(name)s gave %(n)s stars for %(title)s. You can reply once.",
            theirs.stars,
        )
        given = stars % {"name": name, "n": theirs.stars, "title": order.title}
        return Words(_("You can both read your reviews") if mine else _("The review of %(name)s is shown") % {"name": name}, given)


def review_replied(order: Order, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("%(reader)s replied to your review") % {"reader": order.other(reader).first_name},
            _("Whoever reads your review of %(title)s reads the reply, too.") % {"title": order.title},
        )


# What support gives back


def lowered(order: Order, amount: Decimal, money: Decimal, reader: Any) -> Words:
    with speaking_to(reader):
        why = _("port444 lowered the price of %(title)s by %(amount)s, because less is done for it.") % {"title": order.title, "amount": usd(amount)}
        back = (
            _("%(money)s goes back to %(client)s, the service fee on it included.") % {"money": usd(money), "client": order.client.first_name}
            if money
            else ""
        )
        gets = _("%(builder)s gets %(amount)s when it is accepted.") % {
            "builder": order.builder.user.first_name,
            "amount": usd(order.builder_share),
        }
        return Words(_("The price of order %(number)s is %(price)s") % {"number": order.number, "price": usd(order.price)}, _joined(why, back, gets))


def not_lowered(order: Order, reader: Any) -> Words:
    with speaking_to(reader):
        body = _("Escrow could not give the money back, so nothing moved and the price is what it was. We look at it and write to you.")
        return Words(_("The price of order %(number)s is %(price)s again") % {"number": order.number, "price": usd(order.price)}, body)


def given_back(order: Order, amount: Decimal, reader: Any) -> Words:
    with speaking_to(reader):
        body = _("port444 gives %(amount)s of %(title)s back to %(client)s. Money goes to where it was paid from.") % {
            "amount": usd(amount),
            "title": order.title,
            "client": order.client.first_name,
        }
        return Words(_("%(amount)s of order %(number)s goes back") % {"amount": usd(amount), "number": order.number}, body)


def taken_from_builder(order: Order, amount: Decimal, reason: str) -> Words:
    with speaking_to(order.builder.user):
        body = _(
            "%(amount)s of what you earned with %(title)s was taken from your balance and goes back to %(client)s. The "
            "platform gives back its fee on it."
        ) % {"amount": usd(amount), "title": order.title, "client": order.client.first_name}
        return Words(_("%(amount)s was taken from your balance") % {"amount": usd(amount)}, _joined(reason, body))


# Orders that support has put together or apart


def merged_to(made: Order, parts: Sequence[Order], reader: Any) -> Words:
    with speaking_to(reader):
        first, second = parts
        return Words(
            _("Orders %(first)s and %(second)s go on as order %(number)s") % {"first": first.number, "second": second.number, "number": made.number},
            _joined(
                _("Support merged them, with all that was agreed in both. Before: %(first)s, and %(second)s. Now: %(made)s.")
                % {"first": _priced(first), "second": _priced(second), "made": _priced(made)},
                _due(made, reader),
                _("Nothing is charged and nothing is paid out by this; the money stays in escrow."),
            ),
        )


def split_to(order: Order, made: Order, before: str, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("Order %(number)s goes on as two orders") % {"number": order.number},
            _joined(
                _("Support split it. Before: order %(number)s for %(before)s. Now: %(rest)s, and %(made)s.")
                % {"number": order.number, "before": usd(Decimal(before)), "rest": _priced(order), "made": _priced(made)},
                _due(made, reader),
                _("Nothing is charged and nothing is paid out by this; the money stays in escrow."),
            ),
        )


def undone_to(made: Order, parts: Sequence[Order], reader: Any) -> Words:
    with speaking_to(reader):
        if len(parts) == 1:
            now = _priced(parts[0])
            return Words(
                _("Order %(number)s goes on as before") % {"number": parts[0].number},
                _("Support took order %(number)s back. Now: %(now)s. The money stays in escrow.") % {"number": made.number, "now": now},
            )
        first, second = parts
        now = _("%(first)s, and %(second)s") % {"first": _priced(first), "second": _priced(second)}
        return Words(
            _("Orders %(first)s and %(second)s go on as before") % {"first": first.number, "second": second.number},
            _("Support took order %(number)s back. Now: %(now)s. The money stays in escrow.") % {"number": made.number, "now": now},
        )


def _priced(order: Order) -> str:
    return _("order %(number)s, %(title)s, for %(price)s") % {"number": order.number, "title": order.title, "price": usd(order.price)}


def _due(order: Order, reader: Any) -> str:
    return _("It is due by %(due)s.") % {"due": _when(order.due_at, reader, order)} if order.due_at else ""


# Custom offers


def offer_facts(offer: Offer, reader: Any) -> list[tuple[str, str]]:
    """What every mail about an offer names."""
    with speaking_to(reader):
        revisions = ngettext("%(n)s revision", "%(n)s revisions", offer.revisions) % {"n": offer.revisions}
        work = f"{days_words(offer.delivery_days)}, {revisions}"
        facts = [(pgettext("noun", "Offer"), offer.title), (_("Price"), usd(offer.price)), (pgettext("noun", "Work"), work)]
        if reader.pk == offer.client_id:
            if offer.list_price:
                facts.append((_("Usual price"), usd(offer.list_price)))
            facts.append((_("Service fee"), usd(offer.client_fee)))
        else:
            facts.append((_("You get"), _("%(amount)s after the platform fee") % {"amount": usd(offer.builder_share)}))
        return [*facts, (_("Stands until"), _when(offer.expires_at, reader))]


def _cut(text: str) -> str:
    return text if len(text) <= 280 else f"{text[:279]}…"


def offered_to_client(offer: Offer) -> Words:
    with speaking_to(offer.client):
        name = offer.builder.user.first_name
        price, charged = usd(offer.price), usd(offer.client_fee)
        costs = (
            _("%(price)s instead of %(list_price)s, plus %(charged)s service fee.")
            % {"price": price, "list_price": usd(offer.list_price), "charged": charged}
            if offer.list_price
            else _("%(price)s, plus %(charged)s service fee.") % {"price": price, "charged": charged}
        )
        until = _("It stands until %(until)s; accept it and pay in one step, decline it, or propose other terms.") % {
            "until": _when(offer.expires_at, offer.client)
        }
        return Words(
            _("%(name)s made you an offer: %(title)s for %(price)s") % {"name": name, "title": offer.title, "price": price},
            _joined(_cut(offer.scope), costs, until),
        )


def countered_to_builder(offer: Offer) -> Words:
    with speaking_to(offer.builder.user):
        name, reader = offer.client.first_name, offer.builder.user
        return Words(
            _("%(name)s proposes other terms: %(price)s") % {"name": name, "price": usd(offer.price)},
            _joined(
                _cut(offer.scope),
                _(
                    "%(name)s would pay %(price)s for %(title)s in %(days)s; you would get %(amount)s. Send an "
                    "offer with these terms, change them, or decline, by %(until)s."
                )
                % {
                    "name": name,
                    "price": usd(offer.price),
                    "title": offer.title,
                    "days": days_words(offer.delivery_days),
                    "amount": usd(offer.builder_share),
                    "until": _when(offer.expires_at, reader),
                },
            ),
        )


def declined_to_author(offer: Offer) -> Words:
    with speaking_to(offer.author):
        name = offer.reader.first_name
        title = _("%(name)s declined your terms") % {"name": name} if offer.by_client else _("%(name)s declined your offer") % {"name": name}
        why = _quoted(offer.reason) if offer.reason else ""
        body = _("%(title)s, %(price)s. You can go on talking in the conversation.") % {"title": offer.title, "price": usd(offer.price)}
        return Words(title, _joined(why, body))


def withdrawn_to_reader(offer: Offer) -> Words:
    with speaking_to(offer.reader):
        name = offer.author.first_name
        title = _("%(name)s withdrew their proposed terms") % {"name": name} if offer.by_client else _("%(name)s withdrew the offer") % {"name": name}
        return Words(
            title, _("%(title)s, %(price)s. It cannot be accepted any more; nothing was charged.") % {"title": offer.title, "price": usd(offer.price)}
        )


# Disputes


def facts_of_dispute(dispute: Dispute, reader: Any) -> list[tuple[str, str]]:
    """What every mail about a dispute names."""
    with speaking_to(reader):
        order = dispute.order
        return [
            (_("Dispute"), str(dispute)),
            (pgettext("noun", "Order"), f"{order.number}, {order.title}"),
            (_("With"), order.other(reader).name),
            (_("In escrow"), usd(dispute.amount) if dispute.is_live else _("nothing any more")),
        ]


def _figure(dispute: Dispute, figure: Decimal | None) -> str:
    """ "$60.00 of $180.00 back to Jonas, the rest to Anaya"."""
    order = dispute.order
    return _("%(figure)s of %(amount)s back to %(client)s, the rest to %(builder)s") % {
        "figure": usd(figure or ZERO),
        "amount": usd(dispute.amount),
        "client": order.client.first_name,
        "builder": order.builder.user.first_name,
    }


def dispute_opened(dispute: Dispute) -> Words:
    with speaking_to(dispute.other_side):
        name, reader = dispute.opened_by.first_name, dispute.other_side
        return Words(
            _("%(name)s opened a dispute about %(title)s") % {"name": name, "title": dispute.order.title},
            _(
                "%(reason)s: “%(claim)s” %(name)s wants %(figure)s. The order stands still. Answer by %(until)s: "
                "accept that, or say how you see it and what you would agree to. Without an answer support decides with what "
                "is there."
            )
            % {
                "reason": dispute.get_reason_display(),
                "claim": _cut(dispute.claim),
                "name": name,
                "figure": _figure(dispute, dispute.to_client),
                "until": _when(dispute.answer_until, reader, dispute.order),
            },
        )


def dispute_answered(dispute: Dispute) -> Words:
    with speaking_to(dispute.opened_by):
        name, reader = dispute.other_side.first_name, dispute.opened_by
        return Words(
            _("%(name)s answered your dispute %(dispute)s") % {"name": name, "dispute": dispute},
            _("“%(answer)s” %(name)s would agree to %(figure)s. %(until)s")
            % {"answer": _cut(dispute.answer), "name": name, "figure": _figure(dispute, dispute.offer), "until": _until(dispute, reader)},
        )


def figure_changed(dispute: Dispute, actor: Any, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("%(actor)s comes closer in dispute %(dispute)s") % {"actor": actor.first_name, "dispute": dispute},
            _("%(actor)s would agree to %(figure)s. %(until)s")
            % {"actor": actor.first_name, "figure": _figure(dispute, dispute.figure_of(actor)), "until": _until(dispute, reader)},
        )


def _until(dispute: Dispute, reader: Any) -> str:
    if dispute.status == DisputeStatus.ESCALATED:
        return _("Support has it by now; you can still settle it between you.")
    return _("Accept that, or come closer yourself. What is not settled by %(until)s is decided by support.") % {
        "until": _when(dispute.settle_until, reader, dispute.order)
    }


def evidence_added(evidence: Evidence, author: Any, reader: Any) -> Words:
    with speaking_to(reader):
        said = _quoted(_cut(evidence.text)) if evidence.text else ""
        return Words(
            _("%(author)s added evidence to dispute %(dispute)s") % {"author": author.first_name, "dispute": evidence.dispute},
            _joined(said, _("You can answer it with your own.")),
        )


def support_asks(evidence: Evidence, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("Support wrote to you about dispute %(dispute)s") % {"dispute": evidence.dispute},
            _("“%(text)s” Answer on the page of the dispute; both sides read it.") % {"text": _cut(evidence.text)},
        )


def dispute_escalated(dispute: Dispute, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("Support decides dispute %(dispute)s") % {"dispute": dispute},
            _(
                "It was not settled between you, so support looks at both sides and decides. Add what it should know; until "
                "then you can still settle it."
            ),
        )


def dispute_withdrawn(dispute: Dispute) -> Words:
    with speaking_to(dispute.other_side):
        name = dispute.opened_by.first_name
        return Words(
            _("%(name)s withdrew dispute %(dispute)s") % {"name": name, "dispute": dispute},
            _("Order %(number)s goes on where it stood; its dates have moved by as long as it stood.") % {"number": dispute.order.number},
        )


def dispute_settled(dispute: Dispute, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(_("Dispute %(dispute)s is settled") % {"dispute": dispute}, _outcome(dispute, reader))


def dispute_decided(dispute: Dispute, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("Support decided dispute %(dispute)s") % {"dispute": dispute}, _joined(_quoted(_cut(dispute.decision)), _outcome(dispute, reader))
        )


def _outcome(dispute: Dispute, reader: Any) -> str:
    order, back = dispute.order, dispute.decided_to_client or ZERO
    rest = dispute.amount - back
    if reader.pk == order.client_id:
        how = _("It goes to where it was paid from, with its part of the service fee.") if back else ""
    else:
        how = _("You get %(amount)s of that after the platform fee.") % {"amount": usd(order.builder_share)} if rest else ""
    return _joined(str(notices.parts(dispute)), how, _("The order has ended."))


# Further questions


def asked_more_to_client(order: Order, asked: Sequence[str]) -> Words:
    with speaking_to(order.client):
        name, questions = order.builder.user.first_name, " ".join(_quoted(text) for text in asked)
        return Words(
            _("%(name)s needs an answer to go on") % {"name": name}
            if len(asked) == 1
            else _("%(name)s needs %(number)s answers to go on") % {"name": name, "number": len(asked)},
            _("About %(title)s: %(questions)s The clock of the order stands until you answer, and the delivery comes that much later.")
            % {"title": order.title, "questions": questions},
        )


def answered_more_to_builder(order: Order) -> Words:
    with speaking_to(order.builder.user):
        return Words(
            _("%(client)s answered your questions") % {"client": order.client.first_name},
            _("Your clock runs again: %(title)s is due %(due)s.") % {"title": order.title, "due": _when(order.due_at, order.builder.user, order)},
        )


# Ends by agreement


def parting_proposed(parting: Parting, shares: Shares, reader: Any) -> Words:
    with speaking_to(reader):
        name = parting.proposed_by.first_name
        return Words(
            _("%(name)s proposes to end order %(number)s") % {"name": name, "number": parting.order.number},
            _(
                "“%(reason)s” %(shares)s Accept, decline or answer with another division by %(until)s. Until you agree the "
                "order goes on as it is; ending it so counts against nobody."
            )
            % {"reason": parting.reason, "shares": _shares(parting, shares, reader), "until": _when(parting.expires_at, reader, parting.order)},
        )


def parting_accepted(parting: Parting, shares: Shares, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("Order %(number)s ended as you both agreed") % {"number": parting.order.number},
            _("%(shares)s The order is over, and that counts against nobody.") % {"shares": _shares(parting, shares, reader)},
        )


def parting_declined(parting: Parting) -> Words:
    with speaking_to(parting.proposed_by):
        why = _quoted(parting.answer) if parting.answer else ""
        return Words(
            _("%(name)s does not want to end order %(number)s so") % {"name": parting.answerer.first_name, "number": parting.order.number},
            _joined(why, _("The order goes on as before.")),
        )


def parting_withdrawn(parting: Parting) -> Words:
    with speaking_to(parting.answerer):
        return Words(
            _("%(name)s withdrew the proposal to end order %(number)s") % {"name": parting.proposed_by.first_name, "number": parting.order.number},
            _("The order goes on as before."),
        )


def parting_lapsed(parting: Parting, reader: Any) -> Words:
    with speaking_to(reader):
        return Words(
            _("The proposal to end order %(number)s lapsed") % {"number": parting.order.number},
            _("It was not answered in time. The order goes on as before."),
        )


def _shares(parting: Parting, shares: Shares, reader: Any) -> str:
    """What the reader gets, in figures."""
    if parting.order.is_builder(reader):
        client = parting.order.client.first_name
        return _("%(to_client)s of %(amount)s goes back to %(client)s, and you get %(gets)s after the platform fee.") % {
            "to_client": usd(shares.to_client),
            "amount": usd(shares.amount),
            "client": client,
            "gets": usd(shares.builder_gets),
        }
    gets, name = usd(shares.client_gets), parting.order.builder.user.first_name
    yours = (
        _("You get %(gets)s back and %(credit)s as credit, with the same part of the service fee") % {"gets": gets, "credit": usd(shares.credit_back)}
        if shares.credit_back
        else _("You get %(gets)s back, with the same part of the service fee") % {"gets": gets}
    )
    return (
        _("%(yours)s; %(to_builder)s goes to %(name)s.") % {"yours": yours, "to_builder": usd(shares.to_builder), "name": name}
        if shares.to_builder
        else f"{yours}."
    )
