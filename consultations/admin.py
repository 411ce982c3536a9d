"""Calls for staff: to look at only. What changes them are actions; a disputed absence is decided here, with a reason."""

from __future__ import annotations

from calendar import day_name
from uuid import UUID

from django.contrib import admin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from port444.accounts.models import User
from port444.builders.models import LENGTHS
from port444.kit.console import ReadOnlyAdmin, needs, one_of
from port444.kit.http import done

from . import actions
from .forms import DecideForm
from .models import Absence, AbsenceStatus, Attendance, AvailabilityRule, CallSettings, Consultation, MeetingRoom, Party, Reminder, SlotClaim


@admin.register(Consultation)
class ConsultationAdmin(ReadOnlyAdmin):
    list_display = ["scheduled_at", "duration", "client", "builder", "status", "price", "paid_at"]
    list_filter = ["status", one_of("duration", lambda: [(minutes, f"{minutes} minutes") for minutes in LENGTHS])]
    list_select_related = ["client", "builder__user"]
    search_fields = ["id", "client__email__iexact", "builder__user__email__iexact", "builder__slug"]
    search_help_text = "The whole id, e-mail of one of the two people, or address of the builder."
    ordering = ["-id"]
    exclude = ["meeting_url", "meeting_id", "builder_notes"]  # what lets somebody in, and what the builder noted for themselves


@admin.register(SlotClaim)
class SlotClaimAdmin(ReadOnlyAdmin):
    list_display = ["busy", "builder", "client", "status", "hold_expires_at"]
    list_filter = ["status"]
    list_select_related = ["client", "builder__user"]
    search_fields = ["client__email__iexact", "builder__user__email__iexact", "builder__slug"]
    search_help_text = "The whole e-mail of one of the two people, or address of the builder."
    ordering = ["-id"]


@admin.register(CallSettings)
class CallSettingsAdmin(ReadOnlyAdmin):
    list_display = ["builder", "time_zone", "notice_hours", "horizon_days", "gap_minutes"]
    list_select_related = ["builder__user"]
    search_fields = ["builder__user__email__iexact", "builder__slug"]
    search_help_text = "The whole e-mail or address of the builder."


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(ReadOnlyAdmin):
    list_display = ["builder", "weekday", "start_minute", "end_minute"]
    list_filter = [one_of("weekday", lambda: list(enumerate(day_name)))]
    list_select_related = ["builder__user"]
    search_fields = ["builder__user__email__iexact", "builder__slug"]
    search_help_text = "The whole e-mail or address of the builder."


VERBS = {AbsenceStatus.CONFIRMED: "They did not come", AbsenceStatus.DISMISSED: "They came"}


@admin.register(Absence)
class AbsenceAdmin(ReadOnlyAdmin):
    """Who is said to have missed a call; what is disputed waits for a decision."""

    list_display = ["consultation", "party", "status", "reported_at", "answer_by", "disputed_at", "decided_at"]
    list_filter = ["status", "party"]
    list_select_related = ["consultation"]
    search_fields = ["id", "consultation", "consultation__client__email__iexact", "consultation__builder__user__email__iexact"]
    search_help_text = "The whole id of it or of the call, or the whole e-mail of one of the two people."
    ordering = ["-id"]
    change_form_template = "consultations/admin/absence.html"

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<uuid:absence_id>/decide/<slug:outcome>/", decide, name="consultations_absence_decide"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("decide_disputes", proved=True)
    def decide(self, request: HttpRequest, absence_id: UUID, outcome: str) -> HttpResponse:
        absence = get_object_or_404(Absence.objects.select_related("consultation__client", "consultation__builder__user"), pk=absence_id)
        if outcome not in VERBS:
            raise Http404
        verb, back = VERBS[AbsenceStatus(outcome)], reverse("admin:consultations_absence_change", args=[absence.pk])
        form = DecideForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)  # the site lets only staff in
            note, call = form.cleaned_data["reason"], absence.consultation
            missed = call.client if absence.party == Party.CLIENT else call.builder.user
            with transaction.atomic():
                actions.decide_absence(absence.pk, actor=request.user, outcome=outcome, note=note)
                said = f"{verb}: {missed.name}, call of {call.scheduled_at:%-d %b %Y %H:%M} UTC"
                self.site.note_act("absence_decide", actor=request.user, description=said, reason=note, target_user=missed)
            return done(request, back, f"Decided: {verb.lower()}.")
        seen = Attendance.objects.filter(consultation=absence.consultation_id)[:20]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "absence": absence, "seen": seen, "form": form}
        context |= {"title": f"Decide: {verb.lower()}", "verb": verb, "back": back}
        return TemplateResponse(request, "consultations/admin/decide.html", context, status=422 if form.errors else 200)


@admin.register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    list_display = ["due_at", "kind", "recipient", "consultation", "status", "settled_at"]
    list_filter = ["status", "kind"]
    list_select_related = ["recipient", "consultation"]
    search_fields = ["consultation", "recipient__email__iexact"]
    search_help_text = "The whole id of a call, or the whole e-mail of a person."
    ordering = ["-id"]


@admin.register(MeetingRoom)
class MeetingRoomAdmin(ReadOnlyAdmin):
    list_display = ["consultation", "provider", "status", "attempts", "next_try_at", "last_error"]
    list_filter = ["provider", "status"]
    list_select_related = ["consultation"]
    search_fields = ["chain", "consultation", "consultation__client__email__iexact", "consultation__builder__user__email__iexact"]
    search_help_text = "The whole id of a call, or e-mail of one of the two people."
    ordering = ["-id"]
    exclude = ["url", "external_id", "host"]  # they let their holder in, or say who that is at the provider


@admin.register(Attendance)
class AttendanceAdmin(ReadOnlyAdmin):
    list_display = ["consultation", "party", "source", "joined_at", "left_at"]
    list_filter = ["party", "source"]
    list_select_related = ["consultation"]
    search_fields = ["consultation", "consultation__client__email__iexact", "consultation__builder__user__email__iexact"]
    search_help_text = "The whole id of a call, or e-mail of one of the two people."
    ordering = ["-id"]
