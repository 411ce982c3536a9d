"""The kind of plan that is several kinds in a row. They are previewed as one, and executed in one transaction or not at all."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import reverse

from port444.kit.errors import Invalid
from port444.kit.money import ZERO
from port444.notifications.actions import notify
from port444.orders.models import WORKING, Order
from support import kinds
from support.kinds import Done, Figure, Kind, Preview
from support.macros import MACROS
from support.models import ActionType, Plan
from support.roles import PERMISSIONS, may

from .records import note_action


def _check(asked: Mapping[str, Any]) -> dict[str, Any]:
    macro = MACROS.get(str(asked.get("macro")))
    if macro is None:
        raise Invalid("Choose what to do.", code="macro")
    steps = [{"kind": step.kind, "asked": kinds.of(step.kind).check(step.fill(asked))} for step in macro.steps]
    said = {name: str(value) if isinstance(value, Decimal) else value for name, value in asked.items()}
    return {**said, "macro": macro.key, "limited": macro.limited, "steps": steps}


def _parts(plan: Plan) -> Iterator[tuple[Plan, Kind]]:
    """The plan as each of its kinds sees it: the same row, with what that kind asks for. It is never saved."""
    for step in plan.asked["steps"]:
        part = copy.copy(plan)
        part.kind, part.asked = step["kind"], step["asked"]
        yield part, kinds.of(step["kind"])


def _preview(plan: Plan) -> Preview:
    figures: list[Figure] = []
    tells: list[str] = []
    blocked: list[str] = []
    facts: dict[str, Any] = {}
    amount, always = ZERO, ""
    for number, (part, kind) in enumerate(_parts(plan), 1):
        one = kind.preview(part)
        figures += [Figure(f"{number}.", one.title, note="Step"), *one.figures]
        tells += one.tells
        blocked += one.blocked
        facts[str(number)] = dict(one.facts)
        amount, always = amount + one.amount, always or one.always
        if not may(plan.requester, kind.permission):
            blocked.append(f"Your group may not do this: {PERMISSIONS[kind.permission].lower()}.")
    name = MACROS[plan.asked["macro"]].name
    return Preview(name, tuple(figures), amount, tuple(tells), always, tuple(blocked), facts)


def _lock(plan: Plan) -> None:
    for part, kind in _parts(plan):
        kind.lock(part)


def _execute(plan: Plan, actor: Any) -> Done:
    results = []
    for part, kind in _parts(plan):
        part.amount = kind.preview(part).amount
        done = kind.execute(part, actor)
        results.append({"kind": part.kind, "did": done.description, **done.result})
        if kind.action != ActionType.MACRO:
            note_action(
                done.action or kind.action,
                actor=actor,
                description=done.description,
                reason=plan.reason,
                target_user=plan.target_user,
                order=plan.order,
                plan=plan,
                amount=part.amount or None,
            )
    said = "; ".join(one["did"] for one in results)
    return Done(f"{MACROS[plan.asked['macro']].name}: {said}", {"steps": results})


def _parties(plan: Plan) -> set[UUID]:
    return {person for part, kind in _parts(plan) for person in kind.parties(part)}


MACRO = Kind("see_people", ActionType.MACRO, _check, _preview, _lock, _execute, _parties)


# A step of its own: a word to the builder of a late order


def _order(plan: Plan) -> Order:
    if plan.order_id is None:
        raise Invalid("Say which order is late.", code="order_missing")
    return Order.objects.with_people().get(pk=plan.order_id)


def _preview_reminder(plan: Plan) -> Preview:
    order = _order(plan)
    due = f"{order.due_at:%-d %B %Y %H:%M} UTC" if order.due_at else "No date"
    blocked = () if order.status in WORKING else (f"The order is {order.status_words()}: its builder has nothing to do.",)
    builder = order.builder.user
    return Preview(
        f"Remind {builder.name} of P4-{order.number}",
        (Figure("Due", due, due),),
        tells=(f"{builder.name}, that the client waits",),
        blocked=blocked,
        facts={"order": str(order.pk), "status": order.status, "due_at": order.due_at and order.due_at.isoformat()},
    )


def _lock_reminder(plan: Plan) -> None:
    if plan.order_id is not None:
        Order.objects.lock(plan.order_id)


def _remind(plan: Plan, actor: Any) -> Done:
    order = _order(plan)
    notify(
        order.builder.user,
        "order.late",
        title=f"Order {order.number} is late",
        body=f"{order.client.name} waits for {order.title}. Deliver it, or write when it comes.",
        url=reverse("orders:detail", args=[order.number]),
        dedupe_key=f"order.late:{plan.pk}",
    )
    return Done(f"Reminded {order.builder.user.name}")


REMIND = Kind("see_people", ActionType.MACRO, lambda asked: {}, _preview_reminder, _lock_reminder, _remind)
