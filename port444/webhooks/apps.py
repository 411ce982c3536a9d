from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "port444.webhooks"

    def ready(self) -> None:
        from auditlog import handlers
        from port444.kit import health, metrics
        from port444.notifications.kinds import Group, Kind, register

        from . import actions, events, queries

        handlers.follow(events.TABLE, actions.on_record)
        register(Kind("webhook.failing", Group.ACCOUNT))
        register(Kind("webhook.disabled", Group.ACCOUNT))
        health.watch("webhooks", queries.sending_is_late)
        metrics.watch("webhooks", queries.readings)
