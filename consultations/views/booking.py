"""Choosing a time, and holding it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from consultations import actions, queries
from consultations.emails import policy_words
from consultations.forms import Choice, HoldForm, read_choice, write_start
from consultations.models import CallSettings, RefundPolicy, free_until
from port444.accounts import zones
from port444.accounts.models import zone_names
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid
from port444.kit.http import HtmxRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import fee

DRAFT = "call_draft"
YEAR = 365 * 24 * 3600
WORDS = {15: _("One focused question"), 30: _("Review a plan or a pull request"), 60: _("Deep dive, with time to try things")}


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
    remembered = request.COOKIES.get(settings.ZONE_COOKIE, "")
    return remembered if remembered in zone_names() else str(getattr(request.user, "time_zone", "UTC"))


def _remember_zone(response: HttpResponse, choice: Choice) -> HttpResponse:
    if choice.zone:
        response.set_cookie(settings.ZONE_COOKIE, choice.zone, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE)
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
        "page_url": reverse("consultations:book", args=[builder.slug]),
        "times_url": reverse("consultations:times", args=[builder.slug]),
        "quote_url": reverse("consultations:quote", args=[builder.slug]),
        "name": builder.user.first_name,
        "prices": prices,
        "lengths": [{"minutes": m, "price": p, "text": WORDS[m], "on": m == minutes} for m, p in prices.items()],
        "minutes": minutes,
        "zone": zone,
        "builder_zone": terms.time_zone if terms else "UTC",
        "ahead": ahead(zone, terms.time_zone if terms else "UTC", chosen or moment),
        "week": week,
        "stale": not starts and queries.is_stale(builder, moment),
        "chosen": chosen,
        "chosen_value": write_start(chosen) if chosen else "",
        "price": price,
        "fee": charge,
        "total": price + charge,
        "hold_minutes": settings.HOLD_MINUTES,
        "policy": _policy(terms, chosen, zone, moment),
        "own": request.user.pk == builder.user_id if request.user.is_authenticated else False,
        "notes": notes,
        "refused": refused,
        "client_key": uuid7(),
        "query": urlencode(query),
        "base_query": urlencode({"minutes": minutes, "tz": zone}),
        "guess": choice.zone is None and settings.ZONE_COOKIE not in request.COOKIES and not request.user.is_authenticated,
        "moment": moment,
    }


def _policy(terms: CallSettings | None, chosen: datetime | None, zone: str, moment: datetime) -> tuple[str, bool]:
    """The builder's refund policy in words, and whether it lets the client go free."""
    if terms is None:
        return "", False
    if chosen is None:
        if terms.refund_policy == RefundPolicy.NONE:
            return gettext("Nothing back if you cancel"), False
        if terms.refund_policy == RefundPolicy.HALF:
            return gettext("Everything back if you cancel %(hours)s hours before, half later") % {"hours": terms.free_hours}, True
        return gettext("Everything back if you cancel %(hours)s hours before, nothing later") % {"hours": terms.free_hours}, True
    until = free_until(terms.refund_policy, terms.free_hours, chosen)
    return policy_words(terms.refund_policy, until, zone, moment), until is not None and until > moment


def ahead(zone: str, other: str, moment: datetime) -> str:
    """How far the builder's clock is from the viewer's, in words."""
    here, there = moment.astimezone(ZoneInfo(zone)).utcoffset(), moment.astimezone(ZoneInfo(other)).utcoffset()
    minutes = int(((there or timedelta()) - (here or timedelta())).total_seconds() // 60)
    if not minutes:
        return gettext("on the same time as you")
    hours, rest = divmod(abs(minutes), 60)
    length = " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
    return gettext("%(length)s ahead of you") % {"length": length} if minutes > 0 else gettext("%(length)s behind you") % {"length": length}


@require_GET
def book(request: HttpRequest, slug: str) -> HttpResponse:
    builder, choice = _builder(slug), read_choice(request.GET)
    context = _page(request, builder, choice, notes=_draft(request, slug))
    context["zones"] = zones.options(context["moment"], context["zone"])
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
    context["zones"] = zones.options(context["moment"], context["zone"])
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
