"""The life of a plan: drafted, asked for, approved by a second person, executed once. What it does is its kind's (see `kinds`).

All steps of plans come one after the other, behind one lock: they are few, and so neither limits nor figures change under one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, Sum
from django.urls import reverse

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState, word_constraint, words
from port444.kit.jobs import each
from port444.kit.money import ZERO, usd
from port444.notifications.actions import Notice, notify, notify_many
from port444.orders.models import Dispute, Order
from support import kinds
from support.kinds import Preview
from support.models import LIVE, ActionType, Plan, PlanKind, PlanStatus
from support.models.plans import STANDS
from support.roles import may, require, who_may

from .records import note_action

S = PlanStatus
WINDOW = timedelta(days=30)
LONGEST_REASON = 600
MOST_TOLD = 50  # of those who may approve
OPEN_STATES = (S.DRAFT, S.REQUESTED, S.APPROVED)

word_constraint("plan_second_person", NotAllowed("Another member of staff has to approve what you asked for.", code="own_plan"))
word_constraint("plan_approver_no_party", NotAllowed("You cannot approve what is about yourself.", code="own_case"))
word_constraint("plan_not_for_oneself", NotAllowed("You cannot do this for yourself.", code="own_case"))
word_constraint("plan_no_party", NotAllowed("Neither who asks for a plan nor who approves it may be a side of it.", code="own_case"))
word_constraint("plan_one_live_for_order", Conflict("Another plan for this order is waiting already.", code="plan_live"))
word_constraint("plan_undone_once", Conflict("This was undone already, or is about to be.", code="plan_live"))
word_constraint("plan_one_live_for_other_order", Conflict("Another plan for one of these orders is waiting already.", code="plan_live"))


@dataclass(frozen=True, slots=True)
class About:
    """What a plan is about."""

    target_user: User | None = None
    order: Order | None = None
    other_order: Order | None = None
    dispute: Dispute | None = None
    undoes: Plan | None = None


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('support_plans'))")


@transaction.atomic
def draft_plan(key: PlanKind, *, actor: User, asked: Mapping[str, Any], reason: str, about: About) -> Plan:
    """Work out what `asked` would come to. Nothing moves. Raises Invalid for what cannot be read, NotAllowed without the permission."""
    kind = kinds.of(key)
    require(actor, kind.permission)
    reason = reason.strip()
    if not reason:
        raise Invalid("Say why. Whoever looks at this later reads it.", code="reason_missing")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"A reason has at most {LONGEST_REASON} characters.", code="reason_long")
    with words():
        plan = Plan.objects.create(
            kind=key,
            requester=actor,
            target_user=about.target_user,
            order=about.order,
            other_order=about.other_order,
            dispute=about.dispute,
            undoes=about.undoes,
            asked=kind.check(asked),
            reason=reason,
            created_at=now(),
        )
    preview = kind.preview(plan)
    _take(plan, preview)
    plan.save(update_fields=["figures", "figures_sha256", "amount", "needs_approval", "why_approval"])
    record(Event.PLAN_DRAFTED, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=key, about=_about(plan))
    return plan


def _take(plan: Plan, preview: Preview) -> None:
    plan.figures, plan.figures_sha256, plan.amount = preview.as_json(), preview.sha256, preview.amount
    plan.why_approval = why_second_person(plan, preview)
    plan.needs_approval = bool(plan.why_approval)


def why_second_person(plan: Plan, preview: Preview) -> str:
    """Why what a plan comes to needs a second person; empty when it does not."""
    return (preview.always or over_limit(plan, preview.amount))[:200]


def limits_of(key: str) -> tuple[Decimal, Decimal, Decimal] | None:
    """What one member of staff may give alone: at once, in 30 days, and to one person in 30 days. None where money sets no limit."""
    return settings.SUPPORT_LIMITS.get(key)


def given(key: str, moment: datetime, **of: Any) -> Decimal:
    """What was given by plans of this kind in 30 days without a second person."""
    alike = Q(kind=key) | Q(kind=PlanKind.MACRO, asked__limited=key)
    plans = Plan.objects.filter(alike, status=S.EXECUTED, needs_approval=False, executed_at__gt=moment - WINDOW, **of)
    return plans.aggregate(sum=Sum("amount", default=ZERO))["sum"] or ZERO


def over_limit(plan: Plan, amount: Decimal) -> str:
    """Why an amount needs a second person; empty when it does not."""
    key = str(plan.asked["limited"]) if plan.kind == PlanKind.MACRO else plan.kind  # a macro is no way around them
    limits = limits_of(key)
    if limits is None:
        return ""
    once, by_agent, to_person = limits
    moment = now()
    if amount > once:
        return f"More than {usd(once)} at once"
    if amount + given(key, moment, requester=plan.requester_id) > by_agent:
        return f"More than {usd(by_agent)} by one member of staff in 30 days"
    if plan.target_user_id and amount + given(key, moment, target_user=plan.target_user_id) > to_person:
        return f"More than {usd(to_person)} to one person in 30 days"
    return ""


@transaction.atomic
def submit_plan(plan_id: UUID, *, actor: User, seen: str) -> Plan:
    """Ask for a draft to be done: at once when it needs no second person, else it waits for one.

    `seen` is the hash of the figures that the requester has looked at. When they have become others, the draft shows the new ones and
    Conflict `figures_changed` is raised by the caller's next look: nothing is done.
    """
    _one_at_a_time()
    plan = Plan.objects.lock(plan_id)
    _require_own(plan, actor)
    if plan.status != S.DRAFT:
        raise WrongState(f"This plan is {plan.status_words()} already.")
    kind = kinds.of(plan.kind)
    require(actor, kind.permission)
    kind.lock(plan)
    preview = kind.preview(plan)
    _require_possible(preview)
    if actor.pk in parties_of(plan):
        raise NotAllowed("You cannot do this for yourself.", code="own_case")
    if preview.sha256 != seen:
        raise Conflict("Something has changed since you looked. Look at the figures again.", code="figures_changed")
    _take(plan, preview)
    if not plan.needs_approval:
        plan.save(update_fields=["figures", "figures_sha256", "amount", "needs_approval", "why_approval"])
        return _do(plan, kind)
    moment = now()
    with words():
        plan.move_to(
            S.REQUESTED,
            figures=plan.figures,
            figures_sha256=plan.figures_sha256,
            amount=plan.amount,
            needs_approval=True,
            why_approval=plan.why_approval,
            requested_at=moment,
            expires_at=moment + STANDS,
        )
    record(Event.PLAN_REQUESTED, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind, why=plan.why_approval)
    _tell_approvers(plan)
    return plan


def approvers_of(plan: Plan) -> list[User]:
    """The staff who may decide this plan: not who asked, and nobody whom it is about."""
    return list(who_may("approve").exclude(pk__in=parties_of(plan) | {plan.requester_id})[:MOST_TOLD])


def _tell_approvers(plan: Plan) -> None:
    assert plan.requested_at is not None
    notify_many(
        [
            Notice(
                person,
                "plan.requested",
                title=f"{plan} waits for a second person",
                body=f"{plan.requester.name} asks: {plan.figures['title']}. {plan.why_approval}.",
                url=_address(plan),
                dedupe_key=f"plan.requested:{plan.pk}:{plan.requested_at.isoformat()}:{person.pk}",
            )
            for person in approvers_of(plan)
        ]
    )


def _tell_requester(plan: Plan, what: str, body: str) -> None:
    """`what` became of a plan after it was asked for."""
    notify(
        plan.requester,
        "plan.decided",
        title=f"{plan} {what}: {plan.figures.get('title', plan.get_kind_display())}"[:200],
        body=body,
        url=_address(plan),
        dedupe_key=f"plan.decided:{plan.pk}:{plan.status}:{now().isoformat()}",
    )


def _address(plan: Plan) -> str:
    return reverse("support:plan", args=[plan.number])


def look_at_plan(plan: Plan) -> tuple[dict[str, Any], bool, str]:
    """What to show: the figures of now for a draft, those that were asked for afterwards. Whether those of now are others, and why they
    cannot be worked out any more."""
    kept = {**plan.figures, "sha256": plan.figures_sha256, "needs_approval": plan.needs_approval, "why": plan.why_approval}
    if plan.status not in OPEN_STATES:
        return kept, False, ""
    try:
        fresh = kinds.of(plan.kind).preview(plan)
    except DomainError as error:
        return kept, False, error.message
    differs = fresh.sha256 != plan.figures_sha256
    if plan.status != S.DRAFT:
        return {**kept, "blocked": fresh.blocked}, differs, ""
    why = why_second_person(plan, fresh)
    return {**fresh.as_json(), "sha256": fresh.sha256, "needs_approval": bool(why), "why": why}, differs, ""


@transaction.atomic
def refresh_plan(plan_id: UUID, *, actor: User) -> Plan:
    """Work out the figures of a draft anew."""
    plan = Plan.objects.lock(plan_id)
    _require_own(plan, actor)
    if plan.status != S.DRAFT:
        raise WrongState(f"This plan is {plan.status_words()} already.")
    _take(plan, kinds.of(plan.kind).preview(plan))
    plan.save(update_fields=["figures", "figures_sha256", "amount", "needs_approval", "why_approval"])
    record(Event.PLAN_DRAFTED, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind, again=True)
    return plan


@transaction.atomic
def approve_plan(plan_id: UUID, *, actor: User, seen: str, note: str = "") -> Plan:
    """The second person agrees to the figures that they have `seen`; `execute_plan` follows at once, or by the sweep."""
    _one_at_a_time()
    plan = _lock_to_decide(plan_id, actor)
    if plan.figures_sha256 != seen:
        raise Conflict("These are not the figures that were asked for. Look at the plan again.", code="figures_changed")
    _decide(plan, S.APPROVED, actor, note)
    record(Event.PLAN_APPROVED, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind, requester=plan.requester_id)
    return plan


@transaction.atomic
def reject_plan(plan_id: UUID, *, actor: User, note: str) -> Plan:
    """The second person does not agree, and says why."""
    _one_at_a_time()
    if not note.strip():
        raise Invalid("Say why not, so that it can be done better.", code="reason_missing")
    plan = _lock_to_decide(plan_id, actor)
    _decide(plan, S.REJECTED, actor, note)
    record(Event.PLAN_REJECTED, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind, requester=plan.requester_id)
    _tell_requester(plan, "was rejected", f"{actor.name}: {plan.decision_note}")
    return plan


def _lock_to_decide(plan_id: UUID, actor: User) -> Plan:
    plan = Plan.objects.lock(plan_id)
    why = cannot_decide(plan, actor)
    if why is not None:
        raise why
    return plan


def cannot_decide(plan: Plan, actor: User) -> DomainError | None:
    """Why `actor` cannot approve or reject this plan; None when they can."""
    if plan.status != S.REQUESTED:
        return WrongState(f"This plan is {plan.status_words()}, not waiting for approval.")
    if plan.expires_at is not None and plan.expires_at <= now():
        return WrongState("Nobody approved this plan in time. It has to be asked for anew.")
    if not may(actor, "approve"):
        return NotAllowed("Your group may not approve plans.", code="no_permission")
    if actor.pk == plan.requester_id:
        return NotAllowed("Another member of staff has to approve what you asked for.", code="own_plan")
    if actor.pk in parties_of(plan):
        return NotAllowed("You cannot approve what is about yourself.", code="own_case")
    return None


def parties_of(plan: Plan) -> set[UUID]:
    """The people whom a plan is about. The trigger `support_plan_no_party` asks the same."""
    ids = [pk for pk in (plan.order_id, plan.other_order_id, plan.dispute.order_id if plan.dispute is not None else None) if pk]
    sides = {side for pair in Order.objects.filter(pk__in=ids).values_list("client_id", "builder__user_id") for side in pair}
    return sides | {*kinds.of(plan.kind).parties(plan)} | ({plan.target_user_id} if plan.target_user_id else set())


def _decide(plan: Plan, status: PlanStatus, actor: User, note: str) -> None:
    with words():
        plan.move_to(status, approver=actor, decided_at=now(), decision_note=note.strip()[:600])
    verb = "Approved" if status == S.APPROVED else "Rejected"
    note_action(
        ActionType.APPROVAL,
        actor=actor,
        description=f"{verb} {plan}: {plan.figures.get('title', plan.get_kind_display())}",
        reason=note.strip(),
        target_user=plan.target_user,
        order=plan.order,
    )


@transaction.atomic
def withdraw_plan(plan_id: UUID, *, actor: User) -> Plan:
    """The requester does not want it any more."""
    plan = Plan.objects.lock(plan_id)
    _require_own(plan, actor)
    plan.move_to(S.WITHDRAWN)
    record(Event.PLAN_WITHDRAWN, actor=actor, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind)
    return plan


def execute_plan(plan_id: UUID) -> Plan:
    """Do what was approved, once. Figures that have become others send it back to its requester as a draft; what cannot be done any more
    fails and says why."""
    try:
        with transaction.atomic():
            return _execute(plan_id)
    except DomainError as error:
        return _fail(plan_id, error.message)


def _execute(plan_id: UUID) -> Plan:
    _one_at_a_time()
    plan = Plan.objects.lock(plan_id)
    if plan.status != S.APPROVED:
        return plan
    kind = kinds.of(plan.kind)
    for person, permission in ((plan.requester, kind.permission), (plan.approver, "approve")):
        if person is None or not may(person, permission):
            raise NotAllowed("Who asked for this plan or approved it may not do that any more.", code="no_permission")
    kind.lock(plan)
    preview = kind.preview(plan)
    _require_possible(preview)
    if preview.sha256 != plan.figures_sha256:
        _take(plan, preview)
        plan.move_to(
            S.DRAFT,
            figures=plan.figures,
            figures_sha256=plan.figures_sha256,
            amount=plan.amount,
            needs_approval=True,
            why_approval=plan.why_approval or "It was asked for with other figures",
            approver=None,
            decided_at=None,
            requested_at=None,
            expires_at=None,
            error="The figures changed between the approval and the execution.",
        )
        record(Event.PLAN_RETURNED, actor=None, target=plan, amount=plan.amount, kind=plan.kind)
        _tell_requester(plan, "came back", "The figures changed between the approval and the execution. Nothing moved; look at it and ask again.")
        return plan
    done = _do(plan, kind)
    _tell_requester(done, "was approved and done", done.decision_note or "As it was asked for.")
    return done


def _do(plan: Plan, kind: kinds.Kind) -> Plan:
    done = kind.execute(plan, plan.requester)
    plan.move_to(S.EXECUTED, executed_at=now(), result=dict(done.result), error="")
    note_action(
        done.action or kind.action,
        actor=plan.requester,
        description=done.description,
        reason=plan.reason,
        target_user=plan.target_user,
        order=plan.order,
        related_orders=[plan.other_order_id] if plan.other_order_id else [],
        plan=plan,
        amount=plan.amount or None,
    )
    record(
        Event.PLAN_EXECUTED, actor=plan.requester, as_a=ActorType.ADMIN, target=plan, amount=plan.amount, kind=plan.kind, approver=plan.approver_id
    )
    return plan


@transaction.atomic
def _fail(plan_id: UUID, error: str) -> Plan:
    plan = Plan.objects.lock(plan_id)
    if plan.status != S.APPROVED:
        return plan
    plan.move_to(S.FAILED, error=error[:300])
    note_action(
        kinds.of(plan.kind).action,
        actor=plan.requester,
        description=str(plan.figures.get("title", plan.get_kind_display())),
        reason=plan.reason,
        target_user=plan.target_user,
        order=plan.order,
        plan=plan,
        amount=plan.amount or None,
        error=error,
    )
    record(Event.PLAN_FAILED, actor=None, target=plan, amount=plan.amount, kind=plan.kind, error=error)
    _tell_requester(plan, "could not be done", error[:300])
    return plan


def execute_approved(moment: datetime) -> int:
    """Execute what was approved and whose execution never came; for the sweep. How many."""
    waiting = Plan.objects.filter(status=S.APPROVED, decided_at__lte=moment - timedelta(minutes=1)).order_by("decided_at", "pk")
    return each(execute_plan, list(waiting.values_list("pk", flat=True)[:20]))


@transaction.atomic
def expire_plans(moment: datetime) -> int:
    """Close requests that nobody decided in time; for the sweep. How many."""
    overdue = Plan.objects.overdue(moment).select_for_update(of=("self",), no_key=True, skip_locked=True)[:100]
    for plan in overdue:
        with suppress(WrongState):
            plan.move_to(S.EXPIRED)
            record(Event.PLAN_EXPIRED, actor=None, target=plan, amount=plan.amount, kind=plan.kind)
            _tell_requester(plan, "has expired", "Nobody decided it in 72 hours.")
    return len(overdue)


def live_on(order_ids: list[UUID]) -> bool:
    """Whether a plan about one of these orders is waiting."""
    return Plan.objects.filter(Q(order__in=order_ids) | Q(other_order__in=order_ids), status__in=LIVE).exists()


def _require_own(plan: Plan, actor: User) -> None:
    if plan.requester_id != actor.pk:
        raise NotAllowed("Only who made this plan can do that.")


def _require_possible(preview: Preview) -> None:
    if preview.blocked:
        raise Conflict(" ".join(preview.blocked), code="blocked")


def _about(plan: Plan) -> str | None:
    found = plan.target_user_id or plan.order_id or plan.dispute_id
    return str(found) if found else None
