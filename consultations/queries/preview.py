"""What clients will see of a builder's hours, saved or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from consultations.slots import Hours
from port444.builders.models import Builder
from port444.kit.language import dated

from .busy import is_stale
from .times import monday_of, starts_in

WEEKS = 4
MANY = 8  # free times from which on a day looks wide open


@dataclass(frozen=True, slots=True)
class PreviewDay:
    """One day, and its starts, on the builder's clock. `is_off`: closed by days off, where nothing was opened for that date alone."""

    on: date
    starts: Sequence[datetime]
    is_past: bool
    is_off: bool

    @property
    def look(self) -> str:
        """The class of its cell."""
        if self.is_past or self.is_off:
            return "past" if self.is_past else "off"
        return ("many" if len(self.starts) >= MANY else "some") if self.starts else ""

    @property
    def words(self) -> str:
        """What its cell says to those who do not see the table."""
        count = len(self.starts)
        month = dated(self.on, "F")
        if not count:
            return _("%(month)s: day off") % {"month": month} if self.is_off else _("%(month)s: none") % {"month": month}
        words = ngettext("%(month)s: %(count)s time, the first at %(at)s", "%(month)s: %(count)s times, the first at %(at)s", count)
        return words % {"month": month, "count": count, "at": f"{self.starts[0]:%H:%M}"}


@dataclass(frozen=True, slots=True)
class Preview:
    """The weeks that lie ahead, and how many calls of `minutes` could begin in them."""

    minutes: int
    zone: str
    weeks: Sequence[Sequence[PreviewDay]]
    count: int
    first: datetime | None
    is_stale: bool


def preview(builder: Builder, hours: Hours, *, minutes: int, moment: datetime) -> Preview:
    """This week and the three after it, from the function that clients are served by. A stale calendar hides every time."""
    stale = is_stale(builder, moment)
    starts = [] if stale else starts_in(builder, hours, client_id=None, minutes=minutes, moment=moment)
    by_day: defaultdict[date, list[datetime]] = defaultdict(list)
    today = moment.astimezone(hours.zone).date()
    monday = monday_of(today)
    for start in starts:
        local = start.astimezone(hours.zone)
        by_day[local.date()].append(local)

    def day(on: date) -> PreviewDay:
        off = any(first <= on <= last for first, last in hours.days_off)
        return PreviewDay(on, by_day.get(on, []), is_past=on < today, is_off=off and not by_day.get(on))

    weeks = [[day(monday + timedelta(days=7 * week + n)) for n in range(7)] for week in range(WEEKS)]
    shown = [start for week in weeks for one in week for start in one.starts]
    return Preview(minutes, str(hours.zone), weeks, len(shown), starts[0] if starts else None, stale)
