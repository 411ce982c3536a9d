"""The API of being away, for builders."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.http import UserRequest
from port444.kit.rest import answers, tagged

from . import actions, queries
from .schemas import AwayIn, AwayOut, StandingOut, away_out, plan_in

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
