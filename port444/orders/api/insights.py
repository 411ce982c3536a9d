"""The API of how services do."""

from __future__ import annotations

from django.http import Http404
from ninja import Query, Router, Schema
from pydantic import Field

from port444.accounts.callers import may
from port444.builders.models import Builder
from port444.kit.http import UserRequest
from port444.kit.rest import answers
from port444.orders.queries import insights as reads
from port444.orders.schemas import InsightsOut, insights_out

router = Router(tags=["Insights"])


class Span(Schema):
    days: int = Field(30, ge=1, le=365, description="How many days, with today")


@router.get("/insights", response=answers(200, InsightsOut), auth=may(), summary="How your services do")
def get_insights(request: UserRequest, span: Query[Span]) -> InsightsOut:
    """For builders: who looked, who wrote, and who ordered."""
    builder = Builder.objects.filter(user=request.user).first()
    if builder is None:
        raise Http404
    return insights_out(reads.insights(builder, span.days))
