"""Pages of payments: checkout, the wait after it, and the test wallet."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from port444.kit.http import UserRequest, done

from . import actions, providers, queries
from .forms import WalletForm
from .models import Invoice, InvoiceStatus, Payment, SandboxCharge, SandboxStatus
from .queries import Paying, Stage


def _paying(request: UserRequest, invoice_id: UUID) -> Paying:
    try:
        return queries.paying(invoice_id, request.user)
    except Invoice.DoesNotExist:
        raise Http404 from None


@login_required
@require_GET
def checkout(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """What is to be paid, how, and what happens then."""
    paying = _paying(request, invoice_id)
    if paying.stage in (Stage.PAID, Stage.ARRIVED):
        return HttpResponseRedirect(reverse("payments:return", args=[invoice_id]))
    lines = list(paying.invoice.lines.all())
    return render(request, "payments/checkout.html", {"paying": paying, "invoice": paying.invoice, "lines": lines, "provider": providers.current()})


@login_required
@require_POST
def start(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """Write down the attempt, then tell the provider and go where it says."""
    get_object_or_404(Invoice, pk=invoice_id, payer=request.user)
    payment = actions.start_payment(invoice_id, actor=request.user)
    payment = actions.reach_provider(payment.pk)
    return done(request, payment.pay_url)


@login_required
@require_GET
def returned(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """Where a person waits after paying: asks every second until the invoice is settled, then goes on to what was bought."""
    paying = _paying(request, invoice_id)
    if paying.stage == Stage.PAID:
        return done(request, paying.invoice.return_url)
    if paying.stage == Stage.OPEN:
        return done(request, reverse("payments:checkout", args=[invoice_id]))
    template = "payments/return.html#waiting" if request.htmx else "payments/return.html"
    return render(request, template, {"paying": paying, "invoice": paying.invoice})


def _charge(request: UserRequest, payment_id: UUID) -> tuple[Payment, SandboxCharge]:
    payment = get_object_or_404(Payment.objects.select_related("invoice"), pk=payment_id, provider="sandbox", invoice__payer=request.user)
    return payment, get_object_or_404(SandboxCharge, key=payment_id)


@login_required
@require_GET
def wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """The test wallet asks whether to pay."""
    payment, charge = _charge(request, payment_id)
    waiting = charge.status == SandboxStatus.WAITING and payment.invoice.status == InvoiceStatus.OPEN
    return render(request, "payments/wallet.html", {"payment": payment, "charge": charge, "waiting": waiting, "form": WalletForm()})


@login_required
@require_POST
def answer_wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """What the person pressed in the test wallet; a second press only goes on."""
    payment, charge = _charge(request, payment_id)
    form = WalletForm(request.POST)
    if not form.is_valid():
        context = {"payment": payment, "charge": charge, "waiting": True, "form": form}
        return render(request, "payments/wallet.html", context, status=422)
    if charge.status == SandboxStatus.WAITING:
        actions.answer_wallet(payment_id, actor=request.user, decision=form.choice, manner=form.behaviour)
    return done(request, charge.return_url)
