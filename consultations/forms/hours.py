"""The shape of a builder's hours, prices and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import date
from functools import lru_cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consultations.actions.availability import MOST_OTHER, Leave, Terms
from consultations.models import CallSettings, MeetingProvider, RefundPolicy
from consultations.queries import hours_by
from consultations.slots import LAST, AnyWindow, Hours, MonthDay, MonthWeekday, Once, Window
from port444.accounts.models import check_zone
from port444.builders.models import LENGTHS
from port444.kit.amounts import AmountField

from .week import CELLS, windows_of

NOTICE = [
    (1, _("1 hour")),
    (2, _("2 hours")),
    (4, _("4 hours")),
    (8, _("8 hours")),
    (12, _("12 hours")),
    (24, _("1 day")),
    (48, _("2 days")),
    (72, _("3 days")),
    (168, _("a week")),
]
HORIZON = [(14, _("2 weeks")), (30, _("30 days")), (60, _("60 days")), (90, _("90 days")), (180, _("180 days"))]
GAP = [(0, _("No break")), (5, _("5 minutes")), (10, _("10 minutes")), (15, _("15 minutes")), (30, _("30 minutes")), (60, _("1 hour"))]
CALLS_A_DAY: list[tuple[int, Any]] = [(0, _("No limit")), *((n, str(n)) for n in (1, 2, 3, 4, 5, 6, 8, 10, 12))]
REFUNDS = [
    (RefundPolicy.FREE, _("Free until then"), _("Everything back when they cancel in time, nothing later.")),
    (RefundPolicy.HALF, _("Half after that"), _("Everything back in time, half when they cancel later.")),
    (RefundPolicy.NONE, _("No refunds"), _("Nothing back whenever they cancel. They see it before they pay.")),
]
BEFORE = [
    (1, _("1 hour before")),
    (2, _("2 hours before")),
    (4, _("4 hours before")),
    (12, _("12 hours before")),
    (24, _("1 day before")),
    (48, _("2 days before")),
    (72, _("3 days before")),
    (168, _("a week before")),
]
MOVES = [(0, _("Never, they ask you")), (1, _("Once")), (2, _("Twice")), (3, _("3 times")), (5, _("5 times"))]
CLOCK = [(n * 30, f"{n // 2:02d}:{n % 2 * 30:02d}") for n in range(49)]
REPEATS = [
    ("once", _("Only on this date")),
    ("2", _("Every 2 weeks")),
    ("3", _("Every 3 weeks")),
    ("4", _("Every 4 weeks")),
    ("6", _("Every 6 weeks")),
    ("8", _("Every 8 weeks")),
    ("date", _("Every month on this date")),
    ("nth", _("Every month on this weekday, like the second Tuesday")),
    ("last", _("Every month on the last such weekday")),
    ("end", _("Every month on its last day")),
]
YEARS = range(2000, 2100)
CHOSEN = SafeString(" selected")
ALL_CELLS = frozenset(CELLS)


class PlainSelect(forms.Select):
    """A select without groups, written at once: Django asks a template for each option, and a page of hours has hundreds."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        attributes = flatatt({**self.build_attrs(self.attrs, attrs), "name": name})
        shown = next((str(key) for key, _ in self.choices if str(key) == str(value)), "")  # never what somebody made up, which is kept
        return format_html("<select{}>{}</select>", attributes, _options(tuple(self.choices), shown))


@lru_cache(maxsize=1024)
def _options(choices: tuple[tuple[Any, Any], ...], shown: str) -> SafeString:
    return format_html_join("", '<option value="{}"{}>{}</option>', ((key, CHOSEN if str(key) == shown else "", text) for key, text in choices))


class CellsField(forms.Field):
    """The half hours that are ticked. A choice field would be copied with its 336 choices for every form."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[str]:
        cells = list(value or [])
        if not ALL_CELLS.issuperset(cells):
            raise ValidationError(gettext("That is not an hour of the week."), code="invalid_choice")
        return cells


class Numbers(forms.TypedChoiceField):
    """One of some numbers, or nothing."""

    widget = PlainSelect

    def __init__(self, choices: Any, *, label: Any, required: bool = True, initial: int | None = None) -> None:
        super().__init__(choices=choices, coerce=int, required=required, empty_value=None, label=label, initial=initial)


class WrittenField(forms.Field):
    """A list of things that hidden inputs carry, each written as one text."""

    widget = forms.MultipleHiddenInput

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        self.read = read
        super().__init__(required=False, **options)

    def to_python(self, value: Any) -> list[Any]:
        texts = list(value or [])
        if len(texts) > 2 * MOST_OTHER:
            raise ValidationError(gettext("There is room for %(most)s. Remove some.") % {"most": MOST_OTHER}, code="many")
        try:
            return [self.read(text) for text in texts]
        except ValueError:
            raise ValidationError(gettext("This cannot be read. Reload the page and try again."), code="unreadable") from None


def write_window(window: AnyWindow) -> str:
    """Hours that are not painted, as a hidden input carries them."""
    span = f"{window.start_minute}.{window.end_minute}"
    match window:
        case Window(weekday=weekday, every=every, anchor=anchor):
            return f"week.{weekday}.{every}.{anchor or ''}.{span}"
        case MonthDay(day=day):
            return f"date.{day}.{span}"
        case MonthWeekday(nth=nth, weekday=weekday):
            return f"nth.{nth}.{weekday}.{span}"
        case Once(on=on):
            return f"once.{on}.{span}"


def read_window(text: str) -> AnyWindow:
    """The window that `write_window` wrote. Raises ValueError for anything else."""
    match text.split("."):
        case ["week", weekday, every, anchor, start, end]:
            return Window(int(weekday), int(start), int(end), int(every), read_date(anchor) if anchor else None)
        case ["date", day, start, end]:
            return MonthDay(int(day), int(start), int(end))
        case ["nth", nth, weekday, start, end]:
            return MonthWeekday(int(nth), int(weekday), int(start), int(end))
        case ["once", on, start, end]:
            return Once(read_date(on), int(start), int(end))
    raise ValueError(text)


def write_leave(off: Leave) -> str:
    return f"{off.first}.{off.last}.{off.note}"


def read_leave(text: str) -> Leave:
    """The days off that `write_leave` wrote. Raises ValueError for anything else."""
    first, last, note = text.split(".", 2)
    if "\0" in note:
        raise ValueError(text)
    return Leave(read_date(first), read_date(last), note)


def read_date(text: str) -> date:
    day = date.fromisoformat(text)
    if day.year not in YEARS:
        raise ValueError(text)
    return day


class AvailabilityForm(forms.Form):
    """Prices, hours, days off and rules of a builder's calls.

    `h` holds one "weekday-halfhour" for every open half hour of the week, `r` the other hours, `off` the days off. A rule that
    is not sent keeps what `initial` says.
    """

    enabled = forms.BooleanField(required=False, label=_("Clients can book calls"))
    price_15 = AmountField(required=False, label=_("15 minutes"))
    price_30 = AmountField(required=False, label=_("30 minutes"))
    price_60 = AmountField(required=False, label=_("60 minutes"))
    h = CellsField(required=False, label=_("Your week"))
    r = WrittenField(read_window, label=_("Other hours"))
    off = WrittenField(read_leave, label=_("Days off"))
    notice_hours = Numbers(NOTICE, label=_("Notice before a call"))
    gap_minutes = Numbers(GAP, label=_("Break after each call"))
    horizon_days = Numbers(HORIZON, label=_("Bookable ahead"))
    calls_a_day = Numbers(CALLS_A_DAY, required=False, label=_("Most calls a day"))
    time_zone = forms.CharField(max_length=64, validators=[check_zone], label=_("Time zone of your hours"))
    refund_policy = forms.ChoiceField(
        choices=[(value, name) for value, name, text in REFUNDS], required=False, widget=forms.RadioSelect, label=_("When a client cancels")
    )
    free_hours = Numbers(BEFORE, required=False, label=_("Everything back until"))
    move_limit = Numbers(MOVES, required=False, label=_("Clients move a call"))
    move_hours = Numbers(BEFORE, required=False, label=_("At the latest"))
    meeting_provider = forms.ChoiceField(required=False, label=_("Meeting room"))

    def __init__(self, *args: Any, rooms: Iterable[str] = (MeetingProvider.OWN_LINK,), **options: Any) -> None:
        super().__init__(*args, **options)
        # A saved number that the list does not name is offered too, or the form would show, and save, another one.
        lists: dict[str, tuple[Sequence[tuple[int, Any]], str]] = {
            "notice_hours": (NOTICE, gettext("%(n)s hours")),
            "gap_minutes": (GAP, gettext("%(n)s minutes")),
            "horizon_days": (HORIZON, gettext("%(n)s days")),
            "calls_a_day": (CALLS_A_DAY, "%(n)s"),
            "free_hours": (BEFORE, gettext("%(n)s hours before")),
            "move_limit": (MOVES, gettext("%(n)s times")),
            "move_hours": (BEFORE, gettext("%(n)s hours before")),
        }
        for name, (known, unit) in lists.items():
            field, saved = self.fields[name], self.initial.get(name)
            assert isinstance(field, forms.TypedChoiceField)
            if saved is not None and saved not in dict(known):
                field.choices = sorted([*known, (saved, unit % {"n": saved})])
        room = self.fields["meeting_provider"]
        assert isinstance(room, forms.ChoiceField)
        saved_room = MeetingProvider(self.initial.get("meeting_provider") or MeetingProvider.OWN_LINK)
        room.choices = [(value, value) for value in dict.fromkeys([*rooms, saved_room])]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("calls_a_day", "refund_policy", "free_hours", "move_limit", "move_hours", "meeting_provider"):
            if cleaned.get(name) in (None, "") and name not in self.errors and self.initial.get(name) is not None:
                cleaned[name] = self.initial[name]
        return cleaned

    def windows(self) -> list[AnyWindow]:
        """The ticked half hours, joined into windows, and the other hours."""
        return [*windows_of(self.cleaned_data["h"]), *self.cleaned_data["r"]]

    def days_off(self) -> list[Leave]:
        return sorted(self.cleaned_data["off"])

    def terms(self) -> Terms:
        cleaned = self.cleaned_data
        names = ("time_zone", "notice_hours", "horizon_days", "gap_minutes", "refund_policy", "free_hours", "move_limit", "move_hours")
        return Terms(
            **{name: cleaned[name] for name in names}, calls_a_day=cleaned["calls_a_day"] or None, meeting_provider=cleaned["meeting_provider"]
        )

    def prices(self) -> dict[int, Any]:
        return {minutes: self.cleaned_data[f"price_{minutes}"] for minutes in LENGTHS}

    def hours(self) -> Hours:
        """What slots.py would be asked with if this form were saved."""
        return hours_by(CallSettings(**asdict(self.terms())), self.windows(), [(off.first, off.last) for off in self.days_off()])


def day_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "in"})


class OtherHoursForm(forms.Form):
    """One more window beside the painted week: a date, how it comes back, from when until when."""

    use_required_attribute = False  # it may stay empty when everything else is saved

    new_on = forms.DateField(widget=day_input(), label=_("Date"), error_messages={"required": _("Name the date first.")})
    new_repeat = forms.ChoiceField(choices=REPEATS, initial="2", widget=PlainSelect, label=_("How often"))
    new_opens = Numbers(CLOCK[:-1], initial=540, label=_("From"))
    new_closes = Numbers(CLOCK[1:], initial=720, label=_("To"))

    def __init__(self, *args: Any, today: date, **options: Any) -> None:
        self.today = today
        super().__init__(*args, **options)

    def clean_new_on(self) -> date:
        return _in_reach(self.cleaned_data["new_on"])

    def clean(self) -> None:
        super().clean()
        cleaned = self.cleaned_data
        opens, closes, on, repeat = (cleaned.get(name) for name in ("new_opens", "new_closes", "new_on", "new_repeat"))
        if opens is not None and closes is not None and closes <= opens:
            self.add_error("new_closes", gettext("Hours must end after they start."))
        if on is not None and repeat == "once" and on < self.today:
            self.add_error("new_on", gettext("This date has passed."))
        if on is not None and repeat == "nth" and on.day > 28:
            self.add_error("new_repeat", gettext("This is a fifth weekday, which most months lack. Take the last such weekday instead."))

    def window(self) -> AnyWindow:
        cleaned = self.cleaned_data
        on, repeat, span = cleaned["new_on"], cleaned["new_repeat"], (cleaned["new_opens"], cleaned["new_closes"])
        match repeat:
            case "once":
                return Once(on, *span)
            case "date":
                return MonthDay(on.day, *span)
            case "end":
                return MonthDay(LAST, *span)
            case "nth" | "last":
                return MonthWeekday(LAST if repeat == "last" else (on.day + 6) // 7, on.weekday(), *span)
            case _:
                return Window(on.weekday(), *span, int(repeat), on)


class DaysOffForm(forms.Form):
    """Some more days off; without a last day it is one."""

    use_required_attribute = False

    off_first = forms.DateField(widget=day_input(), label=_("First day"), error_messages={"required": _("Name the first day.")})
    off_last = forms.DateField(widget=day_input(), label=_("Last day"), required=False)
    off_note = forms.CharField(max_length=80, label=_("Note for yourself"), required=False)

    def __init__(self, *args: Any, today: date, **options: Any) -> None:
        self.today = today
        super().__init__(*args, **options)

    def clean_off_first(self) -> date:
        return _in_reach(self.cleaned_data["off_first"])

    def clean_off_last(self) -> date | None:
        last = self.cleaned_data["off_last"]
        return None if last is None else _in_reach(last)

    def clean(self) -> None:
        super().clean()
        first, last = self.cleaned_data.get("off_first"), self.cleaned_data.get("off_last")
        if first is not None and last is not None and last < first:
            self.add_error("off_last", gettext("The last day comes before the first."))
        elif first is not None and (last or first) < self.today:
            self.add_error("off_first", gettext("These days have passed."))

    def leave(self) -> Leave:
        cleaned = self.cleaned_data
        return Leave(cleaned["off_first"], cleaned["off_last"] or cleaned["off_first"], cleaned["off_note"])


def _in_reach(day: date) -> date:
    if day.year not in YEARS:
        raise ValidationError(gettext("Name a date of this century."), code="date")
    return day
