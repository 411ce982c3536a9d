"""However a log is cut, and however little memory there is, the same cases are opened."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from auditlog import handlers
from auditlog.actions import Finding, Taken, detecting, incidents, rows_left, run_detectors
from auditlog.actions.incidents import take_findings
from auditlog.detectors import bounded, over_file, registry, rows, spilled
from auditlog.detectors.facts import Fact
from auditlog.detectors.memory import Notes
from auditlog.events import Event
from auditlog.models import AuditLog, IncidentEvent, IncidentLog, IncidentSeverity, IncidentType
from port444.kit.clock import now
from port444.kit.ids import uuid7
from tests.power import as_superuser

from .happenings import happened, id_of, lives, ordered, pays, withdraws
from .test_detect_runs import cases, ring, world, write


def town() -> list[Fact]:
    """More of everything: rings, households, honest trade, and money that leaves at once."""
    some = random.Random(444)
    facts = [*world(), *ring("c", 5), *ring("d", 3)]
    for n in range(30):
        facts += lives(f"own{n}", ip=f"9.1.{n // 2}.1", device=f"own device {n}", days=range(1 + n % 5, 16))
    for n in range(40):
        facts += pays(f"own{some.randrange(15)}", f"own{15 + some.randrange(15)}", 3 + n / 4, some.randrange(20, 400))
    facts += [withdraws(f"own{15 + n}", 14 + n / 50, 150, f"out{n}") for n in range(10)]
    # Of somebody who is there all day the odd sign-in is not remembered for long.
    facts += lives("busy", ip="81.2.3.4", device="mine", days=range(1, 10))
    facts.append(happened(10.02, "sign_in", "busy", ip="185.7.7.7", device="strange", country="BR"))
    facts += [happened(10 + n / 20, "sign_in", "busy", ip="81.2.3.4", device="mine", country="PT") for n in range(60)]
    return ordered(facts)


class Undone(Exception):
    """Nothing of it stays."""


def cases_of(**options: Any) -> list[tuple[Any, ...]]:
    """What a run over the whole log opens, and undone again."""
    found: list[tuple[Any, ...]] = []
    try:
        with transaction.atomic():
            run_detectors(**options)
            found = [(kind, people, withdrawal) for kind, _, people, withdrawal in cases()]
            raise Undone
    except Undone:
        return found


def stingy(patch: pytest.MonkeyPatch) -> None:
    """Memory for nothing, steps of a few rows, and judgements of a few people at a time."""
    patch.setattr(bounded.Bounded, "ROOM", 1)
    patch.setattr(bounded, "FEW", 1)
    patch.setattr(spilled.Spilled, "WHOLE", 1)
    patch.setattr(registry, "PART", 3)
    patch.setattr(over_file, "STEP", 50)
    patch.setattr(detecting, "STEP", 50)


def test_chunks_of_any_size_and_the_file_open_the_same(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, since = town(), now().replace(microsecond=0)
    with as_superuser(own_database) as owner:
        write(owner, facts, since)
    ends = time.monotonic() + 60
    while run_detectors(dry_run=True).rows < len(facts):
        assert time.monotonic() < ends, "rows stay unread"
    assert rows_left() > 0
    whole = cases_of()
    assert {kind for kind, _, _ in whole} == {"linked_accounts", "fresh_earnings", "shared_address", "impossible_travel"}
    for limit in (20, 200, 1000):
        assert cases_of(limit=limit) == whole, f"chunks of {limit}"
    looked = detecting.look_back(since - timedelta(days=1), since + timedelta(days=60))
    assert sorted((one.pattern, tuple(sorted(one.people)), str(one.withdrawal_id)) for one in looked) == whole
    saved: list[int] = []
    save = rows.Stored.save

    def counting(self: rows.Stored, notes: Mapping[str, Notes], seconds: Mapping[str, int]) -> None:
        saved.append(len(notes))
        save(self, notes, seconds)

    monkeypatch.setattr(rows.Stored, "save", counting)
    stingy(monkeypatch)
    assert cases_of() == whole
    assert len(saved) > 10, "notes went away in between"
    assert not IncidentLog.objects.exists()


def test_a_file_that_is_larger_than_memory_leads_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = town()
    whole = sorted(map(str, map(over_file.line, over_file.detect(facts))))
    stingy(monkeypatch)
    made: list[spilled.Spilled] = []

    class Seen(spilled.Spilled):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(over_file, "Spilled", Seen)
    assert sorted(map(str, map(over_file.line, over_file.detect(facts)))) == whole
    (memory,) = made
    assert not memory.is_at_hand
    assert len(memory.notes) < 100


def test_a_run_that_has_no_time_takes_few_rows_and_no_run_many_days_at_once(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has read is kept, so that a log that is too long for one run is read by several."""
    facts = town()
    with as_superuser(own_database) as owner:
        write(owner, facts, now().replace(microsecond=0))
    ends = time.monotonic() + 60
    while run_detectors(dry_run=True).rows < len(facts):
        assert time.monotonic() < ends, "rows stay unread"
    monkeypatch.setattr(detecting, "SHORT", 100)
    assert [run_detectors(seconds=0).rows for _ in range(2)] == [100, 100]
    monkeypatch.setattr(detecting, "STRETCH", 2 * 86_400)
    ran = run_detectors()
    assert ran.rows == len(facts) - 200
    assert 5 < ran.chunks < 12, "one for each two days"


def finding(name: str, confidence: int = 60, severity: IncidentSeverity = IncidentSeverity.MEDIUM) -> Finding:
    return Finding(
        fingerprint=name,
        incident_type=IncidentType.MULTI_ACCOUNTING,
        severity=severity,
        confidence=confidence,
        description=f"Something about {name}",
        user_id=id_of(name),
        detector="multi_accounting",
    )


@pytest.mark.django_db
def test_what_is_found_together_is_taken_as_if_one_by_one() -> None:
    assert [one.taken for one in take_findings([finding("a")])] == [Taken.OPENED]
    together = take_findings([finding("b"), finding("a", 70), finding("c"), finding("b"), finding("b", 80)])
    assert [one.taken for one in together] == [Taken.OPENED, Taken.RAISED, Taken.OPENED, Taken.REPEATED, Taken.RAISED]
    hits = dict(IncidentLog.objects.values_list("fingerprint", "hits"))
    assert hits == {"a": 2, "b": 3, "c": 1}
    assert IncidentLog.objects.get(fingerprint="b").confidence == 80
    opened = AuditLog.objects.filter(event_type=Event.INCIDENT_OPENED.key)
    assert sorted(opened.values_list("metadata__fingerprint", flat=True)) == ["a", "b", "c"]
    assert IncidentEvent.objects.filter(kind="opened").count() == 3
    assert IncidentEvent.objects.filter(kind="raised").count() == 2


@pytest.mark.django_db
def test_taking_many_asks_no_more_than_taking_few(django_assert_max_num_queries: Any) -> None:
    """Weak signals, of which there are thousands; of the others somebody is told, each by itself."""
    for count in (2, 60):
        for confidence in (20, 30):  # opened, and then found again and surer
            with django_assert_max_num_queries(12):
                outcomes = take_findings([finding(f"{count} {n}", confidence, IncidentSeverity.LOW) for n in range(count)])
        assert {one.taken for one in outcomes} == {Taken.RAISED}


def test_a_case_that_somebody_closes_meanwhile_is_opened_anew(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others open the same case after it was looked for, so that ours is not put in, and close it before it is looked for again."""
    asked, ask = [], incidents._live
    with as_superuser(own_database) as other:

        def asking(fingerprints: Iterable[str]) -> dict[str, IncidentLog]:
            asked.append(1)
            if len(asked) == 2:
                other.execute("UPDATE incident_log SET status = 'resolved', resolved_at = now() WHERE fingerprint = 'a'")
            found = ask(fingerprints)
            if len(asked) == 1:
                other.execute(
                    "INSERT INTO incident_log SELECT (jsonb_populate_record(one, %s)).* FROM incident_log AS one WHERE fingerprint = 'model'",
                    [json.dumps({"id": str(uuid7()), "number": 900, "fingerprint": "a"})],
                )
            return found

        take_findings([finding("model")])
        monkeypatch.setattr(incidents, "_live", asking)
        (outcome,) = take_findings([finding("a")])
    assert outcome.taken == Taken.OPENED
    assert outcome.incident is not None
    assert IncidentLog.objects.get(fingerprint="a", status="open") == outcome.incident
    assert IncidentLog.objects.get(fingerprint="a", status="resolved").number == 900


def test_a_withdrawal_that_opens_and_rises_in_one_chunk_is_told_once(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged when it is read, and once more when it is known that its builder is one of a ring."""
    ring_ = [one for n in range(3) for one in lives(f"m{n}", ip=f"8.1.{n}.1", device="one for all", days=(1, 2))]
    address = happened(4.9, "payout_address_added", "m0", address_hash="own")
    money = [*lives("y", days=(1, 2)), address, *pays("y", "m0", 5, 400), withdraws("m0", 5.01, 400, "w")]
    later = [one for n in range(40) for one in lives(f"own{n}", since=6, ip=f"9.1.{n}.1", device=f"own {n}", days=(1,))]
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(handlers, "_told", [lambda event, hold_at: told.append((event.incident.fingerprint, event.kind, event.incident.confidence))])
    monkeypatch.setattr(detecting, "STEP", 20)
    with as_superuser(own_database) as owner:
        write(owner, ordered([*ring_, *money, *later]), now().replace(microsecond=0))
    ends = time.monotonic() + 60
    while run_detectors(dry_run=True).rows < len([*ring_, *money, *later]):
        assert time.monotonic() < ends, "rows stay unread"
    told.clear()
    run_detectors()
    (withdrawal,) = IncidentLog.objects.filter(pattern="fresh_earnings")
    assert [event.kind for event in withdrawal.events.order_by("id")] == ["opened", "raised"]
    assert [one for one in told if one[0] == withdrawal.fingerprint] == [(withdrawal.fingerprint, "opened", withdrawal.confidence)]
    assert len({one[0] for one in told}) == len(told) == IncidentLog.objects.count()


@pytest.mark.django_db
def test_what_rises_twice_at_once_is_told_once_and_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []
    take_findings([finding("a")])
    monkeypatch.setattr(handlers, "_told", [lambda event, hold_at: told.append((event.incident.fingerprint, event.kind, event.incident.confidence))])
    with handlers.telling_once():
        for confidence in (70, 80, 75):
            take_findings([finding("a", confidence), finding("b", confidence)])
        (merged,) = take_findings([finding("c")])
        assert merged.incident is not None
        merged.incident.move_to("resolved", resolved_at=now())
        assert told == []
    assert sorted(told) == [("a", "raised", 80), ("b", "opened", 80)], "what is a part of another by then is not told"
    take_findings([finding("a", 90)])
    assert told[-1] == ("a", "raised", 90)
