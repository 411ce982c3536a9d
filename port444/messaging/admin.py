from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Attachment, Conversation, Report


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Who talks to whom and when. What they say is not listed: it is theirs."""

    list_display = ("id", "client", "builder", "created_at", "last_message_at")
    list_select_related = ("client", "builder")
    search_fields = ("=id", "client__email__istartswith", "builder__email__istartswith")
    search_help_text = "The whole id, or how the e-mail of one of the two begins."
    ordering = ("-last_message_at",)


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Files that were sent: their names, sizes and fingerprints, not their content."""

    list_display = ("created_at", "name", "mimetype", "size", "owner", "sha256")
    list_select_related = ("owner",)
    fields = ("id", "created_at", "name", "mimetype", "size", "sha256", "owner", "conversation")
    search_fields = ("=id", "=sha256", "owner__email__istartswith")
    search_help_text = "The whole id or SHA-256, or how the owner's e-mail begins."
    ordering = ("-created_at",)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """What one side said to support about a conversation; each has an incident, where it is worked on."""

    list_display = ("created_at", "reason", "reporter", "conversation")
    list_select_related = ("reporter", "conversation")
    list_filter = ("reason",)
    search_fields = ("=id", "=conversation__id", "reporter__email__istartswith")
    search_help_text = "The whole id of the report or the conversation, or how the reporter's e-mail begins."
    ordering = ("-created_at",)
