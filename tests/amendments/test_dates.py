"""The arithmetic of dates: whatever the moments, nobody loses time by talking, and nobody who was late becomes punctual by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from amendments.models import MOST_DAYS
from port444.builders.models import Builder
from port444.orders.models import LIVE, WORKING, Order, OrderStatus

S = OrderStatus
START = datetime(2026, 3, 1, tzinfo=UTC)
REVISION = timedelta(days=settings.REVISION_DAYS)

spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=120))
days = st.integers(0, MOST_DAYS)
moments = spans.map(lambda span: START + span)


@given(stopped=moments, lasted=spans, begun=st.none() | moments)
def test_the_clock_has_stood_as_long_as_there_was_something_to_stop(stopped: datetime, lasted: timedelta, begun: datetime | None) -> None:
    order, moment = Order(builder=Builder(), clock_stopped_at=stopped), stopped + lasted
    stood = order.stood(moment, begun)
    if begun is None or begun <= stopped:
        assert stood == lasted
    elif begun >= moment:
        assert stood == timedelta(0)
    else:
        assert stood == moment - begun


@given(moment=moments, begun=st.none() | moments)
def test_a_clock_that_runs_has_not_stood(moment: datetime, begun: datetime | None) -> None:
    assert Order().stood(moment, begun) == timedelta(0)


@given(due=moments, stopped=moments, lasted=spans)
def test_standing_changes_nothing_about_being_late(due: datetime, stopped: datetime, lasted: timedelta) -> None:
    moment = stopped + lasted
    order = Order(builder=Builder(), status=S.IN_PROGRESS, due_at=due, clock_stopped_at=stopped)
    late = order.is_late(moment)
    assert late == (due <= stopped)
    started = Order(builder=Builder(), status=S.IN_PROGRESS, due_at=due + order.stood(moment, START))
    assert started.is_late(moment) == late
    assert started.due_at is not None
    assert started.due_at - moment == due - stopped  # what was left is left


@given(due=moments, moment=moments, more=days, status=st.sampled_from(WORKING), reopens=st.booleans())
def test_in_work_days_count_from_the_date_that_stands(due: datetime, moment: datetime, more: int, status: str, reopens: bool) -> None:
    assert Order(builder=Builder(), status=status, due_at=due).due_after(more, moment, reopens=reopens) == due + timedelta(days=more)


@given(due=moments, moment=moments, more=days)
def test_a_delivered_order_has_time_for_the_new_work(due: datetime, moment: datetime, more: int) -> None:
    after = Order(builder=Builder(), status=S.DELIVERED, due_at=due).due_after(more, moment, reopens=True)
    assert after is not None
    assert after >= due
    if more:
        assert after == max(due, moment) + timedelta(days=more)
    else:
        assert after >= moment + REVISION
        assert after in (due, moment + REVISION)


@given(due=moments, moment=moments, status=st.sampled_from(S.values), more=days, reopens=st.booleans())
def test_more_days_are_never_an_earlier_date(due: datetime, moment: datetime, status: str, more: int, reopens: bool) -> None:
    order = Order(builder=Builder(), status=status, due_at=due)
    before, after = order.due_after(0, moment, reopens=reopens), order.due_after(more, moment, reopens=reopens)
    assert before is not None
    assert after is not None
    if status == S.DELIVERED and reopens and 0 < more < REVISION.days:
        assert after >= max(due, moment)  # who asks for a day gets a day
    else:
        assert after >= before >= due
    if status not in LIVE:
        assert after == due


@given(moment=moments, more=days, status=st.sampled_from(S.values), reopens=st.booleans())
def test_without_a_date_there_is_none_after(moment: datetime, more: int, status: str, reopens: bool) -> None:
    assert Order(builder=Builder(), status=status, due_at=None).due_after(more, moment, reopens=reopens) is None
