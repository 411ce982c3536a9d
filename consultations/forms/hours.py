"""The shape of a builder's hours, prices and rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from django import forms

from consultations.actions.availability import DAYS, Terms
from consultations.slots import DAY_MINUTES, AnyWindow, Window
from port444.accounts.models import check_zone
from port444.builders.models import LENGTHS
from port444.kit.amounts import AmountField

HALF_HOURS = 48
NOTICE = [
    (1, "1 hour"),
    (2, "2 hours"),
    (4, "4 hours"),
    (8, "8 hours"),
    (12, "12 hours"),
    (24, "1 day"),
    (48, "2 days"),
    (72, "3 days"),
    (168, "a week"),
]
HORIZON = [(14, "2 weeks"), (30, "30 days"), (60, "60 days"), (90, "90 days"), (180, "180 days")]
GAP = [(0, "No break"), (5, "5 minutes"), (10, "10 minutes"), (15, "15 minutes"), (30, "30 minutes"), (60, "1 hour")]


class AvailabilityForm(forms.Form):
    """Prices, hours and rules of a builder's calls. `h` holds one "weekday-halfhour" for every open half hour."""

    enabled = forms.BooleanField(required=False, label="Clients can book calls")
    price_15 = AmountField(required=False, label="15 minutes")
    price_30 = AmountField(required=False, label="30 minutes")
    price_60 = AmountField(required=False, label="60 minutes")
    h = forms.MultipleChoiceField(
        required=False,
        choices=[(f"{d}-{s}", "") for d in range(7) for s in range(HALF_HOURS)],
        error_messages={"invalid_choice": "That is not an hour of the week."},
    )
    notice_hours = forms.TypedChoiceField(choices=NOTICE, coerce=int, label="Notice before a call")
    gap_minutes = forms.TypedChoiceField(choices=GAP, coerce=int, label="Break after each call")
    horizon_days = forms.TypedChoiceField(choices=HORIZON, coerce=int, label="Bookable ahead")
    time_zone = forms.CharField(max_length=64, validators=[check_zone], label="Time zone of your hours")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # A saved number that the list does not name is offered too, or the form would show, and save, another one.
        for name, known, unit in (("notice_hours", NOTICE, "hours"), ("gap_minutes", GAP, "minutes"), ("horizon_days", HORIZON, "days")):
            field, saved = self.fields[name], self.initial.get(name)
            assert isinstance(field, forms.TypedChoiceField)
            if saved is not None and saved not in dict(known):
                field.choices = sorted([*known, (saved, f"{saved} {unit}")])

    def windows(self) -> list[Window]:
        """The ticked half hours, joined into windows."""
        return windows_of(self.cleaned_data["h"])

    def terms(self) -> Terms:
        cleaned = self.cleaned_data
        return Terms(cleaned["time_zone"], cleaned["notice_hours"], cleaned["horizon_days"], cleaned["gap_minutes"])

    def prices(self) -> dict[int, Any]:
        return {minutes: self.cleaned_data[f"price_{minutes}"] for minutes in LENGTHS}


def windows_of(cells: Iterable[str]) -> list[Window]:
    """Half hours as windows: neighbours of one day are joined."""
    windows: list[Window] = []
    for weekday, half in sorted({(int(d), int(s)) for d, _, s in (cell.partition("-") for cell in cells)}):
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
        return [f"{day}-{half}" for day in range(5) for half in range(18, 34)]
    return []


@dataclass(frozen=True, slots=True)
class Cell:
    """One half hour of the grid."""

    value: str
    label: str
    is_open: bool
    has_call: bool


@dataclass(frozen=True, slots=True)
class Hour:
    """One row of the grid: seven days with two halves each."""

    label: str
    days: Sequence[Sequence[Cell]]


def grid(cells: Iterable[str], booked: Iterable[tuple[int, int]]) -> list[Hour]:
    """The week as rows of hours."""
    ticked, calls = set(cells), set(booked)

    def cell(day: int, half: int) -> Cell:
        has_call = (day, half) in calls
        note = ", a call is booked" if has_call else ""
        return Cell(f"{day}-{half}", f"{DAYS[day]} {half // 2:02d}:{half % 2 * 30:02d}{note}", f"{day}-{half}" in ticked, has_call)

    return [Hour(f"{hour:02d}:00", [[cell(day, hour * 2), cell(day, hour * 2 + 1)] for day in range(7)]) for hour in range(24)]
