"""Taking rights from somebody, and giving them back. Taking is quick: one person may; giving back takes two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from port444.accounts.actions import reinstate, suspend
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.money import usd
from port444.payments.actions import end_hold, hold_withdrawal, hold_withdrawals_of, release_withdrawal, stoppable
from port444.payments.models import PayoutHold, Withdrawal, WithdrawalStatus
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


# Holds on withdrawals: of all of them, or with `withdrawal` of one; `hold` names the hold that is ended, one of an incident too


def _check_hold(asked: Mapping[str, Any]) -> dict[str, Any]:
    do, days = asked.get("do", "hold"), asked.get("days")
    if do not in ("hold", "end"):
        raise Invalid("Hold withdrawals, or end the hold.", code="do")
    which = {name: _key(said) for name in ("withdrawal", "hold") if (said := asked.get(name))}
    if len(which) > (1 if do == "end" else "withdrawal" in which):
        raise Invalid("Say which withdrawal, or which hold.", code="which")
    if do == "end":
        return {"do": "end", **which}
    if days is not None and not (isinstance(days, int) and 1 <= days <= MOST_DAYS):
        raise Invalid(f"A hold lasts 1 to {MOST_DAYS} days, or until it is ended.", code="days")
    return {"do": "hold", "told": _told(asked), "days": days, **which}


def _key(said: Any) -> str:
    try:
        return str(UUID(str(said)))
    except ValueError:
        raise Invalid("There is nothing with this id.", code="which") from None


def _holds(person: User) -> list[PayoutHold]:
    """What staff hold of all this person's withdrawals. What an incident holds ends with the incident, or by its own id."""
    return list(PayoutHold.objects.standing().filter(user=person, withdrawal=None).order_by("pk"))


def _withdrawal(plan: Plan, person: User) -> Withdrawal | None:
    """The one withdrawal that a plan is about, as it is now."""
    if "withdrawal" not in plan.asked:
        return None
    found = Withdrawal.objects.filter(pk=plan.asked["withdrawal"], user=person).select_related("batch").first()
    if found is None:
        raise Invalid("This person has no such withdrawal.", code="which")
    return found


def _preview_hold(plan: Plan) -> Preview:
    person = _person(plan)
    one = _withdrawal(plan, person)
    if plan.asked["do"] == "end":
        if one is not None:
            return _preview_release(person, one)
        return _preview_end_of(plan, person) if "hold" in plan.asked else _preview_end(person)
    holds = _holds(person) if one is None else list(PayoutHold.objects.on(one).order_by("pk"))
    mine = [hold for hold in holds if hold.incident_id is None]
    blocked: list[str] = ["Staff hold this already."] if mine else []
    if one is not None and not stoppable(one):
        blocked = [f"This withdrawal is {one.status_words()}: nothing of it can be held any more."]
    days = plan.asked["days"]
    which = f"Withdrawal of {usd(one.amount)}" if one else "Withdrawals"
    return Preview(
        f"Hold {f'one withdrawal ({usd(one.amount)})' if one else 'withdrawals'} of {person.name}",
        (
            Figure(which, "Held", "Held" if holds else "Free", "" if one else "Those that have not left, and later ones"),
            Figure("Until", f"{days} days after it begins" if days else "It is ended", ""),
        ),
        tells=(f'{person.name}{"" if one else ", of each withdrawal that waits"}: "{plan.asked["told"]}"',),
        blocked=tuple(blocked),
        facts=_standing(person, holds, one),
    )


def _standing(person: User, holds: Sequence[PayoutHold], one: Withdrawal | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {"person": str(person.pk), "holds": [str(hold.pk) for hold in holds]}
    return facts | ({"withdrawal": [str(one.pk), one.status]} if one else {})


ALWAYS = "Rights are given back by two people"


def _preview_end(person: User) -> Preview:
    """Of what staff hold of all withdrawals."""
    holds = _holds(person)
    mine = [hold for hold in holds if hold.incident_id is None]
    after = "Held by an incident" if len(holds) > len(mine) else "Free"
    return Preview(
        f"End the hold on withdrawals of {person.name}",
        (Figure("Withdrawals", after, "Held" if holds else "Free", mine[0].reason if mine else ""),),
        tells=(f"{person.name}, of each withdrawal that goes on",),
        always=ALWAYS,
        blocked=() if mine else ("Staff hold nothing of this person.",),
        facts=_standing(person, holds),
    )


def _preview_end_of(plan: Plan, person: User) -> Preview:
    """Of one hold, whoever made it."""
    hold = PayoutHold.objects.filter(pk=plan.asked["hold"], user=person).select_related("withdrawal").first()
    if hold is None:
        raise Invalid("This person has no such hold.", code="which")
    others = PayoutHold.objects.standing().filter(user=person).exclude(pk=hold.pk).order_by("pk")
    made = "Made by an incident" if hold.incident_id else ""
    which = f"Withdrawal of {usd(hold.withdrawal.amount)}" if hold.withdrawal else "All withdrawals"
    figures = [Figure(which, "Not held by this", "Held", hold.reason), *([Figure("Who made the hold", made, made)] if made else [])]
    return Preview(
        f"End one hold on withdrawals of {person.name}",
        (*figures, Figure("Other holds", str(len(others)), str(len(others)), "; ".join(other.reason for other in others)[:200])),
        tells=(f"{person.name}, of each withdrawal that goes on",),
        always=ALWAYS,
        blocked=("This hold has ended.",) if hold.ended_at is not None else (),
        facts=_standing(person, [hold, *others]),
    )


def _preview_release(person: User, one: Withdrawal) -> Preview:
    """Of all that keeps one withdrawal and no other."""
    holds = list(PayoutHold.objects.on(one).order_by("pk"))
    blocked = [] if one.status == WithdrawalStatus.HELD else [f"This withdrawal is {one.status_words()} and not held."]
    if any(hold.withdrawal_id is None for hold in holds):
        blocked.append("All withdrawals of this person are held. End that hold instead.")
    return Preview(
        f"Let one withdrawal ({usd(one.amount)}) of {person.name} go on",
        (Figure(f"Withdrawal of {usd(one.amount)}", "Goes on", one.status_words().capitalize(), "; ".join(hold.reason for hold in holds)[:200]),),
        tells=(person.name,),
        always=ALWAYS,
        blocked=tuple(blocked),
        facts=_standing(person, holds, one),
    )


def _hold(plan: Plan, actor: Any) -> Done:
    person, asked, why = _person(plan), plan.asked, plan.reason[:300]
    one = _withdrawal(plan, person)
    if asked["do"] == "end":
        if one is not None:
            release_withdrawal(one.pk, actor=actor, reason=why)
            return Done(f"Let one withdrawal ({usd(one.amount)}) of {person.name} go on", {"withdrawal": str(one.pk)}, ActionType.PAYOUTS_RELEASE)
        wanted = [asked["hold"]] if "hold" in asked else [hold.pk for hold in _holds(person) if hold.incident_id is None]
        ended = [end_hold(key, actor=actor, reason=why) for key in wanted]
        return Done(f"Ended the hold on withdrawals of {person.name}", {"holds": [str(hold.pk) for hold in ended]}, ActionType.PAYOUTS_RELEASE)
    until = now() + timedelta(days=asked["days"]) if asked["days"] else None
    if one is not None:
        hold = hold_withdrawal(one.pk, actor=actor, reason=asked["told"], until=until)
        return Done(f"Held one withdrawal ({usd(one.amount)}) of {person.name}", {"holds": [str(hold.pk)]})
    hold = hold_withdrawals_of(person.pk, actor=actor, reason=asked["told"], until=until)
    return Done(f"Held withdrawals of {person.name}", {"holds": [str(hold.pk)]})


HOLD = Kind("restrict", ActionType.PAYOUTS_HOLD, _check_hold, _preview_hold, _lock, _hold)
