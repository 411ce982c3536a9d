from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Amendment


@admin.register(Amendment)
class AmendmentAdmin(ReadOnlyAdmin):
    """Changes of orders: what was proposed, what came of it, and how far the money is."""

    list_display = (
        "order",
        "amendment_type",
        "version",
        "by_builder",
        "status",
        "additional_amount",
        "additional_days",
        "created_at",
        "completed_at",
    )
    list_filter = ("status", "amendment_type", "by_builder")
    list_select_related = ("order",)
    search_fields = ("order__number", "id", "funding")
    search_help_text = "The whole number of the order, the id of the change, or the key of its escrow operation."
    ordering = ("-id",)
