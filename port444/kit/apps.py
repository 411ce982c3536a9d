from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import production


class KitConfig(AppConfig):
    name = "port444.kit"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, pre_execute  # its models have to be there first

        from . import jobs

        register(production, Tags.security)
        pre_execute.connect(jobs.begin)
        post_execute_in_worker.connect(jobs.end)
