#!/usr/bin/env python
"""Django's command line for port444."""

import os
import sys

from django.core.management import BaseCommand, ManagementUtility

from port444.kit import context

OURS = ("port444", "auditlog", "consultations", "amendments", "support")


class CommandLine(ManagementUtility):
    """Names the commands of this project to the audit log. What others bring, a shell above all, stays unnamed: whoever changes
    something there does it past the project's own actions."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if type(command).__module__.split(".")[0] in OURS:
            context.begin(source=f"command:{subcommand}", actor_type="system")
        return command


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "port444.settings")
    CommandLine(sys.argv).execute()
