from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import production


class KitConfig(AppConfig):
    name = "port444.kit"

    def ready(self) -> None:
        register(production, Tags.security)
