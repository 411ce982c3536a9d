"""What one person is told about an amendment, in the app and by e-mail: what happened, what comes next, until when."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from port444.kit.language import speaking_to
from port444.kit.money import fee, usd
from port444.orders.emails import Words
from port444.orders.helm import both_words

from .models import Amendment
from .notices import gist


def to_the_reader[R](word: Callable[[Amendment, Any], R]) -> Callable[[Amendment, Any], R]:
    """`word` in the language of who reads it, whoever acted."""

    @wraps(word)
    def worded(amendment: Amendment, reader: Any) -> R:
        with speaking_to(reader):
            return word(amendment, reader)

    return worded


def link(amendment: Amendment) -> str:
    """Where a person reads and answers it."""
    return reverse("orders:detail", args=[amendment.order.number])


@to_the_reader
def facts_for(amendment: Amendment, reader: Any) -> list[tuple[str, str]]:
    """What every mail about an amendment names."""
    order = amendment.order
    facts = [
        (pgettext("noun", "Order"), f"{order.number}, {order.title}"),
        (_("With"), order.other(reader).name),
        (_("Change"), str(gist(amendment))),
    ]
    if amendment.additional_amount:
        facts.append((_("Price then"), usd(amendment.price_after)))
        if order.is_builder(reader):
            more = amendment.additional_amount - fee(amendment.additional_amount, order.builder_fee_bps)
            facts.append((_("You get more"), _("%(amount)s after the platform fee") % {"amount": usd(more)}))
        else:
            facts.append((_("You pay"), _("%(total)s with the service fee") % {"total": usd(amendment.total)}))
    return facts


def _until(amendment: Amendment, reader: Any) -> str:
    return both_words(amendment.expires_at, reader, amendment.order.other(reader))


@to_the_reader
def proposed(amendment: Amendment, reader: Any) -> Words:
    facts = {
        "name": amendment.proposer.first_name,
        "change": gist(amendment),
        "reason": amendment.reason_words,
        "until": _until(amendment, reader),
        "date": _date_then(amendment, reader),
    }
    if amendment.asks_for_time:
        return Words(
            _("%(name)s asks for %(change)s") % facts,
            _(
                "“%(reason)s” %(date)sAnswer by %(until)s, one press says yes or no. "
                "Until then the order does not count as late, and without an answer the date stays where it is."
            )
            % facts,
        )
    return Words(
        (_("%(name)s proposes a new version of a change: %(change)s") if amendment.version > 1 else _("%(name)s proposes a change: %(change)s"))
        % facts,
        _(
            "“%(reason)s” Answer by %(until)s: approve it, ask for changes, or decline. "
            "The clock of the order stands until then, and without an answer the order stays as it is."
        )
        % facts,
    )


def _date_then(amendment: Amendment, reader: Any) -> str:
    """A sentence with a blank after it, or nothing."""
    after = amendment.order.due_after(amendment.additional_days, amendment.created_at, reopens=True) if amendment.asks_for_time else None
    if not after:
        return ""
    return _("With it the delivery is due %(at)s.") % {"at": both_words(after, reader, amendment.order.other(reader))} + " "


@to_the_reader
def changes_asked(amendment: Amendment, reader: Any) -> Words:
    facts = {"name": amendment.answerer.first_name, "answer": amendment.answer_words, "until": _until(amendment, reader)}
    return Words(
        _("%(name)s asks for another version of your change") % facts, _("“%(answer)s” Send a new version by %(until)s, or withdraw it.") % facts
    )


@to_the_reader
def approved(amendment: Amendment, reader: Any) -> Words:
    name, order = amendment.answerer.first_name, amendment.order
    title = _("%(name)s approved your change") % {"name": name}
    if amendment.invoice is None:
        return Words(title, _("%(change)s on order %(number)s.") % {"change": capfirst(str(gist(amendment))), "number": order.number})
    if order.is_builder(reader):
        facts = {"name": name, "amount": usd(amendment.additional_amount)}
        return Words(title, _("It is in force when %(name)s has paid %(amount)s into escrow.") % facts)
    return Words(
        _("%(name)s approved your change: pay %(amount)s") % {"name": name, "amount": usd(amendment.invoice.total)},
        _("Pay by %(until)s. The change is in force when escrow has the money; without payment the order stays as it is.")
        % {"until": _until(amendment, reader)},
    )


@to_the_reader
def declined(amendment: Amendment, reader: Any) -> Words:
    return Words(
        _("%(name)s declined your change") % {"name": amendment.answerer.first_name},
        _("“%(answer)s” Order %(number)s stays as it is.") % {"answer": amendment.answer_words, "number": amendment.order.number},
    )


@to_the_reader
def withdrawn(amendment: Amendment, reader: Any) -> Words:
    return Words(
        _("%(name)s withdrew the proposed change") % {"name": amendment.proposer.first_name},
        _("Order %(number)s stays as it is. There is nothing to do for you.") % {"number": amendment.order.number},
    )


@to_the_reader
def expired(amendment: Amendment, reader: Any) -> Words:
    return Words(
        _("The change of order %(number)s expired") % {"number": amendment.order.number},
        _("It was not paid in time. The order stays as it is; propose it again any time.")
        if amendment.invoice_id
        else _("It was not answered in time. The order stays as it is; propose it again any time."),
    )


@to_the_reader
def completed(amendment: Amendment, reader: Any) -> Words:
    order = amendment.order
    body = _("%(change)s. The price is %(price)s.") % {"change": capfirst(str(gist(amendment))), "price": usd(order.price)}
    if amendment.due_after:
        body += " " + _("Delivery is due by %(at)s.") % {"at": both_words(order.due_at, reader, order.other(reader))}
    return Words(_("The change of order %(number)s is in force") % {"number": order.number}, body)


@to_the_reader
def failed(amendment: Amendment, reader: Any) -> Words:
    facts = {"why": amendment.funding_failure, "name": amendment.order.client.first_name}
    title = _("The change of order %(number)s is not in force yet") % {"number": amendment.order.number}
    if not amendment.paid_at:
        return Words(title, _("Escrow did not take the new date: %(why)s Try again, or give the change up.") % facts)
    if amendment.order.is_builder(reader):
        return Words(
            title, _("Escrow did not take the money: %(why)s %(name)s can try again or take the money back. Wait with the extra work.") % facts
        )
    return Words(title, _("Escrow did not take the money: %(why)s It is safe with us. Try again, or take it back.") % facts)


@to_the_reader
def refunded(amendment: Amendment, reader: Any) -> Words:
    order = amendment.order
    title = _("The change of order %(number)s was given up") % {"number": order.number}
    if not amendment.paid_at or order.is_builder(reader):
        return Words(title, _("The order stays as it was before the change."))
    return Words(title, _("What you paid for it goes back to you, service fee included. The order stays as it was."))
