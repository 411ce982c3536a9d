from django.apps import AppConfig


class BuildersConfig(AppConfig):
    name = "port444.builders"
