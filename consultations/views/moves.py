"""Moving a call, and answering what the other side proposes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from consultations import actions, queries
from consultations.emails import policy_words
from consultations.forms import Choice, FreeTimeForm, MoveForm, read_choice, write_start
from consultations.models import Consultation, ConsultationStatus, Proposal, free_until
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.kit.http import UserRequest, done
from port444.kit.moments import when

from .booking import Refused, ahead
from .calls import live_call

C = ConsultationStatus


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: UserRequest, call_id: UUID) -> HttpResponse:
    """Another time for a call: the client takes it, or somebody proposes it. Looking changes nothing; pressing is a POST."""
    call = live_call(request, call_id)
    if request.method == "POST":
        return _move(request, call, call_id)
    if call.pk != call_id or not call.can_move(now()):
        return HttpResponseRedirect(call.url if call.pk == call_id else reverse("consultations:move", args=[call.pk]))
    context = _page(request, call, read_choice(request.GET))
    if not request.htmx:
        return render(request, "consultations/move.html", context)
    part = "quote_response" if request.GET.get("part") == "quote" else "picker_response"
    response = render(request, f"consultations/move.html#{part}", context)
    response["HX-Replace-Url"] = f"{context['page_url']}?{context['query']}"
    return response


def _page(request: UserRequest, call: Consultation, choice: Choice, **more: Any) -> dict[str, Any]:
    moment = now()
    builder: Builder = Builder.objects.select_related("user", "call_settings").prefetch_related("availability", "days_off").get(pk=call.builder_id)
    is_builder = request.user.pk == builder.user_id
    direct = call.moves_without_asking(request.user, moment)
    starts = queries.open_starts(builder, client_id=call.client_id, minutes=call.duration, moment=moment, ignoring=call.pk, notice=direct)
    starts = [start for start in starts if start != call.scheduled_at]
    chosen = choice.start if choice.start in starts else None
    zone, other = call.zone_of(request.user), call.other(request.user)
    week = queries.week_of(starts, builder=builder, zone=ZoneInfo(zone), moment=moment, wanted=choice.week, chosen=chosen)
    url = reverse("consultations:move", args=[call.pk])
    base = urlencode({"from": write_start(call.scheduled_at)})
    query = {"week": week.monday.isoformat(), **({"slot": write_start(chosen)} if chosen else {})}
    return {
        "call": call,
        "builder": builder,
        "is_builder": is_builder,
        "other": other,
        "direct": direct,
        "zone": zone,
        "other_zone": call.zone_of(other),
        "name": builder.user.first_name,
        "builder_zone": call.builder_zone,
        "clock_of": other.first_name,
        "clock_zone": call.zone_of(other),
        "ahead": ahead(zone, call.zone_of(other), chosen or moment),
        "starts": starts,
        "week": week,
        "chosen": chosen,
        "chosen_value": write_start(chosen) if chosen else "",
        "minutes": call.duration,
        "page_url": url,
        "times_url": url,
        "quote_url": f"{url}?part=quote",
        "base_query": base,
        "query": urlencode(query),
        "promises": _promises(call, request.user, chosen, direct=direct, moment=moment),
        "why_not": _why_not(call, request.user, moment),
        "standing": Proposal.objects.filter(consultation=call).open().select_related("made_by").first(),
        "form": more.get("form") or MoveForm(),
        "free_form": more.get("free_form") or FreeTimeForm(prefix="free"),
        "refused": more.get("refused"),
        "moment": moment,
    }


def _why_not(call: Consultation, person: Any, moment: datetime) -> str:
    """Why a client has to ask."""
    if person.pk != call.client_id or call.moves_without_asking(person, moment):
        return ""
    name = call.builder.user.first_name
    if call.moves_left == 0 and call.move_limit:
        return ngettext(
            "You have moved this call %(count)s time, as often as you can by yourself.",
            "You have moved this call %(count)s times, as often as you can by yourself.",
            call.move_count,
        ) % {"count": call.move_count}
    if call.move_limit and moment >= call.move_until:
        return _("It is less than %(hours)s hours to the call.") % {"hours": call.move_hours}
    return _("Calls with %(name)s move by agreement.") % {"name": name}


def _promises(call: Consultation, person: Any, chosen: datetime | None, *, direct: bool, moment: datetime) -> list[tuple[str, str]]:
    """What pressing does, in lines of icon and text."""
    name = call.other(person).first_name
    if not direct:
        until = min(moment + timedelta(hours=settings.PROPOSAL_HOURS), call.scheduled_at, chosen or call.scheduled_at)
        return [
            (
                "hourglass",
                _("%(name)s answers until %(until)s; without an answer the call stays") % {"name": name, "until": when(until, call.zone_of(person))},
            ),
            ("info", _("The proposed time is not held until then")),
            ("lock", _("Nothing is paid again, and nothing goes back")),
        ]
    left = call.moves_left - 1
    lines = [
        ("lock", _("Nothing is paid again: price and invoice stay")),
        ("calendar-check", _("%(name)s is told at once, and both calendars move") % {"name": name}),
    ]
    again = ngettext(
        "After this you can move it %(count)s more time without asking", "After this you can move it %(count)s more times without asking", left
    )
    lines.append(("repeat", again % {"count": left}))
    free = call.free_until
    over = free is not None and free <= moment
    if over:
        lines.append(("info", _("The time to cancel for free is over, and moving does not bring it back")))
    elif chosen is not None:
        then = free_until(call.refund_policy, call.free_hours, chosen)
        words = policy_words(call.refund_policy, then, call.client_zone, moment)
        lines.append(("undo-2" if then is not None and then > moment else "info", words))
    return lines


def _move(request: UserRequest, call: Consultation, asked_id: UUID) -> HttpResponse:
    """Carry it out. Pressing twice leads to where the first press led."""
    choice = read_choice(request.POST)
    free = "free-at" in request.POST
    if free and request.user.pk == call.builder.user_id:
        return _propose_any(request, call, choice)
    form = MoveForm(request.POST)
    if not form.is_valid():
        error = Invalid(str(next(iter(form.errors.values()))[0]), code="form")
        return _refuse(request, call, choice, error, form=form)
    starts_at, note = form.cleaned_data["slot"], form.cleaned_data["note"]
    direct = request.POST.get("do") == "move"
    if call.pk != asked_id:  # moved since the form was drawn; perhaps by this very form
        if call.scheduled_at == starts_at:
            return done(request, call.url, _("The call is moved."))
        return _refuse(request, call, choice, Conflict(_("This call was moved meanwhile. This is its new time."), code="moved"))
    try:
        if direct:
            follower = actions.move_call(call.pk, actor=request.user, starts_at=starts_at)
            return done(request, follower.url, _("The call is moved. Both of you have it by mail."))
        actions.propose_move(call.pk, actor=request.user, starts_at=starts_at, note=note)
    except (Conflict, Invalid, NotAllowed) as error:
        fresh = live_call(request, asked_id)
        if fresh.pk != asked_id and fresh.scheduled_at == starts_at:
            return done(request, fresh.url, _("The call is moved."))
        return _refuse(request, fresh, choice, error, form=form)
    return done(request, call.url, _("%(name)s is asked.") % {"name": call.other(request.user).first_name})


def _propose_any(request: UserRequest, call: Consultation, choice: Choice) -> HttpResponse:
    """The builder proposes a time of their own, in their hours or not. It is read on their clock."""
    form = FreeTimeForm(request.POST, prefix="free")
    if form.is_valid():
        wall = form.cleaned_data["at"].replace(tzinfo=None)
        starts_at = wall.replace(tzinfo=ZoneInfo(call.builder_zone))
        if not 1970 < wall.year < 9000:  # at the ends of the calendar there is no UTC for every clock
            form.add_error("at", _("Pick a time that is still ahead."))
        elif datetime.fromtimestamp(starts_at.timestamp(), ZoneInfo(call.builder_zone)).replace(tzinfo=None) != wall:
            form.add_error("at", _("Your clock jumps over that time on this day."))
    if not form.is_valid():
        return render(request, "consultations/move.html", _page(request, call, choice, free_form=form), status=422)
    try:
        actions.propose_move(
            call.pk, actor=request.user, starts_at=datetime.fromtimestamp(starts_at.timestamp(), now().tzinfo), note=form.cleaned_data["note"]
        )
    except (Conflict, Invalid, NotAllowed) as error:
        form.add_error("at", error.message)
        return render(request, "consultations/move.html", _page(request, call, choice, free_form=form), status=error.status)
    return done(request, call.url, _("%(name)s is asked.") % {"name": call.client.first_name})


def _refuse(request: UserRequest, call: Consultation, choice: Choice, error: DomainError, form: MoveForm | None = None) -> HttpResponse:
    """The page again with what went wrong and the nearest free times."""
    if not call.can_move(now()):
        raise error
    context = _page(request, call, choice, form=form)
    near = []
    if choice.start is not None and error.code in ("slot_taken", "slot_not_offered"):
        near = queries.nearest(context["starts"], choice.start)
    context["refused"] = Refused(error, choice.start, near)
    return render(request, "consultations/move.html", context, status=error.status)


def _proposal(request: UserRequest, proposal_id: UUID) -> Proposal:
    proposals = Proposal.objects.filter(consultation__in=Consultation.objects.visible_to(request.user))
    return get_object_or_404(proposals.select_related("consultation"), pk=proposal_id)


@login_required
@require_POST
def accept(request: UserRequest, proposal_id: UUID) -> HttpResponse:
    proposal = _proposal(request, proposal_id)
    call = actions.accept_proposal(proposal.pk, actor=request.user)
    if call.status == C.CANCELLED:
        return done(request, call.url, _("The call is cancelled, and everything goes back."))
    return done(request, call.url, _("The call is moved. Both of you have it by mail."))


@login_required
@require_POST
def decline(request: UserRequest, proposal_id: UUID) -> HttpResponse:
    proposal = _proposal(request, proposal_id)
    actions.decline_proposal(proposal.pk, actor=request.user)
    return done(request, proposal.consultation.url, _("The call stays where it is."))


@login_required
@require_POST
def withdraw(request: UserRequest, proposal_id: UUID) -> HttpResponse:
    proposal = _proposal(request, proposal_id)
    actions.withdraw_proposal(proposal.pk, actor=request.user)
    return done(request, proposal.consultation.url, _("Your proposal is taken back."))
