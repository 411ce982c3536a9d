from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "port444.demo"
