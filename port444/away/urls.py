from __future__ import annotations

from django.urls import path

from . import views

app_name = "away"
urlpatterns = [
    path("away/", views.home, name="home"),
    path("away/<uuid:span_id>/end/", views.end, name="end"),
    path("away/moves/<uuid:move_id>/object/", views.object_to, name="object"),
    path("away/moves/<uuid:move_id>/keep/", views.keep, name="keep"),
    path("away/moves/<uuid:move_id>/hold/", views.hold, name="hold"),
    path("b/<slug:slug>/back/want/", views.want, name="want"),
    path("b/<slug:slug>/back/forget/", views.forget, name="forget"),
]
