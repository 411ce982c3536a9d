from __future__ import annotations

from django.apps import AppConfig


class AwayConfig(AppConfig):
    name = "port444.away"

    def ready(self) -> None:
        from port444.notifications.kinds import Group, Kind, register

        from . import actions

        register(Kind("away.near", Group.ORDERS, holds=actions.is_near))
        register(Kind("away.back", Group.ORDERS))
        register(Kind("away.returned", Group.MESSAGES, holds=actions.is_back))
