"""Writing services, and taking them to market."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.builders.models import Builder
from port444.catalog import actions
from port444.catalog.forms import Editor, Prices
from port444.catalog.models import Service, Tier
from port444.catalog.queries import Hint, check_prices, price_hints
from port444.kit import money
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import UserRequest, done


def own_builder(request: UserRequest) -> Builder | None:
    return Builder.objects.filter(user=request.user).select_related("user").first()


@login_required
@require_GET
def mine(request: UserRequest) -> HttpResponse:
    builder = own_builder(request)
    services = Service.objects.owned_by(request.user).select_related("category").defer("description").order_by("-created_at", "-pk")
    context = {"builder": builder, "services": services[: actions.MOST_SERVICES] if builder else []}
    return render(request, "catalog/mine.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def create(request: UserRequest) -> HttpResponse:
    builder = own_builder(request)
    if builder is None:
        return done(request, reverse("builders:edit"), _("First say who you are; then add your services."))
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
        return done(request, back, _("Saved.") + asked)
    try:
        actions.publish_service(row.pk, actor=request.user)
    except Invalid as error:
        editor = Editor(service=row)
        context = {"editor": editor, "service": row, "lacks": error.message, **hinted(editor, row.builder, row)}
        return render(request, "catalog/edit.html", context, status=422)
    return done(request, row.get_absolute_url(), _("Published. Clients can find and order it now.") + asked)


@login_required
@require_POST
def publish(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Service.objects.owned_by(request.user), pk=pk)
    actions.publish_service(row.pk, actor=request.user)
    return done(request, reverse("catalog:mine"), _("“%(title)s” is published.") % {"title": row.title})


@login_required
@require_POST
def pause(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Service.objects.owned_by(request.user), pk=pk)
    actions.pause_service(row.pk, actor=request.user)
    return done(request, reverse("catalog:mine"), _("“%(title)s” is paused. Orders that run go on.") % {"title": row.title})
