from django.apps import AppConfig


class KitConfig(AppConfig):
    name = "port444.kit"
