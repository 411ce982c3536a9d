"""The API of disputes, for the two sides of an order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router
from ninja.files import UploadedFile
from ninja.responses import Status

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, also, answers, page, tagged, unless_changed
from port444.orders import actions, queries
from port444.orders.models import Dispute, DisputeStatus, Order
from port444.orders.schemas import (
    DisputeAnswerIn,
    DisputeIn,
    DisputeOut,
    DisputeRow,
    DisputesOut,
    EvidenceForm,
    EvidenceIn,
    FigureIn,
    SettleIn,
    dispute_out,
    dispute_row,
)

router = Router(tags=["Disputes"])


class DisputePaging(Paging):
    status: DisputeStatus | None = None
    order_id: UUID | None = None


def _dispute(request: UserRequest, dispute_id: UUID) -> Dispute:
    return get_object_or_404(Dispute.objects.visible_to(request.user).with_people(), pk=dispute_id)


def _out(request: UserRequest, dispute_id: UUID) -> DisputeOut:
    dispute = _dispute(request, dispute_id)
    rows = dispute.evidence.select_related("author").prefetch_related("files")[: queries.disputes.MOST_SHOWN]
    return dispute_out(dispute, request.user, rows)


@router.get("/disputes", response=answers(200, DisputesOut), auth=may(), summary="Your disputes")
def list_disputes(request: UserRequest, paging: Query[DisputePaging]) -> HttpResponse:
    rows = Dispute.objects.visible_to(request.user).with_people()
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.order_id:
        rows = rows.filter(order=paging.order_id)
    return page(request, paging, rows, DisputeRow, lambda row: dispute_row(row, request.user))


@router.post(
    "/orders/{uuid:order_id}/disputes", response=answers(201, DisputeOut), auth=may(Scope.ORDERS), openapi_extra=also(KEY), summary="Open a dispute"
)
@once
def open_dispute(request: UserRequest, order_id: UUID, body: DisputeIn) -> Status[DisputeOut]:
    """The order stands still from now on, and its money stays where it is. The other side has time to answer."""
    order = get_object_or_404(Order.objects.visible_to(request.user), pk=order_id)
    made = actions.open_dispute(
        order.pk, actor=request.user, client_key=client_key(request), reason=body.reason, claim=body.claim, to_client=body.to_client
    )
    return Status(201, _out(request, made.pk))


@router.get("/disputes/{uuid:dispute_id}", response=answers(200, DisputeOut), auth=may(), summary="A dispute")
def get_dispute(request: UserRequest, response: HttpResponse, dispute_id: UUID) -> DisputeOut:
    tagged(response, _dispute(request, dispute_id))
    return _out(request, dispute_id)


@router.post(
    "/disputes/{uuid:dispute_id}/answer",
    response=answers(200, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Answer a dispute",
)
@once
def answer_dispute(request: UserRequest, dispute_id: UUID, body: DisputeAnswerIn) -> Status[DisputeOut]:
    """For the other side. Offering what is wanted settles it."""
    dispute = _dispute(request, dispute_id)
    with unless_changed(request, dispute):
        actions.answer_dispute(dispute.pk, actor=request.user, answer=body.answer, offer=body.offer)
    return Status(200, _out(request, dispute_id))


@router.post(
    "/disputes/{uuid:dispute_id}/figure",
    response=answers(200, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Come closer in a dispute",
)
@once
def change_dispute_figure(request: UserRequest, dispute_id: UUID, body: FigureIn) -> Status[DisputeOut]:
    """Another figure than before. What the other side would take settles it."""
    dispute = _dispute(request, dispute_id)
    with unless_changed(request, dispute):
        actions.change_figure(dispute.pk, actor=request.user, to_client=body.to_client)
    return Status(200, _out(request, dispute_id))


@router.post(
    "/disputes/{uuid:dispute_id}/settle",
    response=answers(200, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Settle a dispute",
)
@once
def settle_dispute(request: UserRequest, dispute_id: UUID, body: SettleIn) -> Status[DisputeOut]:
    """Take what the other side says: the money is split so, and the order ends."""
    dispute = _dispute(request, dispute_id)
    with unless_changed(request, dispute):
        actions.settle_dispute(dispute.pk, actor=request.user, seen=body.seen)
    return Status(200, _out(request, dispute_id))


@router.post(
    "/disputes/{uuid:dispute_id}/withdraw",
    response=answers(200, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Withdraw a dispute",
)
def withdraw_dispute(request: UserRequest, dispute_id: UUID) -> DisputeOut:
    """For who opened it. The order goes on where it stood."""
    dispute = _dispute(request, dispute_id)
    with unless_changed(request, dispute):
        actions.withdraw_dispute(dispute.pk, actor=request.user)
    return _out(request, dispute_id)


@router.post(
    "/disputes/{uuid:dispute_id}/escalate",
    response=answers(200, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Ask support to decide",
)
def escalate_dispute(request: UserRequest, dispute_id: UUID) -> DisputeOut:
    """Once both sides have spoken. They can still settle it themselves."""
    dispute = _dispute(request, dispute_id)
    with unless_changed(request, dispute):
        actions.escalate_dispute(dispute.pk, actor=request.user)
    return _out(request, dispute_id)


@router.post(
    "/disputes/{uuid:dispute_id}/evidence",
    response=answers(201, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Add words to a dispute",
)
@once
def add_dispute_evidence(request: UserRequest, dispute_id: UUID, body: EvidenceIn) -> Status[DisputeOut]:
    """It stays as it was written. The other side and support read it."""
    actions.add_evidence(_dispute(request, dispute_id).pk, actor=request.user, text=body.text)
    return Status(201, _out(request, dispute_id))


@router.post(
    "/disputes/{uuid:dispute_id}/evidence/files",
    response=answers(201, DisputeOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Add files to a dispute",
)
@once
def add_dispute_files(request: UserRequest, dispute_id: UUID, uploads: File[list[UploadedFile]], form: Form[EvidenceForm]) -> Status[DisputeOut]:
    """Sent as `multipart/form-data`."""
    actions.add_evidence(_dispute(request, dispute_id).pk, actor=request.user, text=form.text, uploads=uploads)
    return Status(201, _out(request, dispute_id))
