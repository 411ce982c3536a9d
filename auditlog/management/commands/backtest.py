"""Try parameters of a detector on what has happened."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from auditlog.actions import backtest, try_version
from auditlog.detectors.registry import DETECTORS
from auditlog.models import DetectorVersion
from port444.kit.clock import now

WORDS = {
    "alerts": "alerts",
    "weak": "weak signals",
    "alerts_a_day": "alerts a day",
    "held": "whose payouts wait",
    "people": "people told of",
    "biggest": "largest group",
    "loss": "can be lost, USDC",
    "right": "cases that were right",
    "right_told": "of them told",
    "wrong": "cases that were wrong",
    "wrong_told": "of them told",
}


def setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not like alert_at=60") from error


class Command(BaseCommand):
    help = "Says what a detector would have found with other parameters, beside those in force (docs/detectors.md). Opens nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("detector", choices=[detector.name for detector in DETECTORS])
        parser.add_argument(
            "--set", dest="changed", type=setting, action="append", default=[], help="a parameter, such as alert_at=60; may be repeated"
        )
        parser.add_argument("--draft", dest="number", type=int, help="the parameters of the version with this number; the figures are kept with it")
        parser.add_argument("--days", type=int, default=30, help="how many of the last days (30)")
        parser.add_argument("--parameters", action="store_true", help="list the parameters, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        name, days = options["detector"], options["days"]
        detector = next(one for one in DETECTORS if one.name == name)
        if options["parameters"]:
            for one in detector.parameters:
                self.stdout.write(f"{one.name:22} {one.value:>8g}  {one.least:g} to {one.most:g}  {one.help}")
            return
        unknown = {word for word, _ in options["changed"]} - {one.name for one in detector.parameters}
        if unknown:
            raise CommandError(f"{name} has no parameter {' and no parameter '.join(sorted(unknown))}; --parameters lists them.")
        with tqdm(unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
            if options["number"] is not None:
                version = DetectorVersion.objects.filter(detector=name, number=options["number"]).first()
                if version is None:
                    raise CommandError(f"{name} has no version {options['number']}.")
                figures = try_version(version.pk, days=days, progress=bar.update).backtest
            else:
                try:
                    figures = backtest(name, dict(options["changed"]), since=now() - timedelta(days=days), until=now(), progress=bar.update)
                except ValueError as error:
                    raise CommandError(str(error)) from error
        self.stdout.write(f"{'the last ' + str(days) + ' days':28}{'in force':>12}{'tried':>12}")
        for key, words in WORDS.items():
            self.stdout.write(f"{words:28}{figures['in_force'][key]!s:>12}{figures['tried'][key]!s:>12}")
