"""A library that is loaded at its first use is whole, whatever of it was imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from port444.kit import lazy
from tests import copies

PART_FIRST = """
import sys
from port444.kit import lazy
book = lazy.load("icalendar")
assert "icalendar" not in sys.modules
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
assert book.timezone.windows_to_olson.WINDOWS_TO_OLSON is WINDOWS_TO_OLSON
"""


def test_a_part_imported_before_the_whole() -> None:
    done = subprocess.run([sys.executable, "-c", PART_FIRST], cwd=copies.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(ModuleNotFoundError):
        lazy.load("no_such_library")
