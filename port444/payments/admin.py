"""Money for staff: to look at only. What moves it are actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from port444.kit.console import ReadOnlyAdmin

from .models import (
    Credit,
    CreditUse,
    EscrowOperation,
    Invoice,
    InvoiceLine,
    JournalEntry,
    LedgerAccount,
    Payment,
    PayoutAddress,
    Posting,
    ProviderEvent,
    Refund,
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


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    list_display = ["id", "user", "status", "amount", "address", "requested_at", "completed_at", "error"]
    list_filter = ["status"]
    list_select_related = ["user"]
    search_fields = ["=id", "user__email", "=address"]
    ordering = ["-id"]


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


@admin.register(Credit)
class CreditAdmin(ReadOnlyAdmin):
    list_display = ["label", "user", "amount", "remaining", "source", "applicable_to", "expires_at", "issued_by", "created_at"]
    list_filter = ["source", "applicable_to", "user_type"]
    list_select_related = ["user", "issued_by"]
    search_fields = ["=id", "=user__email", "=source_id", "=source_invoice__number"]
    search_help_text = "The whole id of it or of what it came from, e-mail of its owner, or number of an invoice."
    ordering = ["-created_at", "-id"]
    inlines = [UsesInline]


class PostingsInline(ReadOnlyInline):
    model = Posting


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ["key", "description", "subject_id", "posted_at"]
    search_fields = ["=key", "=subject_id"]
    ordering = ["-id"]
    inlines = [PostingsInline]
