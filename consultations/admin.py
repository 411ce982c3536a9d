"""Calls for staff: to look at only. What changes them are actions."""

from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import AvailabilityRule, CallSettings, Consultation, SlotClaim


@admin.register(Consultation)
class ConsultationAdmin(ReadOnlyAdmin):
    list_display = ["scheduled_at", "duration", "client", "builder", "status", "price", "paid_at"]
    list_filter = ["status", "duration"]
    list_select_related = ["client", "builder__user"]
    search_fields = ["=id", "=client__email", "=builder__user__email", "=builder__slug"]
    search_help_text = "The whole id, e-mail of one of the two people, or address of the builder."
    ordering = ["-scheduled_at"]


@admin.register(SlotClaim)
class SlotClaimAdmin(ReadOnlyAdmin):
    list_display = ["busy", "builder", "client", "status", "hold_expires_at"]
    list_filter = ["status"]
    list_select_related = ["client", "builder__user"]
    search_fields = ["=client__email", "=builder__user__email", "=builder__slug"]
    search_help_text = "The whole e-mail of one of the two people, or address of the builder."
    ordering = ["-busy"]


@admin.register(CallSettings)
class CallSettingsAdmin(ReadOnlyAdmin):
    list_display = ["builder", "time_zone", "notice_hours", "horizon_days", "gap_minutes"]
    list_select_related = ["builder__user"]
    search_fields = ["=builder__user__email", "=builder__slug"]
    search_help_text = "The whole e-mail or address of the builder."


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(ReadOnlyAdmin):
    list_display = ["builder", "weekday", "start_minute", "end_minute"]
    list_filter = ["weekday"]
    list_select_related = ["builder__user"]
    search_fields = ["=builder__user__email", "=builder__slug"]
    search_help_text = "The whole e-mail or address of the builder."
