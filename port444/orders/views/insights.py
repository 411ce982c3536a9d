"""How a builder's services do."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from port444.builders.models import Builder
from port444.kit.http import UserRequest
from port444.orders.queries import insights as reads


@login_required
@require_GET
def insights(request: UserRequest) -> HttpResponse:
    """Who looked, who wrote and who ordered, in the last month, quarter or year."""
    builder = Builder.objects.filter(user=request.user).first()
    if builder is None:
        raise Http404
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, reads.SPANS) else min(reads.SPANS)
    return render(request, "orders/insights.html", {"insights": reads.insights(builder, days), "spans": reads.SPANS.items(), "enough": reads.ENOUGH})
