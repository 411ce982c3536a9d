"""Look at everything, and say what is not as it has to be."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import django

django.setup()

from . import money, onchain, rest, work  # noqa: E402 (after setup)
from .check import Check  # noqa: E402


def all_of_them(facts: Mapping[str, Any]) -> Iterator[Check]:
    """What cannot be looked at is broken as well, and no reason not to look at the rest."""
    parts = {
        "rest": rest.checks(),  # first: to compare books and chain may ask for more
        "the books": money.checks(),
        "the chain": onchain.checks(facts),
        "people and providers": work.checks(facts),
        "the log": rest.log(),
    }
    for name, checks in parts.items():
        try:
            yield from checks
        except Exception:  # noqa: BLE001 - told with all others
            yield Check(f"{name} could be looked at to the end", 1, [traceback.format_exc(limit=-3)])


if __name__ == "__main__":
    print(json.dumps([check.as_json() for check in all_of_them(json.load(sys.stdin))], default=str))
