"""Hours, rules and prices, written as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from auditlog.models import AuditLog
from consultations.actions import set_availability
from consultations.actions.availability import Terms
from consultations.forms import cells_of, changed_cells, windows_of
from consultations.models import AvailabilityRule, CallSettings
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.errors import Invalid, NotAllowed

from .conftest import PRICES, TERMS, WEEKDAYS, counts


def write(builder: Builder, actor: User, windows: Sequence[Window] = WEEKDAYS, terms: Terms = TERMS, **changes: Any) -> Builder:
    wish: dict[str, Any] = {"enabled": True, "prices": PRICES, "windows": windows, "terms": terms}
    return set_availability(builder.pk, actor=actor, **(wish | changes))


def state(builder: Builder) -> Any:
    rules = AvailabilityRule.objects.filter(builder=builder).values_list("weekday", "start_minute", "end_minute")
    return list(rules), list(CallSettings.objects.filter(builder=builder).values()), Builder.objects.filter(pk=builder.pk).values().get()


def test_hours_prices_and_rules_are_written_and_logged(builder: Builder) -> None:
    write(builder, builder.user, terms=Terms("Asia/Kolkata", 12, 30, 15))
    builder.refresh_from_db()
    assert builder.call_prices == PRICES
    assert [(r.weekday, r.start_minute, r.end_minute) for r in builder.availability.all()] == [(d, 540, 1020) for d in range(5)]
    kept = CallSettings.objects.get(builder=builder)
    assert (kept.time_zone, kept.notice_hours, kept.horizon_days, kept.gap_minutes) == ("Asia/Kolkata", 12, 30, 15)
    assert AuditLog.objects.filter(event_type="availability.changed", target_id=builder.pk).count() == 1


def test_saving_the_same_again_changes_and_logs_nothing(builder: Builder) -> None:
    write(builder, builder.user)
    before, logged = state(builder), AuditLog.objects.events().count()
    write(builder, builder.user)
    assert (state(builder), AuditLog.objects.events().count()) == (before, logged)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("overlap", {"windows": [Window(0, 540, 720), Window(0, 690, 810)]}, "windows_overlap"),
    ("twice", {"windows": [Window(0, 540, 720), Window(0, 540, 720)]}, "windows_overlap"),
    ("empty", {"windows": [Window(0, 540, 540)]}, "window_empty"),
    ("backwards", {"windows": [Window(0, 540, 510)]}, "window_empty"),
    ("over midnight", {"windows": [Window(0, 1380, 1500)]}, "window_empty"),
    ("eighth day", {"windows": [Window(7, 540, 600)]}, "window_empty"),
    ("odd minute", {"windows": [Window(0, 545, 600)]}, "window_odd"),
    ("zone", {"terms": replace(TERMS, time_zone="Europe/Atlantis")}, "zone"),
    ("notice", {"terms": replace(TERMS, notice_hours=337)}, "notice"),
    ("horizon", {"terms": replace(TERMS, horizon_days=0)}, "horizon"),
    ("gap", {"terms": replace(TERMS, gap_minutes=121)}, "gap"),
    ("no price", {"prices": {15: None, 30: None, 60: None}}, "call_price"),
    ("free", {"prices": {15: Decimal(0)}}, "amount_zero"),
]


@pytest.mark.parametrize(("why", "changes", "code"), BAD, ids=[why for why, _, _ in BAD])
def test_what_makes_no_sense_is_refused_whole(open_builder: Builder, why: str, changes: dict[str, Any], code: str) -> None:
    before, counted = state(open_builder), counts()
    with pytest.raises(Invalid) as refusal:
        write(open_builder, open_builder.user, **changes)
    assert (refusal.value.code, state(open_builder), counts()) == (code, before, counted)


def test_the_refusal_of_an_overlap_names_both_windows(builder: Builder) -> None:
    with pytest.raises(Invalid) as refusal:
        write(builder, builder.user, windows=[Window(1, 540, 720), Window(1, 690, 800 - 20)])
    assert refusal.value.message == "Tuesday 09:00 to 12:00 and Tuesday 11:30 to 13:00 overlap. Join them or move one."


@pytest.mark.parametrize("who", ["client_user", "stranger", "staff"])
def test_only_the_builder_sets_the_own_hours(open_builder: Builder, who: str, request: pytest.FixtureRequest) -> None:
    actor, before = request.getfixturevalue(who), state(open_builder)
    counted = counts()
    with pytest.raises(NotAllowed):
        write(open_builder, actor, windows=[])
    assert (state(open_builder), counts()) == (before, counted)


def test_half_hours_become_windows_and_back() -> None:
    cells = ["0-18", "0-19", "0-20", "0-22", "1-47", "6-0"]
    windows = windows_of(cells)
    assert windows == [Window(0, 540, 630), Window(0, 660, 690), Window(1, 1410, 1440), Window(6, 0, 30)]
    assert cells_of(windows) == set(cells)


def test_shortcuts() -> None:
    assert set(changed_cells(["0-18", "2-30", "6-1"], "copy")) == {"0-18", "1-18", "2-18", "3-18", "4-18", "6-1"}
    assert windows_of(changed_cells([], "office")) == WEEKDAYS
    assert changed_cells(["0-18"], "clear") == []
