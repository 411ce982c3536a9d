from __future__ import annotations

from django.urls import path

from . import views

app_name = "away"
urlpatterns = [
    path("b/<slug:slug>/back/want/", views.want, name="want"),
    path("b/<slug:slug>/back/forget/", views.forget, name="forget"),
]
