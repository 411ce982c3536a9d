"""Wallets, and escrow on the chain."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from port444.accounts.models import User
from port444.kit.console import ReadOnlyAdmin, in_time, needs, one_of, rendered
from port444.kit.http import done
from port444.kit.money import usd
from port444.payments import actions
from port444.payments.actions.chain import cancel_operation, give_up_operation, retry_operation, settle_difference
from port444.payments.escrow.chain.desk import desk
from port444.payments.forms import ReasonForm, SureForm
from port444.payments.models import (
    ChainDifference,
    ChainStatus,
    ChainTransfer,
    EscrowOperation,
    WalletPayment,
)

from .pages import MoneyAdmin, actor_of, purposes

# What escrow does besides what invoices are opened for.
OWN_PURPOSES = ("withdrawal", "refund", "transfer", "treasury", "own")


@admin.register(WalletPayment)
class WalletPaymentAdmin(ReadOnlyAdmin):
    """Which wallet a payment comes from. Signatures are for the token alone."""

    list_display = ["payment", "address", "method", "tx_hash", "begun_at", "failure"]
    list_filter = ["method"]
    list_select_related = ["payment"]
    search_fields = ["payment", "address__iexact", "tx_hash"]
    search_help_text = "A whole id, wallet address or transaction."
    ordering = ["-pk"]
    exclude = ["signature"]


@admin.register(ChainTransfer)
class ChainTransferAdmin(MoneyAdmin):
    """What came to the platform's address on the chain. What has paid for nothing can be sent back."""

    list_display = ["tx_hash", "sender", "units", "payment", "found_at", "gone_at"]
    list_filter = [("payment", admin.EmptyFieldListFilter)]
    list_select_related = ["payment"]
    search_fields = ["id", "tx_hash", "sender", "payment"]
    search_help_text = "A whole id (of a payment too), transaction, or wallet from which something came that paid for nothing."
    narrowed = {"tx_hash": lambda: {"chain_id": settings.CHAIN_ID}, "sender": lambda: {"payment__isnull": True}}
    ordering = ["-pk"]
    change_form_template = "payments/admin/transfer.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.button("<uuid:transfer_id>/back/", self.back, "chaintransfer_back"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def back(self, request: HttpRequest, transfer_id: UUID) -> HttpResponse:
        row = get_object_or_404(ChainTransfer, pk=transfer_id)

        def act(reason: str) -> str:
            sent = actions.return_transfer(row.pk, actor=actor_of(request))
            return f"{usd(sent.amount)} goes back to {row.sender}."

        return self.ask(
            request,
            reverse("admin:payments_chaintransfer_change", args=[row.pk]),
            SureForm(request.POST if request.method == "POST" else None),
            title="Send the transfer back",
            verb="Send it back",
            text=f"{row.units.scaleb(-6).normalize():f} USDC of {row.sender}, in whole cents, out of the platform's float.",
            done_with=act,
            act="escrow",
        )


@admin.register(EscrowOperation)
class EscrowOperationAdmin(ReadOnlyAdmin):
    list_display = ["op_id", "kind", "status", "amount", "purpose", "subject_id", "created_at"]
    list_filter = ["kind", "status", one_of("purpose", lambda: [*purposes(), *((name, name) for name in OWN_PURPOSES)])]
    search_fields = ["op_id", "number", "subject_id", "address"]
    search_help_text = "The whole key, number, id of the order or the call, or wallet address."
    ordering = ["-number"]


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
        with in_time():
            context = {**self.admin_site.each_context(request), "opts": self.opts, "desk": desk(), "title": "Escrow on the chain"}
            return rendered(TemplateResponse(request, "payments/admin/chain.html", context))

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def handle_operation(self, request: HttpRequest, number: int, verb: str) -> HttpResponse:
        if verb not in VERBS:
            raise Http404
        operation = get_object_or_404(EscrowOperation, number=number)
        words, follows, action = VERBS[verb]
        about = f"{operation.get_kind_display()} of {operation.amount} USDC, {operation.status_words()}: {operation.op_id}"

        def act(user: User, why: str) -> object:
            return action(operation.op_id, actor=user, reason=why)

        return self._ask(request, words, about, operation.reason, follows, act, operation.amount)

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("approve", proved=True)
    def settle(self, request: HttpRequest, difference_id: int) -> HttpResponse:
        row = get_object_or_404(ChainDifference, pk=difference_id)
        follows = (
            "It leaves the list. What is still not right is found again by the next look, but for operations that nobody knows. Withdrawals that "
            "it keeps stay held: a plan ends the hold."
        )
        act = lambda user, why: settle_difference(row.pk, actor=user, reason=why)  # noqa: E731
        return self._ask(request, "Seen to", row.text, "", follows, act)

    def _ask(
        self, request: HttpRequest, verb: str, about: str, note: str, follows: str, act: Callable[[User, str], object], amount: Decimal | None = None
    ) -> HttpResponse:
        """Ask for the reason; with one, do it and write it down."""
        back = reverse("admin:payments_chainstatus_changelist")
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            actor, reason = actor_of(request), form.cleaned_data["reason"]
            with transaction.atomic():
                act(actor, reason)
                self.site.note_act("escrow", actor=actor, description=f"{verb}. {about}", reason=reason, amount=amount)
            return done(request, back, f"Done: {verb.lower()}.")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "title": verb, "verb": verb, "back": back}
        context |= {"about": about, "note": note, "follows": follows}
        return TemplateResponse(request, "payments/admin/chain_ask.html", context, status=422 if form.errors else 200)


@admin.register(ChainDifference)
class ChainDifferenceAdmin(ReadOnlyAdmin):
    list_display = ["text", "kind", "found_at", "seen_at", "gone_at"]
    list_filter = [("gone_at", admin.EmptyFieldListFilter)]
    search_fields = ["fingerprint"]
    ordering = ["-pk"]
