"""Plans: what staff want to do with money or rights. What one person may do alone is done at once; the rest waits for a second one (202)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.errors import ValidationError
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import once
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, Paging, also, answers, page
from port444.orders.models import Order
from port444.payments.models import Credit
from support import actions
from support.actions.plans import cannot_decide
from support.forms import form_of
from support.models import Plan, PlanKind, PlanStatus
from support.schemas import (
    ApproveIn,
    CreditIn,
    MergeIn,
    PlanDeclineIn,
    PlanIn,
    PlanOut,
    PlanRow,
    PlansOut,
    RefundIn,
    SplitIn,
    SubmitIn,
    VoidIn,
    plan_out,
    plan_row,
)

from .door import console, is_replay, prove

router = Router(tags=["Console"])
S = PlanStatus
ASKED: dict[Any, Any] = answers(201, PlanOut) | {202: PlanOut}
NAMES = {"person": "user_id", "order": "order_id", "other": "other_order_id"}  # of the forms' fields, where the API has others


class PlanPaging(Paging):
    which: Literal["all", "waiting", "mine"] = "all"
    kind: PlanKind | SkipJsonSchema[None] = None
    status: PlanStatus | SkipJsonSchema[None] = None
    user_id: UUID | SkipJsonSchema[None] = Field(None, description="Whom it is about")


def told(request: UserRequest, plan_id: UUID) -> PlanOut:
    plan = get_object_or_404(Plan.objects.visible_to(request.user).with_people(), pk=plan_id)
    shown, differs, fails = actions.look_at_plan(plan)
    refused = cannot_decide(plan, request.user)
    return plan_out(plan, shown, differs=differs, fails=fails, cannot_decide=refused.message if refused is not None else "")


def asked(request: UserRequest, plan: Plan, *, preview: bool) -> Status[PlanOut]:
    """Ask for a plan that was drafted just now, unless only its figures were wanted: 201 when it is done or a draft, 202 when it waits."""
    if not preview:
        plan = actions.submit_plan(plan.pk, actor=request.user, seen=plan.figures_sha256)
    return Status(202 if plan.status == S.REQUESTED else 201, told(request, plan.pk))


def drafted(request: UserRequest, key: PlanKind, said: Mapping[str, Any]) -> Plan:
    """By the form with which the same plan begins on its page."""
    form_class = form_of(key)
    assert form_class is not None
    form = form_class(dict(said), given={}, actor=request.user)
    if not (form.is_ready and form.is_valid()):
        raise ValidationError([{"loc": ("body", NAMES.get(name, name)), "msg": " ".join(map(str, words))} for name, words in form.errors.items()])
    return actions.draft_plan(key, actor=request.user, asked=form.asked, reason=form.cleaned_data["reason"], about=form.about())


def number(order_id: UUID) -> str:
    return str(get_object_or_404(Order, pk=order_id).number)


def person(user_id: UUID) -> str:
    return str(get_object_or_404(User, pk=user_id).pk)


# Beginning one


@router.post("/support/credits", response=ASKED, auth=console("issue_credits"), openapi_extra=also(KEY), summary="Give somebody a credit")
@once
def issue_support_credit(request: UserRequest, body: CreditIn) -> Status[PlanOut]:
    """At once within your limits (201); above them it waits for a second person (202). Not for oneself."""
    said = {"person": person(body.user_id), "amount": str(body.amount), "label": body.label, "scope": body.scope, "reason": body.reason}
    said |= {"builder": body.builder, "category": body.category, "last_day": str(body.last_day or now().astimezone(UTC).date() + timedelta(days=90))}
    return asked(request, drafted(request, PlanKind.CREDIT, said), preview=body.preview)


@router.post(
    "/support/credits/{uuid:credit_id}/void", response=ASKED, auth=console("issue_credits"), openapi_extra=also(KEY), summary="Take a credit back"
)
@once
def void_support_credit(request: UserRequest, credit_id: UUID, body: VoidIn) -> Status[PlanOut]:
    """What is left of it. What a checkout holds or an order was paid with stays."""
    said = {"credit": str(get_object_or_404(Credit, pk=credit_id).pk), "told": body.told, "reason": body.reason}
    return asked(request, drafted(request, PlanKind.CREDIT_VOID, said), preview=body.preview)


@router.post("/support/orders/merge", response=ASKED, auth=console("merge_orders"), openapi_extra=also(KEY), summary="Make one order of two")
@once
def merge_support_orders(request: UserRequest, body: MergeIn) -> Status[PlanOut]:
    """Of the same two people. It always waits for a second person (202); the order that it makes stands in `made` then."""
    said = {"order": number(body.order_id), "other": number(body.other_order_id), "reason": body.reason}
    return asked(request, drafted(request, PlanKind.MERGE, said), preview=body.preview)


@router.post("/support/orders/split", response=ASKED, auth=console("merge_orders"), openapi_extra=also(KEY), summary="Make two orders of one")
@once
def split_support_order(request: UserRequest, body: SplitIn) -> Status[PlanOut]:
    """It always waits for a second person (202)."""
    said = {"order": number(body.order_id), "title": body.title, "price": str(body.price), "revisions": body.revisions, "reason": body.reason}
    said |= {"deliverables": [str(place) for place in body.deliverables]}
    return asked(request, drafted(request, PlanKind.SPLIT, said), preview=body.preview)


@router.post(
    "/support/plans/{uuid:plan_id}/undo", response=ASKED, auth=console("merge_orders"), openapi_extra=also(KEY), summary="Undo a merge or a split"
)
@once
def undo_support_plan(request: UserRequest, plan_id: UUID, body: PlanIn) -> Status[PlanOut]:
    """While nothing was delivered and no money has moved since. It is a plan of its own, and waits for a second person (202)."""
    done = get_object_or_404(Plan.objects.visible_to(request.user), pk=plan_id)
    return asked(request, drafted(request, PlanKind.UNDO, {"undoes": str(done.number), "reason": body.reason}), preview=body.preview)


@router.post("/support/refunds", response=ASKED, auth=console("refund"), openapi_extra=also(KEY), summary="Refund")
@once
def refund_by_support(request: UserRequest, body: RefundIn) -> Status[PlanOut]:
    """Out of escrow while it is there, then of the builder's balance, and the platform bears the rest."""
    said = {"what": body.what, "why": body.why, "reason": body.reason, "amount": "" if body.amount is None else str(body.amount)}
    if body.order_id is not None:
        said["order"] = number(body.order_id)
    if body.user_id is not None:
        said["person"] = person(body.user_id)
    return asked(request, drafted(request, PlanKind.REFUND, said), preview=body.preview)


# What becomes of them


@router.get("/support/plans", response=answers(200, PlansOut), auth=console("see_people"), summary="Plans")
def list_support_plans(request: UserRequest, paging: Query[PlanPaging]) -> HttpResponse:
    """Newest first. Drafts of others are not among them."""
    rows = Plan.objects.visible_to(request.user).with_people()
    if paging.which == "waiting":
        rows = rows.waiting()
    if paging.which == "mine":
        rows = rows.filter(requester=request.user)
    if paging.kind:
        rows = rows.filter(kind=paging.kind)
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.user_id:
        rows = rows.filter(target_user=paging.user_id)
    return page(request, paging, rows, PlanRow, plan_row)


@router.get("/support/plans/{uuid:plan_id}", response=answers(200, PlanOut), auth=console("see_people"), summary="A plan")
def get_support_plan(request: UserRequest, plan_id: UUID) -> PlanOut:
    """With the figures of now for a draft, and those that were asked for afterwards."""
    return told(request, plan_id)


@router.post(
    "/support/plans/{uuid:plan_id}/submit",
    response=answers(200, PlanOut) | {202: PlanOut},
    auth=console(),
    openapi_extra=also(KEY),
    summary="Ask for a draft",
)
@once
def submit_support_plan(request: UserRequest, plan_id: UUID, body: SubmitIn) -> Status[PlanOut]:
    """With the figures that were seen: when they have become others nothing is done (409). Done at once (200), or waits (202)."""
    plan = get_object_or_404(Plan.objects.visible_to(request.user), pk=plan_id)
    plan = actions.submit_plan(plan.pk, actor=request.user, seen=body.seen)
    return Status(202 if plan.status == S.REQUESTED else 200, told(request, plan.pk))


@router.post(
    "/support/plans/{uuid:plan_id}/approve",
    response=answers(200, PlanOut),
    auth=console("approve"),
    openapi_extra=also(KEY),
    summary="Approve a plan",
)
def approve_support_plan(request: UserRequest, plan_id: UUID, body: ApproveIn) -> HttpResponse:
    """As the second person, with a code from the authenticator app. It is done at once; the answer says what became of it: executed, failed,
    or a draft again when its figures had changed."""
    if not is_replay(request):
        plan = get_object_or_404(Plan.objects.visible_to(request.user).with_people(), pk=plan_id)
        if (why := cannot_decide(plan, request.user)) is not None:
            raise why
        prove(request, body.code)
    response: HttpResponse = _approve(request, plan_id, body)
    return response


@once
def _approve(request: UserRequest, plan_id: UUID, body: ApproveIn) -> Status[PlanOut]:
    plan = get_object_or_404(Plan.objects.visible_to(request.user), pk=plan_id)
    actions.approve_plan(plan.pk, actor=request.user, seen=body.seen, note=body.note)
    row = actions.execute_plan(plan.pk)
    return Status(200, _of_others(request, row))


def _of_others(request: UserRequest, row: Plan) -> PlanOut:
    """A plan that has just become its requester's draft again is told of once, to who approved it."""
    row = Plan.objects.with_people().get(pk=row.pk)
    shown, differs, fails = actions.look_at_plan(row)
    return plan_out(row, shown, differs=differs, fails=fails, cannot_decide="")


@router.post("/support/plans/{uuid:plan_id}/decline", response=answers(200, PlanOut), auth=console("approve"), summary="Decline a plan")
def decline_support_plan(request: UserRequest, plan_id: UUID, body: PlanDeclineIn) -> PlanOut:
    plan = get_object_or_404(Plan.objects.visible_to(request.user), pk=plan_id)
    actions.reject_plan(plan.pk, actor=request.user, note=body.note)
    return told(request, plan_id)


@router.post("/support/plans/{uuid:plan_id}/withdraw", response=answers(200, PlanOut), auth=console(), summary="Withdraw a plan")
def withdraw_support_plan(request: UserRequest, plan_id: UUID) -> PlanOut:
    """Whoever asked for it does not want it any more."""
    plan = get_object_or_404(Plan.objects.visible_to(request.user), pk=plan_id)
    actions.withdraw_plan(plan.pk, actor=request.user)
    return told(request, plan_id)
