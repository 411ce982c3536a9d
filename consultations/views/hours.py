"""A builder's hours, prices and rules of calls."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from consultations import actions, queries
from consultations.forms import AvailabilityForm, cells_of, changed_cells, grid
from consultations.models import CallSettings
from port444.accounts import zones
from port444.builders.models import LENGTHS, Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest, done


@login_required
@require_http_methods(["GET", "POST"])
def availability(request: UserRequest) -> HttpResponse:
    """A builder's prices, hours and rules of calls."""
    builder = queries.for_booking().filter(user=request.user).first()
    if builder is None:
        return redirect("builders:edit") if request.user.is_builder else _not_a_builder(request)
    if request.method == "GET":
        return render(request, "consultations/availability.html", _hours(request, builder, AvailabilityForm(initial=_saved(builder, request.user))))
    form = AvailabilityForm(request.POST, initial=_saved(builder, request.user))
    shortcut = request.POST.get("do", "")
    if shortcut == "apply":
        data = request.POST.copy()
        data.setlist("h", changed_cells(request.POST.getlist("h"), request.POST.get("copy", "")))
        return render(
            request, "consultations/availability.html", _hours(request, builder, AvailabilityForm(data, initial=form.initial), unsaved=True)
        )
    if form.is_valid():
        try:
            actions.set_availability(
                builder.pk,
                actor=request.user,
                enabled=form.cleaned_data["enabled"],
                prices=form.prices(),
                windows=form.windows(),
                terms=form.terms(),
            )
        except Invalid as error:
            form.add_error(None, error.message)
        else:
            return done(request, reverse("consultations:availability"), "Your hours are saved.")
    return render(request, "consultations/availability.html", _hours(request, builder, form), status=422)


def _not_a_builder(request: UserRequest) -> HttpResponse:
    raise Http404


def _saved(builder: Builder, user: Any) -> dict[str, Any]:
    terms = queries.call_settings(builder) or CallSettings(
        time_zone=user.time_zone, notice_hours=settings.CALL_NOTICE_HOURS, horizon_days=settings.CALL_HORIZON_DAYS
    )
    return {
        "enabled": builder.consultation_enabled,
        **{f"price_{m}": getattr(builder, f"consultation_{m}min_price") for m in LENGTHS},
        "h": sorted(cells_of(queries.windows_of(builder))),
        "notice_hours": terms.notice_hours,
        "gap_minutes": terms.gap_minutes,
        "horizon_days": terms.horizon_days,
        "time_zone": terms.time_zone,
    }


def _hours(request: UserRequest, builder: Builder, form: AvailabilityForm, *, unsaved: bool = False) -> dict[str, Any]:
    moment = now()
    cells = form["h"].value() or []
    terms = queries.call_settings(builder)
    zone = terms.time_zone if terms else request.user.time_zone
    minutes = 30 if 30 in builder.call_prices else next(iter(builder.call_prices), 30)
    starts = queries.open_starts(builder, client_id=None, minutes=minutes, moment=moment)
    monday = queries.monday_of(moment.astimezone(ZoneInfo(zone)).date()) + queries.WEEK
    next_week = [start for start in starts if monday <= start.astimezone(ZoneInfo(zone)).date() < monday + queries.WEEK]
    booked = queries.booked_hours(builder, moment, ZoneInfo(zone))
    rows = grid(cells, booked)
    chosen_zone = form["time_zone"].value() or zone
    return {
        "form": form,
        "rules": [form["notice_hours"], form["gap_minutes"], form["horizon_days"]],
        "prices": [{"minutes": m, "field": form[f"price_{m}"]} for m in LENGTHS],
        "builder": builder,
        "unsaved": unsaved,
        "early": rows[:7],
        "rows": rows[7:21],
        "late": rows[21:],
        "open_early": any(cell.is_open for row in rows[:7] for day in row.days for cell in day),
        "open_late": any(cell.is_open for row in rows[21:] for day in row.days for cell in day),
        "hours_open": Decimal(len(set(cells))) / 2,
        "calls_booked": len(booked),
        "next_week": next_week,
        "minutes": minutes,
        "zone": zone,
        "chosen_zone": chosen_zone,
        "zones": zones.choices(moment, chosen=[str(chosen_zone)]),
        "nothing_open": builder.consultation_enabled and not starts,
        "builder_percent": (10_000 - settings.BUILDER_FEE_BPS) // 100,
    }
