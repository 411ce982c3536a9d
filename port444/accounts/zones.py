"""Time zones as people choose them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

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
    groups: Groups = [("Universal", [("UTC", "UTC")])]
    rest = [zone for zone in chosen if zone in zone_names() and zone != "UTC" and zone.partition("/")[0] not in REGIONS]
    if rest:
        groups.append(("Other", [(zone, label(zone, moment)) for zone in rest]))
    for region in REGIONS:
        zones = sorted(zone for zone in zone_names() if zone.startswith(f"{region}/"))
        if zones:
            groups.append((region, sorted(((zone, label(zone, moment)) for zone in zones), key=lambda pair: pair[1])))
    return groups
