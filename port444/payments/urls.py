"""Addresses of payments."""

from __future__ import annotations

from django.urls import path

from . import api, views

app_name = "payments"

urlpatterns = [
    path("pay/<uuid:invoice_id>/", views.checkout, name="checkout"),
    path("pay/<uuid:invoice_id>/start/", views.start, name="start"),
    path("pay/<uuid:invoice_id>/return/", views.returned, name="return"),
    path("pay/<uuid:payment_id>/wallet/", views.own_wallet, name="own_wallet"),
    path("pay/<uuid:payment_id>/wallet/sign/", views.sign_with_wallet, name="sign_with_wallet"),
    path("pay/<uuid:payment_id>/wallet/send/", views.send_from_wallet, name="send_from_wallet"),
    path("pay/<uuid:payment_id>/wallet/sent/", views.sent_from_wallet, name="sent_from_wallet"),
    path("pay/<uuid:payment_id>/wallet/again/", views.wallet_again, name="wallet_again"),
    path("wallet/<uuid:payment_id>/", views.wallet, name="wallet"),
    path("wallet/<uuid:payment_id>/answer/", views.answer_wallet, name="answer_wallet"),
    path("invoices/", views.invoices, name="invoices"),
    path("invoices/<uuid:invoice_id>/", views.invoice, name="invoice"),
    path("invoices/<uuid:invoice_id>/pdf/", views.invoice_pdf, name="invoice_pdf"),
    path("credits/", views.credits, name="credits"),
    path("spending/", views.spending, name="spending"),
    path("spending/file/", views.spending_file, name="spending_file"),
    path("earnings/", views.earnings, name="earnings"),
    path("earnings/file/", views.earnings_file, name="earnings_file"),
    path("earnings/withdraw/", views.withdraw, name="withdraw"),
    path("earnings/quote/", views.quote, name="quote"),
    path("earnings/withdrawals/", views.withdrawals, name="withdrawals"),
    path("earnings/withdrawals/<uuid:withdrawal_id>/cancel/", views.cancel, name="cancel_withdrawal"),
    path("earnings/address/", views.address, name="address"),
    path("earnings/bank/", views.bank, name="bank"),
    path("earnings/bank/remove/", views.remove_bank, name="remove_bank"),
    path("payments/callback/sandbox/", api.sandbox_callback, name="sandbox_callback"),
]
