from __future__ import annotations

from datetime import UTC, datetime

import pytest

from port444.kit import clock

MOMENT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_stands_still_inside_and_goes_on_after() -> None:
    with clock.at(MOMENT):
        assert clock.now() == MOMENT
        with clock.at(datetime(2020, 1, 1, tzinfo=UTC)):
            assert clock.now().year == 2020
        assert clock.now() == MOMENT
    assert clock.now() != MOMENT
    assert clock.now().tzinfo is UTC


def test_takes_aware_moments_alone() -> None:
    with pytest.raises(ValueError, match="aware"), clock.at(datetime(2026, 1, 1)):  # noqa: DTZ001 - a naive moment is the point
        pass
