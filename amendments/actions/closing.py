"""How an amendment ends without coming into force."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from amendments import emails, notices
from amendments.models import IN_DISPUTE, NO_MONEY_YET, ORDER_ENDED, Amendment, AmendmentStatus
from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.orders.actions import start_clock
from port444.orders.models import Order
from port444.payments.actions import void_invoice
from port444.payments.models import Invoice

from .telling import facts, lock, lock_within, post, tell

A = AmendmentStatus


def close(
    amendment: Amendment,
    status: str,
    *,
    actor: Any | None,
    event: Event,
    to_builder: bool = True,
    to_client: bool = True,
    invoice_is_void: bool = False,
    **stamps: Any,
) -> None:
    """End an open amendment that has no money, under lock: its invoice is void, and the order's clock runs again.

    The two flags say which side gets the time back for which it stood. A builder who asked for time never does: silence and a no leave
    the date where it was.
    """
    before = amendment.status
    amendment.move_to(status, closed_at=now(), **stamps)
    if amendment.invoice_id is not None and not invoice_is_void:
        void_invoice(amendment.invoice_id, actor=actor)
    due_before = amendment.order.due_at
    start_clock(amendment.order, to_builder=to_builder and not amendment.asks_for_time, to_client=to_client)
    record(
        event,
        actor=actor,
        target=amendment,
        amount=amendment.additional_amount,
        before={"status": before, "due_at": due_before},
        after={"status": status, "due_at": amendment.order.due_at, "answer": amendment.answer},
        **facts(amendment),
    )


@transaction.atomic
def expire(amendment_id: UUID) -> Amendment:
    """Nobody answered in time; for the sweep. What is approved and not paid expires with its invoice."""
    amendment = lock(amendment_id)
    if amendment.status not in (A.PENDING, A.CHANGES_REQUESTED) or amendment.expires_at > now():
        raise WrongState(_("This change is not over."))
    _expire(amendment, invoice_is_void=False)
    return amendment


def amendment_unpaid(amendment: Amendment, invoice: Invoice) -> None:
    """The time to pay has passed. One that was closed before stays closed. In payments' transaction."""
    if amendment.status == A.APPROVED:
        _expire(amendment, invoice_is_void=True)


def _expire(amendment: Amendment, *, invoice_is_void: bool) -> None:
    close(amendment, A.EXPIRED, actor=None, event=Event.AMENDMENT_EXPIRED, invoice_is_void=invoice_is_void)
    post(amendment, notices.expired(amendment), notices.CLOSED)
    for person in (amendment.proposer, amendment.answerer):
        tell(amendment, person, "amendment.expired", emails.expired(amendment, person))


def order_ends(order: Order, actor: Any | None) -> None:
    """Before an order ends, under its lock: what waits for an answer or for payment is off the table.

    What is paid comes into force or is given back first. Raises WrongState (code `amendment_funding`).
    """
    open_id = Amendment.objects.filter(order=order).open().values_list("pk", flat=True).first()
    if open_id is None:
        return
    amendment = lock_within(order, open_id)
    if amendment.status not in NO_MONEY_YET:
        raise WrongState(_why_not(amendment), code="amendment_funding")
    close(amendment, A.EXPIRED, actor=actor, event=Event.AMENDMENT_EXPIRED, to_builder=False, to_client=False, answer=ORDER_ENDED)


def dispute_begins(order: Order, actor: Any | None) -> None:
    """Before a dispute about the order is opened, under its lock: what waits for an answer or for payment is off the table, and both sides
    have the time back for which the clock stood. Raises WrongState (code `amendment_funding`) while money of a change is on its way.
    """
    open_id = Amendment.objects.filter(order=order).open().values_list("pk", flat=True).first()
    if open_id is None:
        return
    amendment = lock_within(order, open_id)
    if amendment.status == A.FUNDING_FAILED:
        raise WrongState(_("Escrow did not take a change of this order. Try that again or give it up first."), code="amendment_funding")
    if amendment.status not in NO_MONEY_YET:
        raise WrongState(
            _("A change of this order is on its way into escrow. Wait until it has arrived, usually for minutes."), code="amendment_funding"
        )
    close(amendment, A.EXPIRED, actor=actor, event=Event.AMENDMENT_EXPIRED, answer=IN_DISPUTE)


def work_is_handed_over(order: Order, actor: Any | None) -> None:
    """Before a delivery, under the order's lock: the builder needs no more time."""
    open_id = Amendment.objects.filter(order=order, status__in=[A.PENDING, A.CHANGES_REQUESTED]).values_list("pk", flat=True).first()
    if open_id is None:
        return
    amendment = lock_within(order, open_id)
    if amendment.asks_for_time:
        close(amendment, A.WITHDRAWN, actor=actor, event=Event.AMENDMENT_WITHDRAWN)
        post(amendment, notices.withdrawn(amendment), notices.CLOSED)


def _why_not(amendment: Amendment) -> str:
    if amendment.status == A.FUNDING_FAILED:
        return _("Escrow did not take a change of this order. Try that again or give it up first; then the order can end.")
    return _("A change of this order is on its way into escrow. The order can end when it has arrived, usually within minutes.")
