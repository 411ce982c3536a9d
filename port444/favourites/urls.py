from __future__ import annotations

from django.urls import path

from . import views

app_name = "favourites"
urlpatterns = [
    path("saved/", views.saved, name="saved"),
    path("saved/services/<slug:slug>/", views.service, name="service"),
    path("saved/builders/<slug:slug>/", views.builder, name="builder"),
]
