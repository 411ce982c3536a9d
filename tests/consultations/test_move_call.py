"""Moving a call: what goes along, who may, until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from consultations import emails, ical
from consultations.actions import cancel_call, complete_call, move_call, propose_move
from consultations.models import Consultation, ConsultationStatus, Proposal, Reminder, SlotClaim
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState
from port444.messaging.models import Message
from port444.notifications.models import Notification
from port444.payments import escrow, ledger
from port444.payments.actions import settle_invoice
from port444.payments.models import AccountKind, Invoice, Refund

from .conftest import MONDAY, TUESDAY_NINE, counts, free_time
from .test_conduct import in_state

C = ConsultationStatus
Hold = Callable[..., Consultation]
WEDNESDAY_TEN = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)  # 10:00 in Kolkata


def test_everything_goes_along(scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    scheduled.refresh_from_db()
    assert (scheduled.status, scheduled.rescheduled_at) == ("rescheduled", MONDAY)
    assert (moved.status, moved.scheduled_at, moved.ends_at) == ("scheduled", WEDNESDAY_TEN, WEDNESDAY_TEN + timedelta(minutes=30))
    assert (moved.rescheduled_from, moved.chain, moved.invoice_id) == (scheduled, scheduled.chain, scheduled.invoice_id)
    assert (moved.move_count, moved.ical_sequence, moved.paid_at) == (1, 1, scheduled.paid_at)
    frozen = ["price", "client_fee", "builder_fee_bps", "refund_policy", "free_hours", "move_limit", "move_hours", "client_zone", "client_notes"]
    assert [getattr(moved, name) for name in frozen] == [getattr(scheduled, name) for name in frozen]
    claim = SlotClaim.objects.get()
    assert (claim.consultation, claim.status, claim.busy.lower, claim.busy.upper) == (moved, "confirmed", moved.scheduled_at, moved.ends_at)
    assert (Invoice.objects.count(), Refund.objects.count()) == (1, 0)
    assert escrow.current().position(moved.deal).locked == Decimal("60.00")


def test_both_are_told_with_a_file_that_moves_the_event(scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    told = {n.user_id: n for n in Notification.objects.filter(kind="call_moved")}
    assert set(told) == {moved.client_id, moved.builder.user_id}
    assert told[moved.client_id].title == "Call with Anaya moved to Wed 25 Nov, 05:30 (Amsterdam)"
    assert "Jonas moved it from Tue 24 Nov, 09:00 (Kolkata)." in told[moved.builder.user_id].body
    file = emails.invitation(told[moved.client_id])[0].content.decode()
    assert (f"UID:{ical.uid(scheduled)}" in file, "SEQUENCE:1" in file, "DTSTART:20261125T043000Z" in file) == (True, True, True)
    notice = Message.objects.filter(conversation=moved.conversation).latest("created_at")
    assert notice.body.startswith("Jonas moved the call to Wed 25 Nov, 05:30 (Amsterdam), Wed 25 Nov, 10:00 (Kolkata).")


def test_a_mail_that_was_written_before_the_move_brings_the_new_time(scheduled: Consultation, client_user: User) -> None:
    booked = Notification.objects.get(kind="call_scheduled", user=client_user)
    move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    file = emails.invitation(booked)[0].content.decode()
    assert ("SEQUENCE:1" in file, "DTSTART:20261125T043000Z" in file) == (True, True)


def test_there_and_back_again(scheduled: Consultation, client_user: User) -> None:
    there = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    back = move_call(there.pk, actor=client_user, starts_at=TUESDAY_NINE)
    rows = Consultation.objects.filter(chain=scheduled.chain).order_by("created_at", "pk")
    assert [row.status for row in rows] == ["rescheduled", "rescheduled", "scheduled"]
    assert (back.scheduled_at, back.ends_at, back.ical_sequence) == (scheduled.scheduled_at, scheduled.ends_at, 2)
    assert {row.invoice_id for row in rows} == {scheduled.invoice_id}
    assert Consultation.objects.live(scheduled.chain).get() == back
    assert [claim.consultation for claim in SlotClaim.objects.all()] == [back]


def test_a_call_moves_over_its_own_time(scheduled: Consultation, client_user: User, open_builder: Builder) -> None:
    """A call of half an hour goes half an hour on, with a gap that would be in its way if it were another's."""
    open_builder.call_settings.gap_minutes = 30
    open_builder.call_settings.save()
    moved = move_call(scheduled.pk, actor=client_user, starts_at=TUESDAY_NINE + timedelta(minutes=30))
    claim = SlotClaim.objects.get()
    assert (claim.busy.lower, claim.busy.upper) == (moved.scheduled_at, moved.ends_at + timedelta(minutes=30))


def test_the_next_step_works_on_the_row_that_follows(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    with clock.at(moved.ends_at):
        complete_call(moved.pk, actor=builder_user)
    assert ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk) == Decimal("54.00")
    assert escrow.current().position(moved.deal).locked == 0
    settle_invoice(Invoice.objects.get().pk)  # a late repeat of the payment's job finds nothing to do
    moved.refresh_from_db()
    assert moved.status == "completed"


def test_a_moved_call_is_cancelled_once_and_paid_back_once(scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    with pytest.raises(WrongState) as refusal:
        cancel_call(scheduled.pk, actor=client_user)
    assert refusal.value.code == "moved"
    cancel_call(moved.pk, actor=client_user)
    assert [refund.amount for refund in Refund.objects.all()] == [Decimal("63.30")]


def refused(error: type[DomainError], code: str, call: Consultation, actor: User, starts_at: datetime = WEDNESDAY_TEN) -> None:
    before = counts()
    with pytest.raises(error) as refusal:
        move_call(call.pk, actor=actor, starts_at=starts_at)
    assert (refusal.value.code, counts()) == (code, before)


@pytest.mark.parametrize("who", ["builder_user", "stranger", "staff"])
def test_only_the_client_moves_without_asking(scheduled: Consultation, who: str, request: pytest.FixtureRequest) -> None:
    refused(NotAllowed, "not_allowed", scheduled, request.getfixturevalue(who))


@pytest.mark.parametrize("status", [status for status in C if C.RESCHEDULED not in Consultation.NEXT.get(status, ())])
def test_nothing_but_a_scheduled_call_is_moved(scheduled: Consultation, client_user: User, status: str) -> None:
    in_state(scheduled, status)
    refused(WrongState, "moved" if status == C.RESCHEDULED else "wrong_state", scheduled, client_user)


def test_a_call_that_has_begun_stays(scheduled: Consultation, client_user: User) -> None:
    with clock.at(scheduled.scheduled_at):
        refused(WrongState, "started", scheduled, client_user)


def test_moving_without_asking_ends_hours_before(scheduled: Consultation, client_user: User) -> None:
    with clock.at(scheduled.move_until):
        refused(NotAllowed, "move_late", scheduled, client_user)
    with clock.at(scheduled.move_until - timedelta(seconds=1)):
        assert move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN).scheduled_at == WEDNESDAY_TEN


def test_moving_without_asking_ends_after_some_times(scheduled: Consultation, client_user: User) -> None:
    call = scheduled
    for turn in range(scheduled.move_limit):
        call = move_call(call.pk, actor=client_user, starts_at=WEDNESDAY_TEN + timedelta(minutes=30 * turn))
    assert (call.move_count, call.moves_left) == (2, 0)
    refused(NotAllowed, "move_limit", call, client_user, TUESDAY_NINE)


@pytest.mark.parametrize(
    ("minutes", "code"), [(7, "slot_not_offered"), (-60, "slot_not_offered"), (8 * 60, "slot_not_offered"), (60 * 24 * 120, "slot_not_offered")]
)
def test_only_times_on_offer(scheduled: Consultation, client_user: User, minutes: int, code: str) -> None:
    refused(Invalid, code, scheduled, client_user, TUESDAY_NINE + timedelta(minutes=minutes))
    refused(Invalid, "same_time", scheduled, client_user, TUESDAY_NINE)


def test_a_time_that_somebody_holds_is_taken(scheduled: Consultation, client_user: User, hold: Hold, stranger: User) -> None:
    hold(stranger, starts_at=WEDNESDAY_TEN)
    refused(Conflict, "slot_taken", scheduled, client_user)
    with clock.at(MONDAY + timedelta(minutes=20)):  # the hold is over, and is given back by whoever needs its time
        moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    assert moved.scheduled_at == WEDNESDAY_TEN
    assert Consultation.objects.get(client=stranger).status == "expired"


def test_ones_own_hold_is_in_the_way_too(scheduled: Consultation, client_user: User, hold: Hold) -> None:
    hold(starts_at=WEDNESDAY_TEN)
    refused(Conflict, "slot_taken", scheduled, client_user)


def test_what_the_calendars_say_just_now_counts(scheduled: Consultation, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    at = int(WEDNESDAY_TEN.timestamp())
    monkeypatch.setattr("consultations.actions.booking.live_busy", lambda builder, since, until, ignore=None: [(at + 600, at + 700)])
    refused(Conflict, "slot_taken", scheduled, client_user)


def test_a_closed_account_moves_nothing(scheduled: Consultation, client_user: User) -> None:
    User.objects.filter(pk=scheduled.builder.user_id).update(suspended_at=MONDAY, suspension_reason="Under review for now")
    refused(NotAllowed, "suspended", scheduled, client_user)


def test_a_length_that_is_off_the_list_can_still_be_moved(scheduled: Consultation, client_user: User, open_builder: Builder) -> None:
    Builder.objects.filter(pk=open_builder.pk).update(consultation_30min_price=None)
    assert move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN).price == Decimal("60.00")


def test_moving_late_brings_no_free_time_back(scheduled: Consultation, client_user: User) -> None:
    """Otherwise whoever is too late to cancel for nothing would move the call to next week and cancel it there."""
    free = free_time(scheduled)
    with clock.at(free):
        moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
        assert (moved.free_until, moved.back_if_cancelled_by(client_user, free).total) == (free, Decimal(0))
        again = move_call(moved.pk, actor=client_user, starts_at=WEDNESDAY_TEN + timedelta(days=7))
        assert again.free_until == free


def test_moving_in_time_moves_the_free_time(scheduled: Consultation, client_user: User) -> None:
    with clock.at(free_time(scheduled) - timedelta(seconds=1)):
        moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    assert moved.free_until == WEDNESDAY_TEN - timedelta(hours=24)


def test_reminders_follow(scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    assert Reminder.objects.filter(consultation=moved, status="due").count() == 4


PAGES = ["", "join/", "call.ics", "move/"]


def test_old_links_lead_to_the_new_time(client: Client, scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    client.force_login(client_user)
    assert client.get(scheduled.url)["Location"] == moved.url
    assert client.get(f"{scheduled.url}move/")["Location"] == f"{moved.url}move/"
    assert b"DTSTART:20261125T043000Z" in client.get(f"{scheduled.url}call.ics").content
    before = counts()
    assert client.post(f"{scheduled.url}cancel/", {"reason": "x"}).status_code == 409
    assert counts() == before


@pytest.mark.parametrize("path", PAGES)
def test_looking_changes_nothing(client: Client, scheduled: Consultation, path: str) -> None:
    """A mail scanner opens every link, signed in or not."""
    for person in (scheduled.client, scheduled.builder.user):
        before = counts()
        client.get(scheduled.url + path)
        client.force_login(person)
        client.get(scheduled.url + path)
        assert (counts(), Proposal.objects.count()) == (before, 0)


def form(at: datetime, do: str = "move", **more: Any) -> dict[str, Any]:
    return {"slot": f"{at:%Y-%m-%dT%H:%M:%SZ}", "do": do, **more}


def test_by_form(client: Client, scheduled: Consultation, client_user: User) -> None:
    client.force_login(client_user)
    page = client.get(f"{scheduled.url}move/?week=2026-11-23&slot=2026-11-25T04:30:00Z").content.decode()
    assert ("Move the call" in page, "Wednesday 25 November" in page, 'value="2026-11-24T03:30:00Z"' in page) == (True, True, False)
    answer = client.post(f"{scheduled.url}move/", form(WEDNESDAY_TEN))
    moved = Consultation.objects.live(scheduled.chain).get()
    assert (answer.status_code, answer["Location"]) == (302, moved.url)
    again = client.post(f"{scheduled.url}move/", form(WEDNESDAY_TEN))  # a double click
    assert (again["Location"], Consultation.objects.count()) == (moved.url, 2)
    elsewhere = client.post(f"{scheduled.url}move/", form(TUESDAY_NINE))
    assert (elsewhere.status_code, "was moved meanwhile" in elsewhere.content.decode()) == (409, True)


def test_a_refused_form_names_what_is_free(client: Client, scheduled: Consultation, client_user: User, hold: Hold, stranger: User) -> None:
    hold(stranger, starts_at=WEDNESDAY_TEN)
    client.force_login(client_user)
    before = counts()
    answer = client.post(f"{scheduled.url}move/", form(WEDNESDAY_TEN))
    page = answer.content.decode()
    assert (answer.status_code, "That time is taken." in page, "Wed 25 Nov, 06:00" in page, counts()) == (409, True, True, before)
    assert client.post(f"{scheduled.url}move/", {"do": "move"}).status_code == 422


def test_htmx_gets_pieces(client: Client, scheduled: Consultation, client_user: User) -> None:
    client.force_login(client_user)
    for query, piece in (("week=2026-11-30", 'id="when"'), ("part=quote&slot=2026-11-25T04:30:00Z", 'id="summary"')):
        answer = client.get(f"{scheduled.url}move/?{query}", headers={"HX-Request": "true"}).content.decode()
        assert (piece in answer, "<html" in answer) == (True, False)


@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_find_nothing(client: Client, scheduled: Consultation, stranger: User, method: str) -> None:
    client.force_login(stranger)
    assert getattr(client, method)(f"{scheduled.url}move/").status_code == 404


def test_queries_of_the_move_page(client: Client, scheduled: Consultation, client_user: User, django_assert_num_queries: Any) -> None:
    client.force_login(client_user)
    client.get(f"{scheduled.url}move/")
    with django_assert_num_queries(12):
        client.get(f"{scheduled.url}move/")


def test_a_long_story_costs_no_more_queries(
    client: Client, scheduled: Consultation, client_user: User, builder_user: User, django_assert_num_queries: Any
) -> None:
    client.force_login(client_user)
    with django_assert_num_queries(12):
        client.get(scheduled.url)
    there = move_call(scheduled.pk, actor=client_user, starts_at=WEDNESDAY_TEN)
    for turn in range(3):
        propose_move(there.pk, actor=(builder_user, client_user)[turn % 2], starts_at=WEDNESDAY_TEN + timedelta(hours=turn + 1))
    page = client.get(there.url).content.decode()
    with django_assert_num_queries(12):
        client.get(there.url)
    told = ["booked Tue 24 Nov, 04:30 and paid $63.30", "moved it from Tue 24 Nov, 04:30 to Wed 25 Nov, 05:30", "declined the proposed time"]
    assert [words for words in told if words not in page] == []
