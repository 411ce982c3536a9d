"""The API of changes of an order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.clock import now
from port444.kit.errors import Invalid, WrongState
from port444.kit.http import UserRequest
from port444.kit.money import ZERO
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed
from port444.orders.models import Order
from port444.payments.actions import begin_payment
from port444.payments.schemas import PayIn, PaymentOut, payment_out

from . import actions, queries
from .forms import FIELDS, KINDS
from .models import OPEN, Amendment, AmendmentStatus
from .schemas import (
    AmendmentOut,
    AmendmentRow,
    AmendmentsOut,
    AskIn,
    ProposeIn,
    QuoteOut,
    RejectIn,
    amendment_out,
    amendment_row,
    quote_out,
    terms_in,
)
from .terms import checked

router = Router(tags=["Changes of an order"])


class AmendmentPaging(Paging):
    status: AmendmentStatus | None = None


def _order(request: UserRequest, order_id: UUID) -> Order:
    return get_object_or_404(Order.objects.visible_to(request.user).with_people(), pk=order_id)


def _amendment(request: UserRequest, amendment_id: UUID) -> Amendment:
    return get_object_or_404(Amendment.objects.visible_to(request.user).with_people(), pk=amendment_id)


def _out(request: UserRequest, amendment: Amendment) -> AmendmentOut:
    effect = queries.preview_of(amendment, now()) if amendment.status in OPEN else queries.as_written(amendment)
    return amendment_out(amendment, request.user, effect)


def _fitting(body: ProposeIn) -> None:
    """What a type does not take is refused; a page does not even ask for it."""
    said = {
        "description": body.description,
        "amount": body.additional_amount,
        "days": body.additional_days,
        "deliverables": body.additional_deliverables,
    }
    kind = KINDS[body.amendment_type]
    if name := next((name for name in FIELDS if said[name] and name not in kind.fields), ""):
        raise Invalid(f"A change of the type {body.amendment_type.value} takes no {name}.", code="type_differs")


@router.get("/orders/{uuid:order_id}/amendments", response=answers(200, AmendmentsOut), auth=may(), summary="Changes of an order")
def list_amendments(request: UserRequest, order_id: UUID, paging: Query[AmendmentPaging]) -> HttpResponse:
    """All versions of all changes, whatever became of them."""
    rows = Amendment.objects.filter(order=_order(request, order_id)).with_people()
    if paging.status:
        rows = rows.filter(status=paging.status)
    return page(request, paging, rows, AmendmentRow, amendment_row)


@router.post(
    "/orders/{uuid:order_id}/amendments",
    response=answers(201, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Propose a change",
)
@once
def propose_amendment(request: UserRequest, order_id: UUID, body: ProposeIn) -> Status[AmendmentOut]:
    """The other side has to say yes, and the client pays. The clock of the order stands meanwhile."""
    order = _order(request, order_id)
    _fitting(body)
    made = actions.propose(order.pk, actor=request.user, client_key=client_key(request), terms=terms_in(body))
    return Status(201, _out(request, _amendment(request, made.pk)))


@router.post("/orders/{uuid:order_id}/amendments/quote", response=answers(200, QuoteOut), auth=may(), summary="What a change would do")
def quote_amendment(request: UserRequest, order_id: UUID, body: ProposeIn) -> QuoteOut:
    """The order before and after it, and what it costs. Nothing is proposed."""
    order = get_object_or_404(Order.objects.visible_to(request.user).with_people().select_related("service"), pk=order_id)
    _fitting(body)
    terms, moment = checked(terms_in(body)), now()
    if not queries.may_propose(order):
        raise WrongState(f"This order is {order.status_words()}, or in a dispute. What runs can be changed.")
    credit = ZERO if order.is_builder(request.user) else queries.credit_for(order, terms, moment)
    return quote_out(queries.preview(order, terms, moment), credit)


@router.get("/amendments/{uuid:amendment_id}", response=answers(200, AmendmentOut), auth=may(), summary="A change")
def get_amendment(request: UserRequest, response: HttpResponse, amendment_id: UUID) -> AmendmentOut:
    """With the order before and after it."""
    amendment = _amendment(request, amendment_id)
    tagged(response, amendment)
    return _out(request, amendment)


@router.put(
    "/amendments/{uuid:amendment_id}/approve",
    response=answers(200, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Approve a change",
)
def approve_amendment(request: UserRequest, amendment_id: UUID) -> AmendmentOut:
    """For the side that did not propose it. With a price the client pays next (`invoice_id`); without one it comes into force by itself."""
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.approve(amendment.pk, actor=request.user)
    return _out(request, _amendment(request, amendment_id))


@router.put(
    "/amendments/{uuid:amendment_id}/reject",
    response=answers(200, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Decline a change",
)
def reject_amendment(request: UserRequest, amendment_id: UUID, body: RejectIn) -> AmendmentOut:
    """For the side that did not propose it, while nothing is paid. The order stays as it is."""
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.decline(amendment.pk, actor=request.user, reason=body.reason)
    return _out(request, _amendment(request, amendment_id))


@router.post(
    "/amendments/{uuid:amendment_id}/pay",
    response=answers(202, PaymentOut),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY),
    summary="Pay for a change",
)
@once
def pay_amendment(request: UserRequest, amendment_id: UUID, body: PayIn | None = None) -> Status[PaymentOut]:
    """For the client, once it is approved. A person says yes on the page `approve_url`; look at the payment to learn what became of it."""
    amendment = _amendment(request, amendment_id)
    amendment.order.require_client(request.user)
    if amendment.invoice_id is None:
        raise WrongState(f"This change is {amendment.status_words()}; there is nothing to pay.")
    return Status(202, payment_out(begin_payment(amendment.invoice_id, actor=request.user, provider=body.provider if body else "")))


@router.post(
    "/amendments/{uuid:amendment_id}/request-changes",
    response=answers(200, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Ask for another version",
)
def request_amendment_changes(request: UserRequest, amendment_id: UUID, body: AskIn) -> AmendmentOut:
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.ask_for_changes(amendment.pk, actor=request.user, note=body.note)
    return _out(request, _amendment(request, amendment_id))


@router.post(
    "/amendments/{uuid:amendment_id}/versions",
    response=answers(201, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Put a new version in its place",
)
@once
def revise_amendment(request: UserRequest, amendment_id: UUID, body: ProposeIn) -> Status[AmendmentOut]:
    """For who proposed it, before it is approved. The version before is `superseded`."""
    amendment = _amendment(request, amendment_id)
    _fitting(body)
    with unless_changed(request, amendment):
        made = actions.revise(amendment.pk, actor=request.user, client_key=client_key(request), terms=terms_in(body))
    return Status(201, _out(request, _amendment(request, made.pk)))


@router.post(
    "/amendments/{uuid:amendment_id}/withdraw",
    response=answers(200, AmendmentOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Take a change back",
)
def withdraw_amendment(request: UserRequest, amendment_id: UUID) -> AmendmentOut:
    """For who proposed it, while nothing is paid."""
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.withdraw(amendment.pk, actor=request.user)
    return _out(request, _amendment(request, amendment_id))


@router.post(
    "/amendments/{uuid:amendment_id}/retry",
    response=answers(200, AmendmentOut),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Ask escrow once more",
)
@once
def retry_amendment(request: UserRequest, amendment_id: UUID) -> Status[AmendmentOut]:
    """For the client, when escrow has refused a change that is paid."""
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.retry_funding(amendment.pk, actor=request.user)
    return Status(200, _out(request, _amendment(request, amendment_id)))


@router.post(
    "/amendments/{uuid:amendment_id}/money-back",
    response=answers(200, AmendmentOut),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Take the money of a change back",
)
@once
def refund_amendment(request: UserRequest, amendment_id: UUID) -> Status[AmendmentOut]:
    """For the client, when escrow has refused a change that is paid: all of it goes back, and the order stays as it was."""
    amendment = _amendment(request, amendment_id)
    with unless_changed(request, amendment):
        actions.take_money_back(amendment.pk, actor=request.user)
    return Status(200, _out(request, _amendment(request, amendment_id)))
