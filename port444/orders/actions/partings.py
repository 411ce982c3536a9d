"""Ending an order by agreement: proposed with a division of the money in escrow, accepted, declined or answered with another one.

It is no dispute and counts against nobody. The order runs on until somebody agrees; what is delivered, accepted, cancelled or disputed
meanwhile takes the proposal off the table. The order is locked before the proposal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState, word_constraint, words
from port444.kit.money import positive, usd
from port444.kit.sentences import say
from port444.orders import emails, handlers, notices
from port444.orders.models import DISPUTABLE, CancelCause, Order, OrderStatus, Parting, PartingStatus
from port444.orders.queries.partings import shares_of

from .closing import at_stake, divide, sides
from .ending import forget_sales
from .telling import post, tell

S = PartingStatus
LONGEST = 1000
A_DAY = timedelta(days=1)
MOST_A_DAY = 10  # for one order: each is a mail to the other side

word_constraint(
    "parting_one_open_an_order", Conflict(_("There is a proposal to end this order already. Answer or withdraw that first."), code="parting_open")
)
word_constraint("parting_proposed_once", Conflict(_("This form has been sent already. Look at the order."), code="sent_already"))


@transaction.atomic
def propose_parting(order_id: UUID, *, actor: Any, client_key: UUID, to_client: Decimal, reason: str) -> Parting:
    """Propose to end an order in work: `to_client` of what is in escrow goes back, the rest to the builder.

    `client_key` comes with the form: pressing twice gives the same proposal. Raises Conflict `parting_open` while another waits.
    """
    order = _order(order_id, actor)
    sent = Parting.objects.filter(proposed_by=actor, client_key=client_key).first()
    if sent is not None:
        return sent
    if Parting.objects.open().filter(order=order).exists():
        raise Conflict(gettext("There is a proposal to end this order already. Answer or withdraw that first."), code="parting_open")
    return _propose(order, actor, client_key, to_client, reason, None)


@transaction.atomic
def counter_parting(parting_id: UUID, *, actor: Any, client_key: UUID, to_client: Decimal, reason: str) -> Parting:
    """Answer a proposal with another division, which the other side may accept in turn."""
    sent = Parting.objects.filter(proposed_by=actor, client_key=client_key).first()
    if sent is not None:
        return sent
    parting = _lock(parting_id)
    parting.require_answerer(actor)
    moment = _require_open(parting)
    _order(parting.order_id, actor)
    _close(parting, S.COUNTERED, actor, moment)
    return _propose(parting.order, actor, client_key, to_client, reason, parting)


def _propose(order: Order, actor: Any, client_key: UUID, to_client: Decimal, reason: str, replaces: Parting | None) -> Parting:
    amount, moment = at_stake(order), now()
    to_client, reason = positive(to_client), _checked(reason, gettext("Say why, so that the other side can agree."))
    if to_client > amount:
        raise Invalid(gettext("%(amount)s is in escrow; not more than that can go back.") % {"amount": usd(amount)}, code="figure_range")
    if replaces is not None and (to_client, amount) == (replaces.to_client, replaces.amount):
        raise Invalid(gettext("That is what was proposed. Accept it instead."), code="same_figure")
    if order.partings.filter(created_at__gt=moment - A_DAY).count() >= MOST_A_DAY:
        raise TooMany(gettext("Enough was proposed for this order today. Write to each other instead."), code="too_many_partings")
    with words():
        parting = Parting.objects.create(
            order=order,
            replaces=replaces,
            proposed_by=actor,
            by_client=not order.is_builder(actor),
            client_key=client_key,
            amount=amount,
            to_client=to_client,
            reason=reason,
            created_at=moment,
            expires_at=moment + timedelta(hours=settings.PARTING_HOURS),
        )
    said = {"to_client": to_client, "expires_at": parting.expires_at}
    record(Event.PARTING_PROPOSED, actor=actor, target=parting, amount=amount, after=said, **_facts(parting))
    post(order, notices.parting_proposed(parting), notices.PARTING)
    _tell(parting, parting.answerer, "parting.proposed", emails.parting_proposed(parting, shares_of(order, to_client), parting.answerer))
    return parting


@transaction.atomic
def accept_parting(parting_id: UUID, *, actor: Any) -> Parting:
    """Agree: what is in escrow is divided as proposed, and the order ends. Raises Conflict `escrow_changed` when escrow holds another sum by now."""
    parting = _lock(parting_id)
    parting.require_answerer(actor)
    moment = _require_open(parting)
    order = _order(parting.order_id, actor, locked=parting.order)
    if at_stake(order) != parting.amount:
        raise Conflict(gettext("The price of the order has changed since this was proposed. Propose it anew."), code="escrow_changed")
    shares = shares_of(order, parting.to_client)
    _close(parting, S.ACCEPTED, actor, moment)
    handlers.ending(order, actor)
    forget_sales(order)
    why = say("You both agreed to end order %(number)s", number=order.number)
    divide(order, parting.amount, parting.to_client, source=parting.pk, name="parting", why=why, actor=actor)
    order.move_to(OrderStatus.CANCELLED, cancelled_at=moment, cancelled_by=actor, cancel_cause=CancelCause.AGREED, cancel_reason=parting.reason[:300])
    said = {"cause": CancelCause.AGREED, "parting": parting.pk, "to_client": parting.to_client, "before_work": False}
    record(Event.ORDER_CANCELLED, actor=actor, target=order, **said, **sides(order))
    post(order, notices.parting_accepted(parting), notices.PARTING)
    for person in (order.client, order.builder.user):
        _tell(parting, person, "parting.accepted", emails.parting_accepted(parting, shares, person))
    return parting


@transaction.atomic
def decline_parting(parting_id: UUID, *, actor: Any, answer: str = "") -> Parting:
    """Say no; the order goes on as it was."""
    parting = _lock(parting_id)
    parting.require_answerer(actor)
    moment = _require_open(parting)
    _close(parting, S.DECLINED, actor, moment, answer=_checked(answer, "") if answer.strip() else "")
    post(parting.order, notices.parting_declined(parting), notices.PARTING_OVER)
    _tell(parting, parting.proposed_by, "parting.declined", emails.parting_declined(parting))
    return parting


@transaction.atomic
def withdraw_parting(parting_id: UUID, *, actor: Any) -> Parting:
    """Take one's own proposal back; the order goes on as it was."""
    parting = _lock(parting_id)
    parting.require_proposer(actor)
    _require_open(parting)
    _close(parting, S.WITHDRAWN, actor, now())
    post(parting.order, notices.parting_withdrawn(parting), notices.PARTING_OVER)
    _tell(parting, parting.answerer, "parting.withdrawn", emails.parting_withdrawn(parting))
    return parting


@transaction.atomic
def lapse_parting(parting_id: UUID) -> Parting:
    """Nobody answered in time; for the sweep."""
    parting = _lock(parting_id)
    if parting.status != S.OPEN or parting.expires_at > now():
        raise WrongState(gettext("This proposal is not over."))
    _close(parting, S.LAPSED, None, now())
    post(parting.order, notices.parting_lapsed(parting), notices.PARTING_OVER)
    for person in (parting.proposed_by, parting.answerer):
        _tell(parting, person, "parting.lapsed", emails.parting_lapsed(parting, person))
    return parting


def parting_is_idle(order: Order, actor: Any | None) -> None:
    """Before the order ends, is delivered or comes into a dispute, under its lock: what was proposed is off the table."""
    open_id = order.partings.open().values_list("pk", flat=True).first()
    if open_id is not None:
        parting = Parting.objects.lock(open_id)
        parting.order = order
        _close(parting, S.WITHDRAWN, actor, now())


def _order(order_id: UUID, actor: Any, *, locked: Order | None = None) -> Order:
    """An order that these two can end between them, under lock."""
    order = locked or Order.objects.lock(order_id)
    if not order.is_builder(actor):
        order.require_client(actor)
    if actor.is_suspended:
        raise NotAllowed(gettext("A suspended account cannot do that. Write to support."), code="suspended")
    order.require_undisputed()
    if order.status in (OrderStatus.PENDING_PAYMENT, OrderStatus.FUNDING, OrderStatus.PENDING_REQUIREMENTS):
        raise WrongState(gettext("The work has not begun. Either side can cancel the order instead."), code="not_begun")
    if order.status not in DISPUTABLE:
        raise WrongState(
            gettext("This order is %(status)s; nothing of it is in escrow any more.") % {"status": order.status_words()}, code="order_over"
        )
    return order


def _lock(parting_id: UUID) -> Parting:
    order = Order.objects.lock(Parting.objects.values_list("order_id", flat=True).get(pk=parting_id))
    parting = Parting.objects.lock(parting_id)
    parting.order = order
    return parting


def _require_open(parting: Parting) -> datetime:
    """Gives the moment, in which it is still in time."""
    if parting.status != S.OPEN:
        raise WrongState(gettext("This proposal is %(status)s already.") % {"status": parting.status_words()}, code="answered")
    moment = now()
    if parting.expires_at <= moment:
        raise WrongState(gettext("The time to answer has passed."), code="lapsed")
    return moment


def _close(parting: Parting, status: str, actor: Any | None, moment: datetime, **stamps: Any) -> None:
    parting.move_to(status, closed_at=moment, **stamps)
    event = Event.PARTING_ACCEPTED if status == S.ACCEPTED else Event.PARTING_CLOSED
    record(event, actor=actor, target=parting, amount=parting.amount, before={"status": S.OPEN}, after={"status": status}, **_facts(parting))


def _facts(parting: Parting) -> dict[str, Any]:
    return {"order": parting.order_id, "by_client": parting.by_client, **sides(parting.order)}


def _checked(text: str, missing: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(missing, code="text_missing")
    if len(text) > LONGEST:
        raise Invalid(gettext("At most %(most)s characters.") % {"most": LONGEST}, code="text_long")
    if "\x00" in text:
        raise Invalid(gettext("The text has a character that cannot be stored."), code="text_null")
    return text


def _tell(parting: Parting, person: Any, kind: str, said: emails.Words) -> None:
    tell(parting.order, person, kind, said, f"{kind}:{parting.pk}")
