"""Proposing a change of an order, changing the proposal, taking it back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from amendments import emails, notices
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from amendments.terms import LONGEST_ORDER, Terms, checked, terms_of
from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState, word_constraint, words
from port444.kit.money import fee
from port444.orders.actions import stop_clock
from port444.orders.models import LIVE, Order

from .closing import close
from .telling import facts, fresh, lock, post, tell

A = AmendmentStatus
A_DAY = timedelta(days=1)
MOST_A_DAY = 10  # for one order, versions counted: each is a mail to the other side

word_constraint(
    "amendment_one_open_an_order",
    Conflict(gettext_lazy("A change of this order is under way already. Answer or withdraw that first."), code="amendment_open"),
)
word_constraint("amendment_proposed_once", Conflict(gettext_lazy("This form has been sent already. Look at the order."), code="sent_already"))


@transaction.atomic
def propose(order_id: UUID, *, actor: Any, client_key: UUID, terms: Terms) -> Amendment:
    """Propose to change a running order; the other side has to say yes, and the client pays. The clock of the order stands meanwhile.

    `client_key` comes with the form: pressing twice gives the same proposal. Raises Conflict `amendment_open` while another change
    is under way, Invalid when the terms do not fit their type.
    """
    order = Order.objects.lock(order_id)
    _require_party(order, actor)
    terms = checked(terms)
    sent = _sent_already(order, actor, client_key, terms)
    if sent is not None:
        return sent
    _require_changeable(order)
    if Amendment.objects.filter(order=order).open().exists():
        raise Conflict(_("A change of this order is under way already. Answer or withdraw that first."), code="amendment_open")
    moment = now()
    _require_few(order, moment)
    _require_end(order, terms, moment)
    amendment = _write(order, actor, client_key, terms, moment)
    stop_clock(order)
    record(Event.AMENDMENT_PROPOSED, actor=actor, target=amendment, amount=terms.amount, after=_said(amendment), **facts(amendment))
    _tell_proposed(amendment)
    return amendment


@transaction.atomic
def revise(amendment_id: UUID, *, actor: Any, client_key: UUID, terms: Terms) -> Amendment:
    """Put a new version in the place of one's own proposal, before it is approved. The order goes on waiting."""
    old = lock(amendment_id)
    order = old.order
    old.require_proposer(actor)
    terms = checked(terms)
    sent = _sent_already(order, actor, client_key, terms)
    if sent is not None:
        return sent
    if not old.can_move_to(A.SUPERSEDED):
        raise WrongState(_("This change is %(status)s; it takes no new version.") % {"status": old.status_words()})
    _require_changeable(order)
    moment = now()
    if old.expires_at <= moment:
        raise WrongState(_("The time for this change has passed. Propose it anew."), code="lapsed")
    _require_few(order, moment)
    _require_end(order, terms, moment)
    before = _said(old)
    old.move_to(A.SUPERSEDED, closed_at=moment)
    amendment = _write(order, actor, client_key, terms, moment, replaces=old)
    record(
        Event.AMENDMENT_REVISED,
        actor=actor,
        target=amendment,
        amount=terms.amount,
        before=before,
        after=_said(amendment),
        replaces=old.pk,
        **facts(amendment),
    )
    _tell_proposed(amendment)
    return amendment


@transaction.atomic
def withdraw(amendment_id: UUID, *, actor: Any) -> Amendment:
    """Take one's own proposal back while nothing is paid. The order stays as it is; the other side gets the time back for which the
    clock stood, and who withdraws does not: nobody wins or takes time by proposing."""
    amendment = lock(amendment_id)
    amendment.require_proposer(actor)
    if not amendment.can_move_to(A.WITHDRAWN):
        raise WrongState(_("This change is %(status)s and cannot be withdrawn any more.") % {"status": amendment.status_words()})
    by_builder = amendment.by_builder
    close(amendment, A.WITHDRAWN, actor=actor, event=Event.AMENDMENT_WITHDRAWN, to_builder=not by_builder, to_client=by_builder)
    post(amendment, notices.withdrawn(amendment), notices.CLOSED)
    tell(amendment, amendment.answerer, "amendment.withdrawn", emails.withdrawn(amendment, amendment.answerer))
    return fresh(amendment)


def _require_party(order: Order, actor: Any) -> None:
    if not order.is_builder(actor):
        order.require_client(actor)
    if actor.is_suspended:
        raise NotAllowed(_("A suspended account cannot change an order."), code="suspended")


def _require_changeable(order: Order) -> None:
    order.require_undisputed()
    if order.status not in LIVE:
        raise WrongState(_("This order is %(status)s. What runs can be changed.") % {"status": order.status_words()})
    if order.asks_more:
        raise WrongState(_("%(name)s owes answers first; the clock stands for them.") % {"name": order.client.first_name}, code="asks_more")
    for person in (order.client, order.builder.user):
        if person.is_suspended or not person.is_active:
            raise Conflict(_("The account of %(name)s is closed at the moment.") % {"name": person.first_name}, code="account_closed")


def _require_few(order: Order, moment: datetime) -> None:
    if Amendment.objects.filter(order=order, created_at__gt=moment - A_DAY).count() >= MOST_A_DAY:
        raise TooMany(_("Enough changes were proposed for this order today. Write to each other instead."), code="too_many_amendments")


def _require_end(order: Order, terms: Terms, moment: datetime) -> None:
    begin = order.due_at or moment + timedelta(days=order.delivery_days)
    if terms.days and order.paid_at is not None and begin + timedelta(days=terms.days) > order.paid_at + LONGEST_ORDER:
        raise Invalid(_("An order cannot run that long. Finish this one and begin another."), code="days_range")


def _sent_already(order: Order, actor: Any, client_key: UUID, terms: Terms) -> Amendment | None:
    sent = Amendment.objects.with_people().filter(requested_by=actor, client_key=client_key).first()
    if sent is not None and (sent.order_id != order.pk or terms_of(sent) != terms):
        raise Conflict(_("This form has been sent already with something else in it. Look at the order."), code="sent_already")
    return sent


def _write(order: Order, actor: Any, client_key: UUID, terms: Terms, moment: datetime, replaces: Amendment | None = None) -> Amendment:
    by_builder = order.is_builder(actor)
    asks_for_time = by_builder and terms.amendment_type == AmendmentType.TIMELINE_EXTENSION
    hours = settings.EXTENSION_HOURS if asks_for_time else settings.AMENDMENT_HOURS
    with words():
        return Amendment.objects.create(
            order=order,
            replaces=replaces,
            version=replaces.version + 1 if replaces is not None else 1,
            client_key=client_key,
            amendment_type=terms.amendment_type,
            requested_by=actor,
            by_builder=by_builder,
            reason=terms.reason,
            description=terms.description,
            additional_amount=terms.amount,
            client_fee=fee(terms.amount, settings.CLIENT_FEE_BPS),
            additional_days=terms.days,
            additional_revisions=terms.revisions,
            additional_deliverables=list(terms.deliverables),
            price_before=order.price,
            due_before=order.due_at,
            deliverables_before=order.deliverables,
            created_at=moment,
            expires_at=moment + timedelta(hours=hours),
        )


def _said(amendment: Amendment) -> dict[str, Any]:
    """What a version says, for the audit log."""
    return {
        "type": amendment.amendment_type,
        "reason": amendment.reason,
        "amount": amendment.additional_amount,
        "days": amendment.additional_days,
        "revisions": amendment.additional_revisions,
        "deliverables": amendment.additional_deliverables,
        "price_before": amendment.price_before,
        "due_before": amendment.due_before,
    }


def _tell_proposed(amendment: Amendment) -> None:
    post(amendment, notices.proposed(amendment), notices.PROPOSED)
    tell(amendment, amendment.answerer, "amendment.proposed", emails.proposed(amendment, amendment.answerer))
