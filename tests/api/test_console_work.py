"""The log, incidents, people and disputes by the API of the console."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from auditlog.actions import Finding, Reason, take_finding
from auditlog.events import Event
from auditlog.models import AuditLog, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from support.models import Plan, SupportAction, Viewing
from tests.orders.test_disputes import answer, open_by

from .conftest import Caller

pytestmark = pytest.mark.django_db
Make = Callable[..., Caller]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def proved(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


def code_of(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


def found(*people: User, severity: str = "high", n: int = 0) -> IncidentLog:
    finding = Finding(
        fingerprint=f"multi_account:{n}",
        incident_type=IncidentType.MULTI_ACCOUNTING,
        severity=IncidentSeverity(severity),
        confidence=70,
        description="Two builders, one payout address.",
        user_id=people[0].pk,
        related_users=[one.pk for one in people[1:]],
        detector="multi_accounting",
        reasons=[Reason(70, "One payout address")],
    )
    made = take_finding(finding).incident
    assert made is not None
    return made


# The log


def test_the_log_is_read_in_pages_and_reading_is_recorded_once(auditor: User, client_user: User, caller: Make) -> None:
    program, seen = caller(auditor), []
    path = "/audit-logs?limit=2&fields=event_type"
    while path:
        body = program.get(path).json()
        seen += [row["id"] for row in body["items"]]
        path = (body["next"] or "").removeprefix("/api")
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) > 2
    assert AuditLog.objects.filter(event_type="audit.read", actor_id=auditor.pk).count() == 1
    one = program.get(f"/audit-logs?about={auditor.pk}&event_type=auth.token_created").json()["items"]
    assert [(row["target_id"], row["kept"], row["exported_to_cold_storage"]) for row in one] == [(str(auditor.pk), "here", False)]
    assert AuditLog.objects.filter(event_type="audit.read").count() == 2, "another filter is another look"


@pytest.mark.parametrize(
    "bad",
    [
        "after=x",
        "after=99999999999999999999-1",
        "after=1-9999999999999999999",
        "event_type=nothing",
        "words=%2B%2B",
        "about=nothing",
        "since=2026-11-23",
        "since=2026-11-23T10:00:00Z&until=2026-11-22T10:00:00Z",
        "amount_from=5&amount_to=4",
        "ip_address=here",
        "severity=bad",
        "limit=1000",
        "fields=password",
    ],
)
def test_the_log_is_not_asked_badly(bad: str, auditor: User, caller: Make) -> None:
    assert caller(auditor).get(f"/audit-logs?{bad}").status_code == 422


def test_the_log_is_taken_away_within_a_range_and_that_is_recorded(staff: User, caller: Make) -> None:
    program, until = caller(staff), now() + timedelta(minutes=1)
    asked = f"event_type=auth.token_created&until={until:%Y-%m-%dT%H:%M:%SZ}&since="
    near, far = f"{until - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}", f"{until - timedelta(days=94):%Y-%m-%dT%H:%M:%SZ}"
    reply = program.get(f"/audit-logs/export?{asked}{near}")
    rows = list(csv.DictReader(io.StringIO(b"".join(reply.streaming_content).decode())))
    assert [(row["event_type"], row["actor_email"]) for row in rows] == [("auth.token_created", staff.email)]
    reply = program.get(f"/audit-logs/export?format=jsonl&{asked}{near}")
    (line,) = [json.loads(line) for line in b"".join(reply.streaming_content).decode().splitlines()]
    assert (line["event_type"], line["actor_id"], line["metadata"]["days"]) == ("auth.token_created", str(staff.pk), 7)
    told = AuditLog.objects.filter(event_type="audit.downloaded").order_by("id").values_list("metadata", flat=True)
    assert [one["format"] for one in told] == ["csv", "jsonl"]
    for bad in (f"{asked}{far}", "event_type=auth.token_created", f"format=xml&{asked}{near}"):
        assert program.get(f"/audit-logs/export?{bad}").status_code == 422
    assert AuditLog.objects.filter(event_type="audit.downloaded").count() == 2


# Incidents


def test_an_incident_is_taken_noted_and_closed(security: User, client_user: User, caller: Make) -> None:
    incident, program = found(client_user), caller(security)
    path = f"/incident-logs/{incident.pk}"
    body = program.get(path).json()
    assert (body["status"], body["reasons"][0]["points"], body["people"]) == ("open", 70, [{"id": str(client_user.pk), "name": client_user.name}])
    stale = program.get(path)["ETag"]
    taken = program.put(f"{path}/investigate", {"note": "Papers asked for."}, if_match=stale).json()
    assert (taken["status"], taken["assigned_to"]) == ("investigating", str(security.pk))
    assert "Papers asked for." in taken["investigation_notes"]
    closing = {"status": "false_positive", "verdict": "household", "reason": "One home.", "days": 30}
    assert code_of(program.put(f"{path}/resolve", closing, if_match=stale)) == (412, "stale")
    assert code_of(program.put(f"{path}/resolve", closing | {"verdict": "confirmed"}))[0] == 422
    closed = program.put(f"{path}/resolve", closing | {"note": "Seen both papers."})
    assert (closed.status_code, closed.json()["status"], closed.json()["verdict"]) == (200, "false_positive", "household")
    assert program.put(f"{path}/resolve", closing).status_code == 409
    assert program.post(f"{path}/reopen", {"reason": "A third account."}).json()["status"] == "investigating"


def test_people_are_warned_and_staff_are_not_touched(security: User, senior: User, client_user: User, caller: Make) -> None:
    incident, program = found(client_user, senior), caller(security)
    body = {
        "status": "resolved",
        "verdict": "confirmed",
        "reason": "Seen.",
        "action_taken": "warning_issued",
        "told": "Use one account only, please.",
    }
    path = f"/incident-logs/{incident.pk}/resolve"
    assert code_of(program.put(path, body | {"people": [str(senior.pk)]})) == (422, "people")
    assert code_of(program.put(path, body)) == (422, "people")
    assert IncidentLog.objects.get().status == IncidentStatus.OPEN
    done = program.put(path, body | {"people": [str(client_user.pk)]}).json()
    assert (done["status"], done["action_taken"]) == ("resolved", "warning_issued")
    assert SupportAction.objects.filter(action_type="user_warn").count() == 1


def test_nobody_meets_their_own_case(security: User, client_user: User, caller: Make) -> None:
    own, other = found(client_user, security), found(client_user, n=1)
    program = caller(security)
    assert [row["id"] for row in program.get("/incident-logs").json()["items"]] == [str(other.pk)]
    body = {"status": "resolved", "verdict": "confirmed", "reason": "Nothing."}
    replies = [program.get(f"/incident-logs/{own.pk}")]
    replies += [program.put(f"/incident-logs/{own.pk}/{verb}", said) for verb, said in (("investigate", {}), ("resolve", body))]
    replies += [program.post(f"/incident-logs/{own.pk}/{verb}", {"reason": "Nothing."}) for verb in ("reopen", "decline", "hold")]
    assert {code_of(reply) for reply in replies} == {(404, "not_found")}
    assert program.post("/incident-logs/next").json()["incident"]["id"] == str(other.pk)
    assert program.post("/incident-logs/next").json() == {"incident": None}


def test_holds_of_what_is_serious_end_by_two(security: User, senior: User, client_user: User, caller: Make) -> None:
    incident, one, two = found(client_user), caller(security), caller(senior)
    path = f"/incident-logs/{incident.pk}"
    held = one.post(f"{path}/hold", {"reason": "Until the papers are here.", "people": [str(client_user.pk)], "hours": 24})
    assert (held.status_code, len(held.json()["holds"])) == (200, 1), held.content
    asked = one.put(f"{path}/resolve", {"status": "resolved", "verdict": "inconclusive", "reason": "Nothing found."})
    assert (asked.status_code, asked.json()["closing_asked_by"]) == (202, str(security.pk)), asked.content
    assert one.post(f"{path}/agree").status_code == 403
    done = two.post(f"{path}/agree").json()
    assert (done["status"], done["approved_by"], done["holds"]) == ("resolved", str(senior.pk), [])


def test_lists_take_the_same_queries_however_long(
    staff: User, client_user: User, make_order: Callable[..., Order], caller: Make, django_assert_num_queries: Any
) -> None:
    order, program = make_order(OrderStatus.DELIVERED), caller(staff)
    program.get("/me")  # that a token is used is noted once a minute
    for count in (1, 3):
        while IncidentLog.objects.count() < count:
            found(client_user, n=IncidentLog.objects.count())
            program.post("/incident-logs/next")  # which is an act of support
            orders.withdraw_dispute(open_by(order, client_user, "20.00").pk, actor=client_user)
        for path in ("/incident-logs", "/support/actions", "/support/disputes"):
            with django_assert_num_queries(5):
                assert len(program.get(path).json()["items"]) == count, path


def test_incidents_are_written_down_joined_and_closed_together(
    security: User, senior: User, client_user: User, builder_user: User, caller: Make
) -> None:
    program = caller(security)
    said = {"user_id": str(client_user.pk), "incident_type": "suspicious_activity", "description": "Three cards in an hour.", "confidence": 60}
    assert code_of(program.post("/incident-logs", said | {"user_id": str(security.pk)})) == (403, "own_case")
    made, again = (program.post("/incident-logs", said, idempotency_key="seen-by-me") for _ in range(2))
    assert (made.status_code, made.json()["assigned_to"], again.content) == (201, str(security.pk), made.content)
    part, path = made.json()["id"], f"/incident-logs/{made.json()['id']}"
    question = made.json()["checklist"][0]["key"]
    ticked = program.put(f"{path}/checklist", {"key": question}).json()["checklist"]
    assert [one["key"] for one in ticked if one["done"]] == [question]
    assert code_of(program.put(f"{path}/checklist", {"key": "nothing"})) == (422, "item")
    whole = found(builder_user)
    joining, stale = {"into": str(whole.pk), "reason": "One case."}, program.get(path)["ETag"]
    program.post(f"{path}/notes", {"text": "Meanwhile."})
    assert code_of(program.post(f"{path}/merge", joining, if_match=stale)) == (412, "stale")
    joined = program.post(f"{path}/merge", joining).json()
    assert (joined["id"], sorted(joined["related_users"])) == (str(whole.pk), [str(client_user.pk)])
    assert program.get(path).json()["status"] == "resolved"
    many = [str(found(client_user, severity="medium", n=n).pk) for n in (1, 2)]
    close = {"incidents": many, "verdict": "household", "reason": "One home."}
    assert code_of(program.post("/incident-logs/close", close | {"sure": 3})) == (409, "changed")
    assert code_of(program.post("/incident-logs/close", close | {"incidents": [*many, str(found(security, n=9).pk)]})) == (404, "not_found")
    assert set(IncidentLog.objects.filter(pk__in=many).values_list("status", flat=True)) == {"open"}
    done = program.post("/incident-logs/close", close | {"incidents": [*many, part], "sure": 2}).json()
    assert (sorted(done["closed"]), done["left"], done["for_two"]) == (sorted(many), [part], [])
    quiet = program.get("/incident-suppressions?standing=true").json()["items"]
    assert {row["incident_id"] for row in quiet} == set(many)
    assert program.post(f"/incident-suppressions/{quiet[0]['id']}/end").json()["ended_at"]
    assert len(program.get("/incident-suppressions?standing=false").json()["items"]) == 1


# People and disputes


def test_a_person_is_found_and_looked_at_once(agent: User, client_user: User, make_order: Callable[..., Order], caller: Make) -> None:
    make_order(OrderStatus.IN_PROGRESS)
    program = caller(agent)
    assert [row["id"] for row in program.get(f"/support/users?q={client_user.email[:5]}").json()["items"]] == [str(client_user.pk)]
    for _ in range(2):
        body = program.get(f"/support/users/{client_user.pk}").json()
    assert (body["email"], body["metrics"]["bought"]["active"], body["open_plans"]) == (client_user.email, 1, [])
    assert AuditLog.objects.filter(event_type=Event.PERSON_SEEN.key, target_id=client_user.pk).count() == 1
    assert {queue["key"] for queue in program.get("/support/queues").json()["items"]} >= {"late"}


def test_a_dispute_is_decided_by_two(
    senior: User, finance: User, client_user: User, builder_user: User, make_order: Callable[..., Order], caller: Make
) -> None:
    dispute = open_by(make_order(OrderStatus.DELIVERED), client_user, "120.00")
    answer(dispute, builder_user, "30.00")
    program, path = caller(senior), f"/support/disputes/{dispute.pk}"
    body = {"to_client": "72.00", "decision": "Three of five.", "reason": "Both files agree."}
    assert code_of(program.post(f"{path}/decide", body)) == (409, "blocked"), "the two still have time"
    orders.escalate_dispute(dispute.pk, actor=client_user)
    assert [row["id"] for row in program.get("/support/disputes?status=escalated").json()["items"]] == [str(dispute.pk)]
    assert program.get(path).json()["claim"]
    other = caller(finance)
    assert other.get(path).json()["claim"] is None, "what is between the two is not for everybody"
    assert program.post(f"{path}/questions", {"text": "Which pages?"}, idempotency_key="ask-them").json()["pieces"][-1]["text"] == "Which pages?"
    program.post(f"{path}/questions", {"text": "Which pages?"}, idempotency_key="ask-them")
    piece = caller(client_user).upload(f"/disputes/{dispute.pk}/evidence/files", SimpleUploadedFile("times.csv", b"a,b")).json()["evidence"][-1]
    file = f"{path}/files/{piece['files'][0]['id']}"
    handed = program.get(file)
    assert (b"".join(handed.streaming_content), handed["Content-Disposition"]) == (b"a,b", 'attachment; filename="times.csv"')
    assert code_of(other.get(file)) == (403, "no_permission")
    assert code_of(program.get(f"{path}/files/{dispute.pk}")) == (404, "not_found")
    assert SupportAction.objects.filter(action_type__in=["dispute_ask", "dispute_file"]).count() == 2
    handed = caller(builder_user).get(piece["files"][0]["url"].partition("/api")[2])
    assert b"".join(handed.streaming_content) == b"a,b"
    asked = program.post(f"{path}/decide", body)
    assert (asked.status_code, asked.json()["needs_approval"]) == (202, True), asked.content
    plan = asked.json()
    done = caller(finance).post(f"/support/plans/{plan['id']}/approve", {"seen": plan["seen"]}).json()
    assert done["status"] == "executed", done
    assert program.get(path).json()["status"] == "decided"


# Codes


def fresh_code() -> str:
    return str(format_hotp_value(hotp_value(SECRET, next(iter(yield_hotp_counters_from_time())))))


def test_what_weighs_most_asks_a_program_for_a_code_each_time(agent: User, senior: User, client_user: User, caller: Make, settings: Any) -> None:
    plan = caller(agent).post("/support/credits", {"user_id": str(client_user.pk), "amount": "80.00", "label": "Sorry", "reason": "Late"}).json()
    program, path = caller(senior), f"/support/plans/{plan['id']}/approve"
    settings.STAFF_SECOND_FACTOR = True
    assert code_of(program.post(path, {"seen": plan["seen"]})) == (403, "second_factor"), "no app is set up"
    TOTP.activate(senior, SECRET)
    for wrong in ("", "000000", "x"):
        assert code_of(program.post(path, {"seen": plan["seen"], "code": wrong})) == (422, "code")
    look = {"user_id": str(client_user.pk), "reason": "To see.", "reference": "P4-1"}
    assert code_of(program.post("/support/impersonate", look)) == (422, "code")
    assert (Plan.objects.get().status, Viewing.objects.count()) == ("requested", 0)
    body = {"seen": plan["seen"], "code": fresh_code()}
    done = program.post(path, body, idempotency_key="approve-it-once")
    assert (done.status_code, done.json()["status"]) == (200, "executed"), done.content
    assert program.post(path, body, idempotency_key="approve-it-once").content == done.content, "no second code for what was done"
    assert code_of(program.post("/support/impersonate", look | {"code": body["code"]})) == (422, "code"), "a code is good for once"
    assert not Viewing.objects.exists()
    browser = Client()
    browser.force_login(senior)
    assert code_of(browser.get("/api/audit-logs")) == (403, "second_factor"), "a session that gave none stays outside"
