"""Calls: free times, holding one, and everything that can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from auditlog.models import AuditLog
from consultations import queries
from consultations.actions import complete_call, propose_move, report_absence
from consultations.calendars import registry
from consultations.models import Absence, CalendarFeed, Consultation, ConsultationStatus, DayOff, LinkedCalendar, Proposal
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import Refund
from tests.consultations.conftest import MONDAY, TUESDAY_NINE, after_start, counts, hold, monday, open_builder, scheduled
from tests.consultations.connected import connect, main_calendar
from tests.consultations.test_convert_call import sell
from tests.fakes.calendar import FakeProvider

from .conftest import Caller

__all__ = ["after_start", "hold", "monday", "open_builder", "scheduled"]
pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
C = ConsultationStatus
NINE = "2026-11-24T03:30:00Z"
EVENING = "2026-11-24T13:30:00Z"


def told(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content
    return response.json()


def refused(response: Any, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    assert response["Content-Type"] == "application/problem+json"


def wish(builder: Builder, **changes: Any) -> dict[str, Any]:
    return {"builder_id": str(builder.pk), "minutes": 30, "starts_at": NINE, "time_zone": "Europe/Amsterdam", "notes": "The list is slow."} | changes


def of(call: Consultation, verb: str = "") -> str:
    return f"/consultations/{call.pk}{verb and '/' + verb}"


# Free times


def test_free_times_are_public_and_those_of_the_page(open_builder: Builder) -> None:
    path = f"/api/calendar-slots/{open_builder.pk}?minutes=30&from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z&time_zone=Europe/Amsterdam"
    body = told(Client().get(path), 200)
    builder = queries.for_booking().get(pk=open_builder.pk)
    starts = queries.open_starts(builder, client_id=None, minutes=30, moment=MONDAY)
    assert [slot["starts_at"] for slot in body["slots"]] == [
        f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts if start.day == 24 and start.month == 11
    ]
    assert body["slots"][0] == {"starts_at": NINE, "ends_at": "2026-11-24T04:00:00Z", "local": "2026-11-24T04:30:00+01:00"}
    assert (body["price"], body["builder_time_zone"], body["time_zone"]) == ("60.00", "Asia/Kolkata", "Europe/Amsterdam")
    assert body["next_free"] == "2026-11-25T03:30:00Z"


def test_what_was_taken_is_free_no_more_and_who_is_signed_in_sees_their_own_calls(
    scheduled: Consultation, open_builder: Builder, caller: Make
) -> None:
    body = told(Client().get(f"/api/calendar-slots/{open_builder.pk}?from=2026-11-24T00:00:00Z"), 200)
    assert NINE not in [slot["starts_at"] for slot in body["slots"]]
    other = Builder.objects.create(user=User.objects.create_user("o@example.com", name="Otto", is_builder=True), slug="otto", headline="Also")
    windows = [{"kind": "weekly", "weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(7)]
    body = {"enabled": True, "prices": {"minutes_30": "40.00"}, "hours": windows, "time_zone": "UTC"}
    told(caller(other.user).post("/calendar-slots", body), 200)
    path = f"/calendar-slots/{other.pk}?from=2026-11-24T00:00:00Z"
    anybody = [slot["starts_at"] for slot in told(Client().get(f"/api{path}"), 200)["slots"]]
    client = [slot["starts_at"] for slot in told(caller(scheduled.client).get(path), 200)["slots"]]
    assert set(anybody) - set(client) == {NINE}


@pytest.mark.parametrize(
    "query",
    [
        "minutes=20",
        "minutes=99999999999999999999",
        "from=2026-11-24",
        "from=2026-11-24T00:00:00",
        "from=0001-01-01T00:00:00%2B14:00",
        "from=9999-12-31T23:59:59Z",
        "to=9999-12-31T23:59:59-14:00",
        "to=2026-11-01T00:00:00Z",
        "from=2026-11-24T00:00:00Z&to=2026-12-26T00:00:00Z",
        "time_zone=Mars/Olympus",
    ],
)
def test_free_times_are_asked_for_sensibly(query: str, open_builder: Builder) -> None:
    response = Client().get(f"/api/calendar-slots/{open_builder.pk}?{query}")
    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")


def test_free_times_cost_the_same_queries_however_many(
    open_builder: Builder, hold: Callable[..., Consultation], make_user: Callable[..., User], django_assert_num_queries: Any
) -> None:
    path, anybody = f"/api/calendar-slots/{open_builder.pk}?minutes=30", Client()
    anybody.get(path)
    for hour in range(2):
        hold(make_user(f"c{hour}@example.com"), starts_at=TUESDAY_NINE + timedelta(hours=hour))
        with django_assert_num_queries(7):
            anybody.get(path)


def test_who_is_no_builder_to_be_seen_has_no_free_times(open_builder: Builder) -> None:
    assert Client().get(f"/api/calendar-slots/{uuid4()}").status_code == 404
    Builder.objects.filter(pk=open_builder.pk).update(consultation_enabled=False)
    body = told(Client().get(f"/api/calendar-slots/{open_builder.pk}"), 200)
    assert (body["slots"], body["price"]) == ([], None)


def test_a_quote_says_what_is_frozen_when_the_time_is_held(open_builder: Builder) -> None:
    path = f"/api/calendar-slots/{open_builder.pk}/quote"
    body = told(Client().get(f"{path}?minutes=60&starts_at={NINE}"), 200)
    assert (body["price"], body["client_fee"], body["total"]) == ("110.00", "6.05", "116.05")
    assert (body["is_free"], body["free_until"], body["refund_policy"]) == (True, "2026-11-23T03:30:00Z", "free")
    assert told(Client().get(f"{path}?minutes=60&starts_at=2026-11-24T03:31:00Z"), 200)["is_free"] is False
    assert told(Client().get(path), 200)["is_free"] is None
    Builder.objects.filter(pk=open_builder.pk).update(consultation_15min_price=None)
    refused(Client().get(f"{path}?minutes=15"), 422, "length_not_offered")


# Holding


def test_a_time_is_held_paid_and_scheduled(open_builder: Builder, client_user: User, caller: Make) -> None:
    program = caller(client_user)
    body = told(program.post("/consultations", wish(open_builder)), 201)
    assert (body["status"], body["starts_at"], body["minutes"], body["you_can"]) == ("held", NINE, 30, ["pay"])
    assert (body["price"], body["client_fee"], body["total"], body["builder_earns"]) == ("60.00", "3.30", "63.30", "54.00")
    assert body["pay_until"] == "2026-11-23T03:15:00Z"
    assert (body["time_zone"], body["builder_time_zone"], body["you_are"]) == ("Europe/Amsterdam", "Asia/Kolkata", "client")
    assert AuditLog.objects.get(event_type="consultation.held", target_id=body["id"]).actor_id == client_user.pk
    pay_with_test_wallet(body["invoice_id"], actor=client_user)
    body = told(program.get(f"/consultations/{body['id']}"), 200)
    assert (body["status"], body["pay_until"], body["moves_left"]) == ("scheduled", None, 2)
    assert body["you_can"] == ["cancel", "move", "propose"]
    assert body.keys().isdisjoint({"meeting_url", "claim", "client_key"})


def test_the_same_key_holds_once_and_says_the_same(open_builder: Builder, client_user: User, caller: Make) -> None:
    program, key = caller(client_user), str(uuid4())
    first, again = (program.post("/consultations", wish(open_builder), idempotency_key=key) for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.content == again.content
    assert Consultation.objects.count() == 1
    User.objects.filter(pk=open_builder.user_id).update(suspended_at=MONDAY, suspension_reason="Chargebacks")  # nobody can book them any more
    assert program.post("/consultations", wish(open_builder), idempotency_key=key).content == first.content
    assert program.post("/consultations", wish(open_builder)).status_code in (404, 422)
    User.objects.filter(pk=open_builder.user_id).update(suspended_at=None, suspension_reason="")
    refused(program.post("/consultations", wish(open_builder, minutes=15), idempotency_key=key), 422, "idempotency_key_reused")
    refused(program.post("/consultations", wish(open_builder), idempotency_key=""), 400, "idempotency_key")


def test_another_key_for_the_same_time_goes_on_with_the_hold(open_builder: Builder, client_user: User, caller: Make) -> None:
    program = caller(client_user)
    first = told(program.post("/consultations", wish(open_builder)), 201)
    again = told(program.post("/consultations", wish(open_builder, notes="Now with a trace.")), 201)
    assert (again["id"], again["client_notes"]) == (first["id"], "Now with a trace.")


def test_a_time_that_is_held_is_refused_to_others(open_builder: Builder, client_user: User, stranger: User, caller: Make) -> None:
    told(caller(client_user).post("/consultations", wish(open_builder)), 201)
    program = caller(stranger)
    before = counts()
    refused(program.post("/consultations", wish(open_builder)), 409, "slot_taken")
    assert counts() == before


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"minutes": 20}, 422),
        ({"minutes": 1e300}, 422),
        ({"starts_at": "2026-11-24T03:31:00Z"}, 422),
        ({"starts_at": "2026-11-24T03:30:00.5Z"}, 422),
        ({"starts_at": "2026-11-24T03:30:00"}, 422),
        ({"starts_at": "9999-12-31T23:59:59-14:00"}, 422),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"starts_at": NINE.replace("T03", "T13")}, 422),
        ({"time_zone": "Mars/Olympus"}, 422),
        ({"notes": "x" * 601}, 422),
        ({"notes": "a\x00b"}, 422),
        ({"price": "0.01"}, 422),
        ({"builder_id": str(uuid4())}, 404),
        ({"builder_id": 5}, 422),
    ],
)
def test_a_bad_wish_writes_nothing(changes: dict[str, Any], status: int, open_builder: Builder, client_user: User, caller: Make) -> None:
    program = caller(client_user)
    before = counts()
    response = program.post("/consultations", wish(open_builder, **changes))
    assert response.status_code == status, response.content
    assert counts() == before


def test_who_may_hold(open_builder: Builder, client_user: User, caller: Make) -> None:
    refused(caller(client_user, "read", "orders").post("/consultations", wish(open_builder)), 403, "scope_missing")
    refused(caller(open_builder.user).post("/consultations", wish(open_builder)), 403, "own_page")
    refused(Client().post("/api/consultations", wish(open_builder), content_type="application/json"), 401, "not_signed_in")
    assert not Consultation.objects.exists()


def test_the_builders_calendars_are_asked_when_a_time_is_held_or_moved(
    open_builder: Builder, client_user: User, caller: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are on a network: inside of a transaction asking them would fail aloud."""
    provider = FakeProvider()
    monkeypatch.setitem(registry.MODULES, "consultations.calendars.google", provider)
    connect(open_builder, provider)
    LinkedCalendar.objects.update(synced_at=clock.now())
    provider.account.put("dentist", TUESDAY_NINE, TUESDAY_NINE + timedelta(hours=1))
    program = caller(client_user)
    refused(program.post("/consultations", wish(open_builder)), 409, "slot_taken")
    call = told(program.post("/consultations", wish(open_builder, starts_at="2026-11-24T05:30:00Z")), 201)
    pay_with_test_wallet(call["invoice_id"], actor=client_user)
    refused(program.post(f"/consultations/{call['id']}/move", {"starts_at": NINE}), 409, "slot_taken")
    told(program.post(f"/consultations/{call['id']}/move", {"starts_at": "2026-11-24T06:30:00Z"}), 200)
    assert provider.account.asked.count("busy") == 4


# Looking


def test_calls_are_those_of_the_two_people(scheduled: Consultation, stranger: User, staff: User, caller: Make, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    for person, side in ((scheduled.client, "client"), (scheduled.builder.user, "builder")):
        program = caller(person)
        body = told(program.get("/consultations"), 200)
        assert [(row["id"], row["you_are"]) for row in body["items"]] == [(str(scheduled.pk), side)]
        assert told(program.get(of(scheduled)), 200)["you_are"] == side
    for person in (stranger, staff):
        program = caller(person)
        assert told(program.get("/consultations"), 200)["items"] == []
        for method, verb in EVERYTHING:
            assert program.send(method, of(scheduled, verb), BODIES.get(verb)).status_code == 404, verb


EVERYTHING = [
    ("GET", ""),
    ("GET", "timeline"),
    ("GET", "ics"),
    ("GET", "room"),
    ("GET", "slots"),
    ("GET", "cancel"),
    ("GET", "convert"),
    ("GET", "proposals"),
    ("POST", "join"),
    ("PUT", "complete"),
    ("POST", "cancel"),
    ("POST", "move"),
    ("POST", "proposals"),
    ("POST", "absence"),
    ("POST", "absence/admit"),
    ("POST", "absence/dispute"),
    ("POST", "absence/dismiss"),
    ("POST", "convert"),
]
BODIES: dict[str, Any] = {
    "move": {"starts_at": EVENING},
    "proposals": {"starts_at": EVENING},
    "absence/dispute": {"note": "I was there."},
    "convert": {"package_id": str(uuid4())},
}


def test_to_read_is_not_to_act(scheduled: Consultation, caller: Make) -> None:
    program = caller(scheduled.client, "read")
    before = counts()
    for method, verb in EVERYTHING:
        if method != "GET":
            refused(program.send(method, of(scheduled, verb), BODIES.get(verb)), 403, "scope_missing")
    assert counts() == before


def test_a_hold_is_nothing_to_the_builder(hold: Callable[..., Consultation], open_builder: Builder, caller: Make) -> None:
    call = hold()
    program = caller(open_builder.user)
    assert told(program.get("/consultations"), 200)["items"] == []
    assert program.get(of(call)).status_code == 404


def test_the_list_is_narrowed_and_costs_the_same_queries(
    hold: Callable[..., Consultation], make_user: Callable[..., User], builder_user: User, caller: Make, django_assert_num_queries: Any
) -> None:
    program = caller(builder_user)
    program.get("/consultations")
    calls = []
    for hour in range(3):
        person = make_user(f"c{hour}@example.com")
        call = hold(person, starts_at=TUESDAY_NINE + timedelta(hours=hour))
        assert call.invoice_id is not None
        pay_with_test_wallet(call.invoice_id, actor=person)
        calls.append(str(call.pk))
        with django_assert_num_queries(QUERIES):
            program.get("/consultations")

    def ids(query: str) -> list[str]:
        return [row["id"] for row in told(program.get(f"/consultations?{query}"), 200)["items"]]

    assert ids("") == calls[::-1]
    assert ids("status=scheduled&as=builder") == calls[::-1]
    assert (ids("as=client"), ids("status=held"), ids("waiting=true")) == ([], [], [])
    assert ids("waiting=false") == calls[::-1]
    assert ids("starts_from=2026-11-24T04:30:00Z&starts_to=2026-11-24T05:30:00Z") == [calls[1]]
    assert told(program.get("/consultations?limit=2&fields=status"), 200)["items"][0].keys() == {"id", "status"}
    for bad in ("status=lost", "as=owner", "starts_from=x", "builder_id=5", "waiting=maybe", "after=x", "fields=meeting_url"):
        assert program.get(f"/consultations?{bad}").status_code == 422, bad


QUERIES = 3  # the token, the allowance and the page


def test_the_timeline_and_the_calendar_file(scheduled: Consultation, hold: Callable[..., Consultation], stranger: User, caller: Make) -> None:
    program = caller(scheduled.client)
    assert told(program.get(of(scheduled, "timeline")), 200)["items"][0]["text"].startswith("booked Tue 24 Nov")
    response = program.get(of(scheduled, "ics"))
    assert (response.status_code, response["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert b"BEGIN:VEVENT" in response.content
    held = hold(stranger, starts_at=TUESDAY_NINE + timedelta(hours=1))
    assert caller(stranger).get(of(held, "ics")).status_code == 404
    assert told(caller(stranger).get(of(held, "timeline")), 200)["items"] == []


# The room


def test_the_room_is_told_to_who_joins_in_time(scheduled: Consultation, caller: Make) -> None:
    program = caller(scheduled.client)
    body = told(program.get(of(scheduled, "room")), 200)
    assert (body["state"], body["opens_at"]) == ("early", "2026-11-24T03:20:00Z")
    refused(program.post(of(scheduled, "join")), 409, "too_early")
    with clock.at(scheduled.opens_at):
        response = program.get(of(scheduled, "room"))
        assert told(response, 200)["state"] == "open"
        assert b"meet.example" not in response.content + program.get(of(scheduled)).content
        assert not scheduled.attendance.exists()
        response = program.post(of(scheduled, "join"))
        assert (told(response, 200), response["Cache-Control"]) == ({"url": "https://meet.example/anaya"}, "no-store")
        assert scheduled.attendance.get().party == "client"
        refused(program.post(of(scheduled, "join"), {"host": True}), 403, "not_allowed")
        assert told(caller(scheduled.builder.user).post(of(scheduled, "join"), {"host": True}), 200)["url"] == "https://meet.example/anaya"


# Endings


def test_the_builder_completes_it_from_its_end_on(scheduled: Consultation, caller: Make) -> None:
    program, other = caller(scheduled.builder.user), caller(scheduled.client)
    refused(program.put(of(scheduled, "complete"), {"notes": "Early"}), 409, "not_started")
    with clock.at(scheduled.ends_at):
        assert "complete" in told(program.get(of(scheduled)), 200)["you_can"]
        refused(other.put(of(scheduled, "complete")), 403, "not_allowed")
        for notes in ("x" * 3001, "a\x00b", None):
            assert program.put(of(scheduled, "complete"), {"notes": notes}).status_code == 422
        body = told(program.put(of(scheduled, "complete"), {"notes": " Add an index. "}), 200)
        assert (body["status"], body["builder_notes"], body["completed_at"]) == ("completed", "Add an index.", "2026-11-24T04:00:00Z")
        before = counts()
        refused(program.put(of(scheduled, "complete")), 409, "wrong_state")
        assert counts() == before


def test_what_comes_back_is_said_before_and_is_what_comes_back(scheduled: Consultation, caller: Make) -> None:
    with clock.at(scheduled.free_until or MONDAY):
        late = told(caller(scheduled.client).get(of(scheduled, "cancel")), 200)
        assert (late["comes_back"], late["builder_earns"]) == ("0.00", "54.00")
        assert told(caller(scheduled.builder.user).get(of(scheduled, "cancel")), 200)["comes_back"] == "63.30"
    program, key = caller(scheduled.client), str(uuid4())
    quote = told(program.get(of(scheduled, "cancel")), 200)
    assert quote == {
        "comes_back": "63.30",
        "of_price": "60.00",
        "of_fee": "3.30",
        "builder_earns": "0.00",
        "free_until": "2026-11-23T03:30:00Z",
    }
    assert program.post(of(scheduled, "cancel"), {"reason": "x" * 301}).status_code == 422
    first, again = (program.post(of(scheduled, "cancel"), {"reason": "Solved it."}, idempotency_key=key) for _ in range(2))
    assert first.content == again.content
    body = told(first, 200)
    assert (body["status"], body["cancelled_by"], body["paid_back"], body["cancellation_reason"]) == ("cancelled", "client", "63.30", "Solved it.")
    assert str(Refund.objects.get().amount) == "63.30"
    refused(program.post(of(scheduled, "cancel")), 409, "wrong_state")
    refused(program.get(of(scheduled, "cancel")), 409, "wrong_state")


def test_if_match_acts_on_what_was_seen(scheduled: Consultation, caller: Make) -> None:
    program = caller(scheduled.client)
    seen = program.get(of(scheduled))["ETag"]
    Consultation.objects.filter(pk=scheduled.pk).update(client_notes="Changed")
    before = counts()
    for verb in ("cancel", "move", "proposals"):
        refused(program.post(of(scheduled, verb), BODIES.get(verb), if_match=seen), 412, "stale")
    assert counts() == before
    assert program.post(of(scheduled, "cancel"), if_match=program.get(of(scheduled))["ETag"]).status_code == 200


def test_who_did_not_come_is_said_and_answered(scheduled: Consultation, caller: Make) -> None:
    client, builder = caller(scheduled.client), caller(scheduled.builder.user)
    refused(client.post(of(scheduled, "absence"), {"note": "Nobody."}), 409, "too_early")
    with clock.at(scheduled.scheduled_at + timedelta(minutes=6)):
        assert "report_absence" in told(client.get(of(scheduled)), 200)["you_can"]
        body = told(client.post(of(scheduled, "absence"), {"note": "Nobody came."}), 201)
        assert (body["absence"]["party"], body["absence"]["status"], body["absence"]["comes_back"]) == ("builder", "reported", "63.30")
        assert body["you_can"] == ["join", "dismiss_absence"]
        body = told(builder.get(of(scheduled)), 200)
        assert (body["absence"]["note"], body["absence"]["can_answer"]) == ("Nobody came.", True)
        refused(client.post(of(scheduled, "absence/admit")), 409, "wrong_state")
        assert builder.post(of(scheduled, "absence/dispute"), {"note": " "}).status_code == 422
        told(client.post(of(scheduled, "absence/dismiss")), 200)
        assert Absence.objects.get().status == "dismissed"


def test_admitting_pays_back_once(scheduled: Consultation, caller: Make) -> None:
    builder, key = caller(scheduled.builder.user), str(uuid4())
    with clock.at(scheduled.scheduled_at + timedelta(minutes=6)):
        report_absence(scheduled.pk, actor=scheduled.client, note="")
        first, again = (builder.post(of(scheduled, "absence/admit"), idempotency_key=key) for _ in range(2))
    assert first.content == again.content
    body = told(first, 200)
    assert (body["status"], body["no_show_party"], body["paid_back"]) == ("no_show", "builder", "63.30")
    assert Refund.objects.count() == 1


def test_disputing_leaves_it_to_staff(scheduled: Consultation, caller: Make) -> None:
    with clock.at(scheduled.scheduled_at + timedelta(minutes=6)):
        report_absence(scheduled.pk, actor=scheduled.client, note="")
        body = told(caller(scheduled.builder.user).post(of(scheduled, "absence/dispute"), {"note": "I was in the room at nine."}), 200)
    assert (body["absence"]["status"], body["absence"]["dispute_note"]) == ("disputed", "I was in the room at nine.")


def test_a_call_becomes_an_order(scheduled: Consultation, caller: Make) -> None:
    package, program, key = sell(scheduled.builder, "200.00"), caller(scheduled.client), str(uuid4())
    assert program.get(of(scheduled, "convert")).status_code == 404
    refused(program.post(of(scheduled, "convert"), {"package_id": str(package.pk)}), 409, "wrong_state")
    with clock.at(scheduled.ends_at):
        complete_call(scheduled.pk, actor=scheduled.builder.user)
        body = told(program.get(of(scheduled, "convert")), 200)
        assert (body["credit"], body["remaining"], body["is_usable"], body["order_id"]) == ("60.00", "60.00", True, None)
        assert [(offer["package_id"], offer["price"], offer["left"]) for offer in body["offers"]] == [(str(package.pk), "200.00", "140.00")]
        assert told(caller(scheduled.builder.user).get(of(scheduled, "convert")), 200)["offers"] == []
        refused(caller(scheduled.builder.user).post(of(scheduled, "convert"), {"package_id": str(package.pk)}), 403, "not_allowed")
        refused(program.post(of(scheduled, "convert"), {"package_id": str(uuid4())}), 409, "other_builder")
        first, again = (program.post(of(scheduled, "convert"), {"package_id": str(package.pk)}, idempotency_key=key) for _ in range(2))
        assert first.content == again.content
        order = told(first, 201)
        assert (order["status"], order["credit"], order["price"]) == ("pending_payment", "60.00", "200.00")
        assert told(program.get(of(scheduled)), 200)["converted_order_id"] == order["id"]
        refused(program.post(of(scheduled, "convert"), {"package_id": str(package.pk)}), 409, "no_credit")


# Moving


def test_the_client_moves_it_to_a_free_time(scheduled: Consultation, caller: Make) -> None:
    program, key = caller(scheduled.client), str(uuid4())
    body = told(program.get(of(scheduled, "slots") + "?from=2026-11-24T00:00:00Z"), 200)
    starts = [slot["starts_at"] for slot in body["slots"]]
    assert body["without_asking"] is True
    assert NINE not in starts
    assert starts[0] == "2026-11-24T04:00:00Z"
    refused(program.post(of(scheduled, "move"), {"starts_at": EVENING}), 422, "slot_not_offered")
    refused(program.post(of(scheduled, "move"), {"starts_at": "9999-12-31T23:59:59-14:00"}), 422, "invalid")
    refused(caller(scheduled.builder.user).post(of(scheduled, "move"), {"starts_at": starts[0]}), 403, "not_allowed")
    first, again = (program.post(of(scheduled, "move"), {"starts_at": starts[0]}, idempotency_key=key) for _ in range(2))
    assert first.content == again.content
    body = told(first, 200)
    assert (body["starts_at"], body["moved_from_id"], body["moves_left"]) == (starts[0], str(scheduled.pk), 1)
    old = told(program.get(of(scheduled)), 200)
    assert (old["status"], old["moved_to_id"], old["you_can"]) == ("rescheduled", body["id"], [])
    assert [row["id"] for row in told(program.get("/consultations"), 200)["items"]] == [body["id"]]
    assert [row["id"] for row in told(program.get("/consultations?status=rescheduled"), 200)["items"]] == [str(scheduled.pk)]
    refused(program.post(of(scheduled, "move"), {"starts_at": starts[1]}), 409, "moved")
    assert told(program.get(of(scheduled, "room")), 200)["moved_to_id"] == body["id"]
    assert told(program.get(of(scheduled, "slots")), 200)["slots"] == []
    assert program.get(of(scheduled, "ics")).status_code == 200


def test_a_builder_proposes_and_the_client_accepts(scheduled: Consultation, caller: Make) -> None:
    builder, client = caller(scheduled.builder.user), caller(scheduled.client)
    for bad in ({"starts_at": EVENING, "note": "x" * 301}, {"starts_at": "x"}, {"starts_at": "2026-11-24T13:30:30Z"}, {"starts_at": NINE}):
        assert builder.post(of(scheduled, "proposals"), bad).status_code == 422
    proposal = told(builder.post(of(scheduled, "proposals"), {"starts_at": EVENING, "note": "A delivery comes."}), 201)
    assert (proposal["kind"], proposal["made_by"], proposal["is_yours_to_answer"]) == ("move", "builder", False)
    body = told(client.get(of(scheduled)), 200)
    assert (body["proposal"]["id"], body["proposal"]["is_yours_to_answer"]) == (proposal["id"], True)
    assert "answer_proposal" in body["you_can"]
    assert [row["id"] for row in told(client.get("/call-proposals?yours_to_answer=true&status=open"), 200)["items"]] == [proposal["id"]]
    assert told(builder.get("/call-proposals?yours_to_answer=true"), 200)["items"] == []
    for program, waits in ((client, [str(scheduled.pk)]), (builder, [])):
        assert [row["id"] for row in told(program.get("/consultations?waiting=true"), 200)["items"]] == waits
    path = f"/call-proposals/{proposal['id']}"
    refused(builder.post(f"{path}/accept"), 403, "not_allowed")
    refused(client.post(f"{path}/withdraw"), 403, "not_allowed")
    refused(client.post(f"{path}/accept", if_match='"another"'), 412, "stale")
    key = str(uuid4())
    first, again = (client.post(f"{path}/accept", idempotency_key=key, if_match=client.get(path)["ETag"] if n == 0 else "") for n in range(2))
    assert first.content == again.content
    body = told(first, 200)
    assert (body["starts_at"], body["moves_left"]) == (EVENING, 2)
    assert [row["status"] for row in told(client.get(f"/consultations/{body['id']}/proposals"), 200)["items"]] == ["accepted"]
    refused(client.post(f"{path}/decline"), 409, "answered")


def test_proposals_are_declined_and_taken_back(scheduled: Consultation, stranger: User, caller: Make) -> None:
    builder, client = caller(scheduled.builder.user), caller(scheduled.client)
    proposal = told(builder.post(of(scheduled, "proposals"), {"starts_at": EVENING}), 201)
    for verb in ("accept", "decline", "withdraw"):
        assert caller(stranger).post(f"/call-proposals/{proposal['id']}/{verb}").status_code == 404
        refused(caller(scheduled.client, "read").post(f"/call-proposals/{proposal['id']}/{verb}"), 403, "scope_missing")
    assert caller(stranger).get(f"/call-proposals/{proposal['id']}").status_code == 404
    assert told(client.post(f"/call-proposals/{proposal['id']}/decline"), 200)["status"] == "declined"
    proposal = told(client.post(of(scheduled, "proposals"), {"starts_at": EVENING}), 201)
    assert told(client.post(f"/call-proposals/{proposal['id']}/withdraw"), 200)["status"] == "withdrawn"
    assert told(client.get(of(scheduled)), 200)["proposal"] is None


def test_a_call_that_vanished_from_a_calendar_is_the_builders_alone(scheduled: Consultation, caller: Make) -> None:
    asked = Proposal.objects.create(
        consultation=scheduled, kind="cancel", made_by=scheduled.builder.user, from_calendar=True, answer_by=MONDAY + timedelta(hours=2)
    )
    client, builder = caller(scheduled.client), caller(scheduled.builder.user)
    assert told(client.get(of(scheduled)), 200)["proposal"] is None
    assert told(client.get("/call-proposals"), 200)["items"] == []
    assert client.post(f"/call-proposals/{asked.pk}/accept").status_code == 404
    assert told(builder.get(of(scheduled)), 200)["proposal"]["is_yours_to_answer"] is True
    assert told(builder.post(f"/call-proposals/{asked.pk}/accept"), 200)["status"] == "cancelled"


def test_lists_of_proposals_cost_the_same_queries(scheduled: Consultation, caller: Make, django_assert_num_queries: Any) -> None:
    program = caller(scheduled.client)
    program.get("/call-proposals")
    for hour in range(3):
        propose_move(scheduled.pk, actor=scheduled.builder.user, starts_at=datetime(2026, 11, 24, 13 + hour, 30, tzinfo=UTC))
        with django_assert_num_queries(QUERIES):
            assert len(told(program.get("/call-proposals"), 200)["items"]) == hour + 1
        with django_assert_num_queries(QUERIES + 1):
            program.get(of(scheduled, "proposals"))


# Hours


def test_hours_are_written_and_read_back(builder: Builder, caller: Make) -> None:
    program = caller(builder.user)
    new = told(program.get("/calendar-slots"), 200)
    assert (new["is_set"], new["hours"], new["enabled"]) == (False, [], False)
    body = {
        "enabled": True,
        "prices": {"minutes_15": "35.00", "minutes_30": "60.00"},
        "hours": [
            {"kind": "weekly", "weekday": 0, "opens": "09:00", "closes": "12:30"},
            {"kind": "weekly", "weekday": 1, "opens": "22:00", "closes": "24:00", "every_weeks": 2, "starting": "2026-11-24"},
            {"kind": "monthly_date", "day": -1, "opens": "09:00", "closes": "10:00"},
            {"kind": "monthly_weekday", "nth": 2, "weekday": 4, "opens": "09:00", "closes": "10:00"},
            {"kind": "once", "on": "2026-12-05", "opens": "09:00", "closes": "10:00"},
        ],
        "days_off": [{"first": "2026-12-24", "last": "2026-12-26", "note": "Holidays"}],
        "time_zone": "Asia/Kolkata",
        "calls_a_day": 3,
        "refund_policy": "half",
    }
    response = program.post("/calendar-slots", body)
    saved = told(response, 200)
    for name in ("enabled", "days_off", "time_zone", "calls_a_day", "refund_policy"):
        assert saved[name] == body[name], name
    assert saved["prices"] == {"minutes_15": "35.00", "minutes_30": "60.00", "minutes_60": None}
    assert sorted(str(hours) for hours in saved["hours"]) == sorted(
        str(hours | {"every_weeks": 1, "starting": None} | hours if hours["kind"] == "weekly" else hours) for hours in _ordered(body["hours"], saved)
    )
    again = program.get("/calendar-slots")
    assert (again.json(), again["ETag"]) == (saved, response["ETag"])
    changed = told(program.post("/calendar-slots", {"notice_hours": 8, "prices": {"minutes_15": None}, "calls_a_day": 0}), 200)
    assert changed == saved | {"notice_hours": 8, "prices": saved["prices"] | {"minutes_15": None}, "calls_a_day": 0}
    assert told(program.post("/calendar-slots", {"days_off": []}), 200)["days_off"] == []


def _ordered(wanted: Any, saved: Any) -> list[dict[str, Any]]:
    """The wanted hours with their names in the order in which the answer has them."""
    like = {hours["kind"]: list(hours) for hours in saved["hours"]}
    return [{name: hours.get(name, 1 if name == "every_weeks" else None) for name in like[hours["kind"]]} for hours in wanted]


def test_hours_are_written_on_what_was_seen(open_builder: Builder, caller: Make) -> None:
    program = caller(open_builder.user)
    seen = program.get("/calendar-slots")["ETag"]
    DayOff.objects.create(builder=open_builder, first_on="2026-12-24", last_on="2026-12-24")
    refused(program.post("/calendar-slots", {"enabled": False}, if_match=seen), 412, "stale")
    assert Builder.objects.get(pk=open_builder.pk).consultation_enabled
    assert program.post("/calendar-slots", {"enabled": False}, if_match=program.get("/calendar-slots")["ETag"]).status_code == 200


WEEKLY = {"kind": "weekly", "weekday": 0, "opens": "09:00", "closes": "12:00"}


@pytest.mark.parametrize(
    "body",
    [
        {"hours": [WEEKLY, WEEKLY]},
        {"hours": [WEEKLY | {"opens": "12:00"}]},
        {"hours": [WEEKLY | {"opens": "09:10"}]},
        {"hours": [WEEKLY | {"weekday": 7}]},
        {"hours": [WEEKLY | {"every_weeks": 2}]},
        {"hours": [WEEKLY | {"every_weeks": 2, "starting": "1999-01-01"}]},
        {"hours": [WEEKLY | {"kind": "yearly"}]},
        {"hours": [{"kind": "monthly_date", "day": 0, "opens": "09:00", "closes": "10:00"}]},
        {"hours": [{"kind": "monthly_weekday", "nth": 0, "weekday": 1, "opens": "09:00", "closes": "10:00"}]},
        {"hours": [{"kind": "once", "on": "2026-13-01", "opens": "09:00", "closes": "10:00"}]},
        {"hours": [{"kind": "once", "on": f"2027-01-{n % 28 + 1:02d}", "opens": "09:00", "closes": "10:00"} for n in range(41)]},
        {"hours": [WEEKLY] * 300},
        {"days_off": [{"first": "2026-12-24", "last": "2026-12-23"}]},
        {"days_off": [{"first": "2026-12-24", "last": "2026-12-25", "note": "x" * 81}]},
        {"days_off": [{"first": "2026-12-24", "last": "2026-12-25", "note": "\x00"}]},
        {"prices": {"minutes_15": "0.00"}},
        {"prices": {"minutes_15": "35.001"}},
        {"prices": {"minutes_15": "1000000.01"}},
        {"prices": {"minutes_45": "35.00"}},
        {"prices": {"minutes_15": None, "minutes_30": None, "minutes_60": None}},
        {"time_zone": "Mars/Olympus"},
        {"notice_hours": 337},
        {"horizon_days": 0},
        {"gap_minutes": 2**63},
        {"calls_a_day": 25},
        {"refund_policy": "some"},
        {"free_hours": 0},
        {"move_limit": 10},
        {"move_hours": -1},
        {"meeting_provider": "zoom"},
        {"colour": "red"},
    ],
)
def test_bad_hours_write_nothing(body: dict[str, Any], open_builder: Builder, caller: Make) -> None:
    program = caller(open_builder.user)
    before, saved = counts(), program.get("/calendar-slots").json()
    response = program.post("/calendar-slots", body)
    assert response.status_code == 422, response.content
    assert (counts(), program.get("/calendar-slots").json()) == (before, saved)


def test_hours_are_for_builders_and_programs_that_may(open_builder: Builder, stranger: User, caller: Make) -> None:
    assert caller(stranger).get("/calendar-slots").status_code == 404
    assert caller(stranger).post("/calendar-slots", {"enabled": False}).status_code == 404
    refused(caller(open_builder.user, "read").post("/calendar-slots", {"enabled": False}), 403, "scope_missing")
    assert Client().get("/api/calendar-slots").status_code == 401


def test_why_a_time_is_not_offered(scheduled: Consultation, open_builder: Builder, caller: Make) -> None:
    program = caller(open_builder.user)
    body = told(program.get(f"/calendar-slots/why?minutes=30&starts_at={NINE}"), 200)
    assert (body["is_free"], body["reasons"][0]["title"]) == (False, f"Your call with {scheduled.client.first_name}.")
    assert told(program.get("/calendar-slots/why?minutes=30&starts_at=2026-11-24T04:00:00Z"), 200)["is_free"] is True
    for bad in ("minutes=30", "minutes=30&starts_at=9999-12-31T23:59:59-14:00", "minutes=20&starts_at=2026-11-24T04:00:00Z"):
        assert program.get(f"/calendar-slots/why?{bad}").status_code == 422
    assert caller(scheduled.client).get(f"/calendar-slots/why?minutes=30&starts_at={NINE}").status_code == 404


# Calendars


def test_calendars_are_looked_at_chosen_read_and_disconnected(open_builder: Builder, stranger: User, caller: Make) -> None:
    link = connect(open_builder, FakeProvider())
    program = caller(open_builder.user)
    body = told(program.get("/calendars"), 200)
    account = body["accounts"][0]
    assert (account["id"], account["provider"], account["status"]) == (str(link.pk), "google", "active")
    assert b"t0p-secret" not in program.get("/calendars").content
    main = main_calendar(link)
    body = told(program.post("/calendars/choose", {"read": [str(main.pk)], "written": None}), 200)
    assert [(row["id"], row["is_written"]) for row in body["accounts"][0]["calendars"] if row["is_read"]] == [(str(main.pk), False)]
    refused(program.post("/calendars/choose", {"read": [], "written": str(uuid4())}), 422, "not_writable")
    assert program.post("/calendars/choose", {"read": ["x"]}).status_code == 422
    told(program.post(f"/calendars/{link.pk}/read"), 200)
    other = caller(stranger)
    assert [other.post(f"/calendars/{link.pk}/{verb}").status_code for verb in ("read", "disconnect")] == [404, 404]
    assert other.get("/calendars").status_code == 404
    refused(caller(open_builder.user, "read").post(f"/calendars/{link.pk}/disconnect"), 403, "scope_missing")
    assert told(program.post(f"/calendars/{link.pk}/disconnect", {"remove_copies": True}), 200)["accounts"] == []
    assert program.post(f"/calendar-copies/{uuid4()}/retry").status_code == 404


def test_the_private_address_is_made_and_made_anew(scheduled: Consultation, caller: Make) -> None:
    program = caller(scheduled.client)
    assert told(program.get("/calendar-feed"), 200)["url"] is None
    first, again = (told(program.post("/calendar-feed/renew"), 200)["url"] for _ in range(2))
    assert [Client().get(url.partition("/calls/")[1] + url.partition("/calls/")[2]).status_code for url in (first, again)] == [404, 200]
    assert told(program.get("/calendar-feed"), 200)["url"] == again
    refused(caller(scheduled.client, "read").get("/calendar-feed"), 403, "scope_missing")
    assert CalendarFeed.objects.count() == 1
