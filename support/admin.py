"""What staff planned, did and looked at, as records."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from port444.kit.console import ReadOnlyAdmin

from .models import Plan, PlanQuerySet, SupportAction, ThreadOpening, Viewing


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    """What somebody wanted to do with money or rights, what it came to, and who approved it. A draft is its author's alone."""

    list_display = ("number", "kind", "status", "requester", "target_user", "amount", "approver", "created_at")
    list_filter = ("kind", "status")
    list_select_related = ("requester", "target_user", "approver")
    search_fields = ("number", "id", "requester__email__iexact", "target_user__email__iexact", "order__number")
    search_help_text = "The whole number, id or e-mail of who asked or whom it is about, or the number of the order."
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> PlanQuerySet:
        return Plan.objects.visible_to(request.user)


@admin.register(SupportAction)
class SupportActionAdmin(ReadOnlyAdmin):
    """What staff did."""

    list_display = ("number", "action_type", "admin_email", "target_user_email", "description", "amount", "success", "created_at")
    list_filter = ("action_type", "success")
    search_fields = ("number", "id", "admin__email__iexact", "target_user__email__iexact", "order__number")
    search_help_text = "The whole number, id or e-mail of who acted or whom it is about, or the number of the order."
    ordering = ("-number",)


@admin.register(Viewing)
class ViewingAdmin(ReadOnlyAdmin):
    """Who looked at the site through whose eyes, why and for how long."""

    list_display = ("number", "agent", "subject", "reference", "reason", "started_at", "ended_at", "end_reason", "pages", "refused")
    list_filter = ("end_reason",)
    list_select_related = ("agent", "subject")
    search_fields = ("number", "id", "agent__email__iexact", "subject__email__iexact")
    search_help_text = "The whole number, id, or e-mail of who looked or of whom."
    ordering = ("-number",)
    fields = (
        ("agent", "subject"),
        ("reason", "reference"),
        ("started_at", "expires_at", "ended_at", "end_reason"),
        ("pages", "refused"),
        ("ip_address", "user_agent"),
    )


@admin.register(ThreadOpening)
class ThreadOpeningAdmin(ReadOnlyAdmin):
    """Who opened which private conversation, and why."""

    list_display = ("agent", "conversation", "reason", "opened_at", "closes_at")
    list_display_links = ("opened_at",)
    list_select_related = ("agent", "conversation__client", "conversation__builder")
    search_fields = ("id", "conversation", "agent__email__iexact")
    search_help_text = "The whole id of it or of the conversation, or the e-mail of who opened it."
    ordering = ("-id",)
