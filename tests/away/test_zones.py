"""Days away are days on the builder's clock; everybody else sees the same two instants on theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from consultations.actions import hold_slot, set_availability
from consultations.actions.availability import Terms
from consultations.models import Consultation, ConsultationStatus, SlotClaim
from consultations.queries import open_starts
from consultations.queries.times import for_booking
from consultations.slots import DAY_MINUTES, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import DomainError
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import Invoice
from tests.away.spans import leave

VANCOUVER, KOLKATA = ZoneInfo("America/Vancouver"), ZoneInfo("Asia/Kolkata")
BEFORE = datetime(2027, 1, 10, 20, 0, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
PAGE = "/b/anaya-krishnan/call/"
WEEK = {"tz": "Asia/Kolkata", "minutes": "30", "week": "2027-01-11"}


def opened(builder_user: User, zone: str) -> Builder:
    """The builder lives in `zone` and takes calls at all hours."""
    builder_user.time_zone = zone
    builder_user.save()
    builder = builder_user.builder
    windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
    set_availability(builder.pk, actor=builder_user, enabled=True, prices={30: Decimal("60.00")}, windows=windows, terms=Terms(zone, 0, 60, 0))
    return Builder.objects.select_related("user").get(pk=builder.pk)


@pytest.fixture
def vancouver(builder_user: User) -> Iterator[Builder]:
    with clock.at(BEFORE):
        yield opened(builder_user, "America/Vancouver")


def hold(builder: Builder, client_user: User, starts_at: datetime) -> Consultation:
    return hold_slot(builder.pk, actor=client_user, minutes=30, starts_at=starts_at, client_zone="Asia/Kolkata", notes="", client_key=uuid4())


def shown(client: Client, **query: str) -> list[datetime]:
    """The starts on the booking page."""
    found = re.findall(r'name="slot" data-q value="([^"]+)"', client.get(PAGE, WEEK | query).content.decode())
    return [datetime.fromisoformat(value) for value in found]


def test_away_14_to_16_january_in_vancouver_leaves_17_january_free_in_kolkata(client: Client, vancouver: Builder, client_user: User) -> None:
    span = leave(vancouver, date(2027, 1, 14), date(2027, 1, 16))
    local = [start.astimezone(KOLKATA) for start in shown(client)]
    by_day = {day: [start for start in local if start.day == day] for day in range(13, 18)}
    # 14 January begins in Vancouver at 13:30 of Kolkata's, and 17 January likewise.
    assert len(by_day[13]) == 48
    assert (f"{by_day[14][0]:%H:%M}", f"{by_day[14][-1]:%H:%M}") == ("00:00", "13:00")
    assert (by_day[15], by_day[16]) == ([], [])
    assert (f"{by_day[17][0]:%H:%M}", f"{by_day[17][-1]:%H:%M}") == ("13:30", "23:30")
    # What is shown is what can be booked, at both edges.
    before = Invoice.objects.count(), SlotClaim.objects.count()
    for refused in (span.starts_at, span.starts_at - HALF_HOUR / 2, span.ends_at - HALF_HOUR):
        with pytest.raises(DomainError):
            hold(vancouver, client_user, refused)
    assert (Invoice.objects.count(), SlotClaim.objects.count()) == before
    for free in (span.starts_at - HALF_HOUR, span.ends_at):
        assert hold(vancouver, client_user, free).status == ConsultationStatus.HELD


def test_the_days_that_are_marked_are_those_without_any_time(client: Client, vancouver: Builder) -> None:
    leave(vancouver, date(2027, 1, 14), date(2027, 1, 16))
    assert re.findall(r'class="gone ([^"]+)"', client.get(PAGE, WEEK).content.decode()) == ["s5 g2"]  # Friday and Saturday
    assert re.findall(r'class="gone ([^"]+)"', client.get(PAGE, WEEK | {"tz": "America/Vancouver"}).content.decode()) == ["s4 g3"]


def test_the_notice_says_the_return_on_the_clock_of_the_page(client: Client, vancouver: Builder) -> None:
    leave(vancouver, date(2027, 1, 14), date(2027, 1, 16))
    with clock.at(datetime(2027, 1, 15, tzinfo=UTC)):
        for zone, last, back in (("Asia/Kolkata", "Sun 17 Jan", "Sun 17 Jan, 13:30"), ("America/Vancouver", "Sat 16 Jan", "Sun 17 Jan")):
            html = client.get(PAGE, WEEK | {"tz": zone}).content.decode()
            assert f"Anaya is away until {last}." in html
            assert f"Calls can be booked for {back} and later." in html


def test_who_lets_calls_go_on_is_booked_while_away(client: Client, vancouver: Builder, client_user: User) -> None:
    span = leave(vancouver, date(2027, 1, 14), date(2027, 1, 16), stops_calls=False)
    assert span.starts_at in shown(client)
    assert hold(vancouver, client_user, span.starts_at).status == ConsultationStatus.HELD
    with clock.at(span.starts_at):
        assert "Calls take place all the same." in client.get(PAGE, WEEK).content.decode()


def test_a_time_that_is_held_stays_the_clients_when_the_builder_goes(vancouver: Builder, client_user: User, stranger: User) -> None:
    held = hold(vancouver, client_user, datetime(2027, 1, 15, 20, 0, tzinfo=UTC))
    leave(vancouver, date(2027, 1, 14), date(2027, 1, 16))
    assert held.invoice_id is not None
    pay_with_test_wallet(held.invoice_id, actor=client_user)
    held.refresh_from_db()
    assert held.status == ConsultationStatus.SCHEDULED
    with pytest.raises(DomainError):
        hold(vancouver, stranger, datetime(2027, 1, 15, 21, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "first", "last", "hours"),
    [
        ("America/Vancouver", date(2027, 3, 13), date(2027, 3, 14), 47),  # clocks go forward on the last day
        ("America/Vancouver", date(2027, 11, 7), date(2027, 11, 7), 25),  # and back on the only one
        ("Europe/London", date(2027, 3, 27), date(2027, 3, 29), 71),
        ("Australia/Lord_Howe", date(2027, 4, 4), date(2027, 4, 4), 24.5),  # by half an hour
        ("America/Santiago", date(2027, 9, 4), date(2027, 9, 4), 24),  # the day of the return begins at 01:00
        ("America/Santiago", date(2027, 9, 5), date(2027, 9, 5), 23),
        ("Asia/Kathmandu", date(2027, 6, 1), date(2027, 6, 2), 48),  # a quarter of an hour off
    ],
)
def test_where_clocks_change_nothing_within_is_free_and_everything_beside_is(
    builder_user: User, zone: str, first: date, last: date, hours: float
) -> None:
    here = ZoneInfo(zone)
    with clock.at(datetime(first.year, first.month, first.day, tzinfo=here) - timedelta(days=5)) as moment:
        opened(builder_user, zone)
        builder = for_booking().get(user=builder_user)
        everything = open_starts(builder, client_id=None, minutes=30, moment=moment)
        span = leave(builder, first, last)
        free = open_starts(builder, client_id=None, minutes=30, moment=moment)
    span.refresh_from_db()
    assert span.ends_at - span.starts_at == timedelta(hours=hours)
    assert free == [start for start in everything if start + HALF_HOUR <= span.starts_at or start >= span.ends_at]
    days_lost = {start.astimezone(here).date() for start in set(everything) - set(free)}
    within = {day for day in days_lost if first <= day <= last}
    assert within == {first + timedelta(days=n) for n in range((last - first).days + 1)}
    assert days_lost <= within | {first - timedelta(days=1)}  # a call may not run into the first day
    assert {start.astimezone(here).date() for start in free} & within == set()
