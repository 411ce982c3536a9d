from __future__ import annotations

from django.urls import path

from . import views

app_name = "pages"
urlpatterns = [
    path("help/", views.help_home, name="help"),
    path("help/<slug:slug>/", views.topic, name="topic"),
    path("settings/all/", views.settings_overview, name="settings"),
    path("robots.txt", views.robots, name="robots"),
    path("sitemap.xml", views.sitemap, name="sitemap"),
    path("sitemap-<slug:section>.xml", views.sitemap_of, name="sitemap_of"),
    path("card.jpg", views.card, name="card"),
]
