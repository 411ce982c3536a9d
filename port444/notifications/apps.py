from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "port444.notifications"

    def ready(self) -> None:
        from port444.kit import metrics

        from . import queries

        metrics.watch("messages", queries.readings)
