"""The API of being away, for builders."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.http import UserRequest
from port444.kit.rest import Paging, answers, page, tagged

from . import actions, queries
from .models import DueMove, MoveStatus
from .schemas import AlertOut, AwayIn, AwayOut, DueMoveRow, DueMovesOut, ObjectIn, StandingOut, away_out, move_row, plan_in

router = Router(tags=["Being away"])


def _builder(request: UserRequest) -> Builder:
    return get_object_or_404(Builder.objects.select_related("user"), user=request.user)


@router.get("/away", response=answers(200, StandingOut), auth=may(), summary="When you are away")
def get_away(request: UserRequest, response: HttpResponse) -> StandingOut:
    """For builders: the days that are planned or run."""
    moment = now()
    span = queries.standing_of(_builder(request), moment)
    if span is not None:
        tagged(response, span)
    return StandingOut(away=away_out(span, moment) if span is not None else None)


@router.put("/away", response=answers(200, AwayOut), auth=may(Scope.ORDERS), summary="Be away")
def plan_away(request: UserRequest, body: AwayIn) -> AwayOut:
    """Plan days away, or change those that stand; the same again changes nothing. Due dates move by the days, unless they are kept."""
    moment, plan = now(), plan_in(body)
    span = queries.standing_of(_builder(request), moment)
    if span is None:
        return away_out(actions.plan_away(actor=request.user, plan=plan), moment)
    return away_out(actions.change_away(span.pk, actor=request.user, plan=plan), moment)


@router.post("/away/end", response=answers(200, AwayOut), auth=may(Scope.ORDERS), summary="Come back")
def end_away(request: UserRequest) -> AwayOut:
    """Now, or do not go at all. Due dates move back by the time that is not spent away."""
    span = queries.standing_of(_builder(request), now())
    if span is None:
        raise WrongState("You are not away, and have not planned to be.", code="not_away")
    ended = actions.end_away(span.pk, actor=request.user)
    return away_out(ended, now())


# A date that moved


def _move(request: UserRequest, move_id: UUID) -> DueMove:
    return get_object_or_404(DueMove.objects.visible_to(request.user).select_related("order", "span"), pk=move_id)


class MovePaging(Paging):
    order_id: UUID | SkipJsonSchema[None] = None
    status: MoveStatus | SkipJsonSchema[None] = None


@router.get("/due-moves", response=answers(200, DueMovesOut), auth=may(), summary="Due dates that moved")
def list_due_moves(request: UserRequest, paging: Query[MovePaging]) -> HttpResponse:
    """Of orders that you bought or sell, for days that their builders were away."""
    rows = DueMove.objects.visible_to(request.user)
    if paging.order_id:
        rows = rows.filter(order=paging.order_id)
    if paging.status:
        rows = rows.filter(status=paging.status)
    return page(request, paging, rows, DueMoveRow, move_row)


@router.post("/due-moves/{uuid:move_id}/object", response=answers(200, DueMoveRow), auth=may(Scope.ORDERS), summary="Object to a later date")
def object_to_due_move(request: UserRequest, move_id: UUID, body: ObjectIn) -> DueMoveRow:
    """For the client. The later date stands until the builder has answered."""
    actions.object_to_move(_move(request, move_id).pk, actor=request.user, reason=body.reason)
    return move_row(_move(request, move_id))


@router.post("/due-moves/{uuid:move_id}/keep", response=answers(200, DueMoveRow), auth=may(Scope.ORDERS), summary="Keep the earlier date")
def keep_due_date(request: UserRequest, move_id: UUID) -> DueMoveRow:
    """For the builder: the date is again what it was."""
    actions.keep_date(_move(request, move_id).pk, actor=request.user)
    return move_row(_move(request, move_id))


@router.post("/due-moves/{uuid:move_id}/hold", response=answers(200, DueMoveRow), auth=may(Scope.ORDERS), summary="Hold to the later date")
def hold_to_due_date(request: UserRequest, move_id: UUID) -> DueMoveRow:
    """For the builder, after an objection."""
    actions.hold_to_date(_move(request, move_id).pk, actor=request.user)
    return move_row(_move(request, move_id))


# Hearing of a return


@router.put("/builders/{slug}/return-alert", response=answers(200, AlertOut), auth=may(Scope.MESSAGES), summary="Hear of a builder's return")
def want_return_alert(request: UserRequest, slug: str) -> AlertOut:
    """You are told once when they are back."""
    actions.want_to_know(get_object_or_404(Builder.objects.visible(), slug=slug).pk, actor=request.user)
    return AlertOut(waits=True)


@router.delete("/builders/{slug}/return-alert", response=answers(200, AlertOut), auth=may(Scope.MESSAGES), summary="Not hear of it after all")
def drop_return_alert(request: UserRequest, slug: str) -> AlertOut:
    actions.forget(get_object_or_404(Builder.objects.visible(), slug=slug).pk, actor=request.user)
    return AlertOut(waits=False)
