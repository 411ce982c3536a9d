from __future__ import annotations

from django.urls import path

from . import views

app_name = "builders"
urlpatterns = [
    path("b/<slug:slug>/", views.detail, name="detail"),
    path("b/<slug:slug>/photo.svg", views.photo, name="photo"),
    path("settings/profile/", views.edit, name="edit"),
    path("settings/profile/photo/", views.put_photo, name="put_photo"),
]
