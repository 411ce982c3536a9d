"""Holding a time: what is on offer, who was first, and one hold for a client and a builder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from consultations.actions import set_availability
from consultations.actions.availability import Terms
from consultations.models import CallSettings, ClaimStatus, Consultation, ConsultationStatus, SlotClaim
from consultations.slots import Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.payments.models import Invoice, InvoiceStatus

from .conftest import MONDAY, PRICES, TERMS, TUESDAY_NINE, WEEKDAYS, counts

Hold = Callable[..., Consultation]
AWAY = {"away_paused_at": MONDAY, "away_from": MONDAY}


def test_a_hold_claims_the_time_and_opens_the_invoice(hold: Hold, client_user: User, open_builder: Builder) -> None:
    call = hold()
    claim = SlotClaim.objects.get(consultation=call)
    assert (call.status, call.duration, call.scheduled_at, call.ends_at) == ("held", 30, TUESDAY_NINE, TUESDAY_NINE + timedelta(minutes=30))
    assert (call.client_zone, call.builder_zone, call.client_notes) == ("Europe/Amsterdam", "Asia/Kolkata", "The order list is slow.")
    assert (call.price, call.client_fee) == (Decimal("60.00"), Decimal("3.30"))
    assert (claim.status, claim.hold_expires_at) == ("held", MONDAY + timedelta(minutes=settings.HOLD_MINUTES))
    assert (claim.busy.lower, claim.busy.upper) == (call.scheduled_at, call.ends_at)
    invoice = Invoice.objects.get(subject_id=call.pk)
    assert (invoice.purpose, invoice.subject_id, invoice.total, invoice.payer, invoice.payee) == (
        "consultation",
        call.pk,
        Decimal("63.30"),
        client_user,
        open_builder.user,
    )
    assert (invoice.return_url, invoice.expires_at) == (f"/calls/{call.pk}/", claim.hold_expires_at)


def test_the_same_key_gives_the_same_hold(hold: Hold) -> None:
    key = uuid4()
    first = hold(client_key=key)
    before = counts()
    assert hold(client_key=key).pk == first.pk
    assert counts() == before


def test_the_same_key_for_another_time_is_refused(hold: Hold) -> None:
    key = uuid4()
    hold(client_key=key)
    before = counts()
    with pytest.raises(Conflict) as refusal:
        hold(client_key=key, starts_at=TUESDAY_NINE + timedelta(hours=1))
    assert (refusal.value.code, counts()) == ("asked_twice", before)


def test_the_key_of_a_hold_that_ran_out_makes_a_new_one(hold: Hold) -> None:
    key = uuid4()
    first = hold(client_key=key)
    with clock.at(MONDAY + timedelta(minutes=settings.HOLD_MINUTES)):
        second = hold(client_key=key)
    first.refresh_from_db()
    assert (first.status, second.status) == ("expired", "held")
    assert first.pk != second.pk


def test_the_same_time_again_goes_on_with_the_hold(hold: Hold) -> None:
    first = hold()
    again = hold(notes="Another thought.")
    assert again.pk == first.pk
    assert Consultation.objects.get().client_notes == "Another thought."


def test_another_time_gives_the_first_one_back_and_voids_its_invoice(hold: Hold, stranger: User) -> None:
    first = hold()
    second = hold(starts_at=TUESDAY_NINE + timedelta(hours=1))
    first.refresh_from_db()
    assert (first.status, first.claim.status, first.invoice and first.invoice.status) == ("expired", "released", InvoiceStatus.VOID)
    assert (second.status, SlotClaim.objects.filter(status=ClaimStatus.HELD).count()) == ("held", 1)
    assert hold(stranger).status == "held"


def test_a_longer_call_over_the_own_hold_is_possible(hold: Hold) -> None:
    hold()
    longer = hold(minutes=60)
    assert (longer.duration, SlotClaim.objects.filter(status=ClaimStatus.HELD).get().consultation_id) == (60, longer.pk)


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("shift", [-30, 0])
def test_a_time_that_overlaps_somebody_elses_hold_is_taken(hold: Hold, stranger: User, minutes: int, shift: int) -> None:
    hold(starts_at=TUESDAY_NINE + timedelta(hours=1), minutes=60)
    wanted = TUESDAY_NINE + timedelta(minutes=90 + shift)
    before = counts()
    with pytest.raises(Conflict) as refusal:
        hold(stranger, starts_at=wanted, minutes=minutes)
    assert (refusal.value.code, counts()) == ("slot_taken", before)
    assert "You have not been charged" in refusal.value.message


def test_back_to_back_is_free(hold: Hold, stranger: User) -> None:
    hold()
    assert hold(stranger, starts_at=TUESDAY_NINE + timedelta(minutes=30)).status == "held"


def test_a_hold_that_ran_out_is_given_back_to_the_next(hold: Hold, stranger: User) -> None:
    first = hold()
    with clock.at(MONDAY + timedelta(minutes=settings.HOLD_MINUTES)):
        second = hold(stranger)
    first.refresh_from_db()
    assert (first.status, first.claim.status, second.status) == ("expired", "released", "held")
    assert first.invoice is not None
    assert first.invoice.status == InvoiceStatus.OPEN  # payments asks the provider before it closes it


def test_nobody_is_in_two_calls_at_once(hold: Hold, client_user: User, stranger: User, open_builder: Builder) -> None:
    other = _second_builder(stranger)
    hold()
    before = counts()
    with pytest.raises(Conflict) as refusal:
        hold(client_user, builder=other, starts_at=TUESDAY_NINE)
    assert (refusal.value.code, counts()) == ("slot_taken", before)


def test_a_client_holds_a_few_times_and_not_every_builder(hold: Hold, client_user: User, make_user: Callable[..., User]) -> None:
    for n in range(3):
        hold(builder=_second_builder(make_user(f"Builder{n} Many", is_builder=True)), starts_at=TUESDAY_NINE + timedelta(hours=n))
    before = counts()
    with pytest.raises(Conflict) as refusal:
        hold(starts_at=TUESDAY_NINE + timedelta(hours=4))
    assert (refusal.value.code, counts()) == ("too_many_holds", before)


def _second_builder(user: User) -> Builder:
    other = Builder.objects.create(user=user, slug=f"b-{user.pk.hex[-8:]}", headline="Second")
    set_availability(other.pk, actor=user, enabled=True, prices=PRICES, windows=WEEKDAYS, terms=TERMS)
    return Builder.objects.get(pk=other.pk)


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("off the grid", {"starts_at": TUESDAY_NINE + timedelta(minutes=10)}),
    ("a quarter for half an hour", {"starts_at": TUESDAY_NINE + timedelta(minutes=15)}),
    ("a second late", {"starts_at": TUESDAY_NINE + timedelta(seconds=1)}),
    ("a microsecond late", {"starts_at": TUESDAY_NINE + timedelta(microseconds=1)}),
    ("past", {"starts_at": TUESDAY_NINE - timedelta(days=7)}),
    ("within notice", {"starts_at": MONDAY + timedelta(hours=1)}),
    ("beyond the horizon", {"starts_at": TUESDAY_NINE + timedelta(days=70)}),
    ("far beyond any calendar", {"starts_at": datetime(9990, 1, 1, tzinfo=UTC)}),
    ("before any clock", {"starts_at": datetime(1, 1, 1, tzinfo=UTC)}),
    ("at night", {"starts_at": TUESDAY_NINE - timedelta(hours=3)}),
    ("on Saturday", {"starts_at": TUESDAY_NINE + timedelta(days=4)}),
    ("over the end of the day", {"starts_at": TUESDAY_NINE + timedelta(hours=7, minutes=30), "minutes": 60}),
    ("another length", {"minutes": 45}),
    ("no length", {"minutes": 0}),
    ("no such zone", {"client_zone": "Mars/Olympus"}),
    ("a novel", {"notes": "x" * 601}),
]


@pytest.mark.parametrize(("why", "changes"), FORGED, ids=[why for why, _ in FORGED])
def test_a_forged_wish_writes_nothing(hold: Hold, why: str, changes: dict[str, Any]) -> None:
    before = counts()
    with pytest.raises((Invalid, Conflict)):
        hold(**changes)
    assert counts() == before


def test_the_hour_that_the_clock_leaves_out_is_never_held(hold: Hold, open_builder: Builder) -> None:
    """London goes from 01:00 to 02:00: open from 01:00 to 02:00 on Sundays means not at all on that one."""
    terms = Terms("Europe/London", 0, 60, 0)
    set_availability(open_builder.pk, actor=open_builder.user, enabled=True, prices=PRICES, windows=[Window(6, 60, 120)], terms=terms)
    switch = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    with clock.at(switch - timedelta(days=1)):
        before = counts()
        for minutes in (-60, -30, 0, 30):
            with pytest.raises(Invalid):
                hold(starts_at=switch + timedelta(minutes=minutes))
        assert counts() == before
        assert hold(starts_at=switch + timedelta(days=6, hours=23)).status == "held"


def test_a_length_without_a_price_is_not_offered(hold: Hold, open_builder: Builder) -> None:
    Builder.objects.filter(pk=open_builder.pk).update(consultation_60min_price=None)
    before = counts()
    with pytest.raises(Invalid) as refusal:
        hold(minutes=60)
    assert (refusal.value.code, counts()) == ("length_not_offered", before)


def test_the_builder_cannot_book_the_own_page(hold: Hold, builder_user: User) -> None:
    before = counts()
    with pytest.raises(NotAllowed):
        hold(builder_user)
    assert counts() == before


@pytest.mark.parametrize(
    "state",
    [
        {"consultation_enabled": False},
        AWAY | {"away_until": TUESDAY_NINE + timedelta(days=1)},
        AWAY | {"away_until": TUESDAY_NINE + timedelta(minutes=1)},
    ],
)
def test_a_builder_who_takes_no_calls_now_cannot_be_booked(hold: Hold, open_builder: Builder, state: dict[str, Any]) -> None:
    Builder.objects.filter(pk=open_builder.pk).update(**state)
    before = counts()
    with pytest.raises(DomainError):
        hold()
    assert counts() == before


def test_a_suspended_builder_cannot_be_booked(hold: Hold, open_builder: Builder) -> None:
    User.objects.filter(pk=open_builder.user_id).update(suspended_at=MONDAY, suspension_reason="Fraud")
    before = counts()
    with pytest.raises(Invalid):
        hold()
    assert counts() == before


def test_after_being_away_times_open_again(hold: Hold, open_builder: Builder) -> None:
    Builder.objects.filter(pk=open_builder.pk).update(**AWAY | {"away_until": TUESDAY_NINE})
    assert hold().status == ConsultationStatus.HELD


def test_the_gap_stays_free_behind_and_before_a_call(hold: Hold, open_builder: Builder, stranger: User) -> None:
    CallSettings.objects.filter(builder=open_builder).update(gap_minutes=15)
    call = hold(starts_at=TUESDAY_NINE + timedelta(hours=1))
    assert SlotClaim.objects.get(consultation=call).busy.upper == call.ends_at + timedelta(minutes=15)
    for minutes, code in ((30, "slot_taken"), (90, "slot_taken")):
        with pytest.raises(Conflict) as refusal:
            hold(stranger, starts_at=TUESDAY_NINE + timedelta(minutes=minutes))
        assert refusal.value.code == code
    assert hold(stranger, starts_at=TUESDAY_NINE + timedelta(minutes=120)).status == "held"


def test_a_suspended_client_books_nothing(hold: Hold, client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(suspended_at=MONDAY, suspension_reason="Fraud")
    before = counts()
    with pytest.raises(NotAllowed):
        hold()
    assert counts() == before
