"""Saying that somebody did not come to a call, and answering it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from consultations import actions
from consultations.forms import DisputeForm, ReportForm
from port444.kit.http import UserRequest, done

from .calls import call_of, detail_context


@login_required
@require_POST
def report_absence(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", detail_context(request, call, report_form=form), status=422)
    actions.report_absence(call.pk, actor=request.user, note=form.cleaned_data["note"])
    return done(request, call.url, _("Noted. The other side is asked now."))


@login_required
@require_POST
def admit_absence(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    actions.admit_absence(call.pk, actor=request.user)
    return done(request, call.url, _("Thank you for saying so."))


@login_required
@require_POST
def dispute_absence(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    form = DisputeForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", detail_context(request, call, dispute_form=form), status=422)
    actions.dispute_absence(call.pk, actor=request.user, note=form.cleaned_data["dispute"])
    return done(request, call.url, _("Somebody of port444 looks at it and decides."))


@login_required
@require_POST
def dismiss_absence(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    actions.dismiss_absence(call.pk, actor=request.user)
    return done(request, call.url, _("Taken back."))
