from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "port444.orders"
