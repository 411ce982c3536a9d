from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import role_separation


class AuditlogConfig(AppConfig):
    name = "auditlog"
    verbose_name = "Audit log"

    def ready(self) -> None:
        register(role_separation, Tags.database)
