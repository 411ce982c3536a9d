from __future__ import annotations

from django.urls import path

from . import views

app_name = "accounts"

urlpatterns = [
    path("settings/", views.profile, name="settings"),
    path("settings/theme/", views.theme, name="theme"),
    path("settings/language/", views.language, name="language"),
    path("settings/offer-work/", views.offer_work, name="offer_work"),
    path("settings/tokens/", views.tokens, name="tokens"),
    path("settings/tokens/new/", views.new_token, name="new_token"),
    path("settings/tokens/<uuid:token_id>/revoke/", views.revoke_token, name="revoke_token"),
    path("settings/devices/", views.devices, name="devices"),
    path("settings/devices/sign-out/", views.sign_out_elsewhere, name="sign_out_elsewhere"),
]
