from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "port444.payments"
