"""The API of money, and callbacks of payment providers."""

from __future__ import annotations

import json
import logging
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed

from . import actions, queries
from .actions import record_answer
from .models import Invoice, InvoiceKind, InvoiceStatus, Payment, Refund, Withdrawal, WithdrawalStatus
from .providers import sandbox
from .schemas import (
    CreditOut,
    CreditRow,
    CreditsOut,
    EarningsOut,
    InvoiceOut,
    InvoiceRow,
    InvoicesOut,
    PayIn,
    PaymentOut,
    RefundOut,
    SpendingOut,
    WithdrawalRow,
    WithdrawalsOut,
    WithdrawIn,
    WithdrawQuoteOut,
    credit_out,
    credit_row,
    earnings_out,
    invoice_out,
    invoice_row,
    payment_out,
    quote_out,
    refund_out,
    spending_out,
    withdrawal_row,
)

router = Router(tags=["Money"])

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def sandbox_callback(request: HttpRequest) -> HttpResponse:
    """The test wallet's answer. Only a body that the wallet has signed within five minutes is read at all."""
    body = request.body
    if not sandbox.verified(body, request.headers.get(sandbox.HEADER, ""), now()):
        log.warning("a callback with a bad signature was refused")
        return JsonResponse({"error": "signature"}, status=403)
    try:
        event_id, payment_id, report = sandbox.read(body)
    except ValueError:
        return JsonResponse({"error": "body"}, status=400)
    try:
        record_answer("sandbox", event_id, payment_id, report, json.loads(body))
    except Payment.DoesNotExist:
        return JsonResponse({"error": "unknown payment"}, status=404)
    except Invalid as error:
        return JsonResponse({"error": error.code}, status=error.status)
    return JsonResponse({"ok": True})


# Invoices and payments


class InvoicePaging(Paging):
    status: InvoiceStatus | None = None
    kind: InvoiceKind | None = None
    sold: bool | None = Field(None, description="True: what clients paid for your work. False: what you pay. Without it both")


@router.get("/invoices", response=answers(200, InvoicesOut), auth=may(), summary="Your invoices")
def list_invoices(request: UserRequest, paging: Query[InvoicePaging]) -> HttpResponse:
    """What you have to pay or have paid, credit notes, and what others have paid for your work."""
    rows = queries.visible_documents(request.user)
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.kind:
        rows = rows.filter(kind=paging.kind)
    if paging.sold is not None:
        rows = rows.filter(payee=request.user) if paging.sold else rows.filter(payer=request.user)
    return page(request, paging, rows, InvoiceRow, lambda row: invoice_row(row, request.user))


@router.get("/invoices/{uuid:invoice_id}", response=answers(200, InvoiceOut), auth=may(), summary="An invoice")
def get_invoice(request: UserRequest, response: HttpResponse, invoice_id: UUID) -> InvoiceOut:
    """With its lines; for the payer also with the newest attempt to pay it, and what came back."""
    try:
        found = queries.document(invoice_id, request.user)
    except Invoice.DoesNotExist:
        raise Http404 from None
    attempt = Payment.objects.filter(invoice=found.invoice).order_by("-pk").first() if found.mine else None
    tagged(response, found.invoice)
    return invoice_out(found.invoice, request.user, lines=found.lines, payment=attempt, refunds=found.refunds)


@router.post(
    "/invoices/{uuid:invoice_id}/pay",
    response=answers(202, PaymentOut),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY),
    summary="Begin to pay an invoice",
)
@once
def pay_invoice(request: UserRequest, invoice_id: UUID, body: PayIn | None = None) -> Status[PaymentOut]:
    """A person says yes on the page `approve_url`; look at the payment to learn what became of it.

    There is one live attempt at a time: again, with another key, gives the attempt that is live.
    """
    invoice = get_object_or_404(queries.visible_documents(request.user), pk=invoice_id)
    return Status(202, payment_out(actions.begin_payment(invoice.pk, actor=request.user, provider=body.provider if body else "")))


@router.get("/payments/{uuid:payment_id}", response=answers(200, PaymentOut), auth=may(), summary="A payment")
def get_payment(request: UserRequest, response: HttpResponse, payment_id: UUID) -> PaymentOut:
    """For who pays."""
    payment = get_object_or_404(Payment, pk=payment_id, invoice__payer=request.user)
    tagged(response, payment)
    return payment_out(payment)


@router.get("/refunds/{uuid:refund_id}", response=answers(200, RefundOut), auth=may(), summary="A refund")
def get_refund(request: UserRequest, refund_id: UUID) -> RefundOut:
    """For who paid."""
    return refund_out(get_object_or_404(Refund, pk=refund_id, payment__invoice__payer=request.user))


# Credits


class CreditPaging(Paging):
    usable: bool | None = Field(None, description="True: those with which something can be paid now. False: the others")


@router.get("/credits", response=answers(200, CreditsOut), auth=may(), summary="Your credits")
def list_credits(request: UserRequest, paging: Query[CreditPaging]) -> HttpResponse:
    rows = queries.credits_with_uses(request.user)
    if paging.usable is not None:
        usable = rows.filter(remaining__gt=0).exclude(expires_at__lte=now())
        rows = usable if paging.usable else rows.exclude(pk__in=usable.values("pk"))
    return page(request, paging, rows, CreditRow, credit_row)


@router.get("/credits/{uuid:credit_id}", response=answers(200, CreditOut), auth=may(), summary="A credit")
def get_credit(request: UserRequest, response: HttpResponse, credit_id: UUID) -> CreditOut:
    """With what became of it."""
    credit = get_object_or_404(queries.credits_with_uses(request.user), pk=credit_id)
    tagged(response, credit)
    return credit_out(credit, queries.steps_of(credit)[: queries.CREDIT_STEPS_SHOWN])


# Earnings and withdrawals


def _builders_only(request: UserRequest) -> None:
    """Who does not offer work has no earnings."""
    if not request.user.is_builder:
        raise Http404


@router.get("/spending", response=answers(200, SpendingOut), auth=may(), summary="What you spent")
def get_spending(request: UserRequest) -> SpendingOut:
    """In the last twelve months, by calendar month."""
    return spending_out(queries.spending(request.user), request.user.time_zone)


@router.get("/earnings", response=answers(200, EarningsOut), auth=may(), summary="Your earnings")
def get_earnings(request: UserRequest) -> EarningsOut:
    """For builders: what is available, what is pending, and where it can go."""
    _builders_only(request)
    purse = queries.purse(request.user, ZoneInfo(request.user.time_zone))
    return earnings_out(purse, queries.withdrawing(request.user, purse.cleared), request.user.time_zone)


class WithdrawalPaging(Paging):
    status: WithdrawalStatus | None = None


@router.get("/withdrawals", response=answers(200, WithdrawalsOut), auth=may(), summary="Your withdrawals")
def list_withdrawals(request: UserRequest, paging: Query[WithdrawalPaging]) -> HttpResponse:
    _builders_only(request)
    rows = queries.withdrawals_with_why(request.user)
    return page(request, paging, rows.filter(status=paging.status) if paging.status else rows, WithdrawalRow, withdrawal_row)


@router.post("/withdrawals", response=answers(201, WithdrawalRow), auth=may(Scope.MONEY), openapi_extra=also(KEY), summary="Withdraw earnings")
@once
def withdraw(request: UserRequest, body: WithdrawIn) -> Status[WithdrawalRow]:
    """To the wallet or the bank account that is known; the fee is part of the amount. It may be `held`, and says why."""
    _builders_only(request)
    made = actions.request_withdrawal(actor=request.user, amount=body.amount, client_key=client_key(request), method=body.method)
    return Status(201, _withdrawal_row(request, made.pk))


@router.post("/withdrawals/quote", response=answers(200, WithdrawQuoteOut), auth=may(), summary="What would arrive of a withdrawal")
def quote_withdrawal(request: UserRequest, body: WithdrawIn) -> WithdrawQuoteOut:
    """Nothing is asked for."""
    _builders_only(request)
    way = queries.withdrawing(request.user).way(body.method)
    if way is None:
        raise Invalid("Transfers to bank accounts are not open here yet.", code="bank_closed")
    return quote_out(way, body.amount)


@router.get("/withdrawals/{uuid:withdrawal_id}", response=answers(200, WithdrawalRow), auth=may(), summary="A withdrawal")
def get_withdrawal(request: UserRequest, response: HttpResponse, withdrawal_id: UUID) -> WithdrawalRow:
    tagged(response, get_object_or_404(Withdrawal.objects.visible_to(request.user), pk=withdrawal_id))
    return _withdrawal_row(request, withdrawal_id)


@router.post(
    "/withdrawals/{uuid:withdrawal_id}/cancel",
    response=answers(200, WithdrawalRow),
    auth=may(Scope.MONEY),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Take a withdrawal back",
)
@once
def cancel_withdrawal(request: UserRequest, withdrawal_id: UUID) -> Status[WithdrawalRow]:
    """While nothing was sent. Its amount is available again."""
    withdrawal = get_object_or_404(Withdrawal.objects.visible_to(request.user), pk=withdrawal_id)
    with unless_changed(request, withdrawal):
        actions.cancel_withdrawal(withdrawal.pk, actor=request.user)
    return Status(200, _withdrawal_row(request, withdrawal_id))


def _withdrawal_row(request: UserRequest, withdrawal_id: UUID) -> WithdrawalRow:
    return withdrawal_row(get_object_or_404(queries.withdrawals_with_why(request.user), pk=withdrawal_id))
