"""A builder's hours, prices and rules of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from consultations import actions, queries
from consultations.actions.availability import Leave, days_off_overlap, in_words, off_in_words
from consultations.forms import (
    OFFICE,
    REFUNDS,
    AvailabilityForm,
    DaysOffForm,
    OtherHoursForm,
    cells_of,
    changed_cells,
    grid,
    is_painted,
    read_leave,
    read_window,
    windows_of,
    write_leave,
    write_window,
)
from consultations.models import CallSettings
from consultations.slots import AnyWindow, Hours, Once, overlap
from port444.accounts import zones
from port444.accounts.models import zone_names
from port444.builders.models import LENGTHS, Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest, done

PAGE = "consultations/availability.html"
TERMS = (
    "time_zone",
    "notice_hours",
    "gap_minutes",
    "horizon_days",
    "refund_policy",
    "free_hours",
    "move_limit",
    "move_hours",
    "meeting_provider",
)


@dataclass(frozen=True, slots=True)
class Editor:
    """The forms of the page: all that is saved, and one row each for what can be added."""

    form: AvailabilityForm
    other: OtherHoursForm
    leave: DaysOffForm
    rooms: Sequence[queries.MeetingChoice]

    @property
    def is_whole(self) -> bool:
        return not self.other.errors and not self.leave.errors


@login_required
@require_http_methods(["GET", "POST"])
def availability(request: UserRequest) -> HttpResponse:
    """A builder's prices, hours and rules of calls. Every step before saving answers with the page, or its changed parts, unsaved."""
    builder = queries.for_booking().filter(user=request.user).first()
    if builder is None:
        return redirect("builders:edit") if request.user.is_builder else _not_a_builder(request)
    moment = now()
    if request.method == "GET":
        return render(request, PAGE, _page(builder, _editor(None, builder, moment), moment))
    step, data = request.POST.get("do", ""), request.POST.copy()
    editor = _editor(data, builder, moment, step)
    status = 200 if editor.is_whole else 422
    if step:
        part = {"preview": "#preview_response", "apply": ""}.get(step, "#lists_response") if request.htmx else ""
        return render(request, PAGE + part, _page(builder, editor, moment, unsaved=True), status=status)
    form = editor.form
    if form.is_valid() and editor.is_whole:
        try:
            actions.set_availability(
                builder.pk,
                actor=request.user,
                enabled=form.cleaned_data["enabled"],
                prices=form.prices(),
                windows=form.windows(),
                terms=form.terms(),
                days_off=form.days_off(),
            )
        except Invalid as error:
            form.add_error(None, error.message)
        else:
            return done(request, reverse("consultations:availability"), _("Your hours are saved."))
    if not editor.is_whole:
        form.add_error(None, _("Something under Other hours or Days off cannot be added. Look there, or empty its date."))
    return render(request, PAGE, _page(builder, editor, moment, unsaved=True), status=422)


def _not_a_builder(request: UserRequest) -> HttpResponse:
    raise Http404


def _editor(data: QueryDict | None, builder: Builder, moment: datetime, step: str = "") -> Editor:
    """The forms, after `step` was taken in `data`. What is filled in beside "Add" is added by saving, too."""
    terms = _terms(builder)
    saved, choices = _saved(builder, terms), queries.meeting_choices(builder)
    rooms = [choice.provider for choice in choices if choice.is_open]
    zone = data.get("time_zone", "") if data is not None else ""
    today = moment.astimezone(ZoneInfo(zone if zone in zone_names() else terms.time_zone)).date()
    if data is None:
        return Editor(
            _without_past(AvailabilityForm(initial=saved, rooms=rooms), today), OtherHoursForm(today=today), DaysOffForm(today=today), choices
        )
    if step == "apply":
        data.setlist("h", changed_cells(data.getlist("h"), data.get("copy", "")))
    for name in ("r", "off"):
        written = data.getlist(name)
        data.setlist(name, [text for n, text in enumerate(written) if step != f"drop-{name}-{n}"])
    # Empty rows get ids of their own: a morph would keep what is typed in an input that it knows.
    empty_other = OtherHoursForm(today=today, auto_id=f"id_{len(data.getlist('r')) + 1}_%s")
    empty_leave = DaysOffForm(today=today, auto_id=f"id_{len(data.getlist('off')) + 1}_%s")
    other, leave = OtherHoursForm(today=today), DaysOffForm(today=today)
    so_far = AvailabilityForm(data, initial=saved, rooms=rooms)
    if step == "add" or (not step and data.get("new_on")):
        other = OtherHoursForm(data, today=today)
        if other.is_valid() and _fits(other, so_far):
            data.appendlist("r", write_window(other.window()))
            other = empty_other
    if step == "add-off" or (not step and data.get("off_first")):
        leave = DaysOffForm(data, today=today)
        if leave.is_valid() and _fits_off(leave, so_far):
            data.appendlist("off", write_leave(leave.leave()))
            leave = empty_leave
    return Editor(AvailabilityForm(data, initial=saved, rooms=rooms), other, leave, choices)


def _fits(other: OtherHoursForm, so_far: AvailabilityForm) -> bool:
    """Whether new hours lie over none that are there; said at once, not only when everything is saved."""
    so_far.is_valid()
    known = so_far.windows() if {"h", "r"} <= so_far.cleaned_data.keys() else []
    both = overlap([*known, other.window()])
    if both:
        other.add_error("new_on", _("%(one)s and %(other)s overlap. Change one of them.") % {"one": in_words(both[0]), "other": in_words(both[1])})
    return both is None


def _fits_off(leave: DaysOffForm, so_far: AvailabilityForm) -> bool:
    so_far.is_valid()
    known = so_far.days_off() if "off" in so_far.cleaned_data else []
    both = days_off_overlap([*known, leave.leave()])
    if both:
        leave.add_error(
            "off_first", _("%(one)s and %(other)s overlap. Change one of them.") % {"one": off_in_words(both[0]), "other": off_in_words(both[1])}
        )
    return both is None


def _terms(builder: Builder) -> CallSettings:
    """The saved rules, or the ones to begin with."""
    return queries.call_settings(builder) or queries.first_terms(builder)


def _saved(builder: Builder, terms: CallSettings) -> dict[str, Any]:
    """What the form begins with. Who has never set hours finds office hours painted, and calls switched on."""
    is_new = queries.call_settings(builder) is None
    windows = queries.windows_of(builder)
    return {
        "enabled": builder.consultation_enabled or is_new,
        **{f"price_{m}": getattr(builder, f"consultation_{m}min_price") for m in LENGTHS},
        "h": OFFICE if is_new else sorted(cells_of(windows)),
        "r": [write_window(window) for window in windows if not is_painted(window)],
        "off": [write_leave(Leave(off.first_on, off.last_on, off.note)) for off in builder.days_off.all()],
        "calls_a_day": terms.calls_a_day or 0,
        **{name: getattr(terms, name) for name in TERMS},
    }


def _at_rest(builder: Builder, terms: CallSettings) -> Hours:
    """The saved hours, or the ones to begin with."""
    windows = windows_of(OFFICE) if queries.call_settings(builder) is None else queries.windows_of(builder)
    return queries.hours_by(terms, windows, [(off.first_on, off.last_on) for off in builder.days_off.all()])


def _without_past(form: AvailabilityForm, today: date) -> AvailabilityForm:
    """What lies behind us is not shown, and so goes with the next saving; the log keeps it."""

    def is_ahead(window: AnyWindow) -> bool:
        return not isinstance(window, Once) or window.on >= today

    form.initial["r"] = [text for text in form.initial["r"] if is_ahead(read_window(text))]
    form.initial["off"] = [text for text in form.initial["off"] if read_leave(text).last >= today]
    return form


def _rows(texts: Any, words: Any) -> list[dict[str, str]]:
    """Written hours or days off for the list; what cannot be read has an error of its own."""
    rows = []
    for text in texts or []:
        try:
            rows.append({"value": text, "words": words(text)})
        except (ValueError, KeyError, IndexError):
            continue
    return rows


def _page(builder: Builder, editor: Editor, moment: datetime, *, unsaved: bool = False) -> dict[str, Any]:
    form = editor.form
    cells = form["h"].value() or []
    terms = _terms(builder)
    valid = form.is_bound and form.is_valid()
    prices = {m: p for m, p in form.prices().items() if p} if valid else builder.call_prices
    minutes = 30 if 30 in prices or not prices else next(iter(prices))
    hours = form.hours() if valid else _at_rest(builder, terms)
    booked = queries.booked_hours(builder, moment, hours.zone)
    chosen_zone = form["time_zone"].value() or terms.time_zone
    seen = queries.preview(builder, hours, minutes=minutes, moment=moment)
    rows = grid(cells, booked)
    return {
        "form": form,
        "other": editor.other,
        "leave": editor.leave,
        "others": _rows(form["r"].value(), lambda text: in_words(read_window(text))),
        "leaves": _rows(form["off"].value(), lambda text: (off := read_leave(text)) and f"{off_in_words(off)}{off.note and ': ' + off.note}"),
        "rules": [form[name] for name in ("notice_hours", "gap_minutes", "calls_a_day", "horizon_days")],
        "refunds": [{"value": value, "name": name, "text": text} for value, name, text in REFUNDS],
        "refund": form["refund_policy"].value(),
        "rooms": editor.rooms,
        "room": form["meeting_provider"].value(),
        "prices": [{"minutes": m, "field": form[f"price_{m}"]} for m in LENGTHS],
        "builder": builder,
        "connections": partial(queries.connections_of, builder, moment),
        "moment": moment,
        "unsaved": unsaved,
        "is_new": queries.call_settings(builder) is None,
        "preview_is_saved": form.is_bound and not valid,
        "seen": seen,
        "early": rows[:7],
        "rows": rows[7:21],
        "late": rows[21:],
        "open_early": any(row.is_open for row in rows[:7]),
        "open_late": any(row.is_open for row in rows[21:]),
        "hours_open": Decimal(len(set(cells))) / 2,
        "calls_booked": len(booked),
        "zone": str(hours.zone),
        "chosen_zone": chosen_zone,
        "zones": zones.options(moment, str(chosen_zone)),
        "nothing_open": builder.consultation_enabled and seen.first is None,
        "builder_percent": (10_000 - settings.BUILDER_FEE_BPS) // 100,
    }
