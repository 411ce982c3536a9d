from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from port444.kit.console import ReadOnlyAdmin

from .actions import record
from .events import Event
from .models import ActorType, AuditExport, AuditLog, IncidentLog
from .search import Wanted, Who, find_places, own_cases

MOST_FOUND = 500


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    """What happened. Found by whole ids and e-mails, the newest of them, so that an index answers however long the log is. That somebody
    reads here is recorded, as on the log's own page."""

    seen_with = "read_audit"
    list_display = ("moment", "event_type", "severity", "actor_email", "target_type", "target_id", "action", "amount", "ip_address")
    # No filters: the log has no index for them, and its own page answers them from the copy that has.
    list_display_links = ("moment",)
    ordering = ("-timestamp", "-id")
    search_fields = ("actor_id",)
    search_help_text = "A whole id (person, target or request), or the e-mail of the person who acted."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without what is about incidents about oneself."""
        assert request.user.is_authenticated
        hidden = own_cases(request.user.pk)
        rows = super().get_queryset(request)
        return rows.exclude(target_id__in=hidden) if hidden else rows

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        _note_reading(request)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _note_reading(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.display(description="moment (UTC)", ordering="timestamp")
    def moment(self, row: AuditLog) -> str:
        return f"{row.timestamp:%Y-%m-%d %H:%M:%S}"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            key = UUID(term)
        except ValueError:
            people = get_user_model()._default_manager.filter(email__iexact=term)
            acted: list[tuple[Who, UUID | str]] = [("actor_email", term.lower()), *(("actor_id", person.pk) for person in people[:2])]
            wanted = [Wanted(who=tuple(acted))]
        else:
            wanted = [Wanted(who=(("actor_id", key),)), Wanted(what=(("target_id", key), ("request_id", key)))]
        places = [place for one in wanted for place in find_places(one, limit=MOST_FOUND).places]
        return queryset.filter(timestamp__in=[moment for moment, _ in places], pk__in=[pk for _, pk in places]), False


@transaction.atomic
def _note_reading(request: HttpRequest) -> None:
    assert request.user.is_authenticated
    asked = {"page": request.path[:200], "query": request.META.get("QUERY_STRING", "")[:500]}
    record(Event.AUDIT_READ, actor=request.user, as_a=ActorType.ADMIN, target=request.user, asked=asked)


@admin.register(IncidentLog)
class IncidentLogAdmin(ReadOnlyAdmin):
    """What looked wrong."""

    seen_with = "see_incidents"
    list_display = ("detected_at", "incident_type", "severity", "status", "confidence", "user_id", "description")
    list_filter = ("status", "severity", "incident_type", "detection_method")
    list_display_links = ("detected_at",)
    ordering = ("-id",)
    search_fields = ("id", "user_id", "fingerprint")
    search_help_text = "A whole id or fingerprint."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Nobody sees what is about themselves."""
        return IncidentLog.objects.visible_to(request.user)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            key = UUID(term)
        except ValueError:
            return queryset.filter(fingerprint=term), False
        return queryset.filter(Q(pk=key) | Q(user_id=key)), False


@admin.register(AuditExport)
class AuditExportAdmin(ReadOnlyAdmin):
    """Which seals of the log lie in cold storage."""

    seen_with = "read_audit"
    list_display = ("exported_at", "first_seal", "last_seal", "rows", "first_at", "last_at", "data_key")
    ordering = ("-last_seal",)
