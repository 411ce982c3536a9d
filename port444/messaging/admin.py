from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Attachment, Conversation, Report


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Who talks to whom and when. What they say is not listed: it is theirs."""

    list_display = ("id", "client", "builder", "created_at", "last_message_at")
    list_select_related = ("client", "builder")
    search_fields = ("id", "client__email__istartswith", "builder__email__istartswith")
    search_help_text = "The whole id, or how the e-mail of one of the two begins."
    ordering = ("-id",)


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Files that were sent: their sizes and fingerprints, not their names and content, which are theirs."""

    list_display = ("created_at", "mimetype", "size", "owner", "sha256")
    list_select_related = ("owner",)
    fields = ("id", "created_at", "mimetype", "size", "sha256", "owner", "conversation")
    search_fields = ("id", "conversation", "owner__email__istartswith")
    search_help_text = "The whole id of it or of the conversation, or how the owner's e-mail begins."
    ordering = ("-id",)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """That one side reported a conversation; each has an incident, where it is worked on by who sees those, with what was said."""

    list_display = ("created_at", "reason", "reporter", "conversation")
    list_select_related = ("reporter", "conversation")
    list_filter = ("reason",)
    search_fields = ("id", "conversation", "reporter__email__istartswith")
    search_help_text = "The whole id of the report or the conversation, or how the reporter's e-mail begins."
    ordering = ("-id",)
    exclude = ("text",)
