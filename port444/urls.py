"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from port444.api import api, docs
from port444.kit import health, metrics

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("docs/api/", docs, name="api_docs"),
    path("api/", api.urls),
    path("account/", include("allauth.urls")),
    path("", include("port444.notifications.urls")),
    path("", include("port444.messaging.urls")),
    path("", include("port444.payments.urls")),
    path("", include("port444.accounts.urls")),
    path("", include("port444.orders.urls")),
    path("", include("amendments.urls")),
    path("", include("port444.away.urls")),
    path("", include("port444.webhooks.urls")),
    path("", include("port444.exports.urls")),
    path("", include("port444.pages.urls")),
    path("console/", include("support.urls")),
    path("console/", admin.site.urls),
    path("", include("consultations.urls")),
    path("", include("port444.favourites.urls")),
    path("", include("port444.builders.urls")),
    path("", include("port444.catalog.urls")),
]
