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


def reads_a_file(words: list[str]) -> bool:
    """Whether the detectors run over somebody's file: nothing is served, signed or stored then, so that it takes neither keys nor a database."""
    return words[:1] == ["detect"] and any(word.split("=")[0] == "--input" for word in words)


if __name__ == "__main__":
    if reads_a_file(sys.argv[1:]):
        os.environ.setdefault("PORT444_ENV", "development")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "port444.settings")
    CommandLine(sys.argv).execute()
