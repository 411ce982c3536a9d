"""The painted week: half hours as checkboxes, and as windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeGuard

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from consultations.actions.availability import DAYS
from consultations.slots import DAY_MINUTES, AnyWindow, Window

HALF_HOURS = 48
CELLS = [f"{day}-{half}" for day in range(7) for half in range(HALF_HOURS)]
OFFICE = [f"{day}-{half}" for day in range(5) for half in range(18, 34)]  # Monday to Friday, nine to five
CHECKED, DOT = SafeString(" checked"), SafeString('<i class="buoy-dot"></i>')


def windows_of(cells: Iterable[str]) -> list[Window]:
    """Half hours as windows: neighbours of one day are joined."""
    windows: list[Window] = []
    for weekday, half in sorted({(int(d), int(s)) for d, dash, s in (cell.partition("-") for cell in cells)}):
        if windows and windows[-1].weekday == weekday and windows[-1].end_minute == half * 30:
            windows[-1] = Window(weekday, windows[-1].start_minute, half * 30 + 30)
        else:
            windows.append(Window(weekday, half * 30, half * 30 + 30))
    return windows


def is_painted(window: AnyWindow) -> TypeGuard[Window]:
    """Whether a window is part of the week that is painted: open every week, from ever."""
    return isinstance(window, Window) and window.every == 1 and window.anchor is None


def cells_of(windows: Iterable[AnyWindow]) -> set[str]:
    """The half hours of the week that windows cover."""
    return {f"{w.weekday}-{half}" for w in windows if is_painted(w) for half in range(w.start_minute // 30, min(w.end_minute, DAY_MINUTES) // 30)}


def changed_cells(cells: Sequence[str], what: str) -> list[str]:
    """The half hours after one of the shortcuts beside the grid."""
    if what == "copy":
        monday = [cell.partition("-")[2] for cell in cells if cell.startswith("0-")]
        rest = [cell for cell in cells if cell[:2] in ("0-", "5-", "6-")]
        return [*rest, *(f"{day}-{half}" for day in range(1, 5) for half in monday)]
    if what == "office":
        return OFFICE
    return []


@dataclass(frozen=True, slots=True)
class Hour:
    """One row of the grid: the cells of seven days with two halves each."""

    label: str
    cells: SafeString
    is_open: bool


def grid(cells: Iterable[str], booked: Iterable[tuple[int, int]]) -> list[Hour]:
    """The week as rows of hours."""
    ticked, calls, language = set(cells), set(booked), get_language() or ""

    def hour(number: int) -> Hour:
        halves = [[(day, number * 2 + half) for half in (0, 1)] for day in range(7)]
        days = [[_cell(day, half, f"{day}-{half}" in ticked, (day, half) in calls, language) for day, half in pair] for pair in halves]
        html = format_html_join("", "<td>{}{}</td>", days)
        return Hour(f"{number:02d}:00", html, any(f"{day}-{half}" in ticked for pair in halves for day, half in pair))

    return [hour(number) for number in range(24)]


@cache
def _cell(day: int, half: int, is_open: bool, has_call: bool, language: str) -> SafeString:
    """A half hour, in the active language, which is given to be remembered by. There are few different ones and hundreds on a page, where a
    template would take most of its time for them.
    """
    at = f"{DAYS[day]} {half // 2:02d}:{half % 2 * 30:02d}"
    label = _("%(at)s, a call is booked") % {"at": at} if has_call else at
    box = format_html('<input type="checkbox" name="h" value="{}-{}" aria-label="{}"{}>', day, half, label, CHECKED if is_open else "")
    return format_html('<label class="hr half">{}{}</label>', box, DOT if has_call else "")
