"""Taking rights from somebody, and giving them back. Taking is quick: one person may; giving back takes two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from port444.accounts.actions import reinstate, suspend
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.payments.actions import end_hold, hold_withdrawals_of
from port444.payments.models import PayoutHold
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan

LEAST_TOLD, MOST_TOLD = 10, 300
MOST_DAYS = 90


def _told(asked: Mapping[str, Any]) -> str:
    told = " ".join(str(asked.get("told") or "").split())
    if not LEAST_TOLD <= len(told) <= MOST_TOLD:
        raise Invalid(f"Say in {LEAST_TOLD} to {MOST_TOLD} characters why. The person reads it.", code="reason")
    return told


def _person(plan: Plan) -> User:
    """As they are now; what was loaded with the plan may be old."""
    if plan.target_user_id is None:
        raise Invalid("Say whom this is about.", code="person_missing")
    return User.objects.get(pk=plan.target_user_id)


def _lock(plan: Plan) -> None:
    if plan.target_user_id is not None:
        User.objects.lock(plan.target_user_id)


def _facts(person: User) -> dict[str, Any]:
    return {"person": str(person.pk), "suspended_at": person.suspended_at and person.suspended_at.isoformat()}


# Suspend


def _check_suspend(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"told": _told(asked)}


def _preview_suspend(plan: Plan) -> Preview:
    person, blocked = _person(plan), []
    if person.is_suspended:
        blocked.append("This account is suspended already.")
    if person.is_staff:
        blocked.append("This is an account of staff; whoever keeps the groups takes them from it.")
    figures = (
        Figure("Account", "Suspended", "Suspended" if person.is_suspended else "Open"),
        Figure("Sessions", "All ended", "As they are"),
        Figure("Orders, money", "As they are", "As they are", "Nothing is cancelled and nothing moves"),
    )
    tells = (f'{person.name} by e-mail, and at the next visit: "{plan.asked["told"]}"',)
    return Preview(f"Suspend {person.name}", figures, tells=tells, blocked=tuple(blocked), facts=_facts(person))


def _suspend(plan: Plan, actor: Any) -> Done:
    assert plan.target_user_id is not None
    person = suspend(plan.target_user_id, actor=actor, reason=plan.asked["told"])
    return Done(f"Suspended {person.name}")


SUSPEND = Kind("restrict", ActionType.USER_SUSPEND, _check_suspend, _preview_suspend, _lock, _suspend)


# Reinstate


def _preview_reinstate(plan: Plan) -> Preview:
    person = _person(plan)
    blocked = () if person.is_suspended else ("This account is not suspended.",)
    figures = (Figure("Account", "Open", "Suspended" if person.is_suspended else "Open", person.suspension_reason),)
    return Preview(
        f"Reinstate {person.name}",
        figures,
        tells=(f"{person.name} by e-mail",),
        always="Rights are given back by two people",
        blocked=blocked,
        facts=_facts(person),
    )


def _reinstate(plan: Plan, actor: Any) -> Done:
    assert plan.target_user_id is not None
    person = reinstate(plan.target_user_id, actor=actor, reason=plan.reason[:300])
    return Done(f"Reinstated {person.name}")


REINSTATE = Kind("restrict", ActionType.USER_REINSTATE, lambda asked: {}, _preview_reinstate, _lock, _reinstate)


# Holds on withdrawals


def _check_hold(asked: Mapping[str, Any]) -> dict[str, Any]:
    do, days = asked.get("do", "hold"), asked.get("days")
    if do not in ("hold", "end"):
        raise Invalid("Hold withdrawals, or end the hold.", code="do")
    if do == "end":
        return {"do": "end"}
    if days is not None and not (isinstance(days, int) and 1 <= days <= MOST_DAYS):
        raise Invalid(f"A hold lasts 1 to {MOST_DAYS} days, or until it is ended.", code="days")
    return {"do": "hold", "told": _told(asked), "days": days}


def _holds(person: User) -> list[PayoutHold]:
    """What staff hold of all this person's withdrawals. What an incident holds ends with the incident."""
    return list(PayoutHold.objects.standing().filter(user=person, withdrawal=None).order_by("pk"))


def _preview_hold(plan: Plan) -> Preview:
    person = _person(plan)
    holds = _holds(person)
    mine = [hold for hold in holds if hold.incident_id is None]
    facts = {"person": str(person.pk), "holds": [str(hold.pk) for hold in holds]}
    before = "Held" if holds else "Free"
    if plan.asked["do"] == "end":
        others = len(holds) - len(mine)
        after = "Held by an incident" if others else "Free"
        blocked: tuple[str, ...] = () if mine else ("Staff hold nothing of this person.",)
        note = mine[0].reason if mine else ""
        return Preview(
            f"End the hold on withdrawals of {person.name}",
            (Figure("Withdrawals", after, before, note),),
            tells=(f"{person.name}, of each withdrawal that goes on",),
            always="Rights are given back by two people",
            blocked=blocked,
            facts=facts,
        )
    days = plan.asked["days"]
    blocked = ("Staff hold the withdrawals of this person already.",) if mine else ()
    return Preview(
        f"Hold withdrawals of {person.name}",
        (
            Figure("Withdrawals", "Held", before, "Those that have not left, and later ones"),
            Figure("Until", f"{days} days after it begins" if days else "It is ended", ""),
        ),
        tells=(f'{person.name}, of each withdrawal that waits: "{plan.asked["told"]}"',),
        blocked=blocked,
        facts=facts,
    )


def _hold(plan: Plan, actor: Any) -> Done:
    person = _person(plan)
    if plan.asked["do"] == "end":
        ended = [end_hold(hold.pk, actor=actor, reason=plan.reason[:300]) for hold in _holds(person) if hold.incident_id is None]
        return Done(f"Ended the hold on withdrawals of {person.name}", {"holds": [str(hold.pk) for hold in ended]}, ActionType.PAYOUTS_RELEASE)
    days = plan.asked["days"]
    until = now() + timedelta(days=days) if days else None
    hold = hold_withdrawals_of(person.pk, actor=actor, reason=plan.asked["told"], until=until)
    return Done(f"Held withdrawals of {person.name}", {"holds": [str(hold.pk)]})


HOLD = Kind("restrict", ActionType.PAYOUTS_HOLD, _check_hold, _preview_hold, _lock, _hold)
