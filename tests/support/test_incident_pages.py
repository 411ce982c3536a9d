"""Incidents in the console: the queue, one incident, what is decided about it, and that nobody sees their own anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.actions import Finding, Reason, casework, take_finding
from auditlog.detectors.registry import DETECTORS
from auditlog.models import (
    EventKind,
    IncidentEvent,
    IncidentLog,
    IncidentSeverity,
    IncidentStatus,
    IncidentType,
    Suppression,
    Verdict,
)
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.notifications.models import Notification
from port444.payments.actions import hold_withdrawals_of
from port444.payments.models import PayoutHold
from support.models import ActionType, Plan, PlanKind, PlanStatus, SupportAction

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
S = IncidentStatus
LIST_QUERIES, PAGE_QUERIES = 9, 15
DETECTOR = DETECTORS[0].name
TOLD = "We found one payout address behind several accounts."


def evidence(people: list[User]) -> dict[str, Any]:
    ids = [str(one.pk) for one in people]
    return {
        "people": ids,
        "values": [
            {"kind": "payout", "value": "4be1aa90c7", "fanout": len(ids)},
            {"kind": "device", "value": "71f0", "fanout": 2},
            {"kind": "ip", "value": "84.22.1.9", "fanout": 3},
            {"kind": "ip", "value": "145.90.2.2", "fanout": 41, "too_common": True},
        ],
        "edges": [
            *({"person": one, "kind": "payout", "value": "4be1aa90c7", "weight": 0.93} for one in ids),
            *({"person": one, "kind": "device", "value": "71f0", "weight": 0.88} for one in ids[:2]),
            *({"person": one, "kind": "ip", "value": "84.22.1.9", "weight": 0.31} for one in ids),
            *({"person": one, "kind": "ip", "value": "145.90.2.2", "weight": 0} for one in ids),
        ],
        "pairs": [
            {"a": ids[0], "b": ids[1], "weight": 0.99, "shares": [{"kind": "payout", "value": "4be1aa90c7", "weight": 0.93}]},
            {"a": ids[0], "b": ids[-1], "weight": 0.31, "shares": ["home line"], "seen": "20 to 22 Nov"},
        ],
    }


def opened(fingerprint: str = "multi_account:1", people: list[User] | None = None, **fields: Any) -> IncidentLog:
    people = people or []
    values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "incident_type": IncidentType.MULTI_ACCOUNTING,
        "severity": IncidentSeverity.HIGH,
        "confidence": 86,
        "description": "Three builders, one payout wallet",
        "user_id": people[0].pk if people else None,
        "related_users": [one.pk for one in people[1:]],
        "detector": DETECTOR,
        "potential_loss": Decimal("1320.00"),
        "reasons": [Reason(97, "Strong links between all of them", ".93 on average"), Reason(-11, "One has papers of their own", "Rui Kaya")],
        "evidence": evidence(people) if len(people) > 1 else {},
    }
    incident = take_finding(Finding(**{**values, **fields})).incident
    assert incident is not None
    return IncidentLog.objects.get(pk=incident.pk)


@pytest.fixture
def ring(make_user: Callable[..., User]) -> list[User]:
    return [make_user(name, is_builder=True) for name in ("Mila Sander", "Omid Farsi", "Petra Lang")]


def address(incident: IncidentLog, act: str = "incident") -> str:
    return reverse(f"support:{act}", args=[incident.number])


def words(page: Any) -> str:
    return " ".join(page.content.decode().split())


def decide(client: Client, incident: IncidentLog, do: str, **form: Any) -> Any:
    return client.post(address(incident, "decide_incident"), {"do": do, "reason": "Looked into it.", **form})


# The list


def test_tabs_show_what_waits_what_is_mine_weak_and_closed(browse: Browse, senior: User, security: User) -> None:
    urgent, later = opened("a", severity=IncidentSeverity.CRITICAL), opened("b", severity=IncidentSeverity.MEDIUM)
    weak, mine, closed, others = opened("c", severity=IncidentSeverity.LOW), opened("d"), opened("e"), opened("f")
    casework.take(mine.pk, actor=senior)
    casework.take(others.pk, actor=security)
    casework.resolve(closed.pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    client = browse(senior)

    def shown(**asked: Any) -> list[str]:
        page = client.get(reverse("support:incidents"), asked)
        assert page.status_code == 200
        return [row.incident.fingerprint for row in page.context["rows"]]

    assert shown() == ["a", "b"]
    assert shown(tab="mine") == ["d"]
    assert shown(tab="work") == ["d", "f"]
    assert shown(tab="weak") == [weak.fingerprint]
    assert shown(tab="closed") == ["e"]
    assert shown(severity="critical") == [urgent.fingerprint]
    assert shown(type="fast_withdrawal") == []
    assert shown(detector=DETECTOR) == ["a", "b"]
    assert shown(detector="none") == []
    with at(urgent.due_at + timedelta(minutes=1)):
        assert shown(overdue="1") == ["a"]
    assert shown(tab="nonsense", severity="x", detector="y", show="z") == ["a", "b"]
    assert later.due_at > urgent.due_at


def test_pages_go_on_and_groups_stand_together(browse: Browse, senior: User, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    for n in range(5):
        with at(moment + timedelta(minutes=n)):
            opened(f"i{n}", group="one day" if n in (0, 3) else "")
    client = browse(senior)
    everything = client.get(reverse("support:incidents")).context["rows"]
    assert [(row.incident.fingerprint, row.is_inner) for row in everything] == [
        ("i0", False),
        ("i3", True),
        ("i1", False),
        ("i2", False),
        ("i4", False),
    ]
    monkeypatch.setattr("support.incidents.listing.SHOWN", 2)
    walked, more = [], "?"
    while more:
        page = client.get(reverse("support:incidents") + more)
        walked += [row.incident.fingerprint for row in page.context["rows"]]
        more = page.context["more"]
        if len(walked) > 10:
            break
    assert walked == ["i0", "i1", "i2", "i3", "i4"]
    for wrong in ("x", "1_", "1_99999999999", "99999999999999999999_1"):
        assert client.get(reverse("support:incidents"), {"after": wrong}).status_code == 400


def test_the_next_one_is_taken_by_a_button(browse: Browse, senior: User, agent: User) -> None:
    incident = opened()
    assert browse(agent).post(reverse("support:next_incident")).status_code == 403
    page = browse(senior).post(reverse("support:next_incident"))
    assert (page.status_code, page["Location"]) == (302, address(incident))
    assert SupportAction.objects.get().action_type == ActionType.INCIDENT
    assert browse(senior).post(reverse("support:next_incident"))["Location"] == reverse("support:incidents")


def test_many_are_closed_from_the_list(browse: Browse, senior: User) -> None:
    weak = [opened(f"w{n}", severity=IncidentSeverity.LOW) for n in range(3)]
    client, url = browse(senior), reverse("support:close_incidents")
    for wrong in ({}, {"pick": ["x"]}, {"pick": [weak[0].number]}, {"pick": [weak[0].number], "verdict": "harmless"}):
        assert client.post(url, wrong).status_code == 422
    assert client.post(url, {"pick": list(range(1, 202)), "verdict": "harmless", "reason": "A café."}).status_code == 422
    assert IncidentLog.objects.live().count() == 3
    form = {"pick": [one.number for one in weak[:2]], "verdict": "harmless", "reason": "A café.", "tab": "weak"}
    asked = client.post(url, form)
    assert "Close 2 incidents?" in words(asked)
    assert "2 of them are kept quiet for 90 days" in words(asked)
    assert IncidentLog.objects.live().count() == 3, "nothing is done before it is confirmed"
    page = client.post(url, {**form, "sure": "2"})
    assert page["Location"].endswith("?tab=weak")
    assert IncidentLog.objects.filter(status=S.FALSE_POSITIVE).count() == Suppression.objects.count() == 2
    assert SupportAction.objects.filter(action_type=ActionType.INCIDENT_DECIDE).count() == 2


def test_all_of_a_page_are_closed_by_one_tick(browse: Browse, senior: User, security: User, ring: list[User]) -> None:
    """Without a script: the tick stands for what the page showed. What a colleague has is counted before, and is left."""
    rows = [opened(f"w{n}", severity=IncidentSeverity.MEDIUM) for n in range(3)]
    client, url = browse(senior), reverse("support:close_incidents")
    page = words(client.get(reverse("support:incidents")))
    assert "All 3 on this page" in page
    for row in rows:
        assert f'<input type="hidden" name="shown" value="{row.number}">' in page
    casework.take(rows[2].pk, actor=security)
    late = opened("late", severity=IncidentSeverity.MEDIUM)
    form = {"all": "1", "shown": [row.number for row in rows], "verdict": "inconclusive", "reason": "Looked through."}
    asked = words(client.post(url, form))
    assert "Close 2 incidents?" in asked
    assert "1 left as they are" in asked
    casework.take(rows[1].pk, actor=security)
    changed = client.post(url, {**form, "sure": "2"})
    assert changed.status_code == 409
    assert "It would be 1 by now, and not 2" in words(changed)
    assert not IncidentLog.objects.filter(resolved_at__isnull=False).exists()
    assert client.post(url, {**form, "sure": "1"}).status_code == 302
    assert list(IncidentLog.objects.filter(resolved_at__isnull=False)) == [rows[0]]
    assert IncidentLog.objects.get(pk=late.pk).status == S.OPEN, "what came meanwhile was not shown"


def test_the_list_asks_as_much_however_much_there_is(browse: Browse, senior: User, ring: list[User], django_assert_num_queries: Any) -> None:
    client = browse(senior)
    opened("a", ring)
    client.get(reverse("support:incidents"))
    with django_assert_num_queries(LIST_QUERIES):
        client.get(reverse("support:incidents"))
    for n in range(4):
        opened(f"x{n}", ring)
    with django_assert_num_queries(LIST_QUERIES):
        client.get(reverse("support:incidents"))


# One of them


def test_a_page_says_who_shares_what_and_why(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    related = opened("other", ring[:1], incident_type=IncidentType.FAST_WITHDRAWAL)
    page = browse(senior).get(address(incident))
    said = words(page)
    for part in (
        "Three builders, one payout wallet",
        "+97",
        "-11",
        "Wallet 4be1aa90c7",
        "41 accounts, not counted",
        "Mila Sander",
        ".93",
        str(related),
    ):
        assert part in said
    drawing = page.context["look"].drawing
    assert (len(drawing.figures), len(drawing.spots), len(drawing.edges)) == (3, 4, 11)
    assert [css for css, _ in drawing.edges].count("e x") == 3
    assert [css for css, _ in drawing.edges].count("e no") == 3
    assert "style=" not in said.split("<main", 1)[1]


def test_evidence_of_any_kind_breaks_no_page(browse: Browse, senior: User, ring: list[User]) -> None:
    client = browse(senior)
    strange: list[Any] = [
        {},
        {"values": "x", "edges": 3, "pairs": {}},
        {
            "values": [None, {"kind": None}, {"value": 7}],
            "edges": [{"person": 1, "value": 7, "weight": "NaN"}],
            "pairs": [None, {"a": "x", "weight": None}],
        },
        {
            "values": [{"kind": "payout", "value": "v" * 500, "fanout": None}],
            "edges": [{"person": str(one.pk), "value": "v" * 500, "weight": 9} for one in ring],
        },
    ]
    for n, one in enumerate(strange):
        assert client.get(address(opened(f"s{n}", ring, evidence=one))).status_code == 200


def test_twelve_people_are_drawn_and_the_rest_counted(make_user: Callable[..., User], browse: Browse, senior: User) -> None:
    people = [make_user(f"Person{n} Ring") for n in range(14)]
    drawing = browse(senior).get(address(opened(people=people))).context["look"].drawing
    assert (len(drawing.figures), drawing.left_out) == (12, 2)
    assert max(figure.y for figure in drawing.figures) + 44 <= drawing.height


def test_a_page_asks_as_much_however_many_people(
    browse: Browse, senior: User, ring: list[User], make_user: Callable[..., User], django_assert_num_queries: Any
) -> None:
    client = browse(senior)
    small = opened("small", ring[:2])
    large = opened("large", [*ring, *(make_user(f"Person{n} Ring") for n in range(9))])
    for text in ("One.", "Two.", "Three."):
        casework.add_note(large.pk, actor=senior, text=text)
    client.get(address(small))
    for incident in (small, large):
        with django_assert_num_queries(PAGE_QUERIES):
            client.get(address(incident))


def test_how_often_such_were_right_is_said(browse: Browse, senior: User) -> None:
    for n, verdict in enumerate((Verdict.CONFIRMED, Verdict.CONFIRMED, Verdict.INCONCLUSIVE)):
        casework.resolve(opened(f"c{n}").pk, actor=senior, verdict=verdict, reason="Seen.")
    casework.resolve(opened("far", confidence=40).pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    assert "right in 2 of the last 3 closed cases" in words(browse(senior).get(address(opened("now"))))


def test_questions_are_ticked_and_notes_written(browse: Browse, senior: User) -> None:
    incident = opened()
    client, url = browse(senior), address(incident, "check_incident")
    client.post(url, {"item": "papers", "done": "1"})
    assert client.get(address(incident)).context["look"].checked == 1
    client.post(url, {"item": "papers", "done": "0"})
    assert client.get(address(incident)).context["look"].checked == 0
    assert client.post(url, {"item": "nonsense", "done": "1"}).status_code == 422
    client.post(address(incident, "note_incident"), {"text": "Asked <b>them</b>."})
    assert "Asked &lt;b&gt;them&lt;/b&gt;." in words(client.get(address(incident)))
    assert client.post(address(incident, "note_incident"), {"text": " "}).status_code == 422


def test_it_is_handed_to_whoever_works_on_incidents(browse: Browse, senior: User, security: User, agent: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    client = browse(senior)
    client.post(address(incident, "take_incident"))
    for wrong in ("", "x", str(agent.pk), str(ring[0].pk)):
        assert client.post(address(incident, "hand_incident_over"), {"to": wrong}).status_code == 422
    client.post(address(incident, "hand_incident_over"), {"to": str(security.pk)})
    assert IncidentLog.objects.get().assigned_to == security.pk
    assert Notification.objects.get(kind="incident.handed_over").user == security
    assert client.post(address(incident, "take_incident")).status_code == 409
    assert decide(client, incident, "none", verdict="confirmed").status_code == 409
    browse(security).post(address(incident, "put_incident_back"))
    assert IncidentLog.objects.get().status == S.OPEN


# Deciding


def test_payouts_are_kept_held_for_three_days_more(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    moment = now()
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=incident.pk, until=moment + timedelta(hours=1))
    page = decide(browse(senior), incident, "hold", people=[str(one.pk) for one in ring[:2]], told=TOLD, hours="72")
    assert page.status_code == 302
    holds = PayoutHold.objects.standing().order_by("made_at")
    assert [hold.user for hold in holds] == ring[:2]
    assert all(hold.until and timedelta(hours=71) < hold.until - moment <= timedelta(hours=72, minutes=5) for hold in holds)
    incident.refresh_from_db()
    assert (incident.status, incident.assigned_to, incident.action_taken) == (S.INVESTIGATING, senior.pk, "payouts_held")
    assert incident.due_at == holds[1].until
    assert SupportAction.objects.filter(action_type=ActionType.PAYOUTS_HOLD).count() == 2


def test_a_hold_without_a_tick_goes_on_for_those_who_are_held(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    hold_withdrawals_of(ring[2].pk, reason="By a program.", incident=incident.pk, until=now() + timedelta(hours=1))
    assert decide(browse(senior), incident, "suspend", told=TOLD, verdict="confirmed").status_code == 422  # nobody is suspended without a tick
    assert decide(browse(senior), incident, "hold", hours="24").status_code == 302
    hold = PayoutHold.objects.standing().get()
    assert hold.user == ring[2]
    assert hold.until is not None
    assert hold.until > now() + timedelta(hours=23)


def test_people_are_warned_in_the_words_that_were_written(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    decide(browse(senior), incident, "warn", people=[str(ring[1].pk)], told=TOLD, verdict="confirmed", actual_loss="20")
    told = Notification.objects.get(kind="account.warned")
    assert (told.user, told.body) == (ring[1], TOLD)
    incident.refresh_from_db()
    assert (incident.status, incident.action_taken, incident.verdict, incident.actual_loss) == (
        S.RESOLVED,
        "warning_issued",
        "confirmed",
        Decimal(20),
    )


def test_accounts_are_suspended_by_plans(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring)
    decide(browse(senior), incident, "suspend", people=[str(one.pk) for one in ring[:2]], told=TOLD, verdict="confirmed")
    assert list(Plan.objects.order_by("number").values_list("kind", "status")) == [(PlanKind.SUSPEND, PlanStatus.EXECUTED)] * 2
    assert [User.objects.get(pk=one.pk).is_suspended for one in ring] == [True, True, False]
    assert IncidentLog.objects.get().action_taken == "account_suspended"
    # Once more is not possible, and all of it is undone.
    casework.reopen(incident.pk, actor=senior, reason="There are more.")
    page = decide(browse(senior), incident, "suspend", people=[str(one.pk) for one in ring], told=TOLD, verdict="confirmed")
    assert page.status_code == 409
    assert not User.objects.get(pk=ring[2].pk).is_suspended
    assert IncidentLog.objects.get().status == S.INVESTIGATING


def test_a_false_positive_ends_the_holds_and_stays_quiet(browse: Browse, senior: User, ring: list[User]) -> None:
    incident = opened(people=ring, severity=IncidentSeverity.MEDIUM)
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=incident.pk, until=now() + timedelta(hours=72))
    own = hold_withdrawals_of(ring[0].pk, reason="By staff.", actor=senior)
    decide(browse(senior), incident, "fp", verdict="household", days="180")
    assert list(PayoutHold.objects.standing()) == [own]
    quiet = Suppression.objects.get()
    assert (quiet.expires_at - quiet.made_at, len(quiet.ceiling["people"])) == (timedelta(days=180), 3)
    assert IncidentEvent.objects.filter(kind=EventKind.FREED).count() == 1
    page = browse(senior).get(reverse("support:suppressions"))
    assert "No more than 3 people, by device and address and payout address, twice 1320.00 USDC" in words(page)
    browse(senior).post(reverse("support:end_suppression", args=[quiet.pk]))
    assert Suppression.objects.get().ended_by == senior.pk
    assert str(incident) in words(browse(senior).get(reverse("support:suppressions"), {"which": "ended"}))


@pytest.mark.parametrize(
    "form",
    [
        {"do": ""},
        {"do": "nonsense"},
        {"do": "none", "verdict": "confirmed", "reason": " "},
        {"do": "none", "verdict": "household"},
        {"do": "none", "verdict": ""},
        {"do": "none", "verdict": "confirmed", "actual_loss": "-3"},
        {"do": "fp", "verdict": "confirmed"},
        {"do": "fp", "verdict": "household", "days": "181"},
        {"do": "warn", "verdict": "confirmed", "told": TOLD},
        {"do": "warn", "verdict": "confirmed", "told": "Short", "people": "ring"},
        {"do": "hold", "told": TOLD, "people": "ring", "hours": "73"},
        {"do": "hold", "told": TOLD, "withdrawal": "on"},
        {"do": "warn", "verdict": "confirmed", "people": "ring"},
        {"do": "suspend", "verdict": "confirmed", "told": TOLD, "people": "stranger"},
    ],
)
def test_what_was_typed_wrongly_decides_nothing(browse: Browse, senior: User, stranger: User, ring: list[User], form: dict[str, Any]) -> None:
    incident = opened(people=ring)
    before = (IncidentEvent.objects.count(), SupportAction.objects.count())
    people = {"ring": ring[0].pk, "stranger": stranger.pk}
    sent = {"reason": "Looked into it.", **form}
    if "people" in form:
        sent["people"] = str(people[form["people"]])
    assert browse(senior).post(address(incident, "decide_incident"), sent).status_code == 422
    assert (IncidentEvent.objects.count(), SupportAction.objects.count()) == before
    assert IncidentLog.objects.get().status == S.OPEN
    assert not PayoutHold.objects.exists()
    assert not Plan.objects.exists()


def test_closed_ones_are_opened_again_and_parts_merged(browse: Browse, senior: User, ring: list[User]) -> None:
    part, whole = (opened(name, people, severity=IncidentSeverity.MEDIUM) for name, people in (("part", ring[:1]), ("whole", ring[1:])))
    client = browse(senior)
    for wrong in ("x", "", "I-99999999"):
        assert client.post(address(part, "merge_incident"), {"into": wrong, "reason": "The same."}).status_code == 422
    assert client.post(address(part, "merge_incident"), {"into": str(whole), "reason": "The same."})["Location"] == address(whole)
    assert f'a part of <a href="{address(whole)}">{whole}</a>' in words(client.get(address(part)))
    # What was held for the part is freed with the whole.
    hold_withdrawals_of(ring[0].pk, reason="By a program.", incident=part.pk, until=now() + timedelta(hours=9))
    decide(client, whole, "fp", verdict="team")
    assert not PayoutHold.objects.standing().exists()
    assert client.post(address(whole, "reopen_incident"), {"reason": ""}).status_code == 422
    client.post(address(whole, "reopen_incident"), {"reason": "One more came."})
    assert IncidentLog.objects.get(pk=whole.pk).assigned_to == senior.pk


# Who may


@pytest.mark.parametrize(
    ("group", "sees", "works"), [("agent", 200, 403), ("senior", 200, 302), ("security", 200, 302), ("finance", 403, 403), ("auditor", 200, 403)]
)
def test_who_sees_and_who_works(request: pytest.FixtureRequest, browse: Browse, group: str, sees: int, works: int) -> None:
    incident = opened()
    client = browse(request.getfixturevalue(group))
    for page in (reverse("support:incidents"), address(incident), reverse("support:suppressions"), reverse("support:detectors")):
        assert client.get(page).status_code == sees
    assert client.post(address(incident, "take_incident")).status_code == works
    assert ("Record decision" in words(client.get(address(incident)))) == (works == 302)


ACTS: list[tuple[str, dict[str, Any]]] = [
    ("take_incident", {}),
    ("hand_incident_over", {}),
    ("put_incident_back", {}),
    ("note_incident", {"text": "Me?"}),
    ("check_incident", {"item": "papers", "done": "1"}),
    ("decide_incident", {"do": "fp", "verdict": "household", "reason": "It is me."}),
    ("reopen_incident", {"reason": "It is me."}),
    ("merge_incident", {"into": "1", "reason": "It is me."}),
]


@pytest.mark.parametrize("is_superuser", [False, True])
@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_meets_their_own(browse: Browse, staff: User, stranger: User, is_superuser: bool, is_first: bool) -> None:
    """In no list, on no page, by no search, in no number, on no record; and whatever they send does nothing."""
    User.objects.filter(pk=staff.pk).update(is_superuser=is_superuser)
    incident = opened(people=[staff, stranger] if is_first else [stranger, staff], severity=IncidentSeverity.CRITICAL)
    quiet_one = opened("quiet", [stranger, staff])
    quiet = casework.mark_false_positive(
        quiet_one.pk, actor=User.objects.create_user("x@example.com", "x", name="X Y", is_staff=True), reason="A couple."
    )
    assert quiet is not None
    client = browse(User.objects.get(pk=staff.pk))
    name, record = str(incident), reverse("admin:auditlog_incidentlog_change", args=[incident.pk])
    assert client.get(address(incident)).status_code == 404
    assert client.get(record).status_code == 302  # sent away: there is no such record
    for act, form in ACTS:
        assert client.post(address(incident, act), form).status_code == 404
    assert client.post(reverse("support:end_suppression", args=[quiet.pk])).status_code == 404
    pages = [
        reverse("support:home"),
        reverse("support:incidents"),
        reverse("support:incidents") + "?tab=closed",
        reverse("support:suppressions"),
        reverse("support:queue", args=["incidents"]),
        reverse("support:search") + f"?q={name}",
        reverse("support:search") + f"?q={incident.pk}",
        reverse("support:person", args=[staff.pk]),
        reverse("support:panel", args=[staff.pk, "incidents"]),
        reverse("support:panel", args=[stranger.pk, "incidents"]),
        reverse("admin:auditlog_incidentlog_changelist"),
        reverse("support:detectors"),
    ]
    for page in pages:
        said = words(client.get(page))
        assert f">{name}<" not in said, page
        assert incident.description not in said, page
        assert f">{quiet_one}<" not in said, page
    cards = client.get(reverse("support:detectors")).context["cards"]
    assert not any((card.waiting, card.weak, card.quiet, card.quiet_hits, card.closed) != (0, 0, 0, 0, 0) for card in cards)
    home = client.get(reverse("support:home"))
    assert {tab.key: number for tab, number in home.context["tabs"]}["incidents"] == 0
    assert {heap.queue.key: heap.count for heap in home.context["heaps"]}["incidents"] == 0
    client.post(reverse("support:next_incident"))
    client.post(reverse("support:close_incidents"), {"pick": [incident.number], "verdict": "harmless", "reason": "It is me.", "sure": "1"})
    client.post(
        reverse("support:close_incidents"), {"all": "1", "shown": [incident.number], "verdict": "harmless", "reason": "It is me.", "sure": "0"}
    )
    fresh = IncidentLog.objects.get(pk=incident.pk)
    assert (fresh.status, fresh.assigned_to, fresh.updated_at) == (S.OPEN, None, incident.updated_at)
    assert not SupportAction.objects.filter(admin=staff).exists()


def test_how_often_such_were_right_leaves_out_ones_own(browse: Browse, senior: User, staff: User, stranger: User, client_user: User) -> None:
    own = opened("own", [stranger, staff])
    casework.resolve(own.pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    other = opened("other", [client_user])
    assert browse(senior).get(address(other)).context["look"].right == (1, 1)
    assert browse(staff).get(address(other)).context["look"].right == (0, 0)


def test_a_plan_does_not_name_an_incident_about_staff(browse: Browse, senior: User, staff: User, ring: list[User]) -> None:
    incident = opened(people=[*ring, staff])
    decide(browse(senior), incident, "suspend", people=[str(ring[0].pk)], told=TOLD, verdict="confirmed")
    assert str(incident) not in Plan.objects.get().reason


def test_nobody_learns_of_the_whole_by_its_part(browse: Browse, senior: User, staff: User, stranger: User) -> None:
    part, whole = opened("part", [stranger]), opened("whole", [staff])
    casework.merge(part.pk, actor=senior, into=whole.pk, reason="The same people.")
    assert str(whole) in words(browse(senior).get(address(part)))
    page = browse(staff).get(address(part))
    assert page.status_code == 200
    assert str(whole) not in words(page)


def test_what_is_always_heard_is_not_offered_to_be_kept_quiet(browse: Browse, senior: User) -> None:
    client = browse(senior)
    cases: list[tuple[dict[str, Any], bool]] = [({}, True), ({"detector": ""}, False), ({"detector": "audit_tampering"}, False)]
    for fields, offered in cases:
        incident = opened(f"x{fields}", **fields)
        assert ("Keep it quiet for" in words(client.get(address(incident)))) == offered
        decide(client, incident, "fp", verdict="harmless")
        assert Suppression.objects.filter(incident=incident).exists() == offered


def test_nobody_reads_of_their_own_in_the_log(browse: Browse, staff: User, senior: User) -> None:
    incident, other = opened(people=[staff]), opened("other")
    for one in (incident, other):
        casework.resolve(one.pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    client, page = browse(staff), reverse("support:audit")
    for asked in ({}, {"about": str(incident.pk)}, {"event_type": "incident.closed"}, {"actor": str(senior.pk)}):
        rows = client.get(page, asked).context["page"].rows
        assert incident.pk not in {row.target_id for row in rows}
    assert other.pk in {row.target_id for row in client.get(page, {"event_type": "incident.closed"}).context["page"].rows}
    file = b"".join(client.post(reverse("support:export_audit"))).decode()
    assert str(other.pk) in file
    assert [line for line in file.splitlines() if str(incident.pk) in line and "audit.read" not in line] == []
    listed = client.get(reverse("admin:auditlog_auditlog_changelist"), {"q": str(incident.pk)})
    assert listed.context["cl"].result_count == 0
    assert "incident.closed" in words(browse(senior).get(page, {"about": str(incident.pk)}))


@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_done_about_staff_is_not_named_in_the_list(browse: Browse, senior: User, staff: User, stranger: User, is_first: bool) -> None:
    incident = opened(people=[staff, stranger] if is_first else [stranger, staff])
    browse(senior).post(address(incident, "take_incident"))
    action = SupportAction.objects.get()
    assert (action.target_user, action.description) == (None, "Took an incident about staff")


def test_a_superuser_works_on_others(browse: Browse, make_user: Callable[..., User]) -> None:
    boss = make_user("Rosa Boss", is_staff=True, is_superuser=True)
    incident = opened()
    assert browse(boss).post(address(incident, "take_incident")).status_code == 302
    assert IncidentLog.objects.get().assigned_to == UUID(str(boss.pk))


def test_what_staff_saw_becomes_an_incident_that_is_theirs(browse: Browse, security: User, agent: User, builder_user: User) -> None:
    address = reverse("support:open_incident", args=[builder_user.pk])
    said = {"incident_type": "fraud_attempt", "severity": "high", "confidence": "70", "potential_loss": "120.00", "description": "Sold twice"}
    assert browse(agent).post(address, said).status_code == 403
    desk = browse(security)
    assert address in desk.get(reverse("support:person", args=[builder_user.pk])).content.decode()
    refused = desk.post(address, {**said, "description": "", "confidence": "101"})
    assert refused.status_code == 422
    assert "Whoever decides reads it" in refused.content.decode()
    assert desk.get(reverse("support:open_incident", args=[security.pk])).status_code == 404, "nobody opens one about themselves"
    assert not IncidentLog.objects.exists()
    assert not SupportAction.objects.exists()
    opened = desk.post(address, said)
    incident = IncidentLog.objects.get()
    assert opened["Location"] == reverse("support:incident", args=[incident.number])
    assert (incident.user_id, incident.status, incident.assigned_to) == (builder_user.pk, S.INVESTIGATING, security.pk)
    assert (incident.detection_method, incident.potential_loss, incident.confidence) == ("manual", Decimal("120.00"), 70)
    assert SupportAction.objects.filter(action_type=ActionType.INCIDENT, target_user=builder_user, description=f"Opened {incident}").count() == 1
