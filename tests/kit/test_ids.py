from __future__ import annotations

import time
from uuid import RFC_4122

import pytest

from port444.kit.ids import uuid7


def test_version_and_variant() -> None:
    made = [uuid7() for _ in range(1000)]
    assert {key.version for key in made} == {7}
    assert {key.variant for key in made} == {RFC_4122}
    assert len(set(made)) == 1000


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_800_000_000_000_000_000, 1_800_000_100_000_000_000, 1_000_000_000))
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    made = [uuid7() for _ in range(100)]
    assert made == sorted(made)
    assert made[0].int >> 80 == 1_800_000_000_000


def test_what_is_made_later_in_a_millisecond_sorts_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [1_790_000_000_123_000_000 + n for n in range(0, 1_000_000, 500)]
    ticks = iter(moments)
    monkeypatch.setattr(time, "time_ns", lambda: next(ticks))
    made = [uuid7() for _ in moments]
    assert made == sorted(made)
    assert len({key.int >> 80 for key in made}) == 1
