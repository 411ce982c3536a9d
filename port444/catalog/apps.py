from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "port444.catalog"

    def ready(self) -> None:
        from port444.catalog.actions import FOUND
        from port444.notifications.kinds import Group, Kind, register

        register(Kind(FOUND, Group.FINDING))
