"""Addresses of payments."""

from __future__ import annotations

from django.urls import path

from . import api, views

app_name = "payments"

urlpatterns = [
    path("pay/<uuid:invoice_id>/", views.checkout, name="checkout"),
    path("pay/<uuid:invoice_id>/start/", views.start, name="start"),
    path("pay/<uuid:invoice_id>/return/", views.returned, name="return"),
    path("wallet/<uuid:payment_id>/", views.wallet, name="wallet"),
    path("wallet/<uuid:payment_id>/answer/", views.answer_wallet, name="answer_wallet"),
    path("payments/callback/sandbox/", api.sandbox_callback, name="sandbox_callback"),
]
