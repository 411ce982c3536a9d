from __future__ import annotations

from django.apps import AppConfig


class AwayConfig(AppConfig):
    name = "port444.away"

    def ready(self) -> None:
        from port444.notifications.kinds import Group, Kind, register
        from port444.orders.handlers import add_part

        from . import actions, queries

        add_part(queries.OnOrders())
        register(Kind("away.moved", Group.ORDERS, sms=True))
        register(Kind("away.objected", Group.ORDERS, sms=True))
        register(Kind("away.settled", Group.ORDERS, sms=True))
        register(Kind("away.near", Group.ORDERS, holds=actions.is_near))
        register(Kind("away.back", Group.ORDERS))
        register(Kind("away.returned", Group.MESSAGES, holds=actions.is_back))
