"""Pages of calls: booking one, the calls of a person, one call, and a builder's hours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.accounts import zones
from port444.accounts.models import zone_names
from port444.builders.models import LENGTHS, Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid
from port444.kit.http import HtmxRequest, UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, fee

from . import actions, ical, queries
from .forms import AvailabilityForm, CancelForm, Choice, HoldForm, NotesForm, cells_of, changed_cells, grid, read_choice, write_start
from .models import CallSettings, Consultation, ConsultationStatus

C = ConsultationStatus
ZONE_COOKIE = "zone"
DRAFT = "call_draft"
YEAR = 365 * 24 * 3600
WORDS = {15: "One focused question", 30: "Review a plan or a pull request", 60: "Deep dive, with time to try things"}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a time could not be held, and what is free near it."""

    error: DomainError
    wanted: datetime | None
    nearest: list[datetime]


def _builder(slug: str) -> Builder:
    builder: Builder = get_object_or_404(queries.for_booking(), slug=slug)
    return builder


def _zone(request: HttpRequest, chosen: str | None) -> str:
    """The zone that times are shown in: chosen now, remembered, or the person's own."""
    if chosen:
        return chosen
    remembered = request.COOKIES.get(ZONE_COOKIE, "")
    return remembered if remembered in zone_names() else str(getattr(request.user, "time_zone", "UTC"))


def _remember_zone(response: HttpResponse, choice: Choice) -> HttpResponse:
    if choice.zone:
        response.set_cookie(ZONE_COOKIE, choice.zone, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE)
    return response


def _page(request: HttpRequest, builder: Builder, choice: Choice, *, notes: str = "", refused: Refused | None = None) -> dict[str, Any]:
    """Everything the booking page and its fragments show."""
    moment = now()
    zone = _zone(request, choice.zone)
    prices = builder.call_prices
    minutes = choice.minutes if choice.minutes in prices else 30 if 30 in prices else next(iter(prices), 30)
    client_id = request.user.pk if request.user.is_authenticated and request.user.pk != builder.user_id else None
    starts = queries.open_starts(builder, client_id=client_id, minutes=minutes, moment=moment)
    chosen = choice.start if choice.start in starts else None
    week = queries.week_of(starts, builder=builder, zone=ZoneInfo(zone), moment=moment, wanted=choice.week, chosen=chosen)
    price = prices.get(minutes, Decimal(0))
    charge = fee(price, settings.CLIENT_FEE_BPS)
    terms = queries.call_settings(builder)
    query = {"minutes": minutes, "tz": zone, "week": week.monday.isoformat(), **({"slot": write_start(chosen)} if chosen else {})}
    return {
        "builder": builder,
        "name": builder.user.first_name,
        "prices": prices,
        "lengths": [{"minutes": m, "price": p, "text": WORDS[m], "on": m == minutes} for m, p in prices.items()],
        "minutes": minutes,
        "zone": zone,
        "builder_zone": terms.time_zone if terms else "UTC",
        "ahead": _ahead(zone, terms.time_zone if terms else "UTC", chosen or moment),
        "week": week,
        "chosen": chosen,
        "chosen_value": write_start(chosen) if chosen else "",
        "price": price,
        "fee": charge,
        "total": price + charge,
        "hold_minutes": settings.HOLD_MINUTES,
        "free_until": chosen - timedelta(hours=settings.CALL_FREE_CANCEL_HOURS) if chosen else None,
        "is_free_to_cancel": chosen is not None and chosen - timedelta(hours=settings.CALL_FREE_CANCEL_HOURS) > moment,
        "own": request.user.pk == builder.user_id if request.user.is_authenticated else False,
        "notes": notes,
        "refused": refused,
        "client_key": uuid7(),
        "query": urlencode(query),
        "base_query": urlencode({"minutes": minutes, "tz": zone}),
        "guess": choice.zone is None and ZONE_COOKIE not in request.COOKIES and not request.user.is_authenticated,
        "moment": moment,
    }


def _ahead(zone: str, other: str, moment: datetime) -> str:
    """How far the builder's clock is from the viewer's, in words."""
    here, there = moment.astimezone(ZoneInfo(zone)).utcoffset(), moment.astimezone(ZoneInfo(other)).utcoffset()
    minutes = int(((there or timedelta()) - (here or timedelta())).total_seconds() // 60)
    if not minutes:
        return "on the same time as you"
    hours, rest = divmod(abs(minutes), 60)
    length = " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
    return f"{length} {'ahead of' if minutes > 0 else 'behind'} you"


@require_GET
def book(request: HttpRequest, slug: str) -> HttpResponse:
    builder, choice = _builder(slug), read_choice(request.GET)
    context = _page(request, builder, choice, notes=_draft(request, slug))
    context["zones"] = zones.choices(context["moment"], chosen=[context["zone"]])
    return _remember_zone(render(request, "consultations/book.html", context), choice)


@require_GET
def times(request: HtmxRequest, slug: str) -> HttpResponse:
    """The picker for another length, zone or week."""
    return _fragment(request, slug, "picker_response")


@require_GET
def quote(request: HtmxRequest, slug: str) -> HttpResponse:
    """The ticket for another time."""
    return _fragment(request, slug, "quote_response")


def _fragment(request: HtmxRequest, slug: str, name: str) -> HttpResponse:
    if not request.htmx:
        return book(request, slug)
    builder, choice = _builder(slug), read_choice(request.GET)
    context = _page(request, builder, choice)
    response = render(request, f"consultations/book.html#{name}", context)
    response["HX-Replace-Url"] = f"{reverse('consultations:book', args=[slug])}?{context['query']}"
    return _remember_zone(response, choice)


@require_POST
def hold(request: HtmxRequest, slug: str) -> HttpResponse:
    """Pressing pay: hold the time and go to the checkout. Pressing update, without script, shows the page anew."""
    builder, choice = _builder(slug), read_choice(request.POST)
    notes = request.POST.get("notes", "")[:600]
    page = f"{reverse('consultations:book', args=[slug])}?{_query_of(choice)}"
    if "update" in request.POST:
        _keep_draft(request, slug, notes)
        return _remember_zone(HttpResponseRedirect(page), choice)
    if not request.user.is_authenticated:
        _keep_draft(request, slug, notes)
        to_login = redirect_to_login(page)
        return done(request, to_login.url) if request.htmx else to_login
    form = HoldForm(request.POST)
    try:
        if not form.is_valid():
            raise Invalid(str(next(iter(form.errors.values()))[0]), code="form")
        cleaned = form.cleaned_data
        call = actions.hold_slot(
            builder.pk,
            actor=request.user,
            minutes=cleaned["minutes"],
            starts_at=cleaned["slot"],
            client_zone=cleaned["tz"],
            notes=cleaned["notes"],
            client_key=uuid5(cleaned["client_key"], f"{write_start(cleaned['slot'])}/{cleaned['minutes']}"),
        )
    except (Conflict, Invalid) as error:
        return _refuse(request, builder, choice, notes, error)
    request.session.pop(DRAFT, None)
    return done(request, reverse("payments:checkout", args=[call.invoice_id]))


def _refuse(request: HtmxRequest, builder: Builder, choice: Choice, notes: str, error: DomainError) -> HttpResponse:
    """The page again with what went wrong, the nearest free times, and the notes as they were."""
    _keep_draft(request, builder.slug, notes)
    near: list[datetime] = []
    if choice.start is not None and choice.minutes in builder.call_prices:
        starts = queries.open_starts(builder, client_id=request.user.pk, minutes=choice.minutes, moment=now())
        near = queries.nearest(starts, choice.start)
        if choice.week is None and near:
            choice = replace(choice, week=near[0].astimezone(ZoneInfo(_zone(request, choice.zone))).date())
    context = _page(request, builder, choice, notes=notes, refused=Refused(error, choice.start, near))
    if request.htmx:
        return render(request, "consultations/book.html#picker_response", context, status=error.status)
    context["zones"] = zones.choices(context["moment"], chosen=[context["zone"]])
    return render(request, "consultations/book.html", context, status=error.status)


def _query_of(choice: Choice) -> str:
    parts = {
        "minutes": choice.minutes,
        "tz": choice.zone,
        "week": choice.week and choice.week.isoformat(),
        "slot": choice.start and write_start(choice.start),
    }
    return urlencode({name: value for name, value in parts.items() if value})


def _keep_draft(request: HttpRequest, slug: str, notes: str) -> None:
    if notes or DRAFT in request.session:
        request.session[DRAFT] = {"slug": slug, "notes": notes}


def _draft(request: HttpRequest, slug: str) -> str:
    draft = request.session.get(DRAFT) or {}
    return str(draft.get("notes", "")) if draft.get("slug") == slug else ""


@login_required
@require_GET
def call_list(request: UserRequest) -> HttpResponse:
    """What comes and what was, in both roles."""
    past = request.GET.get("show") == "past"
    page = queries.calls_of(request.user, moment=now(), past=past, after=queries.read_cursor(request.GET.get("after", "")))
    more = f"?{urlencode({'show': 'past' if past else 'coming', 'after': page.cursor})}" if page.cursor else ""
    return render(request, "consultations/list.html", {"calls": page.calls, "past": past, "more": more, "user_id": request.user.pk, "moment": now()})


def _call(request: UserRequest, call_id: UUID) -> Consultation:
    calls = Consultation.objects.visible_to(request.user).select_related("client", "builder__user", "claim", "invoice")
    return get_object_or_404(calls, pk=call_id)


def _detail(request: UserRequest, call: Consultation, **forms: Any) -> dict[str, Any]:
    moment = now()
    is_builder = request.user.pk == call.builder.user_id
    mine, theirs = (call.builder_zone, call.client_zone) if is_builder else (call.client_zone, call.builder_zone)
    scheduled = call.status == C.SCHEDULED
    started = call.scheduled_at <= moment
    return {
        "call": call,
        "is_builder": is_builder,
        "other": call.client if is_builder else call.builder.user,
        "zone": mine,
        "other_zone": theirs,
        "moment": moment,
        "started": started,
        "ended": call.ends_at <= moment,
        "can_join": scheduled and call.opens_at <= moment,
        "can_cancel": scheduled and (is_builder or not started),
        "can_complete": scheduled and is_builder and started,
        "can_pay": call.status == C.HELD and call.claim.hold_expires_at is not None and call.claim.hold_expires_at > moment,
        "refund": call.refund_if_cancelled_by(request.user, moment),
        "paid_back": queries.paid_back(call) if call.status == C.CANCELLED else ZERO,
        "share": call.price - fee(call.price, call.builder_fee_bps),
        "notes_form": forms.get("notes_form") or NotesForm(),
        "cancel_form": forms.get("cancel_form") or CancelForm(),
    }


@login_required
@require_GET
def detail(request: UserRequest, call_id: UUID) -> HttpResponse:
    return render(request, "consultations/detail.html", _detail(request, _call(request, call_id)))


@login_required
@require_GET
def join(request: UserRequest, call_id: UUID) -> HttpResponse:
    """Go to the meeting room, once it is open. The room can be named or repaired until the last minute."""
    call = _call(request, call_id)
    if call.status != C.SCHEDULED:
        raise Conflict(f"This call is {call.status_words()}.", code="not_scheduled")
    if call.opens_at > now():
        raise Conflict("The room is not open yet. Come back shortly before the call.", code="too_early")
    room = call.meeting_url or call.builder.meeting_url
    if not room:
        raise Conflict(f"{call.builder.user.first_name} has not named a meeting room yet. Write to each other in the conversation.", code="no_room")
    return HttpResponseRedirect(room)


@login_required
@require_GET
def ics(request: UserRequest, call_id: UUID) -> HttpResponse:
    """The call for a calendar."""
    call = _call(request, call_id)
    if call.status in (C.HELD, C.EXPIRED):
        raise Http404
    response = HttpResponse(ical.calendar(call, request.user), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="call.ics"'
    return response


@login_required
@require_POST
def complete(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = _call(request, call_id)
    form = NotesForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", _detail(request, call, notes_form=form), status=422)
    actions.complete_call(call.pk, actor=request.user, notes=form.cleaned_data["notes"])
    return done(request, call.url, "The call is complete and you are paid.")


@login_required
@require_POST
def cancel(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = _call(request, call_id)
    form = CancelForm(request.POST)
    if not form.is_valid():
        return render(request, "consultations/detail.html", _detail(request, call, cancel_form=form), status=422)
    actions.cancel_call(call.pk, actor=request.user, reason=form.cleaned_data["reason"])
    return done(request, call.url, "The call is cancelled.")


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
