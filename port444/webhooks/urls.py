from __future__ import annotations

from django.urls import path

from . import views

app_name = "webhooks"

urlpatterns = [
    path("settings/webhooks/", views.listing, name="list"),
    path("settings/webhooks/new/", views.add, name="add"),
    path("settings/webhooks/<uuid:endpoint_id>/", views.detail, name="detail"),
    path("settings/webhooks/<uuid:endpoint_id>/edit/", views.change, name="change"),
    path("settings/webhooks/<uuid:endpoint_id>/key/", views.rotate, name="rotate"),
    path("settings/webhooks/<uuid:endpoint_id>/ping/", views.ping, name="ping"),
    path("settings/webhooks/<uuid:endpoint_id>/pause/", views.pause, name="pause"),
    path("settings/webhooks/<uuid:endpoint_id>/resume/", views.resume, name="resume"),
    path("settings/webhooks/<uuid:endpoint_id>/remove/", views.remove, name="remove"),
    path("settings/webhooks/<uuid:endpoint_id>/replay/", views.replay_failed, name="replay_failed"),
    path("settings/webhooks/deliveries/<uuid:delivery_id>/", views.delivery, name="delivery"),
    path("settings/webhooks/deliveries/<uuid:delivery_id>/replay/", views.replay, name="replay"),
]
