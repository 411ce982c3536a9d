from __future__ import annotations

from django.urls import path

from . import views

app_name = "exports"
urlpatterns = [
    path("settings/data/", views.own, name="own"),
    path("settings/data/<uuid:copy_id>/", views.copy, name="copy"),
]
