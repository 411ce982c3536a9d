from django.apps import AppConfig


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self) -> None:
        from port444.kit import health
        from port444.messaging.handlers import register_chips, register_facts
        from port444.notifications import kinds
        from port444.orders.handlers import add_needs
        from port444.payments import handlers
        from port444.payments.actions import repay
        from port444.payments.models import EscrowKind

        from . import actions, emails, queries

        handlers.register(
            "consultation",
            lock=actions.lock_for_payment,
            settled=actions.call_paid,
            unpaid=actions.call_unpaid,
            describe=emails.describe,
            begun=actions.payment_begun,
        )
        handlers.register_deal("consultation", actions.lock_for_escrow)
        handlers.on_escrow("consultation", EscrowKind.REFUND, repay)
        handlers.register_credit("consultation_conversion", lock=actions.lock_source, used=actions.credit_used, returned=actions.credit_returned)
        register_chips(queries.chips)
        register_facts(queries.facts)
        add_needs(queries.needs)
        for key in ("call_scheduled", "call_moved", "call_cancelled"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True, sms=True, attach=emails.invitation))
        for key in ("call_reminder_24h", "call_reminder_1h"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True, sms=True, holds=emails.reminder_holds))
        health.watch("reminders of calls", queries.reminders_are_late)
        health.watch("calendars", queries.reads_are_late)
        health.watch("rooms of calls", queries.rooms_are_late)
        for key in ("call_absence_reported", "call_no_show"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, sms=True))
        for key in ("call_absence_asked", "call_absence_disputed", "call_absence_dismissed", "call_absence_to_decide"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS))
        for key in ("calendar_broken", "calendar_conflict", "calendar_copy_failed", "calendar_stale"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True))
        kinds.register(kinds.Kind("call_room_missing", kinds.Group.CALLS, urgent=True))
        kinds.register(kinds.Kind("call_late", kinds.Group.CALLS, urgent=True))
        for key in ("call_proposed", "call_vanished"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True, sms=True))
        for key in ("call_proposal_answered", "call_kept"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True))
        kinds.register(kinds.Kind("call_completed", kinds.Group.CALLS))
