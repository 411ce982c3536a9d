"""Somebody did not come: evidence, the word of the other side, answers, silence, decisions, and the money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from consultations import actions
from consultations.actions import admit_absence, cancel_call, complete_call, decide_absence, dismiss_absence, dispute_absence, report_absence
from consultations.jobs import complete_ended, look_at_ended, settle_absences
from consultations.models import Absence, Attendance, Consultation
from consultations.queries import waiting_for
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState
from port444.notifications.models import Notification
from port444.payments import escrow, ledger
from port444.payments.models import AccountKind, Refund

from .conftest import counts

WHY = "Their room log shows it."


def seen(call: Consultation, party: str, minutes: int | None = None, source: str = "join") -> None:
    left = None if minutes is None else call.scheduled_at + timedelta(minutes=minutes)
    Attendance.objects.create(consultation=call, party=party, source=source, joined_at=call.scheduled_at, left_at=left, external_id="")


def earned(user: User) -> Decimal:
    return ledger.balance(AccountKind.EARNINGS, owner=user.pk)


def late(call: Consultation, **more: float) -> datetime:
    return call.ends_at + timedelta(**more)


@pytest.fixture
def people(client_user: User, builder_user: User) -> dict[str, User]:
    return {"client": client_user, "builder": builder_user}


def other(party: str) -> str:
    return "builder" if party == "client" else "client"


# Saying it


@pytest.mark.parametrize("party", ["client", "builder"])
def test_the_side_that_came_says_it(after_start: Consultation, people: dict[str, User], party: str) -> None:
    absence = report_absence(after_start.pk, actor=people[party], note="I waited for half an hour.")
    assert (absence.status, absence.party, absence.note) == ("reported", other(party), "I waited for half an hour.")
    assert absence.answer_by == clock.now() + timedelta(hours=48)
    told = Notification.objects.get(kind="call_absence_reported")
    assert (told.user_id, "I waited" in told.body) == (people[other(party)].pk, True)


def test_not_in_the_first_five_minutes(scheduled: Consultation, client_user: User) -> None:
    before = counts()
    with clock.at(scheduled.scheduled_at + timedelta(minutes=5, seconds=-1)), pytest.raises(WrongState):
        report_absence(scheduled.pk, actor=client_user)
    assert counts() == before
    with clock.at(scheduled.scheduled_at + timedelta(minutes=5)):
        assert report_absence(scheduled.pk, actor=client_user).status == "reported"


@pytest.mark.parametrize("who", ["stranger", "staff"])
@pytest.mark.parametrize("act", ["report_absence", "admit_absence", "dispute_absence", "dismiss_absence"])
def test_others_have_no_word(after_start: Consultation, client_user: User, who: str, act: str, request: pytest.FixtureRequest) -> None:
    report_absence(after_start.pk, actor=client_user)
    actor, before = request.getfixturevalue(who), counts()
    with pytest.raises(NotAllowed):
        getattr(actions, act)(after_start.pk, actor=actor, **({"note": "x"} if act == "dispute_absence" else {}))
    assert counts() == before


def test_saying_it_twice_or_of_each_other_is_refused(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["client"])
    before = counts()
    with pytest.raises(WrongState):
        report_absence(after_start.pk, actor=people["client"])
    with pytest.raises(Conflict, match="Answer that first"):
        report_absence(after_start.pk, actor=people["builder"])
    assert counts() == before


def test_notes_have_an_end(after_start: Consultation, client_user: User, builder_user: User) -> None:
    before = counts()
    with pytest.raises(Invalid):
        report_absence(after_start.pk, actor=client_user, note="x" * 601)
    assert counts() == before
    report_absence(after_start.pk, actor=client_user)
    before = counts()
    for note in ("", "  ", "x" * 601):
        with pytest.raises(Invalid):
            dispute_absence(after_start.pk, actor=builder_user, note=note)
    assert counts() == before


@pytest.mark.parametrize("end", [complete_call, cancel_call])
def test_after_the_end_of_the_call_nothing_is_said(after_start: Consultation, people: dict[str, User], end: Callable[..., object]) -> None:
    end(after_start.pk, actor=people["builder"])
    before = counts()
    for party in people:
        with pytest.raises(WrongState):
            report_absence(after_start.pk, actor=people[party])
    assert counts() == before


# Where the money goes


def test_a_builder_who_did_not_come_gives_everything_back(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["client"])
    admit_absence(after_start.pk, actor=people["builder"])
    after_start.refresh_from_db()
    assert (after_start.status, after_start.no_show_party) == ("no_show", "builder")
    assert (Refund.objects.get().amount, earned(people["builder"])) == (after_start.total, Decimal(0))
    assert ledger.balance(AccountKind.FEES) == 0
    assert escrow.current().position(after_start.deal).locked == 0
    assert Notification.objects.filter(kind="call_no_show").count() == 2


@pytest.mark.parametrize(
    ("policy", "back", "share"),
    [("free", Decimal("0.00"), Decimal("54.00")), ("half", Decimal("31.65"), Decimal("27.00")), ("none", Decimal("0.00"), Decimal("54.00"))],
)
def test_a_client_who_did_not_come_pays_as_for_a_late_cancel(
    after_start: Consultation, people: dict[str, User], policy: str, back: Decimal, share: Decimal
) -> None:
    Consultation.objects.filter(pk=after_start.pk).update(refund_policy=policy)
    report_absence(after_start.pk, actor=people["builder"])
    admit_absence(after_start.pk, actor=people["client"])
    after_start.refresh_from_db()
    assert (after_start.status, after_start.no_show_party) == ("no_show", "client")
    assert sum(refund.amount for refund in Refund.objects.all()) == back
    assert earned(people["builder"]) == share
    assert escrow.current().position(after_start.deal).locked == 0


def test_with_a_builder_who_was_suspended_the_client_pays_nothing(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["builder"])
    User.objects.filter(pk=people["builder"].pk).update(suspended_at=after_start.scheduled_at, suspension_reason="Under review for now")
    admit_absence(after_start.pk, actor=people["client"])
    assert Refund.objects.get().amount == after_start.total


# Answers and silence


def test_silence_confirms(after_start: Consultation, people: dict[str, User]) -> None:
    absence = report_absence(after_start.pk, actor=people["client"])
    assert absence.answer_by is not None
    with clock.at(absence.answer_by - timedelta(seconds=1)):
        assert settle_absences() == 0
        assert complete_ended() == 0  # although the call ended a day ago
    with clock.at(absence.answer_by):
        before = counts()
        with pytest.raises(WrongState):
            dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
        assert counts() == before
        assert settle_absences() == 1
        assert settle_absences() == 0
    after_start.refresh_from_db()
    assert (after_start.status, Refund.objects.get().amount) == ("no_show", after_start.total)


@pytest.mark.parametrize(("outcome", "status"), [("confirmed", "no_show"), ("dismissed", "scheduled")])
def test_staff_decides_a_dispute(after_start: Consultation, people: dict[str, User], staff: User, outcome: str, status: str) -> None:
    report_absence(after_start.pk, actor=people["client"])
    absence = dispute_absence(after_start.pk, actor=people["builder"], note="I was there at nine.")
    assert Notification.objects.get(kind="call_absence_to_decide").user_id == staff.pk
    with clock.at(late(after_start, days=30)):
        assert settle_absences() == complete_ended() == 0
        absence = decide_absence(absence.pk, actor=staff, outcome=outcome, note=WHY)
        after_start.refresh_from_db()
        assert (absence.status, absence.decided_by, after_start.status) == (outcome, staff, status)
        assert complete_ended() == (1 if outcome == "dismissed" else 0)
    assert (Refund.objects.count(), earned(people["builder"])) == ((1, 0) if outcome == "confirmed" else (0, Decimal("54.00")))


@pytest.mark.parametrize(("who", "error"), [("client_user", NotAllowed), ("builder_user", NotAllowed), ("stranger", NotAllowed)])
def test_only_staff_decides(
    after_start: Consultation, people: dict[str, User], who: str, error: type[DomainError], request: pytest.FixtureRequest
) -> None:
    report_absence(after_start.pk, actor=people["client"])
    absence = dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
    actor, before = request.getfixturevalue(who), counts()
    with pytest.raises(error):
        decide_absence(absence.pk, actor=actor, outcome="confirmed", note=WHY)
    assert counts() == before


def test_a_decision_needs_a_dispute_a_reason_and_an_outcome(after_start: Consultation, people: dict[str, User], staff: User) -> None:
    absence = report_absence(after_start.pk, actor=people["client"])
    before = counts()
    with pytest.raises(WrongState):
        decide_absence(absence.pk, actor=staff, outcome="confirmed", note=WHY)
    assert counts() == before
    dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
    before = counts()
    for outcome, note in (("confirmed", "short"), ("confirmed", "x" * 601), ("reported", WHY)):
        with pytest.raises(Invalid):
            decide_absence(absence.pk, actor=staff, outcome=outcome, note=note)
    assert counts() == before
    User.objects.filter(pk=people["client"].pk).update(is_staff=True)
    people["client"].refresh_from_db()
    before = counts()  # the log saw who became staff
    with pytest.raises(NotAllowed):
        decide_absence(absence.pk, actor=people["client"], outcome="confirmed", note=WHY)
    assert counts() == before


@pytest.mark.parametrize("disputed", [False, True])
def test_who_said_it_takes_it_back(after_start: Consultation, people: dict[str, User], disputed: bool) -> None:
    report_absence(after_start.pk, actor=people["client"])
    if disputed:
        dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
    before = counts()
    with pytest.raises(NotAllowed):
        dismiss_absence(after_start.pk, actor=people["builder"])
    assert counts() == before
    assert dismiss_absence(after_start.pk, actor=people["client"]).status == "dismissed"
    before = counts()
    for act in (report_absence, dismiss_absence):  # once taken back it stays so
        with pytest.raises(WrongState):
            act(after_start.pk, actor=people["client"])
    assert counts() == before
    assert complete_call(after_start.pk, actor=people["builder"]).status == "completed"


# What else happens to the call meanwhile


def test_the_builder_cannot_complete_what_the_client_says_never_was(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["client"])
    before = counts()
    with pytest.raises(Conflict, match="Answer that first"):
        complete_call(after_start.pk, actor=people["builder"])
    dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
    middle = counts()
    with pytest.raises(Conflict, match="being decided"):
        complete_call(after_start.pk, actor=people["builder"])
    assert before != middle == counts()


@pytest.mark.parametrize("disputed", [False, True])
@pytest.mark.parametrize("taken_back", [False, True])
def test_a_builder_cannot_speak_first_to_be_paid_over_a_client_who_waited(
    after_start: Consultation, people: dict[str, User], client: Client, disputed: bool, taken_back: bool
) -> None:
    """Their word keeps the client from saying the same of them, so it must not end in a completed call."""
    report_absence(after_start.pk, actor=people["builder"])
    if disputed:
        dispute_absence(after_start.pk, actor=people["client"], note="It was the builder who did not come.")
    if taken_back:
        dismiss_absence(after_start.pk, actor=people["builder"])
    before = counts()
    with pytest.raises(Conflict):
        complete_call(after_start.pk, actor=people["builder"])
    assert counts() == before
    client.force_login(people["builder"])
    assert b"Complete and get paid" not in client.get(after_start.url).content
    if taken_back:
        assert report_absence(after_start.pk, actor=people["client"]).party == "builder"


def test_a_client_has_a_day_to_speak_after_a_word_against_them_is_off_the_table(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["builder"])
    over = late(after_start, hours=30)
    with clock.at(over):
        dismiss_absence(after_start.pk, actor=people["builder"])
    with clock.at(over + timedelta(hours=23)):
        assert complete_ended() == 0
    with clock.at(over + timedelta(hours=24)):
        assert complete_ended() == 1


def test_a_builder_who_gives_the_money_back_ends_the_question(after_start: Consultation, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["client"])
    cancel_call(after_start.pk, actor=people["builder"])
    assert (Absence.objects.get().status, Refund.objects.get().amount) == ("dismissed", after_start.total)


# Evidence


@pytest.mark.parametrize("came", ["client", "builder"])
def test_one_seen_and_the_other_not(scheduled: Consultation, people: dict[str, User], came: str) -> None:
    seen(scheduled, came)
    with clock.at(late(scheduled, minutes=15, seconds=-1)):
        assert look_at_ended() == 0
    with clock.at(late(scheduled, minutes=15)):
        assert look_at_ended() == 1
        assert look_at_ended() == 0
        absence = Absence.objects.get()
        assert (absence.status, absence.party) == ("suggested", other(came))
        assert [n.user_id for n in Notification.objects.filter(kind="call_absence_asked")] == [people[came].pk]
        assert report_absence(scheduled.pk, actor=people[came]).pk == absence.pk


@pytest.mark.parametrize(("minutes", "suggested"), [(5, True), (4, False)])
def test_a_glance_into_the_room_is_not_coming(scheduled: Consultation, minutes: int, suggested: bool) -> None:
    seen(scheduled, "client", minutes, "zoom")
    with clock.at(late(scheduled, minutes=15)):
        assert look_at_ended() == 1
    assert Absence.objects.exists() == suggested


def test_nobody_seen_asks_both_once(scheduled: Consultation, people: dict[str, User]) -> None:
    for minutes in (15, 20, 60):
        with clock.at(late(scheduled, minutes=minutes)):
            look_at_ended()
    assert {n.user_id for n in Notification.objects.filter(kind="call_absence_asked")} == {user.pk for user in people.values()}
    assert Notification.objects.filter(kind="call_absence_asked").count() == 2
    assert not Absence.objects.exists()


def test_both_seen_is_no_question(scheduled: Consultation) -> None:
    seen(scheduled, "client")
    seen(scheduled, "builder", 2, "zoom")
    with clock.at(late(scheduled, minutes=15)):
        assert look_at_ended() == 1
    assert not Absence.objects.exists()
    assert not Notification.objects.filter(kind="call_absence_asked").exists()


def test_without_a_room_nobody_is_suspected(scheduled: Consultation) -> None:
    Builder.objects.update(meeting_url="")
    Consultation.objects.update(meeting_url="")
    seen(scheduled, "client")
    with clock.at(late(scheduled, minutes=15)):
        look_at_ended()
    assert not Absence.objects.exists()


@pytest.mark.parametrize("end", [complete_call, cancel_call])
def test_what_has_ended_is_not_looked_at(after_start: Consultation, builder_user: User, end: Callable[..., object]) -> None:
    end(after_start.pk, actor=builder_user)
    with clock.at(late(after_start, minutes=15)):
        assert look_at_ended() == 0


def test_a_suggestion_waits_three_days_and_is_dropped(scheduled: Consultation, builder_user: User) -> None:
    seen(scheduled, "client")
    with clock.at(late(scheduled, minutes=15)):
        look_at_ended()
    with clock.at(late(scheduled, minutes=15, hours=72, seconds=-1)):
        assert (settle_absences(), complete_ended()) == (0, 0)
    with clock.at(late(scheduled, minutes=15, hours=72)):
        assert (settle_absences(), complete_ended()) == (1, 1)
    assert earned(builder_user) == Decimal("54.00")


def test_the_suspected_side_may_say_the_opposite(scheduled: Consultation, people: dict[str, User]) -> None:
    seen(scheduled, "client")
    with clock.at(late(scheduled, minutes=20)):
        look_at_ended()
        report_absence(scheduled.pk, actor=people["builder"])
        assert {a.party: a.status for a in Absence.objects.all()} == {"builder": "dismissed", "client": "reported"}


# Pages


def page(client: Client, user: User, call: Consultation) -> str:
    client.force_login(user)
    return client.get(call.url).content.decode()


def test_the_page_asks_and_shows(after_start: Consultation, client: Client, people: dict[str, User], staff: User) -> None:
    assert "Anaya did not come" in page(client, people["client"], after_start)
    base = f"{after_start.url}absence/"
    assert client.post(f"{base}report/", {"note": "I waited."}).status_code == 302
    assert "You said that Anaya did not come." in page(client, people["client"], after_start)
    accused = page(client, people["builder"], after_start)
    assert "Jonas says that you did not come" in accused
    assert "Complete and get paid" not in accused
    assert client.post(f"{base}dispute/", {"dispute": ""}).status_code == 422
    assert client.post(f"{base}dispute/", {"dispute": "I was there."}).status_code == 302
    assert "I was there." in page(client, people["client"], after_start)
    decide_absence(Absence.objects.get().pk, actor=staff, outcome="confirmed", note=WHY)
    text = page(client, people["client"], after_start)
    assert "Anaya did not come to this call." in text
    assert "$63.30" in text
    assert WHY in page(client, people["builder"], after_start)


def test_a_press_admits_or_takes_back(after_start: Consultation, client: Client, people: dict[str, User]) -> None:
    report_absence(after_start.pk, actor=people["client"])
    client.force_login(people["client"])
    assert client.post(f"{after_start.url}absence/dismiss/").status_code == 302
    report_absence(after_start.pk, actor=people["builder"])
    assert client.post(f"{after_start.url}absence/admit/").status_code == 302
    after_start.refresh_from_db()
    assert after_start.status == "no_show"


def test_the_console_decides(after_start: Consultation, client: Client, people: dict[str, User], staff: User, settings: object) -> None:
    settings.STAFF_SECOND_FACTOR = False  # type: ignore[attr-defined]
    report_absence(after_start.pk, actor=people["client"])
    absence = dispute_absence(after_start.pk, actor=people["builder"], note="I was there.")
    client.force_login(staff)
    change, decide = f"/console/consultations/absence/{absence.pk}/change/", f"/console/consultations/absence/{absence.pk}/decide/dismissed/"
    assert decide in client.get(change).content.decode()
    assert "I was there." in client.get(decide).content.decode()
    assert client.get(decide.replace("dismissed", "reported")).status_code == 404
    assert client.post(decide, {"reason": "no"}).status_code == 422
    assert client.post(decide, {"reason": WHY}).status_code == 302
    absence.refresh_from_db()
    assert (absence.status, absence.decision_note) == ("dismissed", WHY)


def test_a_report_waits_for_the_other_side_and_a_dispute_for_nobody(
    after_start: Consultation, client_user: User, builder_user: User, client: Client
) -> None:
    moment = late(after_start, hours=5)
    assert waiting_for(builder_user, moment) == 1  # to be completed
    with clock.at(moment):
        report_absence(after_start.pk, actor=client_user)
        assert (waiting_for(builder_user, moment), waiting_for(client_user, moment)) == (1, 0)
        dispute_absence(after_start.pk, actor=builder_user, note="I was there.")
    assert (waiting_for(builder_user, moment), waiting_for(client_user, moment)) == (0, 0)
    client.force_login(builder_user)
    with clock.at(moment):
        shown = client.get(after_start.url).content.decode()
        past = client.get("/calls/?show=past").content.decode()
    assert ("Who came?" in past, "To be completed" in past) == (True, False)
    assert "The room is open" not in shown
    assert "Add to your calendar" not in shown
