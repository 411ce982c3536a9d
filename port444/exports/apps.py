from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "port444.exports"

    def ready(self) -> None:
        from port444.notifications.kinds import Group, Kind, register

        register(Kind("account.copy_ready", Group.ACCOUNT))
        register(Kind("account.closing", Group.ACCOUNT))
