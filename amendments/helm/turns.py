"""Whose turn it is with a change, until when, and what happens if nobody acts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from amendments.models import Amendment, AmendmentStatus
from port444.kit.money import usd
from port444.orders.helm import Helm, moment_words
from port444.orders.models import WORKING

A = AmendmentStatus


def steer(amendment: Amendment, viewer: Any, to_pay: Decimal | None = None) -> Helm:
    """The first line about an amendment for `viewer`."""
    mine = viewer.pk == amendment.proposer.pk
    words = {
        A.PENDING: _asked if mine else _to_answer,
        A.CHANGES_REQUESTED: _to_revise if mine else _revising,
        A.APPROVED: _to_pay if viewer.pk == amendment.order.client_id else _paying,
        A.PAID: _funding,
        A.FUNDING: _funding,
        A.FUNDING_FAILED: _failed,
    }.get(A(amendment.status), _ended)
    return words(amendment, viewer, amendment.total if to_pay is None else to_pay)


def _turn(amendment: Amendment, viewer: Any, who: Any | None, title: str, why: str, link: str, icon_name: str, *, until: bool = True) -> Helm:
    """The line of an open amendment on which `who` has to act; nobody has while it is on its way into escrow."""
    mine = who is not None and who.pk == viewer.pk
    name = _("On its way") if who is None else _("Your turn") if mine else _("%(name)s’s turn") % {"name": who.first_name}
    words = _until(amendment, viewer) if until else ""
    return Helm(
        who=_("%(turn)s, the clock stands") % {"turn": name} if amendment.order.clock_stopped_at else name,
        title=title,
        why=why,
        wait=not mine,
        href="#change",
        link=link,
        icon_name=icon_name,
        until=words,
        at=amendment.expires_at if until else None,
    )


def _until(amendment: Amendment, viewer: Any) -> str:
    return moment_words(amendment.expires_at, viewer.time_zone)


def _lapse(amendment: Amendment) -> str:
    order = amendment.order
    if amendment.asks_for_time:
        return pgettext("and then", "the date stays where it is")
    if order.due_at is not None and order.status in WORKING:
        return pgettext("and then", "the order stays as it is, and the time that the clock stood is added to its date")
    return pgettext("and then", "the order stays as it is")


def _to_answer(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    if amendment.asks_for_time:
        days = amendment.additional_days
        words = ngettext("%(name)s asks for %(n)s day more, answer by %(until)s", "%(name)s asks for %(n)s days more, answer by %(until)s", days)
        title = words % {"name": amendment.proposer.first_name, "n": days, "until": _until(amendment, viewer)}
        why = _("One press says yes or no. Without an answer the date stays where it is; until then the order does not count as late.")
        return _turn(amendment, viewer, amendment.answerer, title, why, _("Answer"), "calendar-clock")
    why = _("Without an answer it lapses: nothing is charged, %(lapse)s.") % {"lapse": _lapse(amendment)}
    facts = {"name": amendment.proposer.first_name, "until": _until(amendment, viewer)}
    title = _("Answer %(name)s’s change request by %(until)s") % facts
    return _turn(amendment, viewer, amendment.answerer, title, why, _("See the change"), "git-compare")


def _asked(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    why = _("Work may go on meanwhile. Without an answer your request lapses, and %(lapse)s.") % {"lapse": _lapse(amendment)}
    facts = {"name": amendment.answerer.first_name, "until": _until(amendment, viewer)}
    if amendment.asks_for_time:
        title = _("%(name)s answers your question for more time by %(until)s") % facts
    else:
        title = _("%(name)s answers your change request by %(until)s") % facts
    return _turn(amendment, viewer, amendment.answerer, title, why, _("See the change"), "git-compare")


def _to_revise(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    facts = {"name": amendment.answerer.first_name, "until": _until(amendment, viewer)}
    title = _("%(name)s asks for changes to your request, until %(until)s") % facts
    why = _("Send a new version, or withdraw it. Without either it lapses.")
    return _turn(amendment, viewer, amendment.proposer, title, why, _("See what to change"), "pencil")


def _revising(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    title = _("%(name)s revises the change request by %(until)s") % {"name": amendment.proposer.first_name, "until": _until(amendment, viewer)}
    why = _("You asked for changes. A new version comes to you to be approved; without one the request lapses.")
    return _turn(amendment, viewer, amendment.proposer, title, why, _("See the change"), "git-compare")


def _to_pay(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    why = _("The change comes into force when escrow has the money. Without payment it lapses, and %(lapse)s.") % {"lapse": _lapse(amendment)}
    title = _("Pay %(amount)s for the change by %(until)s") % {"amount": usd(to_pay), "until": _until(amendment, viewer)}
    turn = _turn(amendment, viewer, amendment.order.client, title, why, _("Pay"), "wallet")
    return replace(turn, href=reverse("payments:checkout", args=[amendment.invoice_id])) if amendment.invoice_id else turn


def _paying(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    why = _("The change comes into force when escrow has the money. Before that nothing of it is part of the order.")
    title = _("%(name)s pays for the change by %(until)s") % {"name": client.first_name, "until": _until(amendment, viewer)}
    return _turn(amendment, viewer, client, title, why, _("See the change"), "git-compare")


def _funding(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    amount = amendment.additional_amount
    title = _("%(amount)s is going into escrow") % {"amount": usd(amount)} if amount else _("The change is being put into force")
    why = _("Price, date and scope change when that is confirmed, in about a minute. You need to do nothing, and you may close this page.")
    return _turn(amendment, viewer, None, title, why, _("See how far it is"), "git-compare", until=False)


def _failed(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    title = _("Escrow did not take the change")
    if viewer.pk == client.pk:
        if amendment.additional_amount:
            why = _("The order is as it was, and no money is lost. Try again, or take the money back.")
        else:
            why = _("The order is as it was, and no money is lost. Try again, or give the change up.")
        return _turn(amendment, viewer, client, title, why, _("See what you can do"), "circle-alert", until=False)
    why = _("The order is as it was, and no money is lost. %(name)s tries again or gives it up.") % {"name": client.first_name}
    return _turn(amendment, viewer, client, title, why, _("See the change"), "circle-alert", until=False)


def _ended(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    day = {"day": moment_words(amendment.completed_at or amendment.closed_at or amendment.answered_at, viewer.time_zone)}
    as_it_was = _("%(day)s. Nothing was charged, and the order is as it was.") % day
    you = viewer.pk == amendment.proposer.pk
    proposer, answerer = {"name": amendment.proposer.first_name}, {"name": amendment.answerer.first_name}
    title, why = {
        A.COMPLETED: (_("The change is in force"), _("Since %(day)s. Price, date and scope of the order are the new ones.") % day),
        A.REJECTED: (_("%(name)s declined the change") % answerer if you else _("You declined the change"), as_it_was),
        A.WITHDRAWN: (_("You withdrew the change") if you else _("%(name)s withdrew the change") % proposer, as_it_was),
        A.SUPERSEDED: (_("A newer version took its place"), _("%(day)s. What counts is the newest version.") % day),
        A.EXPIRED: (
            _("The change lapsed"),
            _("%(what)s, %(day)s. Nothing was charged, and the order is as it was.")
            % (day | {"what": amendment.answer_words or _("It was not settled in time")}),
        ),
        A.REFUNDED: (
            _("The change is not in force"),
            _("%(day)s. The money goes back to where it came from, and the order is as it was.") % day,
        ),
    }[A(amendment.status)]
    return Helm(_("Done") if amendment.status == A.COMPLETED else _("Ended"), title, why, True)
