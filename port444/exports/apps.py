from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "port444.exports"
