from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Builder


@admin.register(Builder)
class BuilderAdmin(ReadOnlyAdmin):
    list_display = ("user", "slug", "headline", "city", "consultation_enabled", "away_from", "away_until", "rating_count", "created_at")
    list_filter = ("consultation_enabled",)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "slug", "headline")
    ordering = ("-created_at",)
