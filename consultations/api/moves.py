"""Another time for a call: taking it, or proposing it and answering what is proposed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from consultations import actions, queries
from consultations.models import Consultation, Proposal, ProposalStatus
from consultations.schemas.calls import CallOut, CallProposeIn, MoveIn, ProposalRow, ProposalsOut, proposal_row
from consultations.slots import Span
from port444.accounts.callers import may, once
from port444.accounts.models import Scope
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed

from .calls import answer, call_of

router = Router()


class ProposalPaging(Paging):
    status: ProposalStatus | SkipJsonSchema[None] = None
    yours_to_answer: bool | SkipJsonSchema[None] = Field(None, description="Those that wait for your answer")


def _proposal(request: UserRequest, proposal_id: UUID) -> Proposal:
    return get_object_or_404(queries.proposals_of(request.user), pk=proposal_id)


def _row(request: UserRequest, proposal: Proposal) -> ProposalRow:
    return proposal_row(_proposal(request, proposal.pk), reader=request.user)


@router.post(
    "/consultations/{uuid:call_id}/move",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Move a call without asking",
)
def move_consultation(request: UserRequest, call_id: UUID, body: MoveIn) -> HttpResponse:
    """By its client, while `moves_left` and until `move_until`, to a free time. Answers with the call that follows; nothing is paid again."""
    call = call_of(request, call_id)
    call.require_client(request.user)
    # Calendars are asked across the network, so before what happens once, which is a transaction.
    response: HttpResponse = _move(request, call, body, actions.ask_around_move(call, body.starts_at))
    return response


@once
def _move(request: UserRequest, call: Consultation, body: MoveIn, live: Sequence[Span]) -> Status[CallOut]:
    with unless_changed(request, call):
        follower = actions.move_call(call.pk, actor=request.user, starts_at=body.starts_at, live=live)
    return Status(200, answer(request, follower.pk))


@router.get("/consultations/{uuid:call_id}/proposals", response=answers(200, ProposalsOut), auth=may(), summary="What was proposed for a call")
def list_consultation_proposals(request: UserRequest, call_id: UUID, paging: Query[ProposalPaging]) -> HttpResponse:
    """Also before it was moved to where it is."""
    call = call_of(request, call_id)
    return _page(request, paging, queries.proposals_of(request.user).filter(consultation__chain=call.chain))


@router.post(
    "/consultations/{uuid:call_id}/proposals",
    response=answers(201, ProposalRow),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Propose another time",
)
def propose_consultation_time(request: UserRequest, call_id: UUID, body: CallProposeIn) -> Status[ProposalRow]:
    """The other side answers until `answer_by`. The time is not held until then. Proposing replaces your own open proposal and declines theirs."""
    call = call_of(request, call_id)
    with unless_changed(request, call):
        proposal = actions.propose_move(call.pk, actor=request.user, starts_at=body.starts_at, note=body.note)
    return Status(201, _row(request, proposal))


@router.get("/call-proposals", response=answers(200, ProposalsOut), auth=may(), summary="What is proposed for your calls")
def list_call_proposals(request: UserRequest, paging: Query[ProposalPaging]) -> HttpResponse:
    return _page(request, paging, queries.proposals_of(request.user))


def _page(request: UserRequest, paging: ProposalPaging, rows: Any) -> HttpResponse:
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.yours_to_answer is not None:
        mine = queries.yours_to_answer(request.user)
        rows = rows.filter(mine) if paging.yours_to_answer else rows.exclude(mine)
    return page(request, paging, rows, ProposalRow, partial(proposal_row, reader=request.user))


@router.get("/call-proposals/{uuid:proposal_id}", response=answers(200, ProposalRow), auth=may(), summary="A proposal")
def get_call_proposal(request: UserRequest, response: HttpResponse, proposal_id: UUID) -> ProposalRow:
    proposal = _proposal(request, proposal_id)
    tagged(response, proposal)
    return proposal_row(proposal, reader=request.user)


@router.post(
    "/call-proposals/{uuid:proposal_id}/accept",
    response=answers(200, CallOut),
    auth=may(Scope.CALLS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Accept what is proposed",
)
@once
def accept_call_proposal(request: UserRequest, proposal_id: UUID) -> Status[CallOut]:
    """The call moves, and the one that follows is answered. Of `cancel`: the call is cancelled with everything back."""
    proposal = _proposal(request, proposal_id)
    with unless_changed(request, proposal):
        call = actions.accept_proposal(proposal.pk, actor=request.user)
    return Status(200, answer(request, call.pk))


@router.post(
    "/call-proposals/{uuid:proposal_id}/decline",
    response=answers(200, ProposalRow),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Decline what is proposed",
)
def decline_call_proposal(request: UserRequest, proposal_id: UUID) -> ProposalRow:
    """The call stays where it is."""
    proposal = _proposal(request, proposal_id)
    with unless_changed(request, proposal):
        actions.decline_proposal(proposal.pk, actor=request.user)
    return _row(request, proposal)


@router.post(
    "/call-proposals/{uuid:proposal_id}/withdraw",
    response=answers(200, ProposalRow),
    auth=may(Scope.CALLS),
    openapi_extra=also(IF_MATCH),
    summary="Take your proposal back",
)
def withdraw_call_proposal(request: UserRequest, proposal_id: UUID) -> ProposalRow:
    proposal = _proposal(request, proposal_id)
    with unless_changed(request, proposal):
        actions.withdraw_proposal(proposal.pk, actor=request.user)
    return _row(request, proposal)
