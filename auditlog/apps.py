from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.backends.signals import connection_created

from .checks import own_session, role_separation, signing_keys
from .witness import tell_by


class AuditlogConfig(AppConfig):
    name = "auditlog"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from port444.kit import health, metrics

        from . import queries

        register(role_separation, Tags.database)
        register(own_session, Tags.database)
        register(signing_keys, Tags.security)
        metrics.watch("audit log", queries.readings)
        health.watch("seals of the audit log", queries.sealing_is_late)
        health.watch("anchors of the audit log", queries.anchoring_is_late)
        health.watch("looks at the audit log", queries.looking_is_late)
        health.watch("runs of the detectors", queries.detecting_is_late)
        connection_created.connect(tell_by)
