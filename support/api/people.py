"""People as staff see them, what waits for staff, and what staff did."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from ninja import Query, Router
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import In, Moment, Paging, Text, answers, page
from support.actions import note_look
from support.models import ActionType, SupportAction
from support.people import find_person, holds_on, metrics_of, open_disputes, open_plans, risk_of
from support.queues import QUEUES, heap_of
from support.roles import may
from support.schemas import (
    MetricsOut,
    Named,
    QueueOut,
    QueuesOut,
    SideOut,
    SupportActionRow,
    SupportActionsOut,
    SupportUserOut,
    SupportUsersOut,
    UserHold,
    action_row,
    support_user_row,
)
from support.search import find_people

from .door import console, memory

router = Router(tags=["Console"])
MOST_FOUND = 25


class Asked(In):
    q: Text = Field(min_length=2, max_length=200, description="An e-mail or how it begins, a part of a name, or an id")


@router.get("/support/users", response=answers(200, SupportUsersOut), auth=console("see_people"), summary="Find people")
def find_support_users(request: UserRequest, asked: Query[Asked]) -> SupportUsersOut:
    """The first 25, by name."""
    return SupportUsersOut(items=[support_user_row(user) for user in find_people(asked.q, MOST_FOUND)])


@router.get("/support/users/{uuid:user_id}", response=answers(200, SupportUserOut), auth=console("see_people"), summary="A person")
def get_support_user(request: UserRequest, user_id: UUID) -> SupportUserOut:
    """Everything that the top of their page has. The look is recorded, once in ten minutes."""
    found, moment = find_person(user_id, request.user), now()
    if found is None:
        raise Http404
    note_look(memory(request), actor=request.user, person=found.user)
    user, metrics = found.user, metrics_of(found, moment)
    risk = risk_of(found) if may(request.user, "see_incidents") else None
    sides: dict[str, Any] = {name: SideOut.model_validate(getattr(metrics, name), from_attributes=True) for name in ("bought", "sold")}
    figures: dict[str, Any] = {name: getattr(metrics, name) for name in MetricsOut.model_fields if name not in ("bought", "sold", "rating")}
    return SupportUserOut(
        **support_user_row(user).model_dump(),
        suspension_reason=user.suspension_reason,
        time_zone=user.time_zone,
        language=user.language,
        phone=user.phone,
        email_verified=found.has_proved_email,
        second_factor=found.has_second_factor,
        last_seen_at=found.last_seen_at,
        builder_id=found.builder.pk if found.builder is not None else None,
        metrics=MetricsOut(**sides, **figures, rating=None if metrics.rating is None else str(metrics.rating)),
        holds=[UserHold.model_validate(hold, from_attributes=True) for hold in holds_on(found)],
        open_disputes=[_named(one.row) for one in open_disputes(found)],
        open_plans=[_named(one.row) for one in open_plans(found)],
        risk=risk.points if risk is not None else None,
        open_incidents=[_named(one.row) for one in risk.incidents] if risk is not None else [],
    )


def _named(row: Any) -> Named:
    return Named(id=row.pk, name=str(row), status=row.status)


@router.get("/support/queues", response=answers(200, QueuesOut), auth=console("see_people"), summary="What waits for staff")
def list_support_queues(request: UserRequest) -> QueuesOut:
    """The queues that your group works on."""
    moment = now()
    heaps = [heap_of(queue, moment, request.user) for queue in QUEUES if may(request.user, queue.permission)]
    return QueuesOut(
        items=[
            QueueOut(
                key=heap.queue.key,
                name=heap.queue.name,
                count=heap.count,
                overdue=heap.overdue,
                due_soon=heap.soon,
                oldest=heap.oldest,
                next_due=heap.next_due,
                amount=heap.amount,
            )
            for heap in heaps
        ]
    )


class ActionPaging(Paging):
    since: Moment | SkipJsonSchema[None] = None
    until: Moment | SkipJsonSchema[None] = Field(None, description="Before this moment")
    admin_id: UUID | SkipJsonSchema[None] = Field(None, description="Who did it")
    user_id: UUID | SkipJsonSchema[None] = Field(None, description="Whom it is about")
    action_type: ActionType | SkipJsonSchema[None] = None
    success: bool | SkipJsonSchema[None] = None


@router.get("/support/actions", response=answers(200, SupportActionsOut), auth=console("see_people"), summary="What staff did")
def list_support_actions(request: UserRequest, paging: Query[ActionPaging]) -> HttpResponse:
    """Newest first."""
    rows = SupportAction.objects.select_related("admin", "approved_by")
    named = {
        "created_at__gte": paging.since,
        "created_at__lt": paging.until,
        "admin": paging.admin_id,
        "target_user": paging.user_id,
        "action_type": paging.action_type,
        "success": paging.success,
    }
    return page(request, paging, rows.filter(**{name: value for name, value in named.items() if value is not None}), SupportActionRow, action_row)
