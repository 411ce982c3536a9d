"""What says that the log or the books are not as they were is never kept quiet, and says why it is sure."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as site

from auditlog.actions import ALWAYS_HEARD, Finding, Reason, Taken, take_finding
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType, Suppression
from port444.accounts.models import User
from port444.kit.clock import now


def finding(detector: str) -> Finding:
    reasons = [Reason(100, "It is not as it was")]
    return Finding("case:1", IncidentType.SUSPICIOUS_ACTIVITY, IncidentSeverity.CRITICAL, 100, "Changed.", detector=detector, reasons=reasons)


def keep_quiet(incident: IncidentLog, staff: User) -> None:
    """As whoever can write into the table might, whatever the console offers."""
    IncidentLog.objects.filter(pk=incident.pk).update(status="false_positive", resolved_at=now(), resolved_by=staff.pk)
    Suppression.objects.create(
        fingerprint=incident.fingerprint, incident=incident, reason="Nothing.", made_by=staff.pk, expires_at=now() + timedelta(days=9), ceiling={}
    )


@pytest.mark.parametrize("detector", sorted(ALWAYS_HEARD))
def test_what_is_certain_is_heard_again(detector: str, staff: User) -> None:
    first = take_finding(finding(detector)).incident
    assert first is not None
    keep_quiet(first, staff)
    again = take_finding(finding(detector))
    assert again.taken == Taken.OPENED
    assert again.incident is not None
    assert (again.incident.previous, again.incident.reasons[0]["points"]) == (first, 100)
    assert Suppression.objects.get().hits == 0


def test_what_other_detectors_find_is_kept_quiet(staff: User) -> None:
    first = take_finding(finding("self_dealing")).incident
    assert first is not None
    keep_quiet(first, staff)
    assert take_finding(finding("self_dealing")).taken == Taken.SUPPRESSED
    assert IncidentLog.objects.count() == 1


def test_each_of_them_says_why_and_by_which_rule() -> None:
    places, bare = [], []
    for folder in ("auditlog/actions", "port444/payments", "support/actions"):
        for path in sorted((Path(site.BASE_DIR) / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding" and len(node.args) + len(node.keywords) > 1:
                    named = {keyword.arg for keyword in node.keywords}
                    places.append(path.name)
                    if not {"reasons", "pattern"} <= named:
                        bare.append(f"{path.name}:{node.lineno}")
    assert len(places) > 10
    assert [place for place in bare if not place.startswith("casework.py")] == [], "casework only asks what a finding's ceiling would be"
