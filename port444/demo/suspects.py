"""What looks wrong in the demo: incidents as detectors open them, in every state in which staff meet them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from auditlog.actions import Finding, Reason, casework, take_finding
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType, Verdict
from port444.accounts.models import User
from port444.kit import clock
from port444.payments.actions import hold_withdrawals_of
from port444.payments.models import Withdrawal
from support.actions.alerts import HELD

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
WALLET, PHONE, TABLET, HOME, CAFE = "4be1d3a8f02290c7", "71f0b6c2", "0ac4e9d1", "84.22.117.9", "145.90.3.20"


def suspect(today: datetime, ring: Sequence[User], sellers: Sequence[User], staff: Sequence[User]) -> None:
    """Open them; `ring` are four who share more than they should."""
    _ring(today, ring)
    _fast(today, sellers[0])
    _shared(today, sellers[3:7])
    _closed(today, sellers, staff)


def _take(finding: Finding, moment: datetime) -> IncidentLog:
    with clock.at(moment):
        incident = take_finding(finding).incident
    assert incident is not None
    return IncidentLog.objects.get(pk=incident.pk)


def _ring(today: datetime, ring: Sequence[User]) -> None:
    """Four builders, one payout wallet: found with three of them, and again with the fourth."""
    mila, omid, petra, rui = (str(one.pk) for one in ring)
    holders: dict[tuple[str, str], dict[str, float]] = {
        ("payout", WALLET): {mila: 0.93, omid: 0.93, petra: 0.93},
        ("device", PHONE): {mila: 0.88, omid: 0.88},
        ("device", TABLET): {petra: 0.81, rui: 0.81},
        ("ip", HOME): {mila: 0.31, omid: 0.31, rui: 0.31},
        ("ip", CAFE): dict.fromkeys((mila, omid, petra, rui), 0),
    }
    notes = {PHONE: "38 sign-ins of 2", TABLET: "11 sign-ins of 2", HOME: "home line of 3", CAFE: "41 accounts, not counted"}
    evidence: dict[str, Any] = {
        "people": [mila, omid, petra, rui],
        "values": [
            {"kind": kind, "value": value, "fanout": len(who), "note": notes.get(value, ""), "too_common": value == CAFE}
            for (kind, value), who in holders.items()
        ],
        "edges": [
            {"person": person, "kind": kind, "value": value, "weight": weight}
            for (kind, value), who in holders.items()
            for person, weight in who.items()
        ],
        "pairs": [
            _pair(mila, omid, 0.99, ("payout", WALLET), ("device", PHONE), ("ip", HOME)),
            _pair(mila, petra, 0.93, ("payout", WALLET)),
            _pair(omid, petra, 0.93, ("payout", WALLET)),
            _pair(petra, rui, 0.81, ("device", TABLET)),
            _pair(mila, rui, 0.31, ("ip", HOME)),
        ],
    }
    usual: dict[str, Any] = {
        "fingerprint": "multi_account:demo",
        "incident_type": IncidentType.MULTI_ACCOUNTING,
        "severity": IncidentSeverity.HIGH,
        "user_id": ring[0].pk,
        "pattern": "linked_accounts",
        "detector": "multi_accounting",
        "ip_addresses": [HOME],
    }
    _take(
        Finding(
            **usual,
            confidence=72,
            description="Three builders, one payout wallet",
            related_users=[one.pk for one in ring[1:3]],
            potential_loss=Decimal("840.00"),
            reasons=[Reason(51, "Strong links between all three"), Reason(21, "All three accounts are younger than 60 days")],
            evidence={**evidence, "people": [mila, omid, petra]},
        ),
        today - 20 * HOUR,
    )
    incident = _take(
        Finding(
            **usual,
            confidence=86,
            description="Four builders, one payout wallet",
            related_users=[one.pk for one in ring[1:]],
            potential_loss=Decimal("1320.00"),
            reasons=[
                Reason(51, "Strong links between all four, .93 on average", "0.55 of the mean best link: .99, .99, .93, .81"),
                Reason(30, "All four accounts are younger than 60 days", "3, 3, 3 and 19 days"),
                Reason(10, "Three signed up within 24 hours", "the same evening"),
                Reason(3, "A tenth of what they earned came from inside", "120.00 of 1,440.00 USDC"),
                Reason(3, "Four members, one more than three", "3 for each further one"),
                Reason(-11, "One of four has an identity of their own on file", "Rui Kaya"),
            ],
            evidence=evidence,
        ),
        today - HOUR,
    )
    with clock.at(today - HOUR):
        for person in ring[:2]:
            hold_withdrawals_of(person.pk, reason=HELD, incident=incident.pk, until=today + 71 * HOUR)


def _pair(a: str, b: str, weight: float, *shares: tuple[str, str]) -> dict[str, Any]:
    return {"a": a, "b": b, "weight": weight, "shares": [{"kind": kind, "value": value} for kind, value in shares]}


def _fast(today: datetime, builder: User) -> None:
    """Money that left as soon as it came."""
    withdrawal = Withdrawal.objects.filter(user=builder).order_by("-requested_at").first()
    _take(
        Finding(
            fingerprint="fast_withdrawal:demo",
            incident_type=IncidentType.FAST_WITHDRAWAL,
            severity=IncidentSeverity.MEDIUM,
            confidence=74,
            description="150.00 USDC were asked for 12 minutes after they were earned.",
            user_id=builder.pk,
            withdrawal_id=withdrawal.pk if withdrawal else None,
            pattern="fresh_earnings",
            potential_loss=withdrawal.amount if withdrawal else None,
            reasons=[
                Reason(30, "All of it was earned within the hour before", "12 minutes before"),
                Reason(10, "It takes out just what came in"),
                Reason(25, "The paying client's account was opened less than 7 days before"),
                Reason(9, "The builder has no verified identity"),
            ],
            detector="fast_withdrawal",
            group=f"fast:{builder.pk}",
        ),
        today - 5 * HOUR,
    )


def _shared(today: datetime, people: Sequence[User]) -> None:
    """The stated rule, as a weak signal."""
    _take(
        Finding(
            fingerprint=f"shared_ip:{CAFE}",
            incident_type=IncidentType.MULTI_ACCOUNTING,
            severity=IncidentSeverity.LOW,
            confidence=41,
            description=f"Four accounts were seen at {CAFE} within seven days.",
            user_id=people[0].pk,
            related_users=[one.pk for one in people[1:]],
            pattern="shared_address",
            ip_addresses=[CAFE],
            reasons=[Reason(45, "Three accounts or more at one address"), Reason(-4, "One more than three: more like a café than a ring")],
            evidence={"values": [{"kind": "ip", "value": CAFE, "fanout": 4}]},
            detector="shared_address",
        ),
        today - 8 * HOUR,
    )


def _closed(today: datetime, people: Sequence[User], staff: Sequence[User]) -> None:
    """What was decided: a household that stays quiet, and one that was right."""
    home = _take(
        Finding(
            fingerprint="multi_account:demo-home",
            incident_type=IncidentType.MULTI_ACCOUNTING,
            severity=IncidentSeverity.MEDIUM,
            confidence=58,
            description="Two builders, one card and one line at home",
            user_id=people[1].pk,
            related_users=[people[2].pk],
            pattern="linked_accounts",
            reasons=[Reason(58, "A card and a home line in common")],
            detector="multi_accounting",
        ),
        today - 20 * DAY,
    )
    right = _take(
        Finding(
            fingerprint="fast_withdrawal:demo-old",
            incident_type=IncidentType.FAST_WITHDRAWAL,
            severity=IncidentSeverity.MEDIUM,
            confidence=81,
            description="90.00 USDC were asked for 4 minutes after they were earned.",
            user_id=people[4].pk,
            pattern="fresh_earnings",
            reasons=[Reason(81, "Earned minutes before, by a client of one day")],
            detector="fast_withdrawal",
        ),
        today - 12 * DAY,
    )
    with clock.at(today - 19 * DAY):
        casework.take(home.pk, actor=staff[0])
        casework.mark_false_positive(home.pk, actor=staff[0], verdict=Verdict.HOUSEHOLD, reason="A couple; both sent their papers.")
    with clock.at(today - 11 * DAY):
        casework.resolve(
            right.pk,
            actor=staff[1],
            verdict=Verdict.CONFIRMED,
            reason="The client paid with a card that was not theirs.",
            actual_loss=Decimal("90.00"),
        )
