"""Pages of payments: checkout, the wait after it, the test wallet, invoices, and a builder's earnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.accounts.models import User
from port444.kit import csvs
from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid, WrongState
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.language import speaking_to
from port444.kit.money import ZERO, usd
from port444.kit.reauthentication import password_again

from . import actions, pdf, providers, queries
from .forms import AddressForm, BankForm, HashForm, KeyForm, OwnWalletForm, QuoteForm, SignatureForm, SpanForm, WalletForm, WithdrawForm
from .models import Invoice, InvoiceStatus, Payment, PayoutMethod, SandboxCharge, SandboxStatus, Withdrawal, WithdrawalStatus
from .providers import wallet as own
from .queries import Document, OwnWallet, Paying, Stage, WalletStage, Way, Withdrawing


def _paying(request: UserRequest, invoice_id: UUID) -> Paying:
    try:
        return queries.paying(invoice_id, request.user)
    except Invoice.DoesNotExist:
        raise Http404 from None


@never_cache
@login_required
@require_GET
def checkout(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """What is to be paid, how, and what happens then. The part about the time left asks again by itself."""
    paying = _paying(request, invoice_id)
    if paying.stage in (Stage.PAID, Stage.ARRIVED):
        return done(request, reverse("payments:return", args=[invoice_id]))
    failure = paying.payment.failure if paying.payment else ""
    offered = providers.offered()
    tried = paying.payment.provider if paying.payment else ""
    chosen = next((one.name for one in offered if one.name == tried), offered[0].name)
    context = {
        "paying": paying,
        "payable": paying.payable,
        "invoice": paying.invoice,
        "providers": offered,
        "chosen": chosen,
        "open": bool(offered) and offered[0].name != "none",
        "failed_text": _("%(failure)s Nothing was taken. You can try again.") % {"failure": failure}
        if failure
        else _("Nothing was taken. You can try again."),
    }
    if request.htmx:
        response = render(request, "payments/checkout.html#held", context)
        if not paying.payable:
            response["HX-Refresh"] = "true"  # the rest of the page offers to pay
        return response
    return render(request, "payments/checkout.html", {**context, "lines": list(paying.invoice.lines.all())})


@login_required
@require_POST
def start(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """Write down the attempt, then tell the provider and go where it says."""
    get_object_or_404(Invoice, pk=invoice_id, payer=request.user)
    how = request.POST.get("how", "")[:20]
    if how:
        actions.change_provider(invoice_id, actor=request.user, provider=how)
    payment = actions.start_payment(invoice_id, actor=request.user, provider=how)
    payment = actions.reach_provider(payment.pk)
    return done(request, payment.pay_url or reverse("payments:return", args=[invoice_id]))


@never_cache
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
    return render(request, template, {"paying": paying, "waiting": paying.waiting, "invoice": paying.invoice})


def _charge(request: UserRequest, payment_id: UUID) -> tuple[Payment, SandboxCharge]:
    payment = get_object_or_404(Payment.objects.select_related("invoice"), pk=payment_id, provider="sandbox", invoice__payer=request.user)
    return payment, get_object_or_404(SandboxCharge, key=payment_id)


@never_cache
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
        return render(request, "payments/wallet.html", {"payment": payment, "charge": charge, "waiting": True, "form": form}, status=422)
    if charge.status == SandboxStatus.WAITING:
        actions.answer_wallet(payment_id, actor=request.user, decision=form.choice, manner=form.behaviour)
    return done(request, charge.return_url)


def _own_wallet(request: UserRequest, payment_id: UUID) -> OwnWallet:
    try:
        return queries.own_wallet(payment_id, request.user)
    except Payment.DoesNotExist:
        raise Http404 from None


@never_cache
@login_required
@require_GET
def own_wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """Pay from the wallet in the browser. The page asks again by itself; when it has become another page it is loaded anew."""
    page = _own_wallet(request, payment_id)
    if page.stage == WalletStage.ARRIVED:
        return done(request, reverse("payments:return", args=[page.payment.invoice_id]))
    if page.stage in (WalletStage.CHOOSE, WalletStage.SENDING):
        providers.named("wallet").require()
    if request.htmx and request.GET.get("at") != page.stage:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return _show_own_wallet(request, page, OwnWalletForm())


def _show_own_wallet(request: UserRequest, page: OwnWallet, form: OwnWalletForm, status: int = 200) -> HttpResponse:
    payment = page.payment
    context = {
        "page": page,
        "payment": payment,
        "invoice": payment.invoice,
        "wallet": page.wallet,
        "form": form,
        "others": any(one.name not in ("wallet", "none") for one in providers.offered()),
        "chain": own.page_facts(payment) if page.stage in (WalletStage.CHOOSE, WalletStage.SENDING) else None,
        "chain_name": settings.CHAIN_NAME or f"chain {settings.CHAIN_ID}",
    }
    return render(request, "payments/own_wallet.html#state" if request.htmx else "payments/own_wallet.html", context, status=status)


@login_required
@require_POST
def sign_with_wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """The signature of a wallet, sent by the page's script."""
    _own_wallet(request, payment_id)
    form = SignatureForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("That is not a signature."), code="signature_format")
    actions.sign_with_wallet(payment_id, actor=request.user, **form.cleaned_data)
    return _go(request, payment_id)


@login_required
@require_POST
def send_from_wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """Which wallet is going to send the amount: from the page's script, or typed in."""
    page = _own_wallet(request, payment_id)
    form = OwnWalletForm(request.POST)
    if form.is_valid():
        try:
            actions.send_from_wallet(payment_id, actor=request.user, address=form.cleaned_data["address"])
        except Invalid as error:
            if _wants_json(request):
                raise
            form.add_error("address", error.message)
        else:
            return _go(request, payment_id)
    if _wants_json(request):
        raise Invalid(_("That is not the address of a wallet."), code="address_format")
    return _show_own_wallet(request, page, form, status=422)


@login_required
@require_POST
def sent_from_wallet(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """The hash that the wallet gave to what it has sent; a hint."""
    _own_wallet(request, payment_id)
    form = HashForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("That is not the hash of a transaction."), code="hash_format")
    actions.note_hash(payment_id, actor=request.user, tx_hash=form.cleaned_data["tx_hash"])
    return _go(request, payment_id)


@login_required
@require_POST
def wallet_again(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """Choose another wallet or the other way: nothing was sent."""
    _own_wallet(request, payment_id)
    payment = actions.choose_again(payment_id, actor=request.user)
    return done(request, payment.pay_url)


def _go(request: UserRequest, payment_id: UUID) -> HttpResponse:
    """To the page of the payment; the page's script is told that all is well and goes there itself."""
    url = reverse("payments:own_wallet", args=[payment_id])
    return JsonResponse({"url": url}) if _wants_json(request) else done(request, url)


def _wants_json(request: UserRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _document(request: UserRequest, invoice_id: UUID) -> Document:
    try:
        return queries.document(invoice_id, request.user)
    except Invoice.DoesNotExist:
        raise Http404 from None


@login_required
@require_GET
def invoice(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """An invoice or a credit note, for its two parties."""
    document = _document(request, invoice_id)
    with speaking_to(document.invoice):
        context = document.context()
    return render(request, "payments/invoice.html", context)


@login_required
@require_GET
def invoice_pdf(request: UserRequest, invoice_id: UUID) -> HttpResponse:
    """The same document as one A4 page, once it has a number: the same words whoever takes it, whenever."""
    document = _document(request, invoice_id)
    if not document.invoice.number:
        raise WrongState(_("There is a PDF once the invoice is paid; it gets its number then."), code="not_numbered")
    with speaking_to(document.invoice):
        name = f"{document.name.lower().replace(' ', '-')}-{document.invoice.number}.pdf"
        content = pdf.render(document.context())
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type="application/pdf", headers=headers)


@login_required
@require_GET
def invoices(request: UserRequest) -> HttpResponse:
    """What the person paid, or with `sold` what clients paid for the person's work."""
    sold = request.GET.get("sold") == "1" and request.user.is_builder
    rows, following = queries.invoices(request.user, sold=sold, before=KeyForm.key(request.GET))
    more = _more("payments:invoices", following, sold="1" if sold else "")
    template = "payments/invoices.html#rows" if request.htmx and "before" in request.GET else "payments/invoices.html"
    return render(request, template, {"invoices": rows, "more": more, "sold": sold})


@login_required
@require_GET
def credits(request: UserRequest) -> HttpResponse:
    """What the person can pay with beside money, and what became of it."""
    rows, following = queries.credits_of(request.user, before=KeyForm.key(request.GET))
    return render(request, "payments/credits.html", {"credits": rows, "more": _more("payments:credits", following), "moment": now()})


def _more(name: str, following: UUID | None, **also: str) -> str:
    if following is None:
        return ""
    return f"{reverse(name)}?{urlencode({key: value for key, value in {**also, 'before': str(following)}.items() if value})}"


def _builders_only(request: UserRequest) -> None:
    """Who does not offer work has no earnings, and no page of them."""
    if not request.user.is_builder:
        raise Http404


@login_required
@require_GET
def earnings(request: UserRequest) -> HttpResponse:
    """A builder's money: ready, on its way, in escrow, and what moved it."""
    _builders_only(request)
    if request.htmx and "before" in request.GET:
        rows, following = queries.history(request.user, before=KeyForm.key(request.GET))
        return render(request, "payments/earnings.html#rows", {"history": rows, "more": _more("payments:earnings", following)})
    return _earnings(request)


def _earnings(request: UserRequest, *, withdraw: WithdrawForm | None = None, status: int = 200) -> HttpResponse:
    rows, following = queries.history(request.user, before=KeyForm.key(request.GET))
    purse = queries.purse(request.user, timezone.get_current_timezone())
    withdrawing = queries.withdrawing(request.user, purse.cleared)
    last, more = queries.withdrawals_of(request.user, show="", before=None, limit=LAST)
    chosen = _chosen(withdraw, withdrawing)
    form = withdraw or WithdrawForm(
        initial={"amount": chosen.ready if chosen else ZERO, "client_key": uuid7(), "method": chosen.method if chosen else ""}
    )
    context = {
        "purse": purse,
        "history": rows,
        "more": _more("payments:earnings", following),
        "withdrawing": withdrawing,
        "withdrawals": last,
        "all_withdrawals": more is not None,
        "failed": [one for one in last[:1] if one.status == WithdrawalStatus.FAILED],
        "fee_percent": (Decimal(settings.BUILDER_FEE_BPS) / 100).normalize(),
        "clearing_days": settings.CLEARING_DAYS,
        "withdraw": form,
        "chosen": chosen,
        "quote": _quote(chosen, form.cleaned_data.get("amount") if form.is_bound and form.is_valid() else chosen.ready if chosen else None),
    }
    return render(request, "payments/earnings.html", context, status=status)


LAST = 3  # withdrawals on the page of earnings; all are on their own


def _chosen(form: WithdrawForm | None, withdrawing: Withdrawing) -> Way | None:
    """The way that the form shows: what was chosen, else the first that is open."""
    asked = withdrawing.way(form.data.get("method", "")) if form is not None else None
    return asked if asked is not None and asked.open else next(iter(withdrawing.open), None)


def _quote(way: Way | None, amount: Decimal | None) -> dict[str, Decimal] | None:
    """What an amount comes to on its way; nothing when it cannot be sent."""
    if way is None or amount is None or not way.least <= amount <= way.ready:
        return None
    return {"amount": amount, "fee": way.fee, "arrives": amount - way.fee}


@login_required
@require_GET
def quote(request: UserRequest) -> HttpResponse:
    """What would arrive of an amount: a part of the form, asked for while it is filled in."""
    _builders_only(request)
    form = QuoteForm(request.GET)
    way = queries.withdrawing(request.user).way(form.cleaned_data["method"]) if form.is_valid() else None
    quoted = _quote(way, form.cleaned_data["amount"] if way else None)
    return render(request, "payments/earnings.html#quote", {"quote": quoted, "chosen": way})


@login_required
@require_POST
def withdraw(request: UserRequest) -> HttpResponse:
    """Send earnings to the payout address or the bank account."""
    _builders_only(request)
    form = WithdrawForm(request.POST)
    if form.is_valid():
        asked = form.cleaned_data
        try:
            sent = actions.request_withdrawal(actor=request.user, amount=asked["amount"], client_key=asked["client_key"], method=asked["method"])
        except DomainError as error:
            form.add_error("amount", error.message)
            return _earnings(request, withdraw=form, status=error.status)
        if sent.status == WithdrawalStatus.HELD:
            words = _("%(amount)s is held for now; see why below.")
        elif sent.method == PayoutMethod.BANK:
            words = _("%(amount)s is on its way to your bank account.")
        else:
            words = _("%(amount)s is on its way to your wallet.")
        return done(request, reverse("payments:earnings"), words % {"amount": usd(sent.amount)})
    return _earnings(request, withdraw=form, status=422)


@login_required
@require_GET
def withdrawals(request: UserRequest) -> HttpResponse:
    """All withdrawals of the person, or those in one state."""
    _builders_only(request)
    show = request.GET.get("show", "")
    show = show if show in queries.SHOWS else ""
    rows, following = queries.withdrawals_of(request.user, show=show, before=KeyForm.key(request.GET))
    more = _more("payments:withdrawals", following, show=show)
    template = "payments/withdrawals.html#rows" if request.htmx and "before" in request.GET else "payments/withdrawals.html"
    shows = [(key, words) for key, (words, _) in queries.SHOWS.items()]
    return render(request, template, {"withdrawals": rows, "more": more, "show": show, "shows": shows, "moment": now()})


@login_required
@require_POST
def cancel(request: UserRequest, withdrawal_id: UUID) -> HttpResponse:
    """Take a withdrawal back while nothing was sent."""
    withdrawal = get_object_or_404(Withdrawal.objects.visible_to(request.user), pk=withdrawal_id)
    withdrawal = actions.cancel_withdrawal(withdrawal.pk, actor=request.user)
    return done(request, reverse("payments:withdrawals"), _("Cancelled. %(amount)s is yours to withdraw again.") % {"amount": usd(withdrawal.amount)})


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
@password_again
def address(request: UserRequest) -> HttpResponse:
    """Say to which wallet withdrawals go."""
    _builders_only(request)
    form = AddressForm(request.POST or None)
    status = 422 if form.is_bound else 200
    if form.is_valid():
        try:
            actions.change_payout_address(form.cleaned_data["address"], actor=request.user)
        except DomainError as error:
            form.add_error("address", error.message)
            status = error.status
        else:
            return done(request, reverse("payments:earnings"), _("Withdrawals go to this wallet from now on."))
    return _details(request, PayoutMethod.WALLET, form, status)


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
@password_again
def bank(request: UserRequest) -> HttpResponse:
    """Say to which bank account withdrawals go."""
    _builders_only(request)
    form = BankForm(request.POST or None)
    status = 422 if form.is_bound else 200
    if form.is_valid() and form.account is not None:
        try:
            actions.change_bank_account(form.account, actor=request.user)
        except DomainError as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            return done(request, reverse("payments:earnings"), _("Bank transfers go to this account from now on."))
    return _details(request, PayoutMethod.BANK, form, status)


def _details(request: UserRequest, method: PayoutMethod, form: AddressForm | BankForm, status: int) -> HttpResponse:
    way = queries.withdrawing(request.user).way(method)
    if way is None:
        raise Http404
    context = {"way": way, "form": form, "rest_hours": settings.PAYOUT_REST_HOURS}
    return render(request, "payments/details.html", context, status=status)


@login_required
@require_POST
@password_again
def remove_bank(request: UserRequest) -> HttpResponse:
    """Forget the bank account."""
    _builders_only(request)
    actions.remove_bank_account(actor=request.user)
    return done(request, reverse("payments:earnings"), _("Your bank account is forgotten here."))


# What was spent and earned, as pages and files


@login_required
@require_GET
def spending(request: UserRequest) -> HttpResponse:
    """What a client paid, by month and by builder, and what of it lies in escrow."""
    return render(request, "payments/spending.html", {"spending": queries.spending(request.user), "today": now()})


@login_required
@never_cache
@require_GET
def spending_file(request: UserRequest) -> HttpResponseBase:
    return _file(request, "spending", queries.SPENT, queries.spent)


@login_required
@never_cache
@require_GET
def earnings_file(request: UserRequest) -> HttpResponseBase:
    _builders_only(request)
    return _file(request, "earnings", queries.EARNED, queries.earned)


Lines = Callable[[User, datetime, datetime], Iterator[tuple[Any, ...]]]


def _span(request: UserRequest) -> SpanForm:
    zone = timezone.get_current_timezone()
    return SpanForm(request.GET, today=now().astimezone(zone).date(), zone=zone)


def _file(request: UserRequest, name: str, header: Sequence[str], lines: Lines) -> HttpResponseBase:
    """Rows between two days as CSV, sent while they are read."""
    form = _span(request)
    if not form.is_valid():
        said = next(iter(form.errors.values()))[0]
        raise Invalid(str(said), code="span")
    since, until = form.moments()
    title = f"port444-{name}-{form.cleaned_data['since']}-{form.cleaned_data['until']}"
    return csvs.answer(title, header, lines(request.user, since, until))
