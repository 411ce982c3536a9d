"""Money for staff: to look at only. What moves it are actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST

from port444.accounts.models import User
from port444.kit.console import ReadOnlyAdmin, needs
from port444.kit.http import done
from port444.kit.money import usd

from . import actions, bank, queries
from .actions.chain import cancel_operation, give_up_operation, retry_operation, settle_difference
from .escrow.chain.desk import desk
from .forms import ReasonForm, SureForm
from .models import (
    BankAccount,
    ChainDifference,
    ChainStatus,
    ChainTransfer,
    Compensation,
    Credit,
    CreditEntry,
    CreditUse,
    EscrowOperation,
    Invoice,
    InvoiceLine,
    JournalEntry,
    LedgerAccount,
    Payment,
    PayoutAddress,
    PayoutBatch,
    PayoutHold,
    Posting,
    ProviderEvent,
    Refund,
    WalletPayment,
    Withdrawal,
)

if TYPE_CHECKING:
    AnyInline = admin.TabularInline[Any, Any]
else:
    AnyInline = admin.TabularInline


class ReadOnlyInline(AnyInline):
    """Rows of a row, to look at."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    has_delete_permission = has_change_permission


class LinesInline(ReadOnlyInline):
    model = InvoiceLine


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["number", "kind", "status", "payer", "payee", "total", "opened_at", "paid_at"]
    list_filter = ["kind", "status", "purpose"]
    list_select_related = ["payer", "payee"]
    search_fields = ["=id", "=number", "=subject_id", "payer__email", "payee__email"]
    ordering = ["-id"]
    inlines = [LinesInline]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ["id", "provider", "status", "amount", "refunded", "created_at", "succeeded_at", "settled_at"]
    list_filter = ["provider", "status"]
    search_fields = ["=id", "=invoice__id", "=external_id", "invoice__payer__email"]
    ordering = ["-id"]


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "provider", "payment", "received_at"]
    list_select_related = ["payment"]
    search_fields = ["=event_id", "=payment__id"]
    ordering = ["-id"]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["id", "status", "amount", "reason", "requested_at", "completed_at", "error"]
    list_filter = ["status"]
    search_fields = ["=id", "=payment__id", "=dedupe_key", "payment__invoice__payer__email"]
    ordering = ["-id"]


@admin.register(Compensation)
class CompensationAdmin(ReadOnlyAdmin):
    """What went back after the work was paid for, and who bore it."""

    list_display = ["id", "basis", "client", "builder", "amount", "fee", "from_builder", "from_platform", "builder_fee", "reason", "created_at"]
    list_filter = ["basis"]
    list_select_related = ["client", "builder"]
    search_fields = ["=id", "=subject_id", "=client__email", "=builder__email"]
    search_help_text = "A whole id, of the order too, or e-mail."
    ordering = ["-created_at", "-id"]


class MoneyAdmin(ReadOnlyAdmin):
    """A page of the books with buttons. Each leads to a page that asks once more, calls an action, and comes back."""

    def ask(self, request: HttpRequest, back: str, form: Any, *, title: str, verb: str, text: str, done_with: Callable[[str], str]) -> HttpResponse:
        """Show `form`, or with a valid one do it; `done_with` takes the reason and says what was done."""
        if request.method == "POST" and form.is_valid():
            return done(request, back, done_with(form.cleaned_data.get("reason", "")))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "title": title, "verb": verb, "text": text, "back": back}
        return TemplateResponse(request, "payments/admin/ask.html", context, status=422 if form.errors else 200)

    def button(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        return path(route, self.admin_site.admin_view(view), name=f"payments_{name}")


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the site lets only staff in
    return request.user


def _transfers(count: int) -> str:
    return f"{count} transfer{'' if count == 1 else 's'}"


READS = "The person reads it."


@admin.register(Withdrawal)
class WithdrawalAdmin(MoneyAdmin):
    """Earnings on their way out. The numbers of bank accounts are in the files for the bank alone."""

    list_display = ["id", "user", "method", "status", "amount", "fee", "destination", "due_at", "batch", "error"]
    list_filter = ["status", "method"]
    list_select_related = ["user", "batch"]
    search_fields = ["=id", "=user__email", "=address", "=batch__reference"]
    search_help_text = "A whole id, e-mail, wallet address or reference of a batch."
    ordering = ["-id"]
    exclude = ["bank"]
    change_form_template = "payments/admin/withdrawal.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.button("<uuid:withdrawal_id>/hold/", self.hold, "withdrawal_hold"),
            self.button("<uuid:withdrawal_id>/hold-all/", self.hold_all, "withdrawal_hold_all"),
            self.button("<uuid:withdrawal_id>/release/", self.release, "withdrawal_release"),
            self.button("<uuid:withdrawal_id>/give-back/", self.give_back, "withdrawal_give_back"),
            self.button("<uuid:withdrawal_id>/sent/", self.sent, "withdrawal_sent"),
            *super().get_urls(),
        ]

    def _page(
        self, request: HttpRequest, withdrawal_id: UUID, form: Any, title: str, verb: str, act: Callable[[Withdrawal, str], str]
    ) -> HttpResponse:
        row = get_object_or_404(Withdrawal.objects.select_related("user").defer("bank"), pk=withdrawal_id)
        back = reverse("admin:payments_withdrawal_change", args=[row.pk])
        text = f"{usd(row.amount)} of {row.user.email} to {row.destination}, {row.status_words()}."
        return self.ask(request, back, form, title=title, verb=verb, text=text, done_with=lambda reason: act(row, reason))

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def hold(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.hold_withdrawal(row.pk, actor=_actor(request), reason=reason)
            return "The withdrawal is held."

        return self._page(request, withdrawal_id, ReasonForm(request.POST or None, help_text=READS), "Hold the withdrawal", "Hold it", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def hold_all(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.hold_withdrawals_of(row.user_id, actor=_actor(request), reason=reason)
            return f"All withdrawals of {row.user.email} are held, later ones as well."

        form = ReasonForm(request.POST or None, help_text=READS)
        return self._page(request, withdrawal_id, form, "Hold all withdrawals of this person", "Hold them all", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def release(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.release_withdrawal(row.pk, actor=_actor(request), reason=reason)
            return "The withdrawal goes on."

        return self._page(request, withdrawal_id, ReasonForm(request.POST or None), "Let the withdrawal go on", "Let it go on", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def give_back(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.mark_line_failed(row.pk, actor=_actor(request), reason=reason)
            return f"{usd(row.amount)} is the builder's again."

        form = ReasonForm(request.POST or None, help_text=READS)
        return self._page(request, withdrawal_id, form, "Give the money back to the builder", "Give it back", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def sent(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.mark_line_sent(row.pk, actor=_actor(request))
            return "The bank has sent it."

        return self._page(request, withdrawal_id, SureForm(request.POST or None), "Mark the transfer as sent", "The bank has sent it", act)


@admin.register(WalletPayment)
class WalletPaymentAdmin(ReadOnlyAdmin):
    """Which wallet a payment comes from. Signatures are for the token alone."""

    list_display = ["payment", "address", "method", "tx_hash", "begun_at", "failure"]
    list_filter = ["method"]
    list_select_related = ["payment"]
    search_fields = ["=payment__id", "=address", "=tx_hash"]
    search_help_text = "A whole id, wallet address or transaction."
    ordering = ["-begun_at", "-pk"]
    exclude = ["signature"]


@admin.register(ChainTransfer)
class ChainTransferAdmin(MoneyAdmin):
    """What came to the platform's address on the chain. What has paid for nothing can be sent back."""

    list_display = ["tx_hash", "sender", "units", "payment", "found_at", "gone_at"]
    list_filter = [("payment", admin.EmptyFieldListFilter)]
    list_select_related = ["payment"]
    search_fields = ["=id", "=tx_hash", "=sender", "=payment__id"]
    search_help_text = "A whole id, transaction or wallet address."
    ordering = ["-found_at", "-pk"]
    change_form_template = "payments/admin/transfer.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.button("<uuid:transfer_id>/back/", self.back, "chaintransfer_back"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def back(self, request: HttpRequest, transfer_id: UUID) -> HttpResponse:
        row = get_object_or_404(ChainTransfer, pk=transfer_id)

        def act(reason: str) -> str:
            sent = actions.return_transfer(row.pk, actor=_actor(request))
            return f"{usd(sent.amount)} goes back to {row.sender}."

        return self.ask(
            request,
            reverse("admin:payments_chaintransfer_change", args=[row.pk]),
            SureForm(request.POST or None),
            title="Send the transfer back",
            verb="Send it back",
            text=f"{row.units.scaleb(-6).normalize():f} USDC of {row.sender}, in whole cents, out of the platform's float.",
            done_with=act,
        )


@admin.register(PayoutHold)
class PayoutHoldAdmin(MoneyAdmin):
    """What keeps withdrawals, and what kept them."""

    list_display = ["id", "user", "withdrawal", "reason", "made_by", "made_at", "until", "ended_at"]
    list_filter = (("ended_at", admin.EmptyFieldListFilter), ("withdrawal", admin.EmptyFieldListFilter))
    list_select_related = ["user", "made_by", "withdrawal"]
    search_fields = ["=id", "=user__email", "=withdrawal__id", "=incident_id"]
    search_help_text = "A whole id, of an incident too, or e-mail."
    ordering = ["-id"]
    change_form_template = "payments/admin/hold.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.button("<uuid:hold_id>/end/", self.end, "payouthold_end"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("restrict")
    def end(self, request: HttpRequest, hold_id: UUID) -> HttpResponse:
        hold = get_object_or_404(PayoutHold.objects.select_related("user"), pk=hold_id)

        def act(reason: str) -> str:
            actions.end_hold(hold.pk, actor=_actor(request), reason=reason)
            return "The hold has ended; what nothing else holds goes on."

        text = f"{hold.user.email}: {hold.reason}"
        back = reverse("admin:payments_payouthold_change", args=[hold.pk])
        return self.ask(request, back, ReasonForm(request.POST or None), title="End the hold", verb="End it", text=text, done_with=act)


class LineInline(ReadOnlyInline):
    model = Withdrawal
    readonly_fields = ["id", "user", "status", "amount", "fee", "bank_masked", "error"]
    fields = tuple(readonly_fields)
    show_change_link = True
    verbose_name_plural = "lines"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user").defer("bank").order_by("pk")


@admin.register(PayoutBatch)
class PayoutBatchAdmin(MoneyAdmin):
    """Bank transfers that go to the bank in one file."""

    list_display = ["reference", "status", "lines", "total", "made_by", "made_at", "exported_at", "closed_at"]
    list_filter = ["status"]
    list_select_related = ["made_by"]
    search_fields = ["=id", "=reference"]
    ordering = ["-id"]
    inlines = [LineInline]
    change_list_template = "payments/admin/batches.html"
    change_form_template = "payments/admin/batch.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.button("make/", self.make, "payoutbatch_make"),
            self.button("<uuid:batch_id>/export/<slug:kind>/", self.export, "payoutbatch_export"),
            self.button("<uuid:batch_id>/sent/", self.sent, "payoutbatch_sent"),
            self.button("<uuid:batch_id>/refused/", self.refused, "payoutbatch_refused"),
            self.button("<uuid:batch_id>/close/", self.close, "payoutbatch_close"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        lines, total = queries.due_for_batch()
        return super().changelist_view(request, {"due_lines": lines, "due_total": total, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], add: bool = False, change: bool = False, form_url: str = "", obj: Any = None
    ) -> HttpResponse:
        if obj is not None:
            context["sums"] = queries.batch_sums(obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def make(self, request: HttpRequest) -> HttpResponse:
        lines, total = queries.due_for_batch()
        text = f"Bank transfers that are due: {lines}, {usd(total)} together."
        form = SureForm(request.POST or None)
        if request.method == "POST":
            batch = actions.make_batch(actor=_actor(request))
            return done(request, self._url(batch.pk), f"Batch {batch.reference}: {_transfers(batch.lines)}, {usd(batch.total)}.")
        back = reverse("admin:payments_payoutbatch_changelist")
        return self.ask(request, back, form, title="Make a batch", verb="Make the batch", text=text, done_with=lambda reason: "")

    @method_decorator(require_POST)
    @needs("approve")
    def export(self, request: HttpRequest, batch_id: UUID, kind: str) -> HttpResponseBase:
        """The file, line by line as it is read: ISO 20022 for the bank, or a table to look at."""
        if kind not in ("xml", "csv"):
            raise Http404
        get_object_or_404(PayoutBatch, pk=batch_id)
        batch = actions.export_batch(batch_id, actor=_actor(request), kind=kind)
        assert batch.exported_at is not None
        lines = queries.batch_lines(batch)
        if kind == "csv":
            text = bank.as_csv(lines, settings.PAYOUT_CURRENCY)
        else:
            text = bank.as_pain(
                lines,
                reference=batch.reference,
                debtor=bank.Debtor(**settings.PAYOUT_DEBTOR),
                currency=settings.PAYOUT_CURRENCY,
                count=batch.lines,
                total=batch.total,
                made_at=batch.exported_at,
                on=batch.exported_at,
            )
        headers = {
            "Content-Disposition": f'attachment; filename="{batch.reference}.{kind}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(text, content_type="text/csv; charset=utf-8" if kind == "csv" else "application/xml", headers=headers)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def sent(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            return f"Sent: {_transfers(actions.settle_batch(batch_id, actor=_actor(request)))}."

        return self._page(request, batch_id, SureForm(request.POST or None), "The bank has sent all that is on its way", "All were sent", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def refused(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            return f"Given back: {_transfers(actions.settle_batch(batch_id, actor=_actor(request), reason=reason))}."

        form = ReasonForm(request.POST or None, help_text="The people read it.")
        return self._page(request, batch_id, form, "The bank has refused all that is on its way", "All were refused", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def close(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            actions.close_batch(batch_id, actor=_actor(request))
            return "The batch is closed."

        return self._page(request, batch_id, SureForm(request.POST or None), "Close the batch", "Close it", act)

    def _page(self, request: HttpRequest, batch_id: UUID, form: Any, title: str, verb: str, act: Callable[[str], str]) -> HttpResponse:
        batch = get_object_or_404(PayoutBatch, pk=batch_id)
        sums = queries.batch_sums(batch)
        text = f"Batch {batch.reference}: {_transfers(sums.lines)}, {usd(sums.total)}; on their way: {sums.waiting}."
        return self.ask(request, self._url(batch.pk), form, title=title, verb=verb, text=text, done_with=act)

    def _url(self, batch_id: UUID) -> str:
        return reverse("admin:payments_payoutbatch_change", args=[batch_id])


@admin.register(BankAccount)
class BankAccountAdmin(ReadOnlyAdmin):
    """Where bank transfers go, masked."""

    list_display = ["user", "masked", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["=user__email"]
    ordering = ["-changed_at"]
    exclude = ["details"]


@admin.register(PayoutAddress)
class PayoutAddressAdmin(ReadOnlyAdmin):
    list_display = ["user", "address", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "=address"]
    ordering = ["-changed_at"]


@admin.register(EscrowOperation)
class EscrowOperationAdmin(ReadOnlyAdmin):
    list_display = ["op_id", "kind", "status", "amount", "purpose", "subject_id", "created_at"]
    list_filter = ["kind", "status", "purpose"]
    search_fields = ["=op_id", "=subject_id", "=client_id", "=builder_id"]
    ordering = ["-created_at"]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "owner_id", "subject_id", "balance"]
    list_filter = ["kind"]
    search_fields = ["=id", "=owner_id", "=subject_id"]
    ordering = ["id"]


class UsesInline(ReadOnlyInline):
    model = CreditUse


class EntriesInline(ReadOnlyInline):
    model = CreditEntry


@admin.register(Credit)
class CreditAdmin(ReadOnlyAdmin):
    list_display = ["label", "user", "amount", "remaining", "source", "applicable_to", "expires_at", "issued_by", "created_at"]
    list_filter = ["source", "applicable_to", "user_type"]
    list_select_related = ["user", "issued_by"]
    search_fields = ["=id", "=user__email", "=source_id", "=source_invoice__number"]
    search_help_text = "The whole id of it or of what it came from, e-mail of its owner, or number of an invoice."
    ordering = ["-created_at", "-id"]
    inlines = [EntriesInline, UsesInline]


class PostingsInline(ReadOnlyInline):
    model = Posting


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ["key", "description", "subject_id", "posted_at"]
    search_fields = ["=key", "=subject_id"]
    ordering = ["-id"]
    inlines = [PostingsInline]


# What staff may do with an operation that waits: the words of the button, what follows from it, the action.
VERBS: dict[str, tuple[str, str, Callable[..., object]]] = {
    "retry": ("Try again", "The worker looks at it again at once.", retry_operation),
    "give-up": ("Give up", "Nothing moves, and nothing will. Whoever asked for it is told, and the client's money goes back.", give_up_operation),
    "cancel": ("Cancel", "It is taken back as if it had not been asked for. The deal stays as it is.", cancel_operation),
}


@admin.register(ChainStatus)
class ChainStatusAdmin(ReadOnlyAdmin):
    """Escrow on the chain on one page: accounts, queue, what needs a person, differences."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("operations/<int:number>/<slug:verb>/", wrap(self.handle_operation), name="payments_chain_operation"),
            path("differences/<int:difference_id>/settle/", wrap(self.settle), name="payments_chain_difference"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "desk": desk(), "title": "Escrow on the chain"}
        return TemplateResponse(request, "payments/admin/chain.html", context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def handle_operation(self, request: HttpRequest, number: int, verb: str) -> HttpResponse:
        if verb not in VERBS:
            raise Http404
        operation = get_object_or_404(EscrowOperation, number=number)
        words, follows, action = VERBS[verb]
        about = f"{operation.get_kind_display()} of {operation.amount} USDC, {operation.status_words()}: {operation.op_id}"
        return self._ask(request, words, about, operation.reason, follows, lambda user, why: action(operation.op_id, actor=user, reason=why))

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve")
    def settle(self, request: HttpRequest, difference_id: int) -> HttpResponse:
        row = get_object_or_404(ChainDifference, pk=difference_id)
        follows = "It leaves the list. What is still not right is found again by the next look, but for operations that nobody knows."
        act = lambda user, why: settle_difference(row.pk, actor=user, reason=why)  # noqa: E731
        return self._ask(request, "Seen to", row.text, "", follows, act)

    def _ask(self, request: HttpRequest, verb: str, about: str, note: str, follows: str, act: Callable[[User, str], object]) -> HttpResponse:
        """Ask for the reason; with one, do it."""
        back = reverse("admin:payments_chainstatus_changelist")
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)  # the site lets only staff in
            act(request.user, form.cleaned_data["reason"])
            return done(request, back, f"Done: {verb.lower()}.")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "title": verb, "verb": verb, "back": back}
        context |= {"about": about, "note": note, "follows": follows}
        return TemplateResponse(request, "payments/admin/chain_ask.html", context, status=422 if form.errors else 200)


@admin.register(ChainDifference)
class ChainDifferenceAdmin(ReadOnlyAdmin):
    list_display = ["text", "kind", "found_at", "seen_at", "gone_at"]
    list_filter = ["kind"]
    search_fields = ["=fingerprint", "text"]
    ordering = ["-found_at", "-pk"]
