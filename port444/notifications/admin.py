from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin, one_of

from .kinds import Group
from .models import Delivery, Notification, Preference


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """That people were told, and of what. The words are theirs: messages are among them."""

    list_display = ("created_at", "kind", "title", "user", "read_at")
    list_select_related = ("user",)
    search_fields = ("id", "user__email__istartswith")
    search_help_text = "The whole id, or how the person's e-mail begins."
    ordering = ("-id",)
    exclude = ("body", "context")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What went out by e-mail and SMS, what waits, and what failed for good."""

    list_display = ("created_at", "channel", "status", "address", "notification", "attempts", "due_at", "sent_at", "error")
    list_filter = ("status", "channel")
    list_select_related = ("notification",)
    search_fields = ("id", "notification__user__email__iexact")
    search_help_text = "The whole id (it is in the Message-ID), or the whole e-mail of the person: their newest."
    ordering = ("-id",)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """What people chose to hear by which channel."""

    list_display = ("user", "group", "channel", "enabled")
    list_filter = (one_of("group", lambda: Group.choices), "channel", "enabled")
    list_select_related = ("user",)
    search_fields = ("user__email__istartswith",)
    search_help_text = "How the person's e-mail begins."
