"""Documents, payments, credits and the ledger: to look at only."""

from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin, one_of
from port444.payments import providers
from port444.payments.models import (
    AccountKind,
    Compensation,
    Credit,
    CreditEntry,
    CreditUse,
    Invoice,
    InvoiceLine,
    JournalEntry,
    LedgerAccount,
    Payment,
    Posting,
    ProviderEvent,
    Refund,
)

from .pages import ReadOnlyInline, purposes


def provider_names() -> list[tuple[str, str]]:
    return [(name, name) for name in providers.names()]


class LinesInline(ReadOnlyInline):
    model = InvoiceLine


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["number", "kind", "status", "payer", "payee", "total", "opened_at", "paid_at"]
    list_filter = ["kind", "status", one_of("purpose", purposes)]
    list_select_related = ["payer", "payee"]
    search_fields = ["id", "number", "deal_id", "payer__email__iexact", "payee__email__iexact"]
    search_help_text = "A whole id (of the order or the call too), number or e-mail."
    ordering = ["-id"]
    inlines = [LinesInline]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ["id", "provider", "status", "amount", "refunded", "created_at", "succeeded_at", "settled_at"]
    list_filter = [one_of("provider", provider_names), "status"]
    search_fields = ["id", "invoice", "invoice__number", "external_id", "invoice__payer__email__iexact"]
    search_help_text = "A whole id (of the invoice or at the provider too), number of the invoice, or e-mail of who paid."
    narrowed = {"external_id": lambda: {"provider__in": providers.names()}}
    ordering = ["-id"]
    exclude = ["pay_url"]  # it lets its holder pay


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "provider", "payment", "received_at"]
    list_select_related = ["payment"]
    search_fields = ["payment", "event_id"]
    narrowed = {"event_id": lambda: {"provider__in": providers.names()}}
    exclude = ["payload"]  # as the provider has it, with whatever it writes there
    ordering = ["-id"]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["id", "status", "amount", "reason", "requested_at", "completed_at", "error"]
    list_filter = ["status"]
    search_fields = ["id", "payment", "dedupe_key", "payment__invoice__payer__email__iexact"]
    ordering = ["-id"]


@admin.register(Compensation)
class CompensationAdmin(ReadOnlyAdmin):
    """What went back after the work was paid for, and who bore it."""

    list_display = ["id", "basis", "client", "builder", "amount", "fee", "from_builder", "from_platform", "builder_fee", "reason", "created_at"]
    list_filter = ["basis"]
    list_select_related = ["client", "builder"]
    search_fields = ["id", "subject_id", "client__email__iexact", "builder__email__iexact"]
    search_help_text = "A whole id, of the order too, or e-mail."
    ordering = ["-id"]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "owner_id", "subject_id", "balance"]
    list_filter = ["kind"]
    search_fields = ["id", "owner_id"]
    search_help_text = "The whole id of it or of its owner."
    narrowed = {"owner_id": lambda: {"kind__in": AccountKind.values}}
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
    search_fields = ["id", "user__email__iexact", "source_invoice__number"]
    search_help_text = "The whole id, e-mail of its owner, or number of the invoice it came from."
    ordering = ["-id"]
    inlines = [EntriesInline, UsesInline]


class PostingsInline(ReadOnlyInline):
    model = Posting


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ["key", "description", "subject_id", "posted_at"]
    search_fields = ["key", "subject_id"]
    ordering = ["-id"]
    inlines = [PostingsInline]
