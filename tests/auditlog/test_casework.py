"""What a person does with an incident: taking, handing over, deciding, keeping quiet, opening again; and never with their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from auditlog.actions import Finding, Reason, Taken, casework, take_finding, tuning
from auditlog.detectors.registry import DETECTORS
from auditlog.models import (
    AuditLog,
    DetectorVersion,
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
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState

pytestmark = pytest.mark.django_db
S, K = IncidentStatus, EventKind
WHY = "Looked into it."
DETECTOR = DETECTORS[0]


def found(fingerprint: str = "multi_account:1", **fields: Any) -> Finding:
    values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "incident_type": IncidentType.MULTI_ACCOUNTING,
        "severity": IncidentSeverity.HIGH,
        "confidence": 70,
        "description": "Two builders, one payout address.",
        "detector": DETECTOR.name,
        "reasons": [Reason(70, "One payout address")],
        "evidence": {"values": [{"kind": "payout", "value": "ab", "fanout": 2}]},
    }
    return Finding(**{**values, **fields})


def opened(fingerprint: str = "multi_account:1", **fields: Any) -> IncidentLog:
    incident = take_finding(found(fingerprint, **fields)).incident
    assert incident is not None
    return IncidentLog.objects.get(pk=incident.pk)


def kinds(incident: IncidentLog) -> list[str]:
    """What happened to it, but for who was told."""
    return list(IncidentEvent.objects.filter(incident=incident).exclude(kind=K.ALERTED).order_by("id").values_list("kind", flat=True))


def events_of(pk: UUID) -> list[str]:
    return list(AuditLog.objects.filter(target_id=pk, event_type__startswith="incident.").order_by("id").values_list("event_type", flat=True))


def untouched(incident: IncidentLog) -> bool:
    """Nothing was written about it since it was loaded."""
    fresh = IncidentLog.objects.get(pk=incident.pk)
    return all(getattr(fresh, field.attname) == getattr(incident, field.attname) for field in IncidentLog._meta.local_concrete_fields)


# Whose it is


def test_the_next_one_is_what_is_due_first_and_nobodys(staff: User, senior: User) -> None:
    opened("a", severity=IncidentSeverity.MEDIUM)
    urgent = opened("b", severity=IncidentSeverity.CRITICAL)
    opened("weak", severity=IncidentSeverity.LOW)
    mine = casework.take_next(actor=staff)
    assert mine is not None
    assert (mine.pk, mine.status, mine.assigned_to) == (urgent.pk, S.INVESTIGATING, staff.pk)
    assert mine.investigated_at is not None
    second = casework.take_next(actor=senior)
    assert second is not None
    assert second.fingerprint == "a"
    assert casework.take_next(actor=senior) is None
    weak = casework.take_next(actor=senior, weak=True)
    assert weak is not None
    assert weak.fingerprint == "weak"
    assert kinds(urgent) == [K.OPENED, K.TAKEN]
    assert events_of(urgent.pk) == ["incident.opened", "incident.taken"]


@pytest.mark.django_db(transaction=True)
def test_two_who_take_the_next_at_once_get_two(staff: User, senior: User) -> None:
    for name in ("a", "b"):
        opened(name)
    ready, got = Barrier(2), list[str]()

    def take(actor: User) -> None:
        try:
            with transaction.atomic():
                ready.wait(10)
                incident = casework.take_next(actor=actor)
                assert incident is not None
                got.append(incident.fingerprint)
                ready.wait(10)  # both hold theirs before either commits
        finally:
            connection.close()

    threads = [Thread(target=take, args=(one,)) for one in (staff, senior)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == ["a", "b"]
    assert set(IncidentLog.objects.values_list("assigned_to", flat=True)) == {staff.pk, senior.pk}


def test_what_somebody_has_is_not_taken_but_handed_over(staff: User, senior: User) -> None:
    incident = opened()
    casework.take(incident.pk, actor=staff)
    casework.take(incident.pk, actor=staff)  # again is quiet
    with pytest.raises(WrongState, match="Somebody else took it"):
        casework.take(incident.pk, actor=senior)
    casework.hand_over(incident.pk, actor=senior, to=senior)
    assert IncidentLog.objects.get().assigned_to == senior.pk
    casework.put_back(incident.pk, actor=senior)
    row = IncidentLog.objects.get()
    assert (row.status, row.assigned_to) == (S.OPEN, None)
    with pytest.raises(WrongState, match="Nobody has it"):
        casework.put_back(incident.pk, actor=senior)
    assert kinds(incident) == [K.OPENED, K.TAKEN, K.TAKEN, K.LEFT]


def test_notes_and_checks_are_kept(staff: User) -> None:
    incident = opened()
    casework.add_note(incident.pk, actor=staff, text="Asked them.")
    casework.check_item(incident.pk, actor=staff, item="papers", done=True, text="Do the papers differ?")
    row = IncidentLog.objects.get()
    assert "Asked them." in row.investigation_notes
    assert IncidentEvent.objects.get(kind=K.CHECKED).facts == {"item": "papers", "done": True}
    with pytest.raises(Invalid, match="Write something"):
        casework.add_note(incident.pk, actor=staff, text="  ")
    with pytest.raises(DatabaseError), transaction.atomic():
        IncidentEvent.objects.filter(kind=K.NOTED).update(text="Something else")


# Deciding


def test_resolving_keeps_what_was_found_done_and_lost(staff: User) -> None:
    incident = opened()
    casework.resolve(incident.pk, actor=staff, verdict=Verdict.CONFIRMED, reason=WHY, actual_loss=Decimal("12.50"))
    row = IncidentLog.objects.get()
    assert (row.status, row.verdict, row.resolution, row.resolved_by) == (S.RESOLVED, "confirmed", WHY, staff.pk)
    assert (row.actual_loss, row.action_taken) == (Decimal("12.50"), "no_action")
    assert kinds(incident)[-1] == K.RESOLVED
    logged = AuditLog.objects.get(event_type="incident.closed", target_id=incident.pk)
    assert (logged.before_state, logged.after_state) == ({"status": "open"}, {"status": "resolved"})
    again = take_finding(found()).incident
    assert again is not None
    assert (again.pk != incident.pk, again.previous_id) == (True, incident.pk)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"reason": "  "}, "Say why"),
        ({"verdict": Verdict.HOUSEHOLD}, "false positive"),
        ({"reason": "x" * 2001}, "more than"),
    ],
)
def test_what_cannot_be_resolved_like_that(staff: User, asked: dict[str, Any], what: str) -> None:
    incident = opened()
    with pytest.raises(Invalid, match=what):
        casework.resolve(incident.pk, actor=staff, **{"verdict": Verdict.CONFIRMED, "reason": WHY, **asked})
    assert untouched(incident)


def test_somebody_elses_and_closed_ones_are_not_decided(staff: User, senior: User) -> None:
    incident = opened()
    casework.take(incident.pk, actor=staff)
    incident.refresh_from_db()
    with pytest.raises(WrongState, match="Somebody else has it"):
        casework.resolve(incident.pk, actor=senior, verdict=Verdict.CONFIRMED, reason=WHY)
    assert untouched(incident)
    casework.resolve(incident.pk, actor=staff, verdict=Verdict.CONFIRMED, reason=WHY)
    with pytest.raises(WrongState, match="resolved already"):
        casework.mark_false_positive(incident.pk, actor=staff, reason=WHY)
    assert not Suppression.objects.exists()


def test_a_false_positive_stays_quiet_until_something_is_added(staff: User, make_user: Callable[..., User]) -> None:
    one, two, three = (make_user(name) for name in ("Ann A", "Bob B", "Cid C"))
    facts: dict[str, Any] = {"user_id": one.pk, "related_users": [two.pk], "potential_loss": Decimal("100.00")}
    incident = opened(**facts)
    quiet = casework.mark_false_positive(incident.pk, actor=staff, reason="A couple.", verdict=Verdict.HOUSEHOLD, days=30)
    assert quiet is not None
    assert quiet.expires_at - quiet.made_at == timedelta(days=30)
    assert quiet.ceiling == {"people": sorted([str(one.pk), str(two.pk)]), "kinds": ["payout"], "amount": "100.00"}
    assert take_finding(found(**facts)).taken == Taken.SUPPRESSED
    quiet.refresh_from_db()
    assert quiet.hits == 1
    joined = take_finding(found(**{**facts, "related_users": [two.pk, three.pk]}))
    assert joined.taken == Taken.OPENED
    # Called harmless again, the newer one stands and the older one has ended.
    assert joined.incident is not None
    casework.mark_false_positive(joined.incident.pk, actor=staff, reason="A family.", verdict=Verdict.HOUSEHOLD)
    assert Suppression.objects.get(ended_at=None).incident_id == joined.incident.pk
    with at(now() + timedelta(days=91)):
        assert take_finding(found(**facts)).taken == Taken.OPENED


@pytest.mark.parametrize(("asked", "what"), [({"days": 181}, "180 days"), ({"days": 0}, "180 days"), ({"verdict": Verdict.CONFIRMED}, "harmless")])
def test_what_cannot_be_kept_quiet(staff: User, asked: dict[str, Any], what: str) -> None:
    incident = opened()
    with pytest.raises(Invalid, match=what):
        casework.mark_false_positive(incident.pk, actor=staff, **{"reason": WHY, **asked})
    assert untouched(incident)
    assert not Suppression.objects.exists()


def test_the_database_keeps_nothing_quiet_for_longer(staff: User) -> None:
    incident = opened()
    with pytest.raises(IntegrityError, match="suppression_ends"), transaction.atomic():
        Suppression.objects.create(
            fingerprint="f", incident=incident, reason="r", made_by=staff.pk, made_at=now(), expires_at=now() + timedelta(days=200)
        )


def test_an_ended_suppression_is_heard_again(staff: User) -> None:
    incident = opened()
    quiet = casework.mark_false_positive(incident.pk, actor=staff, reason=WHY)
    assert quiet is not None
    casework.end_suppression(quiet.pk, actor=staff)
    casework.end_suppression(quiet.pk, actor=staff)
    assert take_finding(found()).taken == Taken.OPENED
    assert AuditLog.objects.filter(event_type="suppression.ended", target_id=quiet.pk).count() == 1


def test_opening_again_hears_again(staff: User, senior: User) -> None:
    incident = opened()
    casework.mark_false_positive(incident.pk, actor=staff, reason=WHY)
    casework.reopen(incident.pk, actor=senior, reason="They are not one household.")
    row = IncidentLog.objects.get()
    assert (row.status, row.assigned_to, row.resolved_at, row.verdict) == (S.INVESTIGATING, senior.pk, None, "")
    assert not Suppression.objects.filter(ended_at=None).exists()
    with pytest.raises(WrongState, match="It is open"):
        casework.reopen(incident.pk, actor=senior, reason=WHY)


def test_opening_again_keeps_what_was_found_out_and_decided(staff: User, senior: User) -> None:
    """The row is open anew; its notes, its events and the log still say who decided what, and why."""
    incident = opened()
    casework.add_note(incident.pk, actor=staff, text="They live together.")
    casework.resolve(incident.pk, actor=staff, verdict=Verdict.CONFIRMED, reason="One wallet.", actual_loss=Decimal("12.00"))
    before = list(IncidentEvent.objects.filter(incident=incident).order_by("id").values())
    casework.reopen(incident.pk, actor=senior, reason="One more came.")
    fresh = IncidentLog.objects.get(pk=incident.pk)
    assert (fresh.hits, fresh.detected_at, fresh.reasons, fresh.evidence) == (
        incident.hits,
        incident.detected_at,
        incident.reasons,
        incident.evidence,
    )
    assert "They live together." in fresh.investigation_notes
    events = list(IncidentEvent.objects.filter(incident=incident).order_by("id").values())
    assert events[: len(before)] == before
    assert [(one["kind"], one["text"]) for one in events[len(before) :]] == [("reopened", "One more came.")]
    closed = next(one for one in events if one["kind"] == "resolved")
    assert (closed["text"], closed["actor_id"], closed["facts"]["verdict"], closed["facts"]["actual_loss"]) == (
        "One wallet.",
        staff.pk,
        "confirmed",
        "12.00",
    )
    assert {"incident.closed", "incident.reopened"} <= set(events_of(incident.pk))


def test_what_was_found_anew_is_not_opened_twice(staff: User) -> None:
    incident = opened()
    casework.resolve(incident.pk, actor=staff, verdict=Verdict.CONFIRMED, reason=WHY)
    take_finding(found())
    with pytest.raises(Conflict, match="found again meanwhile"), transaction.atomic():
        casework.reopen(incident.pk, actor=staff, reason=WHY)
    assert IncidentLog.objects.live().count() == 1


def test_merging_brings_everybody_together(staff: User, make_user: Callable[..., User]) -> None:
    one, two = make_user("Ann A"), make_user("Bob B")
    part = opened("part", user_id=one.pk, severity=IncidentSeverity.CRITICAL, confidence=90, potential_loss=Decimal("50.00"))
    whole = opened("whole", user_id=two.pk)
    casework.merge(part.pk, actor=staff, into=whole.pk, reason="The same people.")
    part.refresh_from_db()
    whole.refresh_from_db()
    assert (part.status, part.merged_into_id) == (S.RESOLVED, whole.pk)
    assert set(whole.people) == {one.pk, two.pk}
    assert (whole.severity, whole.confidence, whole.hits, whole.potential_loss) == ("critical", 90, 2, Decimal("50.00"))
    assert (kinds(part)[-1], kinds(whole)[-1]) == (K.MERGED, K.MERGED)
    with pytest.raises(Invalid, match="another incident"):
        casework.merge(whole.pk, actor=staff, into=whole.pk, reason=WHY)


def test_a_part_that_is_found_again_is_found_in_the_whole(staff: User, make_user: Callable[..., User]) -> None:
    one, two, three = (make_user(name) for name in ("Ann A", "Bob B", "Cid C"))
    part, whole = opened("part", user_id=one.pk, confidence=60), opened("whole", user_id=two.pk)
    casework.merge(part.pk, actor=staff, into=whole.pk, reason="The same people.")
    again = take_finding(found("part", user_id=one.pk, related_users=[three.pk], confidence=95, description="Another word for it"))
    assert again.taken == Taken.RAISED
    whole.refresh_from_db()
    assert (whole.hits, whole.confidence, whole.description) == (3, 95, "Two builders, one payout address.")
    assert set(whole.people) == {one.pk, two.pk, three.pk}
    assert IncidentLog.objects.count() == 2
    # Found again itself, it keeps whom the merge brought in.
    take_finding(found("whole", user_id=two.pk))
    whole.refresh_from_db()
    assert one.pk in whole.people
    casework.resolve(whole.pk, actor=staff, verdict=Verdict.CONFIRMED, reason=WHY)
    assert take_finding(found("part", user_id=one.pk)).taken == Taken.OPENED


def test_who_has_one_and_is_found_in_it_has_it_no_more(staff: User) -> None:
    incident = opened()
    casework.take(incident.pk, actor=staff)
    assert take_finding(found(related_users=[staff.pk])).incident is not None
    incident.refresh_from_db()
    assert (incident.status, incident.assigned_to, incident.related_users) == (S.OPEN, None, [staff.pk])
    assert kinds(incident) == [K.OPENED, K.TAKEN, K.LEFT, K.REPEATED]


def test_what_whoever_has_the_other_one_is_part_of_is_not_merged(staff: User, senior: User) -> None:
    part, whole = opened("part", user_id=senior.pk), opened("whole")
    casework.take(whole.pk, actor=senior)
    whole.refresh_from_db()
    with pytest.raises(NotAllowed), transaction.atomic():
        casework.merge(part.pk, actor=staff, into=whole.pk, reason=WHY)
    assert untouched(part)
    assert untouched(whole)


def test_many_are_closed_with_one_reason_and_a_record_each(staff: User, senior: User) -> None:
    weak = [opened(f"weak:{n}", severity=IncidentSeverity.LOW) for n in range(3)]
    others = opened("others")
    casework.take(others.pk, actor=senior)
    own = opened("own", user_id=staff.pk)
    done = casework.close_many([one.pk for one in (*weak, others, own)], actor=staff, verdict=Verdict.HARMLESS, reason="A café.")
    assert (len(done.closed), done.left) == (3, [others])
    assert Suppression.objects.count() == 3
    assert AuditLog.objects.filter(event_type="incident.closed", target_id__in=[one.pk for one in weak]).count() == 3
    assert untouched(own)
    with pytest.raises(Invalid, match="At most 200"):
        casework.close_many([uuid4() for _ in range(201)], actor=staff, verdict=Verdict.HARMLESS, reason=WHY)


# Nobody about themselves


def test_nobody_works_on_their_own_case(staff: User, senior: User) -> None:
    owns: list[dict[str, Any]] = [{"user_id": staff.pk}, {"related_users": [staff.pk]}]
    for place, fields in enumerate(owns):
        incident = opened(f"own:{place}", **fields)
        acts: list[Callable[[], object]] = [
            partial(casework.take, incident.pk, actor=staff),
            partial(casework.hand_over, incident.pk, actor=senior, to=staff),
            partial(casework.add_note, incident.pk, actor=staff, text=WHY),
            partial(casework.check_item, incident.pk, actor=staff, item="x", done=True),
            partial(casework.resolve, incident.pk, actor=staff, verdict=Verdict.CONFIRMED, reason=WHY),
            partial(casework.mark_false_positive, incident.pk, actor=staff, reason=WHY),
            partial(casework.keep_held, incident.pk, actor=staff, until=now(), reason=WHY, accounts=1),
            partial(casework.reopen, incident.pk, actor=staff, reason=WHY),
        ]
        for act in acts:
            with pytest.raises(NotAllowed), transaction.atomic():
                act()
        assert casework.take_next(actor=staff) is None
        assert untouched(incident)


@pytest.mark.parametrize("column", ["assigned_to", "resolved_by"])
@pytest.mark.parametrize("part", ["user_id", "related_users"])
def test_the_database_refuses_it_too(staff: User, column: str, part: str) -> None:
    own: dict[str, Any] = {part: staff.pk if part == "user_id" else [staff.pk]}
    incident = opened(**own)
    with pytest.raises(IntegrityError, match="by_another"), transaction.atomic():
        IncidentLog.objects.filter(pk=incident.pk).update(**{column: staff.pk})


def test_flagged_are_those_of_any_incident(staff: User, senior: User, agent: User) -> None:
    opened("a", user_id=staff.pk)
    opened("b", related_users=[senior.pk])
    assert casework.flagged([staff.pk, senior.pk, agent.pk]) == {staff.pk, senior.pk}


# What detectors work with


def drafted(actor: User, **values: float) -> DetectorVersion:
    return tuning.draft_version(DETECTOR.name, DETECTOR.parameters, values, actor=actor, reason="Fewer of them.")


def tried(version: DetectorVersion) -> None:
    DetectorVersion.objects.filter(pk=version.pk).update(backtested_at=now())


def test_parameters_are_drafted_tried_and_put_into_force_by_another(staff: User, senior: User) -> None:
    parameter = DETECTOR.parameters[0]
    first = drafted(staff, **{parameter.name: parameter.most})
    assert (first.number, first.parameters) == (1, {parameter.name: parameter.most})
    with pytest.raises(WrongState, match="Try it first"):
        tuning.activate_version(first.pk, actor=senior)
    tried(first)
    with pytest.raises(NotAllowed, match="Somebody else"):
        tuning.activate_version(first.pk, actor=staff)
    tuning.activate_version(first.pk, actor=senior)
    second = drafted(senior)
    tried(second)
    tuning.activate_version(second.pk, actor=staff)
    first.refresh_from_db()
    assert (first.retired_at is not None, second.number, second.parameters) == (True, 2, {})
    assert DetectorVersion.objects.get(activated_at__isnull=False, retired_at=None).pk == second.pk
    assert AuditLog.objects.filter(event_type="detector.activated").count() == 2


def test_an_old_backtest_says_nothing_about_today(staff: User, senior: User) -> None:
    version = drafted(staff)
    DetectorVersion.objects.filter(pk=version.pk).update(backtested_at=now() - timedelta(days=8))
    with pytest.raises(WrongState, match="Try it first"):
        tuning.activate_version(version.pk, actor=senior)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        DetectorVersion.objects.filter(pk=version.pk).update(activated_by=staff.pk, activated_at=now())


def test_parameters_stay_within_their_bounds(staff: User) -> None:
    parameter = DETECTOR.parameters[0]
    with pytest.raises(Invalid, match=parameter.name):
        drafted(staff, **{parameter.name: parameter.most + 1})
    assert not DetectorVersion.objects.exists()
