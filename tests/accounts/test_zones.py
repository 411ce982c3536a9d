"""The list of zones, as choices and as options."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from port444.accounts import zones

MOMENT = datetime(2026, 11, 22, 18, 7, tzinfo=UTC)


def test_options_are_the_choices() -> None:
    html = zones.options(MOMENT, "Asia/Kolkata")
    values = [value for _, pairs in zones.choices(MOMENT) for value, _ in pairs]
    assert re.findall(r'value="([^"]+)"', html) == values
    assert len(values) > 300
    assert re.findall(r'value="([^"]+)" selected', html) == ["Asia/Kolkata"]
    assert '<option value="Asia/Kolkata" selected>Kolkata (UTC+05:30)</option>' in html


@pytest.mark.parametrize("zone", ["Etc/GMT+3", "UTC"])
def test_a_chosen_zone_outside_of_the_regions_is_kept(zone: str) -> None:
    assert zones.options(MOMENT, zone).count(f'value="{zone}" selected') == 1
    assert [value for _, pairs in zones.choices(MOMENT, chosen=[zone]) for value, _ in pairs].count(zone) == 1


def test_no_zone_is_added_that_does_not_exist() -> None:
    assert "selected" not in zones.options(MOMENT, '"><script>')


def test_offsets_are_those_of_the_moment() -> None:
    switch = datetime(2027, 3, 28, 1, tzinfo=UTC)
    before, after = (zones.options(moment, "Europe/London") for moment in (switch - timedelta(seconds=1), switch))
    assert ("London (UTC)" in before, "London (UTC+01:00)" in after) == (True, True)
