"""All public pages, for search engines: services, builders, categories and what belongs to none of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.urls import reverse

from port444.builders.models import Builder
from port444.catalog.models import Category, Service, ServiceStatus

from .help import TOPICS

PAGES = ("catalog:search", "catalog:categories", "pages:help", "api_docs")

if TYPE_CHECKING:
    Base = Sitemap[Any]
else:
    Base = Sitemap


class _Here(Base):
    """Absolute addresses begin as those of mails do, whatever the request was sent to."""

    protocol = urlsplit(settings.SITE_URL).scheme

    def get_domain(self, site: Any = None) -> str:
        domain: str = urlsplit(settings.SITE_URL).netloc
        return domain


class _Rows(_Here):
    """Rows with a moment `moved_at`: one query counts them, one reads a page of them, one finds the newest."""

    limit = 5000

    def lastmod(self, row: Any) -> datetime:
        moment: datetime = row.moved_at
        return moment

    def get_latest_lastmod(self) -> datetime | None:
        rows: QuerySet[Any] = self.items()  # type: ignore[assignment]
        newest: datetime | None = rows.aggregate(newest=Max("moved_at"))["newest"]
        return newest


class Services(_Rows):
    def items(self) -> QuerySet[Service]:
        listed = Service.objects.filter(status=ServiceStatus.PUBLISHED, builder__in=Builder.objects.visible())
        return listed.annotate(moved_at=Coalesce("changed_at", "published_at")).only("slug").order_by("pk")


class Builders(_Rows):
    """Those who offer something."""

    def items(self) -> QuerySet[Builder]:
        offering = Exists(Service.objects.filter(builder=OuterRef("pk"), status=ServiceStatus.PUBLISHED))
        return Builder.objects.visible().filter(offering).annotate(moved_at=Coalesce("changed_at", "created_at")).only("slug").order_by("pk")


class Categories(_Here):
    def items(self) -> QuerySet[Category]:
        return Category.objects.only("slug")


class Others(_Here):
    def items(self) -> list[str]:
        return [reverse(name) for name in PAGES] + [reverse("pages:topic", args=[slug]) for slug in TOPICS]

    def location(self, item: str) -> str:
        return item


SITEMAPS: dict[str, Any] = {"services": Services, "builders": Builders, "categories": Categories, "pages": Others}
