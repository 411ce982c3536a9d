"""A service as everybody sees it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.utils.csp import CSP
from django.utils.http import quote_etag
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET

from port444.builders.models import Builder
from port444.catalog import actions, pictures
from port444.catalog.models import Package, Service, ServiceStatus
from port444.catalog.publicity import card_of, public_service
from port444.kit import cards, money, readonly
from port444.kit.clock import now
from port444.kit.http import HtmxRequest, client_ip
from port444.kit.ids import uuid7

REVIEWS = 10


@require_GET
def service(request: HtmxRequest, slug: str) -> HttpResponse:
    offered = Prefetch("packages", Package.objects.filter(is_offered=True).order_by("price", "pk"), to_attr="offered")
    row = get_object_or_404(
        Service.objects.visible_to(request.user).select_related("builder__user", "category__parent").prefetch_related(offered), slug=slug
    )
    moment = now()
    packages: list[Package] = row.offered  # type: ignore[attr-defined]  # by the prefetch
    chosen = packages[len(packages) // 2 if len(packages) == 3 else 0] if packages else None
    is_own = row.builder.user_id == request.user.pk
    would_sell = row.status == ServiceStatus.PUBLISHED and not is_own
    is_missed = would_sell and row.builder.away_stops_orders and row.builder.is_away_at(moment)
    context = {
        "public": public_service(row, packages),
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


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def card(request: HttpRequest, slug: str) -> HttpResponse:
    """The picture that other sites show beside a link to the service."""
    row = get_object_or_404(Service.objects.visible_to(AnonymousUser()).select_related("builder__user"), slug=slug)
    return cards.answer(request, f"services/{row.pk}", card_of(row))
