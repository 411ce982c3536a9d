from django.apps import AppConfig


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self) -> None:
        from port444.notifications import kinds
        from port444.payments import handlers

        from . import actions, emails

        handlers.register(
            "consultation", lock=actions.lock_for_payment, settled=actions.call_paid, unpaid=actions.call_unpaid, describe=emails.describe
        )
        for key in ("call_scheduled", "call_cancelled"):
            kinds.register(kinds.Kind(key, kinds.Group.CALLS, urgent=True, sms=True, attach=emails.invitation))
        kinds.register(kinds.Kind("call_late", kinds.Group.CALLS, urgent=True))
        kinds.register(kinds.Kind("call_completed", kinds.Group.CALLS))
