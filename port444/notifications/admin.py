from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Delivery, Notification, Preference


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What people were told."""

    list_display = ("created_at", "kind", "title", "user", "read_at")
    list_select_related = ("user",)
    search_fields = ("=id", "user__email__istartswith", "=kind")
    search_help_text = "The whole id or kind, or how the person's e-mail begins."
    ordering = ("-created_at",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What went out by e-mail and SMS, what waits, and what failed for good."""

    list_display = ("created_at", "channel", "status", "address", "notification", "attempts", "due_at", "sent_at", "error")
    list_filter = ("status", "channel")
    list_select_related = ("notification",)
    search_fields = ("=id", "address__istartswith")
    search_help_text = "The whole id (it is in the Message-ID), or how the address begins."
    ordering = ("-created_at",)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """What people chose to hear by which channel."""

    list_display = ("user", "group", "channel", "enabled")
    list_filter = ("group", "channel", "enabled")
    list_select_related = ("user",)
    search_fields = ("user__email__istartswith",)
    search_help_text = "How the person's e-mail begins."
