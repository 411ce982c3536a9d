from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from port444.notifications.kinds import Group, Kind, register

from .checks import chain


class PaymentsConfig(AppConfig):
    name = "port444.payments"

    def ready(self) -> None:
        from port444.kit import health, metrics

        from . import actions, handlers, queries
        from .escrow.chain import desk, pulse
        from .models import EscrowKind

        checks.register(chain, checks.Tags.security)
        metrics.watch("money", queries.readings)
        health.watch("chain worker", pulse.is_late)
        health.watch("comparison with the chain", desk.comparison_is_late)
        register(Kind("credit.issued", Group.MONEY))
        register(Kind("credit.voided", Group.MONEY))
        register(Kind("payment.failed", Group.MONEY))
        register(Kind("payment.returned", Group.MONEY))
        register(Kind("refund.completed", Group.MONEY))
        register(Kind("withdrawal.completed", Group.MONEY))
        register(Kind("withdrawal.failed", Group.MONEY))
        register(Kind("withdrawal.held", Group.MONEY))
        register(Kind("withdrawal.released", Group.MONEY))
        register(Kind("payout_address.changed", Group.ACCOUNT, urgent=True))
        register(Kind("bank_account.changed", Group.ACCOUNT, urgent=True))
        handlers.on_escrow("payment", EscrowKind.COLLECT, actions.collected)
        handlers.on_escrow_failed("payment", EscrowKind.COLLECT, actions.collection_failed)
        for kind in (EscrowKind.WITHDRAW, EscrowKind.PAY):
            for purpose in ("refund", "withdrawal"):
                handlers.on_escrow(purpose, kind, actions.part_ended)
                handlers.on_escrow_failed(purpose, kind, actions.part_failed)
