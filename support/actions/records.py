"""The list of what staff did."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.accounts.models import User
from port444.kit import context
from port444.kit.clock import now
from port444.orders.models import Order
from support.models import ActionType, Plan, SupportAction


@transaction.atomic
def note_action(
    action_type: ActionType,
    *,
    actor: User,
    description: str,
    reason: str = "",
    target_user: User | None = None,
    order: Order | None = None,
    related_orders: Sequence[UUID] = (),
    plan: Plan | None = None,
    amount: Decimal | None = None,
    error: str = "",
) -> SupportAction:
    """Write down what `actor` did, in the transaction of the act. With an `error` it is an act that failed."""
    facts = context.current()
    approved = plan is not None and plan.approver_id is not None
    action = SupportAction.objects.create(
        action_type=action_type,
        admin=actor,
        admin_email=actor.email,
        target_user=target_user,
        target_user_email=target_user.email if target_user else "",
        target_user_type=_type_of(target_user),
        description=description[:300],
        reason=reason[:600],
        order=order,
        related_orders=list(related_orders),
        plan=plan,
        amount=amount,
        requires_approval=plan.needs_approval if plan is not None else False,
        approved_by=plan.approver if plan is not None and approved else None,
        approved_at=plan.decided_at if plan is not None and approved else None,
        ip_address=facts.ip_address,
        user_agent=facts.user_agent[:512],
        request_id=facts.request_id,
        success=not error,
        error_message=error[:300],
        created_at=now(),
    )
    record(
        Event.SUPPORT_ACTED,
        actor=actor,
        as_a=ActorType.ADMIN,
        target=action,
        amount=amount,
        action=action_type,
        about=target_user.pk if target_user else None,
        order=order.pk if order else None,
        plan=plan.pk if plan else None,
        success=not error,
    )
    return action


def _type_of(user: User | None) -> str:
    if user is None:
        return ""
    return "both" if user.is_client and user.is_builder else "builder" if user.is_builder else "client"
