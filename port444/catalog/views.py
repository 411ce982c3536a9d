from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.csp import CSP
from django.utils.http import quote_etag
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.builders.models import Builder
from port444.kit import money, readonly
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import HtmxRequest, UserRequest, client_ip, done
from port444.kit.ids import uuid7

from . import actions, pictures
from .forms import Editor, Prices, SearchForm
from .models import Category, Package, Service, ServiceStatus, Tier
from .queries import Hint, Search, Sort, check_prices, find_services, loosen, price_hints, read_cursor

REVIEWS = 10
DAYS = [(1, "1 day"), (3, "3 days"), (7, "7 days"), (14, "14 days"), ("", "Any")]


# Finding


@require_GET
def search(request: HtmxRequest) -> HttpResponse:
    categories = list(Category.objects.all())
    form = SearchForm(request.GET, categories)
    wanted = form.search()
    text = request.GET.get("after", "")
    cursor = read_cursor(text, wanted.sort) if text else None
    found = find_services(wanted, cursor)
    context = {
        "form": form,
        "search": wanted,
        "found": found,
        "categories": categories,
        "more": address(wanted, found.after) if found.after else "",
        "chips": chips(wanted),
        "clear": address(Search(words=wanted.words, sort=wanted.sort)),
        "ignored": [*form.ignored, *(["The place in the list was lost; this is its beginning."] if text and not cursor else [])],
        "loosened": [(loose_words(name, other), address(other), count) for name, other, count in loosen(wanted)] if not found.count else [],
        "sorts": Sort.choices,
        "day_choices": DAYS,
        "is_continued": cursor is not None,
    }
    if request.htmx and cursor:
        response = render(request, "catalog/_hits.html", context)
    elif request.htmx:
        response = render(request, "catalog/_results.html", context)
        response["HX-Push-Url"] = address(wanted)
    else:
        response = render(request, "catalog/search.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def address(search: Search, after: str = "") -> str:
    """The link to a search; what is not set is left out."""
    values = {
        "q": search.words,
        "category": search.category.slug if search.category else "",
        "lowest": plain(search.lowest),
        "highest": plain(search.highest),
        "days": search.days or "",
        "calls": "on" if search.calls else "",
        "language": search.language,
        "sort": search.sort.value if search.sort != Sort.BEST else "",
        "after": after,
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{reverse('catalog:search')}?{query}" if query else reverse("catalog:search")


def plain(amount: Decimal | None) -> str:
    return "" if amount is None else str(amount).removesuffix(".00")


def chips(search: Search) -> list[tuple[str, str]]:
    """The filters that are on: what each says, and the link that takes it off."""
    on: list[tuple[str, Search]] = []
    if search.category:
        on.append((search.category.name, replace(search, category=None)))
    if search.lowest is not None or search.highest is not None:
        on.append((price_words(search), replace(search, lowest=None, highest=None)))
    if search.days is not None:
        on.append((f"Within {search.days} day{'s' if search.days > 1 else ''}", replace(search, days=None)))
    if search.calls:
        on.append(("Takes calls", replace(search, calls=False)))
    if search.language:
        on.append((f"Speaks {search.language}", replace(search, language="")))
    return [(words, address(other)) for words, other in on]


def price_words(search: Search) -> str:
    lowest, highest = plain(search.lowest), plain(search.highest)
    if search.lowest is not None and search.highest is not None:
        return f"${lowest} to ${highest}"
    return f"Up to ${highest}" if search.highest is not None else f"From ${lowest}"


def loose_words(name: str, other: Search) -> str:
    return {
        "category": "In any category",
        "price": "At any price",
        "days": "In any time",
        "calls": "Without calls, too",
        "language": "In any language",
        "words": "Without the words",
    }[name]


@require_GET
def service(request: HtmxRequest, slug: str) -> HttpResponse:
    offered = Prefetch("packages", Package.objects.filter(is_offered=True).order_by("price", "pk"), to_attr="offered")
    row = get_object_or_404(Service.objects.visible_to(request.user).select_related("builder__user", "category").prefetch_related(offered), slug=slug)
    moment = now()
    packages: list[Package] = row.offered  # type: ignore[attr-defined]  # by the prefetch
    chosen = packages[len(packages) // 2 if len(packages) == 3 else 0] if packages else None
    is_own = row.builder.user_id == request.user.pk
    would_sell = row.status == ServiceStatus.PUBLISHED and not is_own
    is_missed = would_sell and row.builder.away_stops_orders and row.builder.is_away_at(moment)
    context = {
        "service": row,
        "builder": row.builder,
        "packages": [told(package, row.builder, moment) for package in packages],
        "chosen": chosen,
        "shared": shared_rows(packages),
        "reviews": row.reviews.public(moment).select_related("author", "about").newest_first()[:REVIEWS] if row.rating_count else [],
        "is_own": is_own,
        "is_away": row.builder.is_away_at(moment),
        "is_missed": is_missed,
        "is_open": would_sell and not is_missed,
        "client_key": uuid7(),
        "moment": moment,
        "fee_percent": Decimal(settings.CLIENT_FEE_BPS) / 100,
    }
    if would_sell and request.method == "GET" and not readonly.is_on():
        actions.note_visit(row.pk, address=client_ip(request) or "", agent=request.headers.get("User-Agent", ""))
    return render(request, "catalog/service.html", context)


def told(package: Package, builder: Builder, moment: datetime) -> dict[str, Any]:
    """A package with what it costs in the end, and when it would be done; `waits` when that leaves out days away."""
    fee = money.fee(package.price, settings.CLIENT_FEE_BPS)
    due_at = moment + timedelta(days=package.delivery_days)
    away = builder.time_away(moment, due_at)
    return {"package": package, "fee": fee, "total": package.price + fee, "due_at": due_at + away, "waits": bool(away)}


def shared_rows(packages: list[Package]) -> dict[str, Any]:
    """Deliverables for comparing: those of several packages as rows, the rest as each package's own list."""
    lines: dict[str, int] = {}
    for package in packages:
        for line in package.deliverables:
            lines[line] = lines.get(line, 0) + 1
    shared = [line for line, times in lines.items() if times > 1]
    return {
        "own": [(p.tier, [line for line in p.deliverables if line not in shared]) for p in packages],
        "has_own": any(times == 1 for times in lines.values()),
        "rows": [(line, [(p.tier, line in p.deliverables) for p in packages]) for line in shared],
    }


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def cover(request: HttpRequest, slug: str) -> HttpResponse:
    row = get_object_or_404(Service.objects.visible_to(request.user).select_related("category"), slug=slug)
    etag = quote_etag(f"{pictures.EDITION}-{row.category.slug}-{row.slug}")
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(pictures.cover(row.slug), content_type="image/svg+xml")
    response["ETag"], response["Cache-Control"] = etag, "private, max-age=3600"
    return response


# Offering


def own_builder(request: UserRequest) -> Builder | None:
    return Builder.objects.filter(user=request.user).select_related("user").first()


@login_required
@require_GET
def mine(request: UserRequest) -> HttpResponse:
    builder = own_builder(request)
    services = Service.objects.owned_by(request.user).select_related("category").defer("description", "search").order_by("-created_at", "-pk")
    context = {"builder": builder, "services": services[: actions.MOST_SERVICES] if builder else []}
    return render(request, "catalog/mine.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def create(request: UserRequest) -> HttpResponse:
    builder = own_builder(request)
    if builder is None:
        return done(request, reverse("builders:edit"), "First say who you are; then add your services.")
    if "move" in request.POST:
        return page(request, Editor(Editor.moved(request.POST, request.POST["move"])), builder, None)
    editor = Editor(request.POST if request.method == "POST" else None)
    if request.method == "POST" and editor.is_valid():
        try:
            row = actions.create_service(builder.pk, actor=request.user, packages=editor.offers(), **editor.words())
        except Invalid as error:
            editor.text.add_error(None, error.message)
        else:
            return saved(request, row, questions(editor, None))
    return page(request, editor, builder, None)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Service.objects.owned_by(request.user).select_related("category", "builder__user"), pk=pk)
    if request.method != "POST":
        return page(request, Editor(service=row), row.builder, row)
    if "move" in request.POST:
        return page(request, Editor(Editor.moved(request.POST, request.POST["move"]), row), row.builder, row)
    editor = Editor(request.POST, row)
    if not editor.is_valid():
        return page(request, editor, row.builder, row)
    asked = questions(editor, row)
    try:
        row = actions.change_service(row.pk, actor=request.user, version=editor.version, packages=editor.offers(), **editor.words())
    except Conflict as error:
        return page(request, renewed(request, row), row.builder, row, stale=error.message)
    except Invalid as error:
        editor.text.add_error(None, error.message)
        return page(request, editor, row.builder, row)
    return saved(request, row, asked)


def renewed(request: UserRequest, row: Service) -> Editor:
    """The form as it was sent, on top of the service as it is now: saving again is a decision."""
    row.refresh_from_db()
    data = request.POST.copy()
    data["version"] = str(row.version)
    return Editor(data, row)


def page(request: UserRequest, editor: Editor, builder: Builder, row: Service | None, stale: str = "") -> HttpResponse:
    status = 409 if stale else 422 if request.method == "POST" and editor.has_errors else 200
    context = {"editor": editor, "service": row, "stale": stale, **hinted(editor, builder, row)}
    return render(request, "catalog/edit.html", context, status=status)


def hinted(editor: Editor, builder: Builder, row: Service | None) -> dict[str, Any]:
    """What the editor says about its prices."""
    prices = Prices(editor)
    checks = check_prices(prices.typed, prices.offered, editor.saved)
    compared = row is None or not row.hints_hidden
    hints: list[Hint] = price_hints(builder, prices.category, prices.typed, checks, compared=compared)
    return {
        "keep_percent": Decimal(money.BPS - settings.BUILDER_FEE_BPS) / 100,
        "discount_percent": settings.SUGGESTED_DISCOUNT_PERCENT,
        "hints": {hint.tier.value: hint for hint in hints},
        "hints_url": reverse("catalog:hints", args=[row.pk]) if row else reverse("catalog:new_hints"),
        "market": {
            "service": row,
            "category": prices.category,
            "level": builder.level,
            "days": settings.MARKET_DAYS,
            "least": settings.MARKET_LEAST_BUILDERS,
            "is_shown": compared,
        },
    }


def questions(editor: Editor, row: Service | None) -> str:
    """What to look at once more among prices that were saved; they are saved all the same."""
    prices = Prices(editor)
    checks = check_prices(prices.typed, prices.offered, editor.saved if row else {})
    return "".join(f" {tier.label}: {' '.join(found)}" for tier, found in checks.items() if found)


@login_required
@require_POST
def hints(request: UserRequest, pk: UUID | None = None) -> HttpResponse:
    """How the prices that are typed compare; nothing is saved but the wish not to see it. The prices come in the body, as the whole form."""
    if pk is None:
        row, builder = None, get_object_or_404(Builder.objects.select_related("user"), user=request.user)
    else:
        row = get_object_or_404(Service.objects.owned_by(request.user).select_related("category", "builder__user"), pk=pk)
        builder = row.builder
    if row and "hide" in request.POST:
        row.hints_hidden = actions.hide_hints(row.pk, actor=request.user, hidden=request.POST["hide"] == "1").hints_hidden
    data = request.POST.copy()
    tier, _, price = data.get("use", "").partition(":")
    if tier in Tier.values:
        data[f"{tier}-price"] = price
    editor = Editor(data, row)
    if request.htmx:
        return render(request, "catalog/_hints.html", hinted(editor, builder, row))
    return page(request, editor, builder, row)


def saved(request: UserRequest, row: Service, asked: str = "") -> HttpResponse:
    """After saving: publish when that was asked for, and say what is missing when it cannot be done."""
    back = reverse("catalog:edit", args=[row.pk])
    if "publish" not in request.POST:
        return done(request, back, f"Saved.{asked}")
    try:
        actions.publish_service(row.pk, actor=request.user)
    except Invalid as error:
        editor = Editor(service=row)
        context = {"editor": editor, "service": row, "lacks": error.message, **hinted(editor, row.builder, row)}
        return render(request, "catalog/edit.html", context, status=422)
    return done(request, row.get_absolute_url(), f"Published. Clients can find and order it now.{asked}")


@login_required
@require_POST
def publish(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Service.objects.owned_by(request.user), pk=pk)
    actions.publish_service(row.pk, actor=request.user)
    return done(request, reverse("catalog:mine"), f"“{row.title}” is published.")


@login_required
@require_POST
def pause(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Service.objects.owned_by(request.user), pk=pk)
    actions.pause_service(row.pk, actor=request.user)
    return done(request, reverse("catalog:mine"), f"“{row.title}” is paused. Orders that run go on.")
