from __future__ import annotations

from django.apps import AppConfig


class AmendmentsConfig(AppConfig):
    name = "amendments"

    def ready(self) -> None:
        from port444.notifications.kinds import Group, Kind, register
        from port444.orders.handlers import add_part, before_delivery, before_dispute, before_end
        from port444.payments import handlers
        from port444.payments.models import EscrowKind

        from . import actions, checkout, queries

        handlers.register(
            "amendment",
            lock=actions.lock_for_payment,
            settled=actions.amendment_paid,
            unpaid=actions.amendment_unpaid,
            describe=checkout.describe,
        )
        for kind in (EscrowKind.AMEND, EscrowKind.EXTEND):
            handlers.on_escrow("order", kind, actions.escrow_took_it)
            handlers.on_escrow_failed("order", kind, actions.escrow_gave_up)
        before_end(actions.order_ends)
        before_dispute(actions.dispute_begins)
        before_delivery(actions.work_is_handed_over)
        add_part(queries.OnOrders())
        for key in ("amendment.proposed", "amendment.approved", "amendment.changes", "amendment.failed"):
            register(Kind(key, Group.ORDERS, sms=True))
        for key in ("amendment.declined", "amendment.withdrawn", "amendment.expired", "amendment.completed", "amendment.refunded"):
            register(Kind(key, Group.ORDERS))
