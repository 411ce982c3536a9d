from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import Builder


@admin.register(Builder)
class BuilderAdmin(ReadOnlyAdmin):
    list_display = ("user", "slug", "headline", "city", "consultation_enabled", "away_from", "away_until", "rating_count", "created_at")
    list_filter = ("consultation_enabled",)
    list_select_related = ("user",)
    search_fields = ("slug__startswith", "user__name__istartswith", "user__email__istartswith")
    search_help_text = "How the name, the e-mail or the address of the builder begins."
    ordering = ("-id",)
    exclude = ("meeting_url", "consultation_calendar_url")  # they let their holder in
    about = "user_id"
