from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "port444.orders"

    def ready(self) -> None:
        from port444.kit import health
        from port444.messaging.handlers import register_cards, register_chips, register_companions, register_facts, register_panels
        from port444.notifications.kinds import Group, Kind, register
        from port444.payments import handlers
        from port444.payments.models import EscrowKind

        from . import actions, checkout, queries
        from .handlers import add_part, before_delivery, before_dispute, before_end
        from .models import DIGEST

        handlers.register("order", lock=actions.lock_for_payment, settled=actions.order_paid, unpaid=actions.order_unpaid, describe=checkout.describe)
        handlers.register_deal("order", actions.lock_for_payment)
        handlers.on_escrow("order", EscrowKind.OPEN, actions.order_funded)
        handlers.on_escrow("order", EscrowKind.REFUND, actions.order_repaid)
        handlers.on_escrow_failed("order", EscrowKind.OPEN, actions.order_unfunded)
        add_part(queries.disputes.OnOrders())
        add_part(queries.partings.OnOrders())
        for register_idle in (before_end, before_dispute, before_delivery):
            register_idle(actions.parting_is_idle)
        handlers.on_escrow_failed("order", EscrowKind.REFUND, actions.reduction_failed)
        register_chips(queries.offers.chips)
        register_chips(queries.chips)
        register_facts(queries.facts)
        register_facts(queries.reviews.facts)
        register_companions(queries.companions)
        register_cards("offer", queries.offers.cards)
        register_panels(queries.offers.panels)
        register_panels(queries.suggestions.panels)
        # Deliveries and cancellations may be waited for, so an SMS is offered; nothing here wakes anybody up.
        register(Kind("order.placed", Group.ORDERS, sms=True))
        register(Kind("order.paid", Group.ORDERS))
        register(Kind("order.expired", Group.ORDERS))
        register(Kind("order.started", Group.ORDERS, sms=True))
        register(Kind("order.asked_more", Group.ORDERS, sms=True))
        register(Kind("order.answered_more", Group.ORDERS, sms=True))
        register(Kind("order.delivered", Group.ORDERS, sms=True))
        register(Kind("order.revision", Group.ORDERS, sms=True))
        register(Kind("order.completed", Group.ORDERS))
        register(Kind("order.cancelled", Group.ORDERS, sms=True))
        for key in ("order.reviewed", "order.reviews_shown", "order.review_replied"):
            register(Kind(key, Group.ORDERS))
        for key in ("dispute.opened", "dispute.escalated", "dispute.settled", "dispute.decided"):
            register(Kind(key, Group.ORDERS, sms=True))
        for key in ("parting.proposed", "parting.accepted"):
            register(Kind(key, Group.ORDERS, sms=True))
        for key in ("parting.declined", "parting.withdrawn", "parting.lapsed"):
            register(Kind(key, Group.ORDERS))
        for key in ("dispute.answered", "dispute.evidence", "dispute.withdrawn", "order.merged", "order.split", "order.undone"):
            register(Kind(key, Group.ORDERS))
        register(Kind("order.refunded", Group.ORDERS))
        register(Kind("offer.received", Group.ORDERS, sms=True))
        register(Kind("offer.countered", Group.ORDERS, sms=True))
        register(Kind("offer.declined", Group.ORDERS))
        register(Kind("offer.withdrawn", Group.ORDERS))
        for key in ("order.nudge_answers", "order.nudge_review", DIGEST):
            register(Kind(key, Group.ORDERS, holds=queries.nudge_holds))
        register(Kind("order.nudge_last", Group.ORDERS, sms=True, holds=queries.nudge_holds))
        health.watch("reminders of orders", queries.nudges_are_late)
