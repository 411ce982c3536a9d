"""The other side's answer: yes, no, or not like this."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from amendments import checkout, emails, notices
from amendments.models import DATE_STAYS, Amendment, AmendmentStatus
from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.language import speaking_to
from port444.orders.models import LIVE
from port444.payments.actions import Line, fee_line, open_invoice, settle_covered

from .closing import close
from .funding import begin_without_money
from .telling import deal, facts, fresh, lock, post, tell

A = AmendmentStatus
LONGEST_ANSWER = 1000


@transaction.atomic
def approve(amendment_id: UUID, *, actor: Any) -> Amendment:
    """Say yes. Without a price the change is in force as soon as escrow knows the date; with one the client has to pay first.

    What comes back is APPROVED with an `invoice` when there is something to pay. Raises Conflict `order_changed` when the order is
    not any more what the proposal was made for.
    """
    amendment, moment = _to_answer(amendment_id, actor)
    _require_unchanged(amendment)
    record(
        Event.AMENDMENT_APPROVED,
        actor=actor,
        target=amendment,
        amount=amendment.additional_amount,
        before={"price": amendment.price_before, "due_at": amendment.due_before, "deliverables": amendment.deliverables_before},
        after={"price": amendment.price_after, "days": amendment.additional_days, "deliverables": amendment.additional_deliverables},
        **facts(amendment),
    )
    stamps: dict[str, Any] = {"answered_at": moment, "answered_by": actor, "answer": ""}
    if not amendment.additional_amount:
        post(amendment, notices.approved(amendment), notices.ANSWERED)
        begin_without_money(amendment, actor=actor, **stamps)
        return fresh(amendment)
    expires_at = moment + timedelta(hours=settings.AMENDMENT_HOURS)
    invoice = open_invoice(
        purpose="amendment",
        subject_id=amendment.pk,
        deal_id=deal(amendment.order).id,
        payer=amendment.order.client,
        payee=amendment.order.builder.user,
        lines=_lines(amendment),
        return_url=emails.link(amendment),
        expires_at=expires_at,
        actor=actor,
        wish=checkout.credit_wish(amendment.order, amendment),
    )
    amendment.move_to(A.APPROVED, expires_at=expires_at, invoice=invoice, **stamps)
    post(amendment, notices.approved(amendment), notices.ANSWERED)
    if invoice.total == 0:
        settle_covered(invoice.pk)
    else:
        tell(amendment, amendment.proposer, "amendment.approved", emails.approved(amendment, amendment.proposer))
    return fresh(amendment)


@transaction.atomic
def decline(amendment_id: UUID, *, actor: Any, reason: str) -> Amendment:
    """Say no, and why, while nothing is paid. The order stays as it is and gets the time back for which it stood.

    A question for more time can be declined without a word; then the date stays where it is.
    """
    amendment = lock(amendment_id)
    amendment.require_answerer(actor)
    if not amendment.can_move_to(A.REJECTED):
        raise WrongState(_("This change is %(status)s and cannot be declined any more.") % {"status": amendment.status_words()})
    answer = _checked_answer(reason or (DATE_STAYS if amendment.asks_for_time else ""), _("Say why not."))
    stamps: dict[str, Any] = {"answered_at": now(), "answered_by": actor, "answer": answer}
    close(amendment, A.REJECTED, actor=actor, event=Event.AMENDMENT_REJECTED, **stamps)
    post(amendment, notices.declined(amendment), notices.DECLINED)
    tell(amendment, amendment.proposer, "amendment.declined", emails.declined(amendment, amendment.proposer))
    return fresh(amendment)


@transaction.atomic
def ask_for_changes(amendment_id: UUID, *, actor: Any, note: str) -> Amendment:
    """Neither yes nor no: the proposer is asked for another version, and has the whole time anew for it."""
    amendment, moment = _to_answer(amendment_id, actor)
    note = _checked_answer(note, _("Say what should be different."))
    expires_at = moment + timedelta(hours=settings.AMENDMENT_HOURS)
    amendment.move_to(A.CHANGES_REQUESTED, answered_at=moment, answered_by=actor, answer=note, expires_at=expires_at)
    record(Event.AMENDMENT_CHANGES_ASKED, actor=actor, target=amendment, after={"answer": note}, **facts(amendment))
    post(amendment, notices.changes_asked(amendment), notices.REVISE)
    tell(amendment, amendment.proposer, "amendment.changes", emails.changes_asked(amendment, amendment.proposer))
    return fresh(amendment)


def _to_answer(amendment_id: UUID, actor: Any) -> tuple[Amendment, datetime]:
    """Under lock, for somebody whose answer it is and who is in time."""
    amendment = lock(amendment_id)
    amendment.require_answerer(actor)
    if actor.is_suspended:
        raise NotAllowed(_("A suspended account cannot change an order."), code="suspended")
    if amendment.status != A.PENDING:
        raise WrongState(_("This change is %(status)s already.") % {"status": amendment.status_words()}, code="answered")
    moment = now()
    if amendment.expires_at <= moment:
        raise WrongState(_("The time to answer has passed."), code="lapsed")
    return amendment, moment


def _require_unchanged(amendment: Amendment) -> None:
    """Whether the order still is what the proposal shows. Its first date is no change: it counts the same days of work."""
    order = amendment.order
    if order.status not in LIVE:
        raise WrongState(_("This order is %(status)s. What runs can be changed.") % {"status": order.status_words()})
    moved = amendment.due_before is not None and amendment.due_before != order.due_at
    if moved or amendment.price_before != order.price or amendment.deliverables_before != order.deliverables:
        raise Conflict(_("The order has changed since this was proposed. Ask for a new version of it."), code="order_changed")
    if amendment.proposer.is_suspended or not amendment.proposer.is_active:
        raise Conflict(_("The account of %(name)s is closed at the moment.") % {"name": amendment.proposer.first_name}, code="account_closed")


def _checked_answer(text: str, missing: str) -> str:
    text = text.strip()
    if not text:
        raise Invalid(missing, code="answer_missing")
    if len(text) > LONGEST_ANSWER:
        raise Invalid(_("An answer has at most %(most)s characters.") % {"most": LONGEST_ANSWER}, code="answer_long")
    return text


def _lines(amendment: Amendment) -> list[Line]:
    order = amendment.order
    with speaking_to(order.client):
        what = amendment.get_amendment_type_display()
        name = _("%(what)s of order %(number)s, %(title)s") % {"what": what, "number": order.number, "title": order.title}
    found = [Line(name[:200], amendment.additional_amount)]
    if amendment.client_fee:
        found.append(fee_line(amendment.client_fee, amendment.order.client))
    return found
