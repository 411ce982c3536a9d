from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given, settings
from hypothesis import strategies as st

from port444.notifications.models import QuietHours
from port444.notifications.quiet import is_quiet, release_at

ZONES = sorted(name for name in available_timezones() if not name.startswith(("Etc/", "posix", "right")) and name not in ("localtime", "Factory"))
FIRST = datetime(2010, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 25 * 366 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
WALL = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@settings(max_examples=400, deadline=None)
@given(MOMENTS, WALL, WALL, st.sampled_from(ZONES))
@example(datetime(2026, 10, 25, 0, 45, tzinfo=UTC), time(21), time(2, 30), "Europe/Amsterdam")  # the hour that comes twice
@example(datetime(2026, 10, 25, 1, 10, tzinfo=UTC), time(21), time(2, 30), "Europe/Amsterdam")
@example(datetime(2026, 3, 29, 0, 10, tzinfo=UTC), time(21), time(2, 30), "Europe/Amsterdam")  # the hour that does not come
@example(datetime(2011, 12, 30, 9, 0, tzinfo=UTC), time(21), time(8), "Pacific/Apia")  # the day that did not come
@example(datetime(2026, 4, 4, 14, 0, tzinfo=UTC), time(1), time(1, 45), "Australia/Lord_Howe")
def test_nothing_is_sent_in_quiet_hours_and_nothing_is_held_longer_than_needed(moment: datetime, starts: time, ends: time, zone: str) -> None:
    hours, place = QuietHours(starts=starts, ends=ends), ZoneInfo(zone)
    release = release_at(moment, hours, place)
    local = release.astimezone(place)
    assert release >= moment
    assert not is_quiet(local.time(), hours)
    assert (release == moment) == (not is_quiet(moment.astimezone(place).time(), hours))
    # A day of hours, and no more than the clock jumped.
    assert release - moment <= timedelta(hours=25, minutes=1) or zone in ("Pacific/Apia", "Pacific/Fakaofo")
    if release != moment:
        came = local.replace(fold=0).astimezone(UTC).astimezone(place).time() == local.time()
        assert local.time().replace(fold=0) == ends or came


@given(MOMENTS)
def test_switched_off_means_never(moment: datetime) -> None:
    assert release_at(moment, QuietHours(enabled=False), ZoneInfo("Asia/Kolkata")) == moment
    assert release_at(moment, QuietHours(starts=time(9), ends=time(9)), ZoneInfo("Asia/Kolkata")) == moment


def test_eight_in_the_morning_of_the_reader() -> None:
    evening = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)  # 21:30 in Kolkata
    assert release_at(evening, QuietHours(), ZoneInfo("Asia/Kolkata")) == datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
    assert release_at(evening, QuietHours(), ZoneInfo("Europe/Amsterdam")) == evening
