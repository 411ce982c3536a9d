"""Time zones as people choose them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from .models import zone_names

REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
Groups = list[tuple[str, list[tuple[str, str]]]]


def label(zone: str, moment: datetime) -> str:
    """The place and its distance from UTC at `moment`: "Buenos Aires, Argentina (UTC-03:00)"."""
    place = ", ".join(part.replace("_", " ") for part in reversed(zone.split("/")[1:])) or zone
    return f"{place} ({offset(ZoneInfo(zone).utcoffset(moment.astimezone(ZoneInfo(zone))))})"


def offset(difference: timedelta | None) -> str:
    minutes = int((difference or timedelta()).total_seconds() // 60)
    if not minutes:
        return "UTC"
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def choices(moment: datetime, *, chosen: Iterable[str] = ()) -> Groups:
    """All zones by region, with their names and present offsets; `chosen` ones outside of the regions are kept."""
    universal, *regions = _regions(_quarter(moment))
    rest = [zone for zone in chosen if zone in zone_names() and zone != "UTC" and zone.partition("/")[0] not in REGIONS]
    other = [("Other", [(zone, label(zone, moment)) for zone in rest])] if rest else []
    return [universal, *other, *regions]


def options(moment: datetime, selected: str) -> SafeString:
    """The same as the inside of a select, with one zone selected."""
    known = f'<option value="{escape(selected)}">'
    html = _options(_quarter(moment))
    if known not in html and selected in zone_names():
        html = format_html('<optgroup label="Other"><option value="{}">{}</option></optgroup>', selected, label(selected, moment)) + html
    return mark_safe(html.replace(known, f"{known[:-1]} selected>", 1))  # noqa: S308 - put together from escaped parts


def _quarter(moment: datetime) -> int:
    """The quarter of an hour; clocks change at the beginning of one. To look at 400 zones takes longer than all else on a page."""
    return int(moment.timestamp()) // 900


@lru_cache(maxsize=4)
def _regions(quarter: int) -> Groups:
    moment = datetime.fromtimestamp(quarter * 900, UTC)
    groups: Groups = [("Universal", [("UTC", "UTC")])]
    for region in REGIONS:
        zones = sorted(zone for zone in zone_names() if zone.startswith(f"{region}/"))
        if zones:
            groups.append((region, sorted(((zone, label(zone, moment)) for zone in zones), key=lambda pair: pair[1])))
    return groups


@lru_cache(maxsize=4)
def _options(quarter: int) -> SafeString:
    group = '<optgroup label="{}">{}</optgroup>'
    lists = ((region, format_html_join("", '<option value="{}">{}</option>', pairs)) for region, pairs in _regions(quarter))
    return format_html_join("", group, lists)
