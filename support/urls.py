"""Addresses of the console's own pages; the stock ones are the admin's."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "support"

urlpatterns = [
    path("", views.home, name="home"),
    path("queues/<slug:key>/", views.queue, name="queue"),
    path("search/", views.search, name="search"),
    path("audit/", views.audit, name="audit"),
    path("audit/export/", views.export_audit, name="export_audit"),
    path("people/<uuid:person_id>/view/", views.view_as, name="view_as"),
    path("viewing/end/", views.end_viewing, name="end_viewing"),
    path("viewings/", views.viewings, name="viewings"),
    path("viewings/<uuid:viewing_id>/", views.viewing, name="viewing"),
    path("viewings/<uuid:viewing_id>/end/", views.revoke_viewing, name="revoke_viewing"),
]
