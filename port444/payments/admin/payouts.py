"""Money on its way to builders, and the batches for the bank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST

from port444.kit.console import ReadOnlyAdmin, needs
from port444.kit.errors import Invalid
from port444.kit.http import done
from port444.kit.money import usd
from port444.payments import actions, bank, queries
from port444.payments.forms import ReasonForm, SureForm
from port444.payments.models import (
    BankAccount,
    PayoutAddress,
    PayoutBatch,
    PayoutHold,
    Withdrawal,
)

from .pages import MoneyAdmin, ReadOnlyInline, actor_of


def _transfers(count: int) -> str:
    return f"{count} transfer{'' if count == 1 else 's'}"


READS = "The person reads it."


@admin.register(Withdrawal)
class WithdrawalAdmin(MoneyAdmin):
    """Earnings on their way out. The numbers of bank accounts are in the files for the bank alone. Holding one, and letting it go on, are
    plans of the console."""

    about = "user_id"

    list_display = ["id", "user", "method", "status", "amount", "fee", "destination", "due_at", "batch", "error"]
    list_filter = ["status", "method"]
    list_select_related = ["user", "batch"]
    search_fields = ["id", "user__email__iexact", "user__payout_address__address__iexact", "batch__reference"]
    search_help_text = "A whole id, e-mail, reference of a batch, or wallet to which somebody's earnings go."
    ordering = ["-id"]
    exclude = ["bank"]
    change_form_template = "payments/admin/withdrawal.html"

    def get_urls(self) -> list[URLPattern]:
        return [
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
        return self.ask(
            request,
            back,
            form,
            title=title,
            verb=verb,
            text=text,
            done_with=lambda reason: act(row, reason),
            person=row.user,
            amount=row.amount,
        )

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def give_back(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.mark_line_failed(row.pk, actor=actor_of(request), reason=reason)
            return f"{usd(row.amount)} is the builder's again."

        form = ReasonForm(request.POST if request.method == "POST" else None, help_text=READS)
        return self._page(request, withdrawal_id, form, "Give the money back to the builder", "Give it back", act)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def sent(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        def act(row: Withdrawal, reason: str) -> str:
            actions.mark_line_sent(row.pk, actor=actor_of(request))
            return "The bank has sent it."

        return self._page(
            request,
            withdrawal_id,
            SureForm(request.POST if request.method == "POST" else None),
            "Mark the transfer as sent",
            "The bank has sent it",
            act,
        )


@admin.register(PayoutHold)
class PayoutHoldAdmin(ReadOnlyAdmin):
    """What keeps withdrawals, and what kept them. Ending a hold is a plan of the console."""

    about = "user_id"

    list_display = ["id", "user", "withdrawal", "reason", "made_by", "made_at", "until", "ended_at"]
    list_filter = (("ended_at", admin.EmptyFieldListFilter), ("withdrawal", admin.EmptyFieldListFilter))
    list_select_related = ["user", "made_by", "withdrawal"]
    search_fields = ["id", "user__email__iexact", "withdrawal"]
    search_help_text = "A whole id, of a withdrawal too, or e-mail."
    ordering = ["-id"]
    change_form_template = "payments/admin/hold.html"


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
    search_fields = ["id", "reference"]
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
    @needs("approve", proved=True)
    def make(self, request: HttpRequest) -> HttpResponse:
        lines, total = queries.due_for_batch()
        text = f"Bank transfers that are due: {lines}, {usd(total)} together."
        form = SureForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                batch = actions.make_batch(actor=actor_of(request))
                said = f"Batch {batch.reference}: {_transfers(batch.lines)}, {usd(batch.total)}."
                self.site.note_act("payout", actor=actor_of(request), description=f"Made a batch. {said}", amount=batch.total)
            return done(request, self._url(batch.pk), said)
        back = reverse("admin:payments_payoutbatch_changelist")
        return self.ask(request, back, form, title="Make a batch", verb="Make the batch", text=text, done_with=lambda reason: "")

    @method_decorator(require_POST)
    @needs("approve", "export_data", proved=True)
    def export(self, request: HttpRequest, batch_id: UUID, kind: str) -> HttpResponseBase:
        """The file, line by line as it is read: ISO 20022 for the bank, or a table to look at. The numbers of people's accounts are in it."""
        if kind not in ("xml", "csv"):
            raise Http404
        get_object_or_404(PayoutBatch, pk=batch_id)
        if not SureForm(request.POST).is_valid():
            raise Invalid("Press the button on the page of the batch.", code="sure")
        with transaction.atomic():
            batch = actions.export_batch(batch_id, actor=actor_of(request), kind=kind)
            what = f"Batch {batch.reference} for the bank, as {kind}: {_transfers(batch.lines)}, {usd(batch.total)}"
            self.site.note_act("export", actor=actor_of(request), description=what)
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
    @needs("approve", proved=True)
    def sent(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            return f"Sent: {_transfers(actions.settle_batch(batch_id, actor=actor_of(request)))}."

        form = SureForm(request.POST if request.method == "POST" else None)
        return self._page(request, batch_id, form, "The bank has sent all that is on its way", "All were sent", act, at_once=False)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def refused(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            return f"Given back: {_transfers(actions.settle_batch(batch_id, actor=actor_of(request), reason=reason))}."

        form = ReasonForm(request.POST if request.method == "POST" else None, help_text="The people read it.")
        return self._page(request, batch_id, form, "The bank has refused all that is on its way", "All were refused", act, at_once=False)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def close(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        def act(reason: str) -> str:
            actions.close_batch(batch_id, actor=actor_of(request))
            return "The batch is closed."

        return self._page(request, batch_id, SureForm(request.POST if request.method == "POST" else None), "Close the batch", "Close it", act)

    def _page(
        self, request: HttpRequest, batch_id: UUID, form: Any, title: str, verb: str, act: Callable[[str], str], *, at_once: bool = True
    ) -> HttpResponse:
        """Lines of a batch are settled one by one, each in its own transaction; all else is `at_once`."""
        batch = get_object_or_404(PayoutBatch, pk=batch_id)
        sums = queries.batch_sums(batch)
        text = f"Batch {batch.reference}: {_transfers(sums.lines)}, {usd(sums.total)}; on their way: {sums.waiting}."
        return self.ask(request, self._url(batch.pk), form, title=title, verb=verb, text=text, done_with=act, at_once=at_once)

    def _url(self, batch_id: UUID) -> str:
        return reverse("admin:payments_payoutbatch_change", args=[batch_id])


@admin.register(BankAccount)
class BankAccountAdmin(ReadOnlyAdmin):
    """Where bank transfers go, masked."""

    list_display = ["user", "masked", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email__iexact"]
    ordering = ["-pk"]
    about = "user_id"
    exclude = ["details"]


@admin.register(PayoutAddress)
class PayoutAddressAdmin(ReadOnlyAdmin):
    list_display = ["user", "address", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email__iexact", "address__iexact"]
    ordering = ["-pk"]
    about = "user_id"
