"""How often an open page asks, as static/js/live.js has it. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

SCRIPT = (Path(__file__).resolve().parent.parent / "static" / "js" / "live.js").read_text()
TALK, BELL = 4.0, 15.0  # data-live in templates/messaging/_tail.html and templates/notifications/_bell.html


def constant(name: str) -> float:
    found = re.search(rf"\b{name} = ([0-9.]+)", SCRIPT)
    assert found is not None, name
    return float(found[1])


CALM, SLOWER, LONGEST, LEAST_LONGEST = map(constant, ("CALM", "SLOWER", "LONGEST", "LEAST_LONGEST"))


def wait(every: float, calm: int) -> float:
    """Seconds until the next question, after so many answers without news; the script takes up to 15 % more or less."""
    return float(min(max(LEAST_LONGEST, every * LONGEST), every * SLOWER ** max(0.0, calm - CALM)))
