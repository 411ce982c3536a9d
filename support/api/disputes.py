"""Disputes as support meets them, and their decision, which always takes two."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import once
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, Paging, also, answers, page, tagged
from port444.kit.uploads import handed_out
from port444.orders.models import Delivery, Dispute, DisputeStatus, Evidence
from port444.orders.queries.disputes import attachments_of
from support.actions import draft_decision, note_file_opened, note_look, withdraw_plan, write_to_sides
from support.actions.disputes import PERMISSION
from support.models import Plan, PlanStatus
from support.roles import may_any
from support.schemas import (
    DecideIn,
    DisputePiece,
    PlanOut,
    QuestionIn,
    SupportDisputeOut,
    SupportDisputeRow,
    SupportDisputesOut,
    dispute_facts,
    dispute_row,
    piece,
    plan_row,
)

from .door import console, memory
from .plans import ASKED, asked

router = Router(tags=["Console"])
READERS = ("open_threads", PERMISSION)  # what the two wrote is between them, as their conversation is
MOST_SHOWN = 100


class SupportDisputePaging(Paging):
    status: DisputeStatus | SkipJsonSchema[None] = None
    live: bool | SkipJsonSchema[None] = None


def _find(dispute_id: UUID) -> Dispute:
    return get_object_or_404(Dispute.objects.with_people(), pk=dispute_id)


@router.get("/support/disputes", response=answers(200, SupportDisputesOut), auth=console("see_people"), summary="Disputes")
def list_support_disputes(request: UserRequest, paging: Query[SupportDisputePaging]) -> HttpResponse:
    """Newest first; `status=escalated` are those that wait for a decision of support."""
    rows = Dispute.objects.with_people()
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.live is not None:
        rows = rows.live() if paging.live else rows.filter(closed_at__isnull=False)
    return page(request, paging, rows, SupportDisputeRow, dispute_row)


@router.get("/support/disputes/{uuid:dispute_id}", response=answers(200, SupportDisputeOut), auth=console("see_people"), summary="A dispute")
def get_support_dispute(request: UserRequest, response: HttpResponse, dispute_id: UUID) -> SupportDisputeOut:
    """The figures for who sees people; what the two wrote for who opens conversations or decides disputes. It is recorded as a look at both."""
    found = _find(dispute_id)
    for person in (found.order.client, found.order.builder.user):
        note_look(memory(request), actor=request.user, person=person, what=str(found))
    tagged(response, found)
    return _told(request, found)


def _told(request: UserRequest, found: Dispute) -> SupportDisputeOut:
    reads = may_any(request.user, READERS)
    plans = Plan.objects.visible_to(request.user).with_people().filter(dispute=found).order_by("-number")[:10]
    return SupportDisputeOut(
        **dispute_facts(found),
        claim=found.claim if reads else None,
        answer=found.answer if reads else None,
        pieces=_pieces(found) if reads else None,
        deliveries=_deliveries(found) if reads else None,
        decision=found.decision,
        plans=[plan_row(plan) for plan in plans],
    )


def _pieces(found: Dispute) -> list[DisputePiece]:
    rows = Evidence.objects.filter(dispute=found).select_related("author").prefetch_related("files")[:MOST_SHOWN]
    return [piece(row.author, row.added_at, row.text, row.files.all()) for row in rows]


def _deliveries(found: Dispute) -> list[DisputePiece]:
    rows = Delivery.objects.filter(order=found.order_id).prefetch_related("files").order_by("number")[:MOST_SHOWN]
    return [piece(found.order.builder.user, row.delivered_at, row.note, row.files.all()) for row in rows]


FILE = {"responses": {200: {"description": "The file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}}


@router.get(
    "/support/disputes/{uuid:dispute_id}/files/{uuid:file_id}",
    response=answers(200, None),
    auth=console(*READERS),
    openapi_extra=also(**FILE),
    summary="A file of a dispute",
)
def get_support_dispute_file(request: UserRequest, dispute_id: UUID, file_id: UUID) -> HttpResponseBase:
    """That was added to it or delivered: nothing else of the conversation. Who opens which one is recorded each time."""
    found = _find(dispute_id)
    file = get_object_or_404(attachments_of(found), pk=file_id)
    response = handed_out(file)
    note_file_opened(found, file, actor=request.user)
    return response


@router.post(
    "/support/disputes/{uuid:dispute_id}/questions",
    response=answers(201, SupportDisputeOut),
    auth=console(PERMISSION),
    openapi_extra=also(KEY),
    summary="Write to both sides of a dispute",
)
@once
def ask_in_support_dispute(request: UserRequest, dispute_id: UUID, body: QuestionIn) -> Status[SupportDisputeOut]:
    """They read it on the page of the dispute, and are told."""
    found = _find(dispute_id)
    write_to_sides(found, actor=request.user, text=body.text)
    return Status(201, _told(request, found))


@router.post(
    "/support/disputes/{uuid:dispute_id}/decide", response=ASKED, auth=console(PERMISSION), openapi_extra=also(KEY), summary="Decide a dispute"
)
@once
def decide_support_dispute(request: UserRequest, dispute_id: UUID, body: DecideIn) -> Status[PlanOut]:
    """A plan that waits for a second person (202). A draft of yours for the same dispute is withdrawn."""
    found = _find(dispute_id)
    for older in Plan.objects.filter(dispute=found, requester=request.user, status=PlanStatus.DRAFT):
        withdraw_plan(older.pk, actor=request.user)
    plan = draft_decision(found, actor=request.user, to_client=body.to_client, decision=body.decision, reason=body.reason)
    return asked(request, plan, preview=body.preview)
