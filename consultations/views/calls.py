"""The calls of a person, and one call."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from consultations import actions, emails, ical, queries
from consultations.forms import CancelForm, DisputeForm, NotesForm, ReportForm
from consultations.models import Back, Consultation, ConsultationStatus
from port444.kit.clock import now
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, fee

C = ConsultationStatus


@login_required
@require_GET
def call_list(request: UserRequest) -> HttpResponse:
    """What comes, what waits for an answer and what was, in both roles."""
    moment = now()
    show = request.GET.get("show", "")
    show = show if show in ("past", "waiting") else "coming"
    page = queries.calls_of(request.user, moment=moment, show=show, after=queries.read_cursor(request.GET.get("after", "")))
    more = f"?{urlencode({'show': show, 'after': page.cursor})}" if page.cursor else ""
    waiting = queries.waiting_for(request.user, moment)
    context = {
        "calls": page.calls,
        "show": show,
        "past": show == "past",
        "more": more,
        "waiting": waiting,
        "user_id": request.user.pk,
        "moment": moment,
        "renews": True,
    }
    return render(request, "consultations/list.html", context)


def call_of(request: UserRequest, call_id: UUID) -> Consultation:
    """The row itself, for pressing buttons: whoever looks at a time that is not the call's any more is told so."""
    calls = Consultation.objects.visible_to(request.user).select_related("client", "builder__user", "claim", "invoice")
    return get_object_or_404(calls, pk=call_id)


def live_call(request: UserRequest, call_id: UUID) -> Consultation:
    """The call as it now stands, for looking: the address of a row that was moved leads on to the row that followed."""
    call = call_of(request, call_id)
    if call.status != C.RESCHEDULED:
        return call
    return call_of(request, Consultation.objects.live(call.chain).values_list("pk", flat=True).get())


def detail_context(request: UserRequest, call: Consultation, **forms: Any) -> dict[str, Any]:
    moment = now()
    is_builder = request.user.pk == call.builder.user_id
    other = call.other(request.user)
    scheduled = call.status == C.SCHEDULED
    started = call.scheduled_at <= moment
    back = call.back_if_cancelled_by(request.user, moment)
    kept = call.price - (back.price if scheduled else ZERO)
    paid_back = queries.paid_back(call) if call.status in (C.CANCELLED, C.NO_SHOW) else Back()
    stayed = call.price - paid_back.price
    absence = queries.absence_of(call, request.user, moment)
    return {
        **asdict(queries.abilities(call, request.user, moment, absence)),
        "call": call,
        "is_builder": is_builder,
        "other": other,
        "zone": call.zone_of(request.user),
        "other_zone": call.zone_of(other),
        "moment": moment,
        "started": started,
        "ended": call.ends_at <= moment,
        "back": back,
        "kept": kept,
        "kept_share": kept - fee(kept, call.builder_fee_bps),
        "policy": emails.policy_words(call.refund_policy, call.free_until, call.zone_of(request.user), moment),
        "is_free": call.free_until is not None and call.free_until > moment,
        "paid_back": paid_back.total,
        "final_share": stayed - fee(stayed, call.builder_fee_bps),
        "share": call.price - fee(call.price, call.builder_fee_bps),
        "proposal": queries.open_proposal(call) if scheduled else None,
        "timeline": queries.timeline(call, request.user) if call.paid_at else [],
        "absence": absence,
        "conversion": queries.conversion_of(call, request.user, moment),
        "convert_key": uuid7(),
        "report_form": forms.get("report_form") or ReportForm(),
        "dispute_form": forms.get("dispute_form") or DisputeForm(),
        "notes_form": forms.get("notes_form") or NotesForm(),
        "cancel_form": forms.get("cancel_form") or CancelForm(),
    }


@login_required
@require_GET
def detail(request: UserRequest, call_id: UUID) -> HttpResponse:
    """The page of a call. Links to a time from which it was moved away lead to the page of its new time."""
    call = live_call(request, call_id)
    if call.pk != call_id:
        return HttpResponseRedirect(call.url)
    return render(request, "consultations/detail.html", detail_context(request, call))


@login_required
@require_GET
def ics(request: UserRequest, call_id: UUID) -> HttpResponse:
    """The call for a calendar."""
    call = live_call(request, call_id)
    if call.status in (C.HELD, C.EXPIRED):
        raise Http404
    response = HttpResponse(ical.calendar(call, request.user), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="call.ics"'
    return response


@login_required
@require_POST
def complete(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    form = NotesForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", detail_context(request, call, notes_form=form), status=422)
    actions.complete_call(call.pk, actor=request.user, notes=form.cleaned_data["notes"])
    return done(request, call.url, _("The call is complete and you are paid."))


@login_required
@require_POST
def cancel(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    form = CancelForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", detail_context(request, call, cancel_form=form), status=422)
    actions.cancel_call(call.pk, actor=request.user, reason=form.cleaned_data["reason"])
    return done(request, call.url, _("The call is cancelled."))
