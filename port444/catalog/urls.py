from __future__ import annotations

from django.urls import path

from . import views

app_name = "catalog"
urlpatterns = [
    path("", views.search, name="search"),
    path("s/<slug:slug>/", views.service, name="service"),
    path("s/<slug:slug>/cover.svg", views.cover, name="cover"),
    path("services/", views.mine, name="mine"),
    path("services/new/", views.create, name="create"),
    path("services/new/hints/", views.hints, name="new_hints"),
    path("services/<uuid:pk>/hints/", views.hints, name="hints"),
    path("services/<uuid:pk>/", views.edit, name="edit"),
    path("services/<uuid:pk>/publish/", views.publish, name="publish"),
    path("services/<uuid:pk>/pause/", views.pause, name="pause"),
]
