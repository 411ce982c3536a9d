import logging

from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import production


class KitConfig(AppConfig):
    name = "port444.kit"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, pre_execute  # its models have to be there first

        from . import health, jobs, metrics
        from .addresses import without_secrets

        register(production, Tags.security)
        for name in ("django.request", "django.security.csrf"):
            logging.getLogger(name).addFilter(without_secrets)
        pre_execute.connect(jobs.begin)
        post_execute_in_worker.connect(jobs.note)
        post_execute_in_worker.connect(jobs.end)
        metrics.watch("queue", jobs.readings)
        metrics.watch("late", health.readings)
