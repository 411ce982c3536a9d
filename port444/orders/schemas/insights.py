"""How services do, as the API says it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import Field

from port444.kit.rest import Money, Out
from port444.orders.queries import insights as reads


class InsightFigures(Out):
    visitors: int = Field(description="People who looked at a service, each once a day")
    talks: int = Field(description="Conversations that began")
    orders: int = Field(description="Orders paid")
    sold: Money = Field(description="Their prices, before fees")
    completed: int = Field(description="Orders completed, whenever they were paid")


class InsightService(Out):
    id: UUID
    title: str
    visitors: int
    orders: int
    sold: Money


class InsightsOut(Out):
    days: int
    since: date = Field(description="The first of the days, in UTC; today is the last")
    figures: InsightFigures
    before: InsightFigures = Field(description="As many days before")
    services: list[InsightService] = Field(description="What sold most first; 50 at most")


def insights_out(found: reads.Insights) -> InsightsOut:
    return InsightsOut(
        days=found.days,
        since=found.since,
        figures=_figures(found.figures),
        before=_figures(found.before),
        services=[
            InsightService(id=row.service.pk, title=row.service.title, visitors=row.visitors, orders=row.orders, sold=row.sold)
            for row in found.services
        ],
    )


def _figures(of: reads.Figures) -> InsightFigures:
    return InsightFigures(visitors=of.visitors, talks=of.talks, orders=of.orders, sold=of.sold, completed=of.completed)
