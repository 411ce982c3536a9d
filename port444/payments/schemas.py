"""What the API says about money."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row

from .models import (
    Credit,
    CreditScope,
    CreditSource,
    CreditStep,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    PayoutMethod,
    Refund,
    RefundStatus,
    Withdrawal,
    WithdrawalStatus,
)
from .queries import Purse, Spending, Way, Withdrawing

# Invoices


class InvoiceRow(Row):
    id: UUID
    number: str | None = Field(description="It gets one when it is paid", examples=["P4-2026-000117"])
    kind: InvoiceKind
    status: InvoiceStatus
    purpose: str = Field(description="What it is for", examples=["order", "amendment", "consultation"])
    subject_id: UUID = Field(description="The id of that")
    corrects_id: UUID | None = Field(description="Of a credit note, the invoice of which it gives back")
    you_are: str = Field(examples=["payer", "payee"])
    payer_name: str
    payee_name: str
    currency: str
    language: str = Field(description="In which the document and its lines are: that of the payer, when it was opened", examples=["en", "de"])
    subtotal: Money
    fee: Money
    credit: Money = Field(description="Of the subtotal, what credits pay")
    total: Money
    opened_at: Moment
    expires_at: Moment | None
    paid_at: Moment | None
    voided_at: Moment | None


class LineOut(Out):
    description: str
    amount: Money
    is_fee: bool


class RefundOut(Out):
    id: UUID
    amount: Money
    status: RefundStatus
    reason: str
    credit_note_id: UUID | None
    requested_at: Moment
    completed_at: Moment | None


class PaymentOut(Out):
    """One attempt to pay an invoice. `created` becomes `pending` when the provider knows it, and then waits for the person."""

    id: UUID
    invoice_id: UUID
    status: PaymentStatus
    provider: str = Field(examples=["sandbox"])
    amount: Money
    refunded: Money
    approve_url: str = Field(description="The page on which the person says yes", examples=["https://port444.example/pay/..."])
    created_at: Moment
    expires_at: Moment
    succeeded_at: Moment | None
    failed_at: Moment | None
    failure: str
    settled_at: Moment | None = Field(description="When it paid the invoice")


class InvoiceOut(InvoiceRow):
    lines: list[LineOut]
    payment: PaymentOut | None = Field(description="The newest attempt to pay it, for the payer")
    refunds: list[RefundOut] = Field(description="What came back, for the payer")
    pdf_url: str | None


class InvoicesOut(Out):
    items: list[InvoiceRow]
    next: str | None


class PayIn(In):
    provider: str = Field("", max_length=20, description="One of those that the checkout offers; without it the first", examples=["sandbox"])


def invoice_row(invoice: Invoice, reader: Any) -> InvoiceRow:
    return InvoiceRow(**_invoice(invoice, reader))


def _invoice(invoice: Invoice, reader: Any) -> dict[str, Any]:
    told = {name: getattr(invoice, name) for name in InvoiceRow.model_fields if name != "you_are"}
    return told | {"you_are": "payer" if invoice.payer_id == reader.pk else "payee"}


def invoice_out(invoice: Invoice, reader: Any, *, lines: Iterable[InvoiceLine], payment: Payment | None, refunds: Iterable[Refund]) -> InvoiceOut:
    return InvoiceOut(
        **_invoice(invoice, reader),
        lines=[LineOut.model_validate(line, from_attributes=True) for line in lines],
        payment=payment_out(payment) if payment is not None else None,
        refunds=[refund_out(one) for one in refunds],
        pdf_url=_here(reverse("payments:invoice_pdf", args=[invoice.pk])) if invoice.number else None,
    )


def refund_out(refund: Refund) -> RefundOut:
    return RefundOut.model_validate(refund, from_attributes=True)


def _here(path: str) -> str:
    return str(urljoin(settings.SITE_URL, path))


def payment_out(payment: Payment) -> PaymentOut:
    told = {name: getattr(payment, name) for name in PaymentOut.model_fields if name != "approve_url"}
    # Before the provider has answered, and when its page is over, the checkout leads on.
    page = payment.pay_url if payment.status == PaymentStatus.PENDING else ""
    return PaymentOut(**told, approve_url=_here(page or reverse("payments:checkout", args=[payment.invoice_id])))


# Credits


class CreditUseOut(Out):
    invoice_id: UUID
    amount: Money = Field(description="Less what was given back")
    paid: bool = Field(description="Whether the invoice is paid; until then it is held for it")


class CreditRow(Row):
    id: UUID
    label: str
    amount: Money
    remaining: Money
    source: CreditSource
    applicable_to: CreditScope
    builder: PersonOut | None
    category: str | None = Field(description="The slug of the category it is for")
    created_at: Moment
    expires_at: Moment | None
    withdrawn_at: Moment | None
    uses: list[CreditUseOut]


class CreditStepOut(Out):
    step: CreditStep
    amount: Money
    until: Moment | None = Field(description="Of an extension, until when it lasts now")
    invoice_id: UUID | None
    at: Moment


class CreditOut(CreditRow):
    steps: list[CreditStepOut] = Field(description="What became of it, newest first, at most 100")


class CreditsOut(Out):
    items: list[CreditRow]
    next: str | None


def _credit(credit: Credit) -> dict[str, Any]:
    told = {name: getattr(credit, name) for name in CreditRow.model_fields if name not in ("builder", "category", "uses")}
    uses = [CreditUseOut(invoice_id=use.invoice_id, amount=use.left, paid=use.invoice.paid_at is not None) for use in credit.uses.all()]
    builder = person_out(credit.builder.user) if credit.builder is not None else None
    return told | {"builder": builder, "category": credit.category.slug if credit.category is not None else None, "uses": uses}


def credit_row(credit: Credit) -> CreditRow:
    return CreditRow(**_credit(credit))


def credit_out(credit: Credit, entries: Iterable[Any]) -> CreditOut:
    steps = [
        CreditStepOut(step=one.step, amount=one.amount, until=one.until, invoice_id=one.use.invoice_id if one.use else None, at=one.created_at)
        for one in entries
    ]
    return CreditOut(**_credit(credit), steps=steps)


# Earnings and withdrawals


class ComingOut(Out):
    amount: Money
    at: Moment | None = Field(description="When it becomes available; unknown while its release has to be confirmed anew")


class WayOut(Out):
    """A way to withdraw. Where it goes is changed on the page of earnings, where the person confirms who they are."""

    method: PayoutMethod
    destination: str | None = Field(description="Masked; none is known yet where it is null", examples=["0x71C7…976F"])
    changed_at: Moment | None
    rests_until: Moment | None = Field(description="New details: money goes there from then on")
    available: Money
    least: Money
    fee: Money


class MonthOut(Out):
    month: str = Field(description="The calendar month, in your zone", examples=["2026-11"])
    paid: Money = Field(description="Less what came back")


class SpendingOut(Out):
    this_month: Money
    twelve_months: Money
    came_back: Money
    in_escrow: Money = Field(description="Of what you paid; it waits until you accept")
    credit: Money
    months: list[MonthOut] = Field(description="Oldest first, this one last")
    time_zone: str


def spending_out(spending: Spending, time_zone: str) -> SpendingOut:
    return SpendingOut(
        this_month=spending.month,
        twelve_months=spending.year,
        came_back=spending.back,
        in_escrow=spending.in_escrow,
        credit=spending.credit,
        months=[MonthOut(month=f"{month:%Y-%m}", paid=paid) for month, paid in spending.months],
        time_zone=time_zone,
    )


class EarningsOut(Out):
    balance: Money = Field(description="Released to you and not withdrawn: pending and available")
    available: Money
    pending: Money = Field(description="Still clearing")
    in_escrow: Money = Field(description="Of orders that run; yours when they are accepted, less the fee")
    on_its_way: Money = Field(description="Withdrawn and not arrived")
    held: Money = Field(description="Withdrawn, and held while we look at it")
    earned_this_month: Money
    time_zone: str = Field(description="The zone in which the month is counted")
    coming: list[ComingOut] = Field(description="The next of what is pending")
    ways: list[WayOut]
    hold: str = Field(description="Why all withdrawals are held, if they are")


class WithdrawalRow(Row):
    id: UUID
    method: PayoutMethod
    amount: Money = Field(description="What leaves the earnings")
    fee: Money = Field(description="Part of it")
    arrives: Money
    destination: str = Field(description="Masked", examples=["0x71C7…976F"])
    status: WithdrawalStatus
    held_because: str | None
    requested_at: Moment
    due_at: Moment = Field(description="It is not sent before")
    sending_at: Moment | None
    completed_at: Moment | None
    failed_at: Moment | None
    cancelled_at: Moment | None
    error: str
    cancellable: bool


class WithdrawalsOut(Out):
    items: list[WithdrawalRow]
    next: str | None


class WithdrawIn(In):
    amount: Amount
    method: PayoutMethod = PayoutMethod.WALLET


class WithdrawQuoteOut(Out):
    method: PayoutMethod
    amount: Money
    fee: Money
    arrives: Money
    available: Money
    least: Money
    possible: bool = Field(description="Whether that much can be asked for now")


def masked(address: str) -> str:
    """Enough of a wallet's address to tell it from others; what a bank's number looks like is masked already."""
    return f"{address[:6]}…{address[-4:]}" if address.startswith("0x") and len(address) > 12 else address


def way_out(way: Way) -> WayOut:
    return WayOut(
        method=PayoutMethod(way.method),
        destination=masked(way.destination) or None,
        changed_at=way.changed_at,
        rests_until=way.rests_until,
        available=way.ready,
        least=way.least,
        fee=way.fee,
    )


def earnings_out(purse: Purse, withdrawing: Withdrawing, time_zone: str) -> EarningsOut:
    return EarningsOut(
        balance=purse.balance,
        available=purse.ready,
        pending=purse.clearing,
        in_escrow=purse.in_escrow,
        on_its_way=purse.on_its_way,
        held=purse.held,
        earned_this_month=purse.earned,
        time_zone=time_zone,
        coming=[ComingOut(amount=one.amount, at=one.at) for one in withdrawing.coming],
        ways=[way_out(way) for way in withdrawing.ways],
        hold=withdrawing.hold,
    )


def withdrawal_row(withdrawal: Withdrawal) -> WithdrawalRow:
    """`why` comes with the rows of `queries.withdrawals_with_why`."""
    told = {name: getattr(withdrawal, name) for name in WithdrawalRow.model_fields if name not in ("destination", "held_because")}
    held = getattr(withdrawal, "why", None) if withdrawal.status == WithdrawalStatus.HELD else None
    return WithdrawalRow(**told, destination=masked(withdrawal.destination), held_because=held)


def quote_out(way: Way, amount: Decimal) -> WithdrawQuoteOut:
    possible = bool(way.destination) and way.least <= amount <= way.ready
    return WithdrawQuoteOut(
        method=PayoutMethod(way.method),
        amount=amount,
        fee=way.fee,
        arrives=max(amount - way.fee, Decimal("0.00")),
        available=way.ready,
        least=way.least,
        possible=possible,
    )
