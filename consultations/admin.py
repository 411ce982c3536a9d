"""Calls for staff: to look at only. What changes them are actions; a disputed absence is decided here, with a reason."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from port444.accounts.models import User
from port444.kit.console import ReadOnlyAdmin, needs
from port444.kit.http import done

from . import actions
from .forms import DecideForm
from .models import Absence, AbsenceStatus, Attendance, AvailabilityRule, CallSettings, Consultation, MeetingRoom, Reminder, SlotClaim


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


VERBS = {AbsenceStatus.CONFIRMED: "They did not come", AbsenceStatus.DISMISSED: "They came"}


@admin.register(Absence)
class AbsenceAdmin(ReadOnlyAdmin):
    """Who is said to have missed a call; what is disputed waits for a decision."""

    list_display = ["consultation", "party", "status", "reported_at", "answer_by", "disputed_at", "decided_at"]
    list_filter = ["status", "party"]
    list_select_related = ["consultation"]
    search_fields = ["=id", "=consultation__id", "=consultation__client__email", "=consultation__builder__user__email"]
    search_help_text = "The whole id of it or of the call, or the whole e-mail of one of the two people."
    ordering = ["-created_at", "-id"]
    change_form_template = "consultations/admin/absence.html"

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<uuid:absence_id>/decide/<slug:outcome>/", decide, name="consultations_absence_decide"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    @needs("decide_disputes")
    def decide(self, request: HttpRequest, absence_id: UUID, outcome: str) -> HttpResponse:
        absence = get_object_or_404(Absence.objects.select_related("consultation__client", "consultation__builder__user"), pk=absence_id)
        if outcome not in VERBS:
            raise Http404
        verb, back = VERBS[AbsenceStatus(outcome)], reverse("admin:consultations_absence_change", args=[absence.pk])
        form = DecideForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)  # the site lets only staff in
            actions.decide_absence(absence.pk, actor=request.user, outcome=outcome, note=form.cleaned_data["reason"])
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
    search_fields = ["=consultation__id", "=recipient__email"]
    search_help_text = "The whole id of a call, or the whole e-mail of a person."
    ordering = ["-due_at", "-id"]


@admin.register(MeetingRoom)
class MeetingRoomAdmin(ReadOnlyAdmin):
    list_display = ["consultation", "provider", "status", "host", "attempts", "next_try_at", "last_error"]
    list_filter = ["provider", "status"]
    list_select_related = ["consultation"]
    search_fields = ["=chain", "=external_id", "=consultation__client__email", "=consultation__builder__user__email"]
    search_help_text = "The whole id of a call or of a meeting at its provider, or e-mail of one of the two people."
    ordering = ["-updated_at"]
    exclude = ["url"]  # it lets its holder in


@admin.register(Attendance)
class AttendanceAdmin(ReadOnlyAdmin):
    list_display = ["consultation", "party", "source", "joined_at", "left_at"]
    list_filter = ["party", "source"]
    list_select_related = ["consultation"]
    search_fields = ["=consultation__chain", "=consultation__client__email", "=consultation__builder__user__email"]
    search_help_text = "The whole id of a call, or e-mail of one of the two people."
    ordering = ["-joined_at"]
