"""Another time that the other side has to agree to, and what a calendar outside proposes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from consultations import actions
from consultations.actions import accept_proposal, cancel_call, decline_proposal, lapse_proposal, move_call, propose_move, withdraw_proposal
from consultations.jobs import lapse_proposals
from consultations.models import Consultation, ConsultationStatus, Proposal, ProposalStatus
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, TooMany, WrongState
from port444.notifications.models import Notification
from port444.payments import ledger
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import AccountKind, Refund

from .conftest import MONDAY, TUESDAY_NINE, counts, free_time
from .test_conduct import in_state

P = ProposalStatus
Hold = Callable[..., Consultation]
EVENING = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)  # 19:00 in Kolkata, when nothing is on offer
TWO_DAYS = timedelta(hours=settings.PROPOSAL_HOURS)


@pytest.fixture
def proposed(scheduled: Consultation, builder_user: User) -> Proposal:
    """By the builder, outside their hours."""
    return propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING, note="A delivery comes at nine.")


def refused(error: type[DomainError], code: str, act: Callable[[], Any]) -> None:
    before = (counts(), list(Proposal.objects.values_list("status", "answered_at")))
    with pytest.raises(error) as refusal:
        act()
    assert (refusal.value.code, (counts(), list(Proposal.objects.values_list("status", "answered_at")))) == (code, before)


def told(user: User, kind: str) -> list[str]:
    return [n.title for n in Notification.objects.filter(user=user, kind=kind).order_by("created_at", "pk")]


def test_the_other_side_is_asked(proposed: Proposal, client_user: User, builder_user: User) -> None:
    assert (proposed.status, proposed.kind, proposed.answerer_id) == (P.OPEN, "move", client_user.pk)
    assert proposed.answer_by == TUESDAY_NINE  # the call itself comes before two days are over
    assert told(client_user, "call_proposed") == ["Anaya proposes Tue 24 Nov, 14:30 (Amsterdam) for your call"]
    assert told(builder_user, "call_proposed") == []
    assert "A delivery comes at nine." in Notification.objects.get(kind="call_proposed").body


def test_a_proposal_waits_two_days_at_most(hold: Hold, client_user: User, builder_user: User) -> None:
    call = hold(starts_at=TUESDAY_NINE + timedelta(days=14))
    assert call.invoice_id is not None
    pay_with_test_wallet(call.invoice_id, actor=client_user)
    proposal = propose_move(call.pk, actor=builder_user, starts_at=EVENING + timedelta(days=20))
    assert proposal.answer_by == MONDAY + TWO_DAYS


def test_yes_moves_the_call(proposed: Proposal, client_user: User, scheduled: Consultation) -> None:
    moved = accept_proposal(proposed.pk, actor=client_user)
    proposed.refresh_from_db()
    assert (proposed.status, moved.scheduled_at, moved.move_count) == (P.ACCEPTED, EVENING, 0)
    assert moved.moves_left == scheduled.move_limit  # agreed moves take none of the client's own


def test_a_move_that_the_builder_wished_for_brings_free_time(proposed: Proposal, client_user: User, scheduled: Consultation) -> None:
    with clock.at(free_time(scheduled)):
        moved = accept_proposal(proposed.pk, actor=client_user)
    assert moved.free_until == EVENING - timedelta(hours=24)


def test_yes_needs_free_time(proposed: Proposal, client_user: User, stranger: User, hold: Hold, open_builder: Any) -> None:
    hold(stranger, starts_at=TUESDAY_NINE + timedelta(hours=2))
    later = propose_move(proposed.consultation_id, actor=open_builder.user, starts_at=TUESDAY_NINE + timedelta(hours=3))
    Proposal.objects.filter(pk=later.pk).update(starts_at=TUESDAY_NINE + timedelta(hours=2, minutes=15))
    refused(Conflict, "time_gone", lambda: accept_proposal(later.pk, actor=client_user))


def test_no_leaves_the_call_alone(proposed: Proposal, client_user: User, builder_user: User, scheduled: Consultation) -> None:
    decline_proposal(proposed.pk, actor=client_user)
    proposed.refresh_from_db()
    scheduled.refresh_from_db()
    assert (proposed.status, scheduled.status, scheduled.scheduled_at) == (P.DECLINED, "scheduled", TUESDAY_NINE)
    assert told(builder_user, "call_proposal_answered") == ["Jonas keeps the call at Tue 24 Nov, 09:00 (Kolkata)"]


def test_taking_it_back(proposed: Proposal, client_user: User, builder_user: User) -> None:
    withdraw_proposal(proposed.pk, actor=builder_user)
    proposed.refresh_from_db()
    assert proposed.status == P.WITHDRAWN
    refused(WrongState, "answered", lambda: accept_proposal(proposed.pk, actor=client_user))
    assert told(client_user, "call_proposal_answered") == ["Anaya took the proposed time back"]


@pytest.mark.parametrize("who", ["builder_user", "stranger", "staff"])
def test_only_the_other_side_answers(proposed: Proposal, who: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(who)
    refused(NotAllowed, "not_allowed", lambda: accept_proposal(proposed.pk, actor=actor))
    refused(NotAllowed, "not_allowed", lambda: decline_proposal(proposed.pk, actor=actor))


@pytest.mark.parametrize("who", ["client_user", "stranger", "staff"])
def test_only_the_maker_takes_it_back(proposed: Proposal, who: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(who)
    refused(NotAllowed, "not_allowed", lambda: withdraw_proposal(proposed.pk, actor=actor))


@pytest.mark.parametrize("who", ["stranger", "staff"])
def test_only_the_two_propose(scheduled: Consultation, who: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(who)
    refused(NotAllowed, "not_allowed", lambda: propose_move(scheduled.pk, actor=actor, starts_at=EVENING))


@pytest.mark.parametrize("status", [status for status in P if status not in Proposal.NEXT])
def test_what_is_answered_stays_answered(proposed: Proposal, client_user: User, builder_user: User, status: str) -> None:
    Proposal.objects.filter(pk=proposed.pk).update(status=status, answered_at=MONDAY)
    refused(WrongState, "answered", lambda: accept_proposal(proposed.pk, actor=client_user))
    refused(WrongState, "answered", lambda: decline_proposal(proposed.pk, actor=client_user))
    refused(WrongState, "answered", lambda: withdraw_proposal(proposed.pk, actor=builder_user))
    refused(WrongState, "wrong_state", lambda: lapse_proposal(proposed.pk))


@pytest.mark.parametrize("status", [status for status in ConsultationStatus if status != ConsultationStatus.SCHEDULED])
def test_only_scheduled_calls_are_talked_about(proposed: Proposal, client_user: User, builder_user: User, status: str) -> None:
    in_state(proposed.consultation, status)
    code = "moved" if status == ConsultationStatus.RESCHEDULED else "wrong_state"
    refused(WrongState, code, lambda: accept_proposal(proposed.pk, actor=client_user))
    refused(WrongState, code, lambda: propose_move(proposed.consultation_id, actor=builder_user, starts_at=EVENING + timedelta(days=1)))


def test_bad_wishes(scheduled: Consultation, builder_user: User, hold: Hold, stranger: User) -> None:
    hold(stranger, starts_at=TUESDAY_NINE + timedelta(hours=1))

    def ask(at: datetime, note: str = "") -> Callable[[], Any]:
        return lambda: propose_move(scheduled.pk, actor=builder_user, starts_at=at, note=note)

    refused(Invalid, "same_time", ask(TUESDAY_NINE))
    refused(Invalid, "slot_not_offered", ask(MONDAY))
    refused(Invalid, "slot_not_offered", ask(MONDAY + timedelta(days=400)))
    refused(Invalid, "slot_not_offered", ask(EVENING + timedelta(seconds=1)))
    refused(Invalid, "note_long", ask(EVENING, "x" * 301))
    refused(Conflict, "slot_taken", ask(TUESDAY_NINE + timedelta(minutes=45)))


def test_the_newest_proposal_stands(proposed: Proposal, scheduled: Consultation, client_user: User, builder_user: User) -> None:
    again = propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING)
    assert again == proposed  # a double click
    other = propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING + timedelta(hours=1))
    assert Proposal.objects.get(pk=proposed.pk).status == P.WITHDRAWN
    refused(WrongState, "proposed_to_you", lambda: propose_move(scheduled.pk, actor=client_user, starts_at=EVENING + timedelta(hours=1)))
    counter = propose_move(scheduled.pk, actor=client_user, starts_at=EVENING + timedelta(hours=2))
    assert (Proposal.objects.get(pk=other.pk).status, counter.status) == (P.DECLINED, P.OPEN)
    assert Proposal.objects.open().count() == 1


def test_proposing_has_an_end(scheduled: Consultation, builder_user: User) -> None:
    for turn in range(10):
        propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING + timedelta(minutes=15 * turn))
    refused(TooMany, "too_many_proposals", lambda: propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING + timedelta(hours=4)))


def test_a_proposal_lapses_without_effect(proposed: Proposal, builder_user: User, client_user: User, scheduled: Consultation) -> None:
    Proposal.objects.update(answer_by=MONDAY + timedelta(hours=1))
    refused(WrongState, "wrong_state", lambda: lapse_proposal(proposed.pk))
    with clock.at(MONDAY + timedelta(hours=1)):
        refused(WrongState, "lapsed", lambda: accept_proposal(proposed.pk, actor=client_user))
        assert (lapse_proposals(), lapse_proposals()) == (1, 0)
    scheduled.refresh_from_db()
    assert (Proposal.objects.get().status, scheduled.status) == (P.LAPSED, "scheduled")
    assert told(builder_user, "call_proposal_answered") == ["The call stays at Tue 24 Nov, 09:00 (Kolkata)"]


def test_a_call_that_ends_or_moves_takes_its_proposal_along(proposed: Proposal, scheduled: Consultation, client_user: User) -> None:
    moved = move_call(scheduled.pk, actor=client_user, starts_at=TUESDAY_NINE + timedelta(hours=1))
    assert Proposal.objects.get().status == P.WITHDRAWN
    second = propose_move(moved.pk, actor=client_user, starts_at=EVENING)
    cancel_call(moved.pk, actor=client_user)
    second.refresh_from_db()
    assert second.status == P.WITHDRAWN


def from_calendar(call: Consultation, starts_at: datetime | None = None) -> Proposal | None:
    kind = "move" if starts_at else "cancel"
    return actions.propose_from_calendar(call.pk, kind=kind, starts_at=starts_at, moment=clock.now())


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[Consultation]:
    """The calls whose copies were asked for again."""
    calls: list[Consultation] = []
    monkeypatch.setattr("consultations.actions.proposals.follow", lambda call, moment: calls.append(call))
    return calls


def test_moved_in_the_calendar_is_a_proposal(scheduled: Consultation, client_user: User, builder_user: User, followed: list[Consultation]) -> None:
    proposal = from_calendar(scheduled, EVENING)
    assert proposal is not None
    assert (proposal.made_by, proposal.from_calendar, proposal.answerer_id) == (builder_user, True, client_user.pk)
    assert from_calendar(scheduled, EVENING) == proposal
    assert len(told(client_user, "call_proposed")) == 1
    assert followed == []
    decline_proposal(proposal.pk, actor=client_user)
    assert followed == [scheduled]  # the copy goes back to where the call is


def test_moved_back_in_the_calendar_is_nothing(scheduled: Consultation) -> None:
    from_calendar(scheduled, EVENING)
    assert from_calendar(scheduled, TUESDAY_NINE) is None
    assert Proposal.objects.get().status == P.WITHDRAWN


def test_moved_to_where_it_cannot_be_stays(
    scheduled: Consultation, hold: Hold, stranger: User, builder_user: User, client_user: User, followed: list[Consultation]
) -> None:
    hold(stranger, starts_at=TUESDAY_NINE + timedelta(hours=1))
    for there in (TUESDAY_NINE + timedelta(minutes=45), MONDAY - timedelta(hours=1)):
        assert from_calendar(scheduled, there) is None
    assert (Proposal.objects.count(), followed) == (0, [scheduled, scheduled])
    assert told(builder_user, "call_kept") == ["The call with Jonas stays at Tue 24 Nov, 09:00 (Kolkata)"] * 2
    assert told(client_user, "call_proposed") == []


def test_vanished_from_the_calendar_asks_the_builder(scheduled: Consultation, builder_user: User, client_user: User) -> None:
    proposal = from_calendar(scheduled)
    assert proposal is not None
    assert (proposal.kind, proposal.answerer_id, proposal.answer_by) == ("cancel", builder_user.pk, MONDAY + timedelta(hours=2))
    assert from_calendar(scheduled) == proposal
    assert (len(told(builder_user, "call_vanished")), Notification.objects.filter(user=client_user, kind="call_vanished").count()) == (1, 0)
    refused(NotAllowed, "not_allowed", lambda: decline_proposal(proposal.pk, actor=client_user))
    refused(NotAllowed, "not_allowed", lambda: withdraw_proposal(proposal.pk, actor=builder_user))
    refused(WrongState, "cancel_proposed", lambda: propose_move(scheduled.pk, actor=builder_user, starts_at=EVENING))


def test_the_builder_keeps_it(scheduled: Consultation, builder_user: User, followed: list[Consultation]) -> None:
    proposal = from_calendar(scheduled)
    assert proposal is not None
    decline_proposal(proposal.pk, actor=builder_user)
    assert (followed, Refund.objects.count()) == ([scheduled], 0)
    assert Consultation.objects.get().status == "scheduled"


@pytest.mark.parametrize("how", ["says so", "says nothing"])
def test_the_builder_lets_it_go(scheduled: Consultation, builder_user: User, how: str) -> None:
    proposal = from_calendar(scheduled)
    assert proposal is not None
    with clock.at(free_time(scheduled) if how == "says so" else proposal.answer_by):
        if how == "says so":
            with clock.at(MONDAY):
                accept_proposal(proposal.pk, actor=builder_user)
        else:
            assert lapse_proposals() == 1
    call = Consultation.objects.get()
    assert (call.status, Refund.objects.get().amount) == ("cancelled", Decimal("63.30"))
    assert call.cancelled_by == (builder_user if how == "says so" else None)
    assert ledger.balance(AccountKind.EARNINGS, owner=builder_user.pk) == 0


@pytest.mark.parametrize(("before", "wait"), [(180, 120), (150, 90), (90, 30), (70, 15), (20, 15), (10, 10)])
def test_how_long_the_builder_has(scheduled: Consultation, before: int, wait: int) -> None:
    """Two hours, but an hour before the start; a quarter of an hour at least, and never past the start."""
    moment = scheduled.scheduled_at - timedelta(minutes=before)
    with clock.at(moment):
        proposal = from_calendar(scheduled)
    assert proposal is not None
    assert proposal.answer_by == moment + timedelta(minutes=wait)


def test_a_call_that_has_begun_is_not_cancelled_by_silence(scheduled: Consultation) -> None:
    with clock.at(scheduled.scheduled_at - timedelta(minutes=5)):
        from_calendar(scheduled)
    with clock.at(scheduled.scheduled_at):
        assert lapse_proposals() == 1
        assert from_calendar(scheduled) is None
    assert (Consultation.objects.get().status, Refund.objects.count()) == ("scheduled", 0)


@pytest.mark.parametrize("status", [status for status in ConsultationStatus if status != ConsultationStatus.SCHEDULED])
def test_calendars_say_nothing_about_other_calls(scheduled: Consultation, status: str) -> None:
    in_state(scheduled, status)
    before = counts()
    assert (from_calendar(scheduled), from_calendar(scheduled, EVENING), counts()) == (None, None, before)


def test_by_form(client: Client, scheduled: Consultation, client_user: User, builder_user: User) -> None:
    client.force_login(builder_user)
    wish = {"do": "propose", "free-at": "2026-11-24T19:00", "free-note": "A delivery comes."}
    answer = client.post(f"{scheduled.url}move/", wish, follow=True)
    assert "You propose" in answer.content.decode()
    proposal = Proposal.objects.get()
    assert proposal.starts_at == EVENING
    for text in ("soon", "0001-01-01T00:00", "9999-12-31T23:59"):
        assert client.post(f"{scheduled.url}move/", {"do": "propose", "free-at": text}).status_code == 422
    client.force_login(client_user)
    page = client.get(scheduled.url).content.decode()
    assert ("Anaya proposes" in page, "A delivery comes." in page) == (True, True)
    assert client.get(f"/calls/proposals/{proposal.pk}/accept/").status_code == 405
    answer = client.post(f"/calls/proposals/{proposal.pk}/accept/")
    assert answer["Location"] == Consultation.objects.live(scheduled.chain).get().url
    assert client.post(f"/calls/proposals/{proposal.pk}/accept/").status_code == 409


@pytest.mark.parametrize("path", ["accept", "decline", "withdraw"])
def test_strangers_find_no_proposal(client: Client, proposed: Proposal, stranger: User, path: str) -> None:
    client.force_login(stranger)
    before = counts()
    assert (client.post(f"/calls/proposals/{proposed.pk}/{path}/").status_code, counts()) == (404, before)


def test_a_client_who_is_late_asks(client: Client, scheduled: Consultation, client_user: User) -> None:
    client.force_login(client_user)
    with clock.at(scheduled.move_until):
        page = client.get(f"{scheduled.url}move/").content.decode()
        assert ("It is less than 12 hours to the call." in page, "Ask Anaya" in page) == (True, True)
        client.post(f"{scheduled.url}move/", {"do": "propose", "slot": "2026-11-25T04:30:00Z"})
    assert (Proposal.objects.get().made_by, Consultation.objects.get().status) == (client_user, "scheduled")
