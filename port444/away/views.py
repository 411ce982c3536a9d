"""The page of being away, and the answers to a date that moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import UserRequest, done, next_url

from . import actions, notices, queries
from .forms import DATE, KEEP, AwayForm, ObjectionForm
from .models import DueMove, Span
from .terms import DAYS_AHEAD, Plan, today

HOME = "away:home"
FIELD_OF = {"first_day_past": "first_on", "first_day_passed": "first_on", "message_long": "message"}


def _builder(request: UserRequest) -> Builder | None:
    return Builder.objects.select_related("user").filter(user=request.user).first()


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def home(request: UserRequest) -> HttpResponse:
    """Plan, see what it touches, save, change. Looking writes nothing."""
    builder = _builder(request)
    if builder is None:
        return redirect("builders:edit" if request.user.is_builder else "orders:list")
    moment = now()
    span = queries.standing_of(builder, moment)
    if request.method != "POST":
        return _page(request, builder, span, moment, AwayForm(initial=_initial(span)), on=span is not None or "plan" in request.GET)
    on = "on" in request.POST
    form = AwayForm(_sent(request, span))
    if request.POST.get("do") == "preview":
        return _page(request, builder, span, moment, form, on=on, part="#preview_response" if request.htmx else "", looks=True)
    if not on:
        return _off(request, builder, span, moment, form)
    if not form.is_valid():
        return _page(request, builder, span, moment, form, on=True, status=422)
    return _save(request, builder, span, moment, form)


def _off(request: UserRequest, builder: Builder, span: Span | None, moment: datetime, form: AwayForm) -> HttpResponse:
    """The switch is off: come back, where there is something to come back from."""
    if span is None or str(span.pk) != request.POST.get("span"):
        fault, status = ("", 200) if span is None else (str(CHANGED), 409)
        return _page(request, builder, span, moment, AwayForm(initial=_initial(span)), on=span is not None, fault=fault, status=status)
    return _ended(request, actions.end_away(span.pk, actor=request.user))


CHANGED = gettext_lazy("This has changed meanwhile. Look at it again.")


def _save(request: UserRequest, builder: Builder, span: Span | None, moment: datetime, form: AwayForm) -> HttpResponse:
    named, plan = request.POST.get("span", ""), form.plan()
    try:
        saved = _saved(named, plan, request.user)
    except Invalid as error:
        form.add_error(FIELD_OF.get(error.code, "last_on"), error.message)
        return _page(request, builder, span, moment, form, on=True, status=422)
    except (Conflict, Span.DoesNotExist):
        fresh = queries.standing_of(builder, moment)
        return _page(request, builder, fresh, moment, AwayForm(initial=_initial(fresh)), on=fresh is not None, fault=str(CHANGED), status=409)
    return done(request, reverse(HOME), _("Saved. You are away %(days)s.") % {"days": notices.days(saved)})


def _saved(named: str, plan: Plan, actor: Any) -> Span:
    return actions.change_away(_span_id(named), actor=actor, plan=plan) if named else actions.plan_away(actor=actor, plan=plan)


def _span_id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        raise Invalid(_("This page is out of date. Reload it."), code="span") from None


def _sent(request: UserRequest, span: Span | None) -> Any:
    """What was sent; a first day that has passed stays as it is, whatever a disabled field sends."""
    data = request.POST.copy()
    if span is not None and span.starts_at <= now():
        data["first_on"] = span.first_on.isoformat()
    return data


def _initial(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"stops_orders": True, "stops_calls": True, "stops_clock": True}
    return {name: getattr(span, name) for name in ("first_on", "last_on", "message", "stops_orders", "stops_calls", "stops_clock")}


def _page(
    request: UserRequest,
    builder: Builder,
    span: Span | None,
    moment: datetime,
    form: AwayForm,
    *,
    on: bool,
    part: str = "",
    fault: str = "",
    looks: bool = False,
    status: int = 200,
) -> HttpResponse:
    kept = queries.kept_of(builder, span)
    filled = form if form.is_bound else AwayForm(_initial(span) | {f"{DATE}{pk}": KEEP for pk in kept}) if span is not None else None
    plan = filled.plan() if filled is not None and filled.is_valid() else None
    here = today(builder.user.time_zone, moment)
    runs = span is not None and span.starts_at <= moment
    if plan is not None and ((plan.first_on < here and not runs) or plan.last_on < here or (plan.last_on - here).days > DAYS_AHEAD):
        plan = None  # saving says what is wrong with these days
    context = {
        "builder": builder,
        "span": span,
        "runs": runs,
        "form": form,
        "on": on,
        "looks": looks,
        "fault": fault,
        "moment": moment,
        "zone": span.time_zone if span is not None else builder.user.time_zone,
        "today": here,
        "shop": queries.shop_of(builder),
        "seen": queries.preview(builder, plan, moment, span) if plan is not None and on else None,
        "back": queries.back_again(builder, moment) if span is None else None,
        "said": form["message"].value() or "",
    }
    return render(request, f"away/home.html{part}", context, status=status)


@login_required
@require_POST
def end(request: UserRequest, span_id: UUID) -> HttpResponse:
    """Come back now, or do not go at all."""
    span = get_object_or_404(Span.objects.filter(builder__user=request.user), pk=span_id)
    return _ended(request, actions.end_away(span.pk, actor=request.user))


def _ended(request: UserRequest, span: Span) -> HttpResponse:
    # Whoever comes back is welcomed by the page itself, with what that opened and moved.
    said = _("You are not going away. Due dates are as they were.") if span.cancelled_at else ""
    return done(request, reverse(HOME), said)


# A date that moved


def _move(request: UserRequest, move_id: UUID) -> DueMove:
    return get_object_or_404(DueMove.objects.visible_to(request.user).select_related("order"), pk=move_id)


def _answer(request: UserRequest, move_id: UUID, act: Callable[[UUID], object], said: str) -> HttpResponse:
    move = _move(request, move_id)
    act(move.pk)
    return done(request, reverse("orders:detail", args=[move.order.number]), said)


@login_required
@require_POST
def object_to(request: UserRequest, move_id: UUID) -> HttpResponse:
    _move(request, move_id)
    form = ObjectionForm(request.POST)
    if not form.is_valid():
        raise Invalid(str(next(iter(form.errors["reason"]))), code="reason")
    return _answer(
        request,
        move_id,
        lambda pk: actions.object_to_move(pk, actor=request.user, reason=form.cleaned_data["reason"]),
        _("Your objection is sent. The later date stands until it is answered."),
    )


@login_required
@require_POST
def keep(request: UserRequest, move_id: UUID) -> HttpResponse:
    return _answer(request, move_id, lambda pk: actions.keep_date(pk, actor=request.user), _("The earlier date stands again."))


@login_required
@require_POST
def hold(request: UserRequest, move_id: UUID) -> HttpResponse:
    return _answer(request, move_id, lambda pk: actions.hold_to_date(pk, actor=request.user), _("The later date stays. Your client is told."))


# Hearing of a return


@login_required
@require_POST
def want(request: UserRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    actions.want_to_know(builder.pk, actor=request.user)
    return _waiting(request, builder, _("We tell you once when %(name)s is back.") % {"name": builder.user.first_name}, waits=True)


@login_required
@require_POST
def forget(request: UserRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    actions.forget(builder.pk, actor=request.user)
    return _waiting(request, builder, _("You will not be told when %(name)s is back.") % {"name": builder.user.first_name}, waits=False)


def _waiting(request: UserRequest, builder: Builder, message: str, *, waits: bool) -> HttpResponse:
    """The button in its other state, wherever on the page it stands."""
    if not request.htmx:
        return done(request, next_url(request), message)
    return render(request, "away/_tell_again.html", {"builder": builder, "waits": waits, "message": message, "next": next_url(request)})
