from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from port444.kit.jobs import sync_schedules


class Command(BaseCommand):
    help = "Write the schedules of the settings into the queue's table."

    def handle(self, *args: Any, **options: Any) -> None:
        sync_schedules(settings.SCHEDULES)
        self.stdout.write(f"{len(settings.SCHEDULES)} schedules")
